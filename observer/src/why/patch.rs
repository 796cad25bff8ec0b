//! The smallest changes of policies that allow what is denied. Each is tried before it is given.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::ask::{Answer, ask};
use super::resolve::{Error, plan};
use super::target::Query;
use crate::objects::{Change, Name, NetworkPolicy, Object, Tier};
use crate::policy::{Decision, Direction, Edit, Remedied, Unmet, new_policy};
use crate::time::Time;
use crate::world::World;

/// More changes than this are no patch but another policy.
const MOST: usize = 1_000;

/// What has to change.
#[derive(Debug)]
pub struct Patch {
    /// The policies that change, by name; empty where nothing is denied.
    pub policies: Vec<Patched>,
    /// The answer before.
    pub before: Answer,
    /// The answer with the changes made.
    pub after: Answer,
}

/// A policy as it has to be.
#[derive(Clone, Debug)]
pub struct Patched {
    /// The whole policy.
    pub policy: Arc<NetworkPolicy>,
    /// What was added to which of its lists, in order.
    pub edits: Vec<(Direction, Edit)>,
    /// What was changed in it, as imperative sentences without a full stop.
    pub changes: Vec<String>,
}

impl Patch {
    /// Why it is still denied with every change made, and what would allow it; `None` where it is not.
    ///
    /// What the Baseline tier denies a new NetworkPolicy would allow. It is told and not made: what else it has to allow, since it
    /// isolates the pod, only people know.
    #[must_use]
    pub fn hindrance(&self) -> Option<String> {
        let judged = self.after.telling();
        let denied = [
            (Direction::Egress, &judged.verdict.egress),
            (Direction::Ingress, &judged.verdict.ingress),
        ]
        .into_iter()
        .filter(|(_, verdict)| verdict.decision == Decision::Denied);
        let mut why = Vec::new();
        for (direction, verdict) in denied {
            let by = verdict.nearest.first().and_then(|miss| {
                let tier = miss.unmet.iter().find_map(|unmet| match unmet {
                    Unmet::Denies { tier, .. } => Some(*tier),
                    _ => None,
                })?;
                Some((tier, format!("rule {} of {}", miss.rule.number, miss.rule.policy)))
            });
            let new = judged
                .question
                .as_ref()
                .and_then(|question| new_policy(direction, question));
            why.push(match (by, new) {
                (Some((Tier::Baseline, rule)), Some(new)) => format!(
                    "no NetworkPolicy selects the pod for {direction}, and --patch makes no new one: {new} would allow it, since \
                     NetworkPolicies come before {rule}; it isolates these pods, so what else they need has to be in it"
                ),
                (Some((_, rule)), _) => {
                    format!("no NetworkPolicy allows this: {rule} denies the {direction} before they are asked")
                }
                (None, _) => format!("no change was found that allows the {direction}"),
            });
        }
        (!why.is_empty()).then(|| why.join("\n"))
    }
}

/// Changes the policies of `world` until nothing of the query is denied, nearest rules first.
///
/// # Errors
/// As [`ask`].
pub fn patch(world: &mut World, query: &Query) -> Result<Patch, Error> {
    let before = ask(world, query)?;
    let mut policies: BTreeMap<Name, Patched> = BTreeMap::new();
    for _ in 0..MOST {
        let Some(next) = next(world, query)? else { break };
        let policy = Arc::new(next.policy);
        // Loaded with the rest: nothing of it is a change that is still on its way.
        world.apply(&Change::Set(Object::NetworkPolicy(policy.clone())), Time::BEGINNING);
        let patched = policies.entry(policy.name.clone()).or_insert_with(|| Patched {
            policy: policy.clone(),
            edits: Vec::new(),
            changes: Vec::new(),
        });
        patched.policy = policy;
        patched.edits.push((next.direction, next.edit));
        patched.changes.push(next.change);
    }
    Ok(Patch {
        policies: policies.into_values().collect(),
        before,
        after: ask(world, query)?,
    })
}

/// The remedy of the first direction that is denied.
fn next(world: &World, query: &Query) -> Result<Option<Remedied>, Error> {
    let plan = plan(world, query)?;
    let aims = plan.pairs.iter().flat_map(|pair| &pair.aims);
    let mut questions = aims.flat_map(|aim| &aim.questions);
    Ok(questions.find_map(|question| {
        let verdict = world.policies().judge(question);
        [
            (Direction::Egress, verdict.egress),
            (Direction::Ingress, verdict.ingress),
        ]
        .into_iter()
        // A rule denies only in a cluster-wide policy: before the NetworkPolicies, or where none selects the pod.
        .filter(|(_, verdict)| verdict.decision == Decision::Denied && verdict.rule.is_none())
        .find_map(|(direction, _)| world.policies().remedy(question, direction))
    }))
}
