//! Streams of several nodes: scripts, and whatever proptest thinks of.

mod halves;
mod properties;

use std::time::Duration;

use super::{Config, Input, Merger, Sighting};
use crate::attempt::{Origin, Outcome};
use crate::diagnosis::diagnose;
use crate::diagnosis::tests::build::{Build, FIRST};
use crate::report::{Record, RecordType};
use crate::time::Time;

/// When a test begins, by the clock of the merger: another than the nodes'.
const BEGIN: Time = Time(1_000_000_000);

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// A final record of `node`, decided so many milliseconds after [`FIRST`], of the attempt that this ISN names. It connected.
fn record(node: &str, isn: u32, decided: u64) -> Record {
    told(
        Build::new().outcome(Outcome::Connected, Some(Origin::Unknown)),
        node,
        isn,
        decided,
    )
}

/// It failed, and where it was to arrive this node cannot see.
fn half(node: &str, isn: u32, decided: u64) -> Record {
    told(Build::new().unobserved(), node, isn, decided)
}

/// It failed, and it arrived on this node.
fn other_half(node: &str, isn: u32, decided: u64) -> Record {
    at_destination(told(Build::new().delivered(), node, isn, decided))
}

fn told(build: Build, node: &str, isn: u32, decided: u64) -> Record {
    let mut record = Record::new(&build.0, &diagnose(&build.0), &node.into());
    record.id = format!("{node}-{isn}");
    record.isn = isn;
    record.decided = FIRST + ms(decided);
    record
}

fn provisional(node: &str, isn: u32, decided: u64) -> Record {
    Record {
        is_final: false,
        ..half(node, isn, decided)
    }
}

fn revision(node: &str, isn: u32, decided: u64) -> Record {
    Record {
        is_final: false,
        kind: RecordType::Revision,
        ..record(node, isn, decided)
    }
}

/// What was dialled so many milliseconds after [`FIRST`], as an agent tells its past.
fn past(node: &str, isn: u32, dialled: u64) -> Record {
    Record {
        time: FIRST + ms(dialled),
        ..record(node, isn, dialled + 4_000)
    }
}

/// As the destination's node sees it.
fn at_destination(record: Record) -> Record {
    Record {
        source_observed: false,
        ..record
    }
}

/// A merger and its clock.
struct Play {
    merger: Merger,
    now: Time,
    given: Vec<String>,
}

impl Play {
    /// All nodes tell what happens now.
    fn of(nodes: &[&str]) -> Self {
        let mut play = Self::past(Config::CLUSTER, nodes);
        for node in nodes {
            play.merger.input(Input::CaughtUp((*node).into(), FIRST), BEGIN);
        }
        play
    }

    fn past(config: Config, nodes: &[&str]) -> Self {
        let mut merger = Merger::new(config);
        for node in nodes {
            merger.input(Input::Opened((*node).into()), BEGIN);
        }
        Self {
            merger,
            now: BEGIN,
            given: Vec::new(),
        }
    }

    fn tell(&mut self, record: &Record) -> &mut Self {
        let input = Input::Record(record.node.clone(), Box::new(record.clone()));
        self.merger.input(input, self.now);
        self.take()
    }

    fn wait(&mut self, milliseconds: u64) -> &mut Self {
        self.now = self.now + ms(milliseconds);
        self.take()
    }

    fn take(&mut self) -> &mut Self {
        let taken = self.merger.take(self.now);
        self.given.extend(taken.iter().map(|record| record.id.clone()));
        self
    }

    #[track_caller]
    fn gave(&mut self, expect: &[&str]) -> &mut Self {
        assert_eq!(std::mem::take(&mut self.given), expect);
        self
    }
}

#[test]
fn records_wait_for_what_may_be_earlier_and_no_longer_than_the_hold() {
    let mut play = Play::of(&["a", "b"]);
    play.tell(&record("a", 1, 100)).gave(&[]);
    play.wait(500).tell(&record("b", 2, 50)).gave(&["b-2"]);
    play.wait(499).gave(&[]).wait(1).gave(&["a-1"]);
    // As soon as everybody told something later nothing earlier can come.
    play.tell(&record("a", 3, 200))
        .tell(&record("b", 4, 300))
        .gave(&["a-3"]);
    play.wait(1000).gave(&["b-4"]);
    assert_eq!(play.merger.due(play.now), None);
    assert_eq!(play.merger.counts(), super::Counts::default());
}

