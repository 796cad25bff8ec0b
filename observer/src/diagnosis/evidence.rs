//! Every fact behind a cause, in the order of the packet's way: points, drops, endpoints, verdict, the node's state.

use super::facts::{Absence, Facts};
use super::{Evidence, misses, words};
use crate::attempt::{DestinationHook, Direction, Hook, Outcome, PointFacts, Reach, Segment};
use crate::policy::{Decision, DirectionVerdict, PolicyChangeKind};
use crate::time::Time;

/// All of it.
pub(super) fn evidence(facts: Facts<'_>) -> Vec<Evidence> {
    let mut list = List(Vec::new());
    points(facts, &mut list);
    drops(facts, &mut list);
    way(facts, &mut list);
    policies(facts, &mut list);
    surroundings(facts, &mut list);
    list.0
}

struct List(Vec<Evidence>);

impl List {
    fn add(&mut self, kind: &'static str, text: impl Into<String>) {
        self.0.push(Evidence {
            kind,
            text: text.into(),
        });
    }
}

fn points(facts: Facts<'_>, list: &mut List) {
    let first = facts.all.attempt.first;
    for point in &facts.all.attempt.points {
        let at = place(point);
        let plural = if point.syns == 1 { "" } else { "s" };
        list.add(
            "syn-seen",
            format!(
                "{} SYN{plural} {at}, to {}, {}",
                point.syns,
                point.server,
                after(point.first, first)
            ),
        );
        if let Some(time) = point.answered {
            let repeats = match point.repeats {
                0 => String::new(),
                times => format!(", repeated {times} times"),
            };
            list.add("syn-ack", format!("SYN-ACK {at} {}{repeats}", after(time, first)));
        }
        if let Some(time) = point.reset {
            list.add("rst", format!("RST to the client {at} {}", after(time, first)));
        }
        if let Some(time) = point.aborted {
            list.add("client-rst", format!("the client's RST {at} {}", after(time, first)));
        }
        if let Some(error) = point.icmp {
            list.add("icmp", format!("{} {at}", words::icmp(error)));
        }
        if point.foreign && point.direction == Direction::ToPod {
            list.add("foreign-programs", format!("other programs run behind our hook {at}"));
        }
    }
    let attempt = &facts.all.attempt;
    if facts.delivered() || attempt.reach == Reach::NotSent || facts.outcome() == Outcome::Connected {
        return;
    }
    match (facts.absence(), attempt.destination) {
        (Absence::Proven, _) => list.add(
            "syn-absent",
            "no SYN at the destination's interface, where packets were seen before",
        ),
        (Absence::Assumed, _) => list.add(
            "syn-absent",
            "no SYN at the destination's interface, which is not known to see every packet",
        ),
        (Absence::Nothing, DestinationHook::NotObserved) => {
            list.add("not-observed", "the destination is on no observed interface");
        }
        (Absence::Nothing, DestinationHook::Observed(Hook::Blind)) => {
            list.add(
                "not-observed",
                "a SYN may have passed the destination's interface unseen",
            );
        }
        (Absence::Nothing, DestinationHook::Observed(_)) => {
            list.add(
                "not-witnessed",
                "nothing says that no SYN passed the destination's interface",
            );
        }
    }
}

fn place(point: &PointFacts) -> String {
    format!("{} at {}", point.direction.code(), point.interface)
}

fn after(time: Time, first: Time) -> String {
    if time <= first {
        "at once".into()
    } else {
        format!("after {}", words::span(time.since(first)))
    }
}

fn drops(facts: Facts<'_>, list: &mut List) {
    for drop in &facts.all.attempt.drops {
        let segment = match drop.segment {
            Segment::Syn => "SYN",
            Segment::SynAck => "SYN-ACK",
            Segment::Rst => "RST",
        };
        list.add(
            "drop",
            format!("of the {segment} to {}: {}", drop.server, words::drop(drop)),
        );
    }
}

fn way(facts: Facts<'_>, list: &mut List) {
    let attempt = &facts.all.attempt;
    if facts.translated()
        && let Some(backend) = attempt.backend
    {
        list.add("backend", format!("{} became {backend}", attempt.server));
    }
    if let Some(seen) = attempt.rewritten {
        list.add("source-rewritten", format!("{} became {seen}", attempt.client));
    }
    if !attempt.source_observed {
        list.add("destination-only", "the client's interface is not observed");
    }
    if let Some(via) = &facts.all.perhaps_via {
        list.add(
            "perhaps-via",
            format!("perhaps dialled as service {}:{}", via.service, via.port.port),
        );
    }
}

fn policies(facts: Facts<'_>, list: &mut List) {
    let verdict = &facts.all.verdict;
    direction("egress of the source", &verdict.egress, list);
    direction("ingress of the destination", &verdict.ingress, list);
    for caveat in &verdict.caveats {
        list.add("caveat", words::caveat(*caveat));
    }
    for change in &verdict.changes {
        let what = match change.what {
            PolicyChangeKind::Created => "created",
            PolicyChangeKind::Changed => "changed",
            PolicyChangeKind::Deleted => "deleted",
        };
        let before = words::span(facts.all.attempt.first.since(change.at));
        list.add("policy-change", format!("{} was {what} {before} before", change.policy));
    }
}

fn direction(which: &str, verdict: &DirectionVerdict, list: &mut List) {
    let text = match verdict.decision {
        Decision::NotApplicable => return,
        Decision::NotIsolated => format!("{which}: no policy isolates it"),
        Decision::Allowed => match &verdict.rule {
            Some(rule) => format!("{which}: allowed by rule {} of {}", rule.number, rule.policy),
            None => format!("{which}: allowed"),
        },
        Decision::Denied => match verdict.nearest.first() {
            Some(miss) => format!(
                "{which}: denied by {}; {}",
                words::list(&verdict.policies, 3),
                misses::near_miss(miss, verdict.policies.len() == 1)
            ),
            None => format!("{which}: denied by {}", words::list(&verdict.policies, 3)),
        },
        Decision::Undecidable => match &verdict.undecidable {
            Some(reason) => format!("{which}: undecidable, {}", reason.code()),
            None => format!("{which}: undecidable"),
        },
    };
    list.add("verdict", text);
}

fn surroundings(facts: Facts<'_>, list: &mut List) {
    let attempt = &facts.all.attempt;
    match attempt.listener {
        Some(Some(listener)) => list.add(
            "listener",
            format!(
                "a socket listens at the destination: {} connections wait, its limit is {}",
                listener.queue, listener.limit
            ),
        ),
        Some(None) => list.add("listener", "no socket listens at the destination"),
        None => {}
    }
    if let Some(time) = attempt.recent_success {
        let before = words::span(attempt.first.since(time));
        list.add(
            "recent-success",
            format!("a connection to the same address and port was accepted {before} before"),
        );
    }
    if let Some(reject) = attempt.recent_reject {
        let what = reject.map_or_else(|| "a RST".into(), words::icmp);
        list.add(
            "recent-reject",
            format!("{what} on the same edge within the last minute"),
        );
    }
    if let Some((entries, limit)) = facts.all.node.conntrack
        && facts.conntrack_full()
    {
        list.add(
            "conntrack",
            format!("{entries} of {limit} connection tracking entries are used"),
        );
    }
    if attempt.lost {
        list.add("lost", "events were lost on this node meanwhile");
    }
}
