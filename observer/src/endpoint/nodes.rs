//! Which node an address belongs to.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use ipnetwork::IpNetwork;

use super::{Endpoints, Identity, OwnNode, Place, ServiceHit, Via};
use crate::objects::{Node, Protocol, Str, Versioned};
use crate::time::Time;

/// This node and the others.
#[derive(Debug, Default)]
pub(super) struct Nodes {
    /// This node's name; empty if not known.
    own: Str,
    /// The name that we were given, which may be the host's and not the Node's.
    given: Str,
    /// Every address on this node's interfaces.
    own_addresses: HashSet<IpAddr>,
    /// Every Node by name. Written by `set` and `remove`, deleted by `prune`.
    pub(super) by_name: Versioned<Str, Arc<Node>>,
    /// Names of the Nodes that have or had an address; `prune` deletes those that are gone.
    by_address: HashMap<IpAddr, Vec<Str>>,
}

/// A node that has an address.
#[derive(Debug)]
pub(super) struct NodeHit {
    name: Option<Str>,
    own: bool,
}

/// The first address of a pod range is the node's bridge with most CNIs; its network address is the tunnel's with some
/// (flannel). Neither is ever given to a pod.
fn bridge_addresses(range: IpNetwork) -> [IpAddr; 2] {
    match range {
        IpNetwork::V4(range) => {
            let network = u32::from(range.network());
            [network, network.saturating_add(1)].map(|bits| Ipv4Addr::from(bits).into())
        }
        IpNetwork::V6(range) => {
            let network = u128::from(range.network());
            [network, network.saturating_add(1)].map(|bits| Ipv6Addr::from(bits).into())
        }
    }
}

/// Every address that a Node object gives the node.
fn addresses(node: &Node) -> impl Iterator<Item = IpAddr> {
    let bridges = node
        .pod_cidrs
        .iter()
        .copied()
        .filter(|range| match range {
            IpNetwork::V4(range) => range.prefix() <= 30,
            IpNetwork::V6(range) => range.prefix() <= 126,
        })
        .flat_map(bridge_addresses);
    node.addresses.iter().copied().chain(bridges)
}

impl Nodes {
    pub(super) fn set_own(&mut self, own: OwnNode) {
        self.given = own.name;
        self.own_addresses = own.addresses.into_iter().collect();
        self.name_own();
    }

    /// If no Node has the name that we were given, but one has an address of ours, that is this node: a wrong name would make
    /// another node of this one, from which policies do keep its pods.
    fn name_own(&mut self) {
        let latest = || self.by_name.iter_at(Time(u64::MAX));
        let is_this = |node: &Node| node.addresses.iter().any(|address| self.is_own(*address));
        let own = match latest().any(|(name, _)| *name == self.given) {
            true => None,
            false => latest().find(|(_, node)| is_this(node)).map(|(name, _)| name.clone()),
        };
        self.own = own.unwrap_or_else(|| self.given.clone());
    }

    pub(super) fn is_own(&self, address: IpAddr) -> bool {
        self.own_addresses.contains(&address)
    }

    /// Whether `node` is this node's name.
    pub(super) fn is_own_name(&self, node: Option<&Str>) -> bool {
        !self.own.is_empty() && node == Some(&self.own)
    }

    pub(super) fn own_name(&self) -> &str {
        &self.own
    }

    pub(super) fn has_own_name(&self) -> bool {
        !self.own.is_empty()
    }

    pub(super) fn set(&mut self, node: &Arc<Node>, at: Time) {
        for address in addresses(node) {
            let names = self.by_address.entry(address).or_default();
            if !names.contains(&node.name) {
                names.push(node.name.clone());
            }
        }
        self.by_name.set(node.name.clone(), node.clone(), at);
        self.name_own();
    }

    pub(super) fn remove(&mut self, name: &Str, at: Time) {
        self.by_name.remove(name.clone(), at);
        self.name_own();
    }

    /// The node that has `address`: this one by its interfaces, else by its Node object.
    pub(super) fn at(&self, address: IpAddr, at: Time) -> Option<NodeHit> {
        let name = self.by_address.get(&address).into_iter().flatten().find(|name| {
            self.by_name
                .at(*name, at)
                .is_some_and(|node| addresses(node).any(|has| has == address))
        });
        if self.is_own(address) {
            let own = (!self.own.is_empty()).then_some(&self.own);
            return Some(NodeHit {
                name: own.or(name).cloned(),
                own: true,
            });
        }
        name.map(|name| NodeHit {
            name: Some(name.clone()),
            own: self.is_own_name(Some(name)),
        })
    }

