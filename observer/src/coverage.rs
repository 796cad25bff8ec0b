//! Which pods of this node are observed, and why the others are not. Pure: joins interfaces with pods.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use serde::Serialize;

use crate::attempt::Point;
use crate::objects::Pod;

/// The pods of this node, seen from the interfaces.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct PodCoverage {
    /// Pods whose attempts are seen, by name.
    pub observed: Vec<Observed>,
    /// Pods whose attempts are not seen, by name.
    pub unobserved: Vec<Unobserved>,
}

/// A pod and its interface.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Observed {
    /// `namespace/name`.
    pub pod: String,
    /// The interface on the host's side.
    pub interface: String,
}

/// A pod that is not observed.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Unobserved {
    /// `namespace/name`.
    pub pod: String,
    /// Why.
    pub why: Why,
}

/// Why a pod is not observed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// It shares the node's network namespace: there is no interface between it and the node.
    HostNetwork,
    /// It has no address yet.
    NoAddress,
    /// No observed interface is bound to its address.
    NoInterface,
}

impl PodCoverage {
    /// How many pods are in which state, each state once.
    #[must_use]
    pub fn by_state(&self) -> [(&'static str, usize); 4] {
        let unobserved = |why| self.unobserved.iter().filter(|pod| pod.why == why).count();
        [
            ("observed", self.observed.len()),
            ("host-network", unobserved(Why::HostNetwork)),
            ("no-address", unobserved(Why::NoAddress)),
            ("no-interface", unobserved(Why::NoInterface)),
        ]
    }
}

impl fmt::Display for Unobserved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is not observed: {}", self.pod, self.why.text())
    }
}

impl Why {
    /// The reason in words.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::HostNetwork => "it uses the node's own network",
            Self::NoAddress => "it has no address yet",
            Self::NoInterface => "no observed interface is bound to its address",
        }
    }
}

/// Joins the node's `pods` with the observed interfaces. Pods that are over are not asked for.
#[must_use]
pub fn pod_coverage<'a>(
    points: impl Iterator<Item = &'a Point> + Clone,
    pods: impl Iterator<Item = Arc<Pod>>,
) -> PodCoverage {
    let mut coverage = PodCoverage::default();
    for pod in pods.filter(|pod| !pod.phase.is_over()) {
        let bound = |point: &&Point| {
            pod.addresses
                .iter()
                .any(|address: &IpAddr| point.addresses.contains(address))
        };
        let name = pod.name.to_string();
        let why = if pod.host_network {
            Why::HostNetwork
        } else if pod.addresses.is_empty() {
            Why::NoAddress
        } else if let Some(point) = points.clone().find(bound) {
            coverage.observed.push(Observed {
                pod: name,
                interface: point.name.to_string(),
            });
            continue;
        } else {
            Why::NoInterface
        };
        coverage.unobserved.push(Unobserved { pod: name, why });
    }
    coverage.observed.sort_by(|a, b| a.pod.cmp(&b.pod));
    coverage.unobserved.sort_by(|a, b| a.pod.cmp(&b.pod));
    coverage
}
