//! Events as the kernel side writes them, and the observations that they become.
use super::*;

const NODE: u32 = 4_026_531_840;
const POD: u32 = 4_026_532_999;

fn converter() -> Converter {
    Converter {
        clock: Clock { offset: 1000 },
        node: NODE,
        pods: HashMap::from([(POD, 7)]),
        reasons: HashMap::from([(8, Str::from("NETFILTER_DROP"))]),
        symbols: Symbols::default(),
    }
}

fn v4(last: u8) -> [u8; 16] {
    std::net::Ipv4Addr::new(10, 0, 0, last).to_ipv6_mapped().octets()
}

fn event(kind: u8) -> Event {
    Event {
        time_ns: 50,
        key: Key {
            client: v4(1),
            server: v4(2),
            ifindex: 7,
            client_port: 40000,
            server_port: 80,
            direction: direction::TO_POD,
            pad: [0; 3],
        },
        pending: Pending {
            first_ns: 10,
            last_ns: 20,
            isn: 99,
            syns: 2,
            ..Pending::default()
        },
        sender: v4(3),
        location: 0,
        reason: 0,
        netns: 0,
        seq: 5,
        ack: 0,
        kind,
        flags: 0,
        icmp_type: 3,
        icmp_code: 13,
        ttl: 63,
        quoted_ttl: 61,
        backward: 0,
        pad: [0; 5],
    }
}

fn sighting(kind: u8) -> Sighting {
    match converter().observation(&event(kind)) {
        Some(Observation::Sighting(sighting)) => sighting,
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_kind_of_event() {
    let check = |kind, what| assert_eq!(sighting(kind).what, what);
    check(kind::ANSWERED, Seen::Answered);
    check(kind::ANSWERED_AGAIN, Seen::AnsweredAgain);
    check(kind::RESET, Seen::Reset { ttl: 63, seq: 5 });
    check(kind::ABORTED, Seen::Aborted);
    check(kind::SUPERSEDED, Seen::Superseded);
    check(kind::RETRANSMITTED, Seen::Pending);
    check(
        kind::REJECTED,
        Seen::Icmp(Icmp {
            from: IpAddr::from([10, 0, 0, 3]),
            kind: 3,
            code: 13,
            quoted_ttl: 61,
        }),
    );
    assert!(converter().observation(&event(200)).is_none());
}

#[test]
fn times_addresses_and_direction() {
    let seen = sighting(kind::ANSWERED);
    assert_eq!((seen.ifindex, seen.direction, seen.isn), (7, Direction::ToPod, 99));
    assert_eq!(seen.client, "10.0.0.1:40000".parse().expect("an address"));
    assert_eq!(seen.server, "10.0.0.2:80".parse().expect("an address"));
    assert_eq!(seen.at, Time(1050));
    let pending = seen.pending.expect("it was pending");
    assert_eq!((pending.first, pending.last, pending.syns), (Time(1010), Time(1020), 2));
}

#[test]
fn a_retransmission_counts_itself() {
    let pending = sighting(kind::RETRANSMITTED).pending.expect("pending");
    assert_eq!((pending.first, pending.last, pending.syns), (Time(1010), Time(1050), 3));
}

#[test]
fn an_answer_to_nothing_has_no_pending_syn() {
    let mut event = event(kind::ANSWERED_AGAIN);
    event.pending = Pending {
        isn: 99,
        ..Pending::default()
    };
    match converter().observation(&event) {
        Some(Observation::Sighting(seen)) => assert_eq!((seen.pending, seen.isn), (None, 99)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn drops() {
    let check = |netns, reason, flags, expect: Option<(Place, Option<&str>, Segment)>| {
        let mut event = event(kind::DROPPED);
        (event.netns, event.reason, event.flags) = (netns, reason, flags);
        let found = match converter().observation(&event) {
            Some(Observation::Drop(drop)) => Some(drop),
            None => None,
            other => panic!("{other:?}"),
        };
        assert_eq!(
            found.as_ref().map(|d| (d.place, d.reason.as_deref(), d.segment)),
            expect
        );
    };
    check(NODE, 8, SYN, Some((Place::Node, Some("NETFILTER_DROP"), Segment::Syn)));
    check(
        POD,
        8,
        SYN | ACK,
        Some((Place::Pod { ifindex: 7 }, Some("NETFILTER_DROP"), Segment::SynAck)),
    );
    check(NODE, u32::MAX, RST | ACK, Some((Place::Node, None, Segment::Rst)));
    check(
        NODE,
        0x2_0001,
        SYN | 0xc0,
        Some((Place::Node, Some("reason 0x20001"), Segment::Syn)),
    );
    check(1, 8, SYN, None);
    check(0, 8, SYN, None);
}

#[test]
fn ipv6_stays() {
    assert_eq!(
        address([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]),
        "fd00::1".parse::<IpAddr>().expect("an address")
    );
}
