//! What rtnetlink tells of the node's network namespace, kept: links, addresses, host routes, neighbours and forwarding
//! entries. But for [`Inventory::read`] pure: messages go in, whether from a dump or a notification.
//!
//! Messages that come twice or late do no harm: a socket that listens before the dump is asked for hears what the dump may have
//! missed, and the last word about an object is the same in both.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::net::IpAddr;

use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_packet_route::link::{LinkAttribute, LinkFlags, LinkInfo, LinkMessage, LinkXdp, XdpAttached};
use netlink_packet_route::neighbour::{NeighbourAddress, NeighbourAttribute, NeighbourMessage, NeighbourState};
use netlink_packet_route::route::{RouteAddress, RouteAttribute, RouteFlags, RouteMessage, RouteType};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use super::netlink::{Answer, Requests};
use crate::objects::Str;

/// A network interface.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Link {
    /// Its index.
    pub ifindex: u32,
    /// Its name.
    pub name: Str,
    /// What it is (`veth`, `bridge`), as the kernel calls it; empty for hardware.
    pub kind: String,
    /// The namespace of the other end as this namespace numbers it, if that is another one.
    pub peer_netns: Option<i32>,
    /// An XDP program is attached: it runs before every tc hook.
    pub xdp: bool,
}

/// A route's identity: adding one with the same replaces it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
struct RouteKey {
    to: Option<IpAddr>,
    v6: bool,
    table: u32,
    priority: u32,
    tos: u8,
}

/// The tables that the kernel makes (`RT_TABLE_MAIN`, `RT_TABLE_LOCAL`, rtnetlink.h).
const TABLE_MAIN: u32 = 254;
const TABLE_LOCAL: u32 = 255;

/// An Ethernet address.
type Mac = [u8; 6];

/// The state of a network namespace.
#[derive(Debug, Default)]
pub struct Inventory {
    links: BTreeMap<u32, Link>,
    addresses: BTreeSet<(u32, IpAddr, u8)>,
    /// Host routes and default routes (`to` is none), with the interfaces that they lead through.
    routes: HashMap<RouteKey, Vec<u32>>,
    neighbours: HashMap<(u32, IpAddr), Option<Mac>>,
    /// Which port of a bridge a station is behind: (port, station) → bridge.
    forwarding: HashMap<(u32, Mac), u32>,
    unreadable: u64,
}

/// What a message changed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Changed {
    /// Something that is kept here.
    pub state: bool,
    /// Filters or queueing disciplines of some interface.
    pub filters: bool,
    /// An end of a pair moved to another namespace, of which the other end is not told.
    pub moved: bool,
}

impl Changed {
    /// It is not known what.
    #[must_use]
    pub fn everything() -> Self {
        Self {
            state: true,
            filters: true,
            moved: true,
        }
    }

    /// Something did.
    #[must_use]
    pub fn any(self) -> bool {
        self.state || self.filters || self.moved
    }

    /// Both.
    pub fn merge(&mut self, other: Self) {
        self.state |= other.state;
        self.filters |= other.filters;
        self.moved |= other.moved;
    }
}

