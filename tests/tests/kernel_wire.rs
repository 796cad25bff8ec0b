//! The tc programs in the running kernel, with packets of every kind: what they return, keep, tell and count.
use std::net::{IpAddr, Ipv4Addr};

use anyhow::{Context as _, Result};
use observer_common::{
    abi::{
        Counter, Event, Key, Pending,
        direction::{FROM_POD, TO_POD},
        kind,
    },
    craft::{self, Flow, Ip, Tcp, frame, icmp_error},
    fuzz,
    handshake::{self, Side},
    packet::{Skip, flag},
};
use observer_tests::testrun::{IFINDEX, Programs, Settings, load_or_skip};

/// A router between the two.
const ROUTER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

/// Runs a packet that way; the return value must not end the chain.
fn pass(programs: &mut Programs, packet: &[u8], way: u8) -> Result<()> {
    let program = if way == FROM_POD { "from_pod" } else { "to_pod" };
    assert_eq!(programs.run(program, packet)?, -1, "a verdict was passed");
    Ok(())
}

/// The key of the handshake of `flow` whose SYN went that way.
fn key_of(flow: &Flow, way: u8) -> Key {
    let syn = fuzz::frame(&flow.syn(0)).expect("a SYN");
    handshake::key(&syn, Side::Client, IFINDEX, way)
}

fn kinds(events: &[Event]) -> Vec<u8> {
    events.iter().map(|event| event.kind).collect()
}

#[test]
fn a_connection_is_one_event_at_each_point() -> Result<()> {
    let Some(mut programs) = load_or_skip(Settings::default())? else {
        return Ok(());
    };
    for (flow, way, back) in [(Flow::v4(), FROM_POD, TO_POD), (Flow::v6(), TO_POD, FROM_POD)] {
        pass(&mut programs, &flow.syn(1000), way)?;
        assert_eq!(programs.events()?, [], "a first SYN makes no event");
        let [(key, pending)] = programs.handshakes()?[..] else {
            panic!("not one handshake")
        };
        assert_eq!(key, key_of(&flow, way));
        assert_eq!(
            pending,
            Pending {
                first_ns: pending.first_ns,
                last_ns: pending.first_ns,
                isn: 1000,
                syns: 1,
                payload: 0,
                pad: 0
            }
        );

        pass(&mut programs, &flow.syn_ack(1001), back)?;
        let [event] = programs.events()?[..] else {
            panic!("not one event")
        };
        let answer = fuzz::frame(&flow.syn_ack(1001)).expect("a SYN-ACK");
        assert!(event.time_ns > pending.first_ns);
        let expect = Event {
            time_ns: event.time_ns,
            pending,
            key,
            sender: answer.source,
            seq: 77,
            ack: 1001,
            kind: kind::ANSWERED,
            flags: flag::SYN | flag::ACK,
            ttl: 64,
            ..Event::default()
        };
        assert_eq!(event, expect);
        assert_eq!(programs.handshakes()?, []);
    }
    assert_eq!(programs.counters()?, [(Counter::Inserted, 2), (Counter::Finished, 2)]);
    let interface = programs.interface()?;
    assert_eq!((interface.inserted, interface.finished), (2, 2));
    Ok(())
}

/// Frames and the way each goes; the kinds of the events; how many handshakes are left.
type Story<'a> = (&'a [(Vec<u8>, u8)], &'a [u8], usize);

