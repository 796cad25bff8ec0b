//! One side of an attempt as Hubble's clients know it: endpoint, labels, security identity.

use observer_api::flow::{Endpoint, Workload};

use crate::report::{Party, PartyKind, Record};

/// Which side.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Side {
    /// Who dialled.
    Source,
    /// Who was dialled, or what that became.
    Destination,
}

/// A security identity that says what an address is. Pods have none here: their numbers are given by Cilium.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Reserved {
    /// This node.
    Host = 1,
    /// Nobody in the cluster.
    World = 2,
    /// Another node.
    RemoteNode = 6,
}

/// The label by which Cilium tells a pod's namespace.
const NAMESPACE_LABEL: &str = "io.kubernetes.pod.namespace";

/// The label of a reserved identity begins so.
const RESERVED: &str = "reserved:";

impl Side {
    /// What the record says of this side.
    pub(super) fn of(self, record: &Record) -> &Party {
        match self {
            Self::Source => &record.source,
            Self::Destination => &record.destination.party,
        }
    }

    /// The reserved identity, if one says what this side is.
    pub(super) fn reserved(self, record: &Record) -> Option<Reserved> {
        let party = self.of(record);
        match party.kind {
            PartyKind::Node if party.name.as_ref() == Some(&record.node) => Some(Reserved::Host),
            PartyKind::Node if party.name.is_some() => Some(Reserved::RemoteNode),
            PartyKind::External => Some(Reserved::World),
            PartyKind::Node | PartyKind::Pod | PartyKind::Service | PartyKind::Unknown => None,
        }
    }

    /// The number of the identity; 0 where there is none.
    pub(super) fn identity(self, record: &Record) -> u32 {
        self.reserved(record).map_or(0, |reserved| reserved as u32)
    }

    /// Namespace and name of the pod; the namespace alone of a Service of which no pod is known; both empty for anything else.
    pub(super) fn pod(self, record: &Record) -> (&str, &str) {
        let party = self.of(record);
        let namespace = party.namespace.as_deref().unwrap_or_default();
        match party.kind {
            PartyKind::Pod => (namespace, party.name.as_deref().unwrap_or_default()),
            PartyKind::Service => (namespace, ""),
            PartyKind::Node | PartyKind::External | PartyKind::Unknown => ("", ""),
        }
    }

    /// The value of a label. Keys are a pod's own, Cilium's for its namespace, or of a reserved identity.
    pub(super) fn label<'a>(self, record: &'a Record, key: &str) -> Option<&'a str> {
        if let Some(name) = key.strip_prefix(RESERVED) {
            return self
                .reserved(record)
                .filter(|reserved| reserved.name() == name)
                .map(|_| "");
        }
        let party = self.of(record);
        match key {
            NAMESPACE_LABEL if party.kind == PartyKind::Pod => party.namespace.as_deref(),
            _ => party.labels.get(key).map(|value| &**value),
        }
    }

    /// The whole side.
    pub(super) fn endpoint(self, record: &Record) -> Endpoint {
        let party = self.of(record);
        let (namespace, pod_name) = self.pod(record);
        let workload = party.workload.iter().map(|workload| Workload {
            name: workload.name.to_string(),
            kind: workload.kind.to_string(),
        });
        Endpoint {
            identity: self.identity(record),
            namespace: namespace.to_owned(),
            pod_name: pod_name.to_owned(),
            labels: self.labels(record),
            workloads: workload.collect(),
            ..Endpoint::default()
        }
    }

    fn labels(self, record: &Record) -> Vec<String> {
        let party = self.of(record);
        let reserved = self
            .reserved(record)
            .map(|reserved| format!("{RESERVED}{}", reserved.name()));
        let namespace = party.namespace.iter().filter(|_| party.kind == PartyKind::Pod);
        let namespace = namespace.map(|namespace| format!("k8s:{NAMESPACE_LABEL}={namespace}"));
        let own = party.labels.iter().map(|(key, value)| format!("k8s:{key}={value}"));
        let mut labels: Vec<String> = own.chain(namespace).chain(reserved).collect();
        labels.sort_unstable();
        labels
    }
}

impl Reserved {
    /// As labels have it.
    fn name(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::World => "world",
            Self::RemoteNode => "remote-node",
        }
    }
}
