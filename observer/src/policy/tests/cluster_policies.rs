//! One test per sentence of the ClusterNetworkPolicy specification, and of the older kinds', in both address families.

use std::sync::Arc;

use super::cluster_text::{accept, cluster_policy, deny, node, pass};
use super::fixtures::{Cluster, container_port, dialled, egress, ingress, rule, said};
use crate::objects::{Change, ClusterPolicy, ClusterRule, Kind, Name, Object, Protocol};
use crate::policy::{Decision, PolicyChangeKind};
use crate::time::Time;

impl Cluster {
    fn tier(mut self, policy: ClusterPolicy) -> Self {
        self.set(Object::ClusterPolicy(Arc::new(policy)), Time::BEGINNING);
        self
    }
}

/// `a` and `b` in `x`, `a` in `y` (team=blue), a hostNetwork pod in `y`; two nodes.
fn cluster() -> Cluster {
    let mut cluster = Cluster::new()
        .namespace("x", "team=red")
        .namespace("y", "team=blue")
        .pod("x/a", "app=a")
        .pod("x/b", "app=b")
        .pod("y/a", "app=a")
        .pod_with("y/host", "app=a", |pod| pod.host_network = true);
    for (name, role, four, six) in [
        ("n1", "worker", "192.168.0.1", "fd99::1"),
        ("n2", "infra", "192.168.0.2", "fd99::2"),
    ] {
        cluster.set(node(name, &format!("role={role}"), &[four, six]), Time::BEGINNING);
    }
    cluster
}

const ALL: &str = "ns";

#[test]
fn s24_admin_then_network_policy_then_baseline_then_allow() {
    cluster()
        .tier(cluster_policy(
            "Baseline 5 last",
            ALL,
            &[deny(&["ns"], &[])],
            &[deny(&["ns"], &[])],
        ))
        .tier(cluster_policy(
            "Admin 20 later",
            ALL,
            &[deny(&["ns"], &["TCP 80", "TCP 81"])],
            &[],
        ))
        .tier(cluster_policy(
            "Admin 10 sooner",
            ALL,
            &[accept(&["ns"], &["TCP 80"]), deny(&["ns"], &["TCP 80"])],
            &[accept(&["ns"], &["TCP 80", "TCP 81"])],
        ))
        // Only ingress of x/b is isolated: the baseline still holds for its egress.
        .policy(ingress("x/in", "app=b", &[rule(&[], &["TCP 82", "TCP 81"])]))
        .check(
            "x/a -> x/b : TCP 80 = allowed, allowed
             x/a -> x/b : TCP 81 = allowed, denied
             x/a -> x/b : TCP 82 = denied, allowed
             x/a -> x/b : TCP 83 = denied, denied
             x/b -> y/a : TCP 82 = denied, denied
             x/b -> 1.2.3.4 : TCP 82 = open, n/a",
        );
}

#[test]
fn s25_pass_skips_the_rest_of_the_admin_tier_and_in_baseline_means_the_default() {
    cluster()
        .tier(cluster_policy(
            "Admin 1 pass",
            ALL,
            &[pass(&["ns"], &["TCP 80", "TCP 81"])],
            &[],
        ))
        .tier(cluster_policy(
            "Admin 2 deny",
            ALL,
            &[deny(&["ns"], &["TCP 80", "TCP 81", "TCP 82"])],
            &[],
        ))
        .tier(cluster_policy(
            "Baseline 1 leave",
            ALL,
            &[pass(&["ns"], &["TCP 81"])],
            &[],
        ))
        .tier(cluster_policy(
            "Baseline 2 rest",
            ALL,
            &[deny(&["ns"], &["TCP 80", "TCP 81"])],
            &[],
        ))
        .policy(ingress("y/in", "", &[rule(&[], &["TCP 80"])]))
        .check(
            "x/a -> x/b : TCP 80 = open, denied
             x/a -> x/b : TCP 81 = open, open
             x/a -> x/b : TCP 82 = open, denied
             x/a -> y/a : TCP 80 = open, allowed
             x/a -> y/a : TCP 81 = open, denied
             x/a -> x/b : TCP 83 = open, open",
        );
}

