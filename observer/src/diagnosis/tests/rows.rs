//! One case or more for each row of the table, for IPv4 and IPv6.

use std::time::Duration;

use super::build::{Build, FIRST};
use crate::attempt::{Origin, Outcome, Place, Reach, Segment};
use crate::diagnosis::facts::Facts;
use crate::diagnosis::{Cause, Confidence, diagnose, table};
use crate::endpoint::{Identity, Unknown};
use crate::policy::{Direction, Undecidable};

/// A step of building.
type Change = fn(Build) -> Build;

/// Both families must give this row and cause.
fn check(label: &str, row: u8, cause: Option<Cause>, change: impl Fn(Build) -> Build) {
    for (family, start) in [("IPv4", Build::new()), ("IPv6", Build::v6())] {
        let built = change(start).0;
        let found = table::find(Facts { all: &built });
        assert_eq!(found.row, Some(row), "{label}, {family}: row");
        let diagnosis = diagnose(&built);
        assert_eq!(diagnosis.cause, cause, "{label}, {family}: cause");
        assert_eq!(
            diagnosis.confidence.is_some(),
            cause.is_some(),
            "{label}, {family}: a confidence exactly where there is a cause"
        );
        assert_eq!(
            diagnosis.reasons.is_empty(),
            cause.is_none(),
            "{label}, {family}: reasons exactly where there is a cause"
        );
    }
}

#[test]
fn row_1_answered_although_denied() {
    let cause = Some(Cause::NotEnforced);
    check("connected", 1, cause, |b| b.denied(Direction::Ingress).connected());
    check("refused by the pod", 1, cause, |b| {
        b.denied(Direction::Egress).refused()
    });
    check("half-open", 1, cause, |b| {
        b.denied(Direction::Ingress)
            .delivered()
            .outcome(Outcome::HalfOpen, Some(Origin::DestinationPod))
            .with(|all| all.attempt.answered_by_destination = true)
    });
}

#[test]
fn an_answer_that_a_filter_dropped_is_no_gap_in_enforcement() {
    let built = Build::new()
        .denied(Direction::Ingress)
        .delivered()
        .outcome(Outcome::HalfOpen, Some(Origin::DestinationPod))
        .dropped_at(Place::Node, Segment::SynAck, "TC_INGRESS", "__netif_receive_skb_core")
        .with(|all| all.attempt.answered_by_destination = true);
    assert_eq!(diagnose(&built.0).cause, Some(Cause::Undecidable));
}

#[test]
fn row_2_connected_and_allowed() {
    check("connected", 2, None, Build::connected);
}

#[test]
fn row_3_refused_by_the_destination() {
    let cause = Some(Cause::AppNotListening);
    check("by the pod", 3, cause, Build::refused);
    check("by this node, dialled itself", 3, cause, |b| {
        b.outcome(Outcome::Refused, Some(Origin::Node)).with(|all| {
            all.destination.identity = Identity::Node {
                node: Some("node-a".into()),
                own: true,
                candidates: Vec::new(),
            };
        })
    });
}

#[test]
fn row_4_nothing_behind_the_address() {
    check("no endpoints", 4, Some(Cause::NoEndpoints), |b| {
        b.service(80, &[]).rejected()
    });
    check("no endpoints, silent", 4, Some(Cause::NoEndpoints), |b| {
        b.service(80, &[])
    });
    check("no endpoints, denied too", 4, Some(Cause::NoEndpoints), |b| {
        b.service(80, &[]).denied(Direction::Egress).rejected()
    });
    check("no endpoints, no target to judge", 4, Some(Cause::NoEndpoints), |b| {
        b.service(80, &[]).open(Undecidable::NoTarget).rejected()
    });
    check("not ready", 4, Some(Cause::BackendNotReady), |b| {
        b.service(80, &[(false, false)]).rejected()
    });
    check("none local", 4, Some(Cause::NoLocalEndpoint), |b| {
        b.service(80, &[(true, true)])
    });
    check("no such port", 4, Some(Cause::NoSuchServicePort), |b| {
        b.service(81, &[]).rejected()
    });
    check("no such Service", 4, Some(Cause::UnknownServiceAddress), |b| {
        b.unknown(Unknown::ServiceRange)
    });
    check("stale", 4, Some(Cause::StaleAddress), |b| {
        b.ended().icmp(Outcome::Unreachable, (3, 1), (1, 3))
    });
}

