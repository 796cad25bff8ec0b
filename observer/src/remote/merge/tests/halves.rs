//! What two nodes make of one failure together: what is concluded, when it is waited for, and what is corrected.

use super::{
    BEGIN, Config, FIRST, Input, Merger, Play, Time, at_destination, half, ms, other_half, provisional, record,
};
use crate::attempt::{Direction as Way, Origin, Outcome, Place, Reach, Segment};
use crate::diagnosis::tests::build::Build;
use crate::diagnosis::{Cause, Confidence, diagnose};
use crate::policy::{Decision, Direction, Undecidable};
use crate::remote::merge::halves::join;
use crate::report::{Fact, Record, RecordType};

/// The client's node: the destination is on no interface of it.
fn at_client(build: Build) -> Record {
    let build = build.unobserved();
    Record::new(&build.0, &diagnose(&build.0), &"a".into())
}

/// The destination's node: the client is on no interface of it.
fn at_server(build: Build) -> Record {
    let build = build.with(|all| {
        all.attempt.source_observed = false;
        all.attempt.points.retain(|point| point.direction == Way::ToPod);
    });
    Record::new(&build.0, &diagnose(&build.0), &"b".into())
}

fn timeout() -> Build {
    Build::new()
}

/// A RST reached the client.
fn refused() -> Build {
    Build::new().outcome(Outcome::Refused, Some(Origin::Unknown))
}

/// The destination's node saw a SYN-ACK leave again and again.
fn half_open() -> Build {
    Build::new().delivered().outcome(Outcome::HalfOpen, None).with(|all| {
        all.attempt.answered_by_destination = true;
    })
}

/// A filter inside the pod answered for it.
fn rejected_by_pod() -> Build {
    Build::new()
        .delivered()
        .outcome(Outcome::Rejected, Some(Origin::DestinationPod))
        .dropped_at(
            Place::Pod { ifindex: 11 },
            Segment::Syn,
            "NETFILTER_DROP",
            "nft_do_chain",
        )
}

fn aborted() -> Build {
    Build::new().outcome(Outcome::Aborted, None)
}

fn denied(build: Build) -> Build {
    build.denied(Direction::Ingress)
}

/// What is said of cause and confidence, and of the origin; and whether there is advice.
#[track_caller]
fn check(client: Build, server: Build, cause: Cause, confidence: Confidence, origin: Option<Origin>) -> Record {
    let (owner, seen) = (at_client(client), at_server(server));
    let mut joined = owner.clone();
    join(&mut joined, &seen);
    let told = (joined.cause, joined.confidence, joined.origin);
    assert_eq!(told, (Some(cause), Some(confidence), origin), "{joined:#?}");
    assert_eq!((joined.outcome, joined.reach), (owner.outcome, Reach::Delivered));
    joined
}

#[test]
fn the_destinations_node_knows_why_where_it_saw_the_same_end() {
    use Cause::{AcceptQueueFull, AppNotListening, BlockedNotByPolicy, NotEnforced, PolicyIngress, Unanswered};
    use Confidence::{Confirmed, Possible, Probable};
    let pod = Some(Origin::DestinationPod);
    let joined = check(refused(), Build::new().refused(), AppNotListening, Probable, pod);
    assert!(
        joined
            .advice
            .is_some_and(|advice| advice.starts_with("Start the application"))
    );
    assert_eq!(joined.wire, "RST from the destination pod");
    check(
        denied(refused()),
        denied(Build::new().refused()),
        NotEnforced,
        Possible,
        pod,
    );
    check(refused(), rejected_by_pod(), BlockedNotByPolicy, Probable, pod);
    check(
        Build::new().rejected(),
        rejected_by_pod(),
        BlockedNotByPolicy,
        Probable,
        pod,
    );

    let joined = check(timeout(), Build::new().delivered(), Unanswered, Probable, None);
    assert_eq!(joined.wire, "3 SYNs in 4.0 s, delivered, no answer");
    check(
        timeout(),
        Build::new().delivered().listener(2, 1),
        AcceptQueueFull,
        Confirmed,
        None,
    );
    check(
        denied(timeout()),
        denied(Build::new().delivered()),
        Cause::Undecidable,
        Confidence::Undecidable,
        None,
    );
    let behind = Build::new().delivered().dropped("NETFILTER_DROP", "nft_do_chain");
    let joined = check(denied(timeout()), denied(behind), PolicyIngress, Probable, None);
    assert!(joined.drop.is_some(), "the drop that it rests on");
    check(aborted(), aborted().delivered(), Cause::AbortedByClient, Probable, None);
}

