//! Services by address and node port, and their slices, each with its history.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::Hash;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use ipnetwork::IpNetwork;

use super::pods::Pods;
use super::{Endpoints, HitPort, Via};
use crate::objects::{EndpointSlice, Name, Pod, Protocol, Service, ServicePort, Str, Versioned};
use crate::time::Time;

/// All Services and slices.
///
/// The indexes hold the names of what has or had the key; what it was at a time is asked of the versions. They are written
/// by the setters, and `prune` deletes names that are gone.
#[derive(Debug, Default)]
pub(super) struct Services {
    pub(super) by_name: Versioned<Name, Arc<Service>>,
    pub(super) slices: Versioned<Name, Arc<EndpointSlice>>,
    /// Cluster, external and load balancer addresses → Services; those of proxies in front of them too.
    by_address: HashMap<IpAddr, Vec<Name>>,
    by_node_port: HashMap<(u16, Protocol), Vec<Name>>,
    /// Services with a selector, by namespace.
    selecting: HashMap<Str, Vec<Name>>,
    /// Service → pods that its selector matches or matched; asked only for Services without slices.
    members: HashMap<Name, HashSet<Name>>,
    /// Service → its slices.
    slices_of: HashMap<Name, Vec<Name>>,
    /// A backend's address → slices that have it.
    slices_with: HashMap<IpAddr, Vec<Name>>,
    /// Every cluster address, in order: the first and last of a family tell the range.
    cluster_ips: BTreeSet<IpAddr>,
}

fn add<K: Hash + Eq>(index: &mut HashMap<K, Vec<Name>>, key: K, name: &Name) {
    // Nearly always one.
    let names = index.entry(key).or_insert_with(|| Vec::with_capacity(1));
    if !names.contains(name) {
        names.push(name.clone());
    }
}

fn selects(service: &Service, pod: &Pod) -> bool {
    service
        .selector
        .as_ref()
        .is_some_and(|selector| selector.iter().all(|(key, value)| pod.labels.get(key) == Some(value)))
}

impl From<&ServicePort> for HitPort {
    fn from(port: &ServicePort) -> Self {
        Self {
            name: port.name.clone(),
            port: port.port,
            protocol: port.protocol,
        }
    }
}

impl Services {
    /// Some slice is or was known.
    pub(super) fn any_slice(&self) -> bool {
        !self.slices_of.is_empty()
    }

    pub(super) fn set(&mut self, service: &Arc<Service>, at: Time) {
        let name = &service.name;
        let translated = service.cluster_ips.iter().chain(&service.external_ips);
        for &ip in translated.chain(&service.proxied_ips) {
            add(&mut self.by_address, ip, name);
        }
        self.cluster_ips.extend(&service.cluster_ips);
        for port in &service.ports {
            if let Some(number) = port.node_port {
                add(&mut self.by_node_port, (number, port.protocol), name);
            }
        }
        if service.selector.is_some() {
            add(&mut self.selecting, name.namespace.clone(), name);
        }
        self.by_name.set(name.clone(), service.clone(), at);
    }

    pub(super) fn remove(&mut self, name: &Name, at: Time) {
        self.by_name.remove(name.clone(), at);
    }

    /// Collects the pods that a Service's selector matches now.
    pub(super) fn find_members(&mut self, service: &Service, pods: &Pods) {
        if service.selector.is_none() {
            return;
        }
        for name in pods.names_in(&service.name.namespace) {
            if pods.latest(name).is_some_and(|pod| selects(service, pod)) {
                self.members
                    .entry(service.name.clone())
                    .or_default()
                    .insert(name.clone());
            }
        }
    }

    /// Adds a pod to the Services whose selector matches it now.
    pub(super) fn pod_changed(&mut self, pod: &Pod) {
        let selecting = self.selecting.get(&pod.name.namespace);
        for name in selecting.into_iter().flatten() {
            if self.by_name.latest(name).is_some_and(|service| selects(service, pod)) {
                self.members.entry(name.clone()).or_default().insert(pod.name.clone());
            }
        }
    }