#[test]
fn row_4_needs_that_no_translation_was_seen() {
    check("translated", 8, Some(Cause::BlockedNotByPolicy), |b| {
        b.service(80, &[(false, false)])
            .became()
            .dropped("NETFILTER_DROP", "nft_do_chain")
    });
}

#[test]
fn row_5_no_way_leads_there() {
    let cause = Some(Cause::BlockedNotByPolicy);
    check("host unreachable", 5, cause, |b| {
        b.icmp(Outcome::Unreachable, (3, 1), (1, 3))
    });
    check("host unreachable, denied too", 5, cause, |b| {
        b.denied(Direction::Ingress).icmp(Outcome::Unreachable, (3, 1), (1, 3))
    });
    check("host unreachable, open", 5, cause, |b| {
        b.open(Undecidable::HostNetwork)
            .icmp(Outcome::Unreachable, (3, 1), (1, 3))
    });
    check("not sent", 5, cause, |b| {
        b.outcome(Outcome::Unreachable, None)
            .with(|all| all.attempt.reach = Reach::NotSent)
            .dropped_at(
                Place::Pod { ifindex: 10 },
                Segment::Syn,
                "NEIGH_FAILED",
                "arp_error_report",
            )
    });
    for reason in ["NEIGH_FAILED", "IP_OUTNOROUTES", "IP_INADDRERRORS", "IP_RPFILTER"] {
        check(reason, 5, cause, |b| {
            b.denied(Direction::Egress).dropped(reason, "somewhere")
        });
    }
}

#[test]
fn a_filter_may_answer_in_the_words_of_a_router() {
    let answered = |b: Build| {
        b.icmp(Outcome::Unreachable, (3, 1), (1, 3))
            .dropped("NETFILTER_DROP", "nft_do_chain")
    };
    check("denied", 6, Some(Cause::PolicyRejected), |b| {
        answered(b.denied(Direction::Ingress))
    });
    check("allowed", 8, Some(Cause::BlockedNotByPolicy), answered);
    check("open", 6, Some(Cause::Undecidable), |b| {
        answered(b.open(Undecidable::HostNetwork))
    });
}

#[test]
fn row_6_rejected_and_denied() {
    let cause = Some(Cause::PolicyRejected);
    check("ICMP", 6, cause, |b| b.denied(Direction::Ingress).rejected());
    check("RST that nobody sent", 6, cause, |b| {
        b.denied(Direction::Ingress)
            .outcome(Outcome::Rejected, Some(Origin::Path))
    });
    check("silent, but the edge was rejected just before", 6, cause, |b| {
        b.denied(Direction::Ingress)
            .with(|all| all.attempt.recent_reject = Some(None))
    });
}

#[test]
fn row_7_denied_and_not_delivered() {
    check("egress", 7, Some(Cause::PolicyEgress), |b| b.denied(Direction::Egress));
    check("ingress", 7, Some(Cause::PolicyIngress), |b| {
        b.denied(Direction::Ingress)
    });
    check("both", 7, Some(Cause::PolicyBoth), |b| {
        b.denied(Direction::Egress).denied(Direction::Ingress)
    });
    check("not observed", 7, Some(Cause::PolicyIngress), |b| {
        b.denied(Direction::Ingress).unobserved()
    });
}

#[test]
fn row_8_allowed_and_stopped() {
    let cause = Some(Cause::BlockedNotByPolicy);
    check("dropped", 8, cause, |b| b.dropped("NETFILTER_DROP", "nft_do_chain"));
    check("no drop seen", 8, cause, |b| b);
    check("not observed", 8, cause, Build::unobserved);
    check("rejected", 8, cause, Build::rejected);
    check("rejected inside the pod", 8, cause, |b| {
        b.delivered()
            .rejected()
            .outcome(Outcome::Rejected, Some(Origin::DestinationPod))
    });
    check("silent after a reject", 8, cause, |b| {
        b.with(|all| all.attempt.recent_reject = Some(None))
    });
    check("dropped behind our hook", 8, cause, |b| {
        b.delivered().dropped("TC_EGRESS", "__dev_queue_xmit")
    });
}

#[test]
fn row_9_denied_and_dropped_behind_the_hook() {
    check("clsact", 9, Some(Cause::PolicyIngress), |b| {
        b.denied(Direction::Ingress)
            .delivered()
            .dropped("TC_EGRESS", "__dev_queue_xmit")
    });
}

