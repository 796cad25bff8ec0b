//! Whose an address was.

use super::*;

#[test]
fn without_objects_only_the_own_node_is_known() {
    let e = Endpoints::default().own("here", &["192.0.2.1", "10.244.0.1"]);
    e.check(&[
        ("192.0.2.1:80", 1, "own node here []"),
        ("10.244.0.1:80", 1, "own node here []"),
        ("10.244.0.9:80", 1, "no objects"),
    ]);
}

#[test]
fn an_address_changes_hands_within_seconds() {
    let mut e = Endpoints::default();
    e.put(pod("a/one", "10.244.0.5"), t(10));
    e.drop_pod("a/one", t(20));
    e.put(pod("a/two", "10.244.0.5"), t(22));
    e.check(&[
        ("10.244.0.5:80", 9, "external"),
        ("10.244.0.5:80", 10, "pod a/one"),
        ("10.244.0.5:80", 19, "pod a/one"),
        ("10.244.0.5:80", 20, "ended a/one at 20"),
        ("10.244.0.5:80", 21, "ended a/one at 20"),
        ("10.244.0.5:80", 22, "pod a/two"),
    ]);
}

#[test]
fn a_new_pod_had_its_address_since_it_was_created_unless_another_had_it() {
    let mut e = Endpoints::default();
    e.put(pod("a/one", "10.244.0.5"), t(10));
    e.drop_pod("a/one", t(20));
    let created = |seconds, address| Pod {
        created: Some(t(seconds)),
        ..pod(&format!("a/new-{seconds}"), address)
    };
    e.put(created(15, "10.244.0.5"), t(30));
    e.put(created(25, "10.244.0.6"), t(30));
    e.check(&[
        ("10.244.0.5:80", 19, "pod a/one"),
        ("10.244.0.5:80", 20, "pod a/new-15"),
        ("10.244.0.6:80", 24, "external"),
        ("10.244.0.6:80", 25, "pod a/new-25"),
    ]);
}

#[test]
fn completed_pods_do_not_own_the_address_they_keep_and_terminating_ones_do() {
    let mut e = Endpoints::default();
    e.put(pod("a/job", "10.244.0.5"), T0);
    e.put(pod("a/going", "10.244.0.6"), T0);
    let done = Pod {
        phase: Phase::Succeeded,
        ended: Some(t(10)),
        ..pod("a/job", "10.244.0.5")
    };
    e.put(done.clone(), t(12));
    let going = Pod {
        terminating: Some(t(5)),
        ..pod("a/going", "10.244.0.6")
    };
    e.put(going, t(5));
    let failed_long_ago = Pod {
        phase: Phase::Failed,
        ..pod("a/failed", "10.244.0.7")
    };
    e.put(failed_long_ago, T0);
    e.check(&[
        ("10.244.0.5:80", 9, "pod a/job"),
        ("10.244.0.5:80", 10, "ended a/job at 10"),
        ("10.244.0.6:80", 30, "pod a/going"),
        ("10.244.0.7:80", 30, "ended a/failed at -"),
    ]);
    e.put(pod("a/next", "10.244.0.5"), t(20));
    // The completed pod's object goes at last: it takes nothing from the new owner.
    e.drop_pod("a/job", t(25));
    e.check(&[("10.244.0.5:80", 30, "pod a/next")]);
}

#[test]
fn a_deletion_that_a_new_list_skipped_is_noticed_by_the_uid() {
    let mut e = Endpoints::default();
    e.put(pod("a/db-0", "10.244.0.5"), T0);
    let again = Pod {
        uid: "another".into(),
        ..pod("a/db-0", "10.244.0.6")
    };
    e.put(again, t(10));
    e.check(&[
        ("10.244.0.5:80", 9, "pod a/db-0"),
        ("10.244.0.5:80", 10, "ended a/db-0 at 10"),
        ("10.244.0.6:80", 10, "pod a/db-0"),
    ]);
}

