//! The facts of an assessment that the table and the confidence rules ask for, by name.

use std::time::Duration;

use super::Assessment;
use super::drops::{self, Stage};
use crate::attempt::{DestinationHook, Direction, Drop, Hook, Icmp, Listener, Origin, Outcome, Place, Reach, Segment};
use crate::endpoint::Identity;
use crate::policy::{Caveat, Decision};

/// Connection tracking counts as full from this share of its limit, in percent.
const CONNTRACK_FULL_PERCENT: u64 = 90;

/// What absence at the destination's interface proves.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Absence {
    /// The SYN is not absent, or the destination is not observed, or absence there proves nothing.
    Nothing,
    /// It was not seen where it should have been, but no packet was counted there yet.
    Assumed,
    /// It was not seen at a hook that is known to see what passes.
    Proven,
}

/// A view on an assessment.
#[derive(Clone, Copy)]
pub(super) struct Facts<'a> {
    /// All of it.
    pub(super) all: &'a Assessment,
}

impl<'a> Facts<'a> {
    pub(super) fn outcome(self) -> Outcome {
        self.all.attempt.outcome
    }

    pub(super) fn origin(self) -> Option<Origin> {
        self.all.attempt.origin
    }

    pub(super) fn denied(self) -> bool {
        self.all.verdict.decision == Decision::Denied
    }

    pub(super) fn ingress_denied(self) -> bool {
        self.all.verdict.ingress.decision == Decision::Denied
    }

    pub(super) fn egress_denied(self) -> bool {
        self.all.verdict.egress.decision == Decision::Denied
    }

    /// The SYN was seen at the interface of the endpoint that owns its destination.
    pub(super) fn delivered(self) -> bool {
        self.all.attempt.reach == Reach::Delivered
    }

    /// Nothing came back.
    pub(super) fn silent(self) -> bool {
        self.outcome() == Outcome::Timeout
    }

    /// The drop of the SYN that says most: a stage that decides before one that only ends a packet, then the oldest.
    pub(super) fn drop(self) -> Option<&'a Drop> {
        let syn = |drop: &&Drop| drop.segment == Segment::Syn && !self.before_delivery(drop);
        let drops = &self.all.attempt.drops;
        let telling = |drop: &&Drop| !matches!(drops::read(drop).stage, Stage::Other);
        let mut telling = drops.iter().filter(syn).filter(telling);
        telling.next().or_else(|| drops.iter().find(syn))
    }

    /// It died on the node before a later SYN of the same attempt was delivered: that one's fate it does not explain.
    fn before_delivery(self, drop: &Drop) -> bool {
        let mut points = self.all.attempt.points.iter();
        self.delivered()
            && drop.place == Place::Node
            && points.any(|point| point.bound && point.direction == Direction::ToPod && drop.at < point.first)
    }

    /// The stage of [`Self::drop`].
    pub(super) fn stage(self) -> Option<Stage> {
        self.drop().map(|drop| drops::read(drop).stage)
    }

    /// The drop of the answer, for a SYN-ACK that did not arrive.
    pub(super) fn answer_drop(self) -> Option<&'a Drop> {
        let drops = &self.all.attempt.drops;
        drops.iter().find(|drop| drop.segment == Segment::SynAck)
    }

    /// A filter in the node's namespace dropped the SYN.
    pub(super) fn filtered_by_node(self) -> bool {
        self.drop()
            .is_some_and(|drop| drop.place == Place::Node && drops::read(drop).stage == Stage::Filter)
    }

    /// The SYN was seen at the destination's interface and died behind our hook there, before TCP saw it.
    pub(super) fn dropped_behind_hook(self) -> bool {
        self.delivered()
            && self
                .stage()
                .is_some_and(|stage| matches!(stage, Stage::Filter | Stage::Queue))
    }

    /// What absence at the destination proves.
    pub(super) fn absence(self) -> Absence {
        let attempt = &self.all.attempt;
        if !attempt.absence_witnessed || !matches!(attempt.reach, Reach::LeftSource | Reach::LeftNode) {
            return Absence::Nothing;
        }
        match attempt.destination {
            DestinationHook::Observed(Hook::Proven) => Absence::Proven,
            DestinationHook::Observed(Hook::Assumed) => Absence::Assumed,
            DestinationHook::Observed(Hook::Blind) | DestinationHook::NotObserved => Absence::Nothing,
        }
    }

    /// The ICMP error that the client received, else the first that was seen.
    pub(super) fn icmp(self) -> Option<Icmp> {
        self.all.attempt.points.iter().find_map(|point| point.icmp)
    }

    /// Foreign programs run behind our hook at an interface that the SYN passed to the pod.
    pub(super) fn foreign_behind(self) -> bool {
        let mut points = self.all.attempt.points.iter();
        points.any(|point| point.foreign && point.direction == Direction::ToPod)
    }

    /// The node itself was dialled by one of its addresses.
    pub(super) fn node_dialled(self) -> bool {
        matches!(self.all.destination.identity, Identity::Node { own: true, .. })
    }

    /// Where the SYN went, or would have gone.
    pub(super) fn target(self) -> std::net::SocketAddr {
        let backend = self.all.backend.as_ref().map(|backend| backend.address);
        let attempt = &self.all.attempt;
        backend.or(attempt.backend).unwrap_or(attempt.server)
    }

    /// DNAT was seen: the SYN went to another address than the dialled one.
    pub(super) fn translated(self) -> bool {
        let attempt = &self.all.attempt;
        attempt.backend.is_some_and(|backend| backend != attempt.server)
    }

    /// Connection tracking is so full that it may drop new connections.
    pub(super) fn conntrack_full(self) -> bool {
        self.all.node.conntrack.is_some_and(|(entries, limit)| {
            limit > 0 && entries.saturating_mul(100) >= limit.saturating_mul(CONNTRACK_FULL_PERCENT)
        })
    }

    /// The listener's accept queue was over its limit when it was read.
    pub(super) fn queue_full(self) -> bool {
        matches!(self.all.attempt.listener, Some(Some(Listener { queue, limit })) if queue > limit)
    }

    /// Another reading of the specification, or another implementation, would answer a denial differently.
    pub(super) fn denial_disputed(self) -> bool {
        let caveats = &self.all.verdict.caveats;
        caveats
            .iter()
            .any(|caveat| matches!(caveat, Caveat::BlockOnService | Caveat::Hairpin))
    }

    /// Another reading of the specification, or another implementation, would answer differently.
    pub(super) fn answer_disputed(self) -> bool {
        let caveats = &self.all.verdict.caveats;
        caveats.iter().any(|caveat| !matches!(caveat, Caveat::OldView(_)))
    }

    /// For how long changes in the cluster had not been heard of, if that is to be told.
    pub(super) fn view_age(self) -> Option<Duration> {
        self.all.verdict.caveats.iter().find_map(|caveat| match caveat {
            Caveat::OldView(age) => Some(*age),
            _ => None,
        })
    }
}
