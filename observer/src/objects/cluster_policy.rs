//! Cluster-wide policies of `policy.networking.k8s.io`, all three kinds in one form: ClusterNetworkPolicy (v1alpha2), and
//! the older AdminNetworkPolicy and BaselineAdminNetworkPolicy (v1alpha1).

use std::fmt;

use ipnetwork::IpNetwork;

use super::{Kind, Protocol, Selector, Source, Str};
use crate::time::Time;

/// A cluster-wide policy.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ClusterPolicy {
    /// Which kind it was written as.
    pub kind: ClusterPolicyKind,
    /// Its name.
    pub name: Str,
    /// `metadata.creationTimestamp`.
    pub created: Option<Time>,
    /// Before or after the NetworkPolicies.
    pub tier: Tier,
    /// Lower numbers come first within a tier. A BaselineAdminNetworkPolicy has none, and no order among others of its tier.
    pub priority: Option<u16>,
    /// The pods that it applies to; hostNetwork pods never.
    pub subject: PodSet,
    /// Ingress rules, first match first.
    pub ingress: Vec<ClusterRule>,
    /// Egress rules, first match first.
    pub egress: Vec<ClusterRule>,
    /// Where it was read, for files.
    pub source: Option<Source>,
}

/// As which kind a [`ClusterPolicy`] was written.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Hash)]
pub enum ClusterPolicyKind {
    /// ClusterNetworkPolicy.
    Cluster,
    /// AdminNetworkPolicy.
    Admin,
    /// BaselineAdminNetworkPolicy.
    Baseline,
}

impl ClusterPolicyKind {
    /// The kind of the object.
    #[must_use]
    pub fn kind(self) -> Kind {
        match self {
            Self::Cluster => Kind::ClusterNetworkPolicy,
            Self::Admin => Kind::AdminNetworkPolicy,
            Self::Baseline => Kind::BaselineAdminNetworkPolicy,
        }
    }
}

/// Where a policy stands: the Admin tier is asked before the NetworkPolicies, the Baseline tier where none isolates the pod.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Hash)]
pub enum Tier {
    /// Before the NetworkPolicies.
    Admin,
    /// After them.
    Baseline,
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Admin => "Admin",
            Self::Baseline => "Baseline",
        })
    }
}

/// Pods by the labels of their namespace and their own; both must match. `namespaces: S` alone is every pod there.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct PodSet {
    /// The namespaces.
    pub namespaces: Selector,
    /// The pods in them.
    pub pods: Selector,
}

/// One rule: it matches when a peer matches and a port matches.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ClusterRule {
    /// `name`, if it has one.
    pub name: Option<Str>,
    /// What is done with what it matches.
    pub action: Action,
    /// `from` or `to`. Empty only in a rule that [`Self::fails_closed`].
    pub peers: Vec<ClusterPeer>,
    /// `protocols` or `ports`. Empty (missing): every port of every protocol.
    pub ports: Vec<ClusterPort>,
    /// It has a peer or a protocol of a form that is newer than this program: it accepts nothing, or denies everything.
    pub fails_closed: bool,
}

/// What a rule does with what it matches.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Action {
    /// `Accept`, formerly `Allow`: final.
    Accept,
    /// `Deny`: final.
    Deny,
    /// `Pass`: the rest of the tier is skipped.
    Pass,
}

/// One peer of a rule. Ingress rules have pods only.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ClusterPeer {
    /// Pods with addresses of their own.
    Pods(PodSet),
    /// Addresses of the nodes with these labels.
    Nodes(Selector),
    /// Addresses in one of these blocks, pods' addresses too.
    Networks(Vec<IpNetwork>),
    /// What these names resolve to; `*.` stands for one or more labels.
    Domains(Vec<Str>),
}

/// Ports of a rule.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ClusterPort {
    /// Every port of a protocol.
    All(Protocol),
    /// From the first to the last, both inclusive.
    Range(Protocol, u16, u16),
    /// The port that the destination pod's containers call so, of whatever protocol that is.
    Named(Str),
}
