//! From names to the questions that are put to the policies.
//!
//! ```text
//! Query → sources (pods, or whoever has an address) × goals (the same, or a Service) → Plan: a pair for each, with a question for
//!         every backend, and for every place of a pod without an address
//! ```

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::places::places;
use super::services::usable;
use super::target::{PortRef, Query, Target};
use crate::diagnosis::words;
use crate::endpoint::{Backend, Endpoint, Identity, Via};
use crate::objects::{Name, Pod, Protocol, Service, Workload};
use crate::policy::{Party, Question, Who};
use crate::time::Time;
use crate::world::{World, who};

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

/// One source and one destination.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) source: String,
    pub(super) destination: String,
    /// Where it may lead: one, or one for each backend of a Service.
    pub(super) aims: Vec<Aim>,
    /// How many those are.
    pub(super) backends: usize,
}

/// One place where it may lead.
#[derive(Debug)]
pub(super) struct Aim {
    pub(super) name: String,
    /// One, or one for each place where a pod without an address may come to be. Never empty.
    pub(super) questions: Vec<Question>,
    /// The same over the other address family, where both have one.
    pub(super) other_family: Option<Question>,
}

impl Pair {
    /// Everything that is asked about it, over both address families.
    pub(super) fn questions(&self) -> impl Iterator<Item = &Question> {
        self.aims
            .iter()
            .flat_map(|aim| aim.questions.iter().chain(&aim.other_family))
    }
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
    Service(Arc<Service>, Option<IpAddr>),
    /// A node port or host port.
    Port(SocketAddr, Vec<Backend>),
}

/// A destination with its port.
pub(super) struct Landing {
    pub(super) end: End,
    pub(super) port: u16,
    pub(super) protocol: Protocol,
    pub(super) dialled: Option<SocketAddr>,
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
        Ok(vec![match &endpoint.identity {
            Identity::Service(hit) => match (&hit.service, hit.via) {
                (Some(service), Via::ClusterIp | Via::External) => Goal::Service(service.clone(), Some(ip)),
                _ => Goal::Port(address, hit.backends.clone()),
            },
            _ => Goal::End(self.whoever(&endpoint)),
        }])
    }

    fn service(&self, name: &Name) -> Result<Arc<Service>, Error> {
        let found = self.world.endpoints().service(name, self.at);
        found.cloned().ok_or_else(|| Error::Missing {
            kind: "Service",
            name: name.clone(),
        })
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
                None => Err(Error::Missing {
                    kind: "Pod",
                    name: name.clone(),
                }),
            },
            Target::Address(ip) => {
                let endpoint = self.endpoint(SocketAddr::new(*ip, 0), Protocol::Tcp);
                Ok(vec![self.whoever(&endpoint)])
            }
        }
    }

    fn pod(&mut self, pod: &Arc<Pod>) -> End {
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
        let (destination, landings) = match goal {
            Goal::End(end) => {
                let (port, protocol) = self.port_of(end)?;
                let landing = Landing {
                    end: end.clone(),
                    port,
                    protocol,
                    dialled: None,
                };
                (shown(&end.name, port, protocol), vec![landing])
            }
            Goal::Service(service, address) => self.behind(source, service, *address)?,
            Goal::Port(address, backends) => {
                let protocol = self.query.protocol.unwrap_or_default();
                let name = shown(&address.ip().to_string(), address.port(), protocol);
                let landings = usable(backends.iter())
                    .map(|backend| self.landing(backend, protocol, Some(*address)))
                    .collect();
                (name, landings)
            }
        };
        let aims = landings.iter().map(|landing| self.aim(source, landing));
        Ok(Pair {
            backends: landings.len(),
            aims: aims.collect(),
            source: source.name.clone(),
            destination,
        })
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

    fn aim(&mut self, source: &End, landing: &Landing) -> Aim {
        let (to, at) = (&landing.end, self.at);
        let question = |from_address: IpAddr, to_address: IpAddr| Question {
            source: Party {
                address: from_address,
                who: source.who.clone(),
            },
            destination: Party {
                address: to_address,
                who: to.who.clone(),
            },
            port: landing.port,
            protocol: landing.protocol,
            dialled: landing.dialled,
            at,
        };
        let name = shown(&to.name, landing.port, landing.protocol);
        let mut apart = false;
        let (questions, other_family) = if source.addresses.is_empty() || to.addresses.is_empty() {
            let (from, to) = (self.places_of(source, to), self.places_of(to, source));
            let (first_from, first_to) = (from[0], to[0]);
            // Ingress asks for the source's address only, egress for the destination's.
            let sources = from.iter().map(|ip| question(*ip, first_to));
            let destinations = to.iter().skip(1).map(|ip| question(first_from, *ip));
            (sources.chain(destinations).collect(), None)
        } else {
            let mut common = to.addresses.iter().filter_map(|to| {
                let mut from = source.addresses.iter();
                from.find(|from| from.is_ipv4() == to.is_ipv4())
                    .map(|from| (*from, *to))
            });
            // Without a family in common nothing connects, and still each side's policies say something of the other's address.
            let one_family = common.next();
            let (from, to) = one_family.unwrap_or((source.addresses[0], to.addresses[0]));
            let other = common.next().map(|(from, to)| question(from, to));
            apart = one_family.is_none();
            (vec![question(from, to)], other)
        };
        if apart {
            self.notes.push(format!(
                "{} and {} have no address family in common: nothing can connect, whatever the policies say",
                source.name, to.name
            ));
        }
        Aim {
            name,
            questions,
            other_family,
        }
    }

    /// Its addresses, never none; without one, a place for every answer that the other side's policies can give.
    fn places_of(&self, end: &End, other: &End) -> Vec<IpAddr> {
        if !end.addresses.is_empty() {
            return end.addresses.clone();
        }
        let blocks = match &other.who {
            Who::Pod(pod) => self.world.policies().blocks_of(&pod.name.namespace, self.at),
            _ => Vec::new(),
        };
        let has = |ipv6: bool| other.addresses.is_empty() || other.addresses.iter().any(|ip| ip.is_ipv6() == ipv6);
        places(&blocks, has(false), has(true))
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
