//! What absence at a hook proves, from who else runs there and whether a packet was seen. Pure.

use observer_common::abi::{Event, direction, kind};

use super::coverage::{Foreign, Side};
use crate::attempt::Hook;

/// Which hooks an event proves a packet at: from the pod, to the pod. The packet itself ran against the SYN's way if it was an answer, and a
/// pending handshake means that a SYN passed before.
#[must_use]
pub fn passed(event: &Event) -> [bool; 2] {
    let backward = matches!(
        event.kind,
        kind::ANSWERED | kind::ANSWERED_AGAIN | kind::RESET | kind::REJECTED
    );
    let way = usize::from(event.key.direction != direction::FROM_POD);
    let mut passed = [false; 2];
    passed[if backward { 1 - way } else { way }] = true;
    passed[way] |= event.pending.syns > 0;
    passed
}

/// What is known of both hooks of an interface.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Facts {
    /// Others' programs on the way from the pod, in order.
    pub from_pod: Vec<Foreign>,
    /// Others' programs on the way to the pod, in order.
    pub to_pod: Vec<Foreign>,
    /// A packet passed since we attached: from the pod, to the pod.
    pub seen: [bool; 2],
}

/// The two hooks, judged.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Judged {
    /// What absence of packets from the pod proves.
    pub from_pod: Hook,
    /// What absence of packets to the pod proves.
    pub to_pod: Hook,
    /// Somebody behind us can still drop a packet to the pod.
    pub foreign: bool,
    /// Somebody can lead packets to the pod past us.
    pub bypassed: bool,
    why: [Option<String>; 2],
}

impl Facts {
    /// Judges both hooks.
    #[must_use]
    pub fn judge(&self) -> Judged {
        let [seen_from, seen_to] = self.seen;
        let (from_pod, why_from) = if let Some(other) = self.from_pod.iter().find(|other| other.before) {
            // It may have ended the chain for just the packets that are missing.
            (
                Hook::Blind,
                Some(format!(
                    "{} runs before our program and may end the chain",
                    named(other)
                )),
            )
        } else if seen_from {
            (Hook::Proven, None)
        } else {
            (Hook::Assumed, Some(UNSEEN.to_owned()))
        };
        let other = self.from_pod.iter().chain(&self.to_pod).next();
        let (to_pod, why_to) = if let Some(other) = other {
            // `bpf_redirect_peer` delivers what comes from other pods past this hook; what the node itself sends, such as a
            // kubelet's probe, is seen all the same, and proves nothing of the rest.
            let past = format!("{} may lead packets past this hook", named(other));
            if seen_to {
                (Hook::Assumed, Some(format!("{past}, though some were seen there")))
            } else {
                (Hook::Blind, Some(format!("{past}, and none was seen there yet")))
            }
        } else if seen_to {
            (Hook::Proven, None)
        } else {
            (Hook::Assumed, Some(UNSEEN.to_owned()))
        };
        Judged {
            from_pod,
            to_pod,
            foreign: self.to_pod.iter().any(|other| !other.before),
            bypassed: other.is_some(),
            why: [why_from, why_to],
        }
    }
}

const UNSEEN: &str = "no packet was seen there yet";

impl Judged {
    /// For the coverage statement.
    #[must_use]
    pub fn sides(&self, facts: &Facts) -> [Side; 2] {
        let side = |hook, why: &Option<String>, foreign: &[Foreign]| Side {
            hook,
            why: why.clone(),
            foreign: foreign.to_vec(),
        };
        [
            side(self.from_pod, &self.why[0], &facts.from_pod),
            side(self.to_pod, &self.why[1], &facts.to_pod),
        ]
    }
}

fn named(other: &Foreign) -> String {
    if other.name.is_empty() {
        format!("another {} program", other.by)
    } else {
        format!("{} ({})", other.name, other.by)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn other(before: bool) -> Foreign {
        Foreign {
            by: "tcx",
            name: "cil_from_container".to_owned(),
            before,
        }
    }

    #[test]
    fn absence_proves_what_it_can() {
        use Hook::{Assumed, Blind, Proven};
        // others from the pod (before us?), others to the pod, seen; from-pod hook, to-pod hook, foreign behind us
        let check = |from: &[bool], to: &[bool], seen, expect: (Hook, Hook, bool)| {
            let others = |list: &[bool]| list.iter().map(|&before| other(before)).collect();
            let facts = Facts {
                from_pod: others(from),
                to_pod: others(to),
                seen,
            };
            let judged = facts.judge();
            let found = (judged.from_pod, judged.to_pod, judged.foreign);
            assert_eq!(found, expect, "{from:?} {to:?} {seen:?}");
            let others = !from.is_empty() || !to.is_empty();
            assert_eq!(judged.bypassed, others, "{from:?} {to:?} {seen:?}");
        };
        check(&[], &[], [false, false], (Assumed, Assumed, false));
        check(&[], &[], [true, false], (Proven, Assumed, false));
        check(&[], &[], [true, true], (Proven, Proven, false));
        check(&[true], &[], [true, true], (Blind, Assumed, false));
        check(&[false], &[], [true, true], (Proven, Assumed, false));
        check(&[false], &[], [false, false], (Assumed, Blind, false));
        check(&[], &[false], [false, false], (Assumed, Blind, true));
        check(&[], &[false], [true, true], (Proven, Assumed, true));
        check(&[], &[true], [true, true], (Proven, Assumed, false));
    }

    #[test]
    fn an_event_proves_the_hooks_that_packets_passed() {
        let check = |kind, way, syns, expect: [bool; 2]| {
            let mut event = Event {
                kind,
                ..Event::default()
            };
            event.key.direction = way;
            event.pending.syns = syns;
            assert_eq!(passed(&event), expect, "{kind} {way} {syns}");
        };
        check(kind::RETRANSMITTED, direction::FROM_POD, 1, [true, false]);
        check(kind::RETRANSMITTED, direction::TO_POD, 1, [false, true]);
        check(kind::ANSWERED, direction::FROM_POD, 1, [true, true]);
        check(kind::ANSWERED_AGAIN, direction::FROM_POD, 0, [false, true]);
        check(kind::ANSWERED_AGAIN, direction::TO_POD, 0, [true, false]);
        check(kind::ABORTED, direction::TO_POD, 1, [false, true]);
    }

    #[test]
    fn a_hook_that_proves_nothing_says_why() {
        let facts = Facts {
            from_pod: vec![other(true)],
            ..Facts::default()
        };
        let [from_pod, to_pod] = facts.judge().sides(&facts);
        assert!(from_pod.why.expect("a reason").contains("cil_from_container (tcx)"));
        assert!(to_pod.why.expect("a reason").contains("past this hook"));
    }
}