    pub(super) fn set_slice(&mut self, slice: &Arc<EndpointSlice>, at: Time) {
        if let Some(service) = &slice.service {
            let service = Name::new(slice.name.namespace.clone(), service.clone());
            add(&mut self.slices_of, service, &slice.name);
        }
        for ip in slice.endpoints.iter().filter_map(|e| e.addresses.first()) {
            add(&mut self.slices_with, *ip, &slice.name);
        }
        self.slices.set(slice.name.clone(), slice.clone(), at);
    }

    pub(super) fn remove_slice(&mut self, name: &Name, at: Time) {
        self.slices.remove(name.clone(), at);
    }

    /// The Service that has an address. Where several share one (load balancers may), the one with the port; else the first by name.
    pub(super) fn at_address(&self, address: SocketAddr, protocol: Protocol, at: Time) -> Option<(&Arc<Service>, Via)> {
        let ip = address.ip();
        self.by_address
            .get(&ip)?
            .iter()
            .filter_map(|name| self.by_name.at(name, at))
            .filter_map(|service| {
                let via = if service.cluster_ips.contains(&ip) {
                    Via::ClusterIp
                } else if service.external_ips.contains(&ip) {
                    Via::External
                } else {
                    return None;
                };
                Some((service, via))
            })
            .min_by_key(|(service, _)| {
                let has_port = find_port(service, address.port(), protocol).is_some();
                (!has_port, &service.name)
            })
    }

    /// Whether some Service has or had this address.
    pub(super) fn have(&self, ip: IpAddr) -> bool {
        self.by_address.contains_key(&ip)
    }

    /// The Service before which a load balancer that is a proxy has this address.
    pub(super) fn behind_proxy(&self, ip: IpAddr, at: Time) -> Option<&Arc<Service>> {
        let names = self.by_address.get(&ip)?.iter();
        names
            .filter_map(|name| self.by_name.at(name, at))
            .find(|service| service.proxied_ips.contains(&ip))
    }

    pub(super) fn at_node_port(
        &self,
        number: u16,
        protocol: Protocol,
        at: Time,
    ) -> Option<(&Arc<Service>, &ServicePort)> {
        self.by_node_port
            .get(&(number, protocol))?
            .iter()
            .filter_map(|name| self.by_name.at(name, at))
            .find_map(|service| {
                let port = service
                    .ports
                    .iter()
                    .find(|port| port.node_port == Some(number) && port.protocol == protocol)?;
                Some((service, port))
            })
    }

    /// The Service of that name.
    pub(super) fn at(&self, name: &Name, at: Time) -> Option<&Arc<Service>> {
        self.by_name.at(name, at)
    }

    /// The slices of a Service at a time.
    pub(super) fn slices_of(&self, service: &Name, at: Time) -> Vec<&Arc<EndpointSlice>> {
        self.slices_of
            .get(service)
            .into_iter()
            .flatten()
            .filter_map(|name| self.slices.at(name, at))
            .filter(|slice| slice.service.as_ref() == Some(&service.name))
            .collect()
    }