#[test]
fn of_two_running_pods_with_one_address_neither_is_named() {
    let mut e = Endpoints::default();
    e.put(pod("a/one", "10.244.0.5"), T0);
    e.put(pod("a/two", "10.244.0.5"), t(10));
    e.drop_pod("a/one", t(20));
    e.check(&[
        ("10.244.0.5:80", 9, "pod a/one"),
        ("10.244.0.5:80", 10, "ambiguous a/one,a/two"),
        ("10.244.0.5:80", 20, "pod a/two"),
    ]);
}

#[test]
fn a_terminating_pod_yields_its_address_to_a_new_one() {
    let mut e = Endpoints::default();
    e.put(pod("a/old", "10.244.0.5"), T0);
    e.put(
        Pod {
            terminating: Some(t(5)),
            ..pod("a/old", "10.244.0.5")
        },
        t(5),
    );
    e.put(pod("a/new", "10.244.0.5"), t(10));
    e.check(&[("10.244.0.5:80", 9, "pod a/old"), ("10.244.0.5:80", 10, "pod a/new")]);
}

#[test]
fn a_pod_is_told_as_it_was_then() {
    let mut e = Endpoints::default();
    e.put(pod("a/web", "10.244.0.5"), T0);
    let relabelled = Pod {
        labels: [("app", "other")].into_iter().collect(),
        ..pod("a/web", "10.244.0.5")
    };
    e.put(relabelled, t(10));
    for (seconds, want) in [(9, "web"), (10, "other")] {
        let endpoint = e.resolve(to("10.244.0.5:80"), Protocol::Tcp, t(seconds));
        assert_eq!(endpoint.pod().unwrap().labels.get("app").unwrap().as_ref(), want);
    }
}

#[test]
fn a_pod_may_lose_an_address_and_have_two_families() {
    let mut e = Endpoints::default();
    e.put(pod("a/web", "10.244.0.5 fd00::5"), T0);
    e.put(pod("a/web", "10.244.0.5"), t(10));
    e.check(&[
        ("[fd00::5]:80", 9, "pod a/web"),
        ("[fd00::5]:80", 10, "ended a/web at 10"),
        ("10.244.0.5:80", 10, "pod a/web"),
    ]);
}

#[test]
fn precedence() {
    let number = TargetPort::Number(8080);
    let mut both = service("a/svc", "10.96.0.10 192.0.2.1", &[("", 80, number.clone())]);
    both.external_ips = vec![ip("198.51.100.7")];
    both.ports[0].node_port = Some(30080);
    let e = Endpoints::default()
        .own("here", &["192.0.2.1", "192.0.2.2", "10.244.0.1", "10.96.0.10"])
        .with(pod("a/web", "10.244.0.5"))
        .with(selecting(both, "web"))
        // A Service whose address a pod has: the pod wins.
        .with(service("a/odd", "10.244.0.5", &[("", 80, number)]))
        .with(node("here", &["192.0.2.2"], &["10.244.0.0/24"]))
        .with(node(
            "there",
            &["192.0.2.3", "203.0.113.3"],
            &["10.244.1.0/24", "fd00:1::/64"],
        ));
    e.check(&[
        ("10.244.0.5:80", 1, "pod a/web"),
        // On an own interface, as IPVS puts them: the Service.
        ("10.96.0.10:80", 1, "ClusterIp a/svc:80 [10.244.0.5:8080]"),
        ("192.0.2.1:80", 1, "ClusterIp a/svc:80 [10.244.0.5:8080]"),
        ("198.51.100.7:80", 1, "External a/svc:80 [10.244.0.5:8080]"),
        ("10.96.0.10:81", 1, "ClusterIp a/svc:- []"),
        ("192.0.2.2:30080", 1, "NodePort a/svc:80 [10.244.0.5:8080]"),
        ("10.244.0.1:30080", 1, "NodePort a/svc:80 [10.244.0.5:8080]"),
        ("192.0.2.3:30080", 1, "NodePort a/svc:80 [10.244.0.5:8080]"),
        ("192.0.2.2:80", 1, "own node here []"),
        ("10.244.0.1:10250", 1, "own node here []"),
        ("192.0.2.3:80", 1, "other node there []"),
        ("203.0.113.3:80", 1, "other node there []"),
        ("10.244.1.1:80", 1, "other node there []"),
        ("10.244.1.0:80", 1, "other node there []"),
        ("[fd00:1::1]:80", 1, "other node there []"),
        ("10.244.1.2:80", 1, "external"),
        ("1.1.1.1:80", 1, "external"),
    ]);
}

