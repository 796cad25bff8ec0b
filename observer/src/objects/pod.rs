//! Pods.

use std::net::IpAddr;

use super::{Labels, Name, Protocol, Str};
use crate::time::Time;

/// A pod: one incarnation, told apart from another of the same name by its uid.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Pod {
    /// Namespace and name.
    pub name: Name,
    /// `metadata.uid`; the name where a manifest has none.
    pub uid: Str,
    /// Labels.
    pub labels: Labels,
    /// `status.podIPs`, or `status.podIP` alone. Empty until it has one.
    pub addresses: Vec<IpAddr>,
    /// `spec.nodeName`.
    pub node: Option<Str>,
    /// `spec.hostNetwork`: it shares the node's addresses and is neither selected nor matched by most implementations.
    pub host_network: bool,
    /// `status.phase`.
    pub phase: Phase,
    /// The condition `Ready`; where a manifest has no conditions, whether it runs. Only of meaning for a Service without
    /// slices, whose backends are then found as the endpoint controller would.
    pub ready: bool,
    /// `metadata.creationTimestamp`.
    pub created: Option<Time>,
    /// `metadata.deletionTimestamp`: terminating, and still the owner of its addresses.
    pub terminating: Option<Time>,
    /// When its last container ended, for a pod that [`Phase::is_over`].
    pub ended: Option<Time>,
    /// What owns it, as people know it: the Deployment behind the ReplicaSet.
    pub workload: Option<Workload>,
    /// The ports that its containers declare (init containers that keep running included).
    pub ports: Vec<ContainerPort>,
}

/// `status.phase`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Phase {
    /// Not yet running. The default where a manifest has no status.
    Pending,
    /// Running. The default where a manifest has an address but no phase.
    #[default]
    Running,
    /// All containers ended well.
    Succeeded,
    /// All containers ended, one badly.
    Failed,
    /// The node does not answer.
    Unknown,
}

impl Phase {
    /// Whether the pod is completed or failed: it does not own its addresses any more.
    #[must_use]
    pub fn is_over(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed)
    }
}

/// The controller that a pod belongs to.
#[derive(Clone, Debug, Eq, PartialEq, Hash)]
pub struct Workload {
    /// `Deployment`, `StatefulSet`, `DaemonSet`, `Job`, `CronJob`, `ReplicaSet` …
    pub kind: Str,
    /// Its name.
    pub name: Str,
}

/// A port that a container declares.
#[derive(Clone, Debug, Eq, PartialEq, Hash)]
pub struct ContainerPort {
    /// The name by which policies and services may call it.
    pub name: Option<Str>,
    /// The number.
    pub port: u16,
    /// `hostPort`: the number on the node that leads here.
    pub host_port: Option<u16>,
    /// The protocol.
    pub protocol: Protocol,
}

impl Pod {
    /// The number of the port called `name` for `protocol`, if a container declares it.
    #[must_use]
    pub fn port_named(&self, name: &str, protocol: Protocol) -> Option<u16> {
        self.ports
            .iter()
            .find(|port| port.protocol == protocol && port.name.as_deref() == Some(name))
            .map(|port| port.port)
    }
}
