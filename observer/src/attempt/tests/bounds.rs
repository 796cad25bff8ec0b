//! What is given up when there is too much, and that it is counted.

use std::net::SocketAddr;
use std::time::Duration;

use super::script::Names;
use crate::attempt::*;
use crate::time::Time;

const NAMES: Names = Names { v6: false };
const START: Time = Time(1_700_000_000_000_000_000);

fn client(port: u16) -> SocketAddr {
    SocketAddr::new(NAMES.ip("a"), port)
}

fn sighting(port: u16, isn: u32, at: Time, what: Seen) -> Observation {
    Observation::Sighting(Sighting {
        ifindex: 1,
        direction: Direction::FromPod,
        client: client(port),
        server: NAMES.server("b"),
        isn,
        at,
        pending: Some(PendingSyn {
            first: at,
            last: at,
            syns: 1,
        }),
        what,
    })
}

fn feed(tracker: &mut Tracker, observations: impl IntoIterator<Item = Observation>) -> Vec<Attempt> {
    let mut out = Vec::new();
    for observation in observations {
        tracker.observe(observation, &NAMES, &mut out);
    }
    out
}

fn finals(tracker: &mut Tracker, now: Time) -> Vec<Attempt> {
    let mut out = feed(tracker, [Observation::Swept { at: now }]);
    tracker.tick(now, &NAMES, &mut out);
    out.retain(|attempt| attempt.stage == Stage::Final);
    out
}

#[test]
fn no_more_attempts_run_than_allowed() {
    let mut tracker = Tracker::new(Config {
        max_running: 2,
        ..Config::default()
    });
    let at = START;
    feed(
        &mut tracker,
        (1..=5).map(|port| sighting(port, u32::from(port), at, Seen::Pending)),
    );
    assert_eq!(tracker.running(), 2);
    assert_eq!(tracker.counters().refused, 3);
    assert_eq!(finals(&mut tracker, at + Duration::from_secs(5)).len(), 2);
}

#[test]
fn what_was_forgotten_early_does_not_come_up_again() {
    let mut tracker = Tracker::new(Config {
        max_remembered: 2,
        ..Config::default()
    });
    let at = |port: u16| START + Duration::from_millis(u64::from(port));
    let pending = || (1..=5).map(|port| sighting(port, u32::from(port), at(port), Seen::Pending));
    feed(&mut tracker, pending());
    assert_eq!(finals(&mut tracker, START + Duration::from_secs(5)).len(), 5);
    assert_eq!(tracker.counters().forgotten, 3);
    // The kernel's table still holds them.
    feed(&mut tracker, pending());
    assert_eq!(finals(&mut tracker, START + Duration::from_secs(20)).len(), 0);
    assert_eq!(tracker.counters().stale, 3);
}

#[test]
fn held_drops_are_bounded_and_expire() {
    let mut tracker = Tracker::new(Config {
        max_held_drops: 2,
        ..Config::default()
    });
    let drops = (1..=3).map(|port| {
        Observation::Drop(Drop {
            at: START,
            place: Place::Node,
            segment: Segment::Syn,
            client: client(port),
            server: NAMES.server("b"),
            isn: u32::from(port),
            reason: Some("NETFILTER_DROP".into()),
            function: None,
        })
    });
    feed(&mut tracker, drops);
    assert_eq!(tracker.counters().drops_given_up, 1);
    feed(&mut tracker, [sighting(3, 3, START, Seen::Pending)]);
    let decided = finals(&mut tracker, START + Duration::from_secs(4));
    assert_eq!(decided[0].drops.len(), 1);
    tracker.tick(START + Duration::from_secs(20), &NAMES, &mut Vec::new());
    assert_eq!(tracker.counters().drops_unmatched, 1);
}