#[test]
fn s26_equal_priority_is_open_where_the_answers_differ() {
    let cluster = cluster()
        .tier(cluster_policy(
            "Admin 7 a",
            ALL,
            &[accept(&["ns"], &["TCP 80", "TCP 81"])],
            &[],
        ))
        .tier(cluster_policy(
            "Admin 7 b",
            ALL,
            &[deny(&["ns"], &["TCP 80"]), pass(&["ns"], &["TCP 81"])],
            &[],
        ))
        .tier(cluster_policy(
            "Admin 8 c",
            ALL,
            &[deny(&["ns"], &["TCP 81", "TCP 82"])],
            &[],
        ));
    cluster.check(
        "x/a -> x/b : TCP 80 = open, equal-priority
         x/a -> x/b : TCP 81 = open, open
         x/a -> x/b : TCP 82 = open, denied",
    );
    let verdict = cluster.judge("x/a", "x/b", "TCP 80");
    let names: Vec<_> = verdict.ingress.policies.iter().map(ToString::to_string).collect();
    assert_eq!(names, ["a", "b"]);
    // A sooner policy makes it matter no more.
    cluster
        .tier(cluster_policy("Admin 6 first", ALL, &[deny(&["ns"], &["TCP 80"])], &[]))
        .check("x/a -> x/b : TCP 80 = open, denied");
}

#[test]
fn where_any_policy_may_come_first_each_needs_the_rule_that_accepts() {
    let cluster = cluster()
        .tier(cluster_policy("Admin 7 a", ALL, &[deny(&["ns"], &["TCP 80"])], &[]))
        .tier(cluster_policy(
            "Admin 7 b",
            ALL,
            &[deny(&["ns"], &["UDP"]), deny(&["ns"], &["TCP"])],
            &[],
        ));
    let verdict = cluster.judge("x/a", "x/b", "TCP 80");
    assert_eq!(
        verdict.ingress.nearest[0].change,
        "put a rule before rule 1 of a and rule 2 of b that accepts TCP 80 from pods app=a in namespace x"
    );
}

#[test]
fn localhost_is_no_matter_of_cluster_wide_policies_either() {
    cluster()
        .tier(cluster_policy(
            "Admin 1 a",
            ALL,
            &[],
            &[deny(&["block 0.0.0.0/0"], &[])],
        ))
        .check(
            "x/a -> 127.0.0.1 : TCP 80 = open, n/a
             x/a -> 1.2.3.4 : TCP 80 = denied, n/a",
        );
}

#[test]
fn a_baseline_denial_has_two_ways_out_and_one_of_the_admin_tier_one() {
    let advice = |tier: &str| {
        let cluster = cluster().tier(cluster_policy(tier, ALL, &[deny(&["ns"], &["TCP 80"])], &[]));
        cluster.judge("x/a", "x/b", "TCP 80").ingress.nearest[0].change.clone()
    };
    let or = "or allow it by a NetworkPolicy";
    assert!(advice("Baseline 1 a").contains(or), "{}", advice("Baseline 1 a"));
    assert!(!advice("Admin 1 a").contains(or), "{}", advice("Admin 1 a"));
}

#[test]
fn s26_nothing_orders_the_older_baseline_among_the_newer() {
    cluster()
        .tier(cluster_policy(
            "Baseline - default",
            ALL,
            &[deny(&["ns"], &["TCP 80"])],
            &[],
        ))
        .tier(cluster_policy(
            "Baseline 1 other",
            ALL,
            &[accept(&["ns"], &["TCP 80", "TCP 81"])],
            &[],
        ))
        .tier(cluster_policy(
            "Baseline 2 last",
            ALL,
            &[deny(&["ns"], &["TCP 81"])],
            &[],
        ))
        .check(
            "x/a -> x/b : TCP 80 = open, equal-priority
             x/a -> x/b : TCP 81 = open, allowed",
        );
}

#[test]
fn s27_ingress_peers_are_pods_only() {
    cluster()
        .tier(cluster_policy(
            "Admin 1 deny",
            ALL,
            &[deny(&["ns"], &[])],
            &[deny(&["ns"], &[])],
        ))
        .check(
            "x/a -> x/b : UDP 80 = denied, denied
             1.2.3.4 -> x/b : TCP 80 = n/a, open
             2001:db8::1 -> x/b : TCP 80 = n/a, open
             node n1 -> x/b : TCP 80 = n/a, open
             x/b -> 1.2.3.4 : TCP 80 = open, n/a",
        );
}

