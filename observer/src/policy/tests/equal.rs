//! The evaluator and the reference say the same of generated clusters.
//!
//! Clusters are made of the short strings of `fixtures`, so that a counterexample reads as a case that one could type.
//! `PROPTEST_CASES` sets how many clusters; each is asked every question that its parties make. `cargo xtask test --thorough`
//! asks ten thousand.

use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use proptest::test_runner::{TestError, TestRunner};

use super::cluster_generated::{ClusterText, cluster_policies, read_cluster_policy};
use super::cluster_text::node;
use super::fixtures::{Cluster, container_port, egress, ingress, labels, name, namespace, rule};
use super::nearest::remedies_work;
use crate::objects::{Change, Kind, NetworkPolicy, Object, Pod, Protocol, Rule};
use crate::policy::reference::{Moment, answers};
use crate::policy::{Decision, Direction, DirectionDecided, Policies, Question, Undecidable};
use crate::time::Time;

const LABELS: [&str; 6] = ["", "a=x", "a=y", "a=x,b=x", "a=,b=y", "b=x"];
pub(super) const SELECTORS: [&str; 14] = [
    "",
    "",
    "a=x",
    "a=x",
    "a=y",
    "b=x",
    "a=",
    "a=x, b=x",
    "a in (x y)",
    "a notin (x)",
    "b notin (x y), a",
    "a",
    "!b",
    "!a, b notin (y)",
];
const NAMESPACES: [&str; 3] = ["n", "m", "gone"];
const BLOCKS: [&str; 8] = [
    "0.0.0.0/0",
    "::/0",
    "10.0.0.2/31",
    "10.0.0.9/8 except 10.0.0.2/32",
    "192.168.0.0/16",
    "1.2.0.0/15 except 1.2.3.0/24 except 1.3.0.0/16",
    "fd00::2/127",
    "2001:db8::/32 except 2001:db8:1::/48",
];
const PORTS: [&str; 10] = [
    "TCP",
    "TCP 80",
    "TCP 79-81",
    "TCP 81-90",
    "UDP 80",
    "UDP",
    "SCTP",
    "TCP http",
    "UDP http",
    "TCP other",
];
const ASKED: [&str; 5] = ["TCP 80", "TCP 81", "UDP 80", "SCTP 80", "TCP 8080"];

/// A policy in words.
#[derive(Clone, Debug)]
struct PolicyText {
    of: String,
    pods: &'static str,
    ingress: Option<Vec<RuleText>>,
    egress: Option<Vec<RuleText>>,
}

