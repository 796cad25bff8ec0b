//! What the tracker remembers of edges: rejects, successes, and how often a destination answered.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::types::{Attempt, Icmp, Outcome};
use crate::time::Time;

/// How long a reject explains a silent attempt on the same edge: the kernel limits the rate of its errors.
const REJECT_EXPLAINS: Duration = Duration::from_secs(60);
/// How long a completed handshake proves that somebody listens.
const SUCCESS_PROVES: Duration = Duration::from_secs(600);

/// The memory of edges.
pub(super) struct Edges {
    /// Client address and dialled server → what happened there. Written at each decision; forgotten when not touched for
    /// [`SUCCESS_PROVES`], the least recent first when full.
    edges: Recent<(IpAddr, SocketAddr), Edge>,
    /// Server address and port, as dialled and as reached → the last completed handshake. As above.
    successes: Recent<SocketAddr, Time>,
}

#[derive(Clone, Copy, Default)]
struct Edge {
    reject: Option<(Time, Option<Icmp>)>,
    connected: u32,
    refused: u32,
    half_open: u32,
}

impl Edges {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            edges: Recent::new(capacity),
            successes: Recent::new(capacity),
        }
    }

    /// How many edges and servers were given up because the memory was full.
    pub(super) fn given_up(&self) -> u64 {
        self.edges.given_up + self.successes.given_up
    }

    /// How many entries the larger map has.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.edges.entries.len().max(self.successes.entries.len())
    }

    /// Takes in a decided attempt and fills in what earlier ones on its edge tell about it.
    pub(super) fn record(&mut self, attempt: &mut Attempt, reject: Option<Option<Icmp>>) {
        self.fill(attempt);
        let now = attempt.decided;
        let answered = attempt.outcome == Outcome::Connected || attempt.answered_by_destination;
        if answered || reject.is_some() {
            let edge = self.edges.touch(key(attempt), now, SUCCESS_PROVES);
            if let Some(icmp) = reject {
                edge.reject = Some((now, icmp));
            }
            if answered && let Some(count) = count(edge, attempt.outcome) {
                *count = count.saturating_add(1);
                attempt.answered_on_edge = *count;
            }
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
        let mut edge = self.edges.get(&key(attempt)).copied().unwrap_or_default();
        attempt.recent_reject = edge
            .reject
            .filter(|&(at, _)| now.since(at) <= REJECT_EXPLAINS)
            .map(|(_, icmp)| icmp);
        // A Service's success may have been another backend's: the backend's own counts where it is known.
        let server = attempt.backend.unwrap_or(attempt.server);
        attempt.recent_success = self
            .successes
            .get(&server)
            .copied()
            .filter(|&at| now.since(at) <= SUCCESS_PROVES);
        attempt.answered_on_edge = count(&mut edge, attempt.outcome).map_or(0, |count| *count);
    }

    /// Forgets what nobody asks for any more.
    pub(super) fn expire(&mut self, now: Time) {
        self.edges.expire(now, SUCCESS_PROVES);
        self.successes.expire(now, SUCCESS_PROVES);
    }
}

fn key(attempt: &Attempt) -> (IpAddr, SocketAddr) {
    (attempt.client.ip(), attempt.server)
}

fn count(edge: &mut Edge, outcome: Outcome) -> Option<&mut u32> {
    match outcome {
        Outcome::Connected => Some(&mut edge.connected),
        Outcome::Refused => Some(&mut edge.refused),
        Outcome::HalfOpen => Some(&mut edge.half_open),
        _ => None,
    }
}

/// A map of bounded size that gives up the entry that was not touched for longest, nearly (a clock with one hand).
struct Recent<K, V> {
    entries: HashMap<K, (V, Time)>,
    /// Every key once, with the time of its last touch when it was put here.
    hand: VecDeque<(Time, K)>,
    capacity: usize,
    given_up: u64,
}

impl<K: Copy + Eq + Hash, V: Default> Recent<K, V> {
    fn new(capacity: usize) -> Self {
        Self {
            entries: HashMap::new(),
            hand: VecDeque::new(),
            capacity: capacity.max(1),
            given_up: 0,
        }
    }

    fn get(&self, key: &K) -> Option<&V> {
        self.entries.get(key).map(|(value, _)| value)
    }

    fn touch(&mut self, key: K, now: Time, keep: Duration) -> &mut V {
        if !self.entries.contains_key(&key) {
            self.expire(now, keep);
            while self.entries.len() >= self.capacity {
                self.give_up_one();
            }
            self.hand.push_back((now, key));
        }
        let entry = self.entries.entry(key).or_insert_with(|| (V::default(), now));
        entry.1 = entry.1.max(now);
        &mut entry.0
    }

    fn give_up_one(&mut self) {
        while let Some((at, key)) = self.hand.pop_front() {
            match self.entries.get(&key) {
                Some(&(_, touched)) if touched > at => self.hand.push_back((touched, key)),
                _ => {
                    self.entries.remove(&key);
                    self.given_up += 1;
                    return;
                }
            }
        }
    }

    fn expire(&mut self, now: Time, keep: Duration) {
        while let Some(&(at, key)) = self.hand.front() {
            if now.since(at) <= keep {
                return;
            }
            self.hand.pop_front();
            match self.entries.get(&key) {
                Some(&(_, touched)) if now.since(touched) <= keep => {
                    self.hand.push_back((touched, key));
                }
                _ => {
                    self.entries.remove(&key);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_full_memory_gives_up_what_was_not_touched_for_longest() {
        let mut recent: Recent<u32, u32> = Recent::new(2);
        *recent.touch(1, Time(1), SECOND) = 10;
        *recent.touch(2, Time(2), SECOND) = 20;
        recent.touch(1, Time(3), SECOND);
        *recent.touch(3, Time(4), SECOND) = 30;
        assert_eq!(recent.get(&1), Some(&10));
        assert_eq!(recent.get(&2), None);
        assert_eq!(recent.get(&3), Some(&30));
        assert_eq!(recent.given_up, 1);
        assert_eq!(recent.hand.len(), recent.entries.len());
    }

    #[test]
    fn what_is_old_goes_and_is_not_counted_as_given_up() {
        let mut recent: Recent<u32, u32> = Recent::new(8);
        recent.touch(1, Time(0), SECOND);
        recent.touch(2, Time(0), SECOND);
        recent.touch(2, Time(0) + SECOND, SECOND);
        recent.expire(Time(1) + SECOND, SECOND);
        assert_eq!(recent.get(&1), None);
        assert!(recent.get(&2).is_some());
        assert_eq!(recent.given_up, 0);
        assert_eq!(recent.hand.len(), 1);
    }
}
