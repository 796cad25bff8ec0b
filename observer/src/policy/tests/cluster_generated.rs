//! Generated cluster-wide policies, in words.

use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::cluster_text::{action, cluster_policy};
use super::generated::SELECTORS;
use crate::objects::{Action, ClusterPolicy, ClusterRule};

/// A cluster-wide policy in words: head, subject, ingress rules, egress rules.
pub(super) type ClusterText = (String, String, Vec<ActionText>, Vec<ActionText>);

/// What is done, peers, ports, and whether it fails closed.
pub(super) type ActionText = (Action, Vec<String>, Vec<&'static str>, bool);

fn pod_sets() -> impl Strategy<Value = String> {
    let namespaces = select(&["ns", "ns", "ns a=x", "ns !a", "ns kubernetes.io/metadata.name in (n m)"]);
    (namespaces, select(&SELECTORS)).prop_map(|(namespace, pods)| format!("{namespace} / pods {pods}"))
}

fn actions(elsewhere: bool) -> impl Strategy<Value = Vec<ActionText>> {
    let outside = select(&[
        "nodes",
        "nodes a=x",
        "domain example.org",
        "block 10.0.0.2/31",
        "block 192.168.0.0/16",
        "block 0.0.0.0/0",
        "block fd00::2/127",
    ]);
    let weight = if elsewhere { 2 } else { 0 };
    let peers = prop_oneof![3 => pod_sets(), weight => outside.prop_map(String::from)];
    let ports = subsequence(
        vec!["TCP", "TCP 80", "TCP 81-90", "UDP", "named http", "named other"],
        0..3,
    );
    let action = select(&[Action::Accept, Action::Deny, Action::Deny, Action::Pass]);
    let rule = (
        action,
        prop::collection::vec(peers, 1..3),
        ports,
        prop::bool::weighted(0.05),
    );
    prop::collection::vec(rule, 0..4)
}

pub(super) fn cluster_policies() -> impl Strategy<Value = Vec<ClusterText>> {
    let head = select(&[
        "Admin 1",
        "Admin 1",
        "Admin 2",
        "Admin 3",
        "Baseline 1",
        "Baseline 2",
        "Baseline -",
    ]);
    let policy = (head, pod_sets(), actions(false), actions(true));
    prop::collection::vec(policy, 0..4).prop_map(|policies| {
        let numbered = policies.into_iter().enumerate();
        numbered
            .map(|(index, (head, subject, ingress, egress))| (format!("{head} c{index}"), subject, ingress, egress))
            .collect()
    })
}

pub(super) fn read_cluster_policy((head, subject, ingress, egress): &ClusterText) -> Arc<ClusterPolicy> {
    let read = |rules: &[ActionText]| -> Vec<_> {
        let rule = |(what, peers, ports, fails_closed): &ActionText| {
            let peers: Vec<_> = peers.iter().map(String::as_str).collect();
            ClusterRule {
                fails_closed: *fails_closed,
                ..action(*what, &peers, ports)
            }
        };
        rules.iter().map(rule).collect()
    };
    Arc::new(cluster_policy(head, subject, &read(ingress), &read(egress)))
}
