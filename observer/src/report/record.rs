//! The record of a diagnosed attempt: what JSON shows as it is, and what every text form is made of.
//!
//! It is read back where another node's agent wrote it; what a newer agent adds is left out.
//! Fields are documented for users in `docs/json.md`, which a test holds against what is written here.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use super::codes;
use crate::attempt::{Origin, Outcome, Reach};
use crate::diagnosis::{Cause, Confidence};
use crate::objects::{Labels, Str};
use crate::policy::{Decision, Direction};
use crate::time::Time;

/// The version of the records' shape. It changes when a field goes or changes its meaning, not when one is added.
pub const SCHEMA: u32 = 1;

/// What a record is.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecordType {
    /// An attempt, provisional or final.
    Attempt,
    /// A correction of a final record.
    Revision,
    /// Something about the observer itself.
    Status,
}

/// A diagnosed attempt.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Record {
    /// [`SCHEMA`].
    pub schema: u32,
    /// What this record is.
    #[serde(rename = "type")]
    pub kind: RecordType,
    /// The first SYN.
    pub time: Time,
    /// When this record was decided.
    pub decided: Time,
    /// The node that observed it.
    pub node: Str,
    /// Pairs the records of one attempt.
    pub id: String,
    /// Initial sequence number.
    pub isn: u32,
    /// How it ended.
    #[serde(with = "codes")]
    pub outcome: Outcome,
    /// Who ended it.
    #[serde(with = "codes::or_null")]
    pub origin: Option<Origin>,
    /// How far the SYN got.
    #[serde(with = "codes")]
    pub reach: Reach,
    /// True exactly once per attempt.
    #[serde(rename = "final")]
    pub is_final: bool,
    /// SYNs sent.
    pub syns: u32,
    /// First SYN to SYN-ACK in microseconds.
    pub handshake_us: Option<u64>,
    /// The client's own interface was observed: else this is what the destination's node saw alone.
    pub source_observed: bool,
    /// The wire's facts as a clause.
    pub wire: String,
    /// What each observation point saw, the client's first.
    pub points: Vec<Point>,
    /// Who dialled.
    pub source: Party,
    /// What was dialled, and what it became.
    pub destination: Destination,
    /// What the policies say.
    pub verdict: VerdictRecord,
    /// The drop that weighs most.
    pub drop: Option<DropRecord>,
    /// The conclusion; `None` when connected and allowed.
    #[serde(with = "codes::or_null")]
    pub cause: Option<Cause>,
    /// How sure; `None` exactly where `cause` is.
    #[serde(with = "codes::or_null")]
    pub confidence: Option<Confidence>,
    /// Why, in order of weight.
    pub reasons: Vec<String>,
    /// What to do.
    pub advice: Option<String>,
    /// The facts behind it.
    pub evidence: Vec<Fact>,
}

/// An address and a port.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Deserialize, Serialize)]
pub struct Address {
    /// The address.
    pub ip: IpAddr,
    /// The port.
    pub port: u16,
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Self {
            ip: address.ip(),
            port: address.port(),
        }
    }
}

/// What one observation point saw.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Point {
    /// Interface name.
    pub interface: Str,
    /// Interface index.
    pub ifindex: u32,
    /// `from-pod` or `to-pod`: the way of the SYN.
    pub direction: Cow<'static, str>,
    /// Client as in the SYN here.
    pub client: Address,
    /// Server as in the SYN here.
    pub server: Address,
    /// First SYN here.
    pub first: Time,
    /// SYNs that passed here.
    pub syns: u32,
    /// First SYN-ACK here.
    pub syn_ack: Option<Time>,
    /// More SYN-ACKs after the first.
    pub syn_ack_repeats: u32,
    /// RST from the server's side.
    pub rst: Option<Time>,
    /// RST from the client.
    pub client_rst: Option<Time>,
    /// ICMP error.
    pub icmp: Option<IcmpRecord>,
    /// The interface is bound to the owner of the SYN's destination.
    pub bound: bool,
    /// Foreign programs run behind the hook.
    pub foreign: bool,
}

