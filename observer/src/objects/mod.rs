//! The Kubernetes objects that the observer uses, as its own slim types: only the fields that are read somewhere, with
//! shared strings. `cluster/` converts API objects into these, once, at the border; everything pure works on these.
//!
//! It does not own who an address is (`endpoint/`) nor what a policy allows (`policy/`).

mod cluster_policy;
mod labels;
mod network_policy;
mod pod;
mod selector;
mod service;
mod versioned;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use ipnetwork::IpNetwork;

use crate::time::Time;

pub use cluster_policy::{
    Action, ClusterPeer, ClusterPolicy, ClusterPolicyKind, ClusterPort, ClusterRule, PodSet, Tier,
};
pub use labels::Labels;
pub use network_policy::{NetworkPolicy, Peer, PortMatch, PortRule, Rule, Source, Written};
pub use pod::{ContainerPort, Phase, Pod, Workload};
pub use selector::{BadSelector, Operator, Requirement, Selector};
pub use service::{EndpointSlice, Service, ServicePort, SliceEndpoint, SlicePort, TargetPort};
pub use versioned::Versioned;

/// A shared string: names, labels and the like repeat over thousands of objects.
pub type Str = Arc<str>;

/// The transport protocol of a port, a rule or an attempt.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Ord, PartialOrd, Hash)]
pub enum Protocol {
    /// TCP, the API's default.
    #[default]
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
            Self::Sctp => "SCTP",
        })
    }
}

/// Namespace and name of an object. Shown as `namespace/name`; objects without a namespace show the name alone.
#[derive(Clone, Debug, Eq, PartialEq, Ord, PartialOrd, Hash)]
pub struct Name {
    /// The namespace; empty for kinds that have none.
    pub namespace: Str,
    /// The object's name.
    pub name: Str,
}

impl Name {
    /// A name in a namespace (empty for kinds that have none).
    pub fn new(namespace: impl Into<Str>, name: impl Into<Str>) -> Self {
        Self {
            namespace: namespace.into(),
            name: name.into(),
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() {
            f.write_str(&self.name)
        } else {
            write!(f, "{}/{}", self.namespace, self.name)
        }
    }
}

/// A namespace. Its labels always hold `kubernetes.io/metadata.name`, which the API server adds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Namespace {
    /// The namespace's name.
    pub name: Str,
    /// Labels, with the built-in one.
    pub labels: Labels,
}

/// A node.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Node {
    /// The node's name.
    pub name: Str,
    /// Labels.
    pub labels: Labels,
    /// `InternalIP` and `ExternalIP` addresses.
    pub addresses: Vec<IpAddr>,
    /// `spec.podCIDRs`: the first address of each is usually the node's bridge.
    pub pod_cidrs: Vec<IpNetwork>,
}

/// Any object that is followed.
#[derive(Clone, Debug, PartialEq)]
pub enum Object {
    /// A pod.
    Pod(Arc<Pod>),
    /// A namespace.
    Namespace(Arc<Namespace>),
    /// A service.
    Service(Arc<Service>),
    /// A part of a service's backends.
    EndpointSlice(Arc<EndpointSlice>),
    /// A node.
    Node(Arc<Node>),
    /// A `networking.k8s.io/v1` policy.
    NetworkPolicy(Arc<NetworkPolicy>),
    /// A cluster-wide policy of `policy.networking.k8s.io`.
    ClusterPolicy(Arc<ClusterPolicy>),
}

/// The kinds of [`Object`].
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Hash)]
pub enum Kind {
    /// [`Object::Pod`].
    Pod,
    /// [`Object::Namespace`].
    Namespace,
    /// [`Object::Service`].
    Service,
    /// [`Object::EndpointSlice`].
    EndpointSlice,
    /// [`Object::Node`].
    Node,
    /// [`Object::NetworkPolicy`].
    NetworkPolicy,
    /// [`Object::ClusterPolicy`], as the three kinds that it is written as.
    ClusterNetworkPolicy,
    /// See [`Self::ClusterNetworkPolicy`].
    AdminNetworkPolicy,
    /// See [`Self::ClusterNetworkPolicy`].
    BaselineAdminNetworkPolicy,
}

