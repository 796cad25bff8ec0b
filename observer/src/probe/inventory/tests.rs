//! Messages as the kernel sends them, and what must be known after them.

use netlink_packet_route::address::AddressScope;
use netlink_packet_route::link::InfoKind;

use super::*;

/// A veth whose other end is in namespace 3.
pub(in super::super) fn veth(ifindex: u32, name: &str) -> RouteNetlinkMessage {
    link(ifindex, name, InfoKind::Veth, Some(3))
}

pub(in super::super) fn link(ifindex: u32, name: &str, kind: InfoKind, peer: Option<i32>) -> RouteNetlinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = ifindex;
    message.header.flags = LinkFlags::Up;
    message.attributes = vec![
        LinkAttribute::IfName(name.to_owned()),
        LinkAttribute::LinkInfo(vec![LinkInfo::Kind(kind)]),
    ];
    message.attributes.extend(peer.map(LinkAttribute::LinkNetNsId));
    RouteNetlinkMessage::NewLink(message)
}

pub(in super::super) fn address(ifindex: u32, address: &str, len: u8) -> RouteNetlinkMessage {
    let mut message = AddressMessage::default();
    message.header.index = ifindex;
    message.header.prefix_len = len;
    message.header.scope = AddressScope::Universe;
    message.attributes = vec![AddressAttribute::Address(ip(address))];
    RouteNetlinkMessage::NewAddress(message)
}

/// A route to an address, or the default route of a family (`0.0.0.0`, `::`).
pub(in super::super) fn route(to: &str, ifindex: u32) -> RouteMessage {
    let to = ip(to);
    let mut message = RouteMessage::default();
    message.header.address_family = if to.is_ipv4() {
        AddressFamily::Inet
    } else {
        AddressFamily::Inet6
    };
    message.header.kind = RouteType::Unicast;
    message.attributes = vec![RouteAttribute::Table(TABLE_MAIN), RouteAttribute::Oif(ifindex)];
    if !to.is_unspecified() {
        message.header.destination_prefix_length = bits(to);
        message.attributes.push(RouteAttribute::Destination(to.into()));
    }
    message
}

fn neighbour(ifindex: u32, address: &str, station: u8, state: NeighbourState) -> NeighbourMessage {
    let mut message = NeighbourMessage::default();
    message.header.family = AddressFamily::Inet;
    message.header.ifindex = ifindex;
    message.header.state = state;
    let destination = match ip(address) {
        IpAddr::V4(v4) => NeighbourAddress::Inet(v4),
        IpAddr::V6(v6) => NeighbourAddress::Inet6(v6),
    };
    message.attributes = vec![
        NeighbourAttribute::Destination(destination),
        NeighbourAttribute::LinkLayerAddress(vec![2, 0, 0, 0, 0, station]),
    ];
    message
}