#[test]
fn edges_are_bounded() {
    let mut tracker = Tracker::new(Config {
        max_edges: 2,
        ..Config::default()
    });
    for (millis, server) in ["b", "c", "x"].into_iter().enumerate() {
        let at = START + Duration::from_millis(u64::try_from(millis).expect("small"));
        let Observation::Sighting(mut answered) = sighting(1, 1, at, Seen::Answered) else {
            unreachable!("a sighting");
        };
        answered.server = NAMES.server(server);
        answered.isn += u32::try_from(millis).expect("small");
        feed(&mut tracker, [Observation::Sighting(answered)]);
    }
    // One server.
    assert_eq!(tracker.counters().edges_given_up, 1);
}

#[test]
fn a_scanner_that_uses_one_isn_is_followed_but_not_compared() {
    let mut tracker = Tracker::new(Config::default());
    feed(
        &mut tracker,
        [Observation::Point(Point {
            ifindex: 2,
            name: "veth-b".into(),
            since: START,
            addresses: vec![NAMES.ip("b")],
            from_pod: Hook::Proven,
            to_pod: Hook::Proven,
            foreign: false,
            bypassed: false,
        })],
    );
    let ports = 1..=2000;
    feed(
        &mut tracker,
        ports.clone().map(|port| sighting(port, 7, START, Seen::Pending)),
    );
    // Each is told again with each sweep.
    feed(&mut tracker, ports.map(|port| sighting(port, 7, START, Seen::Pending)));
    let decided = finals(&mut tracker, START + Duration::from_secs(4));
    assert_eq!(decided.len(), 2000);
    // One of them may have been delivered under another address: nobody can say that this one was not.
    assert!(decided.iter().all(|attempt| attempt.reach == Reach::Unknown));
}

#[test]
fn a_flooded_syn_keeps_few_points_and_always_the_destinations() {
    let mut tracker = Tracker::new(Config::default());
    for ifindex in 1..=200 {
        let addresses = if ifindex == 200 {
            vec![NAMES.ip("b")]
        } else {
            Vec::new()
        };
        let point = Observation::Point(Point {
            ifindex,
            name: format!("veth{ifindex}").into(),
            since: START,
            addresses,
            from_pod: Hook::Proven,
            to_pod: Hook::Proven,
            foreign: false,
            bypassed: false,
        });
        let Observation::Sighting(mut seen) = sighting(1, 1, START, Seen::Pending) else {
            unreachable!("a sighting");
        };
        seen.ifindex = ifindex;
        seen.direction = Direction::ToPod;
        feed(&mut tracker, [point, Observation::Sighting(seen)]);
    }
    assert_eq!(tracker.running(), 1);
    let decided = finals(&mut tracker, START + Duration::from_secs(4));
    assert_eq!(decided[0].points.len(), MAX_POINTS + 1);
    assert_eq!(decided[0].reach, Reach::Delivered);
    assert_eq!(tracker.counters().facts_left_out, 199 - MAX_POINTS as u64);
}

#[test]
fn a_decision_that_needs_a_sweep_asks_for_one() {
    let mut tracker = Tracker::new(Config::default());
    let reset = sighting(1, 1, START, Seen::Reset { ttl: 64, seq: 0 });
    assert!(feed(&mut tracker, [reset]).is_empty());
    assert!(!tracker.wants_sweep());
    let linger = tracker.next_deadline().expect("a decision is due");
    assert_eq!(linger, START + Config::default().linger);
    let mut out = Vec::new();
    tracker.tick(linger, &NAMES, &mut out);
    assert!(out.is_empty() && tracker.wants_sweep());
    // One that was read too early does not do.
    let early = START - Duration::from_millis(1);
    assert!(feed(&mut tracker, [Observation::Swept { at: early }]).is_empty());
    assert!(tracker.wants_sweep());
    assert_eq!(feed(&mut tracker, [Observation::Swept { at: START }]).len(), 1);
    assert!(!tracker.wants_sweep());
}

#[test]
fn nobody_is_woken_to_forget() {
    let mut tracker = Tracker::new(Config::default());
    assert_eq!(feed(&mut tracker, [sighting(1, 1, START, Seen::Answered)]).len(), 1);
    assert_eq!(tracker.next_deadline(), None);
    tracker.tick(START + Duration::from_secs(10), &NAMES, &mut Vec::new());
    assert_eq!(tracker.sizes().0, 0);
}
