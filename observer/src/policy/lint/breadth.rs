//! Policies that allow everything: made to get through an outage, and left behind.

use super::scope::{finding, isolates, rules};
use super::{Code, Finding, Severity};
use crate::objects::{NetworkPolicy, Rule};
use crate::policy::Direction;

pub(super) fn lint(policy: &NetworkPolicy, findings: &mut Vec<Finding>) {
    let open = |direction| {
        let mut rules = rules(policy, direction).iter().enumerate();
        rules.find(|(_, rule)| is_everything(rule)).map(|(index, _)| index)
    };
    let directions = [Direction::Ingress, Direction::Egress]
        .map(|direction| (direction, isolates(policy, direction), open(direction)));
    // Ingress of one workload is what a public server needs. All pods, or one workload in both directions, are not.
    let all_pods = policy.pod_selector.requirements.is_empty();
    let both = directions.iter().all(|(_, _, open)| open.is_some());
    let everything = directions.iter().all(|(_, isolates, open)| !isolates || open.is_some());
    let Some((direction, _, Some(index))) = directions.iter().find(|(_, _, open)| open.is_some()) else {
        return;
    };
    if !everything || !(all_pods || both) {
        return;
    }
    let what = if both {
        "ingress and egress"
    } else if *direction == Direction::Ingress {
        "ingress"
    } else {
        "egress"
    };
    let whose = if all_pods {
        format!("every pod of namespace {}", policy.name.namespace)
    } else {
        "the pods that it selects".to_owned()
    };
    // One workload that is left alone, and what its name says, are probably meant.
    let meant = !all_pods || policy.name.name.contains("allow-all");
    findings.push(finding(
        policy,
        format!("spec.{direction}[{index}]"),
        (
            Code::AllowsEverything,
            if meant { Severity::Note } else { Severity::Warning },
        ),
        format!("the policy allows all {what} of {whose}, whatever other policies say: policies only ever add"),
        "remove it if it was made to get through an outage",
    ));
}

pub(super) fn is_everything(rule: &Rule) -> bool {
    rule.peers.is_empty() && rule.ports.is_empty()
}
