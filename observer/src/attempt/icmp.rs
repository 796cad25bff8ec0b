//! What an ICMP error says about an attempt.

use super::types::{Icmp, Outcome};

/// How an ICMP error that quotes a SYN ends the attempt; `None` where it does not end it.
///
/// A filter is told from a route by what the code means, not by who sent it: under translation the sender reads as the
/// dialled address. Every code below ends `connect()` on Linux (`tcp_v4_err`, `tcp_v6_err`: an error in `SYN_SENT` is
/// final); codes that Linux does not know are ignored there, and here.
pub(super) fn outcome(icmp: &Icmp) -> Option<Outcome> {
    if icmp.from.is_ipv4() {
        match (icmp.kind, icmp.code) {
            (3, code) => unreachable_v4(code),
            // RFC 792: time to live exceeded in transit (0), fragment reassembly time exceeded (1).
            (11, 0 | 1) => Some(Outcome::Unreachable),
            _ => None,
        }
    } else {
        match (icmp.kind, icmp.code) {
            (1, code) => unreachable_v6(code),
            // RFC 4443, 3.3: hop limit exceeded (0), fragment reassembly time exceeded (1).
            (3, 0 | 1) => Some(Outcome::Unreachable),
            _ => None,
        }
    }
}

/// Type 3 of ICMP: destination unreachable.
fn unreachable_v4(code: u8) -> Option<Outcome> {
    match code {
        // RFC 792: net unreachable, host unreachable.
        0 | 1 => Some(Outcome::Unreachable),
        // RFC 792: protocol, port. A TCP stack never says so of TCP; `reject` of iptables and nftables does.
        2 | 3 => Some(Outcome::Rejected),
        // RFC 792: fragmentation needed. It is about the size: the attempt goes on.
        4 => None,
        // RFC 792: source route failed. RFC 1122, 3.2.2.1: destination network unknown, destination host unknown, source
        // host isolated.
        5..=8 => Some(Outcome::Unreachable),
        // RFC 1122, 3.2.2.1: communication with the destination network, host, administratively prohibited.
        9 | 10 => Some(Outcome::Rejected),
        // RFC 1122, 3.2.2.1: network, host, unreachable for this type of service.
        11 | 12 => Some(Outcome::Unreachable),
        // RFC 1812, 5.2.7.1: communication administratively prohibited by filtering.
        13 => Some(Outcome::Rejected),
        // RFC 1812, 5.2.7.1: host precedence violation, precedence cutoff in effect. A router's rule on the precedence
        // bits, not a packet filter; the application reads "no route to host".
        14 | 15 => Some(Outcome::Unreachable),
        _ => None,
    }
}

/// Type 1 of ICMPv6: destination unreachable.
fn unreachable_v6(code: u8) -> Option<Outcome> {
    match code {
        // RFC 4443, 3.1: no route to destination.
        0 => Some(Outcome::Unreachable),
        // RFC 4443, 3.1: communication with destination administratively prohibited.
        1 => Some(Outcome::Rejected),
        // RFC 4443, 3.1: beyond scope of source address, address unreachable.
        2 | 3 => Some(Outcome::Unreachable),
        // RFC 4443, 3.1: port unreachable; source address failed ingress/egress policy; reject route to destination. The
        // last two are "more informative subsets of code 1".
        4..=6 => Some(Outcome::Rejected),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::IpAddr;

    fn check(from: &str, kind: u8, table: &[(u8, Option<Outcome>)]) {
        let from: IpAddr = from.parse().expect("an address");
        for &(code, expected) in table {
            let icmp = Icmp {
                from,
                kind,
                code,
                quoted_ttl: 63,
            };
            assert_eq!(outcome(&icmp), expected, "type {kind} code {code}");
        }
    }

    const REJECTED: Option<Outcome> = Some(Outcome::Rejected);
    const UNREACHABLE: Option<Outcome> = Some(Outcome::Unreachable);

    #[test]
    fn every_code_of_icmp_destination_unreachable() {
        check(
            "10.0.0.1",
            3,
            &[
                (0, UNREACHABLE),
                (1, UNREACHABLE),
                (2, REJECTED),
                (3, REJECTED),
                (4, None),
                (5, UNREACHABLE),
                (6, UNREACHABLE),
                (7, UNREACHABLE),
                (8, UNREACHABLE),
                (9, REJECTED),
                (10, REJECTED),
                (11, UNREACHABLE),
                (12, UNREACHABLE),
                (13, REJECTED),
                (14, UNREACHABLE),
                (15, UNREACHABLE),
                (16, None),
            ],
        );
    }

    #[test]
    fn every_code_of_icmpv6_destination_unreachable() {
        check(
            "fd00::1",
            1,
            &[
                (0, UNREACHABLE),
                (1, REJECTED),
                (2, UNREACHABLE),
                (3, UNREACHABLE),
                (4, REJECTED),
                (5, REJECTED),
                (6, REJECTED),
                (7, None),
            ],
        );
    }

    #[test]
    fn time_exceeded_and_the_rest() {
        check("10.0.0.1", 11, &[(0, UNREACHABLE), (1, UNREACHABLE), (2, None)]);
        check("fd00::1", 3, &[(0, UNREACHABLE), (1, UNREACHABLE), (2, None)]);
        // Echo, and the same numbers in the other family.
        check("10.0.0.1", 8, &[(0, None)]);
        check("10.0.0.1", 1, &[(0, None)]);
        check("fd00::1", 11, &[(0, None)]);
    }
}
