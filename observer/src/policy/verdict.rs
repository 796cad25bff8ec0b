//! The question that is put to the policies, and the answer.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use ipnetwork::IpNetwork;

use crate::objects::{Name, Pod, Protocol, Requirement, Str, Tier};
use crate::time::Time;

/// May `source` talk to `destination`? After translation: the destination is the pod, not the Service.
#[derive(Clone, Debug)]
pub struct Question {
    /// Who connects.
    pub source: Party,
    /// To whom.
    pub destination: Party,
    /// The destination's port after translation (the pod's own).
    pub port: u16,
    /// The protocol.
    pub protocol: Protocol,
    /// The address that was dialled, where it was a Service's: for caveats and for recognising a rule that names it.
    pub dialled: Option<SocketAddr>,
    /// When the SYN was sent.
    pub at: Time,
}

/// One side of a question.
#[derive(Clone, Debug)]
pub struct Party {
    /// The address after translation.
    pub address: IpAddr,
    /// Who it was.
    pub who: Who,
}

/// Who a party was.
#[derive(Clone, Debug)]
pub enum Who {
    /// A pod with an address of its own.
    Pod(Arc<Pod>),
    /// A node; `own` where both sides' node is meant: it is the node that the other side's pod runs on. hostNetwork pods are
    /// the node; they are the candidates.
    Node {
        /// The node's name, if known.
        node: Option<Str>,
        /// hostNetwork pods that it may have been.
        candidates: Vec<Arc<Pod>>,
    },
    /// Nobody in the cluster.
    External,
    /// Cannot be told (several claim the address, its owner has gone): undecidable where it matters.
    Unknown,
    /// The source's address was rewritten on the way and `address` is the node's: judged as `pod` and as the node.
    Rewritten {
        /// Who it was before.
        pod: Arc<Pod>,
    },
}

/// A direction of traffic as seen from the pod that a policy selects.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Hash)]
pub enum Direction {
    /// Into the pod.
    Ingress,
    /// Out of the pod.
    Egress,
}

impl Direction {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Ingress, Self::Egress];

    /// The stable code.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Ingress => "ingress",
            Self::Egress => "egress",
        }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// What the policies say of one direction, or of both together.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Hash)]
pub enum Decision {
    /// No pod on that side.
    NotApplicable,
    /// No policy isolates the pod in this direction.
    NotIsolated,
    /// A rule allows it, or both directions do.
    Allowed,
    /// Isolated and nothing matches.
    Denied,
    /// Open, for a reason of the closed list.
    Undecidable,
}

impl Decision {
    /// Every answer, in the order of the documentation.
    pub const ALL: [Self; 5] = [
        Self::NotApplicable,
        Self::NotIsolated,
        Self::Allowed,
        Self::Denied,
        Self::Undecidable,
    ];

    /// The stable kebab-case code.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::NotApplicable => "not-applicable",
            Self::NotIsolated => "not-isolated",
            Self::Allowed => "allowed",
            Self::Denied => "denied",
            Self::Undecidable => "undecidable",
        }
    }
}

/// The whole answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// Denied if either direction is, else undecidable if either is, else allowed. Never `NotIsolated`, `NotApplicable`.
    pub decision: Decision,
    /// Egress of the source.
    pub egress: DirectionVerdict,
    /// Ingress of the destination.
    pub ingress: DirectionVerdict,
    /// What reading the specification differently, or another implementation, would change.
    pub caveats: Vec<Caveat>,
    /// Policy changes shortly before the attempt that concern it, newest first.
    pub changes: Vec<PolicyChange>,
}