/// A rule in words: peers, ports.
type RuleText = (Vec<String>, Vec<&'static str>);

/// Labels, which container ports, and on which node a pod is, if any.
type PodText = (&'static str, usize, Option<&'static str>);

fn peers() -> impl Strategy<Value = String> {
    let namespaces = select(&[
        "ns",
        "ns a=x",
        "ns a",
        "ns !a",
        "ns a notin (x), b notin (y)",
        "ns kubernetes.io/metadata.name=gone",
        "ns kubernetes.io/metadata.name in (n m)",
    ]);
    prop_oneof![
        select(&SELECTORS).prop_map(|pods| format!("pods {pods}")),
        namespaces.clone().prop_map(String::from),
        (namespaces, select(&SELECTORS)).prop_map(|(namespace, pods)| format!("{namespace} / pods {pods}")),
        select(&BLOCKS).prop_map(|block| format!("block {block}")),
    ]
}

fn rules() -> impl Strategy<Value = Option<Vec<RuleText>>> {
    let ports = subsequence(PORTS.to_vec(), 0..3);
    let rule = (prop::collection::vec(peers(), 0..3), ports);
    prop_oneof![
        1 => Just(None),
        3 => prop::collection::vec(rule, 0..3).prop_map(Some),
    ]
}

fn policies(most: usize) -> impl Strategy<Value = Vec<PolicyText>> {
    let policy = (select(&NAMESPACES), select(&SELECTORS), rules(), rules(), 0..4_u8);
    let policy = policy.prop_map(|(namespace, pods, ingress, egress, number)| PolicyText {
        of: format!("{namespace}/p{number}"),
        pods,
        ingress,
        egress,
    });
    prop::collection::vec(policy, 0..=most)
}

fn pods() -> impl Strategy<Value = Vec<PodText>> {
    let node = select(&[Some("n1"), Some("n1"), Some("n2"), None]);
    prop::collection::vec((select(&LABELS), 0..4_usize, node), 6)
}

impl PolicyText {
    fn policy(&self) -> NetworkPolicy {
        let read = |rules: &Option<Vec<RuleText>>| -> Vec<Rule> {
            let rules = rules.iter().flatten();
            rules
                .map(|(peers, ports)| rule(&peers.iter().map(String::as_str).collect::<Vec<_>>(), ports))
                .collect()
        };
        let (into, out) = (read(&self.ingress), read(&self.egress));
        NetworkPolicy {
            isolates_egress: self.egress.is_some(),
            isolates_ingress: self.ingress.is_some(),
            egress: out.clone(),
            ..match self.ingress {
                Some(_) => ingress(&self.of, self.pods, &into),
                None => egress(&self.of, self.pods, &out),
            }
        }
    }
}

/// Pods `n/0` to `gone/2`; the last is a hostNetwork pod, a candidate on its node.
fn cluster(pods: &[PodText], namespace_labels: &[&str]) -> Cluster {
    let mut cluster = Cluster::new();
    for (name, labels) in NAMESPACES.iter().zip(namespace_labels) {
        cluster = cluster.namespace(name, labels);
    }
    for (index, (labels, ports, node)) in pods.iter().enumerate() {
        let of = format!("{}/{index}", NAMESPACES[index % 3]);
        cluster = cluster.pod_with(&of, labels, |pod| {
            pod.node = node.map(Into::into);
            pod.host_network = index == 5;
            pod.ports = [
                container_port("http", 80, Protocol::Tcp),
                container_port("http", 80, Protocol::Udp),
                container_port("other", 8080, Protocol::Tcp),
            ]
            .into_iter()
            .take(*ports)
            .collect();
        });
    }
    cluster
}

prop_compose! {
    /// Everything of a generated cluster: six pods, two namespaces and a few policies.
    pub(crate) fn objects()(policies in policies(3), pods in pods(), n in select(&LABELS)) -> Vec<Object> {
        let pods = cluster(&pods, &[]).pods.into_iter().map(Object::Pod);
        let namespaces = [namespace("n", n), namespace("m", "b=x")];
        let policies = newest(&policies).into_iter();
        // One that isolates nothing cannot be written: the API server would let it isolate ingress.
        let policies = policies
            .filter(|policy| policy.isolates_ingress || policy.isolates_egress)
            .map(Object::NetworkPolicy);
        namespaces.into_iter().chain(pods).chain(policies).collect()
    }
}

const PARTIES: [&str; 14] = [
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

/// Later policies of the same name replace earlier ones.
fn newest(policies: &[PolicyText]) -> Vec<Arc<NetworkPolicy>> {
    let mut all: Vec<Arc<NetworkPolicy>> = Vec::new();
    for policy in policies {
        let policy = policy.policy();
        all.retain(|other| other.name != policy.name);
        all.push(Arc::new(policy));
    }
    all
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

fn config() -> ProptestConfig {
    let given = ProptestConfig::default();
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => given,
        None => ProptestConfig { cases: 48, ..given },
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
            let clusters = (policies(6), pods(), select(&LABELS), select(&LABELS));
            told(runner.run(&clusters, |(policies, pods, n, m)| {
                is_equal(&policies, &pods, [n, m], &[])
            }))
        }
        Comparison::InTime => {
            let clusters = (pods(), steps());
            told(runner.run(&clusters, |(pods, steps)| every_version_is_asked(&pods, steps)))
        }
    }
}

/// Policies that change, labels of a namespace and of a pod, and whether policies that are there are removed.
type Step = (Vec<PolicyText>, &'static str, &'static str, bool);

fn steps() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec((policies(1), select(&LABELS), select(&LABELS), any::<bool>()), 1..6)
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
    for (second, (policies, namespace_labels, pod_labels, remove)) in (10..).zip(steps) {
        let at = Time(second * 1_000_000_000);
        let changed = text.clone();
        for policy in &policies {
            if remove && changed.iter().any(|other| other.of == policy.of) {
                text.retain(|other| other.of != policy.of);
                cluster
                    .policies
                    .apply(&Change::Remove(Kind::NetworkPolicy, name(&policy.of)), at);
            } else {
                text.push(policy.clone());
                cluster.set(Object::NetworkPolicy(Arc::new(policy.policy())), at);
            }
        }
        cluster.set(namespace("n", namespace_labels), at);
        relabelled = Arc::new(Pod {
            labels: labels(pod_labels),
            ..(*relabelled).clone()
        });
        cluster.set(Object::Pod(relabelled.clone()), at);
        cluster.pods[0] = relabelled.clone();
        let mut now = moment(&text, &[namespace_labels, ""]);
        now.pods.push(relabelled.clone());
        moments.push((at, now));
        if second % 2 == 0 {
            cluster.policies.prune(at);
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
    #![proptest_config(config())]

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
        for (text, question) in questions(&cluster, &["n/0", "gone/2", "1.2.3.4", "unknown"], Time(5)) {
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
}