#[test]
fn an_answer_that_left_and_never_came_was_lost() {
    use Cause::{AnswerLost, NotEnforced};
    use Confidence::{Confirmed, Possible};
    for answered in [half_open(), Build::new().refused(), rejected_by_pod()] {
        let joined = check(timeout(), answered, AnswerLost, Possible, None);
        assert_eq!(joined.wire, "3 SYNs in 4.0 s, its answer left and never arrived");
        assert!(
            joined.reasons[0].contains("never reached the client"),
            "{:?}",
            joined.reasons
        );
    }
    check(denied(timeout()), denied(half_open()), NotEnforced, Possible, None);
    let dropped = half_open().dropped_at(Place::Node, Segment::SynAck, "NETFILTER_DROP", "nft_do_chain");
    check(timeout(), dropped, AnswerLost, Confirmed, None);
}

#[test]
fn the_owner_concludes_where_the_other_saw_another_end() {
    use Cause::{AbortedByClient, PolicyRejected, RefusedByUnknown};
    use Confidence::{Possible, Probable};
    let (path, unknown) = (Some(Origin::Path), Some(Origin::Unknown));
    let silent = || Build::new().delivered();
    let joined = check(
        denied(Build::new().rejected()),
        denied(silent()),
        PolicyRejected,
        Possible,
        path,
    );
    assert!(joined.wire.ends_with(", delivered"), "{}", joined.wire);
    check(aborted(), silent(), AbortedByClient, Probable, None);
    // What the advice was has been done.
    let joined = check(refused(), silent(), RefusedByUnknown, Possible, unknown);
    assert_eq!(joined.advice, None);
    let told = |fact: &Fact| fact.kind == "other-node" && fact.text.starts_with("node b saw of it: timeout, ");
    assert!(joined.evidence.iter().any(told), "{:?}", joined.evidence);
    assert!(joined.evidence.iter().all(|fact| fact.kind != "not-observed"));
}

#[test]
fn what_the_owner_saw_die_is_not_explained_away() {
    let dropped = timeout()
        .denied(Direction::Egress)
        .dropped("NETFILTER_DROP", "nft_do_chain");
    assert_eq!(at_client(dropped.clone()).confidence, Some(Confidence::Probable));
    let seen = Build::new().delivered().denied(Direction::Egress);
    let joined = check(dropped, seen, Cause::PolicyEgress, Confidence::Possible, None);
    assert!(
        joined
            .reasons
            .iter()
            .any(|reason| reason.contains("a SYN of it reached node b"))
    );
}

#[test]
fn policies_that_the_nodes_answer_differently_leave_it_open() {
    let undecidable = |client, server| check(client, server, Cause::Undecidable, Confidence::Undecidable, None);
    let joined = undecidable(denied(timeout()), Build::new().delivered());
    assert!(joined.reasons[0].contains("as node b knows it"), "{:?}", joined.reasons);
    assert_eq!((joined.advice, joined.verdict.decision), (None, Decision::Denied));
    undecidable(timeout(), denied(half_open()));
    undecidable(timeout().denied(Direction::Egress), denied(Build::new().delivered()));
    undecidable(timeout(), Build::new().delivered().open(Undecidable::SourceRewritten));
}

#[test]
fn where_only_the_backend_was_unknown_the_other_node_names_it() {
    let dialled = |open| refused().service(80, &[(true, false), (true, false)]).open(open);
    let pod = Some(Origin::DestinationPod);
    // Whether a node stood in for the client is seen there too.
    for open in [Undecidable::NoTarget, Undecidable::SourceRewritten] {
        let seen = Build::new().refused();
        check(dialled(open), seen, Cause::AppNotListening, Confidence::Probable, pod);
    }
    let seen = Build::new().refused();
    let dialled = dialled(Undecidable::BackendUnknown);
    let joined = check(dialled, seen, Cause::AppNotListening, Confidence::Probable, pod);
    assert_eq!(joined.verdict.decision, Decision::Allowed);
    let to = &joined.destination;
    let backend = to.backend.as_ref().expect("a backend");
    assert_eq!((backend.port, backend.name.as_deref()), (2283, Some("immich-server-0")));
    assert_eq!((to.party.port, to.party.name.as_deref()), (80, Some("immich-server-0")));
    assert_eq!(to.service.as_ref().map(|service| &*service.name), Some("immich"));
}

