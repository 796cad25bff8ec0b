//! Versions, the propagation window, and what changed shortly before.

use std::sync::Arc;
use std::time::Duration;

use super::fixtures::{Cluster, egress, ingress, labels, name, namespace, rule, said};
use crate::objects::{Change, Kind, NetworkPolicy, Object, Pod};
use crate::policy::{Caveat, Config, PolicyChange, PolicyChangeKind, Question};
use crate::time::Time;

/// A second of the test's time.
fn s(seconds: u64) -> Time {
    Time(seconds * 1_000_000_000)
}

fn two() -> Cluster {
    Cluster::new()
        .namespace("x", "")
        .namespace("y", "team=blue")
        .pod("x/a", "app=a")
        .pod("y/b", "app=b")
}

fn at(cluster: &Cluster, time: Time) -> Question {
    Question {
        at: time,
        ..cluster.question("x/a", "y/b", "TCP 80", false)
    }
}

/// The answers at several seconds.
#[track_caller]
fn check(cluster: &Cluster, expected: &[(u64, &str)]) {
    for (second, answer) in expected {
        let question = at(cluster, s(*second));
        assert_eq!(said(&cluster.policies, &question), *answer, "at {second} s");
    }
}

fn set(policy: NetworkPolicy) -> Change {
    Change::Set(Object::NetworkPolicy(Arc::new(policy)))
}

fn remove(of: &str) -> Change {
    Change::Remove(Kind::NetworkPolicy, name(of))
}

#[test]
fn a_verdict_is_as_of_the_question_and_open_within_the_window() {
    let mut cluster = two();
    cluster.policies.apply(&set(ingress("y/deny", "", &[])), s(100));
    cluster.policies.apply(&remove("y/deny"), s(200));
    check(
        &cluster,
        &[
            (99, "open, open"),
            (100, "open, policies-changing"),
            (102, "open, policies-changing"),
            (103, "open, denied"),
            (199, "open, denied"),
            (200, "open, policies-changing"),
            (202, "open, policies-changing"),
            (203, "open, open"),
        ],
    );
}

#[test]
fn a_change_that_turns_nothing_leaves_the_answer_decided() {
    let mut cluster = two().policy(ingress("y/deny", "", &[]));
    let other = ingress("y/other", "", &[rule(&["pods app=nobody"], &[])]);
    cluster.policies.apply(&set(other), s(100));
    cluster.policies.apply(&set(ingress("z/elsewhere", "", &[])), s(100));
    check(&cluster, &[(100, "open, denied"), (101, "open, denied")]);
}

#[test]
fn a_change_there_and_back_within_the_window_is_seen() {
    let mut cluster = two();
    cluster.policies.apply(&set(ingress("y/deny", "", &[])), s(100));
    cluster.policies.apply(&remove("y/deny"), s(101));
    check(&cluster, &[(102, "open, policies-changing"), (104, "open, open")]);
}

#[test]
fn what_the_first_load_brought_opens_no_window() {
    let cluster = two().policy(ingress("y/deny", "", &[]));
    check(&cluster, &[(0, "open, denied"), (1, "open, denied")]);
}

#[test]
fn a_window_of_zero_is_in_force_at_once() {
    let mut cluster = two();
    cluster.policies = crate::policy::Policies::new(Config {
        window: Duration::ZERO,
        ..Config::default()
    });
    cluster.policies.apply(&set(ingress("y/deny", "", &[])), s(100));
    check(&cluster, &[(99, "open, open"), (100, "open, denied")]);
}

#[test]
fn an_attempt_that_went_on_sees_the_changes_meanwhile() {
    let mut cluster = two().policy(ingress("y/deny", "", &[]));
    cluster.policies.apply(&remove("y/deny"), s(101));
    let question = at(&cluster, s(100));
    let decided = |until| {
        cluster
            .policies
            .decide_until(&question, until)
            .ingress
            .undecidable
            .map(|reason| reason.code())
    };
    assert_eq!(decided(s(100)), None);
    assert_eq!(decided(s(104)), Some("policies-changing"));
}

