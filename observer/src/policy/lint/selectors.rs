//! Selectors that select nothing, and the label that was perhaps meant.

use super::scope::{Scope, all_rules, always_there, closest, finding, is_slip, peers_field, text};
use super::{Code, Finding, Severity};
use crate::objects::{NetworkPolicy, Peer, Selector};
use crate::policy::closeness::Seen;
use crate::policy::{CloseLabel, Closeness};

pub(super) fn lint(scope: &Scope<'_>, policy: &NetworkPolicy, findings: &mut Vec<Finding>) {
    own_pods(scope, policy, findings);
    for (direction, rule, field) in all_rules(policy) {
        for (index, peer) in rule.peers.iter().enumerate() {
            let field = format!("{field}.{}[{index}]", peers_field(direction));
            if let Peer::Pods { namespaces, pods } = peer {
                peer_selects(scope, policy, (namespaces.as_ref(), pods.as_ref()), &field, findings);
            }
        }
    }
}

fn own_pods(scope: &Scope<'_>, policy: &NetworkPolicy, findings: &mut Vec<Finding>) {
    let namespace = &policy.name.namespace;
    let pods = scope.pods_in(namespace);
    if pods.is_empty() || !scope.selected(policy).is_empty() {
        return;
    }
    if let Some(pod) = scope.aside(&[namespace], &policy.pod_selector) {
        // The next pod of its job will have the labels too.
        if !pod.phase.is_over() {
            findings.push(finding(
                policy,
                "spec.podSelector",
                (Code::SelectsNoPods, Severity::Note),
                format!(
                    "of namespace {namespace} only pods on their node's network have {}, as {} has: whether a policy isolates those is not specified, and most CNIs do not",
                    text(&policy.pod_selector),
                    pod.name
                ),
                "do not count on the policy for pods with hostNetwork: true",
            ));
        }
        return;
    }
    let near = closest(
        pods.iter()
            .map(|pod| (Seen::of_pod(&pod.labels), format!("pod {}", pod.name))),
        &policy.pod_selector,
    );
    let sure = !scope.may_lack_pods(&[namespace]) || near.as_ref().is_some_and(is_typo);
    findings.push(finding(
        policy,
        "spec.podSelector",
        (
            Code::SelectsNoPods,
            if sure { Severity::Warning } else { Severity::Note },
        ),
        format!(
            "no pod of namespace {namespace} has {}, so the policy isolates nothing{}",
            text(&policy.pod_selector),
            said(near.as_ref())
        ),
        help(near.as_ref(), "the policy"),
    ));
}

fn peer_selects(
    scope: &Scope<'_>,
    policy: &NetworkPolicy,
    (namespaces, pods): (Option<&Selector>, Option<&Selector>),
    field: &str,
    findings: &mut Vec<Finding>,
) {
    if let Some(selector) = namespaces {
        let unread = always_there();
        let every = || {
            let read = scope.every_namespace().iter();
            let unread = unread.iter().filter(|name| !scope.every_namespace().contains(name));
            read.map(|name| (*name, scope.seen(name)))
                .chain(unread.map(|name| (name, Seen::of_namespace(name, None))))
        };
        if scope.knows_namespaces() && !every().any(|(_, labels)| labels.are_selected(selector)) {
            let near = closest(
                every().map(|(name, labels)| (labels, format!("namespace {name}"))),
                selector,
            );
            let sure = scope.is_whole() || near.as_ref().is_some_and(|(close, _)| is_slip(close));
            findings.push(finding(
                policy,
                format!("{field}.namespaceSelector"),
                (
                    Code::NoSuchNamespace,
                    if sure { Severity::Warning } else { Severity::Note },
                ),
                format!(
                    "no namespace that was read has {}, so this peer is nobody{}",
                    text(selector),
                    said(near.as_ref())
                ),
                help(near.as_ref(), "the peer"),
            ));
            return;
        }
    }
    let Some(selector) = pods else { return };
    let within = scope.namespaces_of(policy, namespaces);
    // A namespace of which no pod was read may hold the one that is meant.
    if within.is_empty() || within.iter().any(|name| scope.pods_in(name).is_empty()) {
        return;
    }
    let candidates = || within.iter().flat_map(|name| scope.pods_in(name));
    if candidates().any(|pod| selector.matches(&pod.labels)) {
        return;
    }
    if let Some(pod) = scope.aside(&within, selector) {
        if !pod.phase.is_over() {
            findings.push(finding(
                policy,
                format!("{field}.podSelector"),
                (Code::PeerSelectsNoPods, Severity::Note),
                format!(
                    "only pods on their node's network have {}, as {} has: most CNIs see them as their node, which no podSelector selects",
                    text(selector),
                    pod.name
                ),
                "allow the nodes' addresses by an ipBlock",
            ));
        }
        return;
    }
    // Where namespaces may be missing, so may the one that a selector of namespaces means.
    let whole = namespaces.is_none() || scope.is_whole();
    let near = closest(
        candidates().map(|pod| (Seen::of_pod(&pod.labels), format!("pod {}", pod.name))),
        selector,
    );
    let sure = if scope.may_lack_pods(&within) {
        near.as_ref().is_some_and(is_typo)
    } else {
        whole || near.as_ref().is_some_and(|(close, _)| is_slip(close))
    };
    let place = match within.as_slice() {
        [one] => format!("namespace {one}"),
        several => format!("the {} namespaces of this peer", several.len()),
    };
    findings.push(finding(
        policy,
        format!("{field}.podSelector"),
        (
            Code::PeerSelectsNoPods,
            if sure { Severity::Warning } else { Severity::Note },
        ),
        format!(
            "no pod of {place} has {}, so this peer is nobody{}",
            text(selector),
            said(near.as_ref())
        ),
        help(near.as_ref(), "the peer"),
    ));
}

/// Nearly the same label: more than a value that an operator may well give under its own key.
fn is_typo((close, _): &(CloseLabel, String)) -> bool {
    close.how <= Closeness::Typo
}

fn said(near: Option<&(CloseLabel, String)>) -> String {
    near.map(|(close, whose)| format!("; {whose} has {}={}", close.key, close.value))
        .unwrap_or_default()
}

fn help(near: Option<&(CloseLabel, String)>, what: &str) -> String {
    match near {
        Some((close, _)) if is_slip(close) => format!("write {}={} if that is meant", close.key, close.value),
        _ => format!("correct the selector, or remove {what} if its pods are gone"),
    }
}
