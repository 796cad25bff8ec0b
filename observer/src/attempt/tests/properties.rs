//! What must hold for any observations, also those that no kernel makes.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use proptest::prelude::*;

use super::script::Names;
use crate::attempt::*;
use crate::time::Time;

const NAMES: Names = Names { v6: false };
const START: Time = Time(1_700_000_000_000_000_000);
const NODE: u32 = 0;

/// An observation, and how long after the one before.
#[derive(Clone, Debug)]
struct Op {
    wait: Duration,
    what: What,
}

#[derive(Clone, Debug)]
enum What {
    Sighting {
        ifindex: u32,
        to_pod: bool,
        tuple: (usize, usize),
        isn: u32,
        /// Age of the first SYN; none: the kernel has no entry.
        age: Option<u64>,
        syns: u32,
        seen: u8,
    },
    Drop {
        ifindex: u32,
        segment: u8,
        tuple: (usize, usize),
        isn: u32,
        reason: u8,
    },
    Swept,
    Lost,
    Point(u32, u8, bool),
    Gone(u32),
    Tick,
}

fn clients() -> [SocketAddr; 4] {
    ["a:9000", "c:9000", "n:50000", "b:9000"].map(|name| NAMES.server(name))
}

fn servers() -> [SocketAddr; 5] {
    ["v", "b", "x", "n", "w"].map(|name| NAMES.server(name))
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let tuple = || (0..4_usize, 0..5_usize);
    let what = prop_oneof![
        8 => (1..4_u32, any::<bool>(), tuple(), 1..4_u32, prop::option::weighted(0.9, 0..3000_u64), 1..4_u32, 0..8_u8)
            .prop_map(|(ifindex, to_pod, tuple, isn, age, syns, seen)| What::Sighting {
                ifindex, to_pod, tuple, isn, age, syns, seen,
            }),
        3 => (NODE..4_u32, 0..3_u8, tuple(), 1..4_u32, 0..5_u8)
            .prop_map(|(ifindex, segment, tuple, isn, reason)| What::Drop {
                ifindex, segment, tuple, isn, reason,
            }),
        4 => Just(What::Swept),
        1 => Just(What::Lost),
        1 => (1..4_u32, 0..3_u8, any::<bool>()).prop_map(|(ifindex, hook, bound)| What::Point(ifindex, hook, bound)),
        1 => (1..4_u32).prop_map(What::Gone),
        4 => Just(What::Tick),
    ];
    let wait = prop_oneof![
        4 => Just(0),
        4 => 0..300_u64,
        2 => 0..3000_u64,
        1 => 0..150_000_u64,
    ];
    let op = (wait, what).prop_map(|(wait, what)| Op {
        wait: Duration::from_millis(wait),
        what,
    });
    prop::collection::vec(op, 1..120)
}

fn observation(what: &What, now: Time) -> Option<Observation> {
    Some(match *what {
        What::Sighting {
            ifindex,
            to_pod,
            tuple,
            isn,
            age,
            syns,
            seen,
        } => Observation::Sighting(Sighting {
            ifindex,
            direction: if to_pod { Direction::ToPod } else { Direction::FromPod },
            client: clients()[tuple.0],
            server: servers()[tuple.1],
            isn,
            at: now,
            pending: age.map(|age| PendingSyn {
                first: now - Duration::from_millis(age),
                last: now,
                syns,
            }),
            what: match seen {
                0 => Seen::Answered,
                1 => Seen::AnsweredAgain,
                2 => Seen::Reset { ttl: 64, seq: 0 },
                3 => Seen::Aborted,
                4 => Seen::Icmp(Icmp {
                    from: NAMES.ip("n"),
                    kind: 3,
                    code: 3,
                    quoted_ttl: 63,
                }),
                5 => Seen::Superseded,
                _ => Seen::Pending,
            },
        }),
        What::Drop {
            ifindex,
            segment,
            tuple,
            isn,
            reason,
        } => Observation::Drop(Drop {
            at: now,
            place: match ifindex {
                NODE => Place::Node,
                ifindex => Place::Pod { ifindex },
            },
            segment: match segment {
                0 => Segment::SynAck,
                1 => Segment::Rst,
                _ => Segment::Syn,
            },
            client: clients()[tuple.0],
            server: servers()[tuple.1],
            isn,
            reason: match reason {
                0 => None,
                1 => Some("NO_SOCKET".into()),
                2 => Some("NEIGH_FAILED".into()),
                3 => Some("OTHERHOST".into()),
                _ => Some("NETFILTER_DROP".into()),
            },
            function: None,
        }),
        What::Swept => Observation::Swept { at: now },
        What::Lost => Observation::Lost { at: now, count: 1 },
        What::Point(ifindex, hook, bound) => Observation::Point(Point {
            ifindex,
            name: format!("veth{ifindex}").into(),
            since: START,
            addresses: if bound {
                vec![servers()[ifindex as usize].ip()]
            } else {
                Vec::new()
            },
            from_pod: Hook::Proven,
            to_pod: match hook {
                0 => Hook::Blind,
                1 => Hook::Assumed,
                _ => Hook::Proven,
            },
            foreign: false,
            bypassed: false,
        }),
        What::Gone(ifindex) => Observation::PointGone { ifindex },
        What::Tick => return None,
    })
}