/// The answer for one direction.
#[derive(Clone, Debug, PartialEq)]
pub struct DirectionVerdict {
    /// The answer.
    pub decision: Decision,
    /// Why it is open, for [`Decision::Undecidable`].
    pub undecidable: Option<Undecidable>,
    /// The policies that isolate the pod in this direction, by name; or the cluster-wide policy that decides. Where the answer
    /// is open, the cluster-wide ones that may decide come first.
    pub policies: Vec<Name>,
    /// The rule that decides: for [`Decision::Allowed`] by a rule the first that allows, in order of policy name and rule;
    /// for [`Decision::Denied`] the rule of a cluster-wide policy that denies, if one does.
    pub rule: Option<RuleId>,
    /// For [`Decision::Denied`]: the rule that denies, or the rules of the isolating policies, nearest first. Empty where
    /// they have no rules.
    pub nearest: Vec<NearMiss>,
    /// Rules of the isolating policies that are farther off and not among `nearest`, because of `Config::misses`.
    pub farther: usize,
}

/// Names a rule.
#[derive(Clone, Debug, Eq, PartialEq, Ord, PartialOrd, Hash)]
pub struct RuleId {
    /// The policy.
    pub policy: Name,
    /// Which of its lists.
    pub direction: Direction,
    /// Position in that list, from 1, as people count.
    pub number: u32,
}

/// Why an answer is open. The closed list; each is documented where `observer explain` reads it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Undecidable {
    /// The objects were not loaded yet.
    NotSynced,
    /// A hostNetwork pod may be meant, and it would matter.
    HostNetwork,
    /// The source was rewritten on the way, or may have been, and it and the node would be answered differently.
    SourceRewritten,
    /// A named port on a destination that is not known to be a pod.
    NamedPort,
    /// Nobody can be named for an address, and it would matter.
    PeerUnknown,
    /// Which backend was chosen is not known, and they differ.
    BackendUnknown,
    /// The Service has no backend to judge.
    NoTarget,
    /// Policies, pods or namespaces changed just then, and before and after differ.
    Changing,
    /// Objects that may concern it cannot be read.
    ObjectsInDoubt {
        /// The file, the object or the kind.
        source: Str,
    },
    /// A policy of the CNI's own kind may select the pod too.
    ForeignPolicy {
        /// Its kind and name.
        policy: Str,
    },
    /// A rule of a cluster-wide policy names domains, and what they resolve to is not known.
    DomainName,
    /// Cluster-wide policies of one tier and priority answer differently, and any of them may come first.
    EqualPriority,
    /// Nothing is known of the cluster.
    NoObjects,
    /// A pod has no address yet, and whether an `ipBlock` will hold it would matter.
    NoAddress,
}

impl Undecidable {
    /// Every code, in the order of the documentation.
    pub const CODES: [&'static str; 14] = [
        "not-synced",
        "no-objects",
        "host-network",
        "source-rewritten",
        "named-port",
        "peer-unknown",
        "no-address",
        "backend-unknown",
        "no-target",
        "policies-changing",
        "objects-in-doubt",
        "foreign-policy",
        "domain-name",
        "equal-priority",
    ];

    /// The stable kebab-case code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotSynced => "not-synced",
            Self::HostNetwork => "host-network",
            Self::SourceRewritten => "source-rewritten",
            Self::NamedPort => "named-port",
            Self::PeerUnknown => "peer-unknown",
            Self::BackendUnknown => "backend-unknown",
            Self::NoTarget => "no-target",
            Self::Changing => "policies-changing",
            Self::ObjectsInDoubt { .. } => "objects-in-doubt",
            Self::ForeignPolicy { .. } => "foreign-policy",
            Self::DomainName => "domain-name",
            Self::EqualPriority => "equal-priority",
            Self::NoObjects => "no-objects",
            Self::NoAddress => "no-address",
        }
    }
}

/// A rule that did not match and what it lacks, or the rule that denies.
#[derive(Clone, Debug, PartialEq)]
pub struct NearMiss {
    /// The rule.
    pub rule: RuleId,
    /// What is unmet, in the peer that came nearest and the port that came nearest. Never empty.
    pub unmet: Vec<Unmet>,
    /// The smallest change to this rule that would allow the attempt, as an imperative sentence without a full stop.
    pub change: String,
}

