//! The structs that cross from the kernel to user space, and their version.
//!
//! Integers only, `#[repr(C)]`, explicit padding, sizes asserted at compile time. Addresses are 16 bytes in network
//! order, IPv4 as IPv4-mapped (`::ffff:a.b.c.d`); ports, sequence numbers and counts are in host order. Times are
//! `CLOCK_MONOTONIC` nanoseconds (`bpf_ktime_get_ns`). User space reads and writes them as bytes, without unsafe code, by
//! the traits of `zerocopy` (feature `user`), whose derive also proves that no padding is implicit.
//!
//! ```text
//! map         holds                  who writes, who deletes
//! HANDSHAKES  hash Key → Pending     unfinished handshakes, one entry per observation point and tuple. The tc programs
//!                                    write; they remove what is finished, the sweep removes what is too old
//! EVENTS      ring of Event          state changes (answered, reset, rejected, …) and drops, one struct for all
//! COUNTERS    per-CPU array of u64   index is a Counter. The programs add; nobody resets
//! INTERFACES  hash u32 → Interface   by ifindex. The tc programs create and write; user space removes an entry once the
//!                                    interface is gone and swept
//! EXPIRED     hash u32 → u64         by ifindex: how many entries of HANDSHAKES user space removed. Only user space writes
//! NETNS       hash u32 → u8          network namespaces (inode numbers) whose drops are of interest. Only user space writes
//! AYA_LOGS    ring of aya-log        debug lines
//!
//! program              type             attach to
//! from_pod             tc classifier    ingress of the host side of a pod's veth
//! to_pod               tc classifier    egress of the host side of a pod's veth
//! kfree_skb            BTF tracepoint   kfree_skb, where its prototype has a reason (5.17 and later)
//! kfree_skb_no_reason  BTF tracepoint   kfree_skb of older kernels
//! empty, connection    tc classifier    nothing: only the benchmark runs them
//! ```
//!
//! `HANDSHAKES`, `INTERFACES`, `EXPIRED` and `EVENTS` have default sizes that the loader may change before loading.
//! Globals (read-only for the programs, set by the loader): `OBSERVER_ABI` (u32, only to be read), [`SHARE`], [`IGNORED_REASONS`],
//! [`OFFSETS`], and aya-log's `AYA_LOG_LEVEL` (u8: 0 off, 1 error … 5 trace; **255, everything, unless the loader sets it**).
//!
//! The entry of a handshake goes with its first answer. A SYN that is sent again after that (its answer was lost behind the
//! observation point) is a new entry with the same ISN, and its answer is `ANSWERED` again: whoever reads the events must remember
//! the ISNs of finished attempts.

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
    /// A SYN-ACK passed for which no handshake with this ISN is pending here: a repeat, or one that began before we attached. An
    /// entry with another ISN stays.
    pub const ANSWERED_AGAIN: u8 = 2;
    /// A RST answered a pending handshake: from the server's side, with an acceptable acknowledgement. The entry is removed.
    pub const RESET: u8 = 3;
    /// A RST by the client's side, with a sequence number of a pending handshake; the entry is removed.
    pub const ABORTED: u8 = 4;
    /// An ICMP error quoted the SYN of a pending handshake; the entry is removed. A client that goes on retransmitting
    /// makes a new entry with the same ISN.
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
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[cfg_attr(
    feature = "user",
    derive(zerocopy::FromBytes, zerocopy::Immutable, zerocopy::IntoBytes, zerocopy::KnownLayout)
)]
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
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[cfg_attr(
    feature = "user",
    derive(zerocopy::FromBytes, zerocopy::Immutable, zerocopy::IntoBytes, zerocopy::KnownLayout)
)]
pub struct Pending {
    /// When the first SYN passed, in nanoseconds.
    pub first_ns: u64,
    /// When the last SYN passed, in nanoseconds.
    pub last_ns: u64,
    /// The SYN's sequence number.
    pub isn: u32,
    /// How many SYNs passed with this ISN.
    pub syns: u32,
    /// Bytes of payload in the SYN that carried most (TCP Fast Open): an answer may acknowledge up to so many.
    pub payload: u32,
    /// Zero.
    pub pad: u32,
}

/// One state change, or one drop.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[cfg_attr(
    feature = "user",
    derive(zerocopy::FromBytes, zerocopy::Immutable, zerocopy::IntoBytes, zerocopy::KnownLayout)
)]
pub struct Event {
    /// When this packet passed, in nanoseconds.
    pub time_ns: u64,
    /// `DROPPED`: the address of the instruction that freed the packet.
    pub location: u64,
    /// The pending handshake as it was before this packet; all zero where none was pending (`ANSWERED_AGAIN`,
    /// `DROPPED`), but `isn` is always set where it can be told: from the acknowledgement, less one, for answers (a repeated
    /// answer that acknowledges Fast Open data names a later number); 0 for a dropped RST without one.
    pub pending: Pending,
    /// The point and the tuple, oriented by the SYN. For a drop: `ifindex` is the packet's device (0 if it had none) and
    /// `direction` is [`direction::FROM_POD`] without meaning.
    pub key: Key,
    /// Address of the sender of this packet: for `REJECTED` the outer source of the ICMP error.
    pub sender: [u8; 16],
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
    pub pad: [u8; 5],
}

