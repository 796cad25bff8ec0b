//! What goes into the tracker and what comes out.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::objects::Str;
use crate::time::Time;

/// The way of a packet at a pod's interface.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Hash)]
pub enum Direction {
    /// It came from the pod (ingress hook at the host's side).
    FromPod,
    /// It goes to the pod (egress hook at the host's side).
    ToPod,
}

/// What absence at a hook proves.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd)]
pub enum Hook {
    /// Nothing: not attached, blind behind another's filter, or of a kind that packets pass by.
    Blind,
    /// Not much: a plain veth without foreign programs should see everything, but no packet was counted there yet; or packets were
    /// counted, but programs of others may lead some past it.
    Assumed,
    /// A packet was counted there since we attached, and no program of others may lead packets past it.
    Proven,
}

/// An observed interface. The probe says what it is and says again when that changes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Point {
    /// Interface index in the node's network namespace.
    pub ifindex: u32,
    /// Interface name.
    pub name: Str,
    /// From when on its hooks see what passes: what passed before went unseen. It stays the same as long as we are attached.
    pub since: Time,
    /// Addresses routed to it (host routes, neighbour and forwarding entries). The tracker adds those it sees a pod use.
    pub addresses: Vec<IpAddr>,
    /// What absence of packets from the pod proves.
    pub from_pod: Hook,
    /// What absence of packets to the pod proves.
    pub to_pod: Hook,
    /// Foreign programs or filters run on the to-pod side: a SYN seen there can still be dropped behind us.
    pub foreign: bool,
    /// Programs of others run on either side: what is sent to the pod may be led past the to-pod hook (`bpf_redirect_peer`),
    /// however many packets were seen there.
    pub bypassed: bool,
}

/// What a packet did at a point, oriented by the SYN: `client` sent it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Sighting {
    /// The interface.
    pub ifindex: u32,
    /// The way of the SYN at that interface; an answer ran the other way.
    pub direction: Direction,
    /// Client address and port as in the SYN at this point.
    pub client: SocketAddr,
    /// Server address and port as in the SYN at this point.
    pub server: SocketAddr,
    /// Initial sequence number of the SYN.
    pub isn: u32,
    /// When this happened.
    pub at: Time,
    /// When the first SYN passed this point, and how many did until now; `None` where the kernel has no entry any more.
    pub pending: Option<PendingSyn>,
    /// What happened.
    pub what: Seen,
}

/// The SYNs of an unfinished handshake at one point.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PendingSyn {
    /// When the first passed.
    pub first: Time,
    /// When the last passed.
    pub last: Time,
    /// How many passed.
    pub syns: u32,
}

/// What happened at a point.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Seen {
    /// The SYN is pending here: found by a sweep, or sent again.
    Pending,
    /// A SYN-ACK passed for the first time.
    Answered,
    /// A SYN-ACK passed that belongs to no pending handshake here: a repeat or a late one.
    AnsweredAgain,
    /// An acceptable RST from the server's side passed.
    Reset {
        /// TTL or hop limit of the RST.
        ttl: u8,
        /// Its sequence number: a kernel's RST to a SYN has 0.
        seq: u32,
    },
    /// A RST from the client's side passed.
    Aborted,
    /// An ICMP error that quotes the SYN passed.
    Icmp(Icmp),
    /// Another SYN of the same tuple took its place: no more will be heard of it at this point.
    Superseded,
}

/// An ICMP error.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Icmp {
    /// Outer source. Under NAT this may read as the dialled address: no proof that the destination sent it.
    pub from: IpAddr,
    /// ICMP or ICMPv6 type (told apart by `from`'s family).
    pub kind: u8,
    /// Code.
    pub code: u8,
    /// TTL or hop limit in the quote: tells how many hops the SYN made.
    pub quoted_ttl: u8,
}

/// Whose network namespace a packet died in.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Hash)]
pub enum Place {
    /// The node's.
    Node,
    /// The pod's behind this interface.
    Pod {
        /// The interface at the host's side.
        ifindex: u32,
    },
}

/// Which packet of a handshake.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Segment {
    /// SYN.
    Syn,
    /// SYN-ACK.
    SynAck,
    /// RST.
    Rst,
}

