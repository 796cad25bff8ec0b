//! Who an address was: each rule by small tables of objects, times and questions. Here is what the tables are made of.

mod addresses;
mod backends;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::*;
use crate::objects::{
    Change, ContainerPort, EndpointSlice, Kind, Labels, Name, Node, Object, Phase, Pod, Protocol, Service, ServicePort,
    SliceEndpoint, SlicePort, TargetPort,
};
use crate::time::Time;

const T0: Time = Time::BEGINNING;

/// Seconds after an arbitrary start.
fn t(seconds: u64) -> Time {
    Time(seconds * 1_000_000_000)
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn to(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn named(text: &str) -> Name {
    let (namespace, name) = text.split_once('/').unwrap();
    Name::new(namespace, name)
}

fn pod(name: &str, address: &str) -> Pod {
    Pod {
        name: named(name),
        uid: name.into(),
        labels: [("app", name.split_once('/').unwrap().1)].into_iter().collect(),
        addresses: address.split(' ').filter(|a| !a.is_empty()).map(ip).collect(),
        node: Some("here".into()),
        host_network: false,
        phase: Phase::Running,
        ready: true,
        created: None,
        terminating: None,
        ended: None,
        workload: None,
        ports: vec![],
    }
}

fn service(name: &str, address: &str, ports: &[(&str, u16, TargetPort)]) -> Service {
    Service {
        name: named(name),
        cluster_ips: address.split(' ').filter(|a| !a.is_empty()).map(ip).collect(),
        headless: false,
        external_ips: vec![],
        proxied_ips: vec![],
        external_name: None,
        ports: ports
            .iter()
            .map(|(name, port, target)| ServicePort {
                name: (*name).into(),
                port: *port,
                protocol: Protocol::Tcp,
                target: target.clone(),
                node_port: None,
            })
            .collect(),
        selector: None,
        internal_local: false,
        external_local: false,
        publish_not_ready: false,
    }
}

fn selecting(mut service: Service, app: &str) -> Service {
    service.selector = Some([("app", app)].into_iter().collect::<Labels>());
    service
}

fn slice(name: &str, service: &str, ports: &[(&str, u16)], endpoints: &[SliceEndpoint]) -> EndpointSlice {
    EndpointSlice {
        name: named(name),
        service: Some(service.into()),
        ports: ports
            .iter()
            .map(|(name, port)| SlicePort {
                name: (*name).into(),
                port: Some(*port),
                protocol: Protocol::Tcp,
            })
            .collect(),
        endpoints: endpoints.to_vec(),
    }
}

fn backend(address: &str, state: &str) -> SliceEndpoint {
    SliceEndpoint {
        addresses: vec![ip(address)],
        ready: state == "ready",
        serving: state != "down",
        terminating: state == "draining",
        node: Some("here".into()),
        pod: None,
    }
}

fn node(name: &str, addresses: &[&str], ranges: &[&str]) -> Node {
    Node {
        name: name.into(),
        labels: Labels::default(),
        addresses: addresses.iter().map(|a| ip(a)).collect(),
        pod_cidrs: ranges.iter().map(|r| r.parse().unwrap()).collect(),
    }
}

trait IntoObject {
    fn object(self) -> Object;
}

macro_rules! into_object {
    ($($kind:ident),*) => {$(
        impl IntoObject for $kind {
            fn object(self) -> Object {
                Object::$kind(Arc::new(self))
            }
        }
    )*};
}
into_object!(Pod, Service, EndpointSlice, Node);

impl Endpoints {
    fn with(mut self, object: impl IntoObject) -> Self {
        self.put(object, T0);
        self
    }

    fn put(&mut self, object: impl IntoObject, at: Time) {
        self.apply(&Change::Set(object.object()), at);
    }

    fn drop_pod(&mut self, name: &str, at: Time) {
        self.apply(&Change::Remove(Kind::Pod, named(name)), at);
    }

    fn own(mut self, name: &str, addresses: &[&str]) -> Self {
        self.set_own_node(OwnNode {
            name: name.into(),
            addresses: addresses.iter().map(|a| ip(a)).collect(),
        });
        self
    }

    /// The answer as a short text.
    fn who(&self, address: &str, at: Time) -> String {
        let names = |pods: &[Arc<Pod>]| pods.iter().map(|p| p.name.to_string()).collect::<Vec<_>>().join(",");
        match self.resolve(to(address), Protocol::Tcp, at).identity {
            Identity::Pod(pod) => format!("pod {}", pod.name),
            Identity::Service(hit) => {
                let service = hit.service.map_or("-".into(), |s| s.name.to_string());
                let port = hit.port.map_or("-".into(), |p| p.port.to_string());
                let backends: Vec<_> = hit
                    .backends
                    .iter()
                    .map(|b| {
                        let mut text = b.address.to_string();
                        if !b.ready {
                            text += " unready";
                        }
                        if b.excluded {
                            text += " excluded";
                        }
                        text
                    })
                    .collect();
                let backends = match backends.as_slice() {
                    [] if !hit.backends_known => "unknown".into(),
                    backends => backends.join(", "),
                };
                format!("{:?} {service}:{port} [{backends}]", hit.via)
            }
            Identity::Node { node, own, candidates } => format!(
                "{} node {} [{}]",
                if own { "own" } else { "other" },
                node.as_deref().unwrap_or("-"),
                names(&candidates)
            ),
            Identity::External => "external".into(),
            Identity::Unknown(Unknown::NoObjects) => "no objects".into(),
            Identity::Unknown(Unknown::ServiceRange) => "service range".into(),
            Identity::Unknown(Unknown::Ambiguous(pods)) => format!("ambiguous {}", names(&pods)),
            Identity::Unknown(Unknown::Ended { pod, at }) => {
                let at = at.map_or("-".into(), |at| (at.0 / 1_000_000_000).to_string());
                format!("ended {} at {at}", pod.name)
            }
        }
    }

    #[track_caller]
    fn check(&self, table: &[(&str, u64, &str)]) {
        for (address, seconds, want) in table {
            assert_eq!(self.who(address, t(*seconds)), *want, "{address} at {seconds}");
        }
    }
}
