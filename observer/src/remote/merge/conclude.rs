//! Why an attempt failed, from the two halves of it.
//!
//! | the client saw | the destination's node saw | who concludes |
//! | --- | --- | --- |
//! | a failure | the same | the destination's node: who ended it, and what it met, is seen there alone |
//! | refused | rejected | the destination's node: a filter in the pod made the RST |
//! | timeout | an answer leave | both: the answer was lost, or the policies are not enforced |
//! | else | | the owner, as before: what was seen at the destination is evidence |
//!
//! Where the owner saw a SYN die itself, it goes on concluding, less sure. Where the two nodes' policies answer differently, what would
//! rest on them is undecidable.

use crate::attempt::{Origin, Outcome};
use crate::diagnosis::{Cause, Confidence, WAY_BACK};
use crate::policy::{Decision, Undecidable};
use crate::report::{DirectionRecord, Record, VerdictRecord};

/// What the two nodes saw of one end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Ends {
    /// The same end.
    Same,
    /// The destination answered, and the client waited in vain.
    Lost,
    /// The end was another's doing.
    Other,
}

/// The conclusion of a record.
struct Conclusion {
    cause: Option<Cause>,
    confidence: Option<Confidence>,
    reasons: Vec<String>,
    advice: Option<String>,
}

impl Ends {
    /// How the two ends go together.
    pub(super) fn of(client: Outcome, destination: Outcome) -> Self {
        use Outcome::{HalfOpen, Refused, Rejected, Timeout, Unreachable};
        match (client, destination) {
            (client, destination) if client == destination => Self::Same,
            (Refused, Rejected) => Self::Same,
            (Timeout, HalfOpen | Refused | Rejected | Unreachable) => Self::Lost,
            _ => Self::Other,
        }
    }
}

/// Why it failed, as both nodes together know it.
pub(super) fn conclude(owner: &mut Record, seen: &Record, ends: Ends) {
    if owner.drop.is_some() {
        less_sure(owner, seen);
    } else if ends != Ends::Other {
        let conclusion = joint(owner, seen, ends);
        owner.cause = conclusion.cause;
        owner.confidence = conclusion.confidence;
        owner.reasons = conclusion.reasons;
        owner.advice = conclusion.advice;
    }
    // The advice is to observe the destination's node.
    if owner.cause == Some(Cause::RefusedByUnknown) && owner.origin == Some(Origin::Unknown) {
        owner.advice = None;
    }
}

fn joint(owner: &mut Record, seen: &Record, ends: Ends) -> Conclusion {
    let Some(verdict) = verdict(&owner.verdict, &seen.verdict) else {
        return differ(owner, seen);
    };
    owner.verdict = verdict;
    owner.drop.clone_from(&seen.drop);
    if ends == Ends::Lost {
        lost(owner, seen)
    } else {
        own(seen)
    }
}

/// The owner saw a SYN of it die, and the other node saw one arrive: not all of them met the same.
fn less_sure(owner: &mut Record, seen: &Record) {
    if owner.confidence > Some(Confidence::Possible) {
        owner.confidence = Some(Confidence::Possible);
        owner
            .reasons
            .push(format!("less sure, since a SYN of it reached node {}", seen.node));
    }
}

/// As it was concluded where it was seen.
fn own(seen: &Record) -> Conclusion {
    let there = format!("node {}", seen.node);
    let told = |text: &String| text.replace("this node", &there);
    Conclusion {
        cause: seen.cause,
        confidence: seen.confidence,
        reasons: seen.reasons.iter().map(told).collect(),
        advice: seen.advice.as_ref().map(told),
    }
}

/// The client saw nothing of what left the destination. Of its drops its node told only if it was an answer's.
fn lost(owner: &Record, seen: &Record) -> Conclusion {
    let drop_seen = seen.cause == Some(Cause::AnswerLost) && seen.confidence > Some(Confidence::Possible);
    if drop_seen || class(seen.verdict.decision) != Class::Allowed {
        return own(seen);
    }
    let told = format!(
        "node {} saw an answer leave the destination, and it never reached the client",
        seen.node
    );
    let drops = owner.evidence.iter().filter(|fact| fact.kind == "drop");
    Conclusion {
        cause: Some(Cause::AnswerLost),
        confidence: Some(Confidence::Possible),
        reasons: std::iter::once(told)
            .chain(drops.map(|fact| fact.text.clone()))
            .collect(),
        advice: Some(WAY_BACK.into()),
    }
}

/// What the nodes know of the cluster is not the same, and the conclusion would not be either.
fn differ(owner: &Record, seen: &Record) -> Conclusion {
    let says = |record: &Record| {
        let VerdictRecord { egress, ingress, .. } = &record.verdict;
        let (egress, ingress) = (egress.decision.code(), ingress.decision.code());
        format!(
            "as node {} knows it egress is {egress} and ingress {ingress}",
            record.node
        )
    };
    Conclusion {
        cause: Some(Cause::Undecidable),
        confidence: Some(Confidence::Undecidable),
        reasons: vec![
            format!(
                "the two nodes answer differently for the policies: {}, {}",
                says(owner),
                says(seen)
            ),
            "one of them may not have known of a change yet, or a rewritten address hid the client".into(),
            format!("on the wire: {}", owner.wire),
        ],
        advice: None,
    }
}

/// What the policies say, where both nodes say the same: egress as the client's node knows it, ingress as the destination's.
fn verdict(owner: &VerdictRecord, seen: &VerdictRecord) -> Option<VerdictRecord> {
    let agree = |owner: &DirectionRecord, seen: &DirectionRecord| {
        lacks_other_end(owner) || class(owner.decision) == class(seen.decision)
    };
    let egress = if lacks_other_end(&owner.egress) { seen } else { owner };
    (agree(&owner.egress, &seen.egress) && agree(&owner.ingress, &seen.ingress)).then(|| VerdictRecord {
        decision: seen.decision,
        egress: egress.egress.clone(),
        ingress: seen.ingress.clone(),
    })
}

/// It is open only for want of what the other node saw: where the SYN went, and from which address it came there.
fn lacks_other_end(direction: &DirectionRecord) -> bool {
    let codes = [
        Undecidable::BackendUnknown.code(),
        Undecidable::NoTarget.code(),
        Undecidable::SourceRewritten.code(),
    ];
    direction
        .undecidable
        .as_deref()
        .is_some_and(|reason| codes.contains(&reason))
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Class {
    Allowed,
    Denied,
    Open,
}

fn class(decision: Decision) -> Class {
    match decision {
        Decision::NotApplicable | Decision::NotIsolated | Decision::Allowed => Class::Allowed,
        Decision::Denied => Class::Denied,
        Decision::Undecidable => Class::Open,
    }
}
