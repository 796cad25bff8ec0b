//! Where a Service leads: its port, then the backends that connections are sent to.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::aims::{Behind, Landing};
use super::resolve::{Dialled, End, Error, Resolving, node_of, only, shown};
use super::target::PortRef;
use crate::endpoint::{Backend, Place, Via};
use crate::objects::{Protocol, Service, ServicePort, TargetPort};
use crate::policy::{Undecidable, Who};
use crate::world::Entry;

impl Resolving<'_> {
    /// Where a Service leads this source.
    pub(super) fn behind(
        &mut self,
        source: &End,
        service: &Arc<Service>,
        address: Option<Dialled>,
    ) -> Result<Behind, Error> {
        let who = format!("svc {}", service.name);
        let nowhere = |destination: String| Behind {
            destination,
            landings: Vec::new(),
            other_family: Vec::new(),
            nowhere: Undecidable::NoTarget,
        };
        if let Some(name) = &service.external_name {
            let note = format!("{who} is of type ExternalName: its name leads to {name}, not to pods of its own");
            self.notes.push(note);
            return Ok(nowhere(who));
        }
        let number = match self.query.port {
            Some(PortRef::Number(number)) => Some(number),
            _ => None,
        };
        let asked = |port: &&ServicePort| {
            self.query.protocol.is_none_or(|protocol| port.protocol == protocol)
                && match &self.query.port {
                    Some(PortRef::Number(number)) => {
                        port.port == *number && port.protocol == self.query.protocol.unwrap_or_default()
                    }
                    Some(PortRef::Name(name)) => port.name == *name,
                    None => true,
                }
        };
        let found: Vec<&ServicePort> = service.ports.iter().filter(asked).collect();
        let port = match (found.as_slice(), number) {
            ([port], _) => (*port).clone(),
            (_, Some(number)) if service.headless => ServicePort {
                name: "".into(),
                port: number,
                protocol: self.query.protocol.unwrap_or_default(),
                target: TargetPort::Number(number),
                node_port: None,
            },
            (_, Some(number)) => {
                let protocol = self.query.protocol.unwrap_or_default();
                self.notes.push(format!("{who} has no port {number}/{protocol}"));
                return Ok(nowhere(shown(&who, number, protocol)));
            }
            (several, None) => {
                let found: Vec<_> = several.iter().map(|port| (port.port, port.protocol)).collect();
                let has = service.ports.iter();
                only(
                    &found,
                    &who,
                    has.map(|port| (port.port, port.protocol, Some(&*port.name))),
                )?;
                return Ok(nowhere(who));
            }
        };
        let mut families = self.landings(source, service, &port, address).into_iter();
        let behind = Behind {
            destination: shown(&who, port.port, port.protocol),
            landings: families.next().unwrap_or_default(),
            other_family: families.next().unwrap_or_default(),
            nowhere: self.nowhere(service),
        };
        if behind.landings.is_empty() {
            self.explain_nowhere(source, service, &port, address, &behind);
        }
        Ok(behind)
    }

    /// Why a Service that leads nowhere cannot be judged: what is behind it may only be missing among what could be read.
    pub(super) fn nowhere(&self, service: &Service) -> Undecidable {
        let policies = self.world.policies();
        let doubt = policies.backends_in_doubt(&service.name.namespace, self.at, self.at);
        doubt.cloned().unwrap_or(Undecidable::NoTarget)
    }

    /// What a Service's port leads to, for each address family that the source can use and that leads anywhere. Of a headless
    /// Service the name leads to the pods, at the port that is dialled.
    fn landings(
        &mut self,
        source: &End,
        service: &Service,
        port: &ServicePort,
        address: Option<Dialled>,
    ) -> Vec<Vec<Landing>> {
        let via = address.map_or(Via::ClusterIp, |address| address.via);
        let entry = address.and_then(|address| address.entry);
        let place = node_of(source).map_or(Place::Anywhere, Place::Node);
        let translated = (!service.headless).then_some(port);
        // Pods without an address may get one of any family.
        let mut unaddressed = self.world.endpoints().unaddressed(service, translated, self.at);
        let mut families = Vec::new();
        for dialled in addresses(service, address) {
            let (ipv6, ip) = dialled;
            if !is_of_family(source, ipv6) {
                continue;
            }
            let endpoints = self.world.endpoints();
            let backends = match translated {
                Some(port) => endpoints.backends_of(service, port, via, ipv6, place, self.at),
                None => endpoints.named(service, port.port, ipv6, self.at),
            };
            let dialled = ip.map(|ip| SocketAddr::new(ip, port.port));
            let mut landings: Vec<_> = usable(backends.iter())
                .map(|backend| self.landing(backend, port.protocol, dialled, entry))
                .collect();
            for (pod, number) in std::mem::take(&mut unaddressed) {
                landings.push(Landing {
                    end: self.pod(&pod),
                    port: number.unwrap_or(port.port),
                    protocol: port.protocol,
                    dialled,
                    entry,
                });
            }
            if !landings.is_empty() {
                families.push(landings);
            }
        }
        families
    }

    pub(super) fn landing(
        &mut self,
        backend: &Backend,
        protocol: Protocol,
        dialled: Option<SocketAddr>,
        entry: Option<Entry>,
    ) -> Landing {
        let end = match &backend.pod {
            Some(pod) => End {
                name: pod.name.to_string(),
                who: Who::Pod(pod.clone()),
                addresses: vec![backend.address.ip()],
            },
            None => {
                let endpoint = self.endpoint(backend.address, protocol);
                self.whoever(&endpoint)
            }
        };
        Landing {
            end,
            port: backend.address.port(),
            protocol,
            dialled: dialled.filter(|dialled| *dialled != backend.address),
            entry,
        }
    }

    /// Says why a port of a Service leads this source nowhere.
    fn explain_nowhere(
        &mut self,
        source: &End,
        service: &Service,
        port: &ServicePort,
        address: Option<Dialled>,
        behind: &Behind,
    ) {
        if behind.nowhere != Undecidable::NoTarget {
            // The reason says it.
            return;
        }
        let who = format!("svc {}", service.name);
        let endpoints = self.world.endpoints();
        let mut families = addresses(service, address).into_iter();
        let note = if !families.any(|(ipv6, _)| is_of_family(source, ipv6)) {
            format!(
                "{} and {who} have no address family in common: nothing can connect, whatever the policies say",
                source.name
            )
        } else if service.selector.is_none() && !endpoints.knows_backends(service) {
            format!("{who} has no selector, and no EndpointSlice tells what is behind it (v1 Endpoints are not read)")
        } else {
            let local = service.internal_local && address.is_none_or(|address| address.via == Via::ClusterIp);
            let node = node_of(source).filter(|_| local && !service.headless);
            let there = node.map_or_else(String::new, |node| {
                format!(" on node {node} (internalTrafficPolicy: Local)")
            });
            format!(
                "{who} has no ready backend for port {}/{}{there}",
                port.port, port.protocol
            )
        };
        self.notes.push(note);
    }
}

/// The families by which a Service is reached, with the address that is dialled; without one where manifests leave it to the API
/// server, and for a headless Service.
fn addresses(service: &Service, dialled: Option<Dialled>) -> Vec<(bool, Option<IpAddr>)> {
    match dialled {
        Some(dialled) => vec![(dialled.ip.is_ipv6(), Some(dialled.ip))],
        None if service.cluster_ips.is_empty() => vec![(false, None), (true, None)],
        None => {
            let each = service.cluster_ips.iter();
            each.map(|ip| (ip.is_ipv6(), Some(*ip))).collect()
        }
    }
}

fn is_of_family(end: &End, ipv6: bool) -> bool {
    end.addresses.is_empty() || end.addresses.iter().any(|ip| ip.is_ipv6() == ipv6)
}

/// The backends that connections are sent to.
pub(super) fn usable<'b>(backends: impl Iterator<Item = &'b Backend>) -> impl Iterator<Item = &'b Backend> {
    backends.filter(|backend| backend.ready && !backend.excluded)
}
