//! Where a Service's address leads.

use super::*;

#[test]
fn backends_come_from_slices() {
    let web = service(
        "a/web",
        "10.96.0.10 fd00:96::a",
        &[
            ("http", 80, TargetPort::Name("http".into())),
            ("admin", 81, TargetPort::Number(9000)),
        ],
    );
    let v6 = slice("a/web-6", "web", &[("http", 8080)], &[backend("fd00::5", "ready")]);
    let mut nothing = slice("a/web-7", "web", &[("http", 8080)], &[backend("10.244.0.9", "ready")]);
    nothing.ports[0].port = None;
    let other_protocol = {
        let mut slice = slice("a/web-8", "web", &[("http", 8080)], &[backend("10.244.0.8", "ready")]);
        slice.ports[0].protocol = Protocol::Udp;
        slice
    };
    let e = Endpoints::default()
        .own("here", &[])
        .with(selecting(web, "web"))
        // Matches the selector; where there are slices they decide.
        .with(pod("a/web", "10.244.0.77"))
        .with(slice(
            "a/web-1",
            "web",
            &[("http", 8080), ("admin", 9001)],
            &[
                backend("10.244.0.5", "ready"),
                backend("10.244.0.6", "down"),
                backend("10.244.0.7", "draining"),
            ],
        ))
        .with(slice(
            "a/web-2",
            "web",
            &[("http", 8081)],
            &[backend("10.244.0.4", "ready")],
        ))
        .with(v6)
        .with(nothing)
        .with(other_protocol)
        .with(slice(
            "b/web-1",
            "web",
            &[("http", 1)],
            &[backend("10.244.0.1", "ready")],
        ));
    e.check(&[
        (
            "10.96.0.10:80",
            1,
            "ClusterIp a/web:80 [10.244.0.4:8081, 10.244.0.5:8080, 10.244.0.6:8080 unready, 10.244.0.7:8080 unready]",
        ),
        (
            "10.96.0.10:81",
            1,
            "ClusterIp a/web:81 [10.244.0.5:9001, 10.244.0.6:9001 unready, 10.244.0.7:9001 unready]",
        ),
        ("[fd00:96::a]:80", 1, "ClusterIp a/web:80 [[fd00::5]:8080]"),
        ("[fd00:96::a]:81", 1, "ClusterIp a/web:81 []"),
    ]);
}

#[test]
fn terminating_backends_serve_where_no_other_is_ready() {
    let e = Endpoints::default()
        .with(service("a/web", "10.96.0.10", &[("", 80, TargetPort::Number(80))]))
        .with(slice(
            "a/web-1",
            "web",
            &[("", 8080)],
            &[backend("10.244.0.6", "down"), backend("10.244.0.7", "draining")],
        ));
    e.check(&[(
        "10.96.0.10:80",
        1,
        "ClusterIp a/web:80 [10.244.0.6:8080 unready, 10.244.0.7:8080]",
    )]);
}

#[test]
fn slices_have_a_history_too() {
    let mut e = Endpoints::default()
        .with(service("a/web", "10.96.0.10", &[("", 80, TargetPort::Number(80))]))
        .with(slice("a/s", "web", &[("", 8080)], &[backend("10.244.0.5", "ready")]));
    e.put(
        slice("a/s", "web", &[("", 8080)], &[backend("10.244.0.6", "ready")]),
        t(100),
    );
    e.apply(&Change::Remove(Kind::EndpointSlice, named("a/s")), t(200));
    e.check(&[
        ("10.96.0.10:80", 99, "ClusterIp a/web:80 [10.244.0.5:8080]"),
        ("10.96.0.10:80", 100, "ClusterIp a/web:80 [10.244.0.6:8080]"),
        ("10.96.0.10:80", 200, "ClusterIp a/web:80 []"),
    ]);
    let cases = [
        ("10.96.0.10:80", "10.96.0.10:80", 50, true),
        ("10.96.0.10:80", "10.244.0.5:8080", 50, true),
        ("10.96.0.10:80", "10.244.0.5:80", 50, false),
        ("10.96.0.10:80", "10.244.0.6:8080", 50, false),
        // kube-proxy may be a moment ahead or behind.
        ("10.96.0.10:80", "10.244.0.6:8080", 96, true),
        ("10.96.0.10:80", "10.244.0.5:8080", 104, true),
        ("10.96.0.10:80", "10.244.0.5:8080", 106, false),
        ("10.244.0.5:80", "10.244.0.6:80", 50, false),
        ("1.1.1.1:80", "10.244.0.6:80", 50, false),
    ];
    for (dialled, seen, at, want) in cases {
        assert_eq!(
            e.may_become(to(dialled), to(seen), t(at)),
            want,
            "{dialled} {seen} {at}"
        );
    }
    assert_eq!(e.destinations(to("10.96.0.10:80"), t(50)), [to("10.244.0.5:8080")]);
    assert_eq!(e.destinations(to("10.96.0.10:80"), t(250)), []);
    assert_eq!(e.destinations(to("10.244.0.5:80"), t(50)), [to("10.244.0.5:80")]);
    assert!(Endpoints::default().may_become(to("10.96.0.10:80"), to("10.244.0.5:80"), t(1)));
}