/// The kernel freed a packet of a handshake.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Drop {
    /// When.
    pub at: Time,
    /// Where.
    pub place: Place,
    /// Which packet.
    pub segment: Segment,
    /// Client address and port in the packet that died (after translation, if it had taken place).
    pub client: SocketAddr,
    /// Server address and port in the packet that died: after prerouting the backend.
    pub server: SocketAddr,
    /// Initial sequence number of the attempt.
    pub isn: u32,
    /// The reason's name in the running kernel, without prefix (`NETFILTER_DROP`); `None` where the kernel gives none.
    pub reason: Option<Str>,
    /// The kernel function that freed it; `None` where addresses cannot be resolved.
    pub function: Option<Str>,
}

/// A listening socket, read from the pod's namespace.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Listener {
    /// Connections in the accept queue.
    pub queue: u32,
    /// Its limit: the queue is full when `queue > limit`.
    pub limit: u32,
}

/// What the tracker is told.
#[derive(Clone, Debug)]
pub enum Observation {
    /// An interface is observed, or what is known of it changed.
    Point(Point),
    /// An interface is not observed any more.
    PointGone {
        /// Its index.
        ifindex: u32,
    },
    /// Something happened at a point.
    Sighting(Sighting),
    /// The kernel freed a packet.
    Drop(Drop),
    /// The table of unfinished handshakes was read after `at`, and every entry older than `at` was told before this: what
    /// is not known now had not passed.
    Swept {
        /// The time up to which absence is certain.
        at: Time,
    },
    /// The listening sockets at the destination of an attempt were read.
    Listener {
        /// The attempt.
        id: AttemptId,
        /// The socket; `None`: nobody listens on that port.
        listener: Option<Listener>,
    },
    /// Events or table entries were lost at about this time.
    Lost {
        /// When it was noticed.
        at: Time,
        /// How many.
        count: u64,
    },
}

/// Names an attempt, unique while the process runs and over restarts (it holds the first SYN's time).
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Hash)]
pub struct AttemptId {
    /// First SYN's time in nanoseconds since the epoch.
    pub first: u64,
    /// The ISN.
    pub isn: u32,
    /// Counts attempts that share both.
    pub nth: u32,
}

impl std::fmt::Display for AttemptId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}-{:08x}", self.first, self.isn)?;
        if self.nth > 0 {
            write!(f, "-{}", self.nth)
        } else {
            Ok(())
        }
    }
}

/// How an attempt ended on the wire.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Hash)]
pub enum Outcome {
    /// The SYN-ACK entered the client's interface.
    Connected,
    /// A RST came.
    Refused,
    /// A filter answered.
    Rejected,
    /// ICMP host or net unreachable, or the SYN never left the pod.
    Unreachable,
    /// Nothing came until the deadline.
    Timeout,
    /// The SYN-ACK left the destination and did not arrive.
    HalfOpen,
    /// The client gave up with a RST before any SYN-ACK was delivered.
    Aborted,
}

/// Who ended an attempt.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Hash)]
pub enum Origin {
    /// Seen leaving the destination pod.
    DestinationPod,
    /// The node's own stack.
    Node,
    /// Something on the way.
    Path,
    /// The destination cannot be observed.
    Unknown,
}

/// How far the SYN got.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Hash)]
pub enum Reach {
    /// It died inside the source pod.
    NotSent,
    /// It left the source pod and was seen nowhere else, where it would have been seen.
    LeftSource,
    /// It left towards an interface that is not bound to its destination.
    LeftNode,
    /// It was seen at the interface of the endpoint that owns its destination.
    Delivered,
    /// Where it would have been seen next is not observed.
    Unknown,
}

/// Whether a record is the last of its attempt.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stage {
    /// It may still change.
    Provisional,
    /// Said exactly once per attempt.
    Final,
    /// A late answer corrects the final record.
    Revision,
}

/// What one observation point saw of an attempt.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PointFacts {
    /// Interface index.
    pub ifindex: u32,
    /// Interface name at that time.
    pub interface: Str,
    /// The way of the SYN here.
    pub direction: Direction,
    /// Client address and port here.
    pub client: SocketAddr,
    /// Server address and port here.
    pub server: SocketAddr,
    /// First SYN; where none was seen here (a blind hook), the first answer.
    pub first: Time,
    /// SYNs that passed.
    pub syns: u32,
    /// The first SYN-ACK.
    pub answered: Option<Time>,
    /// More SYN-ACKs after the first.
    pub repeats: u32,
    /// The RST from the server's side.
    pub reset: Option<Time>,
    /// The client's RST.
    pub aborted: Option<Time>,
    /// The ICMP error.
    pub icmp: Option<Icmp>,
    /// The interface is bound to the owner of `server`'s address (only of meaning for a SYN to the pod).
    pub bound: bool,
    /// Foreign programs run on the to-pod side here: what passed to the pod can still have been dropped behind us.
    pub foreign: bool,
}

