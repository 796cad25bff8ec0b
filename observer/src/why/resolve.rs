//! From names to the questions that are put to the policies.
//!
//! ```text
//! Query → sources (pods, or whoever has an address) × goals (the same, or a Service) → Plan: a pair for each, with a question for
//!         every backend, and for every place of a pod without an address
//! ```

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::aims::{Aim, Behind, Landing, Pair};
use super::services::usable;
use super::target::{PortRef, Query, Target};
use crate::diagnosis::words;
use crate::endpoint::{Endpoint, Identity, Place, ServiceHit, Via};
use crate::objects::{Name, Pod, Protocol, Service, Str, Workload};
use crate::policy::{Undecidable, Who};
use crate::time::Time;
use crate::world::{Entry, World, who};

/// Why a query cannot be answered.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Error {
    /// No such object.
    #[error("there is no {kind} {name} in the objects")]
    Missing {
        /// Its kind.
        kind: &'static str,
        /// Its name.
        name: Name,
    },
    /// No such object among those that could be read.
    #[error("there is no {kind} {name} in the objects, of which {of} cannot be read: it may exist all the same")]
    Unread {
        /// Its kind.
        kind: &'static str,
        /// Its name.
        name: Name,
        /// What cannot be read.
        of: Str,
    },
    /// Nobody to be the source.
    #[error("{kind} {name} has no pods in the objects, so there is nobody to judge")]
    NoPods {
        /// What it is.
        kind: &'static str,
        /// Its name.
        name: Name,
    },
    /// The port was left out, or named, and cannot be found.
    #[error("which port of {who}? It has {has}: write it behind a colon")]
    Port {
        /// The destination.
        who: String,
        /// What it has.
        has: String,
    },
}

/// All questions of a query.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) pairs: Vec<Pair>,
    /// What the reader should know, a clause each.
    pub(super) notes: Vec<String>,
}

/// One side, resolved.
#[derive(Clone, Debug)]
pub(super) struct End {
    pub(super) name: String,
    pub(super) who: Who,
    /// Empty: a pod that has none yet.
    pub(super) addresses: Vec<IpAddr>,
}

enum Goal {
    End(End),
    Service(Arc<Service>, Option<Dialled>),
    /// A node port or host port.
    Port(SocketAddr, ServiceHit),
}

/// An address of a Service.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dialled {
    pub(super) ip: IpAddr,
    pub(super) via: Via,
    pub(super) entry: Option<Entry>,
}

/// Everything that has to be asked.
pub(super) fn plan(world: &World, query: &Query) -> Result<Plan, Error> {
    let mut resolving = Resolving {
        world,
        query,
        at: query.at,
        notes: Vec::new(),
    };
    let sources = resolving.sources()?;
    let goals = resolving.goals()?;
    let mut pairs = Vec::with_capacity(sources.len() * goals.len());
    for source in &sources {
        for goal in &goals {
            pairs.push(resolving.pair(source, goal)?);
        }
    }
    let mut notes = resolving.notes;
    notes.sort();
    notes.dedup();
    Ok(Plan { pairs, notes })
}

/// A query on its way to its questions.
pub(super) struct Resolving<'a> {
    pub(super) world: &'a World,
    pub(super) query: &'a Query,
    pub(super) at: Time,
    pub(super) notes: Vec<String>,
}

