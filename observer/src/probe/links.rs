//! Which links are observed: those whose other end lies in another network namespace, less those that are the node's own way out.
//! Pure; what is known of the links comes from the inventory.

use std::fmt;
use std::net::IpAddr;

use super::inventory::{Inventory, Link};
use crate::objects::Str;

/// Which interfaces the user asked for.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Patterns(Vec<String>);

/// Why a link that leads to another namespace, or that the user named, is not observed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Excluded {
    /// `--interface` names others.
    NotNamed,
    /// It carries an address of a network: the node's way out, as in kind and k3d.
    CarriesAddress(IpAddr, u8),
    /// The default route leads through it.
    DefaultRoute,
    /// It was named, and its other end does not lie in another namespace.
    NoPod,
    /// Packets do not pass the tc hooks of this kind at the host's side in both directions.
    Kind(String),
}

impl fmt::Display for Excluded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotNamed => f.write_str("not named by --interface"),
            Self::CarriesAddress(address, len) => {
                write!(
                    f,
                    "carries the node's address {address}/{len}; name it with --interface if it is a pod's"
                )
            }
            Self::DefaultRoute => f.write_str("the node's default route leads through it"),
            Self::NoPod => f.write_str("its other end is not in another network namespace, as a pod's is"),
            Self::Kind(kind) => write!(f, "is of kind {kind}, which is not observed"),
        }
    }
}

/// A link, and whether it is observed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Choice {
    /// Its index.
    pub ifindex: u32,
    /// Its name.
    pub name: Str,
    /// The namespace of its other end, as this namespace numbers it.
    pub peer_netns: Option<i32>,
    /// An XDP program precedes our ingress hook.
    pub xdp: bool,
    /// Why not.
    pub excluded: Option<Excluded>,
}

impl Patterns {
    /// Of the values of `--interface`; none means every pod's interface.
    #[must_use]
    pub fn new(patterns: Vec<String>) -> Self {
        Self(patterns)
    }

    /// The names, not patterns, of which there is no link.
    pub fn missing<'a>(&'a self, inventory: &'a Inventory) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .map(String::as_str)
            .filter(|name| !is_glob(name) && !inventory.links().any(|link| &*link.name == *name))
    }

    fn admit(&self, name: &str) -> bool {
        self.0.is_empty() || self.0.iter().any(|pattern| matches(pattern, name))
    }

    /// Named by its very name: the user knows better than our guess what is a pod's.
    fn insist(&self, name: &str) -> bool {
        self.0.iter().any(|pattern| pattern == name)
    }
}

/// Every link whose other end lies in another namespace or that the user named, and whether it is observed.
#[must_use]
pub fn choose(inventory: &Inventory, patterns: &Patterns) -> Vec<Choice> {
    inventory
        .links()
        .filter(|link| link.peer_netns.is_some() || patterns.insist(&link.name))
        .map(|link| Choice {
            ifindex: link.ifindex,
            name: link.name.clone(),
            peer_netns: link.peer_netns,
            xdp: link.xdp,
            excluded: exclude(link, inventory, patterns),
        })
        .collect()
}

fn exclude(link: &Link, inventory: &Inventory, patterns: &Patterns) -> Option<Excluded> {
    if link.peer_netns.is_none() {
        return Some(Excluded::NoPod);
    }
    if link.kind != "veth" {
        return Some(Excluded::Kind(link.kind.clone()));
    }
    if !patterns.admit(&link.name) {
        return Some(Excluded::NotNamed);
    }
    if patterns.insist(&link.name) {
        return None;
    }
    if inventory.is_default_route(link.ifindex) {
        return Some(Excluded::DefaultRoute);
    }
    inventory
        .network_address(link.ifindex)
        .map(|(address, len)| Excluded::CarriesAddress(address, len))
}

fn is_glob(pattern: &str) -> bool {
    pattern.contains(['*', '?'])
}