/// What is known of the interface where the SYN should have been delivered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DestinationHook {
    /// The destination is on no observed interface.
    NotObserved,
    /// It is, and this is what absence there proves.
    Observed(Hook),
}

/// An attempt as far as it is known: the wire's facts, no opinion.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Attempt {
    /// Its name.
    pub id: AttemptId,
    /// Provisional, final or revision.
    pub stage: Stage,
    /// Initial sequence number.
    pub isn: u32,
    /// The first SYN anywhere (for `not-sent`: the first drop).
    pub first: Time,
    /// When this record was decided.
    pub decided: Time,
    /// Client as it dialled (before any translation where the client's point is observed).
    pub client: SocketAddr,
    /// Server as dialled.
    pub server: SocketAddr,
    /// The client's own interface was observed: `client` and `server` are what the application used.
    pub source_observed: bool,
    /// What the SYN became, as witnessed at the destination's point or in drop events: another address or port than
    /// `server`. `None` where it was not translated, where that was not witnessed, and where drop events disagree.
    pub backend: Option<SocketAddr>,
    /// The client address and port at the destination where the source was rewritten (masquerade).
    pub rewritten: Option<SocketAddr>,
    /// How it ended. For [`Stage::Provisional`]: how it would end now.
    pub outcome: Outcome,
    /// Who ended it; `None` where nobody did (timeout, half-open) or the client's side did (aborted, not sent).
    pub origin: Option<Origin>,
    /// How far the SYN got.
    pub reach: Reach,
    /// SYNs sent, counted at the point that saw most.
    pub syns: u32,
    /// First SYN to the SYN-ACK, at the client's point where observed.
    pub handshake: Option<Duration>,
    /// What each point saw, the client's first.
    pub points: Vec<PointFacts>,
    /// Drop events of this attempt, in the node's or an endpoint's namespace, oldest first, at most [`MAX_DROPS`].
    pub drops: Vec<Drop>,
    /// What is known of the destination's interface.
    pub destination: DestinationHook,
    /// The destination answered: a SYN-ACK or a RST was seen leaving its interface.
    pub answered_by_destination: bool,
    /// What no point told had not passed it: a sweep after it says so, and no other attempt's SYN could be meant. Without it
    /// absence proves nothing, whatever [`Attempt::destination`] says.
    pub absence_witnessed: bool,
    /// The listening socket at the destination, if it was read.
    pub listener: Option<Option<Listener>>,
    /// Events were lost on this node while the attempt ran: absence proves less.
    pub lost: bool,
    /// A reject was seen on the same edge within the last minute (rejects are rate-limited by the kernel): its ICMP error if it was one.
    pub recent_reject: Option<Option<Icmp>>,
    /// A handshake to the same server address and port completed within the last ten minutes, at this time.
    pub recent_success: Option<Time>,
}

/// At most so many points are kept per attempt, the destination's always: a bridge may flood a SYN to every pod.
pub const MAX_POINTS: usize = 16;

/// At most so many drop events are kept per attempt.
pub const MAX_DROPS: usize = 8;

/// What the tracker needs to know of the world beyond the wire.
pub trait Surroundings {
    /// Whether a SYN to `dialled` may arrive at `seen`: they are equal, or `seen` is a backend of the Service (or node
    /// port, host port, load balancer address) that `dialled` is, at that time.
    fn may_become(&self, dialled: SocketAddr, seen: SocketAddr, at: Time) -> bool;

    /// Whether `address` is one of the node's own.
    fn is_own_node(&self, address: IpAddr) -> bool;

    /// Where a SYN to `dialled` may arrive: itself for a pod's address, the ready backends of a Service; empty if none.
    fn destinations(&self, dialled: SocketAddr, at: Time) -> Vec<SocketAddr>;
}
