//! One test per sentence of the NetworkPolicy documentation that implementations got wrong, in both address families.

use super::fixtures::{Cluster, container_port, egress, ingress, rule};
use crate::objects::{NetworkPolicy, Phase, Protocol};

/// `a` and `b` in `x`, `a` in `y` (team=blue); no policy.
fn three() -> Cluster {
    Cluster::new()
        .namespace("x", "team=red")
        .namespace("y", "team=blue")
        .pod("x/a", "app=a")
        .pod("x/b", "app=b")
        .pod("y/a", "app=a,tier=web")
}

#[test]
fn without_policies_everything_is_open() {
    three().check(
        "x/a -> x/b : TCP 80 = open, open
         x/a -> 1.2.3.4 : TCP 80 = open, n/a
         2001:db8::1 -> x/a : UDP 53 = n/a, open",
    );
}

#[test]
fn s01_isolation_is_per_direction_and_both_must_allow() {
    let cluster = three()
        .policy(egress("x/out", "app=a", &[rule(&["pods app=b"], &[])]))
        .policy(ingress("x/in", "app=b", &[rule(&["ns team=blue"], &[])]));
    cluster.check(
        "x/a -> x/b : TCP 80 = allowed, denied
         y/a -> x/b : TCP 80 = open, allowed
         x/a -> y/a : TCP 80 = denied, open
         y/a -> x/a : TCP 80 = open, open
         x/b -> x/a : TCP 80 = open, open",
    );
}

#[test]
fn s02_no_peers_is_every_peer_external_ones_too() {
    three()
        .policy(ingress("x/in", "", &[rule(&[], &["TCP 80"])]))
        .policy(egress("x/out", "", &[rule(&[], &["TCP 80"])]))
        .check(
            "y/a -> x/a : TCP 80 = open, allowed
             1.2.3.4 -> x/a : TCP 80 = n/a, allowed
             2001:db8::1 -> x/a : TCP 80 = n/a, allowed
             x/a -> 1.2.3.4 : TCP 80 = allowed, n/a
             1.2.3.4 -> x/a : TCP 81 = n/a, denied",
        );
}

#[test]
fn s03_no_ports_is_every_port_and_an_empty_port_is_all_of_tcp() {
    three()
        .policy(ingress("x/every", "app=a", &[rule(&[], &[])]))
        .policy(ingress("x/tcp", "app=b", &[rule(&[], &["TCP"])]))
        .check(
            "y/a -> x/a : TCP 80 = open, allowed
             y/a -> x/a : UDP 80 = open, allowed
             y/a -> x/a : SCTP 80 = open, allowed
             y/a -> x/b : TCP 65535 = open, allowed
             y/a -> x/b : UDP 80 = open, denied
             y/a -> x/b : SCTP 80 = open, denied",
        );
}

#[test]
fn s04_an_empty_rule_allows_all_and_no_rule_denies_all() {
    three()
        .policy(ingress("x/all", "app=a", &[rule(&[], &[])]))
        .policy(ingress("x/none", "app=b", &[]))
        .check(
            "1.2.3.4 -> x/a : UDP 1 = n/a, allowed
             x/a -> x/b : TCP 80 = open, denied
             1.2.3.4 -> x/b : TCP 80 = n/a, denied",
        );
}

#[test]
fn s05_policy_types_decide_and_not_the_presence_of_a_section() {
    // Rules in a section that policyTypes does not name are without effect, and so is that direction's isolation.
    let only_egress = NetworkPolicy {
        ingress: vec![rule(&["pods app=nobody"], &[])],
        ..egress("x/p", "app=a", &[])
    };
    // Missing policyTypes with an egress rule were defaulted to both: ingress is isolated, without rules.
    let both = NetworkPolicy {
        isolates_ingress: true,
        ..egress("x/q", "app=b", &[rule(&[], &[])])
    };
    three().policy(only_egress).policy(both).check(
        "y/a -> x/a : TCP 80 = open, open
         x/a -> y/a : TCP 80 = denied, open
         y/a -> x/b : TCP 80 = open, denied
         x/b -> y/a : TCP 80 = allowed, open",
    );
}