#[test]
fn without_any_slice_backends_follow_the_selector() {
    let port = |name: &str, number| ContainerPort {
        name: Some(name.into()),
        port: number,
        host_port: None,
        protocol: Protocol::Tcp,
    };
    let web = |name: &str, address: &str, number| Pod {
        labels: [("app", "web"), ("pod", name)].into_iter().collect(),
        ports: vec![port("http", number)],
        ..pod(name, address)
    };
    let done = Pod {
        phase: Phase::Succeeded,
        ..web("a/done", "10.244.0.4", 80)
    };
    let starting = Pod {
        ready: false,
        ..web("a/starting", "10.244.0.7", 82)
    };
    let going = Pod {
        terminating: Some(T0),
        ..web("a/going", "10.244.0.8", 83)
    };
    let nameless = Pod {
        ports: vec![],
        ..web("a/nameless", "10.244.0.9", 0)
    };
    let ports = [("", 80, TargetPort::Name("http".into()))];
    let mut eager = selecting(service("a/eager", "10.96.0.11", &ports), "web");
    eager.publish_not_ready = true;
    let mut e = Endpoints::default()
        .with(web("a/one", "10.244.0.5 fd00::5", 80))
        .with(web("b/elsewhere", "10.244.0.1", 80))
        .with(pod("a/other", "10.244.0.2"))
        .with(web("a/unassigned", "", 80))
        .with(selecting(service("a/web", "10.96.0.10 fd00:96::a", &ports), "web"))
        .with(eager)
        .with(service("a/manual", "10.96.0.12", &ports))
        .with(web("a/two", "10.244.0.6", 81))
        .with(starting)
        .with(going)
        .with(done)
        .with(nameless);
    e.check(&[
        (
            "10.96.0.10:80",
            1,
            "ClusterIp a/web:80 [10.244.0.5:80, 10.244.0.6:81, 10.244.0.7:82 unready, 10.244.0.8:83 unready]",
        ),
        (
            "10.96.0.11:80",
            1,
            "ClusterIp a/eager:80 [10.244.0.5:80, 10.244.0.6:81, 10.244.0.7:82, 10.244.0.8:83]",
        ),
        ("10.96.0.12:80", 1, "ClusterIp a/manual:80 [unknown]"),
        ("[fd00:96::a]:80", 1, "ClusterIp a/web:80 [[fd00::5]:80]"),
    ]);
    // The label goes, and with it the backend; a slice appears, and then it decides.
    e.put(pod("a/two", "10.244.0.6"), t(10));
    e.put(
        slice("a/web-1", "web", &[("", 1234)], &[backend("10.244.0.6", "ready")]),
        t(20),
    );
    e.check(&[
        (
            "10.96.0.10:80",
            10,
            "ClusterIp a/web:80 [10.244.0.5:80, 10.244.0.7:82 unready, 10.244.0.8:83 unready]",
        ),
        ("10.96.0.10:80", 20, "ClusterIp a/web:80 [10.244.0.6:1234]"),
        ("10.96.0.12:80", 20, "ClusterIp a/manual:80 []"),
    ]);
}