/// Whatever the two saw: the client's side stays as it is, and nobody claims more than who concluded.
#[test]
fn no_pair_claims_more_than_its_halves() {
    let verdicts: [fn(Build) -> Build; 3] = [|build| build, denied, |build| build.open(Undecidable::HostNetwork)];
    let drops: [fn(Build) -> Build; 2] = [|build| build, |build| build.dropped("NETFILTER_DROP", "nft_do_chain")];
    let mut owners = Vec::new();
    let mut others = Vec::new();
    for outcome in Outcome::ALL {
        for origin in Origin::ALL.map(Some).into_iter().chain([None]) {
            for verdict in verdicts {
                for drop in drops {
                    let build = || drop(verdict(Build::new().outcome(outcome, origin)));
                    // What left the destination is not seen here.
                    owners.extend((origin != Some(Origin::DestinationPod)).then(|| at_client(build())));
                    others.push(at_server(build().delivered()));
                }
            }
        }
    }
    // Half-open is what nobody sees who does not see the destination.
    let fails = |owner: &&Record| !matches!(owner.outcome, Outcome::Connected | Outcome::HalfOpen);
    for owner in owners.iter().filter(fails) {
        for seen in &others {
            let mut joined = owner.clone();
            join(&mut joined, seen);
            let client = |record: &Record| {
                let Record {
                    id,
                    node,
                    time,
                    decided,
                    outcome,
                    is_final,
                    syns,
                    source_observed,
                    ..
                } = record.clone();
                (id, node, time, decided, outcome, is_final, syns, source_observed)
            };
            assert_eq!(client(&joined), client(owner));
            assert_eq!(joined.cause.is_none(), joined.confidence.is_none());
            let bound = match joined.cause {
                Some(Cause::Undecidable) => Some(Confidence::Undecidable),
                cause if cause == seen.cause && joined.reasons.len() == seen.reasons.len() => seen.confidence,
                Some(Cause::AnswerLost) => Some(Confidence::Possible),
                cause if cause == owner.cause => owner.confidence,
                cause => panic!("nobody said {cause:?} of {owner:#?} and {seen:#?}"),
            };
            assert!(joined.confidence <= bound, "{joined:#?}");
            assert!(joined.cause.is_some(), "a failure has a cause: {owner:#?} {seen:#?}");
            if joined.cause == Some(Cause::AppNotListening) {
                assert_eq!(seen.outcome, Outcome::Refused);
            }
        }
    }
}

/// As text: equal records are equal in everything that is told.
fn json(record: &Record) -> String {
    serde_json::to_string(record).expect("JSON")
}

fn live() -> Merger {
    let mut merger = Merger::new(Config::CLUSTER);
    for node in ["a", "b"] {
        merger.input(Input::Opened(node.into()), BEGIN);
        merger.input(Input::CaughtUp(node.into(), FIRST), BEGIN);
    }
    merger
}

fn give(merger: &mut Merger, record: &Record, now: Time) -> Vec<Record> {
    merger.input(Input::Record(record.node.clone(), Box::new(record.clone())), now);
    merger.take(now)
}

#[test]
fn whoever_comes_first_the_record_is_the_same() {
    let first = |node: &str| provisional(node, 7, 1_000);
    let a = [first("a"), half("a", 7, 4_000)];
    let b = [at_destination(first("b")), other_half("b", 7, 4_100)];
    let orders: [[&Record; 4]; 6] = [
        [&a[0], &a[1], &b[0], &b[1]],
        [&a[0], &b[0], &a[1], &b[1]],
        [&a[0], &b[0], &b[1], &a[1]],
        [&b[0], &a[0], &a[1], &b[1]],
        [&b[0], &a[0], &b[1], &a[1]],
        [&b[0], &b[1], &a[0], &a[1]],
    ];
    let mut expect = None;
    for order in orders {
        for pause in [0, 300] {
            let mut merger = live();
            let mut given = Vec::new();
            for (number, record) in (0..).zip(order) {
                given.extend(give(&mut merger, record, BEGIN + ms(number * pause)));
            }
            given.extend(merger.take(BEGIN + ms(20_000)));
            given.retain(|record| record.is_final);
            let [joined] = given.as_slice() else {
                panic!("one record: {given:#?}");
            };
            assert_eq!((joined.id.as_str(), joined.cause), ("a-7", Some(Cause::Unanswered)));
            assert_eq!(expect.get_or_insert_with(|| json(joined)), &json(joined));
        }
    }
}

