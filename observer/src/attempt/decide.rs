//! What the facts of one attempt amount to: outcome, origin and reach.
//!
//! What rests on absence is concluded only if absence was witnessed by a sweep; without it the answer is "unknown".

use std::net::SocketAddr;

use super::bindings::Bindings;
use super::icmp;
use super::leg::Leg;
use super::open::Open;
use super::types::{
    DestinationHook, Direction, Drop, Hook, Icmp, Origin, Outcome, Place, PointFacts, Reach, Segment, Surroundings,
};

/// What the tracker concludes from the facts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Conclusion {
    pub(super) outcome: Outcome,
    pub(super) origin: Option<Origin>,
    pub(super) reach: Reach,
    /// What the SYN became: only where it was translated, and that was witnessed.
    pub(super) backend: Option<SocketAddr>,
    /// The client as the destination saw it, where that is another.
    pub(super) rewritten: Option<SocketAddr>,
    pub(super) destination: DestinationHook,
    pub(super) answered_by_destination: bool,
    pub(super) absence_witnessed: bool,
}

/// The facts beside the attempt's own.
pub(super) struct Context<'a, S> {
    pub(super) bindings: &'a Bindings,
    pub(super) surroundings: &'a S,
    /// What is not known had not passed: a sweep says so.
    pub(super) witnessed: bool,
    /// Events were lost while it ran.
    pub(super) lost: bool,
}

/// Concludes from what is known now.
pub(super) fn conclude<S: Surroundings>(open: &Open, context: &Context<'_, S>) -> Conclusion {
    let source = open.source();
    let sink = open.sink();
    let dialled = open
        .dialled()
        .or_else(|| sink.map(|leg| (leg.facts.client, leg.facts.server)))
        .or(open.stopped);
    // An attempt has a leg, is unsent or was stopped: without either there is nothing to conclude from.
    let Some((client, server)) = dialled else {
        return Conclusion {
            outcome: Outcome::Timeout,
            origin: None,
            reach: Reach::Unknown,
            backend: None,
            rewritten: None,
            destination: DestinationHook::NotObserved,
            answered_by_destination: false,
            absence_witnessed: false,
        };
    };
    let backend = backend(open, sink, server);
    let destination = destination(open, server, backend, context);
    let facts = Facts {
        open,
        source,
        sink,
        server,
        backend,
        destination,
        context,
    };
    let (outcome, origin) = facts.outcome();
    let answered_by_destination = sink.is_some_and(|leg| {
        let facts = &leg.facts;
        facts.bound && (facts.answered.is_some() || facts.reset.is_some() && outcome != Outcome::Rejected)
    });
    Conclusion {
        outcome,
        origin,
        reach: facts.reach(outcome, origin),
        backend,
        rewritten: sink
            .map(|leg| leg.facts.client)
            .filter(|&seen| source.is_some() && seen != client),
        destination,
        answered_by_destination,
        absence_witnessed: facts.witnessed(),
    }
}

/// The drop events that are evidence for an attempt that ended so: those in the node's namespace or an endpoint's. A flooded copy
/// of a SYN that was answered dies elsewhere and says nothing; what the destination pod's own stack freed, and what became
/// of its answer, does.
pub(super) fn evidence(open: &Open, conclusion: &Conclusion, server: SocketAddr, bindings: &Bindings) -> Vec<Drop> {
    let destination = conclusion.backend.unwrap_or(server).ip();
    let at_destination = |drop: &Drop| match drop.place {
        Place::Node => false,
        Place::Pod { ifindex } => {
            bindings.bound(ifindex, destination)
                || open.leg(ifindex, Direction::ToPod).is_some_and(|leg| leg.facts.bound)
        }
    };
    let at_source = |drop: &Drop| match drop.place {
        Place::Node => false,
        Place::Pod { ifindex } => match open.source() {
            Some(source) => source.facts.ifindex == ifindex,
            None => open.unsent.is_some(),
        },
    };
    open.drops
        .iter()
        .filter(|drop| match conclusion.outcome {
            Outcome::Connected => false,
            _ if conclusion.answered_by_destination => drop.segment != Segment::Syn || at_destination(drop),
            _ => drop.place == Place::Node || at_destination(drop) || at_source(drop),
        })
        .cloned()
        .collect()
}