/// One unmet requirement of a rule.
#[derive(Clone, Debug, PartialEq)]
pub enum Unmet {
    /// The peer's namespace does not match.
    PeerNamespace {
        /// The peer's namespace.
        namespace: Str,
        /// What its labels lack.
        miss: LabelMiss,
    },
    /// The rule's peers are pods of the policy's own namespace, and the peer is in another.
    OtherNamespace {
        /// The policy's.
        wanted: Str,
        /// The peer's.
        actual: Str,
    },
    /// The peer pod's labels do not match.
    PeerLabels(LabelMiss),
    /// The address is in no block, or in an exception.
    Block {
        /// The nearest block.
        cidr: IpNetwork,
        /// The exception that holds the address, if it is in the block.
        except: Option<IpNetwork>,
        /// The peer's address.
        address: IpAddr,
        /// The block is written for a Service, but policies see what is behind it.
        meant: Option<MeantService>,
    },
    /// The rule's peers are pods, and the peer is none (external, or a node).
    NotAPod {
        /// Its address.
        address: IpAddr,
    },
    /// The port does not match.
    Port {
        /// What the rule allows, as text: `80`, `8000-8080`, `http`.
        allowed: Vec<Str>,
        /// The protocol of what it allows.
        protocol: Protocol,
        /// The port after translation.
        target: u16,
        /// The rule names the Service's port that was dialled instead of the target port.
        names_service_port: Option<u16>,
        /// For a rule with a port's name: which port of that protocol the destination pod calls so.
        by_name: Option<NamedPort>,
    },
    /// The rule matches, and denies: it is one of a cluster-wide policy.
    Denies {
        /// The policy's tier.
        tier: Tier,
        /// Its priority, if it has one.
        priority: Option<u16>,
        /// The rule's name, if it has one.
        rule: Option<Str>,
    },
    /// The protocol does not match.
    Protocol {
        /// What the rule allows.
        allowed: Protocol,
        /// The attempt's.
        actual: Protocol,
        /// The attempt's port.
        port: u16,
    },
}

/// The Service whose address a block holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum MeantService {
    /// The one that was dialled.
    Dialled,
    /// The API server's, `default/kubernetes`: behind it are its nodes.
    ApiServer,
}

/// What a port's name is on a destination.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NamedPort {
    /// This number.
    Is(u16),
    /// Nothing: the pod has no port of that name and protocol, or the destination is no pod.
    Missing,
}

/// A label requirement that is not met, with the closest thing that the object has.
#[derive(Clone, Debug, PartialEq)]
pub struct LabelMiss {
    /// The first unmet requirement.
    pub wanted: Requirement,
    /// How many requirements of the selector are unmet.
    pub unmet: usize,
    /// The object's value for that key.
    pub actual: Option<Str>,
    /// A label of the object that looks meant.
    pub close: Option<CloseLabel>,
}

/// A label of the object that is close to what was wanted.
#[derive(Clone, Debug, PartialEq)]
pub struct CloseLabel {
    /// Its key.
    pub key: Str,
    /// Its value.
    pub value: Str,
    /// In which way it is close.
    pub how: Closeness,
}

/// In which way a label is close, nearest first.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd)]
pub enum Closeness {
    /// The same key with another value that differs in case only.
    OtherCase,
    /// The same key with a value at a small edit distance.
    Typo,
    /// The same value under another key.
    OtherKey,
    /// The same key with another value.
    OtherValue,
}

/// What reading the specification differently, or another implementation, would change.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd)]
pub enum Caveat {
    /// An `ipBlock` matched a pod's address: Kubernetes' tests demand it, Cilium does not by default.
    BlockOnPod,
    /// An `ipBlock` would answer differently for the Service's address and the backend's.
    BlockOnService,
    /// A pod reached itself through a Service: implementations differ.
    Hairpin,
    /// A policy that was read at the start, and counts as having been there before, was created after the time that is asked
    /// about.
    CreatedLater,
    /// Changes in the cluster had not been heard of for so long.
    OldView(Duration),
}

/// A policy changed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PolicyChange {
    /// The policy.
    pub policy: Name,
    /// What was done.
    pub what: PolicyChangeKind,
    /// When.
    pub at: Time,
}

/// What happened to a policy.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PolicyChangeKind {
    /// Created.
    Created,
    /// Changed.
    Changed,
    /// Deleted.
    Deleted,
}
