//! The backends of a Service port.
//!
//! From the Service's EndpointSlices; where it has none at all, but a selector, from pods as the endpoint controller would
//! derive them: repositories of manifests hold Services and Pods, and no slices.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::pods::Owner;
use super::services::find_port;
use super::{Backend, Endpoints, Place, ServiceHit, Via};
use crate::objects::{EndpointSlice, Pod, Protocol, Service, ServicePort, Str, TargetPort};
use crate::time::Time;

/// A backend before it is decided whether connections are sent to it.
struct Candidate {
    backend: Backend,
    /// It takes connections although it terminates.
    draining: bool,
}

impl Endpoints {
    /// How `address`, an address of `service`, leads to it.
    pub(super) fn hit(
        &self,
        service: &Arc<Service>,
        via: Via,
        address: SocketAddr,
        protocol: Protocol,
        at: Time,
    ) -> ServiceHit {
        let port = find_port(service, address.port(), protocol);
        ServiceHit {
            backends: port.map_or_else(Vec::new, |port| {
                self.backends_of(service, port, via, address.is_ipv6(), Place::ThisNode, at)
            }),
            backends_known: self.knows_backends(service),
            service: Some(service.clone()),
            via,
            port: port.map(Into::into),
        }
    }

    /// Whether anything that could be a backend of it was ever told: a folder of Services and policies alone has none, and
    /// without slices those of a Service without selector cannot be known.
    #[must_use]
    pub fn knows_backends(&self, service: &Service) -> bool {
        self.services.any_slice() || (service.selector.is_some() && self.pods.any())
    }

    /// The backends of one port for one address family, in order of address. `place` is the node whose traffic policy counts.
    ///
    /// Which of them connections are sent to follows kube-proxy: the ready ones; if there is none, those that terminate
    /// and still serve. Only those that the traffic policy leaves count in that.
    ///
    /// `internalTrafficPolicy` is about cluster addresses only (Service API). The external policy does not keep a pod from
    /// external addresses and node ports of its own node: kube-proxy treats what starts on the node as if it had come in by the
    /// load balancer. At another node's port it is applied as documented.
    #[must_use]
    pub fn backends_of(
        &self,
        service: &Service,
        port: &ServicePort,
        via: Via,
        ipv6: bool,
        place: Place<'_>,
        at: Time,
    ) -> Vec<Backend> {
        let mut candidates = self.candidates(service, Wanted::Port(port), ipv6, policy(service, via, place), at);
        if !candidates.iter().any(|c| c.backend.ready && !c.backend.excluded) {
            for candidate in candidates.iter_mut().filter(|c| !c.backend.excluded) {
                candidate.backend.ready = candidate.draining;
            }
        }
        sorted(candidates)
    }

    /// What the name of a headless Service leads to, of one family: the addresses of its slices, whatever ports those declare;
    /// where it has none, of the pods that its selector matches. Nobody translates the port: it is the one that is dialled. DNS
    /// gives only the ready ones.
    #[must_use]
    pub fn named(&self, service: &Service, port: u16, ipv6: bool, at: Time) -> Vec<Backend> {
        sorted(self.candidates(service, Wanted::Dialled(port), ipv6, Policy::Cluster, at))
    }

    /// The ready pods behind a Service that have no address, with the number of its port there (`None`: the port is the one that is
    /// dialled), by name. No pod of a cluster is both; those that manifests of workloads would make are.
    #[must_use]
    pub fn unaddressed(&self, service: &Service, port: Option<&ServicePort>, at: Time) -> Vec<(Arc<Pod>, Option<u16>)> {
        if !self.services.slices_of(&service.name, at).is_empty() {
            return Vec::new();
        }
        let members = self.services.members(service, &self.pods, at);
        let mut found: Vec<_> = members
            .filter(|pod| pod.addresses.is_empty() && pod.ready && !pod.phase.is_over() && pod.terminating.is_none())
            .filter_map(|pod| match port {
                None => Some((pod.clone(), None)),
                Some(port) => Some((pod.clone(), Some(target(port, pod)?))),
            })
            .collect();
        found.sort_by(|(a, _), (b, _)| a.name.cmp(&b.name));
        found
    }

