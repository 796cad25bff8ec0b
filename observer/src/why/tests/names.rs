//! Who a name means, and what several pods make together.

use super::{answer, query, read};
use crate::objects::{Name, Protocol};
use crate::policy::{Decision, Undecidable};
use crate::why::{Error, PortRef, Target, ask, destination, perhaps, source, text};

/// Two pods of a Deployment with different labels, a Service before two pods that a policy treats differently.
pub(super) const SHOP: &str = r#"---
{apiVersion: v1, kind: Pod, metadata: {name: web-1-a, namespace: shop, labels: {app: web, pod-template-hash: "1"}, ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: web-1, uid: u, controller: true}]}, spec: {nodeName: n1, containers: []}, status: {phase: Running, podIP: 10.0.0.1}}
---
{apiVersion: v1, kind: Pod, metadata: {name: web-1-b, namespace: shop, labels: {app: web, canary: "yes", pod-template-hash: "1"}, ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: web-1, uid: u, controller: true}]}, spec: {nodeName: n2, containers: []}, status: {phase: Running, podIP: 10.0.0.2}}
---
{apiVersion: v1, kind: Pod, metadata: {name: api-0, namespace: shop, labels: {app: api, open: "yes"}}, spec: {nodeName: n1, containers: [{name: c, ports: [{name: http, containerPort: 8080}]}]}, status: {phase: Running, podIP: 10.0.0.3}}
---
{apiVersion: v1, kind: Pod, metadata: {name: api-1, namespace: shop, labels: {app: api}}, spec: {nodeName: n2, containers: [{name: c, ports: [{name: http, containerPort: 8080}]}]}, status: {phase: Running, podIP: 10.0.0.4}}
---
{apiVersion: v1, kind: Pod, metadata: {name: new, namespace: shop, labels: {app: new}}, spec: {containers: []}, status: {phase: Pending}}
---
{apiVersion: v1, kind: Pod, metadata: {name: done, namespace: shop, labels: {app: web}}, spec: {containers: []}, status: {phase: Succeeded, podIP: 10.0.0.9}}
---
{apiVersion: v1, kind: Service, metadata: {name: api, namespace: shop}, spec: {clusterIP: 10.96.0.1, selector: {app: api}, ports: [{port: 80, targetPort: http}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: open, namespace: shop}, spec: {selector: {open: "yes"}, ports: [{port: 80, targetPort: http}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: direct, namespace: shop}, spec: {clusterIP: None, selector: {open: "yes"}, ports: [{port: 80, targetPort: http}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: empty, namespace: shop}, spec: {clusterIP: 10.96.0.2, selector: {app: none}, ports: [{port: 80}]}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: api, namespace: shop}
spec:
  podSelector: {matchLabels: {app: api}}
  ingress:
  - from: [{podSelector: {matchLabels: {canary: "yes"}}}]
    ports: [{port: 8080}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: open, namespace: shop}
spec:
  podSelector: {matchLabels: {open: "yes"}}
  ingress:
  - from: [{ipBlock: {cidr: 10.0.0.0/28}}, {podSelector: {matchLabels: {app: web}}}]
    ports: [{port: 8080}]
"#;

#[track_caller]
fn decides(from: &str, to: &str, expect: Decision) {
    let answer = answer(&read(SHOP), from, to);
    assert_eq!(answer.decision(), expect, "{}", text(&answer));
}

fn name(namespace: &str, name: &str) -> Name {
    Name::new(namespace, name)
}

#[test]
fn every_form_of_a_source_is_read() {
    let cases = [
        ("a/b", Target::Pod(name("a", "b"))),
        ("a/pod/b", Target::Pod(name("a", "b"))),
        ("a/svc/b", Target::Service(name("a", "b"))),
        ("b.a", Target::Service(name("a", "b"))),
        ("b.a.svc", Target::Service(name("a", "b"))),
        ("b.a.svc.cluster.local", Target::Service(name("a", "b"))),
        ("b.a.svc.example.org.", Target::Service(name("a", "b"))),
        ("10.0.0.1", Target::Address("10.0.0.1".parse().expect("an address"))),
        (
            "::ffff:10.0.0.1",
            Target::Address("10.0.0.1".parse().expect("an address")),
        ),
        ("[fd00::1]", Target::Address("fd00::1".parse().expect("an address"))),
    ];
    for (text, target) in cases {
        assert_eq!(source(text).as_ref(), Ok(&target), "{text}");
    }
    for kind in ["deployment", "deploy", "Deployment"] {
        let Ok(Target::Workload { kind, name }) = source(&format!("a/{kind}/b")) else {
            panic!("{kind}")
        };
        assert_eq!((kind, name.to_string().as_str()), ("Deployment", "a/b"));
    }
    for text in [
        "",
        "a",
        "a/",
        "a/b/c",
        "a/b/c/d",
        "b.a.x",
        "a/b:80",
        "1.2.3.4.5.6/7/8",
        "a b/c",
    ] {
        assert!(source(text).is_err(), "{text}");
    }
}

#[test]
fn every_form_of_a_destination_is_read() {
    let number = |port| Some(PortRef::Number(port));
    let cases = [
        ("a/b:80", "a/b", number(80), None),
        ("a/b:80/udp", "a/b", number(80), Some(Protocol::Udp)),
        ("a/b/TCP", "a/b", None, Some(Protocol::Tcp)),
        ("a/svc/tcp", "a/svc/tcp", None, None),
        ("a/svc/tcp:80", "a/svc/tcp", number(80), None),
        ("a/svc/b:80/TCP", "a/svc/b", number(80), Some(Protocol::Tcp)),
        ("b.a:http", "b.a", Some(PortRef::Name("http".into())), None),
        ("10.0.0.1:80", "10.0.0.1", number(80), None),
        ("10.0.0.1/SCTP", "10.0.0.1", None, Some(Protocol::Sctp)),
        ("fd00::1", "fd00::1", None, None),
        ("[fd00::1]:80/TCP", "fd00::1", number(80), Some(Protocol::Tcp)),
    ];
    for (text, target, port, protocol) in cases {
        let target = source(target).expect("a target");
        assert_eq!(destination(text), Ok((target, port, protocol)), "{text}");
    }
    for text in [
        "a/b:0",
        "a/b:65536",
        "a/b:",
        "a/b:80/xyz",
        "fd00::1:80/TCP/x",
        "a/b:8 0",
    ] {
        assert!(destination(text).is_err(), "{text}");
    }
}

#[test]
fn a_name_and_the_address_behind_it_are_answered_alike() {
    for (from, expect) in [("shop/web-1-a", Decision::Denied), ("shop/web-1-b", Decision::Allowed)] {
        decides(from, "shop/api-1:8080", expect);
        decides(from, "10.0.0.4:8080", expect);
        decides(from, "shop/api-1:http", expect);
        decides(from, "shop/api-1", expect);
    }
    decides("10.0.0.2", "shop/api-1", Decision::Allowed);
}

#[test]
fn a_service_is_its_backends_at_their_own_port() {
    for to in [
        "shop/svc/api:80",
        "api.shop",
        "api.shop.svc.cluster.local:80",
        "10.96.0.1:80",
        "10.96.0.1",
    ] {
        decides("shop/web-1-b", to, Decision::Allowed);
        let open = answer(&read(SHOP), "shop/web-1-a", to);
        assert_eq!(open.decision(), Decision::Undecidable, "{to}");
        assert_eq!(
            open.each[0].verdict.ingress.undecidable,
            Some(Undecidable::BackendUnknown)
        );
        assert_eq!(open.each[0].backends.len(), 2);
    }
    // Where the manifest leaves the cluster address to the API server.
    decides("shop/web-1-a", "shop/svc/open:80", Decision::Allowed);
    // A headless Service's name leads to the pods at the port that is dialled.
    decides("shop/web-1-a", "shop/svc/direct:80", Decision::Denied);
    decides("shop/web-1-a", "shop/svc/direct:8080", Decision::Allowed);
}

#[test]
fn a_service_without_a_backend_or_that_port_is_open() {
    for to in ["shop/svc/empty:80", "shop/svc/api:81", "10.96.0.1:81"] {
        let open = answer(&read(SHOP), "shop/web-1-a", to);
        assert_eq!(
            open.telling().verdict.egress.undecidable,
            Some(Undecidable::NoTarget),
            "{to}"
        );
        assert!(!open.notes.is_empty(), "{to}");
    }
}

#[test]
fn every_pod_of_a_workload_is_judged_and_one_denied_is_denied() {
    let mixed = answer(&read(SHOP), "shop/deploy/web", "shop/api-1:8080");
    let each: Vec<_> = mixed.each.iter().map(|one| one.verdict.decision).collect();
    assert_eq!(each, [Decision::Denied, Decision::Allowed]);
    assert_eq!(mixed.decision(), Decision::Denied);
    assert!(!mixed.agrees());
    let same = answer(&read(SHOP), "shop/deploy/web", "shop/api-0:8080");
    assert!(same.agrees() && (same.pairs, same.each.len()) == (2, 1) && same.decision() == Decision::Allowed);
}

#[test]
fn a_pod_without_an_address_is_judged_by_its_labels_and_open_where_an_address_decides() {
    decides("shop/new", "shop/api-1:8080", Decision::Denied);
    let open = answer(&read(SHOP), "shop/new", "shop/api-0:8080");
    assert_eq!(open.each[0].verdict.ingress.undecidable, Some(Undecidable::NoAddress));
    decides("shop/web-1-a", "shop/new:80", Decision::Allowed);
    decides("shop/new", "8.8.8.8:53/UDP", Decision::Allowed);
}

#[test]
fn a_pod_that_ended_is_judged_by_name_as_when_it_ran_and_nobody_by_address() {
    let by_name = answer(&read(SHOP), "shop/done", "shop/api-0:8080");
    assert_eq!(by_name.decision(), Decision::Allowed);
    assert_eq!(by_name.notes, ["pod shop/done has ended: it is judged as when it ran"]);
    let by_address = answer(&read(SHOP), "10.0.0.9", "shop/api-1:8080");
    assert_eq!(
        by_address.each[0].verdict.ingress.undecidable,
        Some(Undecidable::PeerUnknown)
    );
}

#[test]
fn what_cannot_be_asked_is_an_error_that_says_what_to_write() {
    let world = read(SHOP);
    for (from, to, expect) in [
        (
            "shop/nobody",
            "shop/api-0:80",
            "there is no Pod shop/nobody in the objects",
        ),
        (
            "shop/web-1-a",
            "shop/svc/none:80",
            "there is no Service shop/none in the objects",
        ),
        (
            "shop/sts/web",
            "shop/api-0:80",
            "StatefulSet shop/web has no pods in the objects",
        ),
        (
            "shop/web-1-a",
            "shop/web-1-b",
            "which port of shop/web-1-b? It has no declared port",
        ),
        ("shop/web-1-a", "shop/api-0:grpc", "It has 8080/TCP (http)"),
    ] {
        let error: Error = ask(&world, &query(from, to)).expect_err(to);
        assert!(error.to_string().contains(expect), "{error}");
    }
}

#[test]
fn without_an_address_family_in_common_the_policies_still_say_something() {
    let answer = answer(&read(SHOP), "shop/web-1-a", "[fd00::1]:80");
    assert_eq!(answer.decision(), Decision::Allowed);
    assert_eq!(
        answer.notes,
        ["shop/web-1-a and fd00::1 have no address family in common: nothing can connect, whatever the policies say"]
    );
}

#[test]
fn a_name_that_is_near_is_offered() {
    let world = read(SHOP);
    for (from, to, expect) in [
        ("shop/web", "shop/api-0:80", Some("shop/deployment/web")),
        ("shop/web-1", "shop/api-0:80", Some("shop/web-1-a")),
        ("shop/web-1-a", "shop/api:80", Some("shop/svc/api")),
        ("shop/web-1-a", "shop/svc/apj:80", Some("shop/svc/api")),
        ("shop/web-1-a", "shop/opne:80", Some("shop/svc/open")),
        ("shop/web-1-a", "shop/oxxn:80", None),
        ("shop/web-1-a", "shop/api-2:80", Some("shop/api-0")),
        ("shop/sts/web", "shop/api-0:80", Some("shop/deployment/web")),
        ("nowhere/web", "shop/api-0:80", None),
        ("shop/web-1-a", "shop/web-1-b", None),
    ] {
        let error = ask(&world, &query(from, to)).expect_err(to);
        assert_eq!(perhaps(&world, &error, super::NOW).as_deref(), expect, "{from} {to}");
    }
}

#[test]
fn the_text_says_the_rule_or_what_it_lacks() {
    let world = read(SHOP);
    insta::assert_snapshot!(
        ["shop/api-1:8080", "shop/svc/api:80"]
            .map(|to| text(&answer(&world, "shop/deployment/web", to)))
            .concat()
    );
}
