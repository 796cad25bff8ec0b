//! The node, its uplink and its addresses: what pods and Services are attached to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::Result;

use super::firewall::{self, Chain};
use super::manifests::Manifests;
use super::netns::{self, NetNs};
use super::pod::{Pod, PodSpec};
use super::service::{Service, ServiceSpec};

/// How pods are joined to the node.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Topology {
    /// A host route to each veth; the gateway is 169.254.1.1, answered by proxy ARP. The veths carry no address.
    Routed,
    /// A host route to each veth, and the gateway's address on every veth, as the `ptp` CNI plugin does.
    PointToPoint,
    /// All veths on the bridge `cni0`, which carries the gateway's address.
    Bridge,
}

/// An address family. Scenarios run once for each.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// Both.
    pub const ALL: [Self; 2] = [Self::V4, Self::V6];

    /// nft's keyword for this family's header.
    pub fn nft(self) -> &'static str {
        match self {
            Self::V4 => "ip",
            Self::V6 => "ip6",
        }
    }

    /// The length of a prefix that holds one address.
    pub fn host_prefix(self) -> u8 {
        match self {
            Self::V4 => 32,
            Self::V6 => 128,
        }
    }
}

/// Addresses that every lab has. Labs do not see each other, so they may be the same in all of them.
pub mod addresses {
    use super::{Family, IpAddr, Ipv4Addr, Ipv6Addr};

    const fn pick(family: Family, v4: [u8; 4], v6: [u16; 8]) -> IpAddr {
        match family {
            Family::V4 => IpAddr::V4(Ipv4Addr::new(v4[0], v4[1], v4[2], v4[3])),
            Family::V6 => IpAddr::V6(Ipv6Addr::new(v6[0], v6[1], v6[2], v6[3], v6[4], v6[5], v6[6], v6[7])),
        }
    }

    /// The node's address, on its uplink.
    pub const fn node(family: Family) -> IpAddr {
        pick(family, [172, 18, 0, 2], [0xfc00, 0xf853, 0xccd, 0xe793, 0, 0, 0, 2])
    }

    /// The router behind the node's uplink.
    pub const fn router(family: Family) -> IpAddr {
        pick(family, [172, 18, 0, 1], [0xfc00, 0xf853, 0xccd, 0xe793, 0, 0, 0, 1])
    }

    /// A host outside of the cluster, one hop behind the router. Nothing listens there until a test does.
    pub const fn external(family: Family) -> IpAddr {
        pick(family, [203, 0, 113, 10], [0x2001, 0xdb8, 0x113, 0, 0, 0, 0, 0x10])
    }

    /// The gateway that pods on a bridge or on point-to-point links use.
    pub const fn gateway(family: Family) -> IpAddr {
        pick(family, [10, 244, 0, 1], [0xfd00, 0x10, 0x244, 0, 0, 0, 0, 1])
    }

    /// The address of pod number `index`, from 2 on.
    pub const fn pod(family: Family, index: u16) -> IpAddr {
        let [high, low] = index.to_be_bytes();
        pick(family, [10, 244, high, low], [0xfd00, 0x10, 0x244, 0, 0, 0, 0, index])
    }

    /// The cluster address of Service number `index`.
    pub const fn service(family: Family, index: u16) -> IpAddr {
        let [high, low] = index.to_be_bytes();
        pick(family, [10, 96, high, low], [0xfd00, 0x10, 0x96, 0, 0, 0, 0, index])
    }
}

/// The pods of the other node are 10.244.1.1 and up.
const OTHER_PODS: u16 = 0x100;

/// One node with its pods, Services and rules, and the manifests that describe them.
#[derive(Debug)]
pub struct Lab {
    // Fields are dropped in this order: pods before the node they hang on.
    pub(super) pods: Vec<Pod>,
    pub(super) services: Vec<Service>,
    pub(super) manifests: Manifests,
    outside: NetNs,
    node: NetNs,
    topology: Topology,
    prefix: String,
    made: u16,
}

impl Lab {
    /// The name of the Node object.
    pub const NODE: &'static str = "worker-1";

    /// The name of the Node object of [`Lab::another_node`].
    pub const OTHER_NODE: &'static str = "worker-2";

    /// A node with an uplink and no pods.
    pub fn new(topology: Topology) -> Result<Self> {
        Self::with(topology, Manifests::new(Self::NODE)?, 1)
    }

    /// Another node of the same cluster, without pods: its manifests are the same, and a link joins the two, by which their pods reach each
    /// other over IPv4.
    pub fn another_node(&self) -> Result<Self> {
        let other = Self::with(self.topology, self.manifests.another(Self::OTHER_NODE)?, OTHER_PODS)?;
        self.node.ip(&format!(
            "link add fabric type veth peer name fabric netns {}\n\
             addr add 192.168.77.1/30 dev fabric\n\
             link set fabric up\n\
             route add 10.244.1.0/24 dev fabric via 192.168.77.2 onlink\n",
            other.node.name()
        ))?;
        other.node.ip("addr add 192.168.77.2/30 dev fabric\n\
             link set fabric up\n\
             route add 10.244.0.0/24 via 192.168.77.1\n")?;
        Ok(other)
    }

    fn with(topology: Topology, manifests: Manifests, made: u16) -> Result<Self> {
        static LABS: AtomicU32 = AtomicU32::new(0);
        static SWEPT: Once = Once::new();
        SWEPT.call_once(netns::sweep);
        let prefix = format!("obs-{}-{}", std::process::id(), LABS.fetch_add(1, Ordering::Relaxed));
        let node = NetNs::new(&format!("{prefix}-node"))?;
        let outside = NetNs::new(&format!("{prefix}-outside"))?;
        connect_uplink(&node, &outside)?;
        if topology == Topology::Bridge {
            make_bridge(&node)?;
        }
        node.nft(&firewall::base())?;
        Ok(Self {
            pods: Vec::new(),
            services: Vec::new(),
            manifests,
            outside,
            node,
            topology,
            prefix,
            made,
        })
    }

