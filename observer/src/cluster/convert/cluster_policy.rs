//! ClusterNetworkPolicy, AdminNetworkPolicy and BaselineAdminNetworkPolicy, checked as their definitions demand.

mod given;
mod rules;

use serde_json::Value;

use super::metadata;
use crate::cluster::decode::{NO_SUCH_FIELD, Unknown, decode};
use crate::cluster::findings::{At, Finding, Findings};
use crate::cluster::syntax;
use crate::objects::{ClusterPolicy, ClusterPolicyKind, PodSet, Selector, Tier};
use rules::Rules;

/// Reads a policy. In one that an API server has taken (`exported`), a peer or protocol of a form that is not known here
/// belongs to a newer version of its definition: its rule fails closed. Written by hand it is a slip, and refused.
pub(super) fn convert(
    kind: ClusterPolicyKind,
    mut value: Value,
    exported: bool,
    findings: &mut Findings,
) -> Option<ClusterPolicy> {
    if let Value::Object(map) = &mut value {
        for known in ["apiVersion", "kind", "status"] {
            map.remove(known);
        }
        for path in given::take_unknown(map) {
            if exported {
                let message = "this field is newer than this version of the observer: \
                               the rule accepts nothing, or denies everything";
                findings.warnings.push(Finding {
                    path,
                    message: message.to_owned(),
                });
            } else {
                findings.errors.push(Finding {
                    path,
                    message: NO_SUCH_FIELD.to_owned(),
                });
            }
        }
    }
    let unreadable = !findings.errors.is_empty();
    let policy = decode::<given::Policy>(value, Unknown::Refuse, findings)?;
    if unreadable {
        return None;
    }
    let name = metadata::plain_name(&policy.metadata, syntax::dns_subdomain, findings);
    metadata::own_labels(&policy.metadata, findings);
    let at = At::ROOT.key("metadata");
    if kind == ClusterPolicyKind::Baseline && name.as_ref().is_some_and(|name| **name != *"default") {
        findings.error(
            at.key("name"),
            "a BaselineAdminNetworkPolicy is called default: there is one in a cluster",
        );
    }
    let at = At::ROOT.key("spec");
    let Some(spec) = policy.spec else {
        findings.error(at, "a spec is needed: it says which pods are meant, and the rules");
        return None;
    };
    let tier = tier(kind, spec.tier.as_deref(), at.key("tier"), findings);
    let priority = priority(kind, spec.priority, at.key("priority"), findings);
    let subject = subject(spec.subject.as_ref(), at.key("subject"), findings);
    let rules = Rules { kind, exported };
    let ingress = rules.ingress(spec.ingress.as_deref(), at.key("ingress"), findings);
    let egress = rules.egress(spec.egress.as_deref(), at.key("egress"), findings);
    Some(ClusterPolicy {
        kind,
        name: name?,
        created: metadata::time(policy.metadata.creation_timestamp.as_ref()),
        tier: tier?,
        priority: priority?,
        subject: subject?,
        ingress,
        egress,
        source: None,
    })
}

fn tier(kind: ClusterPolicyKind, given: Option<&str>, at: At<'_>, findings: &mut Findings) -> Option<Tier> {
    let own = match kind {
        ClusterPolicyKind::Admin => Tier::Admin,
        ClusterPolicyKind::Baseline => Tier::Baseline,
        ClusterPolicyKind::Cluster => {
            return match given {
                Some("Admin") => Some(Tier::Admin),
                Some("Baseline") => Some(Tier::Baseline),
                Some(other) => {
                    findings.error(at, format!("{other:?} is no tier: use Admin or Baseline"));
                    None
                }
                None => {
                    findings.error(at, "a tier is needed: Admin or Baseline");
                    None
                }
            };
        }
    };
    refuse(given.is_some(), at, findings);
    Some(own)
}

/// `Some(None)` where the kind has none.
fn priority(kind: ClusterPolicyKind, given: Option<i32>, at: At<'_>, findings: &mut Findings) -> Option<Option<u16>> {
    if kind == ClusterPolicyKind::Baseline {
        refuse(given.is_some(), at, findings);
        return Some(None);
    }
    let Some(given) = given else {
        findings.error(at, "a priority is needed, from 0 to 1000");
        return None;
    };
    let valid = u16::try_from(given).ok().filter(|priority| *priority <= 1000);
    if valid.is_none() {
        findings.error(at, format!("{given} is no priority: use a number from 0 to 1000"));
    }
    valid.map(Some)
}

fn subject(given: Option<&given::Peer>, at: At<'_>, findings: &mut Findings) -> Option<PodSet> {
    let Some(given) = given else {
        findings.error(at, "a subject is needed: namespaces or pods");
        return None;
    };
    refuse(given.nodes.is_some(), at.key("nodes"), findings);
    refuse(given.networks.is_some(), at.key("networks"), findings);
    refuse(given.domain_names.is_some(), at.key("domainNames"), findings);
    match (&given.namespaces, &given.pods) {
        (Some(namespaces), None) => Some(PodSet {
            namespaces: metadata::selector(namespaces, at.key("namespaces"), findings),
            ..PodSet::default()
        }),
        (None, Some(given)) => Some(pods(given, at.key("pods"), findings)),
        (None, None) | (Some(_), Some(_)) => {
            findings.error(at, "a subject is either namespaces or pods");
            None
        }
    }
}

/// Pods by both selectors.
fn pods(given: &given::Pods, at: At<'_>, findings: &mut Findings) -> PodSet {
    let mut selector = |given: &Option<_>, field| {
        let at = at.key(field);
        match given {
            Some(given) => metadata::selector(given, at, findings),
            None => {
                findings.warn(
                    at,
                    format!("{field} is missing and read as {{}}; API servers refuse that: write it down"),
                );
                Selector::default()
            }
        }
    };
    PodSet {
        namespaces: selector(&given.namespace_selector, "namespaceSelector"),
        pods: selector(&given.pod_selector, "podSelector"),
    }
}

/// Refuses a field that other kinds have.
fn refuse(given: bool, at: At<'_>, findings: &mut Findings) {
    if given {
        findings.error(at, NO_SUCH_FIELD);
    }
}