#[test]
fn s06_policies_rules_and_peers_add_up() {
    three()
        .policy(ingress("x/0-deny", "", &[]))
        .policy(ingress(
            "x/1-some",
            "app=b",
            &[
                rule(&["pods app=nobody"], &[]),
                rule(&["pods app=nobody", "pods app=a"], &["UDP 9", "TCP 80"]),
            ],
        ))
        .policy(ingress("x/2-more", "app=b", &[rule(&["ns team=blue"], &["TCP 443"])]))
        .check(
            "x/a -> x/b : TCP 80 = open, allowed
             x/a -> x/b : TCP 443 = open, denied
             y/a -> x/b : TCP 443 = open, allowed
             y/a -> x/b : TCP 80 = open, denied
             x/b -> x/a : TCP 80 = open, denied",
        );
}

#[test]
fn s07_pod_selector_alone_is_the_own_namespace_and_both_selectors_are_and() {
    three()
        .pod("y/b", "app=b")
        .policy(ingress("x/pods", "app=a", &[rule(&["pods app=a"], &[])]))
        .policy(ingress("x/both", "app=b", &[rule(&["ns team=blue / pods app=a"], &[])]))
        .pod("x/c", "app=c")
        .policy(ingress("x/ns", "app=c", &[rule(&["ns team=blue"], &[])]))
        .check(
            "y/a -> x/a : TCP 80 = open, denied
             x/a -> x/b : TCP 80 = open, denied
             y/b -> x/b : TCP 80 = open, denied
             y/a -> x/b : TCP 80 = open, allowed
             y/a -> x/c : TCP 80 = open, allowed
             y/b -> x/c : TCP 80 = open, allowed
             x/a -> x/c : TCP 80 = open, denied",
        );
}

#[test]
fn s08_empty_selectors_select_all_pods_and_never_external_addresses() {
    three()
        .policy(ingress("x/same", "app=a", &[rule(&["pods"], &[])]))
        .policy(ingress("x/every", "app=b", &[rule(&["ns"], &[])]))
        .check(
            "x/b -> x/a : TCP 80 = open, allowed
             y/a -> x/a : TCP 80 = open, denied
             1.2.3.4 -> x/a : TCP 80 = n/a, denied
             y/a -> x/b : TCP 80 = open, allowed
             1.2.3.4 -> x/b : TCP 80 = n/a, denied
             2001:db8::1 -> x/b : TCP 80 = n/a, denied
             node n2 -> x/b : TCP 80 = n/a, denied",
        );
}

#[test]
fn s09_operators_and_absent_keys() {
    let from = |selector: &str| {
        three().pod("x/empty", "tier=").pod("x/none", "").policy(ingress(
            "x/p",
            "app=b",
            &[rule(&[&format!("ns / pods {selector}")], &[])],
        ))
    };
    let check = |selector: &str, answers: [&str; 4]| {
        let [x_a, y_a, empty, none] = answers;
        from(selector).check(&format!(
            "x/a -> x/b : TCP 80 = open, {x_a}
             y/a -> x/b : TCP 80 = open, {y_a}
             x/empty -> x/b : TCP 80 = open, {empty}
             x/none -> x/b : TCP 80 = open, {none}"
        ));
    };
    let (yes, no) = ("allowed", "denied");
    check("tier in (web db)", [no, yes, no, no]);
    check("tier notin (web db)", [yes, no, yes, yes]);
    check("tier", [no, yes, yes, no]);
    check("!tier", [yes, no, no, yes]);
    check("tier=", [no, no, yes, no]);
    check("tier=web, app=b", [no, no, no, no]);
    check("tier notin (web), app", [yes, no, no, no]);
}

#[test]
fn s10_every_namespace_has_its_name_as_a_label() {
    // In the object (the border adds it), and for a policy that names it.
    three()
        .policy(ingress("x/p", "", &[rule(&["ns kubernetes.io/metadata.name=y"], &[])]))
        .check(
            "y/a -> x/a : TCP 80 = open, allowed
             x/b -> x/a : TCP 80 = open, denied",
        );
}

#[test]
fn s11_a_missing_namespace_object_has_the_built_in_label_only() {
    three()
        .pod("ghost/a", "app=a")
        .policy(ingress(
            "x/named",
            "app=a",
            &[rule(&["ns kubernetes.io/metadata.name=ghost"], &[])],
        ))
        .policy(ingress("x/all", "app=b", &[rule(&["ns"], &[])]))
        .pod("x/c", "app=c")
        .policy(ingress("x/labelled", "app=c", &[rule(&["ns team"], &[])]))
        .pod("x/d", "app=d")
        .policy(ingress(
            "x/unlabelled",
            "app=d",
            &[rule(&["ns team notin (red), !other"], &[])],
        ))
        .policy(egress("ghost/deny", "", &[]))
        .check(
            "ghost/a -> x/a : TCP 80 = denied, allowed
             ghost/a -> x/b : TCP 80 = denied, allowed
             ghost/a -> x/c : TCP 80 = denied, denied
             ghost/a -> x/d : TCP 80 = denied, allowed",
        );
}

