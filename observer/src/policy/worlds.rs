//! What a question may mean: each party as what it may have been, and answers as sets.

use std::net::IpAddr;
use std::sync::Arc;

use super::{Decision, Direction, Party, Undecidable, Who};
use crate::objects::Pod;

/// One side of a question in one possible world.
#[derive(Clone, Copy, Debug)]
pub(super) struct Side<'a> {
    /// What `ipBlock` is compared with.
    pub(super) address: IpAddr,
    pub(super) role: Role<'a>,
}

/// What a side is in one possible world.
#[derive(Clone, Copy, Debug)]
pub(super) enum Role<'a> {
    /// A pod with an address of its own.
    Pod(&'a Pod),
    /// A hostNetwork pod under an implementation that tells it from its node.
    HostPod { pod: &'a Pod, node: Option<&'a str> },
    /// A node, and its hostNetwork pods under an implementation that cannot tell them apart.
    Node(Option<&'a str>),
    /// Nobody in the cluster.
    External,
    /// Any pod of any namespace, or nobody in the cluster.
    Unknown,
}

impl<'a> Role<'a> {
    /// The pod that selectors see.
    pub(super) fn pod(self) -> Option<&'a Pod> {
        match self {
            Self::Pod(pod) | Self::HostPod { pod, .. } => Some(pod),
            Self::Node(_) | Self::External | Self::Unknown => None,
        }
    }

    pub(super) fn is_host_pod(self) -> bool {
        matches!(self, Self::HostPod { .. })
    }

    /// Both are one pod.
    pub(super) fn is_same_pod(self, other: Self) -> bool {
        match (self.pod(), other.pod()) {
            (Some(a), Some(b)) => std::ptr::eq(a, b) || (a.uid == b.uid && a.name == b.name),
            _ => false,
        }
    }

    /// One is the node that the other runs on: traffic that `networking.k8s.io/v1` always allows.
    pub(super) fn is_own_node(self, other: Self) -> Truth {
        let (a, b) = match (self, other) {
            (Self::Pod(pod), Self::Node(node) | Self::HostPod { node, .. })
            | (Self::Node(node) | Self::HostPod { node, .. }, Self::Pod(pod)) => (pod.node.as_deref(), node),
            (Self::HostPod { node: a, .. }, Self::HostPod { node: b, .. } | Self::Node(b))
            | (Self::Node(a), Self::HostPod { node: b, .. }) => (a, b),
            _ => return Truth::No,
        };
        match (a, b) {
            (Some(a), Some(b)) => Truth::from(a == b),
            _ => Truth::Maybe,
        }
    }
}

/// Yes, no, or it depends on what is not known.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd)]
pub(super) enum Truth {
    No,
    Maybe,
    Yes,
}

impl Truth {
    /// Says what it depends on, where it does.
    pub(super) fn noting(self, what: Open, open: &mut u8) -> Self {
        if self == Self::Maybe {
            *open |= what as u8;
        }
        self
    }
}

impl From<bool> for Truth {
    fn from(known: bool) -> Self {
        if known { Self::Yes } else { Self::No }
    }
}

/// What a party may have been, likeliest first, seen from one direction's judgement.
pub(super) fn sides(party: &Party, direction: Direction) -> impl Iterator<Item = Side<'_>> + Clone {
    let address = party.address;
    let (first, second, candidates, node): (_, _, &[Arc<Pod>], _) = match &party.who {
        Who::Pod(pod) if pod.host_network => {
            let node = pod.node.as_deref();
            (Role::Node(node), None, std::slice::from_ref(pod), node)
        }
        Who::Pod(pod) => (Role::Pod(pod), None, &[], None),
        Who::Node { node, candidates } => {
            let node = node.as_deref();
            (Role::Node(node), None, candidates, node)
        }
        Who::External => (Role::External, None, &[], None),
        Who::Unknown => (Role::Unknown, None, &[], None),
        // Egress is judged where the packet leaves the pod, before anything rewrites it.
        Who::Rewritten { pod } => {
            let node = pod.node.as_deref();
            let as_node = (direction == Direction::Ingress).then_some(Role::Node(node));
            (Role::Pod(pod), as_node, &[], node)
        }
    };
    let first = Side {
        address: match &party.who {
            Who::Rewritten { pod } => own_address(pod, address),
            _ => address,
        },
        role: first,
    };
    std::iter::once(first)
        .chain(second.map(|role| Side { address, role }))
        .chain(candidates.iter().map(move |pod| Side {
            address,
            role: Role::HostPod {
                pod,
                node: node.or(pod.node.as_deref()),
            },
        }))
}

/// The pod's own address of the family that is in use.
fn own_address(pod: &Pod, seen: IpAddr) -> IpAddr {
    pod.addresses
        .iter()
        .copied()
        .find(|own| own.is_ipv4() == seen.is_ipv4())
        .unwrap_or(seen)
}

/// The answers that are possible, and what is not known where there are several.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Answers {
    decisions: u8,
    open: u8,
}

/// What is not known within one world.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Open {
    Peer = 1,
    NamedPort = 2,
    Node = 4,
    DomainName = 8,
    EqualPriority = 16,
}

impl Answers {
    pub(super) fn one(decision: Decision) -> Self {
        Self {
            decisions: bit(decision),
            open: 0,
        }
    }

    pub(super) fn several(a: Decision, b: Decision, open: u8) -> Self {
        Self {
            decisions: bit(a) | bit(b),
            open,
        }
    }

    pub(super) fn or(self, other: Self) -> Self {
        Self {
            decisions: self.decisions | other.decisions,
            open: self.open | other.open,
        }
    }

    /// What the answers depend on, where they are several.
    pub(super) fn depending_on(self, open: u8) -> Self {
        if self.decisions.is_power_of_two() {
            return self;
        }
        Self {
            open: self.open | open,
            ..self
        }
    }

    /// Some worlds deny and some do not.
    pub(super) fn differ(self) -> bool {
        let denied = bit(Decision::Denied);
        self.decisions & denied != 0 && self.decisions != denied
    }

    /// The decision to show where the answers do not [`Self::differ`].
    pub(super) fn decision(self) -> Decision {
        [Decision::NotApplicable, Decision::NotIsolated, Decision::Allowed]
            .into_iter()
            .find(|decision| self.decisions & bit(*decision) != 0)
            .unwrap_or(Decision::Denied)
    }

    /// The reason for several answers within one world.
    pub(super) fn reason(self) -> Option<Undecidable> {
        // Weightiest first: what the rest may hang on.
        let reasons = [
            (Open::Peer, Undecidable::PeerUnknown),
            (Open::NamedPort, Undecidable::NamedPort),
            (Open::DomainName, Undecidable::DomainName),
            (Open::EqualPriority, Undecidable::EqualPriority),
            (Open::Node, Undecidable::PeerUnknown),
        ];
        let open = |(what, _): &(Open, Undecidable)| self.open & *what as u8 != 0;
        reasons.into_iter().find(open).map(|(_, reason)| reason)
    }
}

fn bit(decision: Decision) -> u8 {
    match decision {
        Decision::NotApplicable => 1,
        Decision::NotIsolated => 2,
        Decision::Allowed => 4,
        Decision::Denied | Decision::Undecidable => 8,
    }
}
