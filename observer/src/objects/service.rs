//! Services and their backends.

use std::net::IpAddr;

use super::{Labels, Name, Protocol, Str};

/// A Service.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Service {
    /// Namespace and name.
    pub name: Name,
    /// `clusterIPs`; empty for headless and `ExternalName` services, and where a manifest leaves it to the API server.
    pub cluster_ips: Vec<IpAddr>,
    /// `clusterIP: None`: its name leads to the pods themselves, at the port that is dialled.
    pub headless: bool,
    /// `externalIPs` and the addresses in `status.loadBalancer` that nodes translate (`ipMode: VIP`, the default).
    pub external_ips: Vec<IpAddr>,
    /// The addresses in `status.loadBalancer` that nodes do not translate (`ipMode: Proxy`).
    pub proxied_ips: Vec<IpAddr>,
    /// `externalName` of a Service of that type: its name leads there, and it has no backends.
    pub external_name: Option<Str>,
    /// The ports.
    pub ports: Vec<ServicePort>,
    /// Pods with these labels are its backends; `None`: somebody else writes its slices.
    pub selector: Option<Labels>,
    /// `internalTrafficPolicy: Local`: cluster addresses lead to backends on the client's node only.
    pub internal_local: bool,
    /// `externalTrafficPolicy: Local`: external addresses and node ports lead to backends on the receiving node only.
    pub external_local: bool,
    /// `publishNotReadyAddresses`.
    pub publish_not_ready: bool,
}

/// One port of a Service.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ServicePort {
    /// The name; empty where there is only one port.
    pub name: Str,
    /// The number on the Service's addresses.
    pub port: u16,
    /// The protocol.
    pub protocol: Protocol,
    /// The pod's port.
    pub target: TargetPort,
    /// The number on every node's addresses.
    pub node_port: Option<u16>,
}

/// `targetPort`: a number, or the name of a container's port.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum TargetPort {
    /// A number; the default is the Service's own port.
    Number(u16),
    /// A name, resolved pod by pod.
    Name(Str),
}

/// A part of a Service's backends.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EndpointSlice {
    /// Namespace and name.
    pub name: Name,
    /// The Service it belongs to (label `kubernetes.io/service-name`), in the same namespace.
    pub service: Option<Str>,
    /// Ports that every endpoint of this slice has.
    pub ports: Vec<SlicePort>,
    /// The backends.
    pub endpoints: Vec<SliceEndpoint>,
}

/// A port of a slice.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SlicePort {
    /// The Service port's name; empty where there is only one.
    pub name: Str,
    /// The pod's port; `None`: every port.
    pub port: Option<u16>,
    /// The protocol.
    pub protocol: Protocol,
}

/// One backend.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SliceEndpoint {
    /// Its addresses, of one family; they are one backend.
    pub addresses: Vec<IpAddr>,
    /// `conditions.ready`; missing means ready.
    pub ready: bool,
    /// `conditions.serving`; missing means as `ready`.
    pub serving: bool,
    /// `conditions.terminating`.
    pub terminating: bool,
    /// The node it is on.
    pub node: Option<Str>,
    /// The pod behind it, where `targetRef` names one.
    pub pod: Option<Name>,
}
