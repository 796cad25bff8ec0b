//! From the bytes of a packet to what the handshake needs of it.
//!
//! ```text
//! Ethernet → up to two VLAN tags → IPv4 or IPv6 with extension headers → TCP
//!                                                                      → ICMP error → quoted IP → quoted TCP
//! ```
//!
//! A tag that the kernel keeps beside the packet (`skb->vlan_tci`) is not in the bytes and needs nothing. Lengths in headers
//! are never trusted further than the bytes reach.
use crate::bytes::Bytes;

mod ip;
#[cfg(test)]
mod tests;

pub use ip::{Ip, MAX_EXTENSIONS};

/// TCP flags, as in the header's byte 13.
pub mod flag {
    /// No more data from the sender.
    pub const FIN: u8 = 1;
    /// Synchronise sequence numbers.
    pub const SYN: u8 = 2;
    /// Reset the connection.
    pub const RST: u8 = 4;
    /// The acknowledgement number is significant.
    pub const ACK: u8 = 16;
}

pub(crate) const IPV4: u16 = 0x0800;
pub(crate) const IPV6: u16 = 0x86dd;
const VLAN: u16 = 0x8100;
const VLAN_OUTER: u16 = 0x88a8;

const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMP: u8 = 1;
const ICMPV6: u8 = 58;

/// Why a packet yields no [`Segment`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Skip {
    /// It is none of our business: not TCP, a data packet, an ICMP message of another kind.
    Other,
    /// A fragment that is not the first: it has no TCP header.
    Fragment,
    /// Truncated, malformed, or a longer chain of headers than is followed.
    Unparsed,
}

/// What a [`Segment`] is in a handshake.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum What {
    /// Asks for a connection.
    #[default]
    Syn,
    /// Grants it.
    SynAck,
    /// Refuses or ends it.
    Reset,
    /// An ICMP error that quotes a TCP packet.
    Error,
}

/// A packet that may change a handshake. Numbers in host order, addresses in 16 bytes (IPv4 as IPv4-mapped).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[repr(align(8))]
pub struct Segment {
    /// What it is.
    pub what: What,
    /// Source address of the TCP packet; of the quoted one for [`What::Error`]. So are all fields without another word.
    pub source: [u8; 16],
    /// Destination address.
    pub destination: [u8; 16],
    /// Source port.
    pub source_port: u16,
    /// Destination port.
    pub destination_port: u16,
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgement number; 0 without the ACK flag, and in a quote.
    pub ack: u32,
    /// Bytes of TCP payload as the IP header has it; 0 in a quote.
    pub payload: u32,
    /// TCP flags; 0 where a quote ends before them.
    pub flags: u8,
    /// Who sent this packet: the outer source for [`What::Error`], else `source`.
    pub sender: [u8; 16],
    /// TTL or hop limit of this packet (the outer one).
    pub ttl: u8,
    /// TTL or hop limit in the quote, else 0.
    pub quoted_ttl: u8,
    /// ICMP or ICMPv6 type, else 0.
    pub icmp_type: u8,
    /// ICMP or ICMPv6 code, else 0.
    pub icmp_code: u8,
}

/// Whether the packet can be let go without a closer look, told from bytes at fixed places: a TCP packet without SYN and RST, UDP, or
/// neither IPv4 nor IPv6. `false` says nothing: [`parse`] decides.
///
/// This is all that a data packet costs. [`parse`] would say [`Skip::Other`] of each packet that this lets go, or
/// [`Skip::Unparsed`] if it is malformed.
#[inline(always)]
pub fn leaves_at_once<B: Bytes + ?Sized>(bytes: &B) -> bool {
    // Up to and with the TCP flags of IPv4 without options: 14 + 20 + 14.
    let Some(head) = bytes.read::<48>(0) else {
        return false;
    };
    match u16::from_be_bytes([head[12], head[13]]) {
        IPV4 => match head[23] {
            TCP => head[14] == 0x45 && head[20] & 0x1f == 0 && head[21] == 0 && head[47] & (flag::SYN | flag::RST) == 0,
            ICMP => false,
            _ => head[14] == 0x45,
        },
        IPV6 => match head[20] {
            // The TCP flags without extension headers: 14 + 40 + 13.
            TCP => {
                head[14] >> 4 == 6
                    && bytes
                        .read::<1>(67)
                        .is_some_and(|[flags]| flags & (flag::SYN | flag::RST) == 0)
            }
            UDP => head[14] >> 4 == 6,
            _ => false,
        },
        VLAN | VLAN_OUTER => false,
        _ => true,
    }
}