#[test]
fn what_waited_takes_along_what_is_earlier_and_came_later() {
    let mut play = Play::of(&["a", "b", "c"]);
    play.tell(&record("a", 1, 100))
        .wait(900)
        .tell(&record("b", 2, 90))
        .gave(&[]);
    assert_eq!(play.merger.due(play.now), Some(play.now + ms(100)));
    play.wait(100).gave(&["b-2", "a-1"]);
    play.tell(&record("c", 3, 10)).gave(&["c-3"]);
    assert_eq!(play.merger.counts().late, 1);
}

#[test]
fn one_node_alone_waits_for_nobody() {
    let mut play = Play::past(Config::ONE, &["a"]);
    play.tell(&record("a", 1, 100)).gave(&["a-1"]);
    play.tell(&at_destination(record("a", 2, 90))).gave(&["a-2"]);
    play.merger.input(Input::CaughtUp("a".into(), FIRST), BEGIN);
    play.tell(&record("a", 3, 200)).gave(&["a-3"]);
    play.tell(&at_destination(record("a", 4, 300))).gave(&["a-4"]);
}

#[test]
fn a_node_that_tells_its_past_is_waited_for_as_long_as_it_is_heard() {
    let mut play = Play::past(Config::CLUSTER, &["a", "b"]);
    play.tell(&past("a", 1, 900_000)).wait(4_000).gave(&[]);
    play.tell(&past("b", 2, 100)).wait(4_000).gave(&[]);
    assert_eq!(play.merger.due(play.now), Some(play.now + ms(1_000)));
    play.tell(&past("b", 3, 3_000)).wait(4_999).gave(&["b-2"]);
    // Given up.
    play.wait(1).gave(&["b-3", "a-1"]);
    play.tell(&past("b", 4, 300)).gave(&["b-4"]);
    assert_eq!(play.merger.counts().late, 1);
}

#[test]
fn the_past_comes_by_first_syn_and_waits_for_no_node_that_has_told_its_own() {
    let mut play = Play::past(Config::CLUSTER, &["a", "b"]);
    play.merger
        .input(Input::CaughtUp("b".into(), FIRST + ms(60_000)), BEGIN);
    let seen = at_destination(past("a", 3, 25));
    let stream = [
        past("a", 1, 10),
        past("a", 2, 20),
        seen,
        past("a", 4, 30),
        past("a", 5, 3_000),
    ];
    for record in &stream {
        play.tell(record);
    }
    play.gave(&["a-1", "a-2", "a-3", "a-4"]);
    play.merger
        .input(Input::CaughtUp("a".into(), FIRST + ms(60_000)), BEGIN);
    play.take().gave(&["a-5"]);
}

#[test]
fn a_node_that_closed_is_not_waited_for() {
    let mut play = Play::past(Config::CLUSTER, &["a", "b"]);
    play.tell(&record("a", 1, 100)).gave(&[]);
    for node in ["a", "b"] {
        play.merger.input(Input::Closed(node.into()), play.now);
    }
    play.take().gave(&["a-1"]);
}

#[test]
fn a_node_is_not_let_run_ahead_with_its_past() {
    let mut play = Play::past(Config::CLUSTER, &["a", "b"]);
    let mut told = 0;
    while play.merger.wants("a") {
        told += 1;
        play.tell(&past("a", told, u64::from(told)));
    }
    assert_eq!(told, 256);
    assert!(play.merger.wants("b"));
    // Now the other one is ahead; it has not told much.
    play.tell(&past("b", 1, 900_000));
    assert!(play.merger.wants("a") && play.merger.wants("b"));
}

#[test]
fn what_is_told_again_is_dropped_and_records_of_one_attempt_are_not() {
    let mut play = Play::of(&["a"]);
    let records = [
        provisional("a", 1, 1),
        provisional("a", 1, 2),
        record("a", 1, 3),
        revision("a", 1, 3),
    ];
    for record in &records {
        play.tell(record);
    }
    for record in &records {
        play.tell(record);
    }
    play.gave(&["a-1"; 4]);
    assert_eq!(play.merger.counts().duplicates, 4);
}

#[test]
fn what_the_destination_saw_is_joined_to_its_owner_whoever_comes_first() {
    // The owner's is given; the other's never.
    for provisional_owner in [false, true] {
        let mut play = Play::of(&["a", "b"]);
        let owned = if provisional_owner {
            provisional("a", 7, 1_000)
        } else {
            record("a", 7, 1_000)
        };
        play.tell(&owned).tell(&at_destination(record("b", 7, 1_100)));
        play.wait(10_000).gave(&["a-7"]);
        assert_eq!(play.merger.counts().joined, 1);
        // A correction of what was not given is not given.
        play.tell(&at_destination(revision("b", 7, 9_000)))
            .wait(10_000)
            .gave(&[]);
    }
    let mut play = Play::of(&["a", "b"]);
    play.tell(&at_destination(record("b", 7, 1_000)))
        .wait(1_900)
        .tell(&record("a", 7, 2_000))
        .wait(10_000)
        .gave(&["a-7"]);
}