/// What the kernel side keeps of an interface.
///
/// Pending handshakes of an interface are `inserted - finished - EXPIRED[ifindex]`. A new SYN that finds [`SHARE`] of them is not put into the
/// table, so that one pod's SYN flood leaves room for the others. SYNs that arrive on several CPUs at the same moment may pass the
/// limit by one each.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[cfg_attr(
    feature = "user",
    derive(zerocopy::FromBytes, zerocopy::Immutable, zerocopy::IntoBytes, zerocopy::KnownLayout)
)]
pub struct Interface {
    /// Handshakes put into the table, of both directions.
    pub inserted: u64,
    /// Handshakes that the kernel side removed from it.
    pub finished: u64,
    /// When the last SYN, SYN-ACK, RST or ICMP error passed, in nanoseconds, by [`direction`]; 0 for never. A time after the
    /// attaching proves that the hook works. Other packets do not count: a look-up would cost each of them more than
    /// everything else that the programs do with it.
    pub seen_ns: [u64; 2],
}

/// Where the benchmark's program `connection` finds the SYN-ACK: two frames in one packet.
pub const CONNECTION_AT: u32 = 128;

/// Global (u32): the most handshakes that one interface may have pending.
pub const SHARE: &str = "SHARE";

/// The value of [`SHARE`] unless the loader sets it.
pub const SHARE_DEFAULT: u32 = 8192;

/// The size of `HANDSHAKES` unless the loader sets it.
pub const HANDSHAKES_DEFAULT: u32 = 65536;

/// Global (`[u32; IGNORED_REASONS_LEN]`): drop reasons, as the running kernel numbers them, of which no event is made; unused places
/// hold `u32::MAX`.
pub const IGNORED_REASONS: &str = "IGNORED_REASONS";

/// How many reasons [`IGNORED_REASONS`] holds.
pub const IGNORED_REASONS_LEN: usize = 8;

/// A global (u32) that holds the byte offset of a member in a struct of the running kernel.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Offset {
    /// Name of the global.
    pub global: &'static str,
    /// Name of the kernel's struct.
    pub of: &'static str,
    /// The member, with dots for members of members. Unnamed structs and unions do not count as a step.
    pub path: &'static str,
    /// Size of the member in bytes, as the program reads it.
    pub size: u32,
}

/// What the `kfree_skb` programs need to know of the running kernel (rustc emits no CO-RE relocations). The loader fills all of them, or does not load
/// these programs.
pub const OFFSETS: [Offset; 10] = [
    Offset {
        global: "OFFSET_SK_BUFF_HEAD",
        of: "sk_buff",
        path: "head",
        size: 8,
    },
    Offset {
        global: "OFFSET_SK_BUFF_TAIL",
        of: "sk_buff",
        path: "tail",
        size: 4,
    },
    Offset {
        global: "OFFSET_SK_BUFF_NETWORK_HEADER",
        of: "sk_buff",
        path: "network_header",
        size: 2,
    },
    Offset {
        global: "OFFSET_SK_BUFF_PROTOCOL",
        of: "sk_buff",
        path: "protocol",
        size: 2,
    },
    Offset {
        global: "OFFSET_SK_BUFF_DEV",
        of: "sk_buff",
        path: "dev",
        size: 8,
    },
    Offset {
        global: "OFFSET_SK_BUFF_SK",
        of: "sk_buff",
        path: "sk",
        size: 8,
    },
    Offset {
        global: "OFFSET_NET_DEVICE_IFINDEX",
        of: "net_device",
        path: "ifindex",
        size: 4,
    },
    Offset {
        global: "OFFSET_NET_DEVICE_NET",
        of: "net_device",
        path: "nd_net.net",
        size: 8,
    },
    Offset {
        global: "OFFSET_SOCK_NET",
        of: "sock",
        path: "__sk_common.skc_net.net",
        size: 8,
    },
    Offset {
        global: "OFFSET_NET_INUM",
        of: "net",
        path: "ns.inum",
        size: 4,
    },
];

const _: () = assert!(size_of::<Key>() == 44);
const _: () = assert!(size_of::<Pending>() == 32);
const _: () = assert!(size_of::<Event>() == 136);
const _: () = assert!(size_of::<Interface>() == 32);

/// Indexes of the per-CPU counters, in the order of the map `COUNTERS`.
#[repr(u32)]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Counter {
    /// Handshakes put into the table.
    Inserted,
    /// Handshakes that the kernel side removed: answered, reset, rejected, aborted or superseded.
    Finished,
    /// SYNs that found the table full, or that the kernel would not put there for another reason.
    LostFull,
    /// SYNs that found their interface's share of the table used up.
    LostShare,
    /// Events that found the ring full.
    LostEvents,
    /// Packets whose headers could not be parsed: truncated, or an unknown chain of headers.
    Unparsed,
    /// Fragments without a TCP header.
    Fragments,
    /// RSTs for the tuple of a pending handshake whose numbers do not fit it: from the server's side the acknowledgement
    /// (RFC 9293, 3.10.7.3), from the client's side the sequence number. They belong to an older connection.
    ResetsOutside,
    /// ICMP errors that quote a TCP packet of no pending handshake: of an established connection, or a forged one.
    IcmpUnmatched,
    /// `kfree_skb` calls whose packet could not be read.
    DropsUnread,
}

impl Counter {
    /// All of them, in the order of the map.
    pub const ALL: [Self; 10] = [
        Self::Inserted,
        Self::Finished,
        Self::LostFull,
        Self::LostShare,
        Self::LostEvents,
        Self::Unparsed,
        Self::Fragments,
        Self::ResetsOutside,
        Self::IcmpUnmatched,
        Self::DropsUnread,
    ];
}

/// How many [`Counter`]s there are.
pub const COUNTERS: u32 = Counter::ALL.len() as u32;

const _: () = {
    let mut at = 0;
    while at < Counter::ALL.len() {
        assert!(Counter::ALL[at] as usize == at);
        at += 1;
    }
};
