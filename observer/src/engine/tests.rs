//! Whole scenarios, pure: inputs with their times, and the diagnosed attempts that must come out.
//!
//! The cluster: pods `shop/web` (10.0.0.1, interface 1) and `shop/api` (10.0.0.2, interface 2) on this node, the Service `shop/api`
//! (10.96.0.1:80 to 8080), the node at 192.168.0.1.

mod play;

use crate::diagnosis::NodeState;
use crate::objects::Scope;
use crate::policy::tests::fixtures::{egress, ingress, rule};
use play::{Play, pod_at};

/// `web` dials the Service and is let through to `api`, in 0.4 ms from `at` on.
fn connects(play: &mut Play, at: f64, isn: u32) {
    play.syn(at, "from-1", "10.0.0.1:40000>10.96.0.1:80", isn);
    play.syn(at + 0.1, "to-2", "10.0.0.1:40000>10.0.0.2:8080", isn);
    play.synack(at + 0.3, "to-2", "10.0.0.1:40000>10.0.0.2:8080", isn);
    play.synack(at + 0.4, "from-1", "10.0.0.1:40000>10.96.0.1:80", isn);
}

/// `web` dials the Service, and a filter in the node's forward chain drops each SYN.
fn is_dropped(play: &mut Play, at: f64, isn: u32) {
    for again in [0.0, 1000.0, 2000.0, 3000.0] {
        play.syn(at + again, "from-1", "10.0.0.1:40000>10.96.0.1:80", isn);
        play.dropped(
            at + again + 0.1,
            "10.0.0.1:40000>10.0.0.2:8080",
            isn,
            "NETFILTER_DROP",
            "nft_do_chain",
        );
    }
}

/// The to-pod hook of `api` has seen a packet: some connection that is of no interest here.
fn prove_hook(play: &mut Play) {
    play.prove(2);
}

#[test]
fn connected_by_a_service() {
    let mut play = Play::new();
    connects(&mut play, 0.0, 1);
    play.check(
        10_000.0,
        "0.4 final shop/web>svc shop/api=shop/api connected by destination-pod delivered: fine",
    );
}

#[test]
fn egress_denied_and_dropped_by_the_node() {
    let mut play = Play::new();
    play.load(egress("shop/out", "app=web", &[rule(&["pods app=api"], &["TCP 80"])]));
    prove_hook(&mut play);
    is_dropped(&mut play, 0.0, 1);
    play.check(
        10_000.0,
        "
        1000 provisional shop/web>svc shop/api=shop/api timeout left-source: policy-egress confirmed
        4000 final shop/web>svc shop/api=shop/api timeout left-source: policy-egress confirmed
        ",
    );
    assert!(play.said("shop/out isolates egress"), "{:?}", play.last());
    assert!(play.said("TCP 80"), "the nearest rule: {:?}", play.last());
}

#[test]
fn a_label_typo_in_an_ingress_rule() {
    let mut play = Play::new();
    play.load(ingress(
        "shop/in",
        "app=api",
        &[rule(&["pods app.kubernetes.io/name=web"], &[])],
    ));
    prove_hook(&mut play);
    is_dropped(&mut play, 0.0, 1);
    play.check(
        10_000.0,
        "
        1000 provisional shop/web>svc shop/api=shop/api timeout left-source: policy-ingress confirmed
        4000 final shop/web>svc shop/api=shop/api timeout left-source: policy-ingress confirmed
        ",
    );
    assert!(play.said("app.kubernetes.io/name"), "{:?}", play.last());
}

#[test]
fn rejected_by_a_policy() {
    let mut play = Play::new();
    play.load(ingress("shop/in", "app=api", &[]));
    prove_hook(&mut play);
    play.syn(0.0, "from-1", "10.0.0.1:40000>10.96.0.1:80", 1);
    play.icmp(0.2, "from-1", "10.0.0.1:40000>10.96.0.1:80", 1, (3, 3));
    play.dropped(0.3, "10.0.0.1:40000>10.0.0.2:8080", 1, "NETFILTER_DROP", "nft_do_chain");
    // The kernel limits its answers: this one has the same cause.
    is_dropped(&mut play, 1000.0, 2);
    play.check(
        10_000.0,
        "
        5.2 final shop/web>svc shop/api=shop/api rejected by path left-source: policy-rejected confirmed
        2000 provisional shop/web>svc shop/api=shop/api timeout left-source: policy-rejected confirmed
        5000 final shop/web>svc shop/api=shop/api timeout left-source: policy-rejected confirmed
        ",
    );
}

