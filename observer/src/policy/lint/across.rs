//! Rules that another policy of the same pods makes needless.
//!
//! Policies add up, so such a rule changes nothing; but policies are also read one by one, and a rule that stands with what needs
//! it may be meant. Hence notes.

use super::breadth::is_everything;
use super::rules::{covers, demands_less, says_the_same};
use super::scope::{Scope, all_rules, finding, rules};
use super::{Code, Finding, Severity};
use crate::objects::{NetworkPolicy, Rule};
use crate::policy::Direction;

pub(super) fn lint(scope: &Scope<'_>, findings: &mut Vec<Finding>) {
    for policy in &scope.policies {
        let others: Vec<&NetworkPolicy> = scope
            .policies_in(&policy.name.namespace)
            .iter()
            .copied()
            .filter(|other| other.name != policy.name)
            .filter(|other| demands_less(&other.pod_selector, &policy.pod_selector))
            // Told as a whole.
            .filter(|other| !says_the_same(other, policy))
            .collect();
        if others.is_empty() {
            continue;
        }
        for (direction, rule, field) in all_rules(policy) {
            let mut covered = others.iter().filter_map(|other| {
                let number = covering(policy, rule, direction, other)?;
                Some((other, number))
            });
            // Told within the policy.
            let mut own = rules(policy, direction).iter();
            if own.any(|by| !std::ptr::eq(by, rule) && covers(by, rule)) {
                continue;
            }
            let Some((other, number)) = covered.next() else {
                continue;
            };
            findings.push(finding(
                policy,
                field,
                (Code::Shadowed, Severity::Note),
                format!(
                    "{direction} rule {number} of {} allows all that this rule allows, for every pod that this policy selects: policies add up, so this rule changes nothing",
                    other.name
                ),
                "remove this rule, unless it is to stay when the other one goes",
            ));
        }
    }
}

/// The number of a rule of `other` that allows all that `rule` allows. Of two rules that allow the same for the same pods the one
/// of the later policy is told.
fn covering(policy: &NetworkPolicy, rule: &Rule, direction: Direction, other: &NetworkPolicy) -> Option<usize> {
    let same_pods = demands_less(&policy.pod_selector, &other.pod_selector);
    let found = rules(other, direction).iter().position(|by| {
        let is_later = same_pods && covers(rule, by) && other.name > policy.name;
        // One that allows everything to all pods is told for itself, and hides whatever there is.
        let is_open = is_everything(by) && other.pod_selector.requirements.is_empty();
        covers(by, rule) && !is_later && !is_open
    });
    found.map(|index| index + 1)
}
