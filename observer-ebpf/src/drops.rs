//! Packets that the kernel freed.
use aya_ebpf::{helpers::bpf_ktime_get_ns, programs::BtfTracePointContext};
use observer_common::{
    abi::{Counter, Event, Pending, direction, kind},
    handshake,
    packet::{self, Segment, What},
};

use crate::{
    bytes::{Kernel, member},
    globals::{
        IGNORED_REASONS, OFFSET_NET_DEVICE_IFINDEX, OFFSET_NET_DEVICE_NET, OFFSET_NET_INUM, OFFSET_SK_BUFF_DEV,
        OFFSET_SK_BUFF_HEAD, OFFSET_SK_BUFF_NETWORK_HEADER, OFFSET_SK_BUFF_PROTOCOL, OFFSET_SK_BUFF_SK,
        OFFSET_SK_BUFF_TAIL, OFFSET_SOCK_NET,
    },
    maps::{NETNS, count, emit},
    outcome,
};

const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;

/// Looks at one freed packet. `reason` is `u32::MAX` where the kernel gives none.
///
/// Cheapest first: most freed packets are of another reason, another protocol or another namespace.
#[inline(always)]
pub(crate) fn look(ctx: &BtfTracePointContext, reason: u32) {
    if reason != u32::MAX && IGNORED_REASONS.load().contains(&reason) {
        return;
    }
    let skb: *const u8 = ctx.arg(0);
    let Some(protocol) = member::<u16>(skb, OFFSET_SK_BUFF_PROTOCOL.load()).map(u16::from_be) else {
        return count(Counter::DropsUnread);
    };
    if protocol != IPV4 && protocol != IPV6 {
        return;
    }
    let Some((netns, ifindex)) = place(skb) else {
        return count(Counter::DropsUnread);
    };
    // SAFETY: only its being there is of interest.
    if unsafe { NETNS.get(netns) }.is_none() {
        return;
    }
    let mut segment = Segment::default();
    match parse(skb, protocol == IPV6, &mut segment) {
        outcome::FOUND => tell(ctx, &segment, &Death { reason, netns, ifindex }),
        outcome::UNPARSED => count(Counter::DropsUnread),
        _ => {}
    }
}

/// A function of its own, as [`tell`] is: their frames take turns on the 512 bytes of stack.
#[inline(never)]
fn parse(skb: *const u8, v6: bool, segment: &mut Segment) -> u32 {
    ip_packet(skb).map_or(outcome::UNPARSED, |bytes| {
        outcome::of(packet::read_tcp(&bytes, v6, segment))
    })
}

/// How and where a packet died.
struct Death {
    reason: u32,
    netns: u32,
    ifindex: u32,
}

#[inline(never)]
fn tell(ctx: &BtfTracePointContext, segment: &Segment, death: &Death) {
    let backward = u8::from(!matches!(segment.what, What::Syn));
    // Whatever way the packet ran, the direction of the key is to come out as FROM_POD.
    let hook = if backward == 0 {
        direction::FROM_POD
    } else {
        direction::TO_POD
    };
    emit(|| Event {
        // SAFETY: the helper has no preconditions.
        time_ns: unsafe { bpf_ktime_get_ns() },
        key: handshake::key(segment, handshake::sent_by(segment.what), death.ifindex, hook),
        pending: Pending {
            isn: handshake::isn(segment),
            ..Pending::default()
        },
        sender: segment.sender,
        location: ctx.arg(1),
        reason: death.reason,
        netns: death.netns,
        seq: segment.seq,
        ack: segment.ack,
        kind: kind::DROPPED,
        flags: segment.flags,
        icmp_type: 0,
        icmp_code: 0,
        ttl: segment.ttl,
        quoted_ttl: 0,
        backward,
        pad: [0; 5],
    });
}

/// The network namespace of a packet, and its device's index: of the device, else of the socket, else zeros.
#[inline(always)]
fn place(skb: *const u8) -> Option<(u32, u32)> {
    let device: *const u8 = member(skb, OFFSET_SK_BUFF_DEV.load())?;
    if !device.is_null() {
        let net: *const u8 = member(device, OFFSET_NET_DEVICE_NET.load())?;
        return Some((
            member(net, OFFSET_NET_INUM.load())?,
            member(device, OFFSET_NET_DEVICE_IFINDEX.load())?,
        ));
    }
    let socket: *const u8 = member(skb, OFFSET_SK_BUFF_SK.load())?;
    if socket.is_null() {
        return Some((0, 0));
    }
    let net: *const u8 = member(socket, OFFSET_SOCK_NET.load())?;
    Some((member(net, OFFSET_NET_INUM.load())?, 0))
}

/// The linear part of a packet from its IP header on. The transport header's offset is not used: it may not be set yet.
#[inline(always)]
fn ip_packet(skb: *const u8) -> Option<Kernel> {
    let head: *const u8 = member(skb, OFFSET_SK_BUFF_HEAD.load())?;
    let tail: u32 = member(skb, OFFSET_SK_BUFF_TAIL.load())?;
    let network: u16 = member(skb, OFFSET_SK_BUFF_NETWORK_HEADER.load())?;
    let len = tail.checked_sub(u32::from(network))?;
    Some(Kernel {
        start: head.wrapping_add(usize::from(network)),
        len,
    })
}