impl Resolving<'_> {
    fn sources(&mut self) -> Result<Vec<End>, Error> {
        let service = match &self.query.source {
            Target::Address(ip) => {
                let endpoint = self.endpoint(SocketAddr::new(*ip, 0), Protocol::Tcp);
                match endpoint.service().and_then(|hit| hit.service.clone()) {
                    Some(service) => service,
                    None => return Ok(vec![self.whoever(&endpoint)]),
                }
            }
            Target::Service(name) => self.service(name)?,
            Target::Pod(_) | Target::Workload { .. } => return self.pods(&self.query.source),
        };
        // A Service sends nothing: its pods do.
        let pods = self.world.endpoints().pods_behind(&service, self.at);
        if pods.is_empty() {
            return Err(Error::NoPods {
                kind: "Service",
                name: service.name.clone(),
            });
        }
        Ok(pods.iter().map(|pod| self.pod(pod)).collect())
    }

    fn goals(&mut self) -> Result<Vec<Goal>, Error> {
        let (ip, port) = match (&self.query.destination, &self.query.port) {
            (Target::Address(ip), Some(PortRef::Number(port))) => (*ip, *port),
            (Target::Address(ip), _) => (*ip, 0),
            (Target::Service(name), _) => return Ok(vec![Goal::Service(self.service(name)?, None)]),
            (target, _) => return Ok(self.pods(target)?.into_iter().map(Goal::End).collect()),
        };
        let address = SocketAddr::new(ip, port);
        let endpoint = self.endpoint(address, self.query.protocol.unwrap_or_default());
        Ok(vec![match endpoint.identity {
            Identity::Service(hit) => match (&hit.service, hit.via) {
                (Some(service), Via::ClusterIp | Via::External) => {
                    let entry = Entry::of(ip, &hit);
                    let via = hit.via;
                    Goal::Service(service.clone(), Some(Dialled { ip, via, entry }))
                }
                _ => Goal::Port(address, hit),
            },
            _ => {
                if let Some(service) = self.world.endpoints().behind_proxy(ip, self.at) {
                    self.notes.push(format!(
                        "{ip} is a load balancer before svc {} that nodes do not translate (ipMode: Proxy): only the way to it is \
                         judged, and what comes out of it is another connection",
                        service.name
                    ));
                }
                Goal::End(self.whoever(&endpoint))
            }
        }])
    }

    fn service(&self, name: &Name) -> Result<Arc<Service>, Error> {
        let found = self.world.endpoints().service(name, self.at);
        found.cloned().ok_or_else(|| self.missing("Service", name))
    }

    /// What is not there, or cannot be seen.
    fn missing(&self, kind: &'static str, name: &Name) -> Error {
        let name = name.clone();
        let policies = self.world.policies();
        match policies.backends_in_doubt(&name.namespace, self.at, self.at) {
            Some(Undecidable::ObjectsInDoubt { source }) => Error::Unread {
                kind,
                name,
                of: source.clone(),
            },
            _ => Error::Missing { kind, name },
        }
    }

    pub(super) fn endpoint(&self, address: SocketAddr, protocol: Protocol) -> Endpoint {
        self.world.endpoints().resolve(address, protocol, self.at)
    }

    /// The pods that a name means.
    fn pods(&mut self, target: &Target) -> Result<Vec<End>, Error> {
        let endpoints = self.world.endpoints();
        match target {
            Target::Workload { kind, name } => {
                let workload = Workload {
                    kind: (*kind).into(),
                    name: name.name.clone(),
                };
                let mut pods: Vec<_> = endpoints.pods_of(&name.namespace, &workload, self.at).collect();
                // A rollout or a job leaves ended pods behind; where there are others those are meant.
                if pods.iter().any(|pod| !pod.phase.is_over()) {
                    pods.retain(|pod| !pod.phase.is_over());
                }
                if pods.is_empty() {
                    return Err(Error::NoPods {
                        kind,
                        name: name.clone(),
                    });
                }
                pods.sort_by(|a, b| a.name.cmp(&b.name));
                Ok(pods.into_iter().map(|pod| self.pod(pod)).collect())
            }
            Target::Pod(name) | Target::Service(name) => match endpoints.pod(name, self.at) {
                Some(pod) => Ok(vec![self.pod(pod)]),
                None => Err(self.missing("Pod", name)),
            },
            Target::Address(ip) => {
                let endpoint = self.endpoint(SocketAddr::new(*ip, 0), Protocol::Tcp);
                Ok(vec![self.whoever(&endpoint)])
            }
        }
    }

    pub(super) fn pod(&mut self, pod: &Arc<Pod>) -> End {
        if pod.phase.is_over() {
            self.notes
                .push(format!("pod {} has ended: it is judged as when it ran", pod.name));
        } else if pod.addresses.is_empty() {
            self.notes.push(format!(
                "pod {} has no address yet: it is judged by its labels",
                pod.name
            ));
        } else if pod.terminating.is_some() {
            self.notes.push(format!(
                "pod {} is terminating: policies hold for it until it is gone",
                pod.name
            ));
        }
        End {
            name: pod.name.to_string(),
            who: Who::Pod(pod.clone()),
            addresses: pod.addresses.clone(),
        }
    }

    pub(super) fn whoever(&mut self, endpoint: &Endpoint) -> End {
        let name = match &endpoint.identity {
            Identity::Pod(pod) => pod.name.to_string(),
            _ => words::who(endpoint),
        };
        if let Some((pod, _)) = words::former_owner(endpoint) {
            let ip = endpoint.address.ip();
            self.notes.push(format!(
                "{ip} belonged to pod {pod}, which has ended: nobody has it now"
            ));
        }
        End {
            name,
            who: who(endpoint),
            addresses: vec![endpoint.address.ip()],
        }
    }

    fn pair(&mut self, source: &End, goal: &Goal) -> Result<Pair, Error> {
        let behind = match goal {
            Goal::End(end) => {
                let (port, protocol) = self.port_of(end)?;
                Behind {
                    destination: shown(&end.name, port, protocol),
                    landings: vec![Landing {
                        end: end.clone(),
                        port,
                        protocol,
                        dialled: None,
                        entry: None,
                    }],
                    other_family: Vec::new(),
                    nowhere: Undecidable::NoTarget,
                }
            }
            Goal::Service(service, address) => self.behind(source, service, *address)?,
            Goal::Port(address, hit) => self.behind_port(source, *address, hit),
        };
        let mut aims = |landings: &[Landing]| -> Vec<Aim> {
            let each = landings.iter().map(|landing| self.aim(source, landing));
            each.collect()
        };
        Ok(Pair {
            backends: behind.landings.len(),
            aims: aims(&behind.landings),
            other_family: aims(&behind.other_family),
            source: source.name.clone(),
            destination: behind.destination,
            nowhere: behind.nowhere,
        })
    }

    /// What is behind a port of a node. A node's own pods are let through to every backend, whatever the traffic policy.
    fn behind_port(&mut self, source: &End, address: SocketAddr, hit: &ServiceHit) -> Behind {
        let protocol = self.query.protocol.unwrap_or_default();
        let home = node_of(source).cloned();
        let from_there = home.is_some() && home == self.world.endpoints().node_at(address.ip(), self.at);
        let port = hit.service.as_ref().and_then(|service| {
            let mut ports = service.ports.iter();
            let port = ports.find(|port| port.node_port == Some(address.port()) && port.protocol == protocol)?;
            Some((service, port))
        });
        let backends = match port.filter(|_| from_there) {
            Some((service, port)) => {
                let (ipv6, all) = (address.is_ipv6(), Place::Anywhere);
                let endpoints = self.world.endpoints();
                endpoints.backends_of(service, port, hit.via, ipv6, all, self.at)
            }
            None => hit.backends.clone(),
        };
        let entry = Entry::of(address.ip(), hit);
        let landings: Vec<_> = usable(backends.iter())
            .map(|backend| self.landing(backend, protocol, Some(address), entry))
            .collect();
        let nowhere = hit
            .service
            .as_ref()
            .map_or(Undecidable::NoTarget, |service| self.nowhere(service));
        if let (true, Undecidable::NoTarget, Some(service)) = (landings.is_empty(), &nowhere, &hit.service) {
            let local = if service.external_local {
                " on that node (externalTrafficPolicy: Local)"
            } else {
                ""
            };
            self.notes
                .push(format!("svc {} has no ready backend{local}", service.name));
        }
        Behind {
            destination: shown(&address.ip().to_string(), address.port(), protocol),
            landings,
            other_family: Vec::new(),
            nowhere,
        }
    }

    /// The port of a destination that is no Service.
    fn port_of(&self, end: &End) -> Result<(u16, Protocol), Error> {
        if let Some(PortRef::Number(port)) = self.query.port {
            return Ok((port, self.query.protocol.unwrap_or_default()));
        }
        let ports = match &end.who {
            Who::Pod(pod) => pod.ports.as_slice(),
            _ => &[],
        };
        let asked = |port: &&crate::objects::ContainerPort| {
            self.query.protocol.is_none_or(|protocol| port.protocol == protocol)
                && match &self.query.port {
                    Some(PortRef::Name(name)) => port.name.as_ref() == Some(name),
                    _ => true,
                }
        };
        let has = ports
            .iter()
            .map(|port| (port.port, port.protocol, port.name.as_deref()));
        let mut found: Vec<_> = ports
            .iter()
            .filter(asked)
            .map(|port| (port.port, port.protocol))
            .collect();
        found.sort_unstable();
        found.dedup();
        only(&found, &end.name, has)
    }
}