#[test]
fn not_enforced_is_possible_and_from_the_third_on_probable() {
    let mut play = Play::new();
    play.load(ingress("shop/in", "app=api", &[]));
    for (at, isn) in [(0.0, 1), (100.0, 2), (200.0, 3)] {
        connects(&mut play, at, isn);
    }
    play.check(
        10_000.0,
        "
        0.4 final shop/web>svc shop/api=shop/api connected by destination-pod delivered: not-enforced possible
        100.4 final shop/web>svc shop/api=shop/api connected by destination-pod delivered: not-enforced possible
        200.4 final shop/web>svc shop/api=shop/api connected by destination-pod delivered: not-enforced probable
        ",
    );
}

#[test]
fn what_was_allowed_when_it_connected_is_no_gap() {
    let mut play = Play::new();
    let flow = "10.0.0.1:40000>10.0.0.2:8080";
    for (at, isn) in [(0.0, 1), (100.0, 2), (200.0, 3)] {
        play.syn(at, "from-1", flow, isn);
        play.synack(at + 0.4, "from-1", flow, isn);
    }
    // Another pod takes the address, and to that one it is denied.
    play.remove_pod(1_000.0, "shop/api");
    play.change(1_500.0, pod_at("shop/other", "app=other", "10.0.0.2", 2));
    play.load(ingress("shop/in", "app=other", &[]));
    play.syn(2_000.0, "from-1", flow, 4);
    play.synack(2_000.4, "from-1", flow, 4);
    play.check_after(
        2_000.0,
        10_000.0,
        "2000.4 final shop/web>shop/other connected by unknown unknown: not-enforced possible",
    );
    assert!(!play.said("attempts on this edge"), "{:?}", play.last());
}

#[test]
fn a_policy_that_is_obeyed_again_begins_a_new_count() {
    let mut play = Play::new();
    play.load(ingress("shop/in", "app=api", &[]));
    prove_hook(&mut play);
    connects(&mut play, 0.0, 1);
    connects(&mut play, 100.0, 2);
    is_dropped(&mut play, 200.0, 3);
    connects(&mut play, 10_000.0, 4);
    play.check_after(
        10_000.0,
        20_000.0,
        "10000.4 final shop/web>svc shop/api=shop/api connected by destination-pod delivered: not-enforced possible",
    );
}

#[test]
fn within_the_propagation_window_nobody_is_blamed() {
    let mut play = Play::new();
    play.change(1_000.0, ingress("shop/in", "app=api", &[]));
    connects(&mut play, 2_000.0, 1);
    connects(&mut play, 5_000.0, 2);
    play.check(
        10_000.0,
        "
        2000.4 final shop/web>svc shop/api=shop/api connected by destination-pod delivered: undecidable undecidable
        5000.4 final shop/web>svc shop/api=shop/api connected by destination-pod delivered: not-enforced possible
        ",
    );
    assert!(play.said("changed shortly before"), "{:?}", play.last());
}

#[test]
fn an_address_that_is_used_again_within_a_second() {
    let mut play = Play::new();
    play.load(ingress("shop/in", "app=other", &[]));
    prove_hook(&mut play);
    let flow = "10.0.0.1:40000>10.0.0.2:8080";
    // To the first pod nothing is denied; that it ends while the attempt runs changes nothing.
    play.syn(900.0, "from-1", flow, 1);
    play.syn(900.1, "to-2", flow, 1);
    play.remove_pod(1_000.0, "shop/api");
    play.change(1_600.0, pod_at("shop/other", "app=other", "10.0.0.2", 2));
    play.syn(1_800.0, "from-1", flow, 2);
    play.dropped(1_800.1, flow, 2, "NETFILTER_DROP", "nft_do_chain");
    play.check(
        10_000.0,
        "
        1900 provisional shop/web>shop/api timeout delivered: unanswered probable
        2800 provisional shop/web>shop/other timeout left-source: policy-ingress confirmed
        4900 final shop/web>shop/api timeout delivered: unanswered probable
        5800 final shop/web>shop/other timeout left-source: policy-ingress confirmed
        ",
    );
}