    /// The node's own namespace: the observer under test runs here.
    pub fn node(&self) -> &NetNs {
        &self.node
    }

    /// The world beyond the node's uplink.
    pub fn outside(&self) -> &NetNs {
        &self.outside
    }

    /// How pods are joined to this node.
    pub fn topology(&self) -> Topology {
        self.topology
    }

    /// The folder of manifests for the observer.
    pub fn manifests(&self) -> &Manifests {
        &self.manifests
    }

    /// Makes a pod: its namespace, its veth and its object.
    pub fn add_pod(&mut self, spec: PodSpec) -> Result<&Pod> {
        self.made += 1;
        let pod = Pod::attach(spec, self.made, &self.node, self.topology, &self.prefix)?;
        self.manifests.write_pod(&pod)?;
        self.pods.push(pod);
        Ok(&self.pods[self.pods.len() - 1])
    }

    /// Removes a pod, its veth and its object.
    pub fn remove_pod(&mut self, name: &str) -> Result<()> {
        self.manifests.remove("Pod", name)?;
        // A socket that outlives its process by a FIN_WAIT keeps a namespace alive; the link must go now, as with a real CNI.
        self.node.ip(&format!("link del {}", self.pod(name).link()))?;
        self.pods.retain(|pod| pod.spec().name != name);
        Ok(())
    }

    /// The pod `namespace/name`.
    ///
    /// # Panics
    /// Where there is none: a mistake in the test.
    pub fn pod(&self, name: &str) -> &Pod {
        self.pods
            .iter()
            .find(|pod| pod.spec().name == name)
            .unwrap_or_else(|| panic!("no pod {name} in the lab"))
    }

    /// Every pod.
    pub fn pods(&self) -> &[Pod] {
        &self.pods
    }

    /// Makes a Service: its objects and its DNAT rules.
    pub fn add_service(&mut self, spec: ServiceSpec) -> Result<&Service> {
        let index = u16::try_from(self.services.len()).unwrap_or(u16::MAX - 10) + 10;
        let service = Service::new(spec, index, &self.pods);
        self.node.nft(&service.rules())?;
        self.manifests.write_service(&service)?;
        self.services.push(service);
        Ok(&self.services[self.services.len() - 1])
    }

    /// The Service `namespace/name`.
    ///
    /// # Panics
    /// Where there is none: a mistake in the test.
    pub fn service(&self, name: &str) -> &Service {
        self.services
            .iter()
            .find(|service| service.spec().name == name)
            .unwrap_or_else(|| panic!("no service {name}"))
    }

    /// Adds one nft rule to a chain of the node.
    pub fn rule(&self, chain: Chain, rule: &str) -> Result<()> {
        self.node
            .nft(&format!("add rule inet lab {} {rule}\n", chain.name()))
            .map(drop)
    }

    /// Removes every rule of a chain of the node.
    pub fn flush(&self, chain: Chain) -> Result<()> {
        self.node
            .nft(&format!("flush chain inet lab {}\n", chain.name()))
            .map(drop)
    }
}

/// Joins the node to the outside by a veth that carries the node's address and the default route, as in kind.
fn connect_uplink(node: &NetNs, outside: &NetNs) -> Result<()> {
    node.sysctl(&[
        ("ipv4/ip_forward", "1"),
        ("ipv6/conf/all/forwarding", "1"),
        ("ipv4/conf/all/rp_filter", "0"),
        ("ipv4/conf/default/rp_filter", "0"),
        // A hairpin leaves by the veth it came from; a redirect would teach the pod a route that does not work.
        ("ipv4/conf/all/send_redirects", "0"),
        ("ipv4/conf/default/send_redirects", "0"),
        ("ipv6/conf/all/accept_dad", "0"),
        ("ipv6/conf/default/accept_dad", "0"),
    ])?;
    outside.sysctl(&[("ipv6/conf/all/accept_dad", "0"), ("ipv6/conf/default/accept_dad", "0")])?;
    let [node4, node6] = Family::ALL.map(addresses::node);
    let [router4, router6] = Family::ALL.map(addresses::router);
    let [external4, external6] = Family::ALL.map(addresses::external);
    node.ip(&format!(
        "link add eth0 type veth peer name node netns {}\n",
        outside.name()
    ))?;
    outside.ip(&format!(
        "addr add {router4}/16 dev node\n\
         addr add {router6}/64 dev node nodad\n\
         addr add {external4}/32 dev lo\n\
         addr add {external6}/128 dev lo nodad\n\
         link set node up\n"
    ))?;
    node.ip(&format!(
        "addr add {node4}/16 dev eth0\n\
         addr add {node6}/64 dev eth0 nodad\n\
         link set eth0 up\n\
         route add default via {router4}\n\
         route add default via {router6}\n"
    ))?;
    outside.ip(&format!(
        "route add 10.0.0.0/8 via {node4}\n\
         route add fd00::/16 via {node6}\n"
    ))
}

fn make_bridge(node: &NetNs) -> Result<()> {
    let [gateway4, gateway6] = Family::ALL.map(addresses::gateway);
    node.ip(&format!(
        "link add cni0 type bridge forward_delay 0\n\
         addr add {gateway4}/16 dev cni0\n\
         addr add {gateway6}/64 dev cni0 nodad\n\
         link set cni0 up\n"
    ))
}
