//! Nearest misses: what each rule of the isolating policies lacks, in the peer and the port that come nearest.

use std::net::IpAddr;

use ipnetwork::IpNetwork;

use super::closeness::Seen;
use super::matching::{Scene, in_block};
use super::remedy::Remedy;
use super::worlds::{Role, Truth};
use super::{Direction, LabelMiss, MeantService, NamedPort, NearMiss, RuleId, Unmet};
use crate::objects::{NetworkPolicy, Peer, PortMatch, PortRule, Protocol, Rule, Str};

/// What one peer or port lacks, and how far off that is.
///
/// Distances of different kinds compare only roughly, in steps: what looks like a slip comes before what looks meant.
#[derive(Clone, Debug, Default)]
pub(super) struct Lack {
    pub(super) unmet: Vec<Unmet>,
    distance: usize,
}

impl Lack {
    fn and(mut self, unmet: Unmet, distance: usize) -> Self {
        self.unmet.push(unmet);
        self.distance += distance;
        self
    }

    /// Fewest first, then nearest.
    fn order(&self) -> (usize, usize) {
        (self.unmet.len(), self.distance)
    }
}

/// One step of distance; parts of it order blocks among themselves.
const STEP: usize = 16;

fn label_distance(miss: &LabelMiss) -> usize {
    STEP * (miss.close.as_ref().map_or(5, |close| close.how as usize) + 6 * (miss.unmet - 1))
}

/// Up to eight steps for the part of the block's prefix that the address does not share; more for the other family.
fn block_distance(block: &IpNetwork, address: IpAddr) -> usize {
    let differing = |a: u128, b: u128, bits: u32| {
        let shared = (a ^ b).leading_zeros() - (u128::BITS - bits);
        let missing = u32::from(block.prefix()).saturating_sub(shared);
        8 * STEP * missing as usize / bits as usize
    };
    match (block.ip(), address) {
        (IpAddr::V4(a), IpAddr::V4(b)) => differing(a.to_bits().into(), b.to_bits().into(), 32),
        (IpAddr::V6(a), IpAddr::V6(b)) => differing(a.to_bits(), b.to_bits(), 128),
        _ => 9 * STEP,
    }
}

/// A rule that does not match, by the peer and the port of it that came nearest.
pub(super) struct Miss<'a> {
    pub(super) policy: &'a NetworkPolicy,
    pub(super) number: u32,
    pub(super) peer: Lack,
    pub(super) port: Lack,
}

impl<'a> Scene<'a> {
    /// What the rules of the isolating policies lack, nearest first, and how many more there are than are told.
    pub(super) fn nearest(&self) -> (Vec<NearMiss>, usize) {
        let mut misses = self.misses();
        // Stable: policies by name, rules by number.
        misses.sort_by_key(Miss::order);
        let farther = misses.len().saturating_sub(self.policies.config.misses);
        misses.truncate(misses.len() - farther);
        (misses.into_iter().map(|miss| self.told(miss)).collect(), farther)
    }

