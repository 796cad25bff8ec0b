//! The smallest changes of policies that allow what is denied. Each is tried before it is given.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::ask::{Answer, ask};
use super::resolve::{Error, plan};
use super::target::Query;
use crate::objects::{Change, Name, NetworkPolicy, Object};
use crate::policy::{Decision, Direction, Edit, Remedied};
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
        // A rule denies only in a cluster-wide policy, and no NetworkPolicy overrules that.
        .filter(|(_, verdict)| verdict.decision == Decision::Denied && verdict.rule.is_none())
        .find_map(|(direction, _)| world.policies().remedy(question, direction))
    }))
}
