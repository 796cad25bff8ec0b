//! The backends of a Service port.
//!
//! From the Service's EndpointSlices; where it has none at all, but a selector, from pods as the endpoint controller would
//! derive them: repositories of manifests hold Services and Pods, and no slices.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::pods::Owner;
use super::services::find_port;
use super::{Backend, Endpoints, ServiceHit, Via};
use crate::objects::{Pod, Protocol, Service, ServicePort, Str, TargetPort};
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
                self.backends_of(service, port, via, address.is_ipv6(), None, at)
            }),
            backends_known: self.knows_backends(service),
            service: Some(service.clone()),
            via,
            port: port.map(Into::into),
        }
    }

    /// Whether anything that could be a backend of it was ever told: a folder of Services and policies alone has none, and
    /// without slices those of a Service without selector cannot be known.
    pub(super) fn knows_backends(&self, service: &Service) -> bool {
        self.services.any_slice() || (service.selector.is_some() && self.pods.any())
    }

    /// The backends of one port for one address family, in order of address. `receiving` names the node that a node port
    /// was dialled at, if it is not this one.
    ///
    /// Which of them connections are sent to follows kube-proxy: the ready ones; if there is none, those that terminate
    /// and still serve. Only those that the traffic policy leaves count in that.
    ///
    /// The external policy does not keep a pod from external addresses and node ports of its own node: kube-proxy treats what
    /// starts on the node as if it had come in by the load balancer. At another node's port it is applied as documented.
    pub(super) fn backends_of(
        &self,
        service: &Service,
        port: &ServicePort,
        via: Via,
        ipv6: bool,
        receiving: Option<&Str>,
        at: Time,
    ) -> Vec<Backend> {
        let slices = self.services.slices_of(&service.name, at);
        let mut candidates = Vec::new();
        for slice in &slices {
            let numbers = slice
                .ports
                .iter()
                .filter(|p| p.name == port.name && p.protocol == port.protocol)
                .filter_map(|p| p.port);
            for number in numbers {
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
                        backend: self.backend(
                            SocketAddr::new(ip, number),
                            pod,
                            endpoint.ready,
                            node,
                            excludes(service, via, receiving),
                        ),
                    });
                }
            }
        }
        if slices.is_empty() {
            self.derive(service, port, via, ipv6, receiving, at, &mut candidates);
        }
        if !candidates.iter().any(|c| c.backend.ready && !c.backend.excluded) {
            for candidate in candidates.iter_mut().filter(|c| !c.backend.excluded) {
                candidate.backend.ready = candidate.draining;
            }
        }
        let mut backends: Vec<_> = candidates.into_iter().map(|c| c.backend).collect();
        backends.sort_by_key(|backend| (backend.address, !backend.ready));
        backends.dedup_by_key(|backend| backend.address);
        backends
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the same question as its caller's, and the answer's place"
    )]
    fn derive(
        &self,
        service: &Service,
        port: &ServicePort,
        via: Via,
        ipv6: bool,
        receiving: Option<&Str>,
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
            let number = match &port.target {
                TargetPort::Number(number) => Some(*number),
                TargetPort::Name(name) => pod.port_named(name, port.protocol),
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
                    excludes(service, via, receiving),
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
                Policy::Node(receiving) => node != Some(receiving),
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

fn excludes<'a>(service: &Service, via: Via, receiving: Option<&'a Str>) -> Policy<'a> {
    match (via, receiving) {
        (Via::ClusterIp, _) if service.internal_local => Policy::ThisNode,
        (Via::NodePort, Some(node)) if service.external_local => Policy::Node(node),
        _ => Policy::Cluster,
    }
}