#[test]
fn every_way_that_an_attempt_goes_on() -> Result<()> {
    let Some(mut programs) = load_or_skip(Settings::default())? else {
        return Ok(());
    };
    for flow in [Flow::v4(), Flow::v6()] {
        let (router, unreachable) = if flow.client.is_ipv4() {
            (ROUTER, 3)
        } else {
            (flow.server.ip(), 1)
        };
        let tcp = |seq, flags| {
            flow.to_server(Tcp {
                seq,
                flags,
                ..Tcp::default()
            })
        };
        // What comes after the SYN with ISN 1000; the events, and how many handshakes are left.
        let stories: &[Story] = &[
            (
                &[(flow.syn(1000), FROM_POD), (flow.syn(1000), FROM_POD)],
                &[kind::RETRANSMITTED, kind::RETRANSMITTED],
                1,
            ),
            (&[(flow.syn(2000), FROM_POD)], &[kind::SUPERSEDED], 1),
            (&[(flow.reset(1001), TO_POD)], &[kind::RESET], 0),
            (&[(flow.reset(1002), TO_POD)], &[], 1),
            (&[(tcp(1001, flag::RST), FROM_POD)], &[kind::ABORTED], 0),
            (&[(tcp(555, flag::RST), FROM_POD)], &[], 1),
            (
                &[(flow.error(router, unreachable, 1, 1000, 60), TO_POD)],
                &[kind::REJECTED],
                0,
            ),
            (&[(flow.error(router, unreachable, 1, 999, 60), TO_POD)], &[], 1),
            (&[(flow.syn_ack(7), TO_POD)], &[kind::ANSWERED_AGAIN], 1),
            (
                &[(flow.syn_ack(1001), TO_POD), (flow.syn_ack(1001), TO_POD)],
                &[kind::ANSWERED, kind::ANSWERED_AGAIN],
                0,
            ),
            (
                &[
                    (flow.syn_ack(1001), TO_POD),
                    (flow.reset(1001), TO_POD),
                    (tcp(1001, flag::RST), FROM_POD),
                ],
                &[kind::ANSWERED],
                0,
            ),
            // The wrong way for an answer: it would be that to a SYN to the pod.
            (
                &[(flow.syn_ack(1001), FROM_POD), (flow.reset(1001), FROM_POD)],
                &[kind::ANSWERED_AGAIN],
                1,
            ),
        ];
        for (number, (story, expect, left)) in stories.iter().enumerate() {
            pass(&mut programs, &flow.syn(1000), FROM_POD)?;
            for (packet, way) in *story {
                pass(&mut programs, packet, *way)?;
            }
            let events = programs.events()?;
            assert_eq!(kinds(&events), *expect, "story {number}");
            for event in &events {
                let again = event.kind == kind::ANSWERED_AGAIN;
                let told = if again { event.ack.wrapping_sub(1) } else { 1000 };
                assert_eq!(event.pending.isn, told, "story {number}");
            }
            let handshakes = programs.handshakes()?;
            assert_eq!(handshakes.len(), *left, "story {number}");
            for (key, _) in handshakes {
                programs.expire(&key)?;
            }
        }
    }
    assert_eq!(programs.counter(Counter::ResetsOutside)?, 4);
    assert_eq!(programs.counter(Counter::IcmpUnmatched)?, 2);
    Ok(())
}

#[test]
fn what_the_icmp_error_said() -> Result<()> {
    let Some(mut programs) = load_or_skip(Settings::default())? else {
        return Ok(());
    };
    let flow = Flow::v4();
    for (quoted, flags) in [(28, 0), (60, flag::SYN)] {
        pass(&mut programs, &flow.syn(1000), FROM_POD)?;
        pass(&mut programs, &flow.error(ROUTER, 3, 13, 1000, quoted), TO_POD)?;
        let [event] = programs.events()?[..] else {
            panic!("not one event")
        };
        assert_eq!(event.key, key_of(&flow, FROM_POD));
        assert_eq!(
            (
                event.icmp_type,
                event.icmp_code,
                event.flags,
                event.seq,
                event.quoted_ttl
            ),
            (3, 13, flags, 1000, 64)
        );
        assert_eq!(event.sender, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1]);
    }
    Ok(())
}