/// Reads the usual layout, whose places are constants: Ethernet, IPv4 without options or IPv6 without extension headers, TCP. The kernel
/// does so by direct packet access, at a third of the cost. `false` says nothing: [`parse`] decides.
#[inline(always)]
pub fn read_plain<B: Bytes + ?Sized>(bytes: &B, segment: &mut Segment) -> bool {
    let Some(head) = bytes.read::<34>(0) else {
        return false;
    };
    match u16::from_be_bytes([head[12], head[13]]) {
        IPV4 => Ip::plain_v4(&head).is_some_and(|ip| tcp(bytes, &ip, segment).is_ok()),
        IPV6 => Ip::plain_v6(&head).is_some_and(|ip| tcp(bytes, &ip, segment).is_ok()),
        _ => false,
    }
}

/// Reads a packet from its Ethernet header on: [`locate`], then [`read`].
///
/// # Errors
///
/// [`Skip`] if it is of no interest, or cannot be read.
pub fn parse<B: Bytes + ?Sized>(bytes: &B) -> Result<Segment, Skip> {
    let mut segment = Segment::default();
    read(bytes, &locate(bytes)?, &mut segment)?;
    Ok(segment)
}

/// Finds the header behind Ethernet, VLAN tags and IP.
///
/// # Errors
///
/// [`Skip`] if the packet is not IP, or its headers cannot be read.
#[inline(always)]
pub fn locate<B: Bytes + ?Sized>(bytes: &B) -> Result<Ip, Skip> {
    let mut at = 12;
    let mut kind = u16::from_be_bytes(bytes.read(at).ok_or(Skip::Unparsed)?);
    for _ in 0..2 {
        if kind == VLAN || kind == VLAN_OUTER {
            at += 4;
            kind = u16::from_be_bytes(bytes.read(at).ok_or(Skip::Unparsed)?);
        }
    }
    match kind {
        VLAN | VLAN_OUTER => Err(Skip::Unparsed),
        IPV4 | IPV6 => ip::read(bytes, at + 2, kind == IPV6),
        _ => Err(Skip::Other),
    }
}

/// Reads what [`locate`] found into a default `segment`, which is of no value if this fails.
///
/// # Errors
///
/// [`Skip`] if it is of no interest, or cannot be read.
#[inline(always)]
pub fn read<B: Bytes + ?Sized>(bytes: &B, ip: &Ip, segment: &mut Segment) -> Result<(), Skip> {
    match ip.protocol {
        TCP => tcp(bytes, ip, segment),
        ICMP if !ip.v6 => error(bytes, ip, segment),
        ICMPV6 if ip.v6 => error(bytes, ip, segment),
        _ => Err(Skip::Other),
    }
}

/// Reads a TCP packet from its IP header on, as [`read`] does; ICMP errors are [`Skip::Other`] here.
///
/// # Errors
///
/// [`Skip`] if it is of no interest, or cannot be read.
#[inline(always)]
pub fn read_tcp<B: Bytes + ?Sized>(bytes: &B, v6: bool, segment: &mut Segment) -> Result<(), Skip> {
    let ip = ip::read(bytes, 0, v6)?;
    if ip.protocol == TCP {
        tcp(bytes, &ip, segment)
    } else {
        Err(Skip::Other)
    }
}