#[test]
fn s28_networks_are_compared_with_pods_too_and_nodes_are_addresses_of_nodes() {
    cluster()
        .tier(cluster_policy(
            "Admin 1 deny",
            ALL,
            &[],
            &[
                deny(&["block 10.0.0.0/8", "block fd00::/16"], &["TCP 80"]),
                deny(&["nodes role=worker"], &["TCP 81"]),
                deny(&["nodes role=infra"], &["TCP 82"]),
                deny(&["ns"], &["TCP 83"]),
            ],
        ))
        .check(
            "x/a -> x/b : TCP 80 = denied, open
             x/a -> 10.9.9.9 : TCP 80 = denied, n/a
             x/a -> x/b : TCP 81 = open, open
             x/a -> node n1 : TCP 81 = denied, n/a
             x/a -> node n1 : TCP 82 = open, n/a
             x/a -> 192.168.0.2 : TCP 82 = denied, n/a
             x/a -> node n1 y/host : TCP 81 = denied, n/a
             x/a -> node n1 y/host : TCP 83 = open, n/a
             x/a -> x/b : TCP 83 = denied, open",
        );
}

#[test]
fn s28_host_network_pods_are_not_subjects() {
    cluster()
        .tier(cluster_policy(
            "Admin 1 deny",
            ALL,
            &[deny(&["ns"], &[])],
            &[deny(&["block 0.0.0.0/0", "block ::/0"], &[])],
        ))
        .check(
            "node n1 y/host -> x/a : TCP 80 = n/a, open
             x/a -> node n1 y/host : TCP 80 = denied, n/a",
        );
}

#[test]
fn s29_ranges_are_inclusive_and_named_ports_are_the_destinations() {
    cluster()
        .pod_with("y/named", "app=named", |pod| {
            pod.ports = vec![
                container_port("web", 8080, Protocol::Tcp),
                container_port("dns", 53, Protocol::Udp),
            ];
        })
        .tier(cluster_policy(
            "Admin 1 deny",
            ALL,
            &[],
            &[
                deny(&["ns team=blue"], &["named web", "named dns", "TCP 100-102"]),
                deny(&["ns team=red"], &["SCTP"]),
            ],
        ))
        .check(
            "x/a -> y/named : TCP 8080 = denied, open
             x/a -> y/named : UDP 8080 = open, open
             x/a -> y/named : UDP 53 = denied, open
             x/a -> y/named : TCP 53 = open, open
             x/a -> y/a : TCP 8080 = open, open
             x/a -> y/a : TCP 99 = open, open
             x/a -> y/a : TCP 100 = denied, open
             x/a -> y/a : TCP 102 = denied, open
             x/a -> y/a : TCP 103 = open, open
             x/a -> x/b : SCTP 9 = denied, open
             x/a -> x/b : TCP 9 = open, open",
        );
}

#[test]
fn s30_domain_names_are_open_unless_they_do_not_matter() {
    cluster()
        .tier(cluster_policy(
            "Admin 1 names",
            "ns / pods app=a",
            &[],
            &[
                deny(&["block 1.2.3.4/32"], &[]),
                accept(&["domain *.example.org"], &["TCP 443", "TCP 80"]),
                accept(&["block 1.2.3.5/32"], &["TCP 80"]),
                deny(&["block 0.0.0.0/0"], &["TCP 443"]),
            ],
        ))
        .check(
            "x/a -> 1.2.3.4 : TCP 443 = denied, n/a
             x/a -> 1.2.3.5 : TCP 443 = domain-name, n/a
             x/a -> 1.2.3.5 : TCP 80 = allowed, n/a
             x/a -> 1.2.3.5 : TCP 22 = open, n/a
             x/b -> 1.2.3.5 : TCP 443 = open, n/a",
        );
}

#[test]
fn s31_a_rule_that_is_not_understood_fails_closed() {
    let closed = |rule: ClusterRule| ClusterRule {
        fails_closed: true,
        peers: Vec::new(),
        ..rule
    };
    for (rule, expect) in [
        (accept(&[], &[]), "x/a -> x/b : TCP 80 = open, open"),
        (deny(&[], &["TCP 81"]), "x/a -> x/b : TCP 80 = open, denied"),
        (pass(&[], &[]), "1.2.3.4 -> x/b : TCP 80 = n/a, denied"),
    ] {
        cluster()
            .tier(cluster_policy("Admin 1 newer", ALL, &[closed(rule)], &[]))
            .check(expect);
    }
}

