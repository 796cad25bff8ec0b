//! How far each node has told: what may still come.

use std::collections::HashMap;
use std::time::Duration;

use crate::objects::Str;
use crate::time::Time;

/// Every node that was ever asked.
#[derive(Debug, Default)]
pub(super) struct Nodes(HashMap<Str, Node>);

#[derive(Debug)]
struct Node {
    telling: Telling,
    /// Until when it told everything, by its own clock.
    until: Time,
    /// When it was heard last, by ours.
    heard: Time,
}

/// What a node tells now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Telling {
    Past,
    Present,
    Nothing,
}

impl Nodes {
    pub(super) fn open(&mut self, node: Str, now: Time) {
        let until = self.0.get(&node).map_or(Time::BEGINNING, |node| node.until);
        let telling = Telling::Past;
        self.0.insert(
            node,
            Node {
                telling,
                until,
                heard: now,
            },
        );
    }

    pub(super) fn caught_up(&mut self, node: &str, until: Time) {
        if let Some(node) = self.0.get_mut(node) {
            node.telling = Telling::Present;
            node.until = node.until.max(until);
        }
    }

    pub(super) fn close(&mut self, node: &str) {
        if let Some(node) = self.0.get_mut(node) {
            node.telling = Telling::Nothing;
        }
    }

    /// The node told something, perhaps a record of this time.
    pub(super) fn heard(&mut self, node: &str, at: Option<Time>, now: Time) {
        if let Some(node) = self.0.get_mut(node) {
            node.heard = now;
            node.until = node.until.max(at.unwrap_or_default());
        }
    }

    pub(super) fn in_the_past(&self, node: &str) -> bool {
        self.0.get(node).is_some_and(|node| node.telling == Telling::Past)
    }

    pub(super) fn any_in_the_past(&self) -> bool {
        self.0.values().any(|node| node.telling == Telling::Past)
    }

    /// Whether the node tells its past, and another one is not as far.
    pub(super) fn is_ahead(&self, node: &str) -> bool {
        let past = || self.0.values().filter(|node| node.telling == Telling::Past);
        let Some(node) = self.0.get(node).filter(|node| node.telling == Telling::Past) else {
            return false;
        };
        past().any(|other| other.until < node.until)
    }

    /// Until when all nodes have told that are waited for with their past; `None` if none is.
    pub(super) fn past_told_until(&self, now: Time, patience: Duration) -> Option<Time> {
        let waited_for = |node: &&Node| node.telling == Telling::Past && now < node.heard + patience;
        self.0.values().filter(waited_for).map(|node| node.until).min()
    }

    /// Until when all nodes have told that tell the present; `None` if none does.
    pub(super) fn present_told_until(&self) -> Option<Time> {
        let present = |node: &&Node| node.telling == Telling::Present;
        self.0.values().filter(present).map(|node| node.until).min()
    }

    /// When the first of the nodes is given up that something of the time `key` waits for; `None` if it waits for none.
    pub(super) fn patience_ends(&self, key: Time, now: Time, patience: Duration) -> Option<Time> {
        let waits_for = |node: &&Node| node.telling == Telling::Past && now < node.heard + patience && node.until < key;
        self.0
            .values()
            .filter(waits_for)
            .map(|node| node.heard + patience)
            .min()
    }
}
