//! Pods: a namespace, a veth pair and what the Pod object says.

use std::net::{IpAddr, SocketAddr};

use anyhow::Result;

use super::netns::NetNs;
use super::topology::{Family, Topology, addresses};

/// What a pod is to be. Made by [`pod`].
#[derive(Clone, Debug)]
pub struct PodSpec {
    /// `namespace/name`.
    pub name: String,
    /// Labels, as `(key, value)`.
    pub labels: Vec<(String, String)>,
    /// Named container ports, as `(name, number)`.
    pub ports: Vec<(String, u16)>,
    /// The controlling owner, as `(kind, name)`.
    pub owner: Option<(String, String)>,
    /// Whether anything answers at the pod's address. A pod that has died without being reported yet does not.
    pub alive: bool,
}

/// A pod called `namespace/name` that is labelled by nothing and owned by nobody.
pub fn pod(name: &str) -> PodSpec {
    assert!(name.contains('/'), "a pod is named namespace/name, not {name}");
    PodSpec {
        name: name.to_owned(),
        labels: Vec::new(),
        ports: Vec::new(),
        owner: None,
        alive: true,
    }
}

impl PodSpec {
    /// Adds a label.
    pub fn label(mut self, key: &str, value: &str) -> Self {
        self.labels.push((key.to_owned(), value.to_owned()));
        self
    }

    /// Declares a named container port.
    pub fn port(mut self, name: &str, number: u16) -> Self {
        self.ports.push((name.to_owned(), number));
        self
    }

    /// Sets the controlling owner, such as `("ReplicaSet", "homepage-7d9f")`.
    pub fn owner(mut self, kind: &str, name: &str) -> Self {
        self.owner = Some((kind.to_owned(), name.to_owned()));
        self
    }

    /// Leaves the address out of the pod's namespace: the object still tells of it, but no neighbour answers for it.
    pub fn dead(mut self) -> Self {
        self.alive = false;
        self
    }

    /// The two halves of `namespace/name`.
    pub(super) fn namespace_and_name(&self) -> (&str, &str) {
        self.name.split_once('/').unwrap_or(("default", &self.name))
    }
}

/// A running pod.
#[derive(Debug)]
pub struct Pod {
    spec: PodSpec,
    index: u16,
    link: String,
    namespace: NetNs,
}

impl Pod {
    pub(super) fn attach(spec: PodSpec, index: u16, node: &NetNs, topology: Topology, prefix: &str) -> Result<Self> {
        let namespace = NetNs::new(&format!("{prefix}-{index}"))?;
        let link = format!("veth{index}");
        let [v4, v6] = Family::ALL.map(|family| addresses::pod(family, index));
        namespace.sysctl(&[("ipv6/conf/all/accept_dad", "0"), ("ipv6/conf/default/accept_dad", "0")])?;
        node.ip(&format!(
            "link add {link} type veth peer name eth0 netns {}\n",
            namespace.name()
        ))?;
        let (prefix4, prefix6) = if topology == Topology::Bridge {
            (16, 64)
        } else {
            (32, 128)
        };
        if spec.alive {
            namespace.ip(&format!(
                "addr add {v4}/{prefix4} dev eth0\naddr add {v6}/{prefix6} dev eth0 nodad\n"
            ))?;
        }
        let [gateway4, gateway6] = Family::ALL.map(addresses::gateway);
        let (gateway4, gateway6) = match topology {
            Topology::Routed => ("169.254.1.1".to_owned(), "fe80::1".to_owned()),
            Topology::PointToPoint | Topology::Bridge => (gateway4.to_string(), gateway6.to_string()),
        };
        match topology {
            Topology::Routed => {
                node.ip(&format!("addr add fe80::1/64 dev {link} nodad\n"))?;
                // A proxied answer is delayed by up to 0.8 s unless told otherwise.
                node.sysctl(&[
                    (&format!("ipv4/conf/{link}/proxy_arp"), "1"),
                    (&format!("ipv4/neigh/{link}/proxy_delay"), "0"),
                ])?;
            }
            Topology::PointToPoint => node.ip(&format!(
                "addr add {gateway4}/32 dev {link}\naddr add {gateway6}/128 dev {link} nodad\n"
            ))?,
            Topology::Bridge => {}
        }
        namespace.ip("link set eth0 up\n")?;
        if topology == Topology::Bridge {
            node.ip(&format!(
                "link set {link} master cni0\nlink set {link} type bridge_slave hairpin on\nlink set {link} up\n"
            ))?;
        } else {
            let [node4, node6] = Family::ALL.map(addresses::node);
            node.ip(&format!(
                "link set {link} up\n\
                 route add {v4}/32 dev {link} src {node4}\n\
                 route add {v6}/128 dev {link} src {node6}\n"
            ))?;
            namespace.ip(&format!(
                "route add {gateway4}/32 dev eth0 scope link\nroute add {gateway6}/128 dev eth0\n"
            ))?;
        }
        if spec.alive {
            namespace.ip(&format!(
                "route add default via {gateway4} dev eth0\nroute add default via {gateway6} dev eth0\n"
            ))?;
        }
        Ok(Self {
            spec,
            index,
            link,
            namespace,
        })
    }

    /// What the pod was asked to be.
    pub fn spec(&self) -> &PodSpec {
        &self.spec
    }

    /// The pod's own network namespace.
    pub fn netns(&self) -> &NetNs {
        &self.namespace
    }

    /// The name of its veth in the node's namespace.
    pub fn link(&self) -> &str {
        &self.link
    }

    /// Its address.
    pub fn ip(&self, family: Family) -> IpAddr {
        addresses::pod(family, self.index)
    }

    /// Its address with a port.
    pub fn at(&self, family: Family, port: u16) -> SocketAddr {
        SocketAddr::new(self.ip(family), port)
    }

    /// Adds one nft rule inside the pod's namespace, on its way `input` or `output`.
    pub fn rule(&self, way: &str, rule: &str) -> Result<()> {
        self.namespace
            .nft(&format!(
                "add table inet pod\n\
                 add chain inet pod {way} {{ type filter hook {way} priority filter; }}\n\
                 add rule inet pod {way} {rule}\n"
            ))
            .map(drop)
    }
}