#[test]
fn a_shared_load_balancer_address_is_told_by_the_port() {
    let mut one = service("a/one", "", &[("", 80, TargetPort::Number(80))]);
    let mut two = service("a/two", "", &[("", 443, TargetPort::Number(443))]);
    one.external_ips = vec![ip("198.51.100.7")];
    two.external_ips = vec![ip("198.51.100.7")];
    Endpoints::default().with(one).with(two).check(&[
        ("198.51.100.7:80", 1, "External a/one:80 [unknown]"),
        ("198.51.100.7:443", 1, "External a/two:443 [unknown]"),
        ("198.51.100.7:22", 1, "External a/one:- [unknown]"),
    ]);
}

#[test]
fn host_network_pods_are_their_node_with_candidates() {
    let host = |name: &str, address: &str, node: &str| Pod {
        host_network: true,
        node: Some(node.into()),
        ..pod(name, address)
    };
    let gone = Pod {
        phase: Phase::Failed,
        ..host("k/gone", "192.0.2.3", "there")
    };
    let e = Endpoints::default()
        .own("here", &["192.0.2.2"])
        .with(node("there", &["192.0.2.3"], &[]))
        .with(host("k/proxy-a", "192.0.2.2", "here"))
        .with(host("k/proxy-b", "192.0.2.3", "there"))
        .with(host("k/cni-b", "192.0.2.3", "there"))
        .with(host("k/lone", "192.0.2.9", "nowhere"))
        .with(gone)
        .with(pod("a/web", "10.244.0.5"));
    e.check(&[
        ("192.0.2.2:1", 1, "own node here [k/proxy-a]"),
        ("192.0.2.3:1", 1, "other node there [k/cni-b,k/proxy-b]"),
        ("192.0.2.9:1", 1, "other node nowhere [k/lone]"),
    ]);
}

#[test]
fn a_host_port_leads_to_the_pod_on_that_node() {
    let with_port = |name: &str, address: &str, on: &str| Pod {
        node: Some(on.into()),
        ports: vec![ContainerPort {
            name: None,
            port: 8080,
            host_port: Some(80),
            protocol: Protocol::Tcp,
        }],
        ..pod(name, address)
    };
    let shares = Pod {
        host_network: true,
        ..with_port("k/ingress", "192.0.2.4", "last")
    };
    let e = Endpoints::default()
        .own("here", &["192.0.2.2"])
        .with(node("there", &["192.0.2.3"], &[]))
        .with(node("last", &["192.0.2.4"], &[]))
        .with(with_port("a/one", "10.244.0.5", "here"))
        .with(with_port("a/two", "10.244.1.5 fd00::5", "there"))
        .with(shares);
    e.check(&[
        ("192.0.2.2:80", 1, "HostPort -:- [10.244.0.5:8080]"),
        ("192.0.2.3:80", 1, "HostPort -:- [10.244.1.5:8080]"),
        ("192.0.2.3:81", 1, "other node there []"),
        // A hostNetwork pod's port is the node's own.
        ("192.0.2.4:80", 1, "other node last [k/ingress]"),
    ]);
}