/// Frames of every header length, with options, fragments, tags and quotes, good and bad; each cut at every length.
fn hostile() -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    for flow in [Flow::v4(), Flow::v6()] {
        let syn = Tcp {
            seq: 9,
            flags: flag::SYN,
            ..Tcp::default()
        };
        let (ip, syn) = flow.forward(syn);
        let mut packets = vec![ip.packet(craft::TCP, &syn.bytes())];
        for options in (0..=40).step_by(4) {
            packets.push(ip.packet(craft::TCP, &Tcp { options, ..syn }.bytes()));
            packets.push(Ip { options, ..ip.clone() }.packet(craft::TCP, &syn.bytes()));
        }
        for fragment in [0x2000, 1, 0x2001, 0x1fff, 0x4000] {
            packets.push(Ip { fragment, ..ip.clone() }.packet(craft::TCP, &syn.bytes()));
        }
        for count in 1..=8 {
            for kind in [0, 43, 44, 51, 60, 59] {
                packets.push(
                    Ip {
                        extensions: vec![(kind, vec![0; 7]); count],
                        ..ip.clone()
                    }
                    .packet(craft::TCP, &syn.bytes()),
                );
            }
        }
        let (protocol, icmp_type) = if flow.client.is_ipv4() {
            (craft::ICMP, 3)
        } else {
            (craft::ICMPV6, 1)
        };
        for quote in packets.clone() {
            packets.push(Ip::new(ip.destination, ip.source).packet(protocol, &icmp_error(icmp_type, 1, &quote)));
        }
        for first in 0..=u8::MAX {
            let mut packet = packets[0].clone();
            packet[0] = first;
            packets.push(packet);
        }
        for tags in [&[][..], &[0x8100], &[0x88a8, 0x8100], &[0x88a8, 0x8100, 0x8100]] {
            frames.extend(packets.iter().map(|packet| frame(tags, packet)));
        }
    }
    frames
}

#[test]
fn the_kernel_reads_hostile_packets_as_the_host_does() -> Result<()> {
    let Some(mut programs) = load_or_skip(Settings {
        ring: 1 << 24,
        ..Settings::default()
    })?
    else {
        return Ok(());
    };
    let (mut unparsed, mut fragments, mut handshakes, mut acted_before) = (0, 0, 0, 0);
    let mut run = |programs: &mut Programs, packet: &[u8]| -> Result<()> {
        pass(programs, packet, FROM_POD).with_context(|| format!("{} bytes: {packet:02x?}", packet.len()))?;
        let read = fuzz::frame(packet);
        match read {
            Err(Skip::Unparsed) => unparsed += 1,
            Err(Skip::Fragment) => fragments += 1,
            Err(Skip::Other) => {}
            Ok(_) => handshakes += 1,
        }
        assert_eq!(programs.counter(Counter::Unparsed)?, unparsed, "{packet:02x?}");
        assert_eq!(programs.counter(Counter::Fragments)?, fragments, "{packet:02x?}");
        let now = programs.counter(Counter::Inserted)? + programs.counter(Counter::IcmpUnmatched)?;
        let acted = !programs.events()?.is_empty() || now > acted_before;
        assert_eq!(acted, read.is_ok(), "{packet:02x?}");
        acted_before = now;
        Ok(())
    };
    for packet in hostile() {
        run(&mut programs, &packet)?;
    }
    // Test-run refuses what is shorter than the headers that its Ethernet header promises.
    for (packet, shortest) in [
        (Flow::v4().syn(9), 34),
        (Flow::v6().syn(9), 54),
        (frame(&[0x88a8, 0x8100], &Flow::v6().syn(9)[14..]), 14),
        (Flow::v4().error(ROUTER, 3, 1, 9, 60), 34),
    ] {
        for len in shortest..=packet.len() {
            run(&mut programs, &packet[..len])?;
        }
    }
    assert!(
        unparsed > 1000 && fragments > 15 && handshakes > 500,
        "{unparsed} {fragments} {handshakes}"
    );
    Ok(())
}

