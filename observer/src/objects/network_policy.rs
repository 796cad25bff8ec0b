//! `networking.k8s.io/v1` NetworkPolicies, with the API server's defaults applied.

use ipnetwork::IpNetwork;

use super::{Name, Protocol, Selector, Str};
use crate::time::Time;

/// A NetworkPolicy.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NetworkPolicy {
    /// Namespace and name.
    pub name: Name,
    /// `metadata.creationTimestamp`.
    pub created: Option<Time>,
    /// The pods of its namespace that it selects.
    pub pod_selector: Selector,
    /// `policyTypes` holds Ingress: the selected pods are isolated for ingress. Missing `policyTypes` were defaulted:
    /// Ingress always, Egress only if there is an egress rule.
    pub isolates_ingress: bool,
    /// `policyTypes` holds Egress.
    pub isolates_egress: bool,
    /// Ingress rules in the order of the manifest. Without effect unless [`Self::isolates_ingress`].
    pub ingress: Vec<Rule>,
    /// Egress rules in the order of the manifest. Without effect unless [`Self::isolates_egress`].
    pub egress: Vec<Rule>,
    /// Where it was read, for files.
    pub source: Option<Source>,
    /// Which optional sections the manifest has.
    pub written: Written,
}

/// Which optional sections a policy's manifest has. Without effect on what the policy means, which is in its other fields;
/// it tells what its author believed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Written {
    /// `policyTypes`, with at least one type.
    pub policy_types: bool,
    /// `ingress`, be it `[]`.
    pub ingress: bool,
    /// `egress`, be it `[]`.
    pub egress: bool,
}

/// Where an object was read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Source {
    /// The file.
    pub file: Str,
    /// The document in the file, from 1.
    pub document: u32,
}

/// One ingress or egress rule: it matches when a peer matches and a port matches.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rule {
    /// `from` or `to`. Empty (missing, null or `[]`): every peer, external ones too.
    pub peers: Vec<Peer>,
    /// `ports`. Empty (missing, null or `[]`): every port of every protocol.
    pub ports: Vec<PortRule>,
}

/// One peer of a rule.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Peer {
    /// Pods. At least one of the two selectors was given.
    Pods {
        /// `namespaceSelector`; `None`: the policy's own namespace.
        namespaces: Option<Selector>,
        /// `podSelector`; `None`: every pod there.
        pods: Option<Selector>,
    },
    /// `ipBlock`: addresses in `cidr` that are in none of `except`. Host bits are masked.
    Block {
        /// The block.
        cidr: IpNetwork,
        /// Holes in it.
        except: Vec<IpNetwork>,
    },
}

/// One port of a rule.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PortRule {
    /// The protocol; the default is TCP.
    pub protocol: Protocol,
    /// Which ports of it.
    pub port: PortMatch,
}

/// Which ports a port rule matches.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum PortMatch {
    /// `port` missing: every port of the protocol.
    Any,
    /// One number, or `port` to `endPort`, both inclusive.
    Range(u16, u16),
    /// The port that the destination pod's containers call so, for the protocol.
    Name(Str),
}