/// A shell pattern with `*` and `?`.
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut p, mut n) = (0, 0);
    // Where to go on if the rest does not match: the last star, and one more byte for it.
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p + 1, n));
                p += 1;
            }
            Some(&byte) if byte == b'?' || byte == name[n] => {
                p += 1;
                n += 1;
            }
            _ => match star {
                Some((after, taken)) => {
                    star = Some((after, taken + 1));
                    (p, n) = (after, taken + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|&byte| byte == b'*')
}

#[cfg(test)]
mod tests {
    use netlink_packet_route::RouteNetlinkMessage;
    use netlink_packet_route::link::InfoKind;

    use super::super::inventory::tests::{address, inventory, link, route, veth};
    use super::*;

    /// What is said of link 4, called `veth4`, after these messages.
    fn check(messages: &[RouteNetlinkMessage], named: &[&str], expect: Option<Option<Excluded>>) {
        let patterns = Patterns::new(named.iter().map(|&name| name.to_owned()).collect());
        let found = choose(&inventory(messages), &patterns)
            .into_iter()
            .find(|choice| choice.ifindex == 4)
            .map(|choice| choice.excluded);
        assert_eq!(found, expect, "{named:?} {messages:?}");
    }

    #[test]
    fn which_links_are_pods() {
        let pod = || veth(4, "veth4");
        let other = |kind| link(4, "veth4", kind, Some(3));
        let node_address = || address(4, "172.18.0.2", 16);
        let carries = || Excluded::CarriesAddress("172.18.0.2".parse().expect("an address"), 16);
        let default_route = |to| RouteNetlinkMessage::NewRoute(route(to, 4));
        check(&[pod()], &[], Some(None));
        check(&[link(4, "veth4", InfoKind::Veth, None)], &[], None);
        check(&[link(4, "veth4", InfoKind::Bridge, None)], &[], None);
        check(
            &[other(InfoKind::Netkit)],
            &[],
            Some(Some(Excluded::Kind("netkit".to_owned()))),
        );
        // The node's uplink in kind.
        check(&[pod(), node_address()], &[], Some(Some(carries())));
        check(
            &[pod(), default_route("0.0.0.0")],
            &[],
            Some(Some(Excluded::DefaultRoute)),
        );
        check(&[pod(), default_route("::")], &[], Some(Some(Excluded::DefaultRoute)));
        // The gateway's address on each pod's interface, as the CNI plugin ptp does, and a link-local one.
        check(&[pod(), address(4, "10.244.0.1", 32)], &[], Some(None));
        check(&[pod(), address(4, "fe80::1", 64)], &[], Some(None));
        check(&[pod(), address(4, "169.254.1.1", 16)], &[], Some(None));
        // A pod's host route is no default route.
        check(&[pod(), default_route("10.0.0.7")], &[], Some(None));
    }

    #[test]
    fn the_user_narrows() {
        let pod = || veth(4, "veth4");
        check(&[pod()], &["veth*"], Some(None));
        check(&[pod()], &["cali*"], Some(Some(Excluded::NotNamed)));
        check(&[pod()], &["cali*", "veth4"], Some(None));
        // The very name overrides what we guess, a pattern does not.
        let uplink = [pod(), address(4, "172.18.0.2", 16)];
        check(&uplink, &["veth4"], Some(None));
        let carries = Excluded::CarriesAddress("172.18.0.2".parse().expect("an address"), 16);
        check(&uplink, &["veth*"], Some(Some(carries)));
        check(
            &[link(4, "veth4", InfoKind::Veth, None)],
            &["veth4"],
            Some(Some(Excluded::NoPod)),
        );
    }

    #[test]
    fn names_of_nothing() {
        let known = inventory(&[veth(4, "veth4")]);
        let patterns = Patterns::new(["veth4", "veth5", "x*"].map(str::to_owned).to_vec());
        assert_eq!(patterns.missing(&known).collect::<Vec<_>>(), ["veth5"]);
    }

    #[test]
    fn globs() {
        let check = |pattern, name, expect| assert_eq!(matches(pattern, name), expect, "{pattern} {name}");
        check("veth*", "veth12", true);
        check("veth*", "eth0", false);
        check("*", "", true);
        check("v?th0", "veth0", true);
        check("v?th0", "vth0", false);
        check("*a*b", "xaybzb", true);
        check("*a*b", "xaybz", false);
        check("cali1", "cali12", false);
    }
}
