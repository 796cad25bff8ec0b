//! One rule against one peer and port, in one possible world.

use std::net::{IpAddr, SocketAddr};

use ipnetwork::IpNetwork;

use super::closeness::Seen;
use super::worlds::{Open, Role, Side, Truth};
use super::{Direction, Policies};
use crate::objects::{NetworkPolicy, Peer, Pod, PortMatch, PortRule, Protocol, Rule, Selector};
use crate::time::Time;

/// One direction of one possible world.
#[derive(Clone, Copy)]
pub(super) struct Scene<'a> {
    pub(super) policies: &'a Policies,
    pub(super) at: Time,
    pub(super) direction: Direction,
    /// Whose policies are asked.
    pub(super) subject: Side<'a>,
    pub(super) peer: Side<'a>,
    pub(super) port: u16,
    pub(super) protocol: Protocol,
    /// The address that was dialled, where it was a Service's.
    pub(super) dialled: Option<SocketAddr>,
    /// An `ipBlock` matches pods' addresses, as Kubernetes' own tests demand.
    pub(super) blocks_match_pods: bool,
}

impl<'a> Scene<'a> {
    /// Who has the port.
    pub(super) fn destination(&self) -> Role<'a> {
        match self.direction {
            Direction::Ingress => self.subject.role,
            Direction::Egress => self.peer.role,
        }
    }

    /// The policies that isolate the subject in this direction, by name.
    pub(super) fn isolating(&self, pod: &'a Pod) -> impl Iterator<Item = &'a NetworkPolicy> {
        let direction = self.direction;
        self.policies
            .policies_of(&pod.name.namespace, self.at)
            .filter(move |policy| isolates(policy, direction) && policy.pod_selector.matches(&pod.labels))
    }

    /// Whether some rule of the policy matches. Sets what it depends on in `open`.
    pub(super) fn allows(&self, policy: &NetworkPolicy, open: &mut u8) -> Truth {
        any(rules(policy, self.direction), |rule| {
            self.rule_matches(policy, rule, open)
        })
    }

    /// A rule matches where a peer and a port match.
    pub(super) fn rule_matches(&self, policy: &NetworkPolicy, rule: &Rule, open: &mut u8) -> Truth {
        // The port first: it costs less.
        let port = self.ports_match(&rule.ports, open);
        if port == Truth::No {
            return Truth::No;
        }
        port.min(self.peers_match(policy, &rule.peers, open))
    }

    fn peers_match(&self, policy: &NetworkPolicy, peers: &[Peer], open: &mut u8) -> Truth {
        if peers.is_empty() {
            return Truth::Yes;
        }
        any(peers, |peer| self.peer_matches(policy, peer, open))
    }

    pub(super) fn peer_matches(&self, policy: &NetworkPolicy, peer: &Peer, open: &mut u8) -> Truth {
        match peer {
            Peer::Block { cidr, except } => Truth::from(
                (self.blocks_match_pods || !matches!(self.peer.role, Role::Pod(_)))
                    && in_block(self.peer.address, cidr, except),
            ),
            Peer::Pods { namespaces, pods } => match self.peer.role {
                Role::Pod(pod) | Role::HostPod { pod, .. } => Truth::from(
                    self.namespace_matches(policy, namespaces.as_ref(), pod)
                        && pods.as_ref().is_none_or(|pods| pods.matches(&pod.labels)),
                ),
                Role::Node(_) | Role::External => Truth::No,
                Role::Unknown => {
                    *open |= Open::Peer as u8;
                    Truth::Maybe
                }
            },
        }
    }

    pub(super) fn namespace_matches(&self, policy: &NetworkPolicy, selector: Option<&Selector>, pod: &'a Pod) -> bool {
        match selector {
            None => policy.name.namespace == pod.name.namespace,
            Some(selector) => selector.requirements.is_empty() || self.namespace_of(pod).are_selected(selector),
        }
    }

    pub(super) fn namespace_of(&self, pod: &'a Pod) -> Seen<'a> {
        let name = &pod.name.namespace;
        Seen::of_namespace(name, self.policies.namespace_labels(name, self.at))
    }

    pub(super) fn ports_match(&self, ports: &[PortRule], open: &mut u8) -> Truth {
        if ports.is_empty() {
            return Truth::Yes;
        }
        any(ports, |port| self.port_matches(port, open))
    }

    pub(super) fn port_matches(&self, rule: &PortRule, open: &mut u8) -> Truth {
        if rule.protocol != self.protocol {
            return Truth::No;
        }
        match &rule.port {
            PortMatch::Any => Truth::Yes,
            PortMatch::Range(first, last) => Truth::from((*first..=*last).contains(&self.port)),
            PortMatch::Name(name) => match self.destination() {
                Role::Pod(pod) | Role::HostPod { pod, .. } => {
                    Truth::from(pod.port_named(name, rule.protocol) == Some(self.port))
                }
                // Only pods have named ports.
                Role::Node(_) | Role::External => Truth::No,
                Role::Unknown => {
                    *open |= Open::NamedPort as u8;
                    Truth::Maybe
                }
            },
        }
    }
}

/// The best of the answers, stopping at the first `Yes`.
fn any<T>(items: impl IntoIterator<Item = T>, mut matches: impl FnMut(T) -> Truth) -> Truth {
    let mut best = Truth::No;
    for item in items {
        best = best.max(matches(item));
        if best == Truth::Yes {
            break;
        }
    }
    best
}

pub(super) fn isolates(policy: &NetworkPolicy, direction: Direction) -> bool {
    match direction {
        Direction::Ingress => policy.isolates_ingress,
        Direction::Egress => policy.isolates_egress,
    }
}

pub(super) fn rules(policy: &NetworkPolicy, direction: Direction) -> &[Rule] {
    match direction {
        Direction::Ingress => &policy.ingress,
        Direction::Egress => &policy.egress,
    }
}

/// In the block and in none of its holes. Families never mix.
pub(super) fn in_block(address: IpAddr, cidr: &IpNetwork, except: &[IpNetwork]) -> bool {
    cidr.contains(address) && !except.iter().any(|hole| hole.contains(address))
}
