//! The pure heart: one owner of the state, fed a closed set of inputs, giving diagnosed attempts.
//!
//! ```text
//! Input, time → Engine { Tracker, World } → Diagnosed (assessment + diagnosis)
//! ```
//!
//! A scenario test is a list of inputs with times and the diagnosed attempts that must come out; the shell (`agent`) only
//! brings inputs and takes outputs away.

mod memory;
#[cfg(test)]
mod tests;

use crate::attempt::{self, Attempt, Observation, Stage, Tracker};
use crate::diagnosis::{Assessment, Cause, Diagnosis, NodeState, diagnose};
use crate::endpoint::OwnNode;
use crate::objects::Change;
use crate::policy;
use crate::time::Time;
use crate::world::World;
use memory::{Gaps, NodeStates};

/// Everything that can happen to the engine.
#[derive(Debug)]
pub enum Input {
    /// What the probe saw.
    Observed(Vec<Observation>),
    /// What the first load of the cluster's objects brought: it holds since ever.
    Loaded(Vec<Change>),
    /// What changed in the cluster just now.
    Changed(Vec<Change>),
    /// The node's own addresses.
    OwnNode(OwnNode),
    /// What else on the node could explain a lost packet.
    NodeState(NodeState),
    /// Time has passed, and everything that was seen until then has been told.
    Tick,
    /// No more inputs will come: what is decided is said.
    Finish,
}

/// An attempt and what became of it.
#[derive(Clone, Debug)]
pub struct Diagnosed {
    /// The facts.
    pub assessment: Assessment,
    /// The conclusion.
    pub diagnosis: Diagnosis,
}

/// The state.
pub struct Engine {
    tracker: Tracker,
    world: World,
    node: NodeStates,
    gaps: Gaps,
    pruned: Time,
}

/// So many of the rules that nearly allow an attempt are told of it, in each direction: what is told is kept and sent on, and a pod may
/// have hundreds.
const MISSES: usize = 3;

/// How often history is pruned.
const PRUNE_EVERY: std::time::Duration = std::time::Duration::from_secs(30);

impl Engine {
    /// An engine that knows nothing yet.
    #[must_use]
    pub fn new(attempts: attempt::Config, policies: policy::Config) -> Self {
        Self {
            tracker: Tracker::new(attempts),
            world: World::new(policy::Config {
                misses: MISSES,
                ..policies
            }),
            node: NodeStates::default(),
            gaps: Gaps::new(attempts.max_edges),
            pruned: Time::BEGINNING,
        }
    }

    /// Takes one input and gives the attempts that it decided.
    pub fn input(&mut self, input: Input, now: Time) -> Vec<Diagnosed> {
        let mut decided = Vec::new();
        match input {
            Input::Observed(observations) => {
                for observation in observations {
                    self.tracker.observe(observation, &self.world, &mut decided);
                }
            }
            Input::Loaded(changes) => self.apply(&changes, Time::BEGINNING),
            Input::Changed(changes) => self.apply(&changes, now),
            Input::OwnNode(own) => self.world.set_own_node(own),
            Input::NodeState(node) => self.node.add(node, now),
            Input::Tick => {
                self.tracker.tick(now, &self.world, &mut decided);
                self.prune(now);
            }
            Input::Finish => self.tracker.finish(now, &self.world, &mut decided),
        }
        decided.into_iter().map(|attempt| self.diagnose(attempt)).collect()
    }

    /// When the next decision falls due, if any.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Time> {
        self.tracker.next_deadline()
    }

    /// A decision waits for the table of unfinished handshakes to be read.
    #[must_use]
    pub fn wants_sweep(&self) -> bool {
        self.tracker.wants_sweep()
    }

    /// The cluster as it is known.
    #[must_use]
    pub fn world(&self) -> &World {
        &self.world
    }

    /// What the tracker gave up, left out or did not understand.
    #[must_use]
    pub fn counters(&self) -> attempt::Counters {
        self.tracker.counters()
    }

    /// How full the tracker's tables are: name, entries, and the most that there may be.
    #[must_use]
    pub fn tables(&self) -> [(&'static str, usize, usize); 4] {
        self.tracker.tables()
    }

    fn apply(&mut self, changes: &[Change], from: Time) {
        for change in changes {
            self.world.apply(change, from);
        }
    }

    fn prune(&mut self, now: Time) {
        if now.since(self.pruned) >= PRUNE_EVERY {
            self.pruned = now;
            self.world.prune(now);
        }
    }

    fn diagnose(&mut self, attempt: Attempt) -> Diagnosed {
        let node = self.node.worst_since(attempt.first);
        let mut assessment = self.world.assess(attempt, node);
        assessment.answered_although_denied = self.gaps.with_this(&assessment);
        let diagnosis = diagnose(&assessment);
        if assessment.attempt.stage != Stage::Provisional {
            self.gaps
                .decided(&assessment, diagnosis.cause == Some(Cause::NotEnforced));
        }
        Diagnosed { assessment, diagnosis }
    }
}
