//! Whatever the nodes saw, however their streams are delayed and broken: no attempt is lost, none is given twice, and the order is kept
//! as far as was promised.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::{BEGIN, Config, Input, Merger, at_destination, half, ms, other_half, provisional, record};
use crate::report::Record;
use crate::time::Time;

const NODES: [&str; 3] = ["a", "b", "c"];

/// One attempt, as several nodes tell of it.
#[derive(Clone, Debug)]
struct Dialled {
    /// When it was decided, in milliseconds.
    at: u64,
    /// Whose node owns it; `None`: it came from outside.
    owner: Option<usize>,
    /// Whose node saw it arrive and nothing more.
    seen: Option<usize>,
    /// The owner says something provisional first.
    slow: bool,
    /// The owner's filter leaves it out.
    hidden: bool,
    /// It fails: then what both saw belongs together, and the last word of the one waits for the other's.
    fails: bool,
}

fn dialled() -> impl Strategy<Value = Dialled> {
    let node = prop::option::of(0..NODES.len());
    (
        0..20_000_u64,
        node.clone(),
        node,
        any::<bool>(),
        prop::bool::weighted(0.2),
        any::<bool>(),
    )
        .prop_map(|(at, owner, seen, slow, hidden, fails)| Dialled {
            at,
            owner,
            seen: seen.filter(|seen| Some(*seen) != owner),
            slow,
            hidden,
            fails,
        })
}

/// What a node sends, with the time of its decision.
fn sent(attempts: &[Dialled]) -> Vec<(u64, usize, Input)> {
    let mut sent = Vec::new();
    for (isn, dialled) in (1_u32..).zip(attempts) {
        let shifted = |mut record: Record| {
            record.time = record.decided - ms(500);
            record
        };
        let mut send = |node: usize, record: Record, hidden: bool| {
            let record = shifted(record);
            let at = u64::try_from(record.decided.since(super::FIRST).as_millis()).unwrap_or_default();
            let name: crate::objects::Str = NODES[node].into();
            let input = if hidden {
                Input::Owner(super::Sighting::of(&record, name))
            } else {
                Input::Record(name, Box::new(record))
            };
            sent.push((at, node, input));
        };
        if let Some(owner) = dialled.owner {
            let end = dialled.at + if dialled.slow { 3_000 } else { 0 };
            if dialled.slow {
                send(owner, provisional(NODES[owner], isn, dialled.at), dialled.hidden);
            }
            let ended = if dialled.fails { half } else { record };
            send(owner, ended(NODES[owner], isn, end), dialled.hidden);
        }
        if let Some(seen) = dialled.seen {
            let at = dialled.at + 500;
            let arrived = if dialled.fails {
                other_half(NODES[seen], isn, at)
            } else {
                at_destination(record(NODES[seen], isn, at))
            };
            send(seen, arrived, false);
        }
    }
    sent.sort_by_key(|(at, ..)| *at);
    sent
}

/// Finals that must come out.
fn expected(attempts: &[Dialled]) -> BTreeSet<String> {
    let ids = (1_u32..)
        .zip(attempts)
        .filter_map(|(isn, dialled)| match (dialled.owner, dialled.seen) {
            (Some(_), _) if dialled.hidden => None,
            (Some(node), _) | (None, Some(node)) => Some(format!("{}-{isn}", NODES[node])),
            (None, None) => None,
        });
    ids.collect()
}

/// How one node's stream comes here.
#[derive(Clone, Debug)]
struct Way {
    /// Milliseconds from the decision until here.
    delay: u64,
    /// The stream breaks after so many records, and repeats the last so many.
    breaks: (usize, usize),
}

fn way() -> impl Strategy<Value = Way> {
    (0..900_u64, (0..40_usize, 0..5_usize)).prop_map(|(delay, breaks)| Way { delay, breaks })
}