/// What a SYN to `server` became, as witnessed at the destination's point or in the drop events of the node. Each SYN that a
/// filter drops is translated anew: if the events disagree, none of them is the backend.
fn backend(open: &Open, sink: Option<&Leg>, server: SocketAddr) -> Option<SocketAddr> {
    if let Some(sink) = sink {
        return Some(sink.facts.server).filter(|&seen| seen != server);
    }
    let mut seen = node_syn_drops(open)
        .map(|drop| drop.server)
        .filter(|&seen| seen != server);
    let first = seen.next()?;
    seen.all(|other| other == first).then_some(first)
}

fn destination<S: Surroundings>(
    open: &Open,
    server: SocketAddr,
    backend: Option<SocketAddr>,
    context: &Context<'_, S>,
) -> DestinationHook {
    let mut places = match backend {
        Some(backend) => vec![backend],
        None => context.surroundings.destinations(server, open.first),
    };
    if places.is_empty() {
        // Nobody knows of a pod there; the interfaces may.
        places.push(server);
    }
    // One place that is not observed is enough to hide the SYN.
    places
        .iter()
        .map(|place| context.bindings.hook(place.ip(), open.first))
        .collect::<Option<Vec<Hook>>>()
        .and_then(|hooks| hooks.into_iter().min())
        .map_or(DestinationHook::NotObserved, DestinationHook::Observed)
}

fn node_syn_drops(open: &Open) -> impl Iterator<Item = &Drop> {
    open.drops
        .iter()
        .filter(|drop| drop.segment == Segment::Syn && drop.place == Place::Node)
}

fn no_socket(drop: &Drop) -> bool {
    drop.reason.as_deref() == Some("NO_SOCKET")
}

struct Facts<'a, S> {
    open: &'a Open,
    source: Option<&'a Leg>,
    sink: Option<&'a Leg>,
    server: SocketAddr,
    backend: Option<SocketAddr>,
    destination: DestinationHook,
    context: &'a Context<'a, S>,
}

