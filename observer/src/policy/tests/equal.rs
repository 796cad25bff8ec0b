//! The evaluator and the reference say the same of generated clusters.
//!
//! Clusters are made of the short strings of `fixtures`, so that a counterexample reads as a case that one could type. Each
//! is asked every question that its parties make, in both directions: 1,680 of a cluster at rest. Every run asks a million
//! of these; `PROPTEST_CASES` sets the number of clusters, and `cargo xtask test --thorough` takes ten thousand.

use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{TestError, TestRunner};

use super::cluster_generated::{ClusterText, cluster_policies, read_cluster_policy};
use super::cluster_text::node;
use super::fixtures::{Cluster, labels, name, namespace};
use super::generated::{LABELS, NAMESPACES, PodText, PolicyText, cluster, newest, pods, policies};
use super::nearest::remedies_work;
use super::tier_remedies::advice_helps;
use crate::objects::{Change, ClusterPolicy, Kind, Name, Object, Pod};
use crate::policy::reference::{Moment, answers};
use crate::policy::{Decision, Direction, DirectionDecided, Policies, Question, Undecidable};
use crate::time::Time;

const ASKED: [&str; 5] = ["TCP 80", "TCP 81", "UDP 80", "SCTP 80", "TCP 8080"];

const PARTIES: [&str; 15] = [
    "n/0",
    "m/1",
    "gone/2",
    "n/3",
    "m/4",
    "gone/5",
    "rewritten n/0",
    "rewritten m/1",
    "node n1",
    "node n2 gone/5",
    "node ?",
    "1.2.3.4",
    "127.0.0.1",
    "1.2.9.9",
    "2001:db8::1",
];

fn questions(cluster: &Cluster, parties: &[&str], at: Time) -> Vec<(String, Question)> {
    let mut questions = Vec::new();
    for from in parties {
        for to in parties.iter().filter(|to| !to.starts_with("rewritten")) {
            for on in ASKED {
                for v6 in [false, true] {
                    let text = format!("{from} -> {to} : {on} (IPv6: {v6})");
                    let question = Question {
                        at,
                        ..cluster.question(from, to, on, v6)
                    };
                    questions.push((text, question));
                }
            }
        }
    }
    questions
}

/// One answer from all: the first where they agree on whether it is denied.
fn consensus(answers: &[Decision]) -> Decision {
    let denied = answers.iter().filter(|answer| **answer == Decision::Denied).count();
    if denied == 0 || denied == answers.len() {
        answers[0]
    } else {
        Decision::Undecidable
    }
}

fn both(policies: &Policies, question: &Question) -> [(Direction, DirectionDecided); 2] {
    let decided = policies.decide(question);
    [
        (Direction::Egress, decided.egress),
        (Direction::Ingress, decided.ingress),
    ]
}

fn moment(policies: &[PolicyText], namespace_labels: &[&str]) -> Moment {
    let namespaces = NAMESPACES.iter().zip(namespace_labels).map(|(name, labels)| {
        let Object::Namespace(namespace) = namespace(name, labels) else {
            unreachable!("it is one")
        };
        namespace
    });
    Moment {
        namespaces: namespaces.collect(),
        policies: newest(policies),
        ..Moment::default()
    }
}

/// So many of them are asked a million questions together.
const CLUSTERS_AT_REST: u32 = 600;

#[test]
fn a_run_asks_a_million_questions() {
    let cluster = cluster(&[("", 0, None); 6], &["", ""]);
    let each = questions(&cluster, &PARTIES, Time(1)).len();
    assert!(each * CLUSTERS_AT_REST as usize >= 1_000_000, "{each} a cluster");
}

/// So many clusters, unless the environment says how many.
fn clusters(cases: u32) -> ProptestConfig {
    let given = ProptestConfig::default();
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => given,
        None => ProptestConfig { cases, ..given },
    }
}

/// What is compared with the reference.
#[derive(Clone, Copy, Debug)]
pub(super) enum Comparison {
    /// A cluster that stays as it is.
    AtRest,
    /// A cluster that changes.
    InTime,
}

impl Comparison {
    pub(super) const ALL: [Self; 2] = [Self::AtRest, Self::InTime];
}

/// The counterexample that is found in as many clusters as the runner is configured for.
pub(super) fn counterexample(comparison: Comparison, runner: &mut TestRunner) -> Option<String> {
    fn told<T>(result: Result<(), TestError<T>>) -> Option<String> {
        match result {
            Ok(()) => None,
            Err(TestError::Fail(why, _)) => Some(why.to_string()),
            Err(TestError::Abort(why)) => panic!("{why}"),
        }
    }
    match comparison {
        Comparison::AtRest => {
            let clusters = (
                policies(6),
                pods(),
                select(&LABELS),
                select(&LABELS),
                cluster_policies(),
            );
            told(runner.run(&clusters, |(policies, pods, n, m, tiers)| {
                is_equal(&policies, &pods, [n, m], &tiers)
            }))
        }
        Comparison::InTime => {
            let clusters = (pods(), steps());
            told(runner.run(&clusters, |(pods, steps)| every_version_is_asked(&pods, steps)))
        }
    }
}