    /// The pods that a Service's selector matched at a time.
    pub(super) fn members<'a>(
        &'a self,
        service: &'a Service,
        pods: &'a Pods,
        at: Time,
    ) -> impl Iterator<Item = &'a Arc<Pod>> {
        self.members
            .get(&service.name)
            .into_iter()
            .flatten()
            .filter_map(move |name| pods.at(name, at))
            .filter(|pod| selects(service, pod))
    }

    /// Services with an address of their own that may have `ip` as a backend, each once.
    pub(super) fn perhaps_of(&self, ip: IpAddr, pod: Option<&Arc<Pod>>, at: Time) -> Vec<Arc<Service>> {
        let by_slice = self
            .slices_with
            .get(&ip)
            .into_iter()
            .flatten()
            .filter_map(|name| self.slices.at(name, at))
            .filter_map(|slice| {
                let service = slice.service.clone()?;
                Some(Name::new(slice.name.namespace.clone(), service))
            });
        let by_selector = pod.into_iter().flat_map(|pod| {
            self.selecting
                .get(&pod.name.namespace)
                .into_iter()
                .flatten()
                .filter(|name| self.by_name.at(*name, at).is_some_and(|service| selects(service, pod)))
                .cloned()
        });
        let names: BTreeSet<Name> = by_slice.chain(by_selector).collect();
        names
            .iter()
            .filter_map(|name| self.by_name.at(name, at))
            .filter(|service| !service.cluster_ips.is_empty() || !service.external_ips.is_empty())
            .cloned()
            .collect()
    }

    /// The range that all known cluster addresses of the family of `ip` share, if `ip` is in it and if it may be one range:
    /// the API server takes none with more than 20 free bits.
    fn range_around(&self, ip: IpAddr) -> Option<IpNetwork> {
        let (low, high): (IpAddr, IpAddr) = if ip.is_ipv4() {
            (Ipv4Addr::UNSPECIFIED.into(), Ipv4Addr::BROADCAST.into())
        } else {
            (Ipv6Addr::UNSPECIFIED.into(), Ipv6Addr::from(u128::MAX).into())
        };
        let mut known = self.cluster_ips.range(low..=high);
        let range = common_prefix(*known.next()?, *known.next_back()?)?;
        range.contains(ip).then_some(range)
    }

    pub(super) fn prune(&mut self, before: Time) {
        self.by_name.prune(before);
        self.slices.prune(before);
        let services = &self.by_name;
        let slices = &self.slices;
        let is_service = |name: &Name| !services.history(name).is_empty();
        let is_slice = |name: &Name| !slices.history(name).is_empty();
        fn forget<K: Hash + Eq>(index: &mut HashMap<K, Vec<Name>>, exists: impl Fn(&Name) -> bool) {
            index.retain(|_, names| {
                names.retain(&exists);
                !names.is_empty()
            });
        }
        forget(&mut self.by_address, is_service);
        forget(&mut self.by_node_port, is_service);
        forget(&mut self.selecting, is_service);
        forget(&mut self.slices_of, is_slice);
        forget(&mut self.slices_with, is_slice);
        self.members.retain(|name, _| is_service(name));
        self.cluster_ips.retain(|ip| self.by_address.contains_key(ip));
    }

    /// Forgets members that are no pods any more.
    pub(super) fn prune_members(&mut self, pods: &Pods) {
        self.members.retain(|_, names| {
            names.retain(|name| pods.knows(name));
            !names.is_empty()
        });
    }
}

/// The port of a Service with this number.
pub(super) fn find_port(service: &Service, number: u16, protocol: Protocol) -> Option<&ServicePort> {
    service
        .ports
        .iter()
        .find(|port| port.port == number && port.protocol == protocol)
}

/// The smallest network with both addresses, if it has at most 20 free bits.
fn common_prefix(first: IpAddr, last: IpAddr) -> Option<IpNetwork> {
    const FREE: u8 = 20;
    match (first, last) {
        (IpAddr::V4(first), IpAddr::V4(last)) => {
            let same = (u32::from(first) ^ u32::from(last)).leading_zeros();
            let prefix = u8::try_from(same).ok().filter(|p| *p >= 32 - FREE)?;
            IpNetwork::new(first.into(), prefix).ok()
        }
        (IpAddr::V6(first), IpAddr::V6(last)) => {
            let same = (u128::from(first) ^ u128::from(last)).leading_zeros();
            let prefix = u8::try_from(same).ok().filter(|p| *p >= 128 - FREE)?;
            IpNetwork::new(first.into(), prefix).ok()
        }
        _ => None,
    }
}

impl Endpoints {
    /// Whether `ip`, which is nobody's, is in the Services' range as far as it is known for certain: between known cluster
    /// addresses, that is inside the smallest network with all of them. It is no range, and nothing is claimed, if that
    /// network is larger than the API server allows one to be, or if pods or nodes live in it (there is more than one
    /// range then). An address of the real range that lies outside is called external: not known, not guessed.
    pub(super) fn in_service_range(&self, ip: IpAddr, at: Time) -> bool {
        self.services.range_around(ip).is_some_and(|range| {
            !self.nodes.overlap(range, at) && !self.pods.any_between(range.network(), range.broadcast(), at)
        })
    }
}
