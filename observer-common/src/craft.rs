//! Packets for tests, benchmarks and fuzzers, put together from their layers. Checksums are left zero: nothing here reads them.
//!
//! ```text
//! Flow → syn(), syn_ack(), reset() …: whole frames for the usual case
//! Tcp → Ip::packet → frame: the layers, where the case is unusual
//! ```
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::{vec, vec::Vec};

use crate::packet::flag;

/// IP protocol number of TCP.
pub const TCP: u8 = 6;
/// IP protocol number of ICMP.
pub const ICMP: u8 = 1;
/// IP protocol number of ICMPv6.
pub const ICMPV6: u8 = 58;

/// A TCP header and its payload.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Tcp {
    /// Source port.
    pub source_port: u16,
    /// Destination port.
    pub destination_port: u16,
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgement number.
    pub ack: u32,
    /// The flags of byte 13.
    pub flags: u8,
    /// Bytes of options, a multiple of 4, at most 40.
    pub options: u8,
    /// Bytes of payload.
    pub payload: u16,
}

impl Tcp {
    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend(self.source_port.to_be_bytes());
        bytes.extend(self.destination_port.to_be_bytes());
        bytes.extend(self.seq.to_be_bytes());
        bytes.extend(self.ack.to_be_bytes());
        bytes.extend([(5 + self.options / 4) << 4, self.flags, 0xff, 0xff, 0, 0, 0, 0]);
        bytes.resize(bytes.len() + usize::from(self.options) + usize::from(self.payload), 1);
        bytes
    }
}

/// An IP header.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Ip {
    /// Source address; its family is that of the header.
    pub source: IpAddr,
    /// Destination address, of the same family.
    pub destination: IpAddr,
    /// TTL or hop limit.
    pub ttl: u8,
    /// IPv4: bytes of options, a multiple of 4, at most 40.
    pub options: u8,
    /// IPv4: flags and fragment offset.
    pub fragment: u16,
    /// IPv6: kind and bytes after the "next header" byte of each extension header, outermost first.
    pub extensions: Vec<(u8, Vec<u8>)>,
}

impl Ip {
    /// A plain header.
    #[must_use]
    pub fn new(source: IpAddr, destination: IpAddr) -> Self {
        Self {
            source,
            destination,
            ttl: 64,
            options: 0,
            fragment: 0,
            extensions: Vec::new(),
        }
    }

    /// The header and what it carries.
    ///
    /// # Panics
    ///
    /// If the addresses are of different families or the packet is larger than a length field can tell.
    #[must_use]
    pub fn packet(&self, protocol: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = match (self.source, self.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => self.v4(source, destination, protocol, payload.len()),
            (IpAddr::V6(source), IpAddr::V6(destination)) => self.v6(source, destination, protocol, payload.len()),
            other => panic!("a header with addresses of two families: {other:?}"),
        };
        bytes.extend(payload);
        bytes
    }

    fn v4(&self, source: Ipv4Addr, destination: Ipv4Addr, protocol: u8, payload: usize) -> Vec<u8> {
        let len = 20 + usize::from(self.options);
        let mut bytes = vec![0x40 | (5 + self.options / 4), 0];
        bytes.extend(u16::try_from(len + payload).expect("a packet").to_be_bytes());
        bytes.extend([0, 1]);
        bytes.extend(self.fragment.to_be_bytes());
        bytes.extend([self.ttl, protocol, 0, 0]);
        bytes.extend(source.octets());
        bytes.extend(destination.octets());
        // No operation, which may be repeated.
        bytes.resize(len, 1);
        bytes
    }

    fn v6(&self, source: Ipv6Addr, destination: Ipv6Addr, protocol: u8, payload: usize) -> Vec<u8> {
        let extensions: usize = self.extensions.iter().map(|(_, body)| body.len() + 1).sum();
        let mut kinds = self.extensions.iter().map(|(kind, _)| *kind).chain([protocol]);
        let mut bytes = vec![0x60, 0, 0, 0];
        bytes.extend(u16::try_from(extensions + payload).expect("a packet").to_be_bytes());
        bytes.extend([kinds.next().unwrap_or(protocol), self.ttl]);
        bytes.extend(source.octets());
        bytes.extend(destination.octets());
        for ((_, body), next) in self.extensions.iter().zip(kinds) {
            bytes.push(next);
            bytes.extend(body);
        }
        bytes
    }
}