#[test]
fn row_10_denied_delivered_and_silent() {
    let cause = Some(Cause::Undecidable);
    check("no drop", 10, cause, |b| b.denied(Direction::Ingress).delivered());
    check("egress is not enforced behind the hook", 10, cause, |b| {
        b.denied(Direction::Egress)
            .delivered()
            .dropped("TC_EGRESS", "__dev_queue_xmit")
    });
}

#[test]
fn row_11_the_listener_is_too_slow() {
    let cause = Some(Cause::AcceptQueueFull);
    check("queue read", 11, cause, |b| b.delivered().listener(129, 128));
    check("accepted before", 11, cause, |b| {
        b.delivered()
            .with(|all| all.attempt.recent_success = Some(FIRST - Duration::from_secs(5)))
    });
    check("overflow told by the kernel", 11, cause, |b| {
        b.delivered().dropped("TCP_LISTEN_OVERFLOW", "tcp_v4_syn_recv_sock")
    });
}

#[test]
fn row_12_delivered_and_silent() {
    let cause = Some(Cause::Unanswered);
    check("plain", 12, cause, Build::delivered);
    check("the queue had room", 12, cause, |b| {
        b.delivered()
            .listener(0, 128)
            .with(|all| all.attempt.recent_success = Some(FIRST - Duration::from_secs(5)))
    });
}

#[test]
fn row_13_the_answer_was_lost() {
    check("half-open", 13, Some(Cause::AnswerLost), |b| {
        b.delivered().outcome(Outcome::HalfOpen, Some(Origin::DestinationPod))
    });
}

#[test]
fn row_14_refused_from_elsewhere() {
    let cause = Some(Cause::RefusedByUnknown);
    let refused = |b: Build| b.unobserved().outcome(Outcome::Refused, Some(Origin::Unknown));
    check("allowed", 14, cause, refused);
    check("denied", 14, cause, |b| refused(b.denied(Direction::Egress)));
    check("by the node for another's address", 14, cause, |b| {
        b.unobserved().outcome(Outcome::Refused, Some(Origin::Node))
    });
    check("open", 14, cause, |b| refused(b.open(Undecidable::HostNetwork)));
}

#[test]
fn row_15_aborted() {
    check("aborted", 15, Some(Cause::AbortedByClient), |b| {
        b.outcome(Outcome::Aborted, None)
    });
}

#[test]
fn an_open_answer_leaves_the_cause_open_and_tells_the_wire() {
    let open = |change: Change| diagnose(&change(Build::new().open(Undecidable::HostNetwork)).0);
    let cases: [(&str, Change); 6] = [
        ("connected", Build::connected),
        ("refused", Build::refused),
        ("rejected", Build::rejected),
        ("silent", |b| b),
        ("delivered", Build::delivered),
        ("half-open", |b| b.delivered().outcome(Outcome::HalfOpen, None)),
    ];
    for (label, change) in cases {
        let diagnosis = open(change);
        assert_eq!(diagnosis.cause, Some(Cause::Undecidable), "{label}");
        assert_eq!(diagnosis.confidence, Some(Confidence::Undecidable), "{label}");
        assert!(
            diagnosis.reasons[0].contains("hostNetwork"),
            "{label}: {:?}",
            diagnosis.reasons
        );
        assert!(
            diagnosis.reasons[1].starts_with("on the wire: "),
            "{label}: {:?}",
            diagnosis.reasons
        );
    }
}

#[test]
fn what_died_before_a_later_syn_was_delivered_explains_nothing() {
    // The first SYN met a neighbour that was not known yet, or a filter; the second one was delivered, and nobody answered.
    for (reason, function) in [
        ("NEIGH_QUEUEFULL", "__neigh_event_send"),
        ("NETFILTER_DROP", "nf_hook_slow"),
    ] {
        let late = |b: Build| {
            b.delivered().dropped(reason, function).with(|all| {
                let delivered = all.attempt.points.last_mut().expect("the destination's");
                delivered.first = FIRST + Duration::from_secs(1);
            })
        };
        check(reason, 12, Some(Cause::Unanswered), late);
        check(reason, 10, Some(Cause::Undecidable), |b| {
            late(b.denied(Direction::Ingress))
        });
    }
}

#[test]
fn a_queue_is_not_blamed_where_an_answer_died() {
    check("in the pod", 13, Some(Cause::AnswerLost), |b| {
        b.delivered()
            .dropped_at(
                Place::Pod { ifindex: 11 },
                Segment::SynAck,
                "NETFILTER_DROP",
                "nft_do_chain",
            )
            .with(|all| all.attempt.recent_success = Some(FIRST))
    });
}