#[test]
fn s12_a_named_port_resolves_per_destination_pod_by_name_and_protocol() {
    let with = |port| move |pod: &mut crate::objects::Pod| pod.ports = vec![port];
    Cluster::new()
        .pod("x/client", "")
        .pod_with("x/one", "", with(container_port("http", 8080, Protocol::Tcp)))
        .pod_with("x/two", "", with(container_port("http", 9090, Protocol::Tcp)))
        .pod_with("x/udp", "", with(container_port("http", 8080, Protocol::Udp)))
        .pod("x/bare", "")
        .policy(egress("x/out", "", &[rule(&[], &["TCP http"])]))
        .policy(ingress("x/in", "", &[rule(&[], &["TCP http"])]))
        .check(
            "x/client -> x/one : TCP 8080 = allowed, allowed
             x/client -> x/one : TCP 9090 = denied, denied
             x/client -> x/two : TCP 9090 = allowed, allowed
             x/client -> x/two : TCP 8080 = denied, denied
             x/client -> x/udp : TCP 8080 = denied, denied
             x/client -> x/udp : UDP 8080 = denied, denied
             x/client -> x/bare : TCP 8080 = denied, denied
             x/client -> 1.2.3.4 : TCP 8080 = denied, n/a
             x/client -> node n2 : TCP 8080 = denied, n/a
             1.2.3.4 -> x/one : TCP 8080 = n/a, allowed",
        );
}

#[test]
fn s13_a_numeric_port_matches_whether_declared_or_not() {
    three().policy(ingress("x/p", "", &[rule(&[], &["TCP 8080"])])).check(
        "y/a -> x/a : TCP 8080 = open, allowed
             y/a -> x/a : TCP 80 = open, denied",
    );
}

#[test]
fn s14_end_port_is_inclusive_and_may_equal_port() {
    three()
        .policy(ingress("x/p", "app=a", &[rule(&[], &["TCP 8000-8080", "UDP 53-53"])]))
        .policy(ingress("x/top", "app=b", &[rule(&[], &["TCP 60000-65535"])]))
        .check(
            "y/a -> x/a : TCP 7999 = open, denied
             y/a -> x/a : TCP 8000 = open, allowed
             y/a -> x/a : TCP 8080 = open, allowed
             y/a -> x/a : TCP 8081 = open, denied
             y/a -> x/a : UDP 53 = open, allowed
             y/a -> x/a : UDP 54 = open, denied
             y/a -> x/b : TCP 65535 = open, allowed",
        );
}

#[test]
fn s15_an_ip_block_matches_pod_addresses_with_a_caveat() {
    let cluster = three().policy(ingress(
        "x/p",
        "",
        &[rule(&["block 10.0.0.3/32", "block fd00::3/128"], &[])],
    ));
    cluster.check(
        "y/a -> x/a : TCP 80 = open, allowed
         x/b -> x/a : TCP 80 = open, denied",
    );
    let caveats = |from| cluster.judge(from, "x/a", "TCP 80").caveats;
    assert_eq!(caveats("y/a"), [crate::policy::Caveat::BlockOnPod]);
    assert_eq!(caveats("x/b"), []);
}

#[test]
fn s16_except_narrows_its_own_block_only_and_host_bits_are_masked() {
    three()
        .policy(egress(
            "x/p",
            "",
            &[rule(
                &[
                    "block 10.9.9.9/8 except 10.0.0.0/16",
                    "block 10.0.7.0/24",
                    "block 2001:db8::ff/32 except 2001:db8:1::/48",
                ],
                &[],
            )],
        ))
        .check(
            "x/a -> 10.1.0.1 : TCP 80 = allowed, n/a
             x/a -> 10.0.3.1 : TCP 80 = denied, n/a
             x/a -> 10.0.7.1 : TCP 80 = allowed, n/a
             x/a -> 11.0.0.1 : TCP 80 = denied, n/a
             x/a -> 2001:db8:2::1 : TCP 80 = allowed, n/a
             x/a -> 2001:db8:1::1 : TCP 80 = denied, n/a",
        );
}