/// An ICMP or ICMPv6 message of four unused bytes and a quote.
#[must_use]
pub fn icmp_error(icmp_type: u8, code: u8, quote: &[u8]) -> Vec<u8> {
    let mut bytes = vec![icmp_type, code, 0, 0, 0, 0, 0, 0];
    bytes.extend(quote);
    bytes
}

/// An Ethernet frame around an IP packet, with VLAN tags of these types, outermost first.
#[must_use]
pub fn frame(tags: &[u16], ip: &[u8]) -> Vec<u8> {
    let mut bytes = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
    for tag in tags {
        bytes.extend(tag.to_be_bytes());
        bytes.extend([0, 7]);
    }
    let kind: u16 = if ip.first().is_some_and(|first| first >> 4 == 6) {
        0x86dd
    } else {
        0x0800
    };
    bytes.extend(kind.to_be_bytes());
    bytes.extend(ip);
    bytes
}

/// The two ends of a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Flow {
    /// Who sends the SYN.
    pub client: SocketAddr,
    /// Who answers it.
    pub server: SocketAddr,
}

impl Flow {
    /// A connection between two IPv4 addresses.
    #[must_use]
    pub fn v4() -> Self {
        Self {
            client: SocketAddr::from(([10, 0, 0, 1], 40000)),
            server: SocketAddr::from(([10, 0, 0, 2], 80)),
        }
    }

    /// A connection between two IPv6 addresses.
    #[must_use]
    pub fn v6() -> Self {
        Self {
            client: SocketAddr::from(([0xfd00, 0, 0, 0, 0, 0, 0, 1], 40000)),
            server: SocketAddr::from(([0xfd00, 0, 0, 0, 0, 0, 0, 2], 80)),
        }
    }

    /// The TCP header of the client, and the IP header around it.
    #[must_use]
    pub fn forward(&self, tcp: Tcp) -> (Ip, Tcp) {
        let (source_port, destination_port) = (self.client.port(), self.server.port());
        let tcp = Tcp {
            source_port,
            destination_port,
            ..tcp
        };
        (Ip::new(self.client.ip(), self.server.ip()), tcp)
    }

    /// A frame from the client.
    #[must_use]
    pub fn to_server(&self, tcp: Tcp) -> Vec<u8> {
        let (ip, tcp) = self.forward(tcp);
        frame(&[], &ip.packet(TCP, &tcp.bytes()))
    }

    /// A frame from the server.
    #[must_use]
    pub fn to_client(&self, tcp: Tcp) -> Vec<u8> {
        Self {
            client: self.server,
            server: self.client,
        }
        .to_server(tcp)
    }

    /// The client's SYN.
    #[must_use]
    pub fn syn(&self, isn: u32) -> Vec<u8> {
        self.to_server(Tcp {
            seq: isn,
            flags: flag::SYN,
            options: 20,
            ..Tcp::default()
        })
    }

    /// The server's SYN-ACK.
    #[must_use]
    pub fn syn_ack(&self, ack: u32) -> Vec<u8> {
        self.to_client(Tcp {
            seq: 77,
            ack,
            flags: flag::SYN | flag::ACK,
            options: 20,
            ..Tcp::default()
        })
    }

    /// The server's RST with an acknowledgement, as a closed port sends it.
    #[must_use]
    pub fn reset(&self, ack: u32) -> Vec<u8> {
        self.to_client(Tcp {
            ack,
            flags: flag::RST | flag::ACK,
            ..Tcp::default()
        })
    }

    /// A full-sized data packet of the client.
    #[must_use]
    pub fn data(&self) -> Vec<u8> {
        self.to_server(Tcp {
            seq: 5,
            ack: 6,
            flags: flag::ACK,
            options: 12,
            payload: 1400,
            ..Tcp::default()
        })
    }

    /// An ICMP error by `sender` to the client, quoting the first `quoted` bytes of the client's SYN from its IP header on.
    #[must_use]
    pub fn error(&self, sender: IpAddr, icmp_type: u8, code: u8, isn: u32, quoted: usize) -> Vec<u8> {
        let syn = self.syn(isn);
        let quote = syn.get(14..).map_or(&[][..], |ip| &ip[..ip.len().min(quoted)]);
        let protocol = if sender.is_ipv4() { ICMP } else { ICMPV6 };
        frame(
            &[],
            &Ip::new(sender, self.client.ip()).packet(protocol, &icmp_error(icmp_type, code, quote)),
        )
    }
}
