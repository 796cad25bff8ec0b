//! One case for each rule of confidence.

use std::sync::Arc;
use std::time::Duration;

use super::build::{Build, FIRST};
use crate::attempt::{DestinationHook, Hook, Origin, Outcome, Place, Reach, Segment};
use crate::diagnosis::{Confidence, diagnose};
use crate::endpoint::{Identity, Unknown};
use crate::objects::Name;
use crate::policy::{Caveat, Direction, PolicyChange, PolicyChangeKind};
use Confidence::{Confirmed, Possible, Probable};

fn check(label: &str, expect: Confidence, change: impl Fn(Build) -> Build) {
    for (family, start) in [("IPv4", Build::new()), ("IPv6", Build::v6())] {
        let diagnosis = diagnose(&change(start).0);
        assert_eq!(
            diagnosis.confidence,
            Some(expect),
            "{label}, {family}: {:?}",
            diagnosis.reasons
        );
    }
}

/// Denied, absent at a hook that works, dropped by a filter of the node.
fn sure(build: Build) -> Build {
    build
        .denied(Direction::Egress)
        .dropped("NETFILTER_DROP", "nft_do_chain")
}

fn lost(build: Build) -> Build {
    build.with(|all| all.attempt.lost = true)
}

fn hook(build: Build, hook: DestinationHook) -> Build {
    build.with(|all| all.attempt.destination = hook)
}

#[test]
fn a_policy_is_confirmed_only_with_every_witness() {
    check("all", Confirmed, sure);
    check("conntrack at 89 %", Confirmed, |b| sure(b).conntrack(89, 100));
    check("hook assumed", Probable, |b| {
        hook(sure(b), DestinationHook::Observed(Hook::Assumed))
    });
    check("hook blind, dropped", Probable, |b| {
        hook(sure(b), DestinationHook::Observed(Hook::Blind))
    });
    check("not observed, dropped", Probable, |b| sure(b).unobserved());
    check("not observed, no drop", Possible, |b| {
        b.denied(Direction::Egress).unobserved()
    });
    check("absence not witnessed", Probable, |b| {
        sure(b).with(|all| all.attempt.absence_witnessed = false)
    });
    check("no drop", Probable, |b| b.denied(Direction::Egress));
    check("events lost", Probable, |b| lost(sure(b)));
    check("events lost, no drop", Possible, |b| lost(b.denied(Direction::Egress)));
    check("disputed", Probable, |b| sure(b).caveat(Caveat::Hairpin));
    check("rejected and dropped", Confirmed, |b| sure(b).rejected());
    check("rejected elsewhere", Possible, |b| {
        b.denied(Direction::Ingress).unobserved().rejected()
    });
}

#[test]
fn a_rival_explanation_leaves_a_policy_possible() {
    let denied = |b: Build| b.denied(Direction::Egress);
    check("conntrack full, no drop", Possible, |b| denied(b).conntrack(90, 100));
    check("conntrack full, its function", Possible, |b| {
        denied(b).dropped("NETFILTER_DROP", "nf_hook_slow").conntrack(100, 100)
    });
    check("conntrack full, a drop that it does not make", Probable, |b| {
        sure(b).conntrack(100, 100)
    });
    check("a queue was full", Possible, |b| {
        denied(b).dropped("QDISC_DROP", "__dev_queue_xmit")
    });
    check("in the pod's namespace", Possible, |b| {
        denied(b).dropped_at(
            Place::Pod { ifindex: 10 },
            Segment::Syn,
            "NETFILTER_DROP",
            "nft_do_chain",
        )
    });
}

#[test]
fn behind_the_hook_a_policy_is_at_most_probable() {
    check("clsact", Probable, |b| {
        b.denied(Direction::Ingress)
            .delivered()
            .dropped("TC_EGRESS", "__dev_queue_xmit")
    });
}

#[test]
fn not_enforced_grows_with_the_attempts() {
    let times = |b: Build, times| {
        b.denied(Direction::Ingress)
            .connected()
            .with(|all| all.answered_although_denied = times)
    };
    check("first", Possible, |b| times(b, 1));
    check("second", Possible, |b| times(b, 2));
    check("third", Probable, |b| times(b, 3));
    check("third, events lost", Possible, |b| lost(times(b, 3)));
    check("third, disputed", Possible, |b| {
        times(b, 3).caveat(Caveat::BlockOnService)
    });
    let changed = |b: Build, before: u64| {
        times(b, 3).with(|all| {
            all.verdict.changes.push(PolicyChange {
                policy: Name::new("immich", "allow-ingress"),
                what: PolicyChangeKind::Changed,
                at: FIRST - Duration::from_secs(before),
            });
        })
    };
    check("third, policy just changed", Possible, |b| changed(b, 0));
    check("third, policy changed a minute before", Possible, |b| changed(b, 59));
    check("third, policy changed more than a minute before", Probable, |b| {
        changed(b, 61)
    });
}

#[test]
fn app_not_listening_wants_a_second_witness() {
    check("RST alone", Probable, Build::refused);
    check("no listener", Confirmed, |b| {
        b.refused().with(|all| all.attempt.listener = Some(None))
    });
    check("NO_SOCKET", Confirmed, |b| {
        b.refused()
            .dropped_at(Place::Pod { ifindex: 11 }, Segment::Syn, "NO_SOCKET", "tcp_v4_rcv")
    });
}