#[test]
fn the_service_range_is_claimed_only_where_it_is_certain() {
    let svc = |name: &str, address: &str| service(name, address, &[("", 80, TargetPort::Number(80))]);
    let e = Endpoints::default().with(svc("a/one", "10.96.0.10"));
    e.check(&[("10.96.0.11:80", 1, "external")]);

    let mut e = e
        .with(svc("a/two", "10.96.200.1 fd00:96::1"))
        .with(svc("a/three", "fd00:96::f"));
    e.check(&[
        ("10.96.0.11:80", 1, "service range"),
        ("10.96.255.255:80", 1, "service range"),
        ("10.97.0.1:80", 1, "external"),
        ("[fd00:96::5]:80", 1, "service range"),
        ("[fd00:96::10]:80", 1, "external"),
    ]);
    // A Service that is gone leaves its address in the range.
    e.apply(&Change::Remove(Kind::Service, named("a/one")), t(5));
    e.check(&[
        ("10.96.0.10:80", 4, "ClusterIp a/one:80 [unknown]"),
        ("10.96.0.10:80", 5, "service range"),
    ]);
    // Pods or nodes inside: there is more than one range.
    let mixed = e.with(pod("a/web", "10.96.100.1"));
    mixed.check(&[("10.96.0.11:80", 6, "external")]);
    let far = Endpoints::default()
        .with(svc("a/one", "10.96.0.10"))
        .with(svc("a/two", "10.200.0.1"));
    far.check(&[("10.96.0.11:80", 1, "external")]);
    let nodes = Endpoints::default()
        .with(svc("a/one", "10.96.0.1"))
        .with(svc("a/two", "10.96.3.1"))
        .with(node("n", &[], &["10.96.1.0/24"]));
    nodes.check(&[("10.96.0.11:80", 1, "external")]);
}

#[test]
fn pods_on_a_node_follow_time() {
    let mut e = Endpoints::default()
        .with(pod("a/web", "10.244.0.5"))
        .with(Pod {
            node: Some("there".into()),
            ..pod("a/far", "10.244.1.5")
        })
        .with(Pod {
            phase: Phase::Succeeded,
            ..pod("a/done", "10.244.0.6")
        });
    e.put(pod("a/late", ""), t(10));
    let names = |at| -> Vec<String> { e.pods_on_node("here", at).iter().map(|p| p.name.to_string()).collect() };
    assert_eq!(names(t(9)), ["a/web"]);
    assert_eq!(names(t(10)), ["a/late", "a/web"]);
}

#[test]
fn the_pods_of_a_workload_follow_time() {
    let of = |name: &str| crate::objects::Workload {
        kind: "Deployment".into(),
        name: name.into(),
    };
    let made = |pod: Pod, by: &str| Pod {
        workload: Some(of(by)),
        ..pod
    };
    let mut e = Endpoints::default()
        .with(made(pod("a/web-1", "10.244.0.5"), "web"))
        .with(made(pod("b/web-1", "10.244.0.6"), "web"))
        .with(pod("a/web", "10.244.0.7"));
    e.put(made(pod("a/web-2", ""), "web"), t(10));
    e.drop_pod("a/web-1", t(20));
    e.put(made(pod("a/web-2", ""), "api"), t(30));
    // It came back, and more is known of it later.
    e.put(made(pod("a/web-1", "10.244.0.8"), "web"), t(40));
    e.put(made(pod("a/web-1", "10.244.0.9"), "web"), t(50));
    let names = |e: &Endpoints, by: &str, at| -> Vec<String> {
        e.pods_of(&"a".into(), &of(by), at)
            .map(|p| p.name.to_string())
            .collect()
    };
    for (at, web, api) in [
        (9, &["a/web-1"][..], &[][..]),
        (10, &["a/web-1", "a/web-2"], &[]),
        (20, &["a/web-2"], &[]),
        (30, &[], &["a/web-2"]),
        (50, &["a/web-1"], &["a/web-2"]),
    ] {
        assert_eq!(
            (names(&e, "web", t(at)), names(&e, "api", t(at))),
            (
                web.iter().map(ToString::to_string).collect(),
                api.iter().map(ToString::to_string).collect()
            ),
            "at {at}"
        );
    }
    e.drop_pod("a/web-1", t(60));
    e.prune(t(70));
    assert_eq!(
        (names(&e, "web", t(70)), names(&e, "api", t(70))),
        (vec![], vec!["a/web-2".to_owned()])
    );
}

