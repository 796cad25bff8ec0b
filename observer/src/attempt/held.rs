//! Drop events that came before anything else was known of their attempt.
//!
//! A first SYN makes no event: the kernel may free it up to a sweep before the tracker learns that it was sent.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use super::types::{Drop, Place, Segment};
use crate::time::Time;

/// The drop events that wait for their attempt.
pub(super) struct Held {
    /// ISN → drops, oldest first. Put here when no attempt claims them, taken when one does, expired after a while.
    drops: HashMap<u32, VecDeque<Drop>>,
    /// One entry for each drop ever put there and not expired, oldest first.
    order: VecDeque<(Time, u32)>,
    capacity: usize,
    pub(super) given_up: u64,
    pub(super) unmatched: u64,
}

impl Held {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            drops: HashMap::new(),
            order: VecDeque::new(),
            capacity: capacity.max(1),
            given_up: 0,
            unmatched: 0,
        }
    }

    /// Keeps a drop; the oldest goes if there is no room.
    pub(super) fn put(&mut self, drop: Drop, now: Time) {
        if self.order.len() >= self.capacity && self.pop() {
            self.given_up += 1;
        }
        self.order.push_back((now, drop.isn));
        self.drops.entry(drop.isn).or_default().push_back(drop);
    }

    /// Takes those with this ISN that `claims` says yes to.
    pub(super) fn take(&mut self, isn: u32, mut claims: impl FnMut(&Drop) -> bool) -> Vec<Drop> {
        let Some(drops) = self.drops.get_mut(&isn) else {
            return Vec::new();
        };
        let (taken, left): (VecDeque<_>, VecDeque<_>) =
            std::mem::take(drops).into_iter().partition(|drop| claims(drop));
        if left.is_empty() {
            self.drops.remove(&isn);
        } else {
            *drops = left;
        }
        taken.into()
    }

    /// When the same SYN as this died on the node for the first time, as far as that waits here; `None` too where this is none.
    pub(super) fn first_syn(&self, like: &Drop) -> Option<Time> {
        let what = |drop: &Drop| (drop.segment, drop.place, drop.client, drop.server);
        let syn = (Segment::Syn, Place::Node, like.client, like.server);
        let mut drops = self.drops.get(&like.isn)?.iter();
        let same = drops.find(|drop| what(drop) == syn && what(like) == syn)?;
        Some(same.at)
    }

    /// Lets go of what waited for longer than `keep`.
    pub(super) fn expire(&mut self, now: Time, keep: Duration) {
        while self.order.front().is_some_and(|&(at, _)| now.since(at) > keep) {
            if self.pop() {
                self.unmatched += 1;
            }
        }
    }

    /// How many entries there are.
    pub(super) fn len(&self) -> usize {
        self.order.len().max(self.drops.len())
    }

    /// Removes the oldest entry; false if its drop had been taken. Where some of several with one ISN were taken, the rest
    /// may go a little early.
    fn pop(&mut self) -> bool {
        let Some((_, isn)) = self.order.pop_front() else {
            return false;
        };
        let Some(drops) = self.drops.get_mut(&isn) else {
            return false;
        };
        drops.pop_front();
        if drops.is_empty() {
            self.drops.remove(&isn);
        }
        true
    }
}
