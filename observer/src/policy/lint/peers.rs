//! Peers that let in more than they seem to: two where one was meant, and every namespace.

use super::scope::{Scope, all_rules, finding, peers_field, text};
use super::{Code, Finding, Severity};
use crate::objects::{NetworkPolicy, Peer, Rule, Selector};
use crate::policy::Direction;

/// The port of DNS, which pods of every namespace may well be asked on.
const DNS: u16 = 53;

pub(super) fn lint(scope: &Scope<'_>, policy: &NetworkPolicy, findings: &mut Vec<Finding>) {
    for (direction, rule, field) in all_rules(policy) {
        split(scope, policy, (direction, rule, &field), findings);
        for (index, peer) in rule.peers.iter().enumerate() {
            let field = format!("{field}.{}[{index}].namespaceSelector", peers_field(direction));
            every_namespace(policy, (direction, rule, peer), field, findings);
        }
    }
}

/// `- namespaceSelector: …` and `- podSelector: …` one after the other.
fn split(
    scope: &Scope<'_>,
    policy: &NetworkPolicy,
    (direction, rule, field): (Direction, &Rule, &str),
    findings: &mut Vec<Finding>,
) {
    let only_two = rule.peers.len() == 2;
    for (index, pair) in rule.peers.windows(2).enumerate() {
        let (namespaces, pods, at) = match pair {
            [
                Peer::Pods {
                    namespaces: Some(namespaces),
                    pods: None,
                },
                Peer::Pods {
                    namespaces: None,
                    pods: Some(pods),
                },
            ] => (namespaces, pods, index + 1),
            [
                Peer::Pods {
                    namespaces: None,
                    pods: Some(pods),
                },
                Peer::Pods {
                    namespaces: Some(namespaces),
                    pods: None,
                },
            ] => (namespaces, pods, index),
            _ => continue,
        };
        // All pods here, or those of other namespaces: nothing else can be meant.
        if pods.requirements.is_empty() {
            continue;
        }
        let Some((severity, why)) = meant_as_one(scope, policy, namespaces, pods, only_two) else {
            continue;
        };
        let opens = if namespaces.requirements.is_empty() {
            "every pod of every namespace".to_owned()
        } else {
            format!("every pod of namespaces with {}", text(namespaces))
        };
        findings.push(finding(
            policy,
            format!("{field}.{}[{at}].podSelector", peers_field(direction)),
            (Code::SplitPeer, severity),
            format!(
                "namespaceSelector and podSelector are two peers, either of which is enough: {opens}, and pods with {} of namespace {}{why}",
                text(pods),
                policy.name.namespace
            ),
            "remove the dash before the second selector if both must hold",
        ));
    }
}

/// Whether two peers were probably meant as one, how sure that is, and why.
fn meant_as_one(
    scope: &Scope<'_>,
    policy: &NetworkPolicy,
    namespaces: &Selector,
    pods: &Selector,
    only_two: bool,
) -> Option<(Severity, &'static str)> {
    let own = &policy.name.namespace;
    if namespaces.requirements.is_empty() {
        return Some((Severity::Warning, "; the first already holds the second"));
    }
    let selected = |name| scope.pods_in(name).iter().any(|pod| pods.matches(&pod.labels));
    if selected(own) {
        return None;
    }
    let others = scope.namespaces_of(policy, Some(namespaces));
    if others.into_iter().any(selected) {
        return Some((
            Severity::Warning,
            "; such pods are in the former, and none in the latter",
        ));
    }
    // Nothing speaks for either reading.
    only_two.then_some((Severity::Note, ""))
}

fn every_namespace(
    policy: &NetworkPolicy,
    (direction, rule, peer): (Direction, &Rule, &Peer),
    field: String,
    findings: &mut Vec<Finding>,
) {
    let Peer::Pods {
        namespaces: Some(namespaces),
        pods: Some(pods),
    } = peer
    else {
        return;
    };
    if !namespaces.requirements.is_empty() || pods.requirements.is_empty() {
        return;
    }
    let only_dns = !rule.ports.is_empty()
        && rule
            .ports
            .iter()
            .all(|port| port.port == crate::objects::PortMatch::Range(DNS, DNS));
    let (severity, who) = match direction {
        Direction::Egress if only_dns => return,
        Direction::Egress => (Severity::Note, "reached"),
        Direction::Ingress => (Severity::Warning, "let in"),
    };
    findings.push(finding(
        policy,
        field,
        (Code::EveryNamespace, severity),
        format!(
            "an empty namespaceSelector is every namespace: whoever may create a pod with {} in any of them is {who}",
            text(pods)
        ),
        "name the namespace, by its label kubernetes.io/metadata.name, or leave namespaceSelector out for the policy's own",
    ));
}