    /// The rule that comes nearest.
    pub(super) fn nearest_miss(&self) -> Option<Miss<'a>> {
        self.misses().into_iter().min_by_key(Miss::order)
    }

    pub(super) fn misses(&self) -> Vec<Miss<'a>> {
        self.isolating()
            .flat_map(|policy| (1..).zip(policy.rules(self.direction)).map(move |rule| (policy, rule)))
            .map(|(policy, (number, (rule, _)))| self.miss(&policy.policy, number, rule))
            .collect()
    }

    fn miss(&self, policy: &'a NetworkPolicy, number: u32, rule: &'a Rule) -> Miss<'a> {
        let peer = rule
            .peers
            .iter()
            .map(|peer| self.peer_lack(policy, peer))
            .min_by_key(Lack::order)
            .unwrap_or_default();
        let port = rule
            .ports
            .iter()
            .map(|port| self.port_lack(rule, port))
            .min_by_key(Lack::order)
            .unwrap_or_default();
        Miss {
            policy,
            number,
            peer,
            port,
        }
    }

    fn told(&self, miss: Miss<'a>) -> NearMiss {
        let change = Remedy::of(self, &miss).to_string();
        let mut unmet = miss.peer.unmet;
        unmet.extend(miss.port.unmet);
        NearMiss {
            rule: RuleId {
                policy: miss.policy.name.clone(),
                direction: self.direction,
                number: miss.number,
            },
            unmet,
            change,
        }
    }

    fn peer_lack(&self, policy: &NetworkPolicy, peer: &Peer) -> Lack {
        let lack = Lack::default();
        match peer {
            Peer::Block { cidr, except } if self.block_matches(cidr, except) => lack,
            Peer::Block { cidr, except } => self.block_lack(cidr, except),
            Peer::Pods { namespaces, pods } => {
                let Some(pod) = self.peer.role.pod() else {
                    return match self.no_pod_matches(&mut 0) {
                        Truth::No => {
                            let address = self.peer.address;
                            lack.and(Unmet::NotAPod { address }, 12 * STEP)
                        }
                        Truth::Maybe | Truth::Yes => lack,
                    };
                };
                let lack = match namespaces {
                    None if policy.name.namespace == pod.name.namespace => lack,
                    None => lack.and(
                        Unmet::OtherNamespace {
                            wanted: policy.name.namespace.clone(),
                            actual: pod.name.namespace.clone(),
                        },
                        4 * STEP,
                    ),
                    Some(selector) => match self.labels_of_namespace(&pod.name.namespace).miss(selector) {
                        None => lack,
                        Some(miss) => {
                            let distance = label_distance(&miss);
                            let namespace = pod.name.namespace.clone();
                            lack.and(Unmet::PeerNamespace { namespace, miss }, distance)
                        }
                    },
                };
                match pods.as_ref().and_then(|pods| Seen::of_pod(&pod.labels).miss(pods)) {
                    None => lack,
                    Some(miss) => {
                        let distance = label_distance(&miss);
                        lack.and(Unmet::PeerLabels(miss), distance)
                    }
                }
            }
        }
    }

    fn labels_of_namespace(&self, name: &'a Str) -> Seen<'a> {
        Seen::of_namespace(name, self.policies.namespace_labels(name, self.at))
    }

    fn block_lack(&self, cidr: &IpNetwork, except: &[IpNetwork]) -> Lack {
        let address = self.peer.address;
        let except_here = except.iter().copied().find(|hole| hole.contains(address));
        let meant = self.meant_service(cidr, except);
        let distance = match except_here {
            _ if meant.is_some() => 0,
            Some(_) => STEP,
            None => 2 * STEP + block_distance(cidr, address),
        };
        Lack::default().and(
            Unmet::Block {
                cidr: *cidr,
                except: except_here,
                address,
                meant,
            },
            distance,
        )
    }

    /// The Service for which a block that misses the peer was written: it holds the address that was dialled, or it is the
    /// API server's and the peer could be the API server.
    fn meant_service(&self, cidr: &IpNetwork, except: &[IpNetwork]) -> Option<MeantService> {
        if self.direction == Direction::Ingress {
            return None;
        }
        let api_server = &self.policies.api_server;
        match self
            .dialled_address()
            .filter(|dialled| in_block(*dialled, cidr, except))
        {
            Some(dialled) if api_server.contains(&dialled) => Some(MeantService::ApiServer),
            Some(_) => Some(MeantService::Dialled),
            // Asked for by its own address: only a block for the Service alone speaks of it.
            None => {
                let alone = api_server.iter().any(|ip| IpNetwork::from(*ip) == *cidr);
                let behind = !matches!(self.peer.role, Role::Pod(_)) && self.protocol == Protocol::Tcp;
                (alone && behind).then_some(MeantService::ApiServer)
            }
        }
    }

    fn port_lack(&self, rule: &Rule, port: &PortRule) -> Lack {
        let lack = Lack::default();
        if self.port_matches(port, &mut 0) != Truth::No {
            return lack;
        }
        let as_asked = PortRule {
            protocol: self.protocol,
            port: port.port.clone(),
        };
        let lack = if port.protocol == self.protocol {
            lack
        } else {
            let unmet = Unmet::Protocol {
                allowed: port.protocol,
                actual: self.protocol,
                port: self.port,
            };
            lack.and(unmet, 2 * STEP)
        };
        if self.port_matches(&as_asked, &mut 0) != Truth::No {
            return lack;
        }
        let names_service_port = self.service_port().filter(|service| holds(port, *service));
        let by_name = match &port.port {
            PortMatch::Name(name) => Some(self.number_of(name)),
            PortMatch::Any | PortMatch::Range(..) => None,
        };
        let allowed = rule
            .ports
            .iter()
            .filter(|other| other.protocol == port.protocol)
            .map(|other| port_text(&other.port))
            .collect();
        let unmet = Unmet::Port {
            allowed,
            protocol: port.protocol,
            target: self.port,
            names_service_port,
            by_name,
        };
        lack.and(unmet, if names_service_port.is_some() { 0 } else { 3 * STEP })
    }

    /// What the destination calls so, for the attempt's protocol.
    fn number_of(&self, name: &str) -> NamedPort {
        let number = match self.destination() {
            Role::Pod(pod) | Role::HostPod { pod, .. } => pod.port_named(name, self.protocol),
            Role::Node(_) | Role::External | Role::Unknown => None,
        };
        number.map_or(NamedPort::Missing, NamedPort::Is)
    }

    /// The Service's address that was dialled, where it is the peer that was dialled.
    fn dialled_address(&self) -> Option<IpAddr> {
        let dialled = self.dialled?.ip();
        (self.direction == Direction::Egress && dialled != self.peer.address).then_some(dialled)
    }

    /// The Service's port that was dialled, where the pod's is another.
    fn service_port(&self) -> Option<u16> {
        self.dialled
            .map(|dialled| dialled.port())
            .filter(|port| *port != self.port)
    }
}

impl Miss<'_> {
    fn order(&self) -> (usize, usize) {
        let ((peers, peer), (ports, port)) = (self.peer.order(), self.port.order());
        (peers + ports, peer + port)
    }
}

fn holds(rule: &PortRule, port: u16) -> bool {
    matches!(rule.port, PortMatch::Range(first, last) if (first..=last).contains(&port))
}

fn port_text(port: &PortMatch) -> Str {
    match port {
        PortMatch::Any => "any".into(),
        PortMatch::Range(first, last) if first == last => first.to_string().into(),
        PortMatch::Range(first, last) => format!("{first}-{last}").into(),
        PortMatch::Name(name) => name.clone(),
    }
}
