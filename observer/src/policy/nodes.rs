//! The nodes by time, found by their addresses.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use super::faults::faulty;
use crate::objects::{Node, Str, Versioned};
use crate::time::Time;

/// Every node that is remembered.
#[derive(Debug, Default)]
pub(super) struct Nodes {
    /// By name and time; a new version only where labels or addresses changed.
    versions: Versioned<Str, Arc<Node>>,
    /// Address → the nodes of which some version has it. Written with a version, deleted by [`Self::prune`].
    by_address: HashMap<IpAddr, Vec<Str>>,
}

impl Nodes {
    /// `false` if nothing changes that a policy can ask for.
    pub(super) fn set(&mut self, node: &Arc<Node>, at: Time) -> bool {
        let last = self.versions.latest(&node.name);
        if last.is_some_and(|last| {
            last.addresses == node.addresses && (last.labels == node.labels || faulty!(KeepNodeLabels))
        }) {
            return false;
        }
        self.versions.set(node.name.clone(), node.clone(), at);
        for address in &node.addresses {
            let names = self.by_address.entry(*address).or_default();
            if !names.contains(&node.name) {
                names.push(node.name.clone());
            }
        }
        true
    }

    pub(super) fn remove(&mut self, name: &Str, at: Time) {
        self.versions.remove(name.clone(), at);
    }

    /// The nodes that had this address then.
    pub(super) fn with_address(&self, address: IpAddr, at: Time) -> impl Iterator<Item = &Node> {
        let names = self.by_address.get(&address).map_or(&[][..], Vec::as_slice);
        let nodes = names.iter().filter_map(move |name| self.versions.at(name, at));
        nodes
            .map(|node| &**node)
            .filter(move |node| node.addresses.contains(&address))
    }

    /// Forgets what no question of `before` or later can need.
    pub(super) fn prune(&mut self, before: Time) {
        self.versions.prune(before);
        let versions = &self.versions;
        self.by_address.retain(|address, names| {
            names.retain(|name| {
                let mut history = versions.history(name).iter().filter_map(|(_, node)| node.as_ref());
                history.any(|node| node.addresses.contains(address))
            });
            !names.is_empty()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::Object;
    use crate::policy::tests::cluster_text::node;

    fn named(nodes: &Nodes, address: &str, at: u64) -> Vec<String> {
        let found = nodes.with_address(address.parse().expect("an address"), Time(at));
        found.map(|node| node.name.to_string()).collect()
    }

    #[test]
    fn an_address_is_of_the_node_that_had_it_then() {
        let mut nodes = Nodes::default();
        let mut set = |name, addresses: &[&str], at| match node(name, "", addresses) {
            Object::Node(node) => nodes.set(&node, Time(at)),
            _ => unreachable!("it is one"),
        };
        assert!(set("a", &["10.0.0.1", "fd00::1"], 1));
        assert!(!set("a", &["10.0.0.1", "fd00::1"], 2));
        assert!(set("a", &["10.0.0.2"], 3));
        assert!(set("b", &["10.0.0.1"], 4));
        nodes.remove(&"b".into(), Time(5));
        let all = |nodes: &Nodes| {
            (0..6)
                .map(|at| named(nodes, "10.0.0.1", at).concat())
                .collect::<Vec<_>>()
        };
        assert_eq!(all(&nodes), ["", "a", "a", "", "b", ""]);
        assert_eq!(named(&nodes, "fd00::1", 2), ["a"]);
        nodes.prune(Time(4));
        assert_eq!(all(&nodes), ["", "", "", "", "b", ""]);
        nodes.prune(Time(5));
        assert_eq!(nodes.by_address.len(), 1, "{nodes:?}");
    }
}
