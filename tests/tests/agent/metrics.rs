//! What it counts of real attempts, and that scrapers can read it.

use std::collections::BTreeSet;

use observer::serve::metrics;
use observer_tests::lab::{Chain, Family, Listener, service};

use super::{DENY, attempts, shop};

#[test]
fn attempts_count_by_outcome_cause_direction_and_namespace() {
    let Some(shop) = shop() else { return };
    let at_once = shop.agent().args(["--propagation-window", "0s"]);
    let agent = at_once.start(shop.lab.node()).expect("a ready agent");
    for port in [8080, 8080, 8081] {
        shop.dial(port);
    }
    for direction in ["egress", "ingress"] {
        agent
            .await_metric(&attempts(direction, "connected", "none"), 2.0)
            .expect("two went well");
        agent
            .await_metric(&attempts(direction, "refused", "app-not-listening"), 1.0)
            .expect("one was refused");
    }
    agent
        .await_metric("observer_handshake_duration_seconds_count", 2.0)
        .expect("two handshakes");
    // A policy comes, and is enforced.
    shop.lab.manifests().write("deny.yaml", DENY).expect("a policy");
    agent
        .await_metric(r#"observer_policies{namespace="shop"}"#, 1.0)
        .expect("it is known");
    agent
        .await_metric(r#"observer_policies_changed_total{namespace="shop"}"#, 1.0)
        .expect("it came while running");
    shop.lab.rule(Chain::Enforce, "tcp dport 8080 drop").expect("a rule");
    shop.dial(8080);
    agent
        .await_metric(&attempts("ingress", "timeout", "policy-ingress"), 1.0)
        .expect("one was denied");
    agent.await_metric("observer_interfaces", 2.0).expect("both pods");
    agent
        .await_metric(r#"observer_node_pods{state="observed"}"#, 2.0)
        .expect("both pods");
    agent
        .await_metric(r#"observer_objects{kind="Pod"}"#, 2.0)
        .expect("both pods");
    assert_eq!(agent.interrupt().expect("an end").code(), 0);
}

#[test]
fn a_policy_that_is_not_enforced_is_a_gap() {
    let Some(shop) = shop() else { return };
    shop.lab.manifests().write("deny.yaml", DENY).expect("a policy");
    let agent = shop.agent().start(shop.lab.node()).expect("a ready agent");
    for _ in 0..4 {
        shop.dial(8080);
    }
    agent
        .await_metric(&attempts("egress", "connected", "not-enforced"), 4.0)
        .expect("four gaps");
    let gap = r#"observer_enforcement_gap_attempts_total{namespace="shop",policy="deny-api",direction="ingress"}"#;
    agent.await_metric(gap, 2.0).expect("from the third on");
}

#[test]
fn dns_and_what_crosses_namespaces_count_apart() {
    let Some(mut shop) = shop() else { return };
    shop.lab
        .add_pod(observer_tests::lab::pod("kube-system/dns").label("app", "dns"))
        .expect("a pod");
    let _listener = Listener::accepting(shop.lab.pod("kube-system/dns").netns(), 5353).expect("a listener");
    shop.lab
        .add_service(service("kube-system/dns", 53, 5353).ready("kube-system/dns"))
        .expect("a service");
    let agent = shop.agent().start(shop.lab.node()).expect("a ready agent");
    let dns = shop.lab.service("kube-system/dns").at(Family::V4);
    let cart = shop.lab.pod("shop/cart").netns();
    observer_tests::lab::dial(cart, dns, std::time::Duration::from_millis(500));
    for series in [
        r#"observer_dns_attempts_total{namespace="shop",outcome="connected"}"#,
        r#"observer_cross_namespace_attempts_total{namespace="shop",outcome="connected"}"#,
        r#"observer_attempts_total{direction="ingress",namespace="kube-system",outcome="connected",cause="none"}"#,
    ] {
        agent.await_metric(series, 1.0).expect("one");
    }
}

#[test]
fn the_table_names_every_family_that_is_exposed_and_no_other() {
    let Some(shop) = shop() else { return };
    let agent = shop.agent().start(shop.lab.node()).expect("a ready agent");
    let text = agent.get("/metrics").expect("an answer").1;
    let families: BTreeSet<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next())
        .collect();
    let table: BTreeSet<&str> = metrics::ALL.iter().map(|metric| metric.name).collect();
    assert_eq!(families, table);
    let known = metrics::names();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let name = line.split(['{', ' ']).next().unwrap_or_default();
        assert!(known.iter().any(|known| known == name), "{line}");
    }
    assert!(text.ends_with("# EOF\n"));
    for alive in [
        "process_resident_memory_bytes",
        "process_start_time_seconds",
        "observer_ring_size_bytes",
    ] {
        assert!(agent.metric(alive).expect("an answer") > Some(0.0), "{alive}");
    }
}
