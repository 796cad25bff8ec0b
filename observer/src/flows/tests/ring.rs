//! Bounds of the ring, and queries.

use std::sync::Arc;
use std::time::Duration;

use crate::attempt::Stage;
use crate::diagnosis::diagnose;
use crate::diagnosis::tests::build::{Build, FIRST};
use crate::flows::{Counters, Limits, Placed, Query, Ring, Take};
use crate::policy::Direction;
use crate::report::Record;
use crate::time::Time;

const LIMITS: Limits = Limits {
    attempts: 3,
    bytes: usize::MAX,
    age: Duration::from_secs(60),
};

fn at(seconds: u64) -> Time {
    FIRST + Duration::from_secs(seconds)
}

/// A record of the attempt that began at this second, decided at that.
fn record(began: u64, decided: u64, stage: Stage) -> Arc<Record> {
    let Build(assessment) = Build::new().with(|all| {
        all.attempt.first = at(began);
        all.attempt.id.first = at(began).0;
        all.attempt.decided = at(decided);
        all.attempt.stage = stage;
    });
    let diagnosis = diagnose(&assessment);
    Arc::new(Record::new(&assessment, &diagnosis, &"node-a".into()))
}

fn ring(records: &[(u64, u64, Stage)]) -> Ring {
    let mut ring = Ring::new(LIMITS);
    for &(began, decided, stage) in records {
        ring.push(record(began, decided, stage));
    }
    ring
}

/// When the chosen ones began, and whether they are provisional (`?`), final or a revision (`!`).
fn chosen(ring: &Ring, query: Query) -> Vec<String> {
    let records = query.choose(ring.records(), |_| true);
    let name = |record: &Arc<Record>| {
        let mark = match (record.is_final, crate::flows::is_provisional(record)) {
            (true, _) => "",
            (_, true) => "?",
            _ => "!",
        };
        format!("{}{mark}", record.time.since(FIRST).as_secs())
    };
    records.iter().map(name).collect()
}

const FINAL: Stage = Stage::Final;
const PROVISIONAL: Stage = Stage::Provisional;
const REVISION: Stage = Stage::Revision;

#[test]
fn the_oldest_leave_when_there_are_too_many_or_they_are_too_old() {
    let mut ring = ring(&[(0, 1, FINAL), (2, 3, FINAL), (4, 5, FINAL), (6, 7, FINAL)]);
    assert_eq!(chosen(&ring, Query::default()), ["2", "4", "6"]);
    ring.expire(at(64));
    assert_eq!(chosen(&ring, Query::default()), ["4", "6"]);
    let counters = Counters {
        seen: 4,
        crowded_out: 1,
        aged_out: 1,
        unfinished_given_up: 0,
    };
    assert_eq!(ring.counters(), counters);
    assert_eq!(
        ring.len() as u64 + counters.crowded_out + counters.aged_out,
        counters.seen
    );
    assert_eq!(ring.decided_since(at(6)), 1);
}

#[test]
fn the_oldest_leave_when_all_together_have_too_much_to_say() {
    let each = serde_json::to_string(&*record(0, 1, FINAL)).expect("JSON").len();
    let mut ring = Ring::new(Limits {
        bytes: each * 5 / 2,
        ..LIMITS
    });
    for began in 0..3 {
        ring.push(record(began, began + 1, FINAL));
    }
    assert_eq!(chosen(&ring, Query::default()), ["1", "2"]);
    // Its final record takes its place, and no more room.
    ring.push(record(3, 4, PROVISIONAL));
    ring.push(record(3, 5, PROVISIONAL));
    assert_eq!(chosen(&ring, Query::default()), ["2"]);
    ring.push(record(3, 6, FINAL));
    assert_eq!(chosen(&ring, Query::default()), ["2", "3"]);
    assert_eq!((ring.counters().seen, ring.counters().crowded_out), (4, 2));
    for began in 4..7 {
        ring.push(record(began, began + 1, PROVISIONAL));
    }
    assert!(ring.is_empty(), "what is not decided may take all of the room");
    assert_eq!(
        (ring.counters().crowded_out, ring.counters().unfinished_given_up),
        (4, 3)
    );
    ring.push(record(7, 8, FINAL));
    ring.expire(at(100));
    assert!(ring.records().is_empty());
    ring.push(record(100, 101, FINAL));
    ring.push(record(101, 102, FINAL));
    assert_eq!(ring.len(), 2, "what has left takes no room");
}

#[test]
fn a_provisional_record_is_held_until_its_attempt_is_decided() {
    let provisional = Query {
        provisional: true,
        ..Query::default()
    };
    let mut ring = ring(&[(0, 1, PROVISIONAL), (5, 6, PROVISIONAL)]);
    assert_eq!(chosen(&ring, provisional), ["0?", "5?"]);
    assert!(chosen(&ring, Query::default()).is_empty());
    ring.push(record(0, 4, FINAL));
    ring.push(record(0, 9, REVISION));
    assert_eq!(chosen(&ring, provisional), ["0", "0!", "5?"]);
    assert_eq!(ring.counters().seen, 2);
}