#[test]
fn what_only_the_destination_saw_is_given_when_nobody_owned_it() {
    let mut play = Play::of(&["a", "b"]);
    play.tell(&at_destination(provisional("b", 7, 1_000)));
    play.tell(&at_destination(record("b", 7, 4_000)));
    play.wait(2_999).gave(&[]).wait(1).gave(&["b-7"]);
    play.tell(&at_destination(revision("b", 7, 9_000)))
        .wait(3_000)
        .gave(&["b-7"]);
}

#[test]
fn an_owner_that_the_filter_leaves_out_owns_all_the_same() {
    let mut play = Play::of(&["a", "b"]);
    let owner = Sighting::of(&record("a", 7, 1_000), "a".into());
    play.merger.input(Input::Owner(owner), play.now);
    play.tell(&at_destination(record("b", 7, 1_100))).wait(10_000).gave(&[]);
    assert_eq!(play.merger.counts().joined, 1);
}

/// Whether what `b` saw at a destination is taken for the attempt that `a` owns.
#[track_caller]
fn joins(owner: impl FnOnce(&mut Record), seen: impl FnOnce(&mut Record), expect: bool) {
    let (mut owned, mut arrived) = (record("a", 7, 1_000), at_destination(record("b", 7, 1_100)));
    owner(&mut owned);
    seen(&mut arrived);
    let mut play = Play::of(&["a", "b"]);
    play.tell(&owned).tell(&arrived).wait(10_000);
    let expect: &[&str] = if expect { &["a-7"] } else { &["a-7", "b-7"] };
    play.gave(expect);
}

#[test]
fn only_what_may_be_one_attempt_is_joined() {
    let nothing = |_: &mut Record| {};
    joins(nothing, nothing, true);
    joins(nothing, |seen| seen.isn = 8, false);
    // Masquerade changes the client's address and port.
    joins(
        nothing,
        |seen| seen.source.ip = "10.9.9.9".parse().expect("an address"),
        true,
    );
    joins(nothing, |seen| seen.time = FIRST + ms(9_000), true);
    joins(nothing, |seen| seen.time = FIRST + ms(11_000), false);
    // A pod was dialled: nobody else can have been reached.
    joins(nothing, |seen| seen.destination.party.port = 1, false);
    // A Service was dialled and its backend is not known: anybody can.
    let service = |owned: &mut Record| owned.destination.party.kind = crate::report::PartyKind::Service;
    joins(service, |seen| seen.destination.party.port = 1, true);
    // It is known.
    let became = |owned: &mut Record| {
        owned.destination.party.kind = crate::report::PartyKind::Service;
        owned.destination.backend = Some(crate::report::BackendRecord {
            ip: "10.0.0.2".parse().expect("an address"),
            port: 2283,
            namespace: None,
            name: None,
        });
    };
    joins(became, nothing, true);
    joins(became, |seen| seen.destination.party.port = 1, false);
}

#[test]
fn of_several_owners_equal_addresses_decide_and_else_none_is_taken() {
    let other = |record: Record| Record {
        id: "a-other".into(),
        ..record
    };
    let mut play = Play::of(&["a", "b"]);
    let mut second = other(record("a", 7, 1_010));
    play.tell(&record("a", 7, 1_000)).tell(&second);
    play.tell(&at_destination(record("b", 7, 1_100))).wait(10_000);
    play.gave(&["a-7", "a-other", "b-7"]);

    let mut play = Play::of(&["a", "b"]);
    second.source.port = 1;
    play.tell(&record("a", 7, 1_000)).tell(&second);
    play.tell(&at_destination(record("b", 7, 1_100))).wait(10_000);
    play.gave(&["a-7", "a-other"]);
}

#[test]
fn too_many_that_wait_are_given_early_in_order_and_counted() {
    let config = Config {
        capacity: 2,
        ..Config::CLUSTER
    };
    let mut play = Play::past(config, &["a", "b"]);
    play.tell(&past("a", 3, 300)).tell(&past("a", 1, 100)).gave(&[]);
    play.tell(&past("a", 2, 200)).gave(&["a-1"]);
    assert_eq!(play.merger.counts().hurried, 1);
    let rest: Vec<String> = play.merger.finish().iter().map(|record| record.id.clone()).collect();
    assert_eq!(rest, ["a-2", "a-3"]);
}
