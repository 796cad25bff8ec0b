//! Services as kube-proxy would make them: DNAT to a backend, reject without one, masquerade for a hairpin.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

use super::firewall::MASQUERADE_MARK;
use super::pod::Pod;
use super::topology::{Family, addresses};

/// What a Service is to be. Made by [`service`].
#[derive(Clone, Debug)]
pub struct ServiceSpec {
    /// `namespace/name`.
    pub name: String,
    /// The port that clients dial.
    pub port: u16,
    /// The port that the backends listen on.
    pub target_port: u16,
    /// Ready backends, as `namespace/name` of pods.
    pub ready: Vec<String>,
    /// Backends that are not ready: in the EndpointSlice, but never dialled.
    pub not_ready: Vec<String>,
    /// Backends on another node, by address of each family.
    pub remote: Vec<[IpAddr; 2]>,
    /// `internalTrafficPolicy: Local`: without a ready backend on this node, packets are dropped.
    pub local: bool,
    /// Whether every connection gets the node's address and a random port, not just a hairpin.
    pub masquerade: bool,
}

/// A Service `namespace/name` on `port`, whose backends listen on `target_port`.
pub fn service(name: &str, port: u16, target_port: u16) -> ServiceSpec {
    assert!(name.contains('/'), "a service is named namespace/name, not {name}");
    ServiceSpec {
        name: name.to_owned(),
        port,
        target_port,
        ready: Vec::new(),
        not_ready: Vec::new(),
        remote: Vec::new(),
        local: false,
        masquerade: false,
    }
}

impl ServiceSpec {
    /// Adds a ready backend.
    pub fn ready(mut self, pod: &str) -> Self {
        self.ready.push(pod.to_owned());
        self
    }

    /// Adds a backend that is not ready.
    pub fn not_ready(mut self, pod: &str) -> Self {
        self.not_ready.push(pod.to_owned());
        self
    }

    /// Adds a ready backend on another node.
    pub fn remote(mut self, addresses: [IpAddr; 2]) -> Self {
        self.remote.push(addresses);
        self
    }

    /// Sets `internalTrafficPolicy: Local`.
    pub fn local(mut self) -> Self {
        self.local = true;
        self
    }

    /// Gives every connection the node's address and a random port.
    pub fn masquerade(mut self) -> Self {
        self.masquerade = true;
        self
    }
}

/// A backend of a Service, as its EndpointSlice tells it.
#[derive(Clone, Debug)]
pub(super) struct Endpoint {
    /// `namespace/name` of the pod; none for a backend on another node.
    pub(super) pod: Option<String>,
    /// Its address of each family.
    pub(super) addresses: [IpAddr; 2],
    /// Whether it takes traffic.
    pub(super) ready: bool,
}

/// A Service that has its rules.
#[derive(Clone, Debug)]
pub struct Service {
    spec: ServiceSpec,
    index: u16,
    endpoints: Vec<Endpoint>,
}

impl Service {
    /// # Panics
    /// Where a backend is not among `pods`: a mistake in the test.
    pub(super) fn new(spec: ServiceSpec, index: u16, pods: &[Pod]) -> Self {
        let find = |name: &String, ready| {
            let pod = pods
                .iter()
                .find(|pod| &pod.spec().name == name)
                .unwrap_or_else(|| panic!("no pod {name}"));
            Endpoint {
                pod: Some(name.clone()),
                addresses: Family::ALL.map(|family| pod.ip(family)),
                ready,
            }
        };
        let endpoints = spec.ready.iter().map(|name| find(name, true));
        let endpoints = endpoints.chain(spec.not_ready.iter().map(|name| find(name, false)));
        let remote = spec.remote.iter().map(|&addresses| Endpoint {
            pod: None,
            addresses,
            ready: true,
        });
        let endpoints = endpoints.chain(remote).collect();
        Self { spec, index, endpoints }
    }

    /// What the Service was asked to be.
    pub fn spec(&self) -> &ServiceSpec {
        &self.spec
    }

    /// Its cluster address.
    pub fn ip(&self, family: Family) -> IpAddr {
        addresses::service(family, self.index)
    }

    /// Its cluster address and port.
    pub fn at(&self, family: Family) -> SocketAddr {
        SocketAddr::new(self.ip(family), self.spec.port)
    }

    pub(super) fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    /// The node's rules for this Service.
    pub(super) fn rules(&self) -> String {
        Family::ALL
            .into_iter()
            .enumerate()
            .fold(String::new(), |script, (which, family)| {
                let backends: Vec<IpAddr> = self.targets().map(|endpoint| endpoint.addresses[which]).collect();
                script + &self.rules_of(family, &backends)
            })
    }

    /// The endpoints that kube-proxy on this node sends connections to.
    fn targets(&self) -> impl Iterator<Item = &Endpoint> {
        self.endpoints
            .iter()
            .filter(|endpoint| endpoint.ready && (!self.spec.local || endpoint.pod.is_some()))
    }

    fn rules_of(&self, family: Family, backends: &[IpAddr]) -> String {
        let (nft, port) = (family.nft(), self.spec.target_port);
        let dialled = format!("{nft} daddr {} tcp dport {}", self.ip(family), self.spec.port);
        let has_ready = self.endpoints.iter().any(|endpoint| endpoint.ready);
        if backends.is_empty() {
            let reject = match family {
                Family::V4 => "reject with icmp port-unreachable",
                Family::V6 => "reject with icmpv6 port-unreachable",
            };
            // kube-proxy: reject without any endpoint, drop where the Local traffic policy leaves none.
            return format!(
                "add rule inet lab no-endpoints {dialled} {}\n",
                if has_ready { "drop" } else { reject }
            );
        }
        let mut script = String::new();
        let mark = format!("meta mark set meta mark | {MASQUERADE_MARK}");
        for chain in ["services", "own-services"] {
            for backend in backends {
                let _ = writeln!(
                    script,
                    "add rule inet lab {chain} {nft} saddr {backend} {dialled} {mark}"
                );
            }
            if self.spec.masquerade {
                let _ = writeln!(script, "add rule inet lab {chain} {dialled} {mark}");
            }
            let target = match backends {
                [backend] => SocketAddr::new(*backend, port).to_string(),
                several => {
                    let entries: Vec<String> = several
                        .iter()
                        .enumerate()
                        .map(|(at, backend)| format!("{at} : {backend} . {port}"))
                        .collect();
                    format!("numgen inc mod {} map {{ {} }}", several.len(), entries.join(", "))
                }
            };
            let _ = writeln!(script, "add rule inet lab {chain} {dialled} dnat {nft} to {target}");
        }
        script
    }
}
