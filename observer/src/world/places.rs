//! Where somebody without a known address may be: one address for each answer that an `ipBlock` can give.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnetwork::IpNetwork;

/// One address from every part into which the blocks divide the addresses of these families. A part begins where a block begins
/// or just behind where one ends, or with the first address of all: so no more have to be tried.
pub(crate) fn places(blocks: &[IpNetwork], ipv4: bool, ipv6: bool) -> Vec<IpAddr> {
    let mut starts = BTreeSet::new();
    if ipv4 {
        starts.insert(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    }
    if ipv6 {
        starts.insert(IpAddr::V6(Ipv6Addr::UNSPECIFIED));
    }
    for block in blocks {
        if !(if block.is_ipv4() { ipv4 } else { ipv6 }) {
            continue;
        }
        starts.insert(block.network());
        starts.extend(after(block.broadcast()));
    }
    starts.into_iter().collect()
}

/// The next address; the last one of a family has none.
fn after(address: IpAddr) -> Option<IpAddr> {
    match address {
        IpAddr::V4(address) => address
            .to_bits()
            .checked_add(1)
            .map(|bits| Ipv4Addr::from_bits(bits).into()),
        IpAddr::V6(address) => address
            .to_bits()
            .checked_add(1)
            .map(|bits| Ipv6Addr::from_bits(bits).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_has_an_address() {
        let blocks: Vec<IpNetwork> = ["10.0.0.0/8", "10.1.0.0/16", "255.255.255.255/32", "fd00::/8"]
            .map(|cidr| cidr.parse().expect("a block"))
            .to_vec();
        let text: Vec<String> = places(&blocks, true, false).iter().map(ToString::to_string).collect();
        assert_eq!(
            text,
            [
                "0.0.0.0",
                "10.0.0.0",
                "10.1.0.0",
                "10.2.0.0",
                "11.0.0.0",
                "255.255.255.255"
            ]
        );
        assert_eq!(places(&blocks, false, true).len(), 3);
    }
}
