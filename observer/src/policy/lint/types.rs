//! `policyTypes` that do not say what the rules suggest.

use super::scope::finding;
use super::{Code, Finding, Severity};
use crate::objects::NetworkPolicy;

pub(super) fn lint(policy: &NetworkPolicy, findings: &mut Vec<Finding>) {
    let written = policy.written;
    let sections = [
        (
            "ingress",
            "Ingress",
            written.ingress || !policy.ingress.is_empty(),
            policy.isolates_ingress,
        ),
        (
            "egress",
            "Egress",
            written.egress || !policy.egress.is_empty(),
            policy.isolates_egress,
        ),
    ];
    for (section, of, there, isolates) in sections {
        if !there || isolates {
            continue;
        }
        let why = if written.policy_types {
            format!("policyTypes does not name {of}")
        } else {
            format!("without policyTypes an empty list does not count as {of}")
        };
        findings.push(finding(
            policy,
            format!("spec.{section}"),
            (Code::RulesWithoutEffect, Severity::Error),
            format!("{section} has no effect, since {why}: the policy says nothing about {section}"),
            format!("add {of} to policyTypes, or remove {section}"),
        ));
    }
    if !written.policy_types && !written.ingress && policy.ingress.is_empty() && !policy.egress.is_empty() {
        findings.push(finding(
            policy,
            "spec",
            (Code::ImpliedIngress, Severity::Warning),
            "without policyTypes a policy is always of type Ingress too: this one has egress rules only, and denies all ingress of the pods that it selects",
            "write policyTypes: [Egress], or [Ingress, Egress] if all ingress is to be denied",
        ));
    }
}