#[test]
fn a_pod_and_itself_are_subject_only_through_a_service() {
    let cluster = cluster().tier(cluster_policy(
        "Admin 1 deny",
        ALL,
        &[deny(&["ns"], &[])],
        &[deny(&["ns"], &[])],
    ));
    cluster.check("x/a -> x/a : TCP 80 = open, open");
    let hairpin = dialled(cluster.question("x/a", "x/a", "TCP 80", false), "10.96.0.1:80");
    assert_eq!(said(&cluster.policies, &hairpin), "denied, denied");
}

#[test]
fn a_pod_and_its_own_node_are_subject() {
    cluster()
        .tier(cluster_policy("Admin 1 deny", ALL, &[], &[deny(&["nodes"], &[])]))
        .policy(egress("x/out", "", &[]))
        .check(
            "x/a -> node n1 : TCP 80 = denied, n/a
             x/a -> x/b : TCP 80 = denied, open",
        );
}

#[test]
fn an_unknown_peer_is_open_where_it_matters() {
    cluster()
        .tier(cluster_policy(
            "Admin 1 some",
            ALL,
            &[deny(&["ns team=blue"], &["TCP 80"])],
            &[],
        ))
        .check(
            "unknown -> x/a : TCP 80 = n/a, peer-unknown
             unknown -> x/a : TCP 81 = n/a, open
             y/a -> unknown : TCP 80 = open, peer-unknown
             1.2.3.4 -> unknown : TCP 80 = n/a, n/a",
        );
}

#[test]
fn the_rule_that_decides_is_named() {
    let mut named = deny(&["ns team=red"], &["TCP 80"]);
    named.name = Some("no-red".into());
    let cluster = cluster()
        .tier(cluster_policy(
            "Admin 4 guard",
            ALL,
            &[accept(&["ns"], &["TCP 81"]), named],
            &[],
        ))
        .policy(ingress("x/in", "", &[rule(&[], &[])]));
    let ingress = cluster.judge("x/a", "x/b", "TCP 80").ingress;
    assert_eq!(ingress.decision, Decision::Denied);
    assert_eq!(ingress.policies, [Name::new("", "guard")]);
    let decided = ingress.rule.expect("a rule denies");
    assert_eq!((decided.policy.to_string().as_str(), decided.number), ("guard", 2));
    let [miss] = &ingress.nearest[..] else {
        panic!("{:?}", ingress.nearest)
    };
    assert_eq!(
        crate::diagnosis::misses::near_miss(miss, true),
        "rule 2 denies it (no-red): Admin tier, priority 4"
    );
    assert_eq!(
        miss.change,
        "put a rule before rule 2 of guard that accepts TCP 80 from pods app=a in namespace x"
    );
    let allowed = cluster
        .judge("x/a", "x/b", "TCP 81")
        .ingress
        .rule
        .expect("a rule allows");
    assert_eq!((allowed.policy.to_string().as_str(), allowed.number), ("guard", 1));
    let by_network_policy = cluster
        .judge("x/a", "x/b", "TCP 82")
        .ingress
        .rule
        .expect("a rule allows");
    assert_eq!(by_network_policy.policy.to_string(), "x/in");
}

#[test]
fn a_change_opens_a_window_and_is_told() {
    let mut cluster = cluster();
    let question = cluster.question("x/a", "x/b", "TCP 80", false);
    let second = 1_000_000_000;
    let at = question.at - std::time::Duration::from_secs(1);
    let policy = cluster_policy("Admin 1 deny", ALL, &[deny(&["ns"], &[])], &[]);
    cluster.set(Object::ClusterPolicy(Arc::new(policy.clone())), at);
    // What says the same is no change.
    cluster.set(Object::ClusterPolicy(Arc::new(policy)), Time(at.0 + 1));
    assert_eq!(said(&cluster.policies, &question), "open, policies-changing");
    let mut later = question.clone();
    later.at = Time(question.at.0 + 5 * second);
    assert_eq!(said(&cluster.policies, &later), "open, denied");
    let changes = cluster.policies.judge(&later).changes;
    assert_eq!(changes.len(), 1);
    assert_eq!((changes[0].what, changes[0].at), (PolicyChangeKind::Created, at));
    let gone = Change::Remove(Kind::ClusterNetworkPolicy, Name::new("", "deny"));
    cluster.policies.apply(&gone, later.at);
    later.at = Time(later.at.0 + 5 * second);
    assert_eq!(said(&cluster.policies, &later), "open, open");
    assert_eq!(
        cluster.policies.judge(&later).changes[0].what,
        PolicyChangeKind::Deleted
    );
}