#[test]
fn s17_a_block_never_covers_the_other_family() {
    three()
        .policy(egress("x/four", "app=a", &[rule(&["block 0.0.0.0/0"], &[])]))
        .policy(egress("x/six", "app=b", &[rule(&["block ::/0"], &[])]))
        .check(
            "x/a -> 1.2.3.4 : TCP 80 = allowed, n/a
             x/a -> 2001:db8::1 : TCP 80 = denied, n/a
             x/b -> 1.2.3.4 : TCP 80 = denied, n/a
             x/b -> 2001:db8::1 : TCP 80 = allowed, n/a",
        );
}

#[test]
fn s18_a_pod_reaches_itself_and_its_own_node_and_the_node_reaches_it() {
    three()
        .policy(ingress("x/in", "", &[]))
        .policy(egress("x/out", "", &[]))
        .check(
            "x/a -> x/a : TCP 80 = allowed, allowed
             x/a -> x/b : TCP 80 = denied, denied
             node n1 -> x/a : TCP 80 = n/a, allowed
             node n2 -> x/a : TCP 80 = n/a, denied
             x/a -> node n1 : TCP 10250 = allowed, n/a
             x/a -> node n2 : TCP 10250 = denied, n/a
             node ? -> y/a : TCP 80 = n/a, open",
        );
}

#[test]
fn s18_a_pod_reaches_its_own_localhost_through_no_policy() {
    three()
        .policy(ingress("x/in", "", &[]))
        .policy(egress("x/out", "", &[]))
        .check(
            "x/a -> 127.0.0.1 : TCP 80 = allowed, n/a
             x/a -> 127.1.2.3 : TCP 80 = allowed, n/a
             x/a -> ::1 : TCP 80 = allowed, n/a
             x/a -> 128.0.0.1 : TCP 80 = denied, n/a
             y/a -> 127.0.0.1 : TCP 80 = open, n/a",
        );
}

#[test]
fn s19_a_host_network_pod_is_undecidable_only_where_it_matters() {
    let host = |pod: &mut crate::objects::Pod| pod.host_network = true;
    three()
        .pod_with("x/host", "app=host", host)
        .policy(ingress("x/by-label", "app=a", &[rule(&["pods app=host"], &[])]))
        .policy(ingress(
            "x/by-address",
            "app=b",
            &[rule(&["block 192.168.0.0/16", "block fd99::/16"], &[])],
        ))
        .policy(ingress("x/host", "app=host", &[]))
        .check(
            "node n2 x/host -> x/a : TCP 80 = n/a, host-network
             node n2 x/host -> x/b : TCP 80 = n/a, allowed
             y/a -> node n2 x/host : TCP 80 = open, host-network
             node n2 x/host -> y/a : TCP 80 = n/a, open",
        );
}

#[test]
fn s20_replies_need_no_rule_of_their_own() {
    // Only the direction of the SYN is asked: the server's egress does not matter.
    three()
        .policy(egress("x/out", "app=b", &[]))
        .check("x/a -> x/b : TCP 80 = open, open");
}

#[test]
fn s21_rules_of_one_protocol_do_not_open_another() {
    three()
        .policy(ingress("x/p", "", &[rule(&[], &["UDP 80", "SCTP 80"])]))
        .check(
            "y/a -> x/a : TCP 80 = open, denied
             y/a -> x/a : UDP 80 = open, allowed
             y/a -> x/a : SCTP 80 = open, allowed",
        );
}

#[test]
fn s22_pods_of_one_workload_are_judged_one_by_one() {
    three()
        .pod("x/a-canary", "app=a,track=canary")
        .policy(ingress("x/p", "app=a, track=canary", &[]))
        .check(
            "y/a -> x/a : TCP 80 = open, open
             y/a -> x/a-canary : TCP 80 = open, denied",
        );
}

#[test]
fn s23_a_terminating_pod_is_judged_as_before() {
    // That a completed pod is no party any more is decided where addresses are resolved.
    three()
        .pod_with("x/leaving", "app=b", |pod| {
            pod.terminating = Some(crate::time::Time(1));
            pod.phase = Phase::Running;
        })
        .policy(ingress("x/p", "app=b", &[rule(&["pods app=a"], &[])]))
        .check(
            "x/a -> x/leaving : TCP 80 = open, allowed
             y/a -> x/leaving : TCP 80 = open, denied",
        );
}