fn forwarding(port: u32, bridge: u32, station: u8, state: NeighbourState) -> NeighbourMessage {
    let mut message = NeighbourMessage::default();
    message.header.family = AddressFamily::Bridge;
    message.header.ifindex = port;
    message.header.state = state;
    message.attributes = vec![
        NeighbourAttribute::LinkLayerAddress(vec![2, 0, 0, 0, 0, station]),
        NeighbourAttribute::Controller(bridge),
    ];
    message
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

pub(in super::super) fn inventory(messages: &[RouteNetlinkMessage]) -> Inventory {
    let mut inventory = Inventory::default();
    for message in messages {
        inventory.apply(message);
    }
    inventory
}

fn check_behind(messages: &[RouteNetlinkMessage], expect: &[(u32, &[&str])]) {
    let expect: HashMap<u32, BTreeSet<IpAddr>> = expect
        .iter()
        .map(|&(ifindex, list)| (ifindex, list.iter().map(|text| ip(text)).collect()))
        .collect();
    assert_eq!(inventory(messages).addresses_behind(), expect);
}

#[test]
fn host_routes_lead_to_pods() {
    use RouteNetlinkMessage::{DelLink, DelRoute, NewRoute};
    let to = route("10.0.0.7", 4);
    let v6 = route("fd00::7", 4);
    check_behind(
        &[veth(4, "a"), NewRoute(to.clone()), NewRoute(v6)],
        &[(4, &["10.0.0.7", "fd00::7"])],
    );
    check_behind(&[veth(4, "a"), NewRoute(to.clone()), DelRoute(to.clone())], &[]);
    // The pod moved: `ip route replace` is one message.
    check_behind(
        &[NewRoute(to.clone()), NewRoute(route("10.0.0.7", 5))],
        &[(5, &["10.0.0.7"])],
    );
    // Its link went, and IPv4 routes go without a word.
    let mut gone = LinkMessage::default();
    gone.header.index = 4;
    check_behind(&[veth(4, "a"), NewRoute(to.clone()), DelLink(gone)], &[]);
    let mut down = LinkMessage::default();
    down.header.index = 4;
    down.attributes = vec![LinkAttribute::IfName("a".to_owned())];
    check_behind(
        &[veth(4, "a"), NewRoute(to.clone()), RouteNetlinkMessage::NewLink(down)],
        &[],
    );
    // The node's own addresses are in the table `local`; networks are no host routes.
    let mut local = to.clone();
    local.attributes[0] = RouteAttribute::Table(TABLE_LOCAL);
    let mut network = to;
    network.header.destination_prefix_length = 24;
    check_behind(&[NewRoute(local), NewRoute(network)], &[]);
}

#[test]
fn neighbours_and_forwarding_entries_lead_to_pods() {
    use NeighbourState::{Failed, Permanent, Reachable, Stale};
    use RouteNetlinkMessage::{DelNeighbour, NewNeighbour};
    let on_veth = |state| NewNeighbour(neighbour(4, "10.0.0.7", 1, state));
    check_behind(&[on_veth(Reachable)], &[(4, &["10.0.0.7"])]);
    check_behind(&[on_veth(Stale)], &[(4, &["10.0.0.7"])]);
    check_behind(&[on_veth(Reachable), on_veth(Failed)], &[]);
    check_behind(&[NewNeighbour(neighbour(4, "169.254.1.1", 1, Reachable))], &[]);

    let on_bridge = NewNeighbour(neighbour(9, "10.0.0.7", 1, Reachable));
    let port = forwarding(4, 9, 1, Reachable);
    let both = [on_bridge.clone(), NewNeighbour(port.clone())];
    check_behind(&both, &[(9, &["10.0.0.7"]), (4, &["10.0.0.7"])]);
    let left = [on_bridge.clone(), NewNeighbour(port.clone()), DelNeighbour(port)];
    check_behind(&left, &[(9, &["10.0.0.7"])]);
    // The port's own address, and another bridge.
    let own = NewNeighbour(forwarding(4, 9, 1, Permanent));
    let other = NewNeighbour(forwarding(4, 8, 1, Reachable));
    check_behind(&[on_bridge, own, other], &[(9, &["10.0.0.7"])]);
}

#[test]
fn a_bridge_that_lets_a_port_go_does_not_remove_the_link() {
    let mut message = LinkMessage::default();
    message.header.interface_family = AddressFamily::Bridge;
    message.header.index = 4;
    let known = inventory(&[veth(4, "a"), RouteNetlinkMessage::DelLink(message)]);
    assert_eq!(known.links().count(), 1);
}

#[test]
fn what_is_said_twice_changes_nothing() {
    let messages = [
        veth(4, "a"),
        address(4, "10.0.0.1", 24),
        RouteNetlinkMessage::NewRoute(route("10.0.0.7", 4)),
        RouteNetlinkMessage::NewNeighbour(neighbour(4, "10.0.0.7", 1, NeighbourState::Stale)),
    ];
    let mut known = Inventory::default();
    for message in &messages {
        assert!(known.apply(message).state, "{message:?}");
        assert!(!known.apply(message).state, "{message:?}");
    }
}

#[test]
fn every_address_of_the_node() {
    let known = inventory(&[
        address(1, "127.0.0.1", 8),
        address(2, "172.18.0.2", 16),
        address(3, "10.244.0.1", 24),
        address(4, "10.244.0.1", 32),
    ]);
    let expect = ["10.244.0.1", "127.0.0.1", "172.18.0.2"].map(ip);
    assert_eq!(known.node_addresses(), BTreeSet::from(expect));
}