impl Kind {
    /// As manifests write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pod => "Pod",
            Self::Namespace => "Namespace",
            Self::Service => "Service",
            Self::EndpointSlice => "EndpointSlice",
            Self::Node => "Node",
            Self::NetworkPolicy => "NetworkPolicy",
            Self::ClusterNetworkPolicy => "ClusterNetworkPolicy",
            Self::AdminNetworkPolicy => "AdminNetworkPolicy",
            Self::BaselineAdminNetworkPolicy => "BaselineAdminNetworkPolicy",
        }
    }
}

/// Which namespaces a doubt concerns.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Scope {
    /// Any namespace.
    Everything,
    /// These namespaces only.
    Namespaces(Vec<Str>),
    /// Whoever is not known as a pod, what a Service leads to, and the pods of these namespaces.
    Addresses(Vec<Str>),
    /// Some pods, and what they may connect to or what may connect to them.
    Subjects(Subjects),
}

impl Scope {
    /// The namespaces whose pods it concerns; `None`: any.
    #[must_use]
    pub fn namespaces(&self) -> Option<&[Str]> {
        match self {
            Self::Everything => None,
            Self::Namespaces(names) | Self::Addresses(names) => Some(names),
            Self::Subjects(subjects) => subjects.namespace.as_ref().map(std::slice::from_ref),
        }
    }
}

/// The pods that a policy which is not evaluated may select, and the directions in which it may decide about them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Subjects {
    /// Their namespace; `None`: any.
    pub namespace: Option<Str>,
    /// Any of these selects them: all pods that the policy selects, and perhaps more.
    pub pods: Vec<Selector>,
    /// It may decide what connects to them.
    pub ingress: bool,
    /// It may decide what they connect to.
    pub egress: bool,
}

impl Subjects {
    /// Whether a pod is one of them.
    #[must_use]
    pub fn hold(&self, pod: &Pod) -> bool {
        let here = self
            .namespace
            .as_ref()
            .is_none_or(|namespace| *namespace == pod.name.namespace);
        here && self.pods.iter().any(|selector| selector.matches(&pod.labels))
    }
}

/// One change of what is known of the cluster. Its time is an argument beside it: [`crate::time::Time::BEGINNING`] for what the
/// first load brought.
#[derive(Clone, Debug)]
pub enum Change {
    /// The object is now like this.
    Set(Object),
    /// The object is gone.
    Remove(Kind, Name),
    /// The first full list of the objects is still to come: until [`Self::Synced`] there are no verdicts.
    Unsynced,
    /// The objects are all there.
    Synced,
    /// Changes have not been heard of since `since`.
    Unheard {
        /// The last time at which they were.
        since: Time,
    },
    /// Every change until now has been told again.
    Heard,
    /// What `source` (a file, an object, or all objects of a kind) says can no longer be read; its last good objects stay.
    /// Verdicts in this scope are in doubt.
    Doubt {
        /// The file, the object or the kind.
        source: Str,
        /// What it may concern.
        scope: Scope,
    },
    /// `source` can be read again, or is gone: the doubt is over.
    Clear {
        /// The file, the object or the kind.
        source: Str,
    },
    /// There is a policy of a kind that is not evaluated (Cilium's, Calico's …). It may select any pod in
    /// this scope, whose answers are then open in the directions that it may decide.
    Foreign {
        /// Its kind and name.
        policy: Str,
        /// Where the pods are that it may select.
        scope: Scope,
    },
    /// That policy is gone.
    ForeignGone {
        /// Its kind and name.
        policy: Str,
    },
}

impl Object {
    /// The object's kind.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Pod(_) => Kind::Pod,
            Self::Namespace(_) => Kind::Namespace,
            Self::Service(_) => Kind::Service,
            Self::EndpointSlice(_) => Kind::EndpointSlice,
            Self::Node(_) => Kind::Node,
            Self::NetworkPolicy(_) => Kind::NetworkPolicy,
            Self::ClusterPolicy(policy) => policy.kind.kind(),
        }
    }

    /// The object's namespace and name.
    #[must_use]
    pub fn name(&self) -> Name {
        match self {
            Self::Pod(pod) => pod.name.clone(),
            Self::Namespace(namespace) => Name::new("", namespace.name.clone()),
            Self::Service(service) => service.name.clone(),
            Self::EndpointSlice(slice) => slice.name.clone(),
            Self::Node(node) => Name::new("", node.name.clone()),
            Self::NetworkPolicy(policy) => policy.name.clone(),
            Self::ClusterPolicy(policy) => Name::new("", policy.name.clone()),
        }
    }
}
