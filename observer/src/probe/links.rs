//! Which links are observed: those whose other end lies in another network namespace, less those that are the node's own way out.
//! Pure; what is known of the links comes from the inventory.

use std::fmt;
use std::net::IpAddr;

use super::inventory::{Inventory, Link};
use crate::objects::Str;

/// Which interfaces the user asked for.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Patterns(Vec<String>);

/// Why a link whose other end lies in another namespace is not observed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Excluded {
    /// `--interface` names others.
    NotNamed,
    /// It carries an address of a network: the node's way out, as in kind and k3d.
    CarriesAddress(IpAddr, u8),
    /// The default route leads through it.
    DefaultRoute,
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
    pub peer_netns: i32,
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

/// Every link whose other end lies in another namespace, and whether it is observed.
#[must_use]
pub fn choose(inventory: &Inventory, patterns: &Patterns) -> Vec<Choice> {
    inventory
        .links()
        .filter_map(|link| {
            Some(Choice {
                ifindex: link.ifindex,
                name: link.name.clone(),
                peer_netns: link.peer_netns?,
                xdp: link.xdp,
                excluded: exclude(link, inventory, patterns),
            })
        })
        .collect()
}

fn exclude(link: &Link, inventory: &Inventory, patterns: &Patterns) -> Option<Excluded> {
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
    use super::*;

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
