//! What the tracker remembers of edges: rejects and successes.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::types::{Attempt, Icmp, Outcome};
use crate::recent::Recent;
use crate::time::Time;

/// How long a reject explains a silent attempt on the same edge: the kernel limits the rate of its errors.
const REJECT_EXPLAINS: Duration = Duration::from_secs(60);
/// How long a completed handshake proves that somebody listens.
const SUCCESS_PROVES: Duration = Duration::from_secs(600);

/// When a filter answered, and its ICMP error if it was one.
type Reject = (Time, Option<Icmp>);

/// The memory of edges.
pub(super) struct Edges {
    /// Client address and dialled server → the last reject there. Written at each decision; forgotten when not touched for
    /// [`REJECT_EXPLAINS`], the least recent first when full.
    rejects: Recent<(IpAddr, SocketAddr), Option<Reject>>,
    /// Server address and port, as dialled and as reached → the last completed handshake. As above, after [`SUCCESS_PROVES`].
    successes: Recent<SocketAddr, Time>,
}

impl Edges {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            rejects: Recent::new(capacity),
            successes: Recent::new(capacity),
        }
    }

    /// How many edges and servers were given up because the memory was full.
    pub(super) fn given_up(&self) -> u64 {
        self.rejects.given_up() + self.successes.given_up()
    }

    /// How many entries the larger map has.
    pub(super) fn len(&self) -> usize {
        self.rejects.len().max(self.successes.len())
    }

    /// Takes in a decided attempt and fills in what earlier ones on its edge tell about it.
    pub(super) fn record(&mut self, attempt: &mut Attempt, reject: Option<Option<Icmp>>) {
        self.fill(attempt);
        let now = attempt.decided;
        if let Some(icmp) = reject {
            *self.rejects.touch(key(attempt), now, REJECT_EXPLAINS) = Some((now, icmp));
        }
        if attempt.outcome == Outcome::Connected {
            for server in std::iter::once(attempt.server).chain(attempt.backend) {
                *self.successes.touch(server, now, SUCCESS_PROVES) = now;
            }
        }
    }

    /// Fills in what earlier attempts on this edge tell, without taking this one in.
    pub(super) fn fill(&mut self, attempt: &mut Attempt) {
        let now = attempt.decided;
        attempt.recent_reject = self
            .rejects
            .get(&key(attempt))
            .copied()
            .flatten()
            .filter(|&(at, _)| now.since(at) <= REJECT_EXPLAINS)
            .map(|(_, icmp)| icmp);
        // A Service's success may have been another backend's: the backend's own counts where it is known.
        let server = attempt.backend.unwrap_or(attempt.server);
        attempt.recent_success = self
            .successes
            .get(&server)
            .copied()
            .filter(|&at| now.since(at) <= SUCCESS_PROVES);
    }

    /// Forgets what nobody asks for any more.
    pub(super) fn expire(&mut self, now: Time) {
        self.rejects.expire(now, REJECT_EXPLAINS);
        self.successes.expire(now, SUCCESS_PROVES);
    }
}

fn key(attempt: &Attempt) -> (IpAddr, SocketAddr) {
    (attempt.client.ip(), attempt.server)
}
