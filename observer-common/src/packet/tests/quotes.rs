//! ICMP errors and what they quote.
use core::net::{Ipv4Addr, SocketAddr};

use super::*;
use crate::craft::icmp_error;

/// The router that reports an error.
const ROUTER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

#[test]
fn icmp_errors_by_type_and_code() {
    for icmp_type in 0..=u8::MAX {
        for code in [0, 1, 3, 4, 13] {
            let v4 = read_both(&Flow::v4().error(ROUTER, icmp_type, code, 5, 28)).is_ok();
            assert_eq!(
                v4,
                (icmp_type == 3 && code != 4) || icmp_type == 11,
                "ICMP {icmp_type}/{code}"
            );
            let v6 = Flow::v6().error(Flow::v6().server.ip(), icmp_type, code, 5, 60);
            assert_eq!(
                read_both(&v6).is_ok(),
                icmp_type == 1 || icmp_type == 3,
                "ICMPv6 {icmp_type}/{code}"
            );
        }
    }
}

#[test]
fn every_field_of_an_icmp_error() {
    let flow = Flow::v4();
    let expect = Segment {
        what: What::Error,
        source: bytes16(flow.client.ip()),
        destination: bytes16(flow.server.ip()),
        source_port: 40000,
        destination_port: 80,
        seq: 5,
        sender: bytes16(ROUTER),
        ttl: 64,
        quoted_ttl: 64,
        icmp_type: 3,
        icmp_code: 13,
        ..Segment::default()
    };
    // Ports and sequence number are guaranteed, no more; the flags are the 14th byte behind the quoted IP header.
    for quoted in [28, 32, 33] {
        assert_eq!(
            read_both(&flow.error(ROUTER, 3, 13, 5, quoted)),
            Ok(expect),
            "{quoted} bytes"
        );
    }
    for quoted in [34, 40, 60] {
        assert_eq!(
            read_both(&flow.error(ROUTER, 3, 13, 5, quoted)),
            Ok(Segment {
                flags: flag::SYN,
                ..expect
            }),
            "{quoted} bytes"
        );
    }
}

#[test]
fn padding_behind_the_icmp_message_is_not_quoted() {
    let mut bytes = Flow::v4().error(ROUTER, 3, 3, 5, 28);
    bytes.resize(bytes.len() + 18, 0xff);
    assert_eq!(read_both(&bytes).map(|segment| segment.flags), Ok(0));
}

#[test]
fn quotes_that_are_none() {
    let flow = Flow::v4();
    for quoted in 0..28 {
        assert_eq!(
            read_both(&flow.error(ROUTER, 3, 3, 5, quoted)),
            Err(Skip::Unparsed),
            "{quoted} bytes quoted"
        );
    }
    let inside = |ip: &Ip, protocol| {
        let quote = ip.packet(protocol, &[0; 8]);
        read_both(&frame(
            &[],
            &Ip::new(ROUTER, flow.client.ip()).packet(craft::ICMP, &icmp_error(3, 3, &quote)),
        ))
    };
    let ip = ip_of(&flow);
    assert!(inside(&ip, craft::TCP).is_ok());
    assert!(
        inside(
            &Ip {
                options: 40,
                ..ip.clone()
            },
            craft::TCP
        )
        .is_ok()
    );
    assert_eq!(inside(&ip, 17), Err(Skip::Other), "a quoted UDP packet");
    assert_eq!(
        inside(
            &Ip {
                fragment: 3,
                ..ip.clone()
            },
            craft::TCP
        ),
        Err(Skip::Fragment)
    );
    assert_eq!(
        inside(&ip_of(&Flow::v6()), craft::TCP),
        Err(Skip::Unparsed),
        "IPv6 quoted by ICMP"
    );
    let later = Ip {
        fragment: 3,
        ..Ip::new(ROUTER, flow.client.ip())
    }
    .packet(craft::ICMP, &[3; 40]);
    assert_eq!(
        read_both(&frame(&[], &later)),
        Err(Skip::Other),
        "a later fragment of an ICMP message"
    );
}

#[test]
fn a_quote_with_extension_headers() {
    let flow = Flow::v6();
    let router: SocketAddr = "[fd00::99]:0".parse().expect("an address");
    let ip = Ip {
        extensions: vec![options(0, 1), options(60, 1)],
        ..ip_of(&flow)
    };
    let quote = &syn_in(&ip, &[])[14..];
    let outer = Ip {
        extensions: vec![options(0, 1)],
        ..Ip::new(router.ip(), flow.client.ip())
    };
    let read = read_both(&frame(&[], &outer.packet(craft::ICMPV6, &icmp_error(1, 1, quote))));
    assert_eq!(
        read.map(|s| (s.seq, s.flags, s.sender, s.quoted_ttl)),
        Ok((9, flag::SYN, bytes16(router.ip()), 61))
    );
}
