//! The answer to "who is this address?".

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::objects::{Name, Pod, Protocol, Service, Str};
use crate::time::Time;

/// An address and port, and who that was at a time.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// As dialled or as seen.
    pub address: SocketAddr,
    /// Who it was.
    pub identity: Identity,
}

/// Who an address was. In order of precedence (a pod wins over everything else).
#[derive(Clone, Debug)]
pub enum Identity {
    /// A pod with an address of its own.
    Pod(Arc<Pod>),
    /// A Service address, or a node port or host port on a node's address.
    Service(ServiceHit),
    /// A node's address. hostNetwork pods share it: they are candidates.
    Node {
        /// The Node object's name, if one has the address.
        node: Option<Str>,
        /// It is this node.
        own: bool,
        /// hostNetwork pods on it.
        candidates: Vec<Arc<Pod>>,
    },
    /// Nobody in the cluster.
    External,
    /// It belonged to a pod that ended, or was given to two pods at once, or nothing is known of the cluster.
    Unknown(Unknown),
}

/// Why nobody can be named for an address.
#[derive(Clone, Debug)]
pub enum Unknown {
    /// No objects are known at all (no manifests, not synced).
    NoObjects,
    /// It belonged to this pod, which ended or was deleted then; nobody has it now.
    Ended {
        /// The former owner.
        pod: Arc<Pod>,
        /// When it ended, if known.
        at: Option<Time>,
    },
    /// Several pods claim it.
    Ambiguous(Vec<Arc<Pod>>),
    /// In the range of the Services, as far as the known ones tell, but of none of them.
    ServiceRange,
}

/// How a dialled address leads to a Service.
#[derive(Clone, Debug)]
pub struct ServiceHit {
    /// The Service; for a host port `None`.
    pub service: Option<Arc<Service>>,
    /// By which kind of address.
    pub via: Via,
    /// The port's name and number on the Service, if the Service has the dialled port.
    pub port: Option<HitPort>,
    /// Its backends for that port and address family, ready or not.
    pub backends: Vec<Backend>,
    /// What they are told by is known at all (slices; pods, for a Service with a selector): that there is none means something.
    pub backends_known: bool,
}

/// The port of a Service that was dialled.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HitPort {
    /// Its name; empty where there is only one.
    pub name: Str,
    /// Its number on the Service.
    pub port: u16,
    /// The protocol.
    pub protocol: Protocol,
}

/// By which kind of address a Service was reached.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Via {
    /// A cluster address.
    ClusterIp,
    /// An external or load balancer address.
    External,
    /// A node's address and a node port.
    NodePort,
    /// A node's address and a container's host port.
    HostPort,
}

/// Which node a Service's traffic policies ask for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Place<'a> {
    /// This one.
    ThisNode,
    /// The node of that name: the client's for a cluster address, the dialled one for a node port.
    Node(&'a Str),
    /// It is not known which.
    Anywhere,
}

/// One backend of a Service port.
#[derive(Clone, Debug)]
pub struct Backend {
    /// The pod's address and target port.
    pub address: SocketAddr,
    /// The pod, if one is known at that time.
    pub pod: Option<Arc<Pod>>,
    /// Connections are sent to it.
    pub ready: bool,
    /// It is on this node.
    pub local: bool,
    /// A `Local` traffic policy keeps clients from it.
    pub excluded: bool,
}

impl Endpoint {
    /// The pod, if it is one.
    #[must_use]
    pub fn pod(&self) -> Option<&Arc<Pod>> {
        match &self.identity {
            Identity::Pod(pod) => Some(pod),
            _ => None,
        }
    }

    /// The Service, if it is one.
    #[must_use]
    pub fn service(&self) -> Option<&ServiceHit> {
        match &self.identity {
            Identity::Service(hit) => Some(hit),
            _ => None,
        }
    }
}

/// A Service that exactly matches a backend which was dialled directly.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PerhapsVia {
    /// The Service.
    pub service: Name,
    /// Its port.
    pub port: HitPort,
}

/// Which addresses are the node's own, as the probe reads them.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct OwnNode {
    /// The Node object's name.
    pub name: Str,
    /// Every address on the node's interfaces.
    pub addresses: Vec<IpAddr>,
}
