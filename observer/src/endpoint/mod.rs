//! Who an address was at a time.
//!
//! ```text
//! Change, time → Endpoints ┬ Pods      address → claims (pod, from, until)
//!                          ├ Services  address, node port → Service; slices → backends
//!                          └ Nodes     address → node, this node's own first
//! resolve(address, port, time) → pod ∨ Service ∨ own node ∨ other node ∨ former pod ∨ service range ∨ external
//! ```
//!
//! It owns the precedence and the history. It does not own where objects come from (`cluster/`) nor what policies say of
//! them (`policy/`). Every question carries a time; history lasts until [`Endpoints::prune`].

mod backends;
mod by_name;
mod nodes;
mod pods;
mod services;
mod types;

#[cfg(test)]
mod tests;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use crate::objects::{Change, Kind, Name, Object, Pod, Protocol};
use crate::time::Time;

use nodes::Nodes;
use pods::{Owner, Pods};
use services::Services;
pub use types::*;

/// How far the cluster's knowledge of backends, and ours, may lag behind each other: kube-proxy writes its rules a moment
/// before or after we read the same change.
const LAG: Duration = Duration::from_secs(5);

/// Every object that has addresses, by address and time.
#[derive(Debug, Default)]
pub struct Endpoints {
    pods: Pods,
    services: Services,
    nodes: Nodes,
    /// Whether any object was ever given.
    any: bool,
}

impl Endpoints {
    /// Takes in one change. Kinds without addresses are ignored.
    pub fn apply(&mut self, change: &Change, at: Time) {
        match change {
            Change::Set(object) => {
                self.any = true;
                match object {
                    Object::Pod(pod) => {
                        self.pods.set(pod, at);
                        self.services.pod_changed(pod);
                    }
                    Object::Service(service) => {
                        self.services.set(service, at);
                        self.services.find_members(service, &self.pods);
                    }
                    Object::EndpointSlice(slice) => self.services.set_slice(slice, at),
                    Object::Node(node) => self.nodes.set(node, at),
                    Object::Namespace(_) | Object::NetworkPolicy(_) | Object::ClusterPolicy(_) => {}
                }
            }
            Change::Remove(Kind::Pod, name) => self.pods.remove(name, at),
            Change::Remove(Kind::Service, name) => self.services.remove(name, at),
            Change::Remove(Kind::EndpointSlice, name) => self.services.remove_slice(name, at),
            Change::Remove(Kind::Node, name) => self.nodes.remove(&name.name, at),
            Change::Remove(
                Kind::Namespace
                | Kind::NetworkPolicy
                | Kind::ClusterNetworkPolicy
                | Kind::AdminNetworkPolicy
                | Kind::BaselineAdminNetworkPolicy,
                _,
            )
            | Change::Unsynced
            | Change::Synced
            | Change::Unheard { .. }
            | Change::Heard
            | Change::Doubt { .. }
            | Change::Clear { .. }
            | Change::Foreign { .. }
            | Change::ForeignGone { .. } => {}
        }
    }

    /// Which node this is, and every address on its interfaces.
    pub fn set_own_node(&mut self, own: OwnNode) {
        self.nodes.set_own(own);
    }

    /// This node's name: as its Node object has it, if one has an address of ours, else as it was given; empty if neither.
    #[must_use]
    pub fn own_name(&self) -> &str {
        self.nodes.own_name()
    }

    /// Whether `address` is on one of this node's interfaces.
    #[must_use]
    pub fn is_own_node(&self, address: IpAddr) -> bool {
        self.nodes.is_own(address)
    }

    /// Who `address` was at `at`.
    #[must_use]
    pub fn resolve(&self, address: SocketAddr, protocol: Protocol, at: Time) -> Endpoint {
        Endpoint {
            address,
            identity: self.identity(address, protocol, at),
        }
    }

