//! Which of Hubble's verdicts, drop reasons and event types an attempt is. The table for users is in `docs/hubble.md`.
//!
//! A verdict says what the network did: `FORWARDED` where it connected, `AUDIT` where it was answered although the policies deny it,
//! `DROPPED` where the SYN was stopped on its way, `ERROR` where it was not, or nobody knows, and no connection came of it. While an
//! attempt is not decided it is `TRACED`.

use observer_api::flow::{CiliumEventType, DropReason, TraceObservationPoint, TrafficDirection, Verdict};

use super::is_provisional;
use crate::attempt::{Outcome, Reach};
use crate::diagnosis::{Cause, drops};
use crate::policy::Decision;
use crate::report::{DropRecord, Record};

/// Cilium's message type of a drop; its sub-type is the reason.
pub(super) const DROP: i32 = 1;

/// Cilium's message type of a packet that was seen; its sub-type says where.
pub(super) const TRACE: i32 = 4;

/// What the network did.
pub(super) fn verdict(record: &Record) -> Verdict {
    if is_provisional(record) {
        return Verdict::Traced;
    }
    match record.cause {
        Some(Cause::NotEnforced) => return Verdict::Audit,
        _ if record.outcome == Outcome::Connected => return Verdict::Forwarded,
        Some(
            Cause::NoEndpoints
            | Cause::BackendNotReady
            | Cause::NoLocalEndpoint
            | Cause::NoSuchServicePort
            | Cause::UnknownServiceAddress
            | Cause::StaleAddress
            | Cause::BlockedNotByPolicy
            | Cause::PolicyRejected
            | Cause::PolicyEgress
            | Cause::PolicyIngress
            | Cause::PolicyBoth,
        ) => return Verdict::Dropped,
        Some(
            Cause::AppNotListening
            | Cause::AcceptQueueFull
            | Cause::Unanswered
            | Cause::AnswerLost
            | Cause::RefusedByUnknown
            | Cause::AbortedByClient,
        ) => return Verdict::Error,
        Some(Cause::Undecidable) | None => {}
    }
    // Why is not known, but that it was stopped may be.
    match record.outcome {
        Outcome::Rejected | Outcome::Unreachable => Verdict::Dropped,
        Outcome::Timeout if record.drop.is_some() => Verdict::Dropped,
        _ => Verdict::Error,
    }
}

/// Whether it was stopped on its way.
pub(super) fn is_dropped(record: &Record) -> bool {
    verdict(record) == Verdict::Dropped
}

/// The nearest of Cilium's reasons; `DROP_REASON_UNKNOWN` where none says it, and for every verdict but `DROPPED`.
pub(super) fn reason(record: &Record) -> DropReason {
    if !is_dropped(record) {
        return DropReason::Unknown;
    }
    match record.cause {
        Some(Cause::PolicyRejected | Cause::PolicyEgress | Cause::PolicyIngress | Cause::PolicyBoth) => {
            DropReason::PolicyDenied
        }
        Some(Cause::NoEndpoints | Cause::BackendNotReady | Cause::NoLocalEndpoint | Cause::NoSuchServicePort) => {
            DropReason::ServiceBackendNotFound
        }
        Some(Cause::UnknownServiceAddress | Cause::StaleAddress) => DropReason::StaleOrUnroutableIp,
        Some(Cause::BlockedNotByPolicy) => record.drop.as_ref().map_or(DropReason::Unknown, of_drop),
        _ => DropReason::Unknown,
    }
}

fn of_drop(drop: &DropRecord) -> DropReason {
    let reading = drops::by_name(drop.reason.as_deref(), drop.function.as_deref());
    match reading.map(|reading| reading.stage) {
        Some(drops::Stage::Neighbour) => DropReason::UnknownL3TargetAddress,
        Some(drops::Stage::Route) => DropReason::FibLookupFailed,
        Some(drops::Stage::ReversePath) => DropReason::InvalidSourceIp,
        _ => DropReason::Unknown,
    }
}

/// A drop where Cilium has a name for it, else where the SYN was seen last: clients print the name of one or the other.
pub(super) fn event(record: &Record) -> CiliumEventType {
    let reason = reason(record);
    if reason != DropReason::Unknown {
        return CiliumEventType {
            r#type: DROP,
            sub_type: reason as i32,
        };
    }
    CiliumEventType {
        r#type: TRACE,
        sub_type: match point(record) {
            // Counted from the packet's side, as the kernel programs of Cilium do.
            TraceObservationPoint::ToEndpoint => 0,
            other => other as i32,
        },
    }
}

/// Where the SYN was seen last.
pub(super) fn point(record: &Record) -> TraceObservationPoint {
    match record.reach {
        Reach::Delivered => TraceObservationPoint::ToEndpoint,
        Reach::LeftNode => TraceObservationPoint::ToNetwork,
        Reach::NotSent | Reach::LeftSource | Reach::Unknown => TraceObservationPoint::FromEndpoint,
    }
}

/// The direction that decided, where policies did; else the one that was observed.
pub(super) fn direction(record: &Record) -> TrafficDirection {
    let egress = match record.cause {
        Some(
            Cause::PolicyEgress | Cause::PolicyIngress | Cause::PolicyBoth | Cause::PolicyRejected | Cause::NotEnforced,
        ) => record.verdict.egress.decision == Decision::Denied,
        _ => record.source_observed,
    };
    if egress {
        TrafficDirection::Egress
    } else {
        TrafficDirection::Ingress
    }
}