/// Plays everything, live, and gives the records that come out.
fn play(attempts: &[Dialled], ways: &[Way]) -> (Vec<Record>, Merger) {
    let mut arriving: Vec<(u64, usize, Input)> = Vec::new();
    for (node, way) in ways.iter().enumerate() {
        let mut stream: Vec<(u64, usize, Input)> =
            sent(attempts).into_iter().filter(|(_, of, _)| *of == node).collect();
        let (after, again) = way.breaks;
        if after < stream.len() {
            let from = after.saturating_sub(again);
            let repeated: Vec<_> = stream[from..after]
                .iter()
                .map(|(_, of, input)| (stream[after].0, *of, input.clone()))
                .collect();
            stream.splice(after..after, repeated);
        }
        arriving.extend(stream.into_iter().map(|(at, of, input)| (at + way.delay, of, input)));
    }
    arriving.sort_by_key(|(at, ..)| *at);
    let mut merger = Merger::new(Config::CLUSTER);
    for node in NODES {
        merger.input(Input::Opened(node.into()), BEGIN);
        merger.input(Input::CaughtUp(node.into(), Time::BEGINNING), BEGIN);
    }
    let mut given = Vec::new();
    for (at, _, input) in arriving {
        let now = BEGIN + ms(at);
        // The clock wakes the merger before the next input.
        while let Some(due) = merger.due(now).filter(|due| *due < now) {
            given.extend(merger.take(due));
        }
        merger.input(input, now);
        given.extend(merger.take(now));
    }
    given.extend(merger.take(BEGIN + ms(60_000)));
    (given, merger)
}

proptest! {
    #[test]
    fn none_is_lost_none_is_given_twice_and_the_order_is_kept(
        attempts in prop::collection::vec(dialled(), 0..60),
        ways in prop::collection::vec(way(), 3),
    ) {
        let (given, merger) = play(&attempts, &ways);
        let mut finals: BTreeMap<&str, u32> = BTreeMap::new();
        for record in given.iter().filter(|record| record.is_final) {
            *finals.entry(&record.id).or_default() += 1;
        }
        prop_assert!(finals.values().all(|count| *count == 1), "given twice: {finals:?}");
        let ids: BTreeSet<String> = finals.keys().map(ToString::to_string).collect();
        prop_assert_eq!(ids, expected(&attempts));
        let key = |record: &Record| record.decided + if record.source_observed { ms(0) } else { Config::CLUSTER.owner_hold };
        let keys: Vec<Time> = given.iter().map(key).collect();
        prop_assert!(keys.is_sorted(), "out of order: {keys:?}");
        prop_assert_eq!(merger.counts().late, 0);
        prop_assert_eq!(merger.held.len(), 0);
    }

    #[test]
    fn whatever_arrives_when_nothing_is_lost(
        attempts in prop::collection::vec(dialled(), 0..60),
        order in prop::collection::vec((0..10_000_u64, 0..3_u8), 200),
        capacity in 0..8_usize,
    ) {
        let mut merger = Merger::new(Config { capacity, ..Config::CLUSTER });
        let mut now = BEGIN;
        let mut given = Vec::new();
        for ((_, node, input), (wait, event)) in sent(&attempts).into_iter().zip(order.into_iter().cycle()) {
            let name = NODES[node].into();
            match event {
                0 => merger.input(Input::Opened(name), now),
                1 => merger.input(Input::Closed(name), now),
                _ => merger.input(Input::CaughtUp(name, Time::BEGINNING), now),
            }
            merger.input(input, now);
            given.extend(merger.take(now));
            prop_assert!(merger.held.len() <= capacity);
            now = now + ms(wait);
        }
        given.extend(merger.finish());
        // What only a destination saw may be given beside its owner where it was given early; an owner's always is, once.
        let mut owned: BTreeMap<&str, u32> = BTreeMap::new();
        for record in given.iter().filter(|record| record.is_final && record.source_observed) {
            *owned.entry(&record.id).or_default() += 1;
        }
        let all = (1_u32..).zip(&attempts).filter(|(_, dialled)| !dialled.hidden);
        let expect: BTreeMap<String, u32> = all
            .filter_map(|(isn, dialled)| dialled.owner.map(|node| (format!("{}-{isn}", NODES[node]), 1)))
            .collect();
        prop_assert_eq!(owned.into_iter().map(|(id, count)| (id.to_owned(), count)).collect::<BTreeMap<_, _>>(), expect);
    }
}