#[test]
fn what_another_pod_accepted_at_the_address_says_nothing_of_this_one() {
    let mut play = Play::new();
    let flow = "10.0.0.1:40000>10.0.0.2:8080";
    play.syn(0.0, "from-1", flow, 1);
    play.synack(0.4, "from-1", flow, 1);
    play.remove_pod(1_000.0, "shop/api");
    play.change(1_600.0, pod_at("shop/other", "app=other", "10.0.0.2", 2));
    play.syn(2_000.0, "from-1", flow, 2);
    play.syn(2_000.1, "to-2", flow, 2);
    play.check_after(
        5_000.0,
        10_000.0,
        "6000 final shop/web>shop/other timeout delivered: unanswered probable",
    );
}

#[test]
fn a_late_answer_is_one_revision() {
    let mut play = Play::new();
    let flow = "10.0.0.1:40000>10.0.0.2:8080";
    prove_hook(&mut play);
    play.syn(0.0, "from-1", flow, 1);
    play.syn(7_000.0, "from-1", flow, 1);
    play.syn(7_000.1, "to-2", flow, 1);
    play.synack(7_000.3, "to-2", flow, 1);
    play.synack(7_000.4, "from-1", flow, 1);
    play.synack(8_000.0, "from-1", flow, 1);
    play.check(
        20_000.0,
        "
        1000 provisional shop/web>shop/api timeout left-source: blocked-not-by-policy probable
        4000 final shop/web>shop/api timeout left-source: blocked-not-by-policy probable
        7000.4 revision shop/web>shop/api connected by destination-pod delivered: fine
        ",
    );
}

#[test]
fn a_conntrack_table_that_was_full_for_a_moment_keeps_a_policy_from_being_confirmed() {
    let mut play = Play::new();
    play.load(ingress("shop/in", "app=api", &[]));
    prove_hook(&mut play);
    let flow = "10.0.0.1:40000>10.0.0.2:8080";
    let conntrack = |used| NodeState {
        conntrack: Some((used, 100)),
    };
    play.node_state(0.0, conntrack(100));
    play.syn(100.0, "from-1", flow, 1);
    play.dropped(100.1, flow, 1, "NETFILTER_DROP", "nf_hook_slow");
    play.node_state(1_000.0, conntrack(10));
    play.check_after(
        3_000.0,
        10_000.0,
        "4100 final shop/web>shop/api timeout left-source: policy-ingress possible",
    );
}

/// Service API: only `externalTrafficPolicy: Local` preserves the client's address; what a denied SYN looks like at the destination
/// nobody saw.
#[test]
fn a_node_port_may_hide_the_client_until_the_destination_shows_it() {
    let from_web = |play: &mut Play| {
        play.load(ingress("shop/in", "app=api", &[rule(&["pods app=web"], &["TCP 8080"])]));
        prove_hook(play);
    };
    let dials = |play: &mut Play| play.syn(0.0, "from-1", "10.0.0.1:40000>192.168.0.2:30080", 1);
    let mut unseen = Play::new();
    unseen.load_node_port();
    from_web(&mut unseen);
    dials(&mut unseen);
    unseen.check_after(
        3_000.0,
        10_000.0,
        "4000 final shop/web>svc shop/api=shop/api timeout left-source: undecidable undecidable",
    );
    let mut seen = Play::new();
    seen.load_node_port();
    from_web(&mut seen);
    dials(&mut seen);
    seen.syn(0.1, "to-2", "10.0.0.1:40000>10.0.0.2:8080", 1);
    seen.check_after(
        3_000.0,
        10_000.0,
        "4000 final shop/web>svc shop/api=shop/api timeout delivered: unanswered probable",
    );
}

#[test]
fn a_service_has_not_no_endpoints_while_they_cannot_be_read() {
    let rejected = |play: &mut Play| {
        play.remove_pod(0.0, "shop/api");
        let flow = "10.0.0.1:40000>10.96.0.1:80";
        play.syn(10_000.0, "from-1", flow, 1);
        play.icmp(10_000.2, "from-1", flow, 1, (3, 3));
    };
    let mut known = Play::new();
    rejected(&mut known);
    known.check(
        20_000.0,
        "10005.2 final shop/web>svc shop/api rejected by path unknown: no-endpoints confirmed",
    );
    for (scope, cause) in [
        (Scope::Addresses(vec![]), "undecidable undecidable"),
        (Scope::Namespaces(vec!["shop".into()]), "undecidable undecidable"),
        (Scope::Namespaces(vec!["other".into()]), "no-endpoints confirmed"),
    ] {
        let mut play = Play::new();
        play.doubt(scope);
        rejected(&mut play);
        play.check(
            20_000.0,
            &format!("10005.2 final shop/web>svc shop/api rejected by path unknown: {cause}"),
        );
    }
}