#[test]
fn a_failure_waits_for_its_other_half_and_no_longer_than_the_hold() {
    let mut play = Play::of(&["a", "b"]);
    // Nothing earlier can come, but the other half.
    play.tell(&half("a", 7, 1_000)).tell(&record("b", 8, 1_500)).gave(&[]);
    play.wait(500).tell(&other_half("b", 7, 1_600)).gave(&["a-7"]);
    play.wait(10_000).gave(&["b-8"]);
    play.tell(&half("a", 9, 12_000)).tell(&record("b", 10, 12_500));
    play.wait(999).gave(&[]).wait(1).gave(&["a-9", "b-10"]);
    // Nobody is left who could know more.
    play.tell(&half("a", 11, 13_000)).gave(&[]);
    play.merger.input(Input::Closed("b".into()), play.now);
    play.merger.input(Input::Closed("a".into()), play.now);
    play.take().gave(&["a-11"]);
}

#[test]
fn what_the_other_half_changes_later_is_told_as_one_revision() {
    let mut merger = live();
    let owner = half("a", 7, 4_000);
    assert!(give(&mut merger, &owner, BEGIN).is_empty());
    let given = merger.take(BEGIN + ms(1_000));
    assert_eq!(given.iter().map(json).collect::<Vec<_>>(), [json(&owner)]);
    // A provisional word corrects nothing.
    let mut now = BEGIN + ms(5_000);
    let first_word = at_destination(Record {
        is_final: false,
        ..other_half("b", 7, 4_050)
    });
    assert!(give(&mut merger, &first_word, now).is_empty());
    assert!(merger.take(now + ms(4_000)).is_empty());
    let seen = other_half("b", 7, 4_100);
    give(&mut merger, &seen, now);
    now = now + ms(4_000);
    let corrected = merger.take(now);
    let [revision] = corrected.as_slice() else {
        panic!("one correction: {corrected:#?}");
    };
    assert_eq!((revision.kind, revision.is_final), (RecordType::Revision, false));
    assert_eq!((&revision.id, &revision.node), (&owner.id, &owner.node));
    assert_eq!((revision.time, revision.decided), (owner.time, seen.decided));
    assert_eq!(revision.cause, Some(Cause::Unanswered));
    // Its node corrects itself: the owner's was corrected.
    let again = Record {
        kind: RecordType::Revision,
        is_final: false,
        ..other_half("b", 7, 9_000)
    };
    give(&mut merger, &again, now);
    assert!(merger.take(now + ms(4_000)).is_empty());
    assert_eq!(merger.counts().joined, 2);
}

#[test]
fn what_changes_nothing_is_not_told_again() {
    let mut merger = live();
    // Its own drop explains it, and what arrived there died there too.
    let build = Build::new().unobserved().outcome(Outcome::Aborted, None);
    let owner = super::told(build.clone(), "a", 7, 4_000);
    let owner = Record {
        reach: Reach::Delivered,
        ..owner
    };
    give(&mut merger, &owner, BEGIN);
    assert_eq!(merger.take(BEGIN + ms(1_000)).len(), 1);
    let seen = at_destination(super::told(build.delivered(), "b", 7, 4_100));
    give(&mut merger, &seen, BEGIN + ms(5_000));
    assert!(merger.take(BEGIN + ms(9_000)).is_empty());
}

#[test]
fn a_connection_is_told_as_its_owner_saw_it() {
    let mut merger = live();
    let owner = record("a", 7, 1_000);
    give(&mut merger, &other_half("b", 7, 1_000), BEGIN);
    let given = give(&mut merger, &owner, BEGIN);
    assert_eq!(given.iter().map(json).collect::<Vec<_>>(), [json(&owner)]);
}
