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
    /// When its latest record was decided, by its own clock.
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
        let until = self.told_until(&node).unwrap_or_default();
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

    pub(super) fn caught_up(&mut self, node: &str) {
        self.tell(node, Telling::Present);
    }

    pub(super) fn close(&mut self, node: &str) {
        self.tell(node, Telling::Nothing);
    }

    fn tell(&mut self, node: &str, telling: Telling) {
        if let Some(node) = self.0.get_mut(node) {
            node.telling = telling;
        }
    }

    /// The node told something, perhaps a record that it decided then.
    pub(super) fn heard(&mut self, node: &str, decided: Option<Time>, now: Time) {
        if let Some(node) = self.0.get_mut(node) {
            node.heard = now;
            node.until = node.until.max(decided.unwrap_or_default());
        }
    }

    pub(super) fn told_until(&self, node: &str) -> Option<Time> {
        let until = self.0.get(node)?.until;
        (until > Time::BEGINNING).then_some(until)
    }

    pub(super) fn in_the_past(&self, node: &str) -> bool {
        self.0.get(node).is_some_and(|node| node.telling == Telling::Past)
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
