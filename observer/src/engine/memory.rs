//! What the engine remembers beyond single attempts: edges where a denial was not enforced, and the node's state.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::attempt::{AttemptId, Outcome};
use crate::diagnosis::{Assessment, NodeState};
use crate::endpoint::Endpoint;
use crate::objects::Str;
use crate::policy::Decision;
use crate::recent::Recent;
use crate::time::Time;

/// How long an attempt that was answered although denied counts towards the next one.
const GAP_LASTS: Duration = Duration::from_secs(600);

/// How long the node's state is kept: an attempt is decided within seconds.
const STATES_LAST: Duration = Duration::from_secs(60);

/// An edge, by what its ends were: an address that another pod has by now is another edge.
#[derive(Clone, Eq, Hash, PartialEq)]
struct Edge {
    client: IpAddr,
    server: SocketAddr,
    source: Option<Str>,
    destination: Option<Str>,
}

/// Edges on which attempts were answered although the policies deny them.
pub(super) struct Gaps {
    /// Edge → how many in a row, and the last of them. Written with each decided attempt that was answered; the least recent goes when
    /// full.
    edges: Recent<Edge, (u32, Option<AttemptId>)>,
}

impl Gaps {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            edges: Recent::new(capacity),
        }
    }

    /// How many there are in a row if this one is one.
    pub(super) fn with_this(&self, assessment: &Assessment) -> u32 {
        let (times, last) = self.edges.get(&edge(assessment)).copied().unwrap_or_default();
        if last == Some(assessment.attempt.id) {
            times
        } else {
            times.saturating_add(1)
        }
    }

    /// Takes in a decided attempt: whether it was one, or shows that the denial, if there is one, is obeyed or over.
    pub(super) fn decided(&mut self, assessment: &Assessment, not_enforced: bool) {
        let now = assessment.attempt.decided;
        let edge = edge(assessment);
        if not_enforced {
            let times = self.with_this(assessment);
            *self.edges.touch(edge, now, GAP_LASTS) = (times, Some(assessment.attempt.id));
            return;
        }
        let answered = assessment.attempt.outcome == Outcome::Connected;
        let over = answered && assessment.verdict.decision == Decision::Allowed;
        let obeyed = !answered && assessment.verdict.decision == Decision::Denied;
        if (over || obeyed) && self.edges.get(&edge).is_some() {
            *self.edges.touch(edge, now, GAP_LASTS) = (0, None);
        }
    }
}

fn edge(assessment: &Assessment) -> Edge {
    let pod = |endpoint: &Endpoint| endpoint.pod().map(|pod| pod.uid.clone());
    let Assessment {
        attempt,
        source,
        destination,
        backend,
        ..
    } = assessment;
    Edge {
        client: attempt.client.ip(),
        server: attempt.server,
        source: pod(source),
        destination: pod(backend.as_ref().unwrap_or(destination)),
    }
}

/// The node's states of the last minute, oldest first.
#[derive(Default)]
pub(super) struct NodeStates(VecDeque<(Time, NodeState)>);

impl NodeStates {
    pub(super) fn add(&mut self, state: NodeState, now: Time) {
        self.0.push_back((now, state));
        while self.0.front().is_some_and(|&(at, _)| now.since(at) > STATES_LAST) {
            self.0.pop_front();
        }
    }

    /// The fullest that connection tracking was from the last reading before `first` on: a table that was full for a moment
    /// may have dropped just that SYN.
    pub(super) fn worst_since(&self, first: Time) -> NodeState {
        let before = self.0.partition_point(|&(at, _)| at < first);
        let readings = self.0.iter().skip(before.saturating_sub(1));
        let conntrack = readings
            .filter_map(|(_, state)| state.conntrack)
            .max_by(|a, b| (u128::from(a.0) * u128::from(b.1)).cmp(&(u128::from(b.0) * u128::from(a.1))));
        NodeState { conntrack }
    }
}
