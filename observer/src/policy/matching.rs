//! One rule against one peer and port, in one possible world.

use std::net::{IpAddr, SocketAddr};

use ipnetwork::IpNetwork;

use super::compiled::{Compiled, CompiledPeer, CompiledRule, Face};
use super::faults::faulty;
use super::worlds::{Open, Role, Side, Truth};
use super::{Direction, Policies, Question};
use crate::objects::{NetworkPolicy, Peer, Pod, PortMatch, PortRule, Protocol};
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
    /// The subject and the peer as selectors see them, where they are pods.
    pub(super) subject_face: Option<Face<'a>>,
    pub(super) peer_face: Option<Face<'a>>,
    /// The address that was dialled, where it was a Service's.
    pub(super) dialled: Option<SocketAddr>,
    /// An `ipBlock` matches pods' addresses, as Kubernetes' own tests demand.
    pub(super) blocks_match_pods: bool,
}

impl<'a> Scene<'a> {
    /// A question in one world. `subject` and `peer` are as they were at `at`.
    pub(super) fn new(
        policies: &'a Policies,
        question: &Question,
        direction: Direction,
        at: Time,
        ends: [Side<'a>; 2],
    ) -> Self {
        Self::of_faces(policies, question, direction, at, ends, |pod| policies.face(pod, at))
    }

    /// As [`Self::new`], with what `face` knows of a pod at `at`.
    pub(super) fn of_faces(
        policies: &'a Policies,
        question: &Question,
        direction: Direction,
        at: Time,
        [subject, peer]: [Side<'a>; 2],
        face: impl Fn(&'a Pod) -> Face<'a>,
    ) -> Self {
        let faces = [subject, peer].map(|side| side.role.pod().map(&face));
        Self::of(policies, question, direction, at, [subject, peer], faces)
    }

    /// As [`Self::new`], with what is known of the pods at `at`.
    pub(super) fn of(
        policies: &'a Policies,
        question: &Question,
        direction: Direction,
        at: Time,
        [subject, peer]: [Side<'a>; 2],
        [subject_face, peer_face]: [Option<Face<'a>>; 2],
    ) -> Self {
        Self {
            policies,
            at,
            direction,
            subject,
            peer,
            port: question.port,
            protocol: question.protocol,
            subject_face,
            peer_face,
            dialled: question.dialled,
            blocks_match_pods: true,
        }
    }

    /// Who has the port.
    pub(super) fn destination(&self) -> Role<'a> {
        match self.direction {
            Direction::Ingress => self.subject.role,
            Direction::Egress => self.peer.role,
        }
    }

    /// The peer's address is one by which a pod reaches itself and nobody else. "Pods cannot currently block localhost access"
    /// (<https://kubernetes.io/docs/concepts/services-networking/network-policies/>).
    pub(super) fn is_localhost(&self) -> bool {
        self.peer.address.is_loopback() && !faulty!(NotItself)
    }

    /// The policies that isolate the subject in this direction, by name.
    pub(super) fn isolating(&self) -> impl Iterator<Item = &'a Compiled> {
        let (at, direction) = (self.at, self.direction);
        let (known, versions, labels) = match self.subject_face {
            None => (&[][..], &[][..], None),
            Some(face) => match face.profile {
                Some(profile) => (profile.selection.isolating(direction), &[][..], None),
                None => (
                    &[][..],
                    self.policies.versions_of(&face.pod.name.namespace),
                    Some(face.labels),
                ),
            },
        };
        let found = versions.iter().filter(move |held| {
            held.holds_at(at) && labels.is_some_and(|labels| held.compiled.isolates(labels, direction))
        });
        known
            .iter()
            .chain(found.map(|held| &held.compiled))
            .map(|compiled| &**compiled)
    }

    /// Whether some rule of the policy matches. Sets what it depends on in `open`.
    pub(super) fn allows(&self, policy: &Compiled, open: &mut u8) -> Truth {
        any(policy.compiled(self.direction), |rule| {
            self.rule_matches(policy, rule, open)
        })
    }

    /// A rule matches where a peer and a port match.
    pub(super) fn rule_matches(&self, policy: &Compiled, rule: CompiledRule<'_>, open: &mut u8) -> Truth {
        // Only read where the compiled form does not tell.
        let written = || &policy.written(self.direction)[rule.index];
        // The port first: it costs less.
        let port = match rule.has_port(self.protocol, self.port) {
            Some(has) => Truth::from(has),
            None => self.ports_match(&written().ports, open),
        };
        if rule.peers.is_empty() {
            return if faulty!(NoPeersMatchNone) { Truth::No } else { port };
        }
        if port == Truth::No && !faulty!(PeerOrPort) {
            return port;
        }
        let both = if faulty!(PeerOrPort) { Truth::max } else { Truth::min };
        let peers = any(rule.peers.iter().enumerate(), |(index, peer)| {
            self.peer_matches(policy, peer, || &written().peers[index], open)
        });
        both(port, peers)
    }

    /// `written` is only read where the compiled form does not tell.
    fn peer_matches<'b>(
        &self,
        policy: &Compiled,
        peer: &CompiledPeer,
        written: impl Fn() -> &'b Peer,
        open: &mut u8,
    ) -> Truth {
        match peer {
            CompiledPeer::Block(cidr) => Truth::from(
                cidr.contains(self.peer.address)
                    && matches!(written(), Peer::Block { cidr, except } if self.block_matches(cidr, except)),
            ),
            CompiledPeer::Pods { namespaces, pods } => {
                let Some(face) = &self.peer_face else {
                    return self.no_pod_matches(open);
                };
                let selectors = || match written() {
                    Peer::Pods { namespaces, pods } => (namespaces.as_ref(), pods.as_ref()),
                    Peer::Block { .. } => (None, None),
                };
                let namespace = match namespaces {
                    None => match &self.subject_face {
                        // The policies of a pod are those of its namespace.
                        Some(subject) => subject.is_of_same_namespace(face) || faulty!(AllNamespaces),
                        None => policy.policy.name.namespace == face.pod.name.namespace,
                    },
                    Some(chooser) => {
                        faulty!(IgnoreNamespaceSelector) || face.namespace.are_selected(|| selectors().0, chooser)
                    }
                };
                Truth::from(namespace && face.labels.are_selected(|| selectors().1, pods))
            }
        }
    }

    pub(super) fn block_matches(&self, cidr: &IpNetwork, except: &[IpNetwork]) -> bool {
        let except = if faulty!(IgnoreExceptions) { &[] } else { except };
        ((self.blocks_match_pods && !faulty!(BlocksMissPods)) || !matches!(self.peer.role, Role::Pod(_)))
            && in_block(self.peer.address, cidr, except)
    }

    /// Whether a peer that is no known pod may be one that selectors match.
    pub(super) fn no_pod_matches(&self, open: &mut u8) -> Truth {
        if matches!(self.peer.role, Role::Unknown) {
            *open |= Open::Peer as u8;
            Truth::Maybe
        } else {
            Truth::No
        }
    }

    fn ports_match(&self, ports: &[PortRule], open: &mut u8) -> Truth {
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
            PortMatch::Name(name) => self.port_is_named(name).noting(Open::NamedPort, open),
        }
    }

    /// Whether the destination calls the port so, for the attempt's protocol.
    pub(super) fn port_is_named(&self, name: &str) -> Truth {
        match self.destination() {
            Role::Pod(pod) | Role::HostPod { pod, .. } => {
                Truth::from(pod.port_named(name, self.protocol) == Some(self.port) || faulty!(AnyNameFits))
            }
            // Only pods have named ports.
            Role::Node(_) | Role::External => Truth::No,
            Role::Unknown => Truth::Maybe,
        }
    }
}

/// The best of the answers, stopping at the first `Yes`.
pub(super) fn any<T>(items: impl IntoIterator<Item = T>, mut matches: impl FnMut(T) -> Truth) -> Truth {
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

/// In the block and in none of its holes. Families never mix.
pub(super) fn in_block(address: IpAddr, cidr: &IpNetwork, except: &[IpNetwork]) -> bool {
    cidr.contains(address) && !except.iter().any(|hole| hole.contains(address))
}