#[test]
fn a_missing_target_wants_the_wire_to_agree() {
    check("rejected", Confirmed, |b| b.service(80, &[]).rejected());
    check("dropped", Confirmed, |b| {
        b.service(80, &[]).dropped("NETFILTER_DROP", "nft_do_chain")
    });
    check("silent", Probable, |b| b.service(80, &[]));
    check("silent and denied", Possible, |b| {
        b.service(80, &[]).denied(Direction::Egress)
    });
    check("silent, without selector", Possible, |b| {
        b.service(80, &[]).with(|all| {
            if let Identity::Service(hit) = &mut all.destination.identity {
                let service = hit.service.as_mut().expect("a Service");
                Arc::make_mut(service).selector = None;
            }
        })
    });
    check("rejected, with neither pods nor slices known", Possible, |b| {
        b.service(80, &[]).rejected().with(|all| {
            if let Identity::Service(hit) = &mut all.destination.identity {
                hit.backends_known = false;
            }
        })
    });
    check("stale, unreachable", Confirmed, |b| {
        b.ended().icmp(Outcome::Unreachable, (3, 1), (1, 3))
    });
    check("stale, stopped by a filter", Probable, |b| {
        b.ended().dropped("NETFILTER_DROP", "nft_do_chain")
    });
    check("a RST from somewhere", Possible, |b| {
        b.service(80, &[]).outcome(Outcome::Refused, Some(Origin::Unknown))
    });
    check("guessed Service, silent", Possible, |b| {
        b.unknown(Unknown::ServiceRange)
    });
    check("guessed Service, rejected", Probable, |b| {
        b.unknown(Unknown::ServiceRange).rejected()
    });
}

#[test]
fn blocked_counts_its_witnesses() {
    check("drop and absence", Confirmed, |b| {
        b.dropped("NETFILTER_DROP", "nft_do_chain")
    });
    check("drop alone", Probable, |b| {
        b.unobserved().dropped("NETFILTER_DROP", "nft_do_chain")
    });
    check("nothing", Possible, Build::unobserved);
    check("a CNI may deny it", Possible, |b| {
        b.dropped("NETFILTER_DROP", "nft_do_chain").caveat(Caveat::BlockOnPod)
    });
    check("ICMP and absence", Confirmed, |b| {
        b.icmp(Outcome::Unreachable, (3, 1), (1, 3))
    });
    check("ICMP alone", Probable, |b| {
        b.unobserved().icmp(Outcome::Unreachable, (3, 1), (1, 3))
    });
    let not_sent = |b: Build| {
        b.outcome(Outcome::Unreachable, None)
            .with(|all| all.attempt.reach = Reach::NotSent)
    };
    let pod = Place::Pod { ifindex: 10 };
    check("not sent, neighbour", Probable, |b| {
        not_sent(b).dropped_at(pod, Segment::Syn, "NEIGH_FAILED", "arp_error_report")
    });
    check("not sent, a rule in the pod", Probable, |b| {
        not_sent(b).dropped_at(pod, Segment::Syn, "NETFILTER_DROP", "nft_do_chain")
    });
    check("neighbour, not observed", Probable, |b| {
        b.unobserved().dropped("NEIGH_FAILED", "arp_error_report")
    });
}

#[test]
fn the_other_causes() {
    check("queue read", Confirmed, |b| b.delivered().listener(129, 128));
    check("accepted before", Probable, |b| {
        b.delivered().with(|all| all.attempt.recent_success = Some(FIRST))
    });
    check("unanswered", Probable, Build::delivered);
    check("unanswered, foreign programs", Possible, |b| {
        b.delivered().with(|all| all.attempt.points[1].foreign = true)
    });
    let half_open = |b: Build| b.delivered().outcome(Outcome::HalfOpen, Some(Origin::DestinationPod));
    check("answer lost", Probable, half_open);
    check("answer's drop seen", Confirmed, |b| {
        half_open(b).dropped_at(Place::Node, Segment::SynAck, "IP_RPFILTER", "ip_rcv_finish_core")
    });
    check("refused by unknown", Possible, |b| {
        b.unobserved().outcome(Outcome::Refused, Some(Origin::Unknown))
    });
    check("refused by the node for another's address", Probable, |b| {
        b.unobserved().outcome(Outcome::Refused, Some(Origin::Node))
    });
    check("aborted", Probable, |b| b.outcome(Outcome::Aborted, None));
}

#[test]
fn an_old_view_of_the_cluster_leaves_what_rests_on_it_possible() {
    let old = || Caveat::OldView(Duration::from_secs(60));
    check("a policy", Possible, |b| sure(b).caveat(old()));
    let no_socket = |build: Build| build.refused().with(|all| all.attempt.listener = Some(None));
    check("nobody listens", Confirmed, no_socket);
    check("nobody listens, whatever the policies", Confirmed, |b| {
        no_socket(b).caveat(old())
    });
    let told = diagnose(&sure(Build::new()).caveat(old()).0).reasons.join("; ");
    assert!(
        told.contains("changes in the cluster had not been heard of for 60.0 s"),
        "{told}"
    );
}
