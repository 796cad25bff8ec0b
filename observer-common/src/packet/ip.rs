//! IPv4 with options, IPv6 with extension headers.
use super::{Skip, TCP};
use crate::bytes::Bytes;

/// How many IPv6 extension headers are followed. A sender that keeps to RFC 8200, 4.1 needs at most five of the kinds followed here
/// (hop-by-hop, destination options twice, routing, fragment), six with AH.
pub const MAX_EXTENSIONS: u32 = 6;

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const DESTINATION_OPTIONS: u8 = 60;

/// Where an IP header is and what follows it. Without the addresses, which only few packets need.
#[derive(Clone, Copy, Debug)]
pub struct Ip {
    /// Where the header starts.
    at: u32,
    /// IPv6, else IPv4.
    pub(super) v6: bool,
    /// The protocol behind options and extension headers.
    pub(super) protocol: u8,
    pub(super) ttl: u8,
    /// Where that protocol's header starts.
    pub(super) payload_at: u32,
    /// How many bytes follow from there as the header has it, which may be more or less than there are.
    pub(super) payload_len: u32,
    /// A fragment with an offset: what follows is no header.
    pub(super) later_fragment: bool,
}

impl Ip {
    /// IPv4 without options and with TCP, right behind an Ethernet header.
    #[inline(always)]
    pub(super) fn plain_v4(head: &[u8; 34]) -> Option<Self> {
        let plain = head[14] == 0x45 && head[20] & 0x1f == 0 && head[21] == 0 && head[23] == TCP;
        plain.then(|| Self {
            at: 14,
            v6: false,
            protocol: TCP,
            ttl: head[22],
            payload_at: 34,
            payload_len: u32::from(u16::from_be_bytes([head[16], head[17]])).saturating_sub(20),
            later_fragment: false,
        })
    }

    /// IPv6 with TCP and nothing between, right behind an Ethernet header.
    #[inline(always)]
    pub(super) fn plain_v6(head: &[u8; 34]) -> Option<Self> {
        let plain = head[14] >> 4 == 6 && head[20] == TCP;
        plain.then(|| Self {
            at: 14,
            v6: true,
            protocol: TCP,
            ttl: head[21],
            payload_at: 54,
            payload_len: u32::from(u16::from_be_bytes([head[18], head[19]])),
            later_fragment: false,
        })
    }
}

#[inline(always)]
pub(super) fn read<B: Bytes + ?Sized>(bytes: &B, at: u32, v6: bool) -> Result<Ip, Skip> {
    if v6 { v6_header(bytes, at) } else { v4_header(bytes, at) }
}

/// Copies source and destination.
#[inline(always)]
pub(super) fn addresses<B: Bytes + ?Sized>(
    bytes: &B,
    ip: &Ip,
    source: &mut [u8; 16],
    destination: &mut [u8; 16],
) -> Result<(), Skip> {
    let filled = if ip.v6 {
        bytes.fill(ip.at + 8, source) && bytes.fill(ip.at + 24, destination)
    } else if let Some([a, b, c, d, e, f, g, h]) = bytes.read(ip.at + 12) {
        *source = mapped([a, b, c, d]);
        *destination = mapped([e, f, g, h]);
        true
    } else {
        false
    };
    if filled { Ok(()) } else { Err(Skip::Unparsed) }
}

#[inline(always)]
fn v4_header<B: Bytes + ?Sized>(bytes: &B, at: u32) -> Result<Ip, Skip> {
    let head: [u8; 10] = bytes.read(at).ok_or(Skip::Unparsed)?;
    let header_len = u32::from(head[0] & 0x0f) * 4;
    if head[0] >> 4 != 4 || header_len < 20 {
        return Err(Skip::Unparsed);
    }
    Ok(Ip {
        at,
        v6: false,
        protocol: head[9],
        ttl: head[8],
        payload_at: at + header_len,
        payload_len: u32::from(u16::from_be_bytes([head[2], head[3]])).saturating_sub(header_len),
        later_fragment: u16::from_be_bytes([head[6], head[7]]) & 0x1fff != 0,
    })
}

#[inline(always)]
fn v6_header<B: Bytes + ?Sized>(bytes: &B, at: u32) -> Result<Ip, Skip> {
    let head: [u8; 8] = bytes.read(at).ok_or(Skip::Unparsed)?;
    if head[0] >> 4 != 6 {
        return Err(Skip::Unparsed);
    }
    let mut ip = Ip {
        at,
        v6: true,
        protocol: head[6],
        ttl: head[7],
        payload_at: at + 40,
        payload_len: u32::from(u16::from_be_bytes([head[4], head[5]])),
        later_fragment: false,
    };
    for _ in 0..MAX_EXTENSIONS {
        if !is_extension(ip.protocol) || ip.later_fragment {
            return Ok(ip);
        }
        let extension: [u8; 4] = bytes.read(ip.payload_at).ok_or(Skip::Unparsed)?;
        let len = match ip.protocol {
            FRAGMENT => {
                ip.later_fragment = u16::from_be_bytes([extension[2], extension[3]]) & 0xfff8 != 0;
                8
            }
            // In units of 4, less 2 (RFC 4302, 2.2); the others in units of 8, less 1 (RFC 8200, 4).
            AUTHENTICATION => (u32::from(extension[1]) + 2) * 4,
            _ => (u32::from(extension[1]) + 1) * 8,
        };
        ip.protocol = extension[0];
        ip.payload_at += len;
        ip.payload_len = ip.payload_len.saturating_sub(len);
    }
    if is_extension(ip.protocol) && !ip.later_fragment {
        Err(Skip::Unparsed)
    } else {
        Ok(ip)
    }
}

#[inline(always)]
fn is_extension(protocol: u8) -> bool {
    matches!(
        protocol,
        HOP_BY_HOP | ROUTING | FRAGMENT | AUTHENTICATION | DESTINATION_OPTIONS
    )
}

#[inline(always)]
fn mapped(v4: [u8; 4]) -> [u8; 16] {
    [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, v4[0], v4[1], v4[2], v4[3]]
}
