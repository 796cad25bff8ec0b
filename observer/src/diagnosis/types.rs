//! What goes into a diagnosis and what comes out.

use crate::attempt::Attempt;
use crate::endpoint::{Endpoint, PerhapsVia};
use crate::policy::Verdict;

/// Everything that is known of an attempt beside the wire's facts.
#[derive(Clone, Debug)]
pub struct Assessment {
    /// The attempt.
    pub attempt: Attempt,
    /// Who dialled.
    pub source: Endpoint,
    /// What was dialled.
    pub destination: Endpoint,
    /// What it became, where witnessed, or where there is only one possibility.
    pub backend: Option<Endpoint>,
    /// The Service that a directly dialled backend belongs to, if exactly one.
    pub perhaps_via: Option<PerhapsVia>,
    /// What the policies say.
    pub verdict: Verdict,
    /// What else on the node could explain a lost packet, at its worst while the attempt ran.
    pub node: NodeState,
    /// For an attempt that was answered although the policies deny it: how many in a row were on this edge, this one included.
    pub answered_although_denied: u32,
}

/// What else on the node could explain a lost packet.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct NodeState {
    /// Entries in the connection tracking table and its limit; `None` where there is none.
    pub conntrack: Option<(u64, u64)>,
}

/// The conclusion.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnosis {
    /// The cause; `None` for a connected and allowed attempt.
    pub cause: Option<Cause>,
    /// How sure; `None` exactly where `cause` is.
    pub confidence: Option<Confidence>,
    /// Why this cause and this confidence, in order of weight, each a clause without a full stop.
    pub reasons: Vec<String>,
    /// One line: what to do. `None` where there is nothing to do.
    pub advice: Option<String>,
    /// The facts behind it.
    pub evidence: Vec<Evidence>,
}

/// One fact behind a cause.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// Kebab-case kind of fact: `syn-seen`, `syn-absent`, `drop`, `icmp`, `rst`, `verdict`, `policy-change`, `listener` …
    pub kind: &'static str,
    /// The fact as a clause.
    pub text: String,
}

/// How sure a cause is.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Hash)]
pub enum Confidence {
    /// Cannot be told, and the reason is said.
    Undecidable,
    /// Nothing speaks against it.
    Possible,
    /// One witness, nothing else explains it.
    Probable,
    /// A second, independent witness agrees.
    Confirmed,
}

impl Confidence {
    /// Every degree, the surest first.
    pub const ALL: [Self; 4] = [Self::Confirmed, Self::Probable, Self::Possible, Self::Undecidable];

    /// The stable kebab-case code.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Undecidable => "undecidable",
            Self::Possible => "possible",
            Self::Probable => "probable",
            Self::Confirmed => "confirmed",
        }
    }
}

/// Why an attempt ended as it did.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Hash)]
pub enum Cause {
    /// The policies deny it and it was answered all the same.
    NotEnforced,
    /// Nobody listens on the port.
    AppNotListening,
    /// The Service has no endpoints.
    NoEndpoints,
    /// The Service's endpoints are not ready.
    BackendNotReady,
    /// A `Local` traffic policy and no endpoint on this node.
    NoLocalEndpoint,
    /// The Service has no such port.
    NoSuchServicePort,
    /// No Service has this address.
    UnknownServiceAddress,
    /// The address belonged to a pod that has ended.
    StaleAddress,
    /// Something else than a policy stopped it.
    BlockedNotByPolicy,
    /// A policy denies it and a filter answered so.
    PolicyRejected,
    /// A policy denies egress.
    PolicyEgress,
    /// A policy denies ingress.
    PolicyIngress,
    /// Policies deny both directions.
    PolicyBoth,
    /// The application accepts too slowly.
    AcceptQueueFull,
    /// It was delivered, and nothing came back.
    Unanswered,
    /// The answer left the destination and did not arrive.
    AnswerLost,
    /// A RST came from who knows where.
    RefusedByUnknown,
    /// The client gave up.
    AbortedByClient,
    /// It cannot be told.
    Undecidable,
}

impl Cause {
    /// Every cause, in the order of the documentation.
    pub const ALL: [Self; 19] = [
        Self::NotEnforced,
        Self::AppNotListening,
        Self::NoEndpoints,
        Self::BackendNotReady,
        Self::NoLocalEndpoint,
        Self::NoSuchServicePort,
        Self::UnknownServiceAddress,
        Self::StaleAddress,
        Self::BlockedNotByPolicy,
        Self::PolicyRejected,
        Self::PolicyEgress,
        Self::PolicyIngress,
        Self::PolicyBoth,
        Self::AcceptQueueFull,
        Self::Unanswered,
        Self::AnswerLost,
        Self::RefusedByUnknown,
        Self::AbortedByClient,
        Self::Undecidable,
    ];

    /// The stable kebab-case code.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::NotEnforced => "not-enforced",
            Self::AppNotListening => "app-not-listening",
            Self::NoEndpoints => "no-endpoints",
            Self::BackendNotReady => "backend-not-ready",
            Self::NoLocalEndpoint => "no-local-endpoint",
            Self::NoSuchServicePort => "no-such-service-port",
            Self::UnknownServiceAddress => "unknown-service-address",
            Self::StaleAddress => "stale-address",
            Self::BlockedNotByPolicy => "blocked-not-by-policy",
            Self::PolicyRejected => "policy-rejected",
            Self::PolicyEgress => "policy-egress",
            Self::PolicyIngress => "policy-ingress",
            Self::PolicyBoth => "policy-both",
            Self::AcceptQueueFull => "accept-queue-full",
            Self::Unanswered => "unanswered",
            Self::AnswerLost => "answer-lost",
            Self::RefusedByUnknown => "refused-by-unknown",
            Self::AbortedByClient => "aborted-by-client",
            Self::Undecidable => "undecidable",
        }
    }
}