#[inline(always)]
fn tcp<B: Bytes + ?Sized>(bytes: &B, ip: &Ip, segment: &mut Segment) -> Result<(), Skip> {
    if ip.later_fragment {
        return Err(Skip::Fragment);
    }
    let head: [u8; 20] = bytes.read(ip.payload_at).ok_or(Skip::Unparsed)?;
    let header_len = u32::from(head[12] >> 4) * 4;
    if header_len < 20 {
        return Err(Skip::Unparsed);
    }
    let flags = head[13];
    segment.what = if flags & flag::RST != 0 {
        What::Reset
    } else if flags & (flag::SYN | flag::ACK) == flag::SYN | flag::ACK {
        // Whatever FIN says: a client in SYN-SENT does not look at it (tcp_rcv_synsent_state_process).
        What::SynAck
    } else if flags & (flag::SYN | flag::FIN) == flag::SYN {
        // With FIN a listener discards it (tcp_rcv_state_process): no attempt.
        What::Syn
    } else {
        return Err(Skip::Other);
    };
    ip::addresses(bytes, ip, &mut segment.source, &mut segment.destination)?;
    segment.sender = segment.source;
    segment.source_port = u16::from_be_bytes([head[0], head[1]]);
    segment.destination_port = u16::from_be_bytes([head[2], head[3]]);
    segment.seq = u32::from_be_bytes([head[4], head[5], head[6], head[7]]);
    if flags & flag::ACK != 0 {
        segment.ack = u32::from_be_bytes([head[8], head[9], head[10], head[11]]);
    }
    segment.payload = ip.payload_len.saturating_sub(header_len);
    segment.flags = flags;
    segment.ttl = ip.ttl;
    Ok(())
}

/// An ICMP error. Only ports and sequence number are guaranteed in the quote (RFC 792: 64 bits of the datagram's data).
#[inline(always)]
fn error<B: Bytes + ?Sized>(bytes: &B, outer: &Ip, segment: &mut Segment) -> Result<(), Skip> {
    if outer.later_fragment {
        return Err(Skip::Other);
    }
    let [icmp_type, icmp_code] = bytes.read(outer.payload_at).ok_or(Skip::Unparsed)?;
    let is_error = if outer.v6 {
        // Destination unreachable, time exceeded (RFC 4443). Packet too big ends no attempt.
        icmp_type == 1 || icmp_type == 3
    } else {
        // The same (RFC 792); code 4 is "fragmentation needed".
        (icmp_type == 3 && icmp_code != 4) || icmp_type == 11
    };
    if !is_error {
        return Err(Skip::Other);
    }
    let quote = ip::read(bytes, outer.payload_at + 8, outer.v6)?;
    if quote.protocol != TCP {
        return Err(Skip::Other);
    }
    if quote.later_fragment {
        return Err(Skip::Fragment);
    }
    let head: [u8; 8] = bytes.read(quote.payload_at).ok_or(Skip::Unparsed)?;
    let flags_at = quote.payload_at + 13;
    if flags_at < outer.payload_at + outer.payload_len {
        segment.flags = bytes.read(flags_at).map_or(0, |[flags]| flags);
    }
    // The outer destination goes where the quoted one comes next.
    ip::addresses(bytes, outer, &mut segment.sender, &mut segment.destination)?;
    ip::addresses(bytes, &quote, &mut segment.source, &mut segment.destination)?;
    segment.what = What::Error;
    segment.source_port = u16::from_be_bytes([head[0], head[1]]);
    segment.destination_port = u16::from_be_bytes([head[2], head[3]]);
    segment.seq = u32::from_be_bytes([head[4], head[5], head[6], head[7]]);
    segment.ttl = outer.ttl;
    segment.quoted_ttl = quote.ttl;
    segment.icmp_type = icmp_type;
    segment.icmp_code = icmp_code;
    Ok(())
}