impl Inventory {
    /// Asks for everything.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn read(requests: &mut Requests) -> io::Result<Self> {
        let mut inventory = Self::default();
        let route = |family| {
            let mut message = RouteMessage::default();
            message.header.address_family = family;
            RouteNetlinkMessage::GetRoute(message)
        };
        let mut bridges = NeighbourMessage::default();
        bridges.header.family = AddressFamily::Bridge;
        for question in [
            RouteNetlinkMessage::GetLink(LinkMessage::default()),
            RouteNetlinkMessage::GetAddress(AddressMessage::default()),
            route(AddressFamily::Inet),
            route(AddressFamily::Inet6),
            RouteNetlinkMessage::GetNeighbour(NeighbourMessage::default()),
            RouteNetlinkMessage::GetNeighbour(bridges),
        ] {
            let result = requests.dump(&question, |answer| match answer {
                Answer::Message(message) => drop(inventory.apply(&message)),
                Answer::Unreadable => inventory.unreadable += 1,
            });
            match result {
                // A kernel without IPv6 or without bridges.
                Err(error) if matches!(error.raw_os_error(), Some(libc::EOPNOTSUPP | libc::EAFNOSUPPORT)) => {}
                result => result?,
            }
        }
        Ok(inventory)
    }

    /// How many messages could not be read.
    #[must_use]
    pub fn unreadable(&self) -> u64 {
        self.unreadable
    }

    /// Takes in a message.
    pub fn apply(&mut self, message: &RouteNetlinkMessage) -> Changed {
        let mut changed = Changed::default();
        match message {
            RouteNetlinkMessage::NewLink(link) => changed.state = self.link(link),
            RouteNetlinkMessage::DelLink(link) => {
                changed.state = self.link_gone(link);
                changed.moved = link
                    .attributes
                    .iter()
                    .any(|attribute| matches!(attribute, LinkAttribute::NewNetnsId(_)));
            }
            RouteNetlinkMessage::NewAddress(address) => {
                changed.state = address_of(address).is_some_and(|key| self.addresses.insert(key));
            }
            RouteNetlinkMessage::DelAddress(address) => {
                changed.state = address_of(address).is_some_and(|key| self.addresses.remove(&key));
            }
            RouteNetlinkMessage::NewRoute(route) => {
                if let Some((key, through)) = route_of(route) {
                    changed.state = self.routes.insert(key, through.clone()) != Some(through);
                }
            }
            RouteNetlinkMessage::DelRoute(route) => {
                changed.state = route_of(route).is_some_and(|(key, _)| self.routes.remove(&key).is_some());
            }
            RouteNetlinkMessage::NewNeighbour(neighbour) => changed.state = self.neighbour(neighbour, true),
            RouteNetlinkMessage::DelNeighbour(neighbour) => changed.state = self.neighbour(neighbour, false),
            RouteNetlinkMessage::NewTrafficFilter(_)
            | RouteNetlinkMessage::DelTrafficFilter(_)
            | RouteNetlinkMessage::NewQueueDiscipline(_)
            | RouteNetlinkMessage::DelQueueDiscipline(_) => changed.filters = true,
            _ => {}
        }
        changed
    }

    /// Every link, by index.
    pub fn links(&self) -> impl Iterator<Item = &Link> {
        self.links.values()
    }

    /// Every address on every interface, once.
    #[must_use]
    pub fn node_addresses(&self) -> BTreeSet<IpAddr> {
        self.addresses.iter().map(|&(_, address, _)| address).collect()
    }

    /// An address on this interface that makes it one of the node's own: not the link's own (`fe80::`, `169.254.`), and of a network:
    /// CNIs put their gateway as a single address (/32, /128) on each pod's interface.
    #[must_use]
    pub fn network_address(&self, ifindex: u32) -> Option<(IpAddr, u8)> {
        self.addresses
            .iter()
            .find(|&&(at, address, len)| at == ifindex && !is_local(address) && len < bits(address))
            .map(|&(_, address, len)| (address, len))
    }

    /// A default route leads through this interface.
    #[must_use]
    pub fn is_default_route(&self, ifindex: u32) -> bool {
        self.routes
            .iter()
            .any(|(key, through)| key.to.is_none() && through.contains(&ifindex))
    }

    /// Whose addresses lie behind each interface: by host routes, neighbours, and on a bridge by forwarding entries.
    #[must_use]
    pub fn addresses_behind(&self) -> HashMap<u32, BTreeSet<IpAddr>> {
        let mut found: HashMap<u32, BTreeSet<IpAddr>> = HashMap::new();
        let mut add = |ifindex, address| {
            if !is_local(address) {
                found.entry(ifindex).or_default().insert(address);
            }
        };
        for (key, through) in &self.routes {
            if let (Some(to), [ifindex]) = (key.to, through.as_slice()) {
                add(*ifindex, to);
            }
        }
        let mut ports: HashMap<(u32, Mac), Vec<u32>> = HashMap::new();
        for (&(port, station), &bridge) in &self.forwarding {
            ports.entry((bridge, station)).or_default().push(port);
        }
        for (&(ifindex, address), station) in &self.neighbours {
            add(ifindex, address);
            for &port in station
                .and_then(|station| ports.get(&(ifindex, station)))
                .into_iter()
                .flatten()
            {
                add(port, address);
            }
        }
        found
    }

    fn link(&mut self, message: &LinkMessage) -> bool {
        // A bridge tells of its ports in its own family; that is not the link.
        if message.header.interface_family == AddressFamily::Bridge {
            return false;
        }
        let ifindex = message.header.index;
        let mut link = Link {
            ifindex,
            name: Str::from(""),
            kind: String::new(),
            peer_netns: None,
            xdp: false,
        };
        for attribute in &message.attributes {
            match attribute {
                LinkAttribute::IfName(name) => link.name = Str::from(name.as_str()),
                LinkAttribute::LinkNetNsId(id) => link.peer_netns = Some(*id),
                LinkAttribute::LinkInfo(infos) => {
                    for info in infos {
                        if let LinkInfo::Kind(kind) = info {
                            link.kind = kind.to_string();
                        }
                    }
                }
                LinkAttribute::Xdp(parts) => {
                    link.xdp = parts
                        .iter()
                        .any(|part| matches!(part, LinkXdp::Attached(how) if *how != XdpAttached::None));
                }
                _ => {}
            }
        }
        let mut changed = false;
        if !message.header.flags.contains(LinkFlags::Up) {
            // IPv4 routes through an interface that goes down vanish without a word (fib_sync_down_dev, net/ipv4/fib_semantics.c).
            changed = self.forget_routes(ifindex);
        }
        changed | (self.links.insert(ifindex, link.clone()) != Some(link))
    }

    fn link_gone(&mut self, message: &LinkMessage) -> bool {
        if message.header.interface_family == AddressFamily::Bridge {
            return false;
        }
        let gone = message.header.index;
        self.forget_routes(gone);
        self.addresses.retain(|&(ifindex, ..)| ifindex != gone);
        self.neighbours.retain(|&(ifindex, _), _| ifindex != gone);
        self.forwarding
            .retain(|&(port, _), bridge| port != gone && *bridge != gone);
        self.links.remove(&gone).is_some()
    }

    fn forget_routes(&mut self, ifindex: u32) -> bool {
        let before = self.routes.len();
        self.routes.retain(|_, through| !through.contains(&ifindex));
        self.routes.len() != before
    }

    fn neighbour(&mut self, message: &NeighbourMessage, present: bool) -> bool {
        let ifindex = message.header.ifindex;
        let (mut address, mut station, mut bridge) = (None, None, None);
        for attribute in &message.attributes {
            match attribute {
                NeighbourAttribute::Destination(NeighbourAddress::Inet(v4)) => address = Some(IpAddr::V4(*v4)),
                NeighbourAttribute::Destination(NeighbourAddress::Inet6(v6)) => address = Some(IpAddr::V6(*v6)),
                NeighbourAttribute::LinkLayerAddress(bytes) => station = Mac::try_from(bytes.as_slice()).ok(),
                NeighbourAttribute::Controller(index) => bridge = Some(*index),
                _ => {}
            }
        }
        if message.header.family == AddressFamily::Bridge {
            let (Some(station), Some(bridge)) = (station, bridge) else {
                return false;
            };
            // A permanent entry is the port's own address, not a station behind it.
            return if present && message.header.state != NeighbourState::Permanent {
                self.forwarding.insert((ifindex, station), bridge) != Some(bridge)
            } else {
                self.forwarding.remove(&(ifindex, station)).is_some()
            };
        }
        let Some(address) = address else { return false };
        let known = present
            && !matches!(
                message.header.state,
                NeighbourState::Failed | NeighbourState::Incomplete | NeighbourState::Noarp | NeighbourState::None
            );
        if known {
            self.neighbours.insert((ifindex, address), station) != Some(station)
        } else {
            self.neighbours.remove(&(ifindex, address)).is_some()
        }
    }
}

