//! The cluster as it is known, at any recent time: who an address was and what the policies said, put together for one
//! attempt. Pure: it is fed changes with their times and reads nothing itself.
//!
//! ```text
//! Change, OwnNode ─→ World { Endpoints, Policies } ─→ assess(Attempt) → Assessment
//!                          └─→ Surroundings for the tracker
//! ```

mod places;
mod rewriting;
mod view;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::attempt::{Attempt, Direction, Surroundings};
use crate::diagnosis::{Assessment, NodeState};
use crate::endpoint::{Endpoint, Endpoints, Identity, OwnNode, Unknown};
use crate::objects::{Change, Protocol};
use crate::policy::{self, Caveat, Party, Policies, Question, Verdict, Who};
use crate::time::Time;
pub(crate) use places::places;
pub(crate) use rewriting::Entry;
use view::View;

/// How long superseded versions of objects are kept: the longest an attempt is remembered, with room for late sweeps.
const HISTORY: Duration = Duration::from_secs(300);

/// Everything that is known beyond the wire.
#[derive(Debug)]
pub struct World {
    endpoints: Endpoints,
    policies: Policies,
    view: View,
    own: OwnNode,
}

impl World {
    /// Knows nothing yet.
    #[must_use]
    pub fn new(policies: policy::Config) -> Self {
        Self {
            endpoints: Endpoints::default(),
            policies: Policies::new(policies),
            view: View::default(),
            own: OwnNode::default(),
        }
    }

    /// Something in the cluster changed at `at`.
    pub fn apply(&mut self, change: &Change, at: Time) {
        self.endpoints.apply(change, at);
        self.policies.apply(change, at);
        match change {
            Change::Unheard { since } => self.view.lost(*since),
            Change::Heard => self.view.caught_up(at),
            _ => {}
        }
    }

    /// The node's own addresses, or its name, changed.
    pub fn set_own_node(&mut self, own: OwnNode) {
        self.endpoints.set_own_node(own.clone());
        self.own = own;
    }

    /// Forgets what no attempt can ask for any more.
    pub fn prune(&mut self, now: Time) {
        self.endpoints.prune(now - HISTORY);
        self.policies.prune(now - HISTORY);
        self.view.prune(now - HISTORY);
    }

    /// What the policies say.
    #[must_use]
    pub fn policies(&self) -> &Policies {
        &self.policies
    }

    /// Who is who.
    #[must_use]
    pub fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// Names the ends of an attempt and judges it, all as of its first SYN.
    #[must_use]
    pub fn assess(&self, mut attempt: Attempt, node: NodeState) -> Assessment {
        let at = attempt.first;
        let who = |address: SocketAddr| self.endpoints.resolve(address, Protocol::Tcp, at);
        let source = who(attempt.client);
        let destination = who(attempt.server);
        let witnessed = attempt.backend.filter(|backend| *backend != attempt.server).map(who);
        let (mut verdict, judged) = self.judge(&attempt, &source, &destination, witnessed.as_ref());
        verdict.caveats.extend(self.view.age(at).map(Caveat::OldView));
        let backend = witnessed.or_else(|| destination.service().and(judged).map(who));
        let target = backend.as_ref().unwrap_or(&destination);
        attempt.recent_success = attempt.recent_success.filter(|&then| self.is_same_pod(target, then));
        let perhaps_via = destination
            .pod()
            .and_then(|_| self.endpoints.perhaps_via(attempt.server, Protocol::Tcp, at));
        Assessment {
            attempt,
            source,
            destination,
            backend,
            perhaps_via,
            verdict,
            node,
            answered_although_denied: 0,
        }
    }

    /// Whether an address was the same pod's `then`: what another pod did at this address says nothing of this one.
    fn is_same_pod(&self, target: &Endpoint, then: Time) -> bool {
        let Some(pod) = target.pod() else { return true };
        match self.endpoints.resolve(target.address, Protocol::Tcp, then).identity {
            Identity::Pod(earlier) => earlier.uid == pod.uid,
            Identity::Unknown(Unknown::Ended { .. } | Unknown::Ambiguous(_)) => false,
            // Longer ago than is remembered.
            _ => true,
        }
    }

    /// The verdict, and the destination that it is about where there was only one to judge.
    fn judge(
        &self,
        attempt: &Attempt,
        source: &Endpoint,
        destination: &Endpoint,
        witnessed: Option<&Endpoint>,
    ) -> (Verdict, Option<SocketAddr>) {
        let entry = destination
            .service()
            .filter(|_| !sees_source(attempt))
            .and_then(|hit| Entry::of(attempt.server.ip(), hit));
        let verdict = |target: &Endpoint| {
            let question = Question {
                source: sender(attempt, source),
                destination: Party {
                    address: target.address.ip(),
                    who: who(target),
                },
                port: target.address.port(),
                protocol: Protocol::Tcp,
                dialled: (target.address != attempt.server).then_some(attempt.server),
                at: attempt.first,
            };
            self.judge_by(&question, attempt.decided, entry)
        };
        if let Some(target) = witnessed {
            return (verdict(target), Some(target.address));
        }
        let Some(hit) = destination.service() else {
            return (verdict(destination), Some(attempt.server));
        };
        let targets = self.endpoints.destinations(attempt.server, attempt.first);
        let namespace = hit.service.as_ref().map_or("", |service| &service.name.namespace);
        if targets.is_empty()
            && let Some(doubt) = self
                .policies
                .backends_in_doubt(namespace, attempt.first, attempt.decided)
        {
            return (Verdict::undecidable(doubt.clone()), None);
        }
        let verdicts = targets
            .iter()
            .map(|target| verdict(&self.endpoints.resolve(*target, Protocol::Tcp, attempt.first)));
        let only = if let [only] = targets.as_slice() {
            Some(*only)
        } else {
            None
        };
        (policy::combine(verdicts), only)
    }
}

/// The wire showed the source's address as it arrived at the destination, or that it was rewritten.
fn sees_source(attempt: &Attempt) -> bool {
    let mut points = attempt.points.iter();
    attempt.rewritten.is_some() || points.any(|point| point.direction == Direction::ToPod && point.bound)
}

/// Who the policies of both ends take for the sender.
fn sender(attempt: &Attempt, source: &Endpoint) -> Party {
    match (&source.identity, attempt.rewritten) {
        (Identity::Pod(pod), Some(rewritten)) => Party {
            address: rewritten.ip(),
            who: Who::Rewritten { pod: pod.clone() },
        },
        _ => Party {
            address: attempt.client.ip(),
            who: who(source),
        },
    }
}

/// An endpoint as the policies see it.
pub(crate) fn who(endpoint: &Endpoint) -> Who {
    match &endpoint.identity {
        Identity::Pod(pod) => Who::Pod(pod.clone()),
        Identity::Node { node, candidates, .. } => Who::Node {
            node: node.clone(),
            candidates: candidates.clone(),
        },
        Identity::External => Who::External,
        Identity::Service(_) | Identity::Unknown(_) => Who::Unknown,
    }
}

impl Surroundings for World {
    fn may_become(&self, dialled: SocketAddr, seen: SocketAddr, at: Time) -> bool {
        self.endpoints.may_become(dialled, seen, at)
    }

    fn is_own_node(&self, address: IpAddr) -> bool {
        self.own.addresses.contains(&address)
    }

    fn destinations(&self, dialled: SocketAddr, at: Time) -> Vec<SocketAddr> {
        self.endpoints.destinations(dialled, at)
    }
}