    fn identity(&self, address: SocketAddr, protocol: Protocol, at: Time) -> Identity {
        let ip = address.ip();
        let owner = self.pods.owner(ip, at);
        let former = match owner {
            Owner::Pod(pod) => return Identity::Pod(pod.clone()),
            Owner::Several(pods) => return Identity::Unknown(Unknown::Ambiguous(pods)),
            Owner::Former(pod, until) => Some((pod, until)),
            Owner::Nobody => None,
        };
        if let Some((service, via)) = self.services.at_address(address, protocol, at) {
            return Identity::Service(self.hit(service, via, address, protocol, at));
        }
        if let Some(node) = self.node(ip, at) {
            return self
                .node_port(&node, address, protocol, at)
                .map_or_else(|| self.node_identity(node, ip, at), Identity::Service);
        }
        if let Some((pod, until)) = former {
            return Identity::Unknown(Unknown::Ended {
                pod: pod.clone(),
                at: pod.ended.or((until > Time::BEGINNING).then_some(until)),
            });
        }
        if !self.any {
            return Identity::Unknown(Unknown::NoObjects);
        }
        if self.in_service_range(ip, at) {
            return Identity::Unknown(Unknown::ServiceRange);
        }
        Identity::External
    }

    /// The pods of `node` at `at`, hostNetwork pods included, completed ones not, by name.
    #[must_use]
    pub fn pods_on_node(&self, node: &str, at: Time) -> Vec<Arc<Pod>> {
        self.pods.on_node(node, at)
    }

    /// The pod of that name at `at`.
    #[must_use]
    pub fn pod(&self, name: &Name, at: Time) -> Option<&Arc<Pod>> {
        self.pods.at(name, at)
    }

    /// The Service that a directly dialled backend belongs to, if exactly one Service with an address of its own sends
    /// connections there, by exactly one port.
    #[must_use]
    pub fn perhaps_via(&self, backend: SocketAddr, protocol: Protocol, at: Time) -> Option<PerhapsVia> {
        let pod = match self.pods.owner(backend.ip(), at) {
            Owner::Pod(pod) => Some(pod),
            _ => None,
        };
        let mut found = None;
        for service in self.services.perhaps_of(backend.ip(), pod, at) {
            for port in service.ports.iter().filter(|port| port.protocol == protocol) {
                let leads_here = self
                    .backends_of(&service, port, Via::ClusterIp, backend.is_ipv6(), Place::ThisNode, at)
                    .iter()
                    .any(|candidate| candidate.ready && candidate.address == backend);
                if leads_here && found.is_some() {
                    return None;
                }
                if leads_here {
                    found = Some(PerhapsVia {
                        service: service.name.clone(),
                        port: HitPort {
                            name: port.name.clone(),
                            port: port.port,
                            protocol,
                        },
                    });
                }
            }
        }
        found
    }

    /// Whether a SYN to `dialled` may arrive at `seen`: they are equal, or `seen` is a backend of what `dialled` is, ready
    /// or not, at `at` or a moment before or after it (`LAG`). True also where `dialled` is too little known to say no.
    #[must_use]
    pub fn may_become(&self, dialled: SocketAddr, seen: SocketAddr, at: Time) -> bool {
        if dialled == seen {
            return true;
        }
        [at, at - LAG, at + LAG]
            .into_iter()
            .any(|at| match self.identity(dialled, Protocol::Tcp, at) {
                Identity::Service(hit) => hit.backends.iter().any(|backend| backend.address == seen),
                Identity::Unknown(Unknown::NoObjects | Unknown::ServiceRange) => true,
                _ => false,
            })
    }

    /// Where a SYN to `dialled` may arrive: the backends of a Service that connections are sent to; itself for
    /// everything else.
    #[must_use]
    pub fn destinations(&self, dialled: SocketAddr, at: Time) -> Vec<SocketAddr> {
        match self.identity(dialled, Protocol::Tcp, at) {
            Identity::Service(hit) => hit
                .backends
                .iter()
                .filter(|backend| backend.ready && !backend.excluded)
                .map(|backend| backend.address)
                .collect(),
            _ => vec![dialled],
        }
    }

    /// Forgets what ended before `before`. A completed pod's addresses are remembered for as long as the pod exists.
    pub fn prune(&mut self, before: Time) {
        self.pods.prune(before);
        self.services.prune(before);
        self.services.prune_members(&self.pods);
        self.nodes.prune(before);
    }
}