#[test]
fn pruning_forgets_what_ended_and_keeps_what_exists() {
    let mut e = Endpoints::default()
        .own("here", &[])
        .with(pod("a/web", "10.244.0.5"))
        .with(selecting(
            service("a/web", "10.96.0.10", &[("", 80, TargetPort::Number(80))]),
            "web",
        ))
        .with(Pod {
            phase: Phase::Succeeded,
            ended: Some(t(1)),
            ..pod("a/done", "10.244.0.6")
        })
        .with(node("there", &["192.0.2.3"], &[]));
    e.drop_pod("a/web", t(10));
    e.apply(&Change::Remove(Kind::Node, Name::new("", "there")), t(10));
    e.prune(t(5));
    e.check(&[
        ("10.96.0.10:80", 9, "ClusterIp a/web:80 [10.244.0.5:80]"),
        ("10.244.0.5:80", 12, "ended a/web at 10"),
        ("192.0.2.3:80", 9, "other node there []"),
    ]);
    e.prune(t(20));
    e.check(&[
        ("10.244.0.5:80", 21, "external"),
        ("10.244.0.6:80", 21, "ended a/done at 1"),
        ("10.96.0.10:80", 21, "ClusterIp a/web:80 []"),
        ("192.0.2.3:80", 21, "external"),
    ]);
    e.put(pod("a/web", "10.244.0.5"), t(30));
    e.check(&[("10.96.0.10:80", 31, "ClusterIp a/web:80 [10.244.0.5:80]")]);
}

#[test]
fn a_node_with_our_address_is_this_one_whatever_the_host_is_called() {
    let e = Endpoints::default()
        .own("ip-192-0-2-2", &["192.0.2.2", "10.244.0.1"])
        .with(node("there", &["192.0.2.3"], &[]))
        .with(node("here", &["192.0.2.2"], &[]));
    e.check(&[
        ("192.0.2.2:1", 1, "own node here []"),
        // The bridge's, from which kubelet's probes come.
        ("10.244.0.1:1", 1, "own node here []"),
        ("192.0.2.3:1", 1, "other node there []"),
    ]);
    assert_eq!(e.own_name(), "here");
    let named = Endpoints::default()
        .own("there", &["192.0.2.2"])
        .with(node("there", &["192.0.2.3"], &[]))
        .with(node("here", &["192.0.2.2"], &[]));
    named.check(&[("192.0.2.2:1", 1, "own node there []")]);
}

#[test]
fn a_node_speaks_from_its_addresses_and_not_from_those_that_ipvs_puts_on_it() {
    let e = Endpoints::default()
        .own(
            "here",
            &["192.0.2.2", "10.244.0.1", "127.0.0.1", "10.96.0.10", "fd00::2"],
        )
        .with(service("a/web", "10.96.0.10", &[("", 80, TargetPort::Number(80))]))
        .with(node("here", &["192.0.2.2"], &["10.244.0.0/24"]))
        .with(node("there", &["192.0.2.3", "fd00::3"], &["10.244.1.0/24"]));
    let of = |name: &str, ipv6: bool| -> Vec<String> {
        let addresses = e.node_addresses(&name.into(), ipv6, t(1));
        addresses.iter().map(ToString::to_string).collect()
    };
    assert_eq!(of("here", false), ["10.244.0.0", "10.244.0.1", "192.0.2.2"]);
    assert_eq!(of("here", true), ["fd00::2"]);
    assert_eq!(of("there", false), ["10.244.1.0", "10.244.1.1", "192.0.2.3"]);
    assert_eq!(of("there", true), ["fd00::3"]);
    assert_eq!(of("gone", false), [""; 0]);
    let at = |address: &str| e.node_at(ip(address), t(1)).map(|name| name.to_string());
    assert_eq!(at("192.0.2.3").as_deref(), Some("there"));
    assert_eq!(at("10.244.0.1").as_deref(), Some("here"));
    assert_eq!(at("192.0.2.9"), None);
}