impl<S: Surroundings> Facts<'_, S> {
    fn outcome(&self) -> (Outcome, Option<Origin>) {
        if self.never_left() {
            return (Outcome::Unreachable, None);
        }
        if let Some(source) = self.source {
            if source.facts.answered.is_some() {
                return (Outcome::Connected, Some(self.answerer()));
            }
            if let Some(icmp) = source.icmp() {
                return self.icmp(&icmp);
            }
            if source.facts.reset.is_some() {
                return self.reset();
            }
            // Whatever left the destination was not delivered before.
            if source.gave_up() {
                return (Outcome::Aborted, None);
            }
        }
        if let Some(sink) = self.sink {
            if sink.facts.answered.is_some() {
                // With this point only, a SYN-ACK that was not repeated has arrived.
                let unseen = self.source.is_none() || self.open.answer_may_be_hidden();
                return if unseen && sink.facts.repeats == 0 {
                    (Outcome::Connected, Some(self.answerer()))
                } else {
                    (Outcome::HalfOpen, None)
                };
            }
            // It left the destination; whether the client got it is another question, which the points answer.
            if let Some(icmp) = sink.icmp() {
                return self.icmp(&icmp);
            }
            if sink.facts.reset.is_some() {
                return self.reset();
            }
            if self.source.is_none() && sink.gave_up() {
                return (Outcome::Aborted, None);
            }
        }
        (Outcome::Timeout, None)
    }

    fn answerer(&self) -> Origin {
        match self.sink {
            Some(sink) if sink.facts.bound && sink.facts.answered.is_some() => Origin::DestinationPod,
            _ if self.own_stack() => Origin::Node,
            _ => Origin::Unknown,
        }
    }

    fn icmp(&self, icmp: &Icmp) -> (Outcome, Option<Origin>) {
        let outcome = icmp::outcome(icmp).unwrap_or(Outcome::Unreachable);
        let left_destination = self.sink.is_some_and(|sink| sink.facts.bound && sink.icmp().is_some());
        let origin = if left_destination {
            Origin::DestinationPod
        } else if outcome == Outcome::Unreachable && self.context.surroundings.is_own_node(icmp.from) {
            // The node's own routing or neighbour table. A reject is a filter's work, wherever its address is from.
            Origin::Node
        } else {
            Origin::Path
        };
        (outcome, Some(origin))
    }

    fn reset(&self) -> (Outcome, Option<Origin>) {
        if let Some(sink) = self.sink.filter(|sink| sink.facts.reset.is_some()) {
            if !sink.facts.bound {
                return (Outcome::Refused, Some(Origin::Unknown));
            }
            let outcome = if self.filtered_inside(sink) {
                Outcome::Rejected
            } else {
                Outcome::Refused
            };
            return (outcome, Some(Origin::DestinationPod));
        }
        if self.answered_drops().any(no_socket) {
            return (Outcome::Refused, Some(Origin::Node));
        }
        // Where neither reason nor function tells a missing socket from a filter: on the own address it was the socket.
        let own = self.own_stack();
        if self
            .answered_drops()
            .any(|drop| !own || drop.reason.is_some() || drop.netfilter().is_some())
        {
            return (Outcome::Rejected, Some(Origin::Path));
        }
        if own {
            return (Outcome::Refused, Some(Origin::Node));
        }
        let delivered = self.sink.is_some_and(|sink| sink.facts.bound);
        if !delivered && self.absent() && !self.context.lost {
            return (Outcome::Rejected, Some(Origin::Path));
        }
        (Outcome::Refused, Some(Origin::Unknown))
    }

    /// The node's drop events of the SYN that a RST answered: the last one. An earlier SYN may have died of something else,
    /// such as a neighbour that was not known yet.
    fn answered_drops(&self) -> impl Iterator<Item = &Drop> {
        let last = self.source.or(self.sink).map(|leg| leg.last);
        node_syn_drops(self.open).filter(move |drop| last.is_none_or(|last| drop.at >= last))
    }

    /// A filter inside the destination pod freed the SYN, and a RST left the pod: it was not its TCP.
    fn filtered_inside(&self, sink: &Leg) -> bool {
        let inside = Place::Pod {
            ifindex: sink.facts.ifindex,
        };
        self.open
            .drops
            .iter()
            .any(|drop| drop.segment == Segment::Syn && drop.place == inside && drop.netfilter().is_some())
    }

    /// The SYN went to the node itself: its own address, and nothing that would be translated.
    fn own_stack(&self) -> bool {
        let Context { surroundings, .. } = self.context;
        self.backend.is_none()
            && surroundings.is_own_node(self.server.ip())
            && surroundings
                .destinations(self.server, self.open.first)
                .iter()
                .all(|place| *place == self.server)
    }

    /// It died inside the pod that sent it.
    fn never_left(&self) -> bool {
        self.source.is_none() && self.sink.is_none() && self.open.stopped.is_none()
    }

    /// What is not known had not passed.
    fn witnessed(&self) -> bool {
        self.context.witnessed && !self.open.solo
    }

    /// The SYN did not pass the destination's hook, which would have seen it.
    fn absent(&self) -> bool {
        self.witnessed()
            && matches!(
                self.destination,
                DestinationHook::Observed(Hook::Assumed | Hook::Proven)
            )
    }

    fn reach(&self, outcome: Outcome, origin: Option<Origin>) -> Reach {
        if self.never_left() {
            return Reach::NotSent;
        }
        if let Some(sink) = self.sink {
            return if sink.facts.bound {
                Reach::Delivered
            } else {
                Reach::LeftNode
            };
        }
        if outcome == Outcome::Connected || origin == Some(Origin::Node) && self.own_stack() {
            return Reach::Unknown;
        }
        // A drop event on the node is a witness of its own, also where the destination is not observed.
        // Where a RST came and no filter is known to have made it, the destination itself may have answered.
        let silent = outcome != Outcome::Refused;
        let dropped = silent && node_syn_drops(self.open).any(|drop| !no_socket(drop));
        // What was lost may be the SYN's delivery.
        if dropped || silent && self.absent() && !self.context.lost {
            return Reach::LeftSource;
        }
        Reach::Unknown
    }
}

/// The points in the order in which the SYN passed them, the client's first.
pub(super) fn points(open: &Open) -> Vec<PointFacts> {
    let source = open.source().map(|leg| leg.facts.ifindex);
    let mut points: Vec<_> = open.legs.iter().map(|leg| leg.facts.clone()).collect();
    points.sort_by_key(|facts| {
        let to_pod = facts.direction == Direction::ToPod;
        (
            to_pod || Some(facts.ifindex) != source,
            facts.first,
            to_pod,
            facts.ifindex,
        )
    });
    points
}