#[test]
fn one_interface_cannot_use_up_the_table() -> Result<()> {
    let Some(mut programs) = load_or_skip(Settings {
        share: 10,
        ..Settings::default()
    })?
    else {
        return Ok(());
    };
    let flow = |port| {
        let mut flow = Flow::v4();
        flow.client.set_port(port);
        flow
    };
    for port in 0..25 {
        pass(&mut programs, &flow(port).syn(1), FROM_POD)?;
    }
    assert_eq!(
        programs.counters()?,
        [(Counter::Inserted, 10), (Counter::LostShare, 15)]
    );
    // What is pending is still followed.
    pass(&mut programs, &flow(3).syn(1), FROM_POD)?;
    pass(&mut programs, &flow(3).syn_ack(2), TO_POD)?;
    assert_eq!(kinds(&programs.events()?), [kind::RETRANSMITTED, kind::ANSWERED]);
    // The answer gave one place back, and so does the sweep.
    pass(&mut programs, &flow(30).syn(1), FROM_POD)?;
    programs.expire(&key_of(&flow(30), FROM_POD))?;
    pass(&mut programs, &flow(31).syn(1), FROM_POD)?;
    pass(&mut programs, &flow(32).syn(1), FROM_POD)?;
    assert_eq!(
        programs.counters()?,
        [
            (Counter::Inserted, 12),
            (Counter::Finished, 1),
            (Counter::LostShare, 16)
        ]
    );
    assert_eq!(programs.handshakes()?.len(), 10);
    Ok(())
}

#[test]
fn a_full_table_is_counted() -> Result<()> {
    let Some(mut programs) = load_or_skip(Settings {
        handshakes: 16,
        ..Settings::default()
    })?
    else {
        return Ok(());
    };
    for port in 0..40 {
        let mut flow = Flow::v6();
        flow.client.set_port(port);
        pass(&mut programs, &flow.syn(1), TO_POD)?;
    }
    let (inserted, lost) = (
        programs.counter(Counter::Inserted)?,
        programs.counter(Counter::LostFull)?,
    );
    assert_eq!(programs.handshakes()?.len() as u64, inserted);
    assert_eq!((inserted, lost), (16, 24));
    Ok(())
}

#[test]
fn a_full_ring_is_counted() -> Result<()> {
    let Some(mut programs) = load_or_skip(Settings {
        ring: 4096,
        ..Settings::default()
    })?
    else {
        return Ok(());
    };
    pass(&mut programs, &Flow::v4().syn(1), FROM_POD)?;
    for _ in 0..100 {
        pass(&mut programs, &Flow::v4().syn(1), FROM_POD)?;
    }
    let told = programs.events()?.len() as u64;
    assert_eq!(told + programs.counter(Counter::LostEvents)?, 100);
    // 136 bytes and a header of 8 each.
    assert!((4096 / 144 - 1..=4096 / 144).contains(&told), "{told}");
    // It goes on once there is room.
    pass(&mut programs, &Flow::v4().syn(1), FROM_POD)?;
    let [event] = programs.events()?[..] else {
        panic!("not one event")
    };
    assert_eq!(event.pending.syns, 101);
    Ok(())
}

#[test]
fn only_handshakes_prove_a_hook() -> Result<()> {
    let Some(mut programs) = load_or_skip(Settings::default())? else {
        return Ok(());
    };
    pass(&mut programs, &Flow::v4().data(), TO_POD)?;
    assert!(programs.interface().is_err(), "a data packet costs no look-up");
    pass(&mut programs, &Flow::v4().syn(1), FROM_POD)?;
    let seen = programs.interface()?.seen_ns;
    assert!(
        seen[usize::from(FROM_POD)] > 0 && seen[usize::from(TO_POD)] == 0,
        "{seen:?}"
    );
    // Even a RST that belongs to nothing.
    pass(&mut programs, &Flow::v4().reset(5), TO_POD)?;
    assert!(programs.interface()?.seen_ns[usize::from(TO_POD)] > seen[usize::from(FROM_POD)]);
    Ok(())
}