    fn candidates(
        &self,
        service: &Service,
        wanted: Wanted<'_>,
        ipv6: bool,
        policy: Policy<'_>,
        at: Time,
    ) -> Vec<Candidate> {
        let slices = self.services.slices_of(&service.name, at);
        let mut candidates = Vec::new();
        for slice in &slices {
            for number in wanted.numbers(slice) {
                for endpoint in &slice.endpoints {
                    // All addresses of an endpoint are the same backend, and proxies use the first.
                    let Some(ip) = endpoint.addresses.first().copied() else {
                        continue;
                    };
                    if ip.is_ipv6() != ipv6 {
                        continue;
                    }
                    let pod = endpoint
                        .pod
                        .as_ref()
                        .and_then(|name| self.pods.at(name, at))
                        .filter(|pod| pod.addresses.contains(&ip))
                        .or_else(|| self.owning(ip, at));
                    let node = endpoint.node.as_ref().or_else(|| pod.and_then(|pod| pod.node.as_ref()));
                    candidates.push(Candidate {
                        draining: endpoint.serving && endpoint.terminating,
                        backend: self.backend(SocketAddr::new(ip, number), pod, endpoint.ready, node, policy),
                    });
                }
            }
        }
        if slices.is_empty() {
            self.derive(service, wanted, ipv6, policy, at, &mut candidates);
        }
        candidates
    }

    /// As the endpoint controller would.
    fn derive(
        &self,
        service: &Service,
        wanted: Wanted<'_>,
        ipv6: bool,
        policy: Policy<'_>,
        at: Time,
        candidates: &mut Vec<Candidate>,
    ) {
        for pod in self.services.members(service, &self.pods, at) {
            if pod.phase.is_over() {
                continue;
            }
            let Some(ip) = pod.addresses.iter().find(|ip| ip.is_ipv6() == ipv6) else {
                continue;
            };
            let number = match wanted {
                Wanted::Port(port) => target(port, pod),
                Wanted::Dialled(number) => Some(number),
            };
            let Some(number) = number else { continue };
            let terminating = pod.terminating.is_some();
            candidates.push(Candidate {
                draining: pod.ready && terminating,
                backend: self.backend(
                    SocketAddr::new(*ip, number),
                    Some(pod),
                    service.publish_not_ready || (pod.ready && !terminating),
                    pod.node.as_ref(),
                    policy,
                ),
            });
        }
    }

    fn backend(
        &self,
        address: SocketAddr,
        pod: Option<&Arc<Pod>>,
        ready: bool,
        node: Option<&Str>,
        policy: Policy<'_>,
    ) -> Backend {
        let local = self.nodes.is_own_name(node);
        Backend {
            address,
            pod: pod.cloned(),
            ready,
            local,
            excluded: match policy {
                Policy::Cluster => false,
                // Without a name of our own nothing is known to be elsewhere.
                Policy::ThisNode => !local && self.nodes.has_own_name(),
                // A pod whose node is not known may be there; an endpoint that names neither is not.
                Policy::Node(wanted) => node.map_or(pod.is_none(), |node| node != wanted),
            },
        }
    }

    pub(super) fn owning(&self, ip: IpAddr, at: Time) -> Option<&Arc<Pod>> {
        match self.pods.owner(ip, at) {
            Owner::Pod(pod) => Some(pod),
            _ => None,
        }
    }
}

/// Which port of a backend is meant.
#[derive(Clone, Copy)]
enum Wanted<'a> {
    /// The one behind a Service's port.
    Port(&'a ServicePort),
    /// The one that is dialled.
    Dialled(u16),
}

impl Wanted<'_> {
    fn numbers(self, slice: &EndpointSlice) -> Vec<u16> {
        match self {
            Self::Dialled(number) => vec![number],
            Self::Port(port) => slice
                .ports
                .iter()
                .filter(|p| p.name == port.name && p.protocol == port.protocol)
                .filter_map(|p| p.port)
                .collect(),
        }
    }
}

/// A Service's port on a pod.
fn target(port: &ServicePort, pod: &Pod) -> Option<u16> {
    match &port.target {
        TargetPort::Number(number) => Some(*number),
        TargetPort::Name(name) => pod.port_named(name, port.protocol),
    }
}

/// In order of address, each once.
fn sorted(candidates: Vec<Candidate>) -> Vec<Backend> {
    let mut backends: Vec<_> = candidates.into_iter().map(|c| c.backend).collect();
    backends.sort_by_key(|backend| (backend.address, !backend.ready));
    backends.dedup_by_key(|backend| backend.address);
    backends
}

/// Which backends a traffic policy leaves.
#[derive(Clone, Copy)]
enum Policy<'a> {
    /// All.
    Cluster,
    /// Those on this node.
    ThisNode,
    /// Those on another node.
    Node(&'a Str),
}

fn policy<'a>(service: &Service, via: Via, place: Place<'a>) -> Policy<'a> {
    match (via, place) {
        (Via::ClusterIp, Place::ThisNode) if service.internal_local => Policy::ThisNode,
        (Via::ClusterIp, Place::Node(node)) if service.internal_local => Policy::Node(node),
        (Via::NodePort, Place::Node(node)) if service.external_local => Policy::Node(node),
        _ => Policy::Cluster,
    }
}