/// Policies that change, labels of a namespace, of a pod and of a node, and whether policies that are there are removed.
#[derive(Clone, Debug)]
struct Step {
    policies: Vec<PolicyText>,
    tiers: Vec<ClusterText>,
    namespace: &'static str,
    pod: &'static str,
    node: &'static str,
    remove: bool,
}

prop_compose! {
    fn step()(
        policies in policies(1),
        tiers in cluster_policies(),
        namespace in select(&LABELS),
        pod in select(&LABELS),
        node in select(&LABELS),
        remove in any::<bool>(),
    ) -> Step {
        let tiers = tiers.into_iter().take(1).collect();
        Step { policies, tiers, namespace, pod, node, remove }
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(step(), 1..6)
}

fn is_equal(
    policies: &[PolicyText],
    pods: &[PodText],
    [n, m]: [&str; 2],
    tiers: &[ClusterText],
) -> Result<(), TestCaseError> {
    // The third namespace has no object.
    let mut cluster = cluster(pods, &[n, m]);
    let mut moment = moment(policies, &[n, m]);
    for (name, text, address) in [("n1", n, "192.168.0.1"), ("n2", m, "fd99::1")] {
        let node = node(name, text, &[address]);
        cluster.set(node.clone(), Time::BEGINNING);
        if let Object::Node(node) = node {
            moment.nodes.push(node);
        }
    }
    for policy in tiers.iter().map(read_cluster_policy) {
        cluster.set(Object::ClusterPolicy(policy.clone()), Time::BEGINNING);
        moment.cluster.push(policy);
    }
    for policy in policies {
        cluster = cluster.policy(policy.policy());
    }
    for (text, question) in questions(&cluster, &PARTIES, Time(1_000_000_000_000)) {
        for (direction, decided) in both(&cluster.policies, &question) {
            let expected = consensus(&answers(&moment, &question, direction, &[]));
            prop_assert_eq!(decided.decision, expected, "{} of {}", direction, text);
            prop_assert!(decided.undecidable != Some(Undecidable::Changing));
        }
    }
    Ok(())
}

fn every_version_is_asked(pods: &[PodText], steps: Vec<Step>) -> Result<(), TestCaseError> {
    let mut cluster = cluster(pods, &["", ""]);
    let mut text: Vec<PolicyText> = Vec::new();
    let mut moments = vec![(Time::BEGINNING, moment(&[], &["", ""]))];
    let mut relabelled = cluster.find("n/0");
    let mut tiers: Vec<Arc<ClusterPolicy>> = Vec::new();
    for (second, step) in (10..).zip(steps) {
        let at = Time(second * 1_000_000_000);
        let changed = text.clone();
        for policy in &step.policies {
            if step.remove && changed.iter().any(|other| other.of == policy.of) {
                text.retain(|other| other.of != policy.of);
                let gone = Change::Remove(Kind::NetworkPolicy, name(&policy.of));
                cluster.policies.apply(&gone, at);
            } else {
                text.push(policy.clone());
                cluster.set(Object::NetworkPolicy(Arc::new(policy.policy())), at);
            }
        }
        for policy in step.tiers.iter().map(read_cluster_policy) {
            let same = |other: &Arc<ClusterPolicy>| other.kind == policy.kind && other.name == policy.name;
            let known = tiers.iter().any(same);
            tiers.retain(|other| !same(other));
            if step.remove && known {
                let gone = Change::Remove(policy.kind.kind(), Name::new("", policy.name.clone()));
                cluster.policies.apply(&gone, at);
            } else {
                tiers.push(policy.clone());
                cluster.set(Object::ClusterPolicy(policy), at);
            }
        }
        let node = node("n1", step.node, &["192.168.0.1", "fd99::1"]);
        cluster.set(node.clone(), at);
        cluster.set(namespace("n", step.namespace), at);
        relabelled = Arc::new(Pod {
            labels: labels(step.pod),
            ..(*relabelled).clone()
        });
        cluster.set(Object::Pod(relabelled.clone()), at);
        cluster.pods[0] = relabelled.clone();
        let mut now = moment(&text, &[step.namespace, ""]);
        now.pods.push(relabelled.clone());
        now.cluster.clone_from(&tiers);
        if let Object::Node(node) = node {
            now.nodes.push(node);
        }
        moments.push((at, now));
        if second % 2 == 0 {
            cluster.policies.prune(at);
            cluster.policies.renumber();
        }
        for (text, question) in questions(&cluster, &["n/0", "m/1", "n/3", "node n2", "1.2.3.4"], at) {
            let after = at - cluster.policies.config.window;
            let last_before = moments.iter().rposition(|(from, _)| *from <= after).unwrap_or(0);
            for (direction, decided) in both(&cluster.policies, &question) {
                let seen: Vec<_> = moments[last_before..]
                    .iter()
                    .rev()
                    .flat_map(|(_, moment)| answers(moment, &question, direction, &[]))
                    .collect();
                prop_assert_eq!(decided.decision, consensus(&seen), "{} of {}", direction, text);
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(clusters(CLUSTERS_AT_REST))]

    #[test]
    fn the_evaluator_and_the_reference_are_equal(
        policies in policies(6),
        pods in pods(),
        n in select(&LABELS),
        m in select(&LABELS),
        tiers in cluster_policies(),
    ) {
        is_equal(&policies, &pods, [n, m], &tiers)?;
    }
}

proptest! {
    #![proptest_config(clusters(48))]

    #[test]
    fn an_answer_about_an_unknown_party_holds_whoever_it_is(policies in policies(5), pods in pods(), n in select(&LABELS), tiers in cluster_policies()) {
        let mut cluster = cluster(&pods, &[n, "b=x"]);
        let mut moment = moment(&policies, &[n, "b=x"]);
        for policy in tiers.iter().map(read_cluster_policy) {
            cluster.set(Object::ClusterPolicy(policy.clone()), Time::BEGINNING);
            moment.cluster.push(policy);
        }
        for policy in &policies {
            cluster = cluster.policy(policy.policy());
        }
        // Every pod that the alphabet can make.
        let mut anybody = Vec::new();
        for namespace in NAMESPACES {
            for text in LABELS {
                for pod in &cluster.pods[..3] {
                    anybody.push(Arc::new(Pod {
                        name: name(&format!("{namespace}/any")),
                        uid: "any".into(),
                        labels: labels(text),
                        ..(**pod).clone()
                    }));
                }
            }
        }
        let asked = questions(&cluster, &["n/0", "gone/2", "1.2.3.4", "unknown"], Time(5)).into_iter();
        // Anybody to anybody is thousands of worlds: one question of that kind.
        let one = |text: &str| !text.starts_with("unknown -> unknown") || text.ends_with("TCP 80 (IPv6: false)");
        for (text, question) in asked.filter(|(text, _)| one(text)) {
            for (direction, decided) in both(&cluster.policies, &question) {
                let possible = answers(&moment, &question, direction, &anybody);
                let denied = possible.iter().filter(|answer| **answer == Decision::Denied).count();
                match decided.decision {
                    Decision::Undecidable => {}
                    Decision::Denied => prop_assert_eq!(denied, possible.len(), "{} of {}", direction, text),
                    _ => prop_assert_eq!(denied, 0, "{} of {}", direction, text),
                }
            }
        }
    }

    #[test]
    fn every_version_within_the_window_is_asked(
        pods in pods(),
        steps in steps(),
    ) {
        every_version_is_asked(&pods, steps)?;
    }

    #[test]
    fn every_proposed_change_allows_the_attempt(policies in policies(3), pods in pods(), n in select(&LABELS)) {
        let mut cluster = cluster(&pods, &[n, "b=x"]);
        for policy in &policies {
            cluster = cluster.policy(policy.policy());
        }
        for (_, question) in questions(&cluster, &["n/0", "m/1", "n/3", "node n2 gone/5", "1.2.3.4", "2001:db8::1"], Time(5)) {
            remedies_work(&cluster.policies, &question);
        }
    }
    #[test]
    fn every_rule_that_is_advised_allows_the_attempt(policies in policies(1), pods in pods(), n in select(&LABELS), tiers in cluster_policies()) {
        let mut cluster = cluster(&pods, &[n, "b=x"]);
        for policy in &policies {
            cluster = cluster.policy(policy.policy());
        }
        let tiers: Vec<_> = tiers.iter().map(read_cluster_policy).collect();
        for policy in &tiers {
            cluster.set(Object::ClusterPolicy(policy.clone()), Time::BEGINNING);
        }
        let mut at = Time(1_000_000_000_000);
        for (_, mut question) in questions(&cluster, &["n/0", "m/1", "n/3", "gone/2", "node n2", "1.2.3.4"], at) {
            question.at = at;
            advice_helps(&mut cluster.policies, &tiers, &mut question);
            at = question.at;
        }
    }
}
