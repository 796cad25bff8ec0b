//! Real packets that the kernel drops in namespaces of ours, as the `kfree_skb` programs tell them.
use std::{
    io::ErrorKind,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream},
    process,
    time::Duration,
};

use anyhow::Result;
use observer_common::{
    abi::{Event, direction},
    packet::flag,
};
use observer_tests::{
    lab::{NetNs, kernel_tests},
    testrun::drops::Drops,
};

const LOOPBACKS: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
/// Nobody listens there, and rules drop there.
const CLOSED: u16 = 7;
/// Index of a namespace's loopback device.
const LOOPBACK_INDEX: u32 = 1;

fn namespace(test: &str) -> Result<NetNs> {
    NetNs::new(&format!("obs-{test}-{}", process::id()))
}

/// Dials inside the namespace and waits for a refusal, or a moment for nothing.
fn dial(namespace: &NetNs, to: SocketAddr) -> Option<ErrorKind> {
    namespace.enter(|| {
        TcpStream::connect_timeout(&to, Duration::from_millis(50))
            .err()
            .map(|error| error.kind())
    })
}

fn sixteen(ip: IpAddr) -> [u8; 16] {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
        IpAddr::V6(ip) => ip.octets(),
    }
}

fn syns(told: Vec<(String, Event)>) -> Vec<(String, Event)> {
    told.into_iter()
        .filter(|(_, event)| event.flags & (flag::SYN | flag::ACK | flag::RST) == flag::SYN)
        .collect()
}

#[test]
fn a_syn_to_a_closed_port() -> Result<()> {
    if kernel_tests().is_err() {
        return Ok(());
    }
    let namespace = namespace("closed")?;
    let mut drops = Drops::attach("kfree_skb", &[])?;
    let inode = drops.want(&namespace)?;
    for ip in LOOPBACKS {
        assert_eq!(
            dial(&namespace, (ip, CLOSED).into()),
            Some(ErrorKind::ConnectionRefused)
        );
        let [(reason, event)] = &syns(drops.told()?)[..] else {
            panic!("not one SYN")
        };
        assert_eq!(reason, "NO_SOCKET");
        assert_eq!(
            (event.netns, event.key.ifindex, event.backward),
            (inode, LOOPBACK_INDEX, 0)
        );
        assert_eq!((event.key.client, event.key.server), (sixteen(ip), sixteen(ip)));
        assert_eq!(
            (event.key.server_port, event.key.direction),
            (CLOSED, direction::FROM_POD)
        );
        assert!(event.key.client_port != 0 && event.ttl == 64 && event.location != 0 && event.time_ns != 0);
        assert_eq!(
            (event.pending.isn, event.ack, event.sender),
            (event.seq, 0, sixteen(ip))
        );
    }
    Ok(())
}

#[test]
fn other_namespaces_are_not_told() -> Result<()> {
    if kernel_tests().is_err() {
        return Ok(());
    }
    let (ours, theirs) = (namespace("ours")?, namespace("theirs")?);
    let mut drops = Drops::attach("kfree_skb", &[])?;
    let inode = drops.want(&ours)?;
    for namespace in [&theirs, &ours, &theirs] {
        assert_eq!(
            dial(namespace, (Ipv4Addr::LOCALHOST, CLOSED).into()),
            Some(ErrorKind::ConnectionRefused)
        );
    }
    let told = drops.told()?;
    assert!(told.iter().all(|(_, event)| event.netns == inode), "{told:?}");
    assert_eq!(syns(told).len(), 1);
    Ok(())
}

#[test]
fn ignored_reasons_are_not_told() -> Result<()> {
    if kernel_tests().is_err() {
        return Ok(());
    }
    let namespace = namespace("ignored")?;
    let mut silent = Drops::attach("kfree_skb", &["OTHERHOST", "NO_SOCKET"])?;
    let mut control = Drops::attach("kfree_skb", &["OTHERHOST"])?;
    silent.want(&namespace)?;
    control.want(&namespace)?;
    dial(&namespace, (Ipv4Addr::LOCALHOST, CLOSED).into());
    assert_eq!(syns(control.told()?).len(), 1);
    assert_eq!(syns(silent.told()?), []);
    Ok(())
}

#[test]
fn without_reasons() -> Result<()> {
    if kernel_tests().is_err() {
        return Ok(());
    }
    let namespace = namespace("noreason")?;
    let mut drops = Drops::attach("kfree_skb_no_reason", &[])?;
    drops.want(&namespace)?;
    dial(&namespace, (Ipv6Addr::LOCALHOST, CLOSED).into());
    let [(_, event)] = &syns(drops.told()?)[..] else {
        panic!("not one SYN")
    };
    assert_eq!((event.reason, event.key.server_port), (u32::MAX, CLOSED));
    assert_ne!(event.location, 0);
    Ok(())
}

/// A packet that dies before it has a device is of its socket's namespace.
#[test]
fn a_filter_drops_syns_on_their_way_out_and_answers() -> Result<()> {
    if kernel_tests().is_err() {
        return Ok(());
    }
    let namespace = namespace("filter")?;
    let mut drops = Drops::attach("kfree_skb", &[])?;
    let inode = drops.want(&namespace)?;
    for ip in LOOPBACKS {
        // The first rule is for SYNs, the second for the answers of a listener.
        let listener = namespace.enter(|| TcpListener::bind((ip, 0)))?;
        let port = listener.local_addr()?.port();
        namespace.nft(&format!(
            "add table inet t\nflush table inet t\n\
             add chain inet t out {{ type filter hook output priority 0; }}\n\
             add rule inet t out tcp dport {CLOSED} drop\n\
             add rule inet t out tcp sport {port} drop\n"
        ))?;

        assert_eq!(dial(&namespace, (ip, CLOSED).into()), Some(ErrorKind::TimedOut));
        let told = syns(drops.told()?);
        let [(reason, event)] = &told[..] else {
            panic!("not one SYN: {told:?}")
        };
        assert_eq!(reason, "NETFILTER_DROP");
        assert_eq!((event.netns, event.key.server_port, event.backward), (inode, CLOSED, 0));

        assert_eq!(dial(&namespace, (ip, port).into()), Some(ErrorKind::TimedOut));
        let told = drops.told()?;
        let Some((reason, answer)) = told.iter().find(|(_, event)| event.flags == flag::SYN | flag::ACK) else {
            panic!("no SYN-ACK: {told:?}")
        };
        assert_eq!(reason, "NETFILTER_DROP");
        assert_eq!(
            (answer.netns, answer.key.server_port, answer.backward),
            (inode, port, 1)
        );
        assert_eq!(
            (answer.pending.isn, answer.key.direction),
            (answer.ack.wrapping_sub(1), direction::FROM_POD)
        );
        assert_eq!(answer.key.client, sixteen(ip));
    }
    Ok(())
}
