//! Where a Service leads: its port, then the backends that connections are sent to.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::resolve::{End, Error, Landing, Resolving, only, shown};
use super::target::PortRef;
use crate::endpoint::Backend;
use crate::objects::{Protocol, Service, ServicePort, TargetPort};
use crate::policy::Who;

impl Resolving<'_> {
    /// Where a Service leads this source.
    pub(super) fn behind(
        &mut self,
        source: &End,
        service: &Arc<Service>,
        address: Option<IpAddr>,
    ) -> Result<(String, Vec<Landing>), Error> {
        let who = format!("svc {}", service.name);
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
                return Ok((shown(&who, number, protocol), Vec::new()));
            }
            (several, None) => {
                let found: Vec<_> = several.iter().map(|port| (port.port, port.protocol)).collect();
                let has = service.ports.iter();
                only(
                    &found,
                    &who,
                    has.map(|port| (port.port, port.protocol, Some(&*port.name))),
                )?;
                return Ok((who, Vec::new()));
            }
        };
        let name = shown(&who, port.port, port.protocol);
        let landings = self.landings(source, service, &port, address, number.filter(|_| service.headless));
        if landings.is_empty() {
            self.notes.push(format!(
                "{who} has no ready backend for port {}/{}",
                port.port, port.protocol
            ));
        }
        Ok((name, landings))
    }

    /// `as_dialled`: of a headless Service, whose name leads to the pods without translation of the port.
    fn landings(
        &mut self,
        source: &End,
        service: &Service,
        port: &ServicePort,
        address: Option<IpAddr>,
        as_dialled: Option<u16>,
    ) -> Vec<Landing> {
        let known: Vec<Option<IpAddr>> = match address {
            Some(address) => vec![Some(address)],
            None if service.cluster_ips.is_empty() => vec![None, None],
            None => service.cluster_ips.iter().copied().map(Some).collect(),
        };
        for (index, dialled) in known.into_iter().enumerate() {
            let ipv6 = dialled.map_or(index == 1, |dialled| dialled.is_ipv6());
            let reachable = source.addresses.is_empty() || source.addresses.iter().any(|ip| ip.is_ipv6() == ipv6);
            if !reachable {
                continue;
            }
            let mut backends = self.world.endpoints().backends(service, port, ipv6, self.at);
            if let (true, Who::Pod(client)) = (service.internal_local, &source.who) {
                // Only backends on the client's node are used; without the names nothing is known to be elsewhere.
                backends.retain(|backend| {
                    let node = backend.pod.as_ref().and_then(|pod| pod.node.as_ref());
                    node.is_none() || client.node.is_none() || node == client.node.as_ref()
                });
            }
            for backend in &mut backends {
                if let Some(number) = as_dialled {
                    backend.address.set_port(number);
                }
            }
            let dialled = dialled.map(|ip| SocketAddr::new(ip, port.port));
            let landings: Vec<_> = usable(backends.iter())
                .map(|backend| self.landing(backend, port.protocol, dialled))
                .collect();
            if !landings.is_empty() {
                return landings;
            }
        }
        Vec::new()
    }

    pub(super) fn landing(&mut self, backend: &Backend, protocol: Protocol, dialled: Option<SocketAddr>) -> Landing {
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
        }
    }
}

/// The backends that connections are sent to.
pub(super) fn usable<'b>(backends: impl Iterator<Item = &'b Backend>) -> impl Iterator<Item = &'b Backend> {
    backends.filter(|backend| backend.ready && !backend.excluded)
}