#[test]
fn a_place_finds_its_record_as_long_as_it_is_held() {
    let mut ring = ring(&[
        (0, 1, FINAL),
        (2, 3, FINAL),
        (4, 5, FINAL),
        (6, 7, FINAL),
        (8, 9, PROVISIONAL),
    ]);
    let placed = ring.placed();
    let found = |ring: &Ring| -> Vec<bool> {
        let same = |placed: &Placed| {
            ring.at(&placed.place)
                .is_some_and(|found| Arc::ptr_eq(&found, &placed.record))
        };
        placed.iter().map(same).collect()
    };
    assert_eq!(found(&ring), [true; 4]);
    ring.push(record(8, 10, FINAL));
    assert_eq!(found(&ring), [false, true, true, false]);
    ring.expire(at(66));
    assert_eq!(found(&ring), [false, false, true, false]);
}

#[test]
fn provisional_records_are_bounded_too() {
    let provisional: Vec<_> = (0..5).map(|began| (began, began + 1, PROVISIONAL)).collect();
    let mut ring = ring(&provisional);
    assert_eq!(ring.counters().unfinished_given_up, 2);
    ring.push(record(0, 2, PROVISIONAL));
    assert_eq!(ring.counters().unfinished_given_up, 2, "a known attempt may say more");
    ring.expire(at(100));
    assert_eq!(ring.counters().unfinished_given_up, 5);
    assert!(ring.records().is_empty());
}

#[test]
fn what_is_not_decided_takes_no_place_of_the_last() {
    let ring = ring(&[
        (10, 11, PROVISIONAL),
        (12, 13, FINAL),
        (14, 15, PROVISIONAL),
        (16, 17, FINAL),
        (18, 19, PROVISIONAL),
    ]);
    for (number, expect) in [
        (0, &[][..]),
        (1, &["14?", "16", "18?"]),
        (2, &["10?", "12", "14?", "16", "18?"]),
    ] {
        let provisional = Query {
            provisional: true,
            ..take(Take::Last(number))
        };
        assert_eq!(chosen(&ring, provisional), expect, "{number}");
    }
}

#[test]
fn queries_choose_by_time_and_number() {
    // In order of decision, not of the first SYN.
    let ring = ring(&[(10, 11, FINAL), (8, 12, FINAL), (20, 21, FINAL)]);
    let cases: [(&str, Query, &[&str]); 9] = [
        ("all", Query::default(), &["8", "10", "20"]),
        ("last", take(Take::Last(2)), &["10", "20"]),
        ("more than there are", take(Take::Last(usize::MAX)), &["8", "10", "20"]),
        ("first", take(Take::First(2)), &["8", "10"]),
        ("none", take(Take::Last(0)), &[]),
        (
            "since",
            Query {
                since: Some(at(10)),
                ..Query::default()
            },
            &["10", "20"],
        ),
        (
            "until",
            Query {
                until: Some(at(10)),
                take: Take::Last(1),
                ..Query::default()
            },
            &["10"],
        ),
        (
            "decided since",
            Query {
                decided_since: Some(at(12)),
                ..Query::default()
            },
            &["8", "20"],
        ),
        (
            "decided since, or begun",
            Query {
                decided_since: Some(at(21)),
                or_first_since: Some(at(10)),
                ..Query::default()
            },
            &["10", "20"],
        ),
    ];
    for (label, query, expect) in cases {
        assert_eq!(chosen(&ring, query), expect, "{label}");
    }
    let wanted = take(Take::Last(1)).choose(ring.records(), |record| record.time < at(20));
    assert_eq!(wanted[0].time, at(10), "what is not wanted does not count");
}

#[test]
fn what_a_record_costs_to_keep() {
    let connected = Build::new().connected();
    let denied = Build::new()
        .service(80, &[(true, false)])
        .became()
        .denied(Direction::Egress)
        .denied(Direction::Ingress)
        .dropped("NETFILTER_DROP", "nft_do_chain");
    for (name, build) in [("connected", connected), ("denied", denied)] {
        let mut held = None;
        let counted = allocation_counter::measure(|| held = Some(Arc::new(super::record(&build))));
        let (bytes, json) = (counted.bytes_current, serde_json::to_string(&held).expect("JSON").len());
        println!("{name}: {bytes} bytes, {json} as JSON");
        assert!(
            bytes as usize * 2 <= json * 3,
            "{name}: {bytes} bytes, {json} as JSON: the ring's limit in bytes says too little of memory"
        );
    }
}

fn take(take: Take) -> Query {
    Query {
        take,
        ..Query::default()
    }
}
