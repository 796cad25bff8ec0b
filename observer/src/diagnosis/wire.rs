//! The wire's facts of an attempt as one short clause: what a line of the tail says after the endpoints.

use super::words;
use crate::attempt::{Attempt, Icmp, Origin, Outcome, Reach};
use crate::time::Time;

/// For example `3 SYNs in 4.0 s, never delivered`.
pub(crate) fn clause(attempt: &Attempt) -> String {
    let place = place(attempt.outcome, attempt.origin, attempt.reach);
    match attempt.outcome {
        Outcome::Connected => connected(attempt),
        Outcome::Refused => format!("RST {place}{}", after(attempt, reset(attempt))),
        Outcome::Rejected => {
            let answer = icmp(attempt).map_or_else(
                || format!("RST that the destination never sent{}", after(attempt, reset(attempt))),
                words::icmp,
            );
            format!("{answer}, {place}")
        }
        Outcome::Unreachable => match icmp(attempt) {
            Some(error) => format!("{}, {place}", words::icmp(error)),
            None => format!("{}, {place}", syns(attempt)),
        },
        Outcome::Timeout => format!("{}, {place}", syns(attempt)),
        Outcome::HalfOpen => format!("{}, the SYN-ACK left and never arrived", syns(attempt)),
        Outcome::Aborted => {
            let at = attempt.points.iter().find_map(|point| point.aborted);
            format!("the client gave up{}", after(attempt, at))
        }
    }
}

fn connected(attempt: &Attempt) -> String {
    let repeats = if attempt.syns > 1 {
        format!(", {} SYNs", attempt.syns)
    } else {
        String::new()
    };
    match attempt.handshake {
        Some(span) => format!("{}{repeats}", words::span(span)),
        None => format!("SYN-ACK left the destination{repeats}"),
    }
}

fn syns(attempt: &Attempt) -> String {
    let waited = attempt.decided.since(attempt.first);
    let plural = if attempt.syns == 1 { "" } else { "s" };
    format!("{} SYN{plural} in {}", attempt.syns, words::span(waited))
}

/// The part of the clause that tells where: all of it that another node may know better.
pub(crate) fn place(outcome: Outcome, origin: Option<Origin>, reach: Reach) -> &'static str {
    match (outcome, origin, reach) {
        (Outcome::Refused, Some(Origin::DestinationPod), _) => "from the destination pod",
        (Outcome::Refused, Some(Origin::Node), _) => "from the node's own stack",
        (Outcome::Refused, Some(Origin::Path), _) => "made on the way",
        (Outcome::Refused, Some(Origin::Unknown) | None, _) => "from an unobserved place",
        (_, _, Reach::NotSent) => "never left the pod",
        (_, _, Reach::LeftSource) => "never delivered",
        (_, _, Reach::LeftNode) => "seen leaving, arrival not observed",
        (Outcome::Timeout, _, Reach::Delivered) => "delivered, no answer",
        (_, _, Reach::Delivered) => "delivered",
        (_, _, Reach::Unknown) => "delivery not observed",
    }
}

fn reset(attempt: &Attempt) -> Option<Time> {
    attempt.points.iter().find_map(|point| point.reset)
}

fn icmp(attempt: &Attempt) -> Option<Icmp> {
    attempt.points.iter().find_map(|point| point.icmp)
}

fn after(attempt: &Attempt, at: Option<Time>) -> String {
    at.map_or_else(String::new, |at| {
        format!(" after {}", words::span(at.since(attempt.first)))
    })
}
