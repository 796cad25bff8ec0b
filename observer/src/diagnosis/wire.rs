//! The wire's facts of an attempt as one short clause: what a line of the tail says after the endpoints.

use super::words;
use crate::attempt::{Attempt, Icmp, Origin, Outcome, Reach};
use crate::time::Time;

/// For example `3 SYNs in 4.0 s, never delivered`.
pub(crate) fn clause(attempt: &Attempt) -> String {
    match attempt.outcome {
        Outcome::Connected => connected(attempt),
        Outcome::Refused => {
            let from = match attempt.origin {
                Some(Origin::DestinationPod) => "from the destination pod",
                Some(Origin::Node) => "from the node's own stack",
                Some(Origin::Path) => "made on the way",
                Some(Origin::Unknown) | None => "from an unobserved place",
            };
            format!("RST {from}{}", after(attempt, reset(attempt)))
        }
        Outcome::Rejected => {
            let answer = icmp(attempt).map_or_else(
                || format!("RST that the destination never sent{}", after(attempt, reset(attempt))),
                words::icmp,
            );
            format!("{answer}, {}", reach(attempt))
        }
        Outcome::Unreachable => match icmp(attempt) {
            Some(error) => format!("{}, {}", words::icmp(error), reach(attempt)),
            None => format!("{}, {}", syns(attempt), reach(attempt)),
        },
        Outcome::Timeout => format!("{}, {}", syns(attempt), reach(attempt)),
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

fn reach(attempt: &Attempt) -> &'static str {
    match attempt.reach {
        Reach::NotSent => "never left the pod",
        Reach::LeftSource => "never delivered",
        Reach::LeftNode => "seen leaving, arrival not observed",
        Reach::Delivered if attempt.outcome == Outcome::Timeout => "delivered, no answer",
        Reach::Delivered => "delivered",
        Reach::Unknown => "delivery not observed",
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