    /// Whether a pod range or an address of a node overlaps `range`.
    pub(super) fn overlap(&self, range: IpNetwork, at: Time) -> bool {
        self.by_name.iter_at(at).any(|(_, node)| {
            node.addresses.iter().any(|ip| range.contains(*ip))
                || node
                    .pod_cidrs
                    .iter()
                    .any(|cidr| range.contains(cidr.network()) || cidr.contains(range.network()))
        })
    }

    pub(super) fn prune(&mut self, before: Time) {
        self.by_name.prune(before);
        let by_name = &self.by_name;
        self.by_address.retain(|_, names| {
            names.retain(|name| !by_name.history(name).is_empty());
            !names.is_empty()
        });
    }
}

impl Endpoints {
    /// The name of the node that has `ip`, if both are known.
    #[must_use]
    pub fn node_at(&self, ip: IpAddr, at: Time) -> Option<Str> {
        self.node(ip, at)?.name
    }

    /// The names of all nodes at `at`, in no order.
    pub fn nodes(&self, at: Time) -> impl Iterator<Item = &Str> {
        self.nodes.by_name.iter_at(at).map(|(name, _)| name)
    }

    /// Every address of a node in one family from which it may speak to pods: those of its Node object, this node's interfaces.
    /// Not the Services' own, which IPVS puts on an interface of every node. Empty where none is known.
    #[must_use]
    pub fn node_addresses(&self, name: &Str, ipv6: bool, at: Time) -> Vec<IpAddr> {
        let node = self.nodes.by_name.at(name, at);
        let told = node.into_iter().flat_map(|node| addresses(node));
        let own = self.nodes.own_addresses.iter().copied();
        let is_own = self.nodes.is_own_name(Some(name));
        let own = own.filter(|ip| is_own && !ip.is_loopback() && !self.services.have(*ip));
        let mut all: Vec<_> = told.chain(own).filter(|ip| ip.is_ipv6() == ipv6).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// The node that has `ip`; a hostNetwork pod's address is a node's even if no Node object says so.
    pub(super) fn node(&self, ip: IpAddr, at: Time) -> Option<NodeHit> {
        self.nodes.at(ip, at).or_else(|| {
            let pods = self.pods.host_at(ip, at);
            let name = pods.first()?.node.clone();
            Some(NodeHit {
                own: self.nodes.is_own_name(name.as_ref()),
                name,
            })
        })
    }

    pub(super) fn node_identity(&self, node: NodeHit, ip: IpAddr, at: Time) -> Identity {
        let mut candidates: Vec<_> = node
            .name
            .iter()
            .flat_map(|name| self.pods.on_node(name, at))
            .filter(|pod| pod.host_network)
            .chain(self.pods.host_at(ip, at))
            .collect();
        candidates.sort_by(|a, b| a.name.cmp(&b.name));
        candidates.dedup_by(|a, b| a.name == b.name);
        Identity::Node {
            node: node.name,
            own: node.own,
            candidates,
        }
    }

    /// What a port on a node's address leads to: a Service's node port, or a container's host port.
    pub(super) fn node_port(
        &self,
        node: &NodeHit,
        address: SocketAddr,
        protocol: Protocol,
        at: Time,
    ) -> Option<ServiceHit> {
        if let Some((service, port)) = self.services.at_node_port(address.port(), protocol, at) {
            let place = match &node.name {
                Some(name) if !node.own => Place::Node(name),
                _ => Place::ThisNode,
            };
            return Some(ServiceHit {
                backends: self.backends_of(service, port, Via::NodePort, address.is_ipv6(), place, at),
                service: Some(service.clone()),
                via: Via::NodePort,
                port: Some(port.into()),
                backends_known: self.knows_backends(service),
            });
        }
        let name = node.name.as_ref()?;
        let backends: Vec<_> = self
            .pods
            .on_node(name, at)
            .into_iter()
            .filter(|pod| !pod.host_network)
            .flat_map(|pod| {
                let ports: Vec<u16> = pod
                    .ports
                    .iter()
                    .filter(|port| port.host_port == Some(address.port()) && port.protocol == protocol)
                    .map(|port| port.port)
                    .collect();
                ports.into_iter().map(move |port| (pod.clone(), port))
            })
            .filter_map(|(pod, port)| {
                let ip = *pod.addresses.iter().find(|ip| ip.is_ipv6() == address.is_ipv6())?;
                Some(super::Backend {
                    address: SocketAddr::new(ip, port),
                    // A host port leads there whether the pod is ready or not.
                    ready: true,
                    local: node.own,
                    excluded: false,
                    pod: Some(pod),
                })
            })
            .collect();
        (!backends.is_empty()).then_some(ServiceHit {
            service: None,
            via: Via::HostPort,
            port: None,
            backends,
            backends_known: true,
        })
    }
}
