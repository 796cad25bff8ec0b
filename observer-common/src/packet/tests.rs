//! Every layout that the parser follows, and every way to be less than one. ICMP errors are in `quotes`.
use core::net::IpAddr;
use std::{vec, vec::Vec};

use proptest::prelude::*;

use super::*;
use crate::{
    craft::{self, Flow, Ip, Tcp, frame},
    fuzz::frame as read_both,
};

mod quotes;

fn flows() -> [Flow; 2] {
    [Flow::v4(), Flow::v6()]
}

fn bytes16(ip: IpAddr) -> [u8; 16] {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
        IpAddr::V6(ip) => ip.octets(),
    }
}

/// A SYN in `ip`, in a frame with these tags.
fn syn_in(ip: &Ip, tags: &[u16]) -> Vec<u8> {
    let syn = Tcp {
        source_port: 40000,
        destination_port: 80,
        seq: 9,
        flags: flag::SYN,
        payload: 3,
        ..Tcp::default()
    };
    frame(tags, &ip.packet(craft::TCP, &syn.bytes()))
}

fn ip_of(flow: &Flow) -> Ip {
    Ip {
        ttl: 61,
        ..Ip::new(flow.client.ip(), flow.server.ip())
    }
}

/// What `syn_in` must read as.
fn syn_read(flow: &Flow) -> Segment {
    Segment {
        what: What::Syn,
        source: bytes16(flow.client.ip()),
        destination: bytes16(flow.server.ip()),
        source_port: 40000,
        destination_port: 80,
        seq: 9,
        payload: 3,
        flags: flag::SYN,
        sender: bytes16(flow.client.ip()),
        ttl: 61,
        ..Segment::default()
    }
}

#[test]
fn every_field_of_a_syn() {
    for flow in flows() {
        assert_eq!(read_both(&syn_in(&ip_of(&flow), &[])), Ok(syn_read(&flow)));
    }
}

#[test]
fn flags_are_compared_by_a_mask() {
    const ECN: u8 = 0x40 | 0x80;
    const PSH_URG: u8 = 8 | 32;
    let (fin, syn, rst, ack) = (flag::FIN, flag::SYN, flag::RST, flag::ACK);
    let cases = [
        (syn, Ok(What::Syn)),
        (syn | ECN, Ok(What::Syn)),
        (syn | PSH_URG, Ok(What::Syn)),
        (syn | fin, Err(Skip::Other)),
        (syn | ack, Ok(What::SynAck)),
        (syn | ack | 0x40, Ok(What::SynAck)),
        (syn | ack | ECN, Ok(What::SynAck)),
        (syn | ack | fin, Ok(What::SynAck)),
        (rst, Ok(What::Reset)),
        (rst | ack, Ok(What::Reset)),
        (rst | syn, Ok(What::Reset)),
        (rst | syn | ack, Ok(What::Reset)),
        (rst | fin, Ok(What::Reset)),
        (ack, Err(Skip::Other)),
        (ack | ECN | PSH_URG, Err(Skip::Other)),
        (fin | ack, Err(Skip::Other)),
        (0, Err(Skip::Other)),
    ];
    for flow in flows() {
        for (flags, expect) in cases {
            let bytes = flow.to_server(Tcp {
                seq: 1,
                ack: 2,
                flags,
                ..Tcp::default()
            });
            let read = read_both(&bytes);
            assert_eq!(read.map(|segment| segment.what), expect, "flags {flags:#04x}");
            if let Ok(segment) = read {
                let ack = if flags & ack == 0 { 0 } else { 2 };
                assert_eq!((segment.flags, segment.seq, segment.ack), (flags, 1, ack));
            }
        }
    }
}

#[test]
fn the_fourth_accurate_ecn_bit_is_not_part_of_the_header_length() {
    // AE, the last bit of byte 12 (RFC 9768).
    let mut bytes = Flow::v4().syn(5);
    bytes[14 + 20 + 12] |= 1;
    assert_eq!(
        read_both(&bytes).map(|segment| (segment.what, segment.payload)),
        Ok((What::Syn, 0))
    );
}

#[test]
fn ipv4_options_of_every_length() {
    let flow = Flow::v4();
    for options in (0..=40).step_by(4) {
        let ip = Ip {
            options,
            ..ip_of(&flow)
        };
        assert_eq!(read_both(&syn_in(&ip, &[])), Ok(syn_read(&flow)), "{options} bytes");
    }
}