#[test]
fn local_traffic_policies_leave_out_backends() {
    let mut local = service("a/web", "10.96.0.10", &[("", 80, TargetPort::Number(80))]);
    local.external_ips = vec![ip("198.51.100.7")];
    local.internal_local = true;
    local.external_local = true;
    local.ports[0].node_port = Some(30080);
    let far = SliceEndpoint {
        node: Some("there".into()),
        ..backend("10.244.1.5", "ready")
    };
    let objects = |e: Endpoints| {
        e.with(local.clone())
            .with(node("there", &["192.0.2.3"], &[]))
            .with(slice(
                "a/s",
                "web",
                &[("", 80)],
                &[backend("10.244.0.5", "ready"), far.clone()],
            ))
    };
    let all = "[10.244.0.5:80, 10.244.1.5:80]";
    objects(Endpoints::default().own("here", &["192.0.2.2"])).check(&[
        (
            "10.96.0.10:80",
            1,
            "ClusterIp a/web:80 [10.244.0.5:80, 10.244.1.5:80 excluded]",
        ),
        // What starts on the node is treated as if it came in by the load balancer.
        ("198.51.100.7:80", 1, &format!("External a/web:80 {all}")),
        ("192.0.2.2:30080", 1, &format!("NodePort a/web:80 {all}")),
        (
            "192.0.2.3:30080",
            1,
            "NodePort a/web:80 [10.244.0.5:80 excluded, 10.244.1.5:80]",
        ),
    ]);
    let elsewhere = objects(Endpoints::default().own("third", &["192.0.2.4"]));
    elsewhere.check(&[(
        "10.96.0.10:80",
        1,
        "ClusterIp a/web:80 [10.244.0.5:80 excluded, 10.244.1.5:80 excluded]",
    )]);
    assert_eq!(elsewhere.destinations(to("10.96.0.10:80"), t(1)), []);
    // Joining asks for what is possible, not for what should be.
    assert!(elsewhere.may_become(to("10.96.0.10:80"), to("10.244.0.5:80"), t(1)));
    objects(Endpoints::default()).check(&[("10.96.0.10:80", 1, &format!("ClusterIp a/web:80 {all}"))]);
}

#[test]
fn a_backend_dialled_directly_is_perhaps_a_service() {
    let port = |number| [("", 80, TargetPort::Number(number))];
    let mut e = Endpoints::default()
        .with(pod("a/web", "10.244.0.5"))
        .with(pod("a/db", "10.244.0.6"))
        .with(pod("a/down", "10.244.0.7"))
        .with(selecting(service("a/web", "10.96.0.10", &port(8080)), "web"))
        // Headless: there is no address to hide.
        .with(selecting(service("a/web-headless", "", &port(8080)), "web"))
        .with(service("a/db", "10.96.0.11", &port(5432)))
        .with(slice(
            "a/db-1",
            "db",
            &[("", 5432)],
            &[backend("10.244.0.6", "ready"), backend("10.244.0.7", "down")],
        ));
    let via = |e: &Endpoints, address: &str, at| {
        e.perhaps_via(to(address), Protocol::Tcp, at)
            .map(|via| format!("{}:{}", via.service, via.port.port))
    };
    assert_eq!(via(&e, "10.244.0.5:8080", t(1)).as_deref(), Some("a/web:80"));
    assert_eq!(via(&e, "10.244.0.5:8081", t(1)), None);
    assert_eq!(via(&e, "10.244.0.6:5432", t(1)).as_deref(), Some("a/db:80"));
    assert_eq!(via(&e, "10.244.0.7:5432", t(1)), None);
    assert_eq!(e.perhaps_via(to("10.244.0.6:5432"), Protocol::Udp, t(1)), None);
    e.put(selecting(service("a/second", "10.96.0.12", &port(8080)), "web"), t(10));
    assert_eq!(via(&e, "10.244.0.5:8080", t(9)).as_deref(), Some("a/web:80"));
    assert_eq!(via(&e, "10.244.0.5:8080", t(10)), None);
}

#[test]
fn a_backend_names_its_pod_and_whether_it_is_here() {
    let named_pod = SliceEndpoint {
        pod: Some(named("k/host")),
        ..backend("192.0.2.2", "ready")
    };
    let host = Pod {
        host_network: true,
        ..pod("k/host", "192.0.2.2")
    };
    let e = Endpoints::default()
        .own("here", &["192.0.2.2"])
        .with(host)
        .with(pod("a/web", "10.244.0.5"))
        .with(service("k/host", "10.96.0.10", &[("", 80, TargetPort::Number(80))]))
        .with(slice(
            "k/s",
            "host",
            &[("", 80)],
            &[named_pod, backend("10.244.0.5", "ready")],
        ));
    let endpoint = e.resolve(to("10.96.0.10:80"), Protocol::Tcp, t(1));
    let found: Vec<_> = endpoint
        .service()
        .unwrap()
        .backends
        .iter()
        .map(|b| (b.pod.as_ref().unwrap().name.to_string(), b.local))
        .collect();
    assert_eq!(found, [("a/web".to_string(), true), ("k/host".to_string(), true)]);
}
