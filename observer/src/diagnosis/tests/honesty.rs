//! Whatever is put together at random, no cause claims more than its witnesses bear.

use std::time::Duration;

use proptest::prelude::*;

use super::build::{Build, FIRST};
use crate::attempt::{DestinationHook, Hook, Icmp, Listener, Origin, Outcome, Place, Reach, Segment};
use crate::diagnosis::{Assessment, Cause, Confidence, diagnose, drops};
use crate::endpoint::{Identity, Unknown};
use crate::policy::{Caveat, Decision, Direction, Undecidable};

const DROPS: [(&str, &str); 8] = [
    ("NETFILTER_DROP", "nft_do_chain"),
    ("NETFILTER_DROP", "nf_hook_slow"),
    ("NOT_SPECIFIED", "nfqnl_reinject"),
    ("TC_EGRESS", "__dev_queue_xmit"),
    ("NEIGH_FAILED", "arp_error_report"),
    ("IP_RPFILTER", "ip_rcv_finish_core"),
    ("QDISC_DROP", "__dev_queue_xmit"),
    ("NO_SOCKET", "tcp_v4_rcv"),
];

fn pick<T: Clone + std::fmt::Debug + 'static>(values: &[T]) -> impl Strategy<Value = T> + use<T> {
    prop::sample::select(values.to_vec())
}

fn origin() -> impl Strategy<Value = Option<Origin>> {
    prop::option::of(pick(&Origin::ALL))
}

fn hook() -> impl Strategy<Value = DestinationHook> {
    pick(&[
        DestinationHook::NotObserved,
        DestinationHook::Observed(Hook::Blind),
        DestinationHook::Observed(Hook::Assumed),
        DestinationHook::Observed(Hook::Proven),
    ])
}

type OneDrop = ((&'static str, &'static str), bool, bool);

prop_compose! {
    fn wire()(
        outcome in pick(&Outcome::ALL),
        origin in origin(),
        reach in pick(&Reach::ALL),
        hook in hook(),
        flags in any::<[bool; 6]>(),
        drop in prop::option::of((pick(&DROPS), any::<bool>(), any::<bool>())),
        listener in prop::option::of(prop::option::of((0..3_u32, 1..2_u32))),
    ) -> Build {
        let [v6, answered, lost, witnessed, icmp, reject] = flags;
        let build = if v6 { Build::v6() } else { Build::new() };
        let build = build.outcome(outcome, origin).with(|all| {
            let attempt = &mut all.attempt;
            attempt.reach = reach;
            attempt.destination = hook;
            attempt.answered_by_destination = answered;
            attempt.lost = lost;
            attempt.absence_witnessed = witnessed;
            attempt.recent_reject = reject.then_some(None);
            attempt.recent_success = reject.then_some(FIRST);
            attempt.listener = listener.map(|socket| socket.map(|(queue, limit)| Listener { queue, limit }));
            attempt.points[0].icmp = icmp.then_some(Icmp { from: attempt.server.ip(), kind: 3, code: 1, quoted_ttl: 1 });
            all.answered_although_denied = u32::from(answered) * 3;
        });
        dropped(build, drop)
    }
}

fn dropped(build: Build, drop: Option<OneDrop>) -> Build {
    let Some(((reason, function), on_node, syn)) = drop else {
        return build;
    };
    let place = if on_node {
        Place::Node
    } else {
        Place::Pod { ifindex: 10 }
    };
    let segment = if syn { Segment::Syn } else { Segment::SynAck };
    build.dropped_at(place, segment, reason, function)
}

prop_compose! {
    fn assessment()(
        build in wire(),
        verdict in 0..5_u8,
        who in 0..6_u8,
        caveat in prop::option::of(pick(&[Caveat::BlockOnPod, Caveat::BlockOnService, Caveat::Hairpin, Caveat::CreatedLater, Caveat::OldView(Duration::from_secs(60))])),
        conntrack in prop::option::of(0..=100_u64),
    ) -> Assessment {
        let build = match who {
            0 => build.service(80, &[]),
            1 => build.service(80, &[(true, false)]).became(),
            2 => build.ended(),
            3 => build.unknown(Unknown::ServiceRange),
            4 => build.with(|all| all.destination.identity = Identity::External),
            _ => build,
        };
        let build = match verdict {
            0 => build.denied(Direction::Egress),
            1 => build.denied(Direction::Ingress),
            2 => build.denied(Direction::Egress).denied(Direction::Ingress),
            3 => build.open(Undecidable::HostNetwork),
            _ => build,
        };
        let build = caveat.into_iter().fold(build, Build::caveat);
        conntrack.into_iter().fold(build, |build, used| build.conntrack(used, 100)).0
    }
}

const POLICY: [Cause; 4] = [
    Cause::PolicyEgress,
    Cause::PolicyIngress,
    Cause::PolicyBoth,
    Cause::PolicyRejected,
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn no_cause_claims_more_than_its_witnesses(all in assessment()) {
        let diagnosis = diagnose(&all);
        let attempt = &all.attempt;
        let decision = all.verdict.decision;
        let connected = attempt.outcome == Outcome::Connected;
        let sure = diagnosis.confidence;

        prop_assert_eq!(diagnosis.cause.is_none(), connected && decision == Decision::Allowed);
        prop_assert_eq!(sure.is_none(), diagnosis.cause.is_none());
        let Some(cause) = diagnosis.cause else { return Ok(()) };

        prop_assert_eq!(cause == Cause::Undecidable, sure == Some(Confidence::Undecidable));
        prop_assert!(!diagnosis.reasons.is_empty());
        prop_assert!(!(attempt.lost && sure == Some(Confidence::Confirmed)));
        if POLICY.contains(&cause) || cause == Cause::NotEnforced {
            prop_assert_eq!(decision, Decision::Denied);
        }
        if decision == Decision::Undecidable {
            let wire_tells = matches!(
                cause,
                Cause::Undecidable
                    | Cause::NoEndpoints
                    | Cause::StaleAddress
                    | Cause::UnknownServiceAddress
                    | Cause::BlockedNotByPolicy
                    | Cause::RefusedByUnknown
                    | Cause::AbortedByClient
            );
            prop_assert!(wire_tells, "{:?}", cause);
        }
        if POLICY.contains(&cause) && sure == Some(Confidence::Confirmed) {
            let filtered = attempt.drops.iter().any(|drop| {
                drop.place == Place::Node
                    && drop.segment == Segment::Syn
                    && drops::read(drop).stage == drops::Stage::Filter
            });
            prop_assert!(filtered && attempt.absence_witnessed);
            prop_assert!(matches!(attempt.reach, Reach::LeftSource | Reach::LeftNode));
            prop_assert_eq!(attempt.destination, DestinationHook::Observed(Hook::Proven));
            prop_assert!(all.node.conntrack.is_none_or(|(used, _)| used < 90));
        }
        if cause == Cause::AppNotListening {
            prop_assert_eq!(attempt.outcome, Outcome::Refused);
            prop_assert!(matches!(attempt.origin, Some(Origin::DestinationPod | Origin::Node)));
        }
    }
}