/// Ticks as often as the tracker asks for it, and never sweeps.
fn settle(tracker: &mut Tracker, until: Time, out: &mut Vec<Attempt>) {
    while let Some(at) = tracker.next_deadline()
        && at <= until
    {
        tracker.tick(at, &NAMES, out);
        let later = tracker.next_deadline();
        assert!(later.is_none_or(|later| later > at), "a tick that does nothing");
    }
    tracker.tick(until, &NAMES, out);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn every_attempt_has_one_final_record(
        ops in ops(),
        small in any::<bool>(),
    ) {
        let config = if small {
            Config { max_running: 3, max_remembered: 2, max_held_drops: 2, max_edges: 2, ..Config::default() }
        } else {
            Config::default()
        };
        let mut tracker = Tracker::new(config);
        let mut out = Vec::new();
        let mut now = START;
        for op in &ops {
            now = now + op.wait;
            match observation(&op.what, now) {
                Some(observation) => tracker.observe(observation, &NAMES, &mut out),
                None => tracker.tick(now, &NAMES, &mut out),
            }
            prop_assert!(tracker.running() <= config.max_running + 64);
            let (attempts, remembered, held, edges) = tracker.sizes();
            prop_assert!(remembered <= config.max_remembered);
            prop_assert_eq!(attempts, tracker.running() + remembered);
            prop_assert!(held <= config.max_held_drops);
            prop_assert!(edges <= config.max_edges);
        }
        settle(&mut tracker, now + Duration::from_secs(12), &mut out);
        prop_assert_eq!(tracker.running(), 0);

        let mut stages: BTreeMap<AttemptId, Vec<Stage>> = BTreeMap::new();
        for attempt in &out {
            stages.entry(attempt.id).or_default().push(attempt.stage);
        }
        for (id, stages) in &stages {
            let allowed = matches!(
                stages.as_slice(),
                [Stage::Final]
                    | [Stage::Provisional, Stage::Final]
                    | [Stage::Final, Stage::Revision]
                    | [Stage::Provisional, Stage::Final, Stage::Revision]
            );
            prop_assert!(allowed, "{id}: {stages:?}");
        }

        settle(&mut tracker, now + Duration::from_secs(800), &mut out);
        prop_assert_eq!(tracker.sizes(), (0, 0, 0, 0));
        prop_assert_eq!(tracker.next_deadline(), None);
        prop_assert!(!tracker.wants_sweep());
    }

    /// What a sweep tells, and the drops that the ring holds, come in any order.
    #[test]
    fn the_order_within_a_sweep_does_not_matter(
        mut order in Just((0..5_usize).collect::<Vec<_>>()).prop_shuffle(),
        masquerade in any::<bool>(),
        delivered in any::<bool>(),
        dropped in any::<bool>(),
        reset in any::<bool>(),
    ) {
        let run = |order: &[usize]| {
            let mut tracker = Tracker::new(Config::default());
            let mut out = Vec::new();
            let at = START + Duration::from_millis(250);
            let translated = if masquerade { 2 } else { 0 };
            let pending = |ifindex, to_pod, tuple, isn| What::Sighting {
                ifindex, to_pod, tuple, isn, age: Some(250), syns: 1, seen: 7,
            };
            let drop = |isn| What::Drop { ifindex: NODE, segment: 2, tuple: (translated, 1), isn, reason: 4 };
            // Two attempts of one client with one Service; the first may be delivered and dropped.
            let all = [
                Some(pending(1, false, (0, 0), 1)),
                delivered.then(|| pending(2, true, (translated, 1), 1)),
                dropped.then(|| drop(1)),
                Some(pending(1, false, (1, 0), 2)),
                Some(drop(2)),
            ];
            let points = [What::Point(1, 2, false), What::Point(2, 2, false)];
            for what in points.iter().chain(order.iter().filter_map(|&index| all[index].as_ref())) {
                let observation = observation(what, at).expect("an observation");
                tracker.observe(observation, &NAMES, &mut out);
            }
            tracker.observe(Observation::Swept { at }, &NAMES, &mut out);
            if reset {
                let mut what = pending(1, false, (0, 0), 1);
                if let What::Sighting { seen, .. } = &mut what {
                    *seen = 2;
                }
                let observation = observation(&what, at).expect("an observation");
                tracker.observe(observation, &NAMES, &mut out);
            }
            let end = START + Duration::from_secs(5);
            tracker.observe(Observation::Swept { at: end }, &NAMES, &mut out);
            settle(&mut tracker, end, &mut out);
            out.retain(|attempt| attempt.stage == Stage::Final);
            out.sort_by_key(|attempt| attempt.id);
            out
        };
        let expected = run(&[0, 1, 2, 3, 4]);
        prop_assert_eq!(expected.len(), 2);
        prop_assert_eq!(run(&order), expected.clone());
        order.reverse();
        prop_assert_eq!(run(&order), expected);
    }
}
