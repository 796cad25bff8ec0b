//! The structs that cross from the kernel to user space, and their version.
//!
//! Integers only, `#[repr(C)]`, explicit padding, sizes asserted at compile time. Addresses are 16 bytes in network
//! order, IPv4 as IPv4-mapped (`::ffff:a.b.c.d`); ports, sequence numbers and counts are in host order. Times are
//! `CLOCK_MONOTONIC` nanoseconds (`bpf_ktime_get_ns`).
//!
//! ```text
//! HANDSHAKES: Key → Pending      unfinished handshakes, one entry per observation point and tuple
//! EVENTS:     ring of Event      state changes (answered, reset, rejected, …) and drops, one struct for all
//! ```

/// Changes whenever a struct or the meaning of a field here changes. The object carries it as the global
/// `OBSERVER_ABI`; the loader refuses another one.
pub const ABI_VERSION: u32 = 1;

/// The direction of a packet at a pod's interface, as the values of [`Key::direction`].
pub mod direction {
    /// The packet came from the pod: the ingress hook of the veth's host side.
    pub const FROM_POD: u8 = 0;
    /// The packet goes to the pod: the egress hook of the veth's host side.
    pub const TO_POD: u8 = 1;
}

/// What an [`Event`] says, as the values of [`Event::kind`].
pub mod kind {
    /// A SYN-ACK passed for a pending handshake; the entry is removed.
    pub const ANSWERED: u8 = 1;
    /// A SYN-ACK passed for which no handshake is pending here: a repeat, or one that began before we attached.
    pub const ANSWERED_AGAIN: u8 = 2;
    /// A RST answered a pending handshake: from the server's side, with an acceptable acknowledgement.
    pub const RESET: u8 = 3;
    /// A RST by the client's side for a pending handshake.
    pub const ABORTED: u8 = 4;
    /// An ICMP error quoted the SYN of a pending handshake.
    pub const REJECTED: u8 = 5;
    /// A SYN of a pending handshake passed again (same ISN).
    pub const RETRANSMITTED: u8 = 6;
    /// A SYN with another ISN took the place of a pending handshake; the event describes the one that was replaced.
    pub const SUPERSEDED: u8 = 7;
    /// The kernel freed a TCP packet (`kfree_skb`).
    pub const DROPPED: u8 = 8;
}

/// Which observation point and which tuple a pending handshake belongs to. Oriented by the SYN: `client` sent it.
#[repr(C)]
#[derive(Clone, Copy, Debug, Eq, PartialEq, Hash)]
pub struct Key {
    /// Client address.
    pub client: [u8; 16],
    /// Server address as in the SYN at this point.
    pub server: [u8; 16],
    /// Index of the interface in the observed network namespace.
    pub ifindex: u32,
    /// Client port.
    pub client_port: u16,
    /// Server port.
    pub server_port: u16,
    /// The way of the SYN at this interface ([`direction`]).
    pub direction: u8,
    /// Zero.
    pub pad: [u8; 3],
}

/// A handshake that was not finished yet. Written by the tc programs; read by the sweep, which removes old ones.
#[repr(C)]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Pending {
    /// When the first SYN passed, in nanoseconds.
    pub first_ns: u64,
    /// When the last SYN passed, in nanoseconds.
    pub last_ns: u64,
    /// The SYN's sequence number.
    pub isn: u32,
    /// How many SYNs passed with this ISN.
    pub syns: u32,
    /// Bytes of payload in the last SYN (TCP Fast Open).
    pub payload: u32,
    /// Zero.
    pub pad: u32,
}

/// One state change, or one drop.
#[repr(C)]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Event {
    /// When this packet passed, in nanoseconds.
    pub time_ns: u64,
    /// The point and the tuple, oriented by the SYN. For a drop: `ifindex` is the packet's device (0 if it had none) and
    /// `direction` is [`direction::FROM_POD`] without meaning.
    pub key: Key,
    /// The pending handshake as it was before this packet; all zero where none was pending (`ANSWERED_AGAIN`,
    /// `DROPPED`), but `isn` is always set where it can be told: from the acknowledgement for answers.
    pub pending: Pending,
    /// Address of the sender of this packet: for `REJECTED` the outer source of the ICMP error.
    pub sender: [u8; 16],
    /// `DROPPED`: the address of the instruction that freed the packet.
    pub location: u64,
    /// `DROPPED`: the drop reason as the running kernel numbers it; `u32::MAX` where the kernel gives none.
    pub reason: u32,
    /// `DROPPED`: inode number of the network namespace of the packet's device, else of its socket; 0 if neither.
    pub netns: u32,
    /// Sequence number of this packet, host order. For `REJECTED`: the quoted one.
    pub seq: u32,
    /// Acknowledgement number of this packet, host order; 0 without the ACK flag.
    pub ack: u32,
    /// One of [`kind`].
    pub kind: u8,
    /// TCP flags of this packet (FIN 1, SYN 2, RST 4, PSH 8, ACK 16, URG 32, ECE 64, CWR 128); quoted ones for
    /// `REJECTED` if the quote holds them, else 0.
    pub flags: u8,
    /// ICMP or ICMPv6 type (`REJECTED`).
    pub icmp_type: u8,
    /// ICMP or ICMPv6 code (`REJECTED`).
    pub icmp_code: u8,
    /// IP TTL or hop limit of this packet.
    pub ttl: u8,
    /// For `REJECTED`: TTL or hop limit in the quote.
    pub quoted_ttl: u8,
    /// `DROPPED`: 0 if the packet ran from client to server (SYN), 1 from server to client (SYN-ACK, RST).
    pub backward: u8,
    /// Zero.
    pub pad: u8,
}

const _: () = assert!(size_of::<Key>() == 44);
const _: () = assert!(size_of::<Pending>() == 32);
const _: () = assert!(size_of::<Event>() == 136);

/// Indexes of the per-CPU counters, in the order of the map `COUNTERS`.
#[repr(u32)]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Counter {
    /// Handshakes put into the table.
    Inserted,
    /// Handshakes that the kernel side removed: answered, reset, rejected, aborted or superseded.
    Finished,
    /// SYNs that found the table full.
    LostFull,
    /// SYNs that found their interface's share of the table used up.
    LostShare,
    /// Events that found the ring full.
    LostEvents,
    /// Packets whose headers could not be parsed: truncated, or an unknown chain of headers.
    Unparsed,
    /// Fragments without a TCP header.
    Fragments,
    /// RSTs for a pending handshake whose acknowledgement was not acceptable (RFC 9293, 3.10.7.3).
    ResetsOutside,
    /// ICMP errors that quote a TCP packet of no pending handshake.
    IcmpUnmatched,
    /// `kfree_skb` calls whose packet could not be read.
    DropsUnread,
}

/// How many [`Counter`]s there are.
pub const COUNTERS: u32 = 10;