/// An ICMP error.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct IcmpRecord {
    /// Outer source address.
    pub from: IpAddr,
    /// Type.
    #[serde(rename = "type")]
    pub kind: u8,
    /// Code.
    pub code: u8,
    /// TTL or hop limit in the quoted header.
    pub quoted_ttl: u8,
}

/// What an endpoint is.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PartyKind {
    /// A pod with an address of its own.
    Pod,
    /// A Service.
    Service,
    /// A node, or a hostNetwork pod on it.
    Node,
    /// Nobody in the cluster.
    External,
    /// Cannot be told.
    Unknown,
}

/// One side of an attempt.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Party {
    /// Address, as dialled.
    pub ip: IpAddr,
    /// Port, as dialled.
    pub port: u16,
    /// What it is.
    pub kind: PartyKind,
    /// Namespace of the pod or Service.
    pub namespace: Option<Str>,
    /// Name of the pod, Service or node.
    pub name: Option<Str>,
    /// What owns the pod.
    pub workload: Option<WorkloadRecord>,
    /// The pod's labels. Records of older observers have none.
    #[serde(default)]
    pub labels: Labels,
}

/// What owns a pod.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct WorkloadRecord {
    /// `Deployment`, `StatefulSet` …
    pub kind: Str,
    /// Its name.
    pub name: Str,
}

/// The dialled side.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Destination {
    /// Who it was.
    #[serde(flatten)]
    pub party: Party,
    /// The Service that was dialled.
    pub service: Option<ServiceRecord>,
    /// The Service that it was perhaps dialled by, where only the backend was seen.
    pub perhaps_via: Option<ServiceRecord>,
    /// What the dialled address became.
    pub backend: Option<BackendRecord>,
}

/// A Service and one of its ports.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct ServiceRecord {
    /// Namespace.
    pub namespace: Str,
    /// Name.
    pub name: Str,
    /// The port that was dialled.
    pub port: u16,
}

/// What a dialled address became.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct BackendRecord {
    /// Address.
    pub ip: IpAddr,
    /// Port.
    pub port: u16,
    /// The pod's namespace.
    pub namespace: Option<Str>,
    /// The pod's name.
    pub name: Option<Str>,
}

/// What the policies say.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct VerdictRecord {
    /// Both directions together.
    #[serde(with = "codes")]
    pub decision: Decision,
    /// Egress of the source.
    pub egress: DirectionRecord,
    /// Ingress of the destination.
    pub ingress: DirectionRecord,
}

/// What the policies say of one direction.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct DirectionRecord {
    /// The answer.
    #[serde(with = "codes")]
    pub decision: Decision,
    /// Code of the reason, for `undecidable`.
    pub undecidable: Option<Cow<'static, str>>,
    /// The isolating policies, as `namespace/name`.
    pub policies: Vec<String>,
    /// The rule that allows.
    pub rule: Option<RuleRecord>,
    /// The nearest misses, nearest first.
    pub nearest: Vec<NearestRecord>,
    /// How many rules are farther off and not listed. Records of older observers list all.
    #[serde(default)]
    pub farther: usize,
}

/// Names a rule.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct RuleRecord {
    /// The policy, as `namespace/name`.
    pub policy: String,
    /// `ingress` or `egress`.
    #[serde(with = "codes")]
    pub direction: Direction,
    /// Position in the policy's list, from 1.
    pub number: u32,
}

/// A rule that did not match.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct NearestRecord {
    /// The rule.
    #[serde(flatten)]
    pub rule: RuleRecord,
    /// What it lacks.
    pub unmet: Vec<Fact>,
    /// The smallest change that would allow the attempt.
    pub change: String,
}

/// A packet that the kernel freed.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct DropRecord {
    /// The kernel's reason.
    pub reason: Option<Str>,
    /// The kernel's function.
    pub function: Option<Str>,
    /// `node` or `pod`: whose network namespace.
    pub place: Cow<'static, str>,
}

/// A kind and a text.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Fact {
    /// Kebab-case kind.
    pub kind: Cow<'static, str>,
    /// The fact as a clause.
    pub text: String,
}