#[test]
fn an_ipv4_header_that_lies() {
    let good = syn_in(&ip_of(&Flow::v4()), &[]);
    for first in 0..=u8::MAX {
        let mut bytes = good.clone();
        bytes[14] = first;
        match first {
            0x45 => assert!(read_both(&bytes).is_ok()),
            // The header is long enough and the rest is read from elsewhere, or ends.
            0x46..=0x4f => drop(read_both(&bytes)),
            _ => assert_eq!(read_both(&bytes), Err(Skip::Unparsed), "{first:#04x}"),
        }
    }
}

#[test]
fn tcp_header_lengths() {
    for flow in flows() {
        let at = if flow.client.is_ipv4() {
            14 + 20 + 12
        } else {
            14 + 40 + 12
        };
        for words in 0..16u8 {
            let mut bytes = flow.to_server(Tcp {
                flags: flag::SYN,
                options: 40,
                ..Tcp::default()
            });
            bytes[at] = words << 4;
            // Of the 60 bytes from the TCP header on, what is not header is payload.
            let expect = if words < 5 {
                Err(Skip::Unparsed)
            } else {
                Ok(60 - u32::from(words) * 4)
            };
            assert_eq!(
                read_both(&bytes).map(|segment| segment.payload),
                expect,
                "{words} words"
            );
        }
    }
}

#[test]
fn tags() {
    let (inner, outer) = (0x8100, 0x88a8);
    for flow in flows() {
        for tags in [
            &[inner][..],
            &[outer],
            &[outer, inner],
            &[inner, inner],
            &[outer, outer],
        ] {
            assert_eq!(
                read_both(&syn_in(&ip_of(&flow), tags)),
                Ok(syn_read(&flow)),
                "{tags:04x?}"
            );
        }
        assert_eq!(
            read_both(&syn_in(&ip_of(&flow), &[outer, inner, inner])),
            Err(Skip::Unparsed)
        );
    }
}

#[test]
fn ipv4_fragments() {
    let more = 0x2000;
    for (fragment, expect) in [
        (0x4000, None),
        (more, None),
        (1, Some(Skip::Fragment)),
        (more | 100, Some(Skip::Fragment)),
        (0x1fff, Some(Skip::Fragment)),
    ] {
        let ip = Ip {
            fragment,
            ..ip_of(&Flow::v4())
        };
        assert_eq!(read_both(&syn_in(&ip, &[])).err(), expect, "{fragment:#06x}");
    }
    let udp = Ip {
        fragment: 7,
        ..ip_of(&Flow::v4())
    }
    .packet(17, &[0; 20]);
    assert_eq!(
        read_both(&frame(&[], &udp)),
        Err(Skip::Other),
        "not TCP, so not counted as a fragment of it"
    );
}

/// Kind and body, as `Ip` takes them.
type Extension = (u8, Vec<u8>);

/// Hop-by-hop, routing and destination options of `units` times 8 bytes.
fn options(kind: u8, units: u8) -> Extension {
    let mut body = vec![units - 1];
    body.resize(usize::from(units) * 8 - 1, 0);
    (kind, body)
}

fn fragment(offset: u16) -> Extension {
    let [high, low] = (offset << 3).to_be_bytes();
    (44, vec![0, high, low, 0, 0, 0, 1])
}

/// An authentication header of `words` times 4 bytes.
fn authentication(words: u8) -> Extension {
    let mut body = vec![words - 2];
    body.resize(usize::from(words) * 4 - 1, 0);
    (51, body)
}

#[test]
fn ipv6_extension_headers() {
    let flow = Flow::v6();
    let good: &[&[Extension]] = &[
        &[options(0, 1)],
        &[options(43, 3)],
        &[options(60, 255)],
        &[fragment(0)],
        &[authentication(6)],
        &[
            options(0, 1),
            options(60, 2),
            options(43, 1),
            fragment(0),
            authentication(4),
            options(60, 1),
        ],
    ];
    for chain in good {
        let ip = Ip {
            extensions: chain.to_vec(),
            ..ip_of(&flow)
        };
        assert_eq!(
            read_both(&syn_in(&ip, &[])),
            Ok(syn_read(&flow)),
            "{:?}",
            chain.iter().map(|e| e.0).collect::<Vec<_>>()
        );
    }
    let bad: &[(&[Extension], Skip)] = &[
        (&[fragment(1)], Skip::Fragment),
        (&[options(0, 1), fragment(2), options(60, 1)], Skip::Other),
        (
            &[
                options(60, 1),
                options(60, 1),
                options(60, 1),
                options(60, 1),
                options(60, 1),
                options(60, 1),
                options(60, 1),
            ],
            Skip::Unparsed,
        ),
        // No next header, ESP: what follows cannot be read by anybody.
        (&[(59, vec![0; 7])], Skip::Other),
        (&[(50, vec![0; 7])], Skip::Other),
    ];
    for (chain, expect) in bad {
        let ip = Ip {
            extensions: chain.to_vec(),
            ..ip_of(&flow)
        };
        assert_eq!(
            read_both(&syn_in(&ip, &[])),
            Err(*expect),
            "{:?}",
            chain.iter().map(|e| e.0).collect::<Vec<_>>()
        );
    }
}