/// The node that a source is on, or is.
pub(super) fn node_of(end: &End) -> Option<&Str> {
    match &end.who {
        Who::Pod(pod) => pod.node.as_ref(),
        Who::Node { node, .. } => node.as_ref(),
        Who::External | Who::Unknown | Who::Rewritten { .. } => None,
    }
}

/// The only port; else an error that lists what there is.
pub(super) fn only<'n>(
    found: &[(u16, Protocol)],
    who: &str,
    has: impl Iterator<Item = (u16, Protocol, Option<&'n str>)>,
) -> Result<(u16, Protocol), Error> {
    if let [only] = found {
        return Ok(*only);
    }
    let has: Vec<String> = has
        .map(|(port, protocol, name)| match name.filter(|name| !name.is_empty()) {
            Some(name) => format!("{port}/{protocol} ({name})"),
            None => format!("{port}/{protocol}"),
        })
        .collect();
    Err(Error::Port {
        who: who.to_owned(),
        has: if has.is_empty() {
            "no declared port".into()
        } else {
            words::list(&has, 8)
        },
    })
}

/// `name:port/PROTOCOL`, with brackets around an IPv6 address.
pub(super) fn shown(name: &str, port: u16, protocol: Protocol) -> String {
    if name.contains(':') {
        format!("[{name}]:{port}/{protocol}")
    } else {
        format!("{name}:{port}/{protocol}")
    }
}