fn address_of(message: &AddressMessage) -> Option<(u32, IpAddr, u8)> {
    let header = &message.header;
    let (mut local, mut address) = (None, None);
    for attribute in &message.attributes {
        match attribute {
            // On a point-to-point link `Address` is the other end's.
            AddressAttribute::Local(ip) => local = Some(*ip),
            AddressAttribute::Address(ip) => address = Some(*ip),
            _ => {}
        }
    }
    local.or(address).map(|ip| (header.index, ip, header.prefix_len))
}

/// A host route or a default route, with the interfaces it leads through.
fn route_of(message: &RouteMessage) -> Option<(RouteKey, Vec<u32>)> {
    let header = &message.header;
    if header.kind != RouteType::Unicast || header.flags.contains(RouteFlags::Cloned) {
        return None;
    }
    let v6 = match header.address_family {
        AddressFamily::Inet => false,
        AddressFamily::Inet6 => true,
        _ => return None,
    };
    let mut key = RouteKey {
        to: None,
        v6,
        table: u32::from(header.table),
        priority: 0,
        tos: header.tos,
    };
    let mut through = Vec::new();
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Destination(RouteAddress::Inet(to)) => key.to = Some(IpAddr::V4(*to)),
            RouteAttribute::Destination(RouteAddress::Inet6(to)) => key.to = Some(IpAddr::V6(*to)),
            RouteAttribute::Table(table) => key.table = *table,
            RouteAttribute::Priority(priority) => key.priority = *priority,
            RouteAttribute::Oif(ifindex) => through.push(*ifindex),
            RouteAttribute::MultiPath(hops) => through.extend(hops.iter().map(|hop| hop.interface_index)),
            _ => {}
        }
    }
    let whole = match (key.to, header.destination_prefix_length) {
        (None, 0) => key.table == TABLE_MAIN,
        (Some(to), len) => len == bits(to) && key.table != TABLE_LOCAL,
        (None, _) => false,
    };
    whole.then_some((key, through))
}

/// Bits in an address of this family.
fn bits(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// Of one link only, or nobody's.
fn is_local(address: IpAddr) -> bool {
    address.is_multicast()
        || address.is_unspecified()
        || address.is_loopback()
        || match address {
            IpAddr::V4(v4) => v4.is_link_local() || v4.is_broadcast(),
            IpAddr::V6(v6) => v6.is_unicast_link_local(),
        }
}

#[cfg(test)]
pub(super) mod tests;
