//! What was counted until now. It has one owner, which gives it everything that the loop says.

use std::collections::BTreeMap;
use std::time::Duration;

use prometheus_client::metrics::histogram::Histogram;

use crate::agent::{Figures, NodeCoverage, Output};
use crate::attempt::{Outcome, Reach, Stage};
use crate::diagnosis::{Assessment, Cause, Confidence};
use crate::engine::Diagnosed;
use crate::objects::{Name, Str};
use crate::policy::{Decision, Direction};
use crate::recent::Recent;
use crate::time::Time;

/// So many namespaces are kept apart.
pub(super) const MAX_NAMESPACES: usize = 128;

/// So many policies of a namespace are kept apart.
const MAX_POLICIES: usize = 64;

/// A namespace of which nothing was counted for so long may make room for another.
const SILENT: Duration = Duration::from_secs(3600);

/// Upper bounds in seconds: from a round trip within a node to the first retransmissions of a SYN.
const HANDSHAKE_BUCKETS: [f64; 15] = [
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0,
];

/// Everything beyond the bounds. No namespace can be named so.
pub(super) const OTHER: &str = "_other";
/// A pod that could not be told.
const UNKNOWN: &str = "_unknown";
/// Where cluster-wide policies are.
const CLUSTER: &str = "_cluster";

/// TCP port of DNS.
const DNS: u16 = 53;

/// The state.
#[derive(Debug)]
pub(super) struct Counts {
    /// This node's name: pods of others are counted by their own agents.
    node: Str,
    /// Namespace → what was counted of it. Written with each attempt and policy change; the most silent goes when it is full, if it was
    /// silent for [`SILENT`].
    pub(super) namespaces: Recent<Str, OfNamespace>,
    /// What is beyond [`MAX_NAMESPACES`].
    pub(super) other: OfNamespace,
    pub(super) elsewhere: u64,
    pub(super) revised: u64,
    pub(super) handshake: Histogram,
    pub(super) figures: Option<Figures>,
    pub(super) coverage: Option<Box<NodeCoverage>>,
}

/// What was counted of a namespace. The maps are bounded by the codes that there are.
#[derive(Debug, Default)]
pub(super) struct OfNamespace {
    pub(super) attempts: BTreeMap<(Direction, Outcome, Option<Cause>), u64>,
    pub(super) dns: BTreeMap<Outcome, u64>,
    pub(super) cross: BTreeMap<Outcome, u64>,
    /// At most [`MAX_POLICIES`] policies, and [`OTHER`].
    pub(super) gaps: BTreeMap<(Str, Direction), u64>,
    pub(super) policies_changed: u64,
}

impl Counts {
    pub(super) fn new(node: Str) -> Self {
        Self {
            node,
            namespaces: Recent::new(MAX_NAMESPACES),
            other: OfNamespace::default(),
            elsewhere: 0,
            revised: 0,
            handshake: Histogram::new(HANDSHAKE_BUCKETS),
            figures: None,
            coverage: None,
        }
    }

    /// Takes in what the loop says.
    pub(super) fn take(&mut self, output: &Output) {
        match output {
            Output::Attempt(diagnosed) => self.attempt(diagnosed),
            Output::Figures(figures) => {
                for namespace in &figures.policies_changed {
                    let namespace = namespace.as_deref().unwrap_or(CLUSTER);
                    self.of(namespace, figures.at).policies_changed += 1;
                }
                self.figures = Some((**figures).clone());
            }
            Output::Coverage(coverage) => self.coverage = Some(coverage.clone()),
            // In the figures.
            Output::Warning(_) | Output::Lost(_) | Output::Shortfall(_) | Output::Counters(_) => {}
        }
    }

    fn attempt(&mut self, diagnosed: &Diagnosed) {
        let Diagnosed { assessment, diagnosis } = diagnosed;
        let attempt = &assessment.attempt;
        match attempt.stage {
            Stage::Provisional => return,
            Stage::Revision => {
                self.revised += 1;
                return;
            }
            Stage::Final => {}
        }
        let at_client = attempt.source_observed || attempt.reach == Reach::NotSent;
        let source = assessment.source.pod();
        let here = source.is_some_and(|pod| pod.node.as_ref().is_none_or(|node| *node == self.node));
        if source.is_some() && !at_client && !here {
            self.elsewhere += 1;
            return;
        }
        let (outcome, now) = (attempt.outcome, attempt.decided);
        if let Some(handshake) = attempt.handshake.filter(|_| attempt.source_observed) {
            self.handshake.observe(handshake.as_secs_f64());
        }
        let from = source.map(|pod| pod.name.namespace.clone());
        let into = namespace_of_destination(assessment);
        if at_client || here {
            let of = self.of(from.as_deref().unwrap_or(UNKNOWN), now);
            *of.attempts
                .entry((Direction::Egress, outcome, diagnosis.cause))
                .or_default() += 1;
            if attempt.server.port() == DNS {
                *of.dns.entry(outcome).or_default() += 1;
            }
            if into.is_some() && from.is_some() && from != into {
                *of.cross.entry(outcome).or_default() += 1;
            }
        }
        if let Some(into) = into {
            let attempts = &mut self.of(&into, now).attempts;
            *attempts
                .entry((Direction::Ingress, outcome, diagnosis.cause))
                .or_default() += 1;
        }
        if diagnosis.cause == Some(Cause::NotEnforced) && diagnosis.confidence >= Some(Confidence::Probable) {
            self.gap(assessment);
        }
    }

    /// The attempt was answered although these policies deny it.
    fn gap(&mut self, assessment: &Assessment) {
        let (verdict, now) = (&assessment.verdict, assessment.attempt.decided);
        for (direction, of_direction) in [
            (Direction::Egress, &verdict.egress),
            (Direction::Ingress, &verdict.ingress),
        ] {
            let denying = of_direction.policies.iter();
            for Name { namespace, name } in denying.filter(|_| of_direction.decision == Decision::Denied) {
                let namespace = if namespace.is_empty() { CLUSTER } else { namespace };
                let gaps = &mut self.of(namespace, now).gaps;
                let key = (name.clone(), direction);
                let key = if gaps.len() < 2 * MAX_POLICIES || gaps.contains_key(&key) {
                    key
                } else {
                    (OTHER.into(), direction)
                };
                *gaps.entry(key).or_default() += 1;
            }
        }
    }

    /// What is counted of this namespace, or of all for which there is no room.
    fn of(&mut self, namespace: &str, now: Time) -> &mut OfNamespace {
        let name: Str = namespace.into();
        if self.namespaces.get(&name).is_none() {
            if self.namespaces.len() >= MAX_NAMESPACES {
                self.namespaces.expire(now, SILENT);
            }
            if self.namespaces.len() >= MAX_NAMESPACES {
                return &mut self.other;
            }
        }
        // There is room now: nothing has to go.
        self.namespaces.touch(name, now, Duration::MAX)
    }
}

/// Of the pod that was reached, or of the Service that was dialled.
fn namespace_of_destination(assessment: &Assessment) -> Option<Str> {
    let target = assessment.backend.as_ref().unwrap_or(&assessment.destination);
    let service = || {
        Some(
            assessment
                .destination
                .service()?
                .service
                .as_ref()?
                .name
                .namespace
                .clone(),
        )
    };
    target.pod().map(|pod| pod.name.namespace.clone()).or_else(service)
}