#[test]
fn labels_of_pods_and_namespaces_change_too() {
    let mut cluster = two().policy(ingress("y/in", "app=b", &[rule(&["ns team=red"], &[])]));
    cluster.set(namespace("x", "team=red"), s(100));
    check(
        &cluster,
        &[
            (99, "open, denied"),
            (101, "open, policies-changing"),
            (103, "open, allowed"),
        ],
    );
    // The question carries the pod as it was; within the window the earlier labels may still be in force.
    let mut renamed: Pod = (*cluster.find("y/b")).clone();
    renamed.labels = labels("app=c");
    let renamed = Arc::new(renamed);
    cluster.set(namespace("x", ""), s(200));
    cluster.set(Object::Pod(renamed.clone()), s(300));
    check(&cluster, &[(299, "open, denied")]);
    cluster.pods.retain(|pod| pod.name != renamed.name);
    cluster.pods.push(renamed);
    check(&cluster, &[(301, "open, policies-changing"), (303, "open, open")]);
}

#[test]
fn another_incarnation_has_no_earlier_labels() {
    let mut cluster = two().policy(ingress("y/in", "app=b", &[]));
    let mut next: Pod = (*cluster.find("y/b")).clone();
    next.uid = "next".into();
    next.labels = labels("app=c");
    let next = Arc::new(next);
    cluster.set(Object::Pod(next.clone()), s(100));
    cluster.pods.retain(|pod| pod.name != next.name);
    cluster.pods.push(next);
    check(&cluster, &[(101, "open, open")]);
}

#[test]
fn recent_changes_are_told_newest_first() {
    let mut cluster = two().policy(NetworkPolicy {
        created: Some(s(950)),
        ..ingress("y/old", "", &[])
    });
    let changes = |cluster: &Cluster, time| cluster.policies.judge(&at(cluster, time)).changes;
    let told = |policy: &str, what, second| PolicyChange {
        policy: name(policy),
        what,
        at: s(second),
    };
    cluster.policies.apply(&set(egress("x/out", "", &[])), s(1000));
    cluster
        .policies
        .apply(&set(egress("x/other", "app=other", &[])), s(1001));
    cluster.policies.apply(&set(egress("x/out", "app=a", &[])), s(1010));
    cluster.policies.apply(&remove("x/out"), s(1020));
    assert_eq!(
        changes(&cluster, s(1030)),
        [
            told("x/out", PolicyChangeKind::Deleted, 1020),
            told("x/out", PolicyChangeKind::Changed, 1010),
            told("x/out", PolicyChangeKind::Created, 1000),
            told("y/old", PolicyChangeKind::Created, 950),
        ]
    );
    assert_eq!(changes(&cluster, s(1005)).len(), 2);
    assert_eq!(changes(&cluster, s(940)), []);
    cluster.policies.prune(s(1615));
    assert_eq!(
        changes(&cluster, s(1615)),
        [told("x/out", PolicyChangeKind::Deleted, 1020)]
    );
}

#[test]
fn the_same_policy_again_is_no_change() {
    let mut cluster = two().policy(ingress("y/deny", "", &[]));
    let again = NetworkPolicy {
        created: Some(s(5)),
        ..ingress("y/deny", "", &[])
    };
    cluster.policies.apply(&set(again), s(100));
    assert_eq!(cluster.policies.judge(&at(&cluster, s(101))).changes, []);
}

#[test]
fn pruning_keeps_what_is_in_force() {
    let mut cluster = two().policy(ingress("y/deny", "", &[]));
    cluster.policies.apply(&set(ingress("y/later", "", &[])), s(100));
    cluster.policies.apply(&remove("y/later"), s(101));
    cluster.policies.prune(s(10_000));
    assert_eq!(cluster.policies.versions_of("y").len(), 1);
    check(&cluster, &[(10_000, "open, denied")]);
}

/// "What the first load brought is old" (the design), even where it says of itself that it is not.
#[test]
fn a_policy_of_the_first_load_that_was_created_after_the_question_is_a_caveat() {
    let created = || NetworkPolicy {
        created: Some(s(50)),
        ..ingress("y/in", "", &[])
    };
    let caveats = |cluster: &Cluster, second| cluster.policies.judge(&at(cluster, s(second))).caveats;
    let mut cluster = two();
    cluster.policies.apply(&set(created()), Time::BEGINNING);
    check(&cluster, &[(40, "open, denied"), (60, "open, denied")]);
    assert_eq!(caveats(&cluster, 40), [Caveat::CreatedLater]);
    assert_eq!(caveats(&cluster, 60), []);
    // Heard of while running: the server's clock is ahead.
    let mut cluster = two();
    cluster.policies.apply(&set(created()), s(45));
    assert_eq!(caveats(&cluster, 49), []);
}