#[test]
fn a_packet_cut_anywhere_before_the_end_of_its_header_is_unparsed() {
    for flow in flows() {
        for tags in [&[][..], &[0x8100], &[0x88a8, 0x8100]] {
            let bytes = syn_in(&ip_of(&flow), tags);
            let headers = bytes.len() - 3;
            for len in 0..headers {
                assert_eq!(
                    read_both(&bytes[..len]),
                    Err(Skip::Unparsed),
                    "{len} of {headers} bytes"
                );
            }
            assert!(read_both(&bytes[..headers]).is_ok());
        }
    }
}

#[test]
fn what_is_none_of_our_business() {
    let arp = {
        let mut bytes = frame(&[], &[0; 28]);
        bytes[12..14].copy_from_slice(&[8, 6]);
        bytes
    };
    let udp = |flow: &Flow| frame(&[], &ip_of(flow).packet(17, &[0; 30]));
    let echo = frame(&[], &ip_of(&Flow::v4()).packet(craft::ICMP, &[8; 30]));
    let echo_v6 = frame(&[], &ip_of(&Flow::v6()).packet(craft::ICMPV6, &[128; 30]));
    // ICMP has no meaning in the other family.
    let crossed = frame(&[], &ip_of(&Flow::v6()).packet(craft::ICMP, &[3; 30]));
    for bytes in [
        arp,
        udp(&Flow::v4()),
        udp(&Flow::v6()),
        Flow::v4().data(),
        Flow::v6().data(),
        echo,
        echo_v6,
        crossed,
    ] {
        assert_eq!(read_both(&bytes), Err(Skip::Other));
    }
}

#[test]
fn data_packets_leave_at_once() {
    for flow in flows() {
        assert!(leaves_at_once(&flow.data()[..]));
        assert!(!leaves_at_once(&flow.syn(1)[..]));
        assert!(!leaves_at_once(&flow.reset(1)[..]));
        let tagged = frame(&[0x8100], &flow.data()[14..]);
        assert!(
            !leaves_at_once(&tagged[..]),
            "what is behind a tag is left to the parser"
        );
    }
}

#[test]
fn a_freed_packet_starts_at_its_ip_header() {
    for flow in flows() {
        let mut segment = Segment::default();
        let bytes = syn_in(&ip_of(&flow), &[]);
        assert_eq!(read_tcp(&bytes[14..], flow.client.is_ipv6(), &mut segment), Ok(()));
        assert_eq!(segment, syn_read(&flow));
        assert_eq!(
            read_tcp(&bytes[14..], flow.client.is_ipv4(), &mut segment),
            Err(Skip::Unparsed)
        );
    }
    let error = Flow::v4().error(Flow::v4().server.ip(), 3, 3, 5, 40);
    assert_eq!(read_tcp(&error[14..], false, &mut Segment::default()), Err(Skip::Other));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_read_the_same_in_both_ways_and_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..160)) {
        let _ = read_both(&bytes);
    }

    #[test]
    fn a_good_frame_with_one_wrong_byte(v6 in any::<bool>(), error in any::<bool>(), tagged in any::<bool>(), at in 0..140usize, byte in any::<u8>(), cut in 0..160usize) {
        let flow = flows()[usize::from(v6)];
        let mut bytes = if error { flow.error(flow.server.ip(), if v6 { 1 } else { 3 }, 1, 5, 64) } else { flow.syn(5) };
        if tagged {
            bytes = frame(&[0x8100], &bytes[14..]);
        }
        if let Some(place) = bytes.get_mut(at) {
            *place = byte;
        }
        bytes.truncate(cut);
        let _ = read_both(&bytes);
    }
}
