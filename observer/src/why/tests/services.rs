//! Where a Service leads, by whatever address, and what is told where it leads nowhere or not for certain.

use super::{answer, query, read};
use crate::objects::{Change, Scope};
use crate::policy::{Decision, Undecidable};
use crate::time::Time;
use crate::why::{Answer, ask, text};
use crate::world::World;

/// Two nodes with a pod each, one of them behind a Service with every kind of address.
const NODES: &str = r#"---
{apiVersion: v1, kind: Node, metadata: {name: n1}, spec: {podCIDRs: [10.0.0.0/24]}, status: {addresses: [{type: InternalIP, address: 192.168.0.1}]}}
---
{apiVersion: v1, kind: Node, metadata: {name: n2}, spec: {podCIDRs: [10.0.1.0/24]}, status: {addresses: [{type: InternalIP, address: 192.168.0.2}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: a, namespace: x, labels: {app: a}}, spec: {nodeName: n1, containers: []}, status: {phase: Running, podIP: 10.0.0.5}}
---
{apiVersion: v1, kind: Pod, metadata: {name: b, namespace: w, labels: {app: b}}, spec: {nodeName: n2, containers: []}, status: {phase: Running, podIP: 10.0.1.5}}
"#;

/// `POLICY` stands for the traffic policies.
const BALANCED: &str = r#"---
apiVersion: v1
kind: Service
metadata: {name: s, namespace: w}
spec: {type: LoadBalancer, POLICY, clusterIP: 10.96.0.10, externalIPs: [198.51.100.7], selector: {app: b}, ports: [{port: 80, targetPort: 8080, nodePort: 30080}]}
status: {loadBalancer: {ingress: [{ip: 198.51.100.8}]}}
"#;

fn balanced(traffic_policy: &str, ingress: &str) -> World {
    let service = BALANCED.replace("POLICY", traffic_policy);
    read(&format!(
        "{NODES}{service}{}",
        policy("w", &format!("ingress: {ingress}"))
    ))
}

fn policy(namespace: &str, spec: &str) -> String {
    format!(
        "---\n{{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {{name: p, namespace: {namespace}}}, spec: \
         {{podSelector: {{}}, {spec}}}}}\n"
    )
}

fn open(answer: &Answer) -> [Option<&Undecidable>; 2] {
    let verdict = &answer.telling().verdict;
    [&verdict.egress, &verdict.ingress].map(|direction| direction.undecidable.as_ref())
}

#[track_caller]
fn decides(world: &World, from: &str, to: &str, expect: Decision) -> Answer {
    let answer = answer(world, from, to);
    assert_eq!(answer.decision(), expect, "{from} {to}\n{}", text(&answer));
    answer
}

#[track_caller]
fn may_be_rewritten(world: &World, from: &str, to: &str) {
    let answer = decides(world, from, to, Decision::Undecidable);
    assert_eq!(
        open(&answer),
        [None, Some(&Undecidable::SourceRewritten)],
        "{from} {to}"
    );
    notes(&answer, "only externalTrafficPolicy: Local keeps the source's address");
}

#[track_caller]
fn notes(answer: &Answer, part: &str) {
    assert!(
        answer.notes.iter().any(|note| note.contains(part)),
        "{part}\nis missing in\n{}",
        text(answer)
    );
}

/// NetworkPolicy: "Cluster ingress and egress mechanisms often require rewriting the source or destination IP of packets". Service
/// API: only `externalTrafficPolicy: Local` preserves the client's address.
#[test]
fn external_traffic_policy_cluster_may_put_a_node_in_the_clients_place() {
    let world = balanced(
        "externalTrafficPolicy: Cluster",
        "[{from: [{ipBlock: {cidr: 203.0.113.0/24}}]}]",
    );
    for to in ["198.51.100.8:80", "198.51.100.7:80", "192.168.0.1:30080"] {
        may_be_rewritten(&world, "203.0.113.5", to);
    }
    // The node that takes it in is the pod's own.
    decides(&world, "203.0.113.5", "192.168.0.2:30080", Decision::Allowed);
    // A node's traffic is always allowed at its own pods, and any node may have taken it in.
    let selecting = balanced("externalTrafficPolicy: Cluster", "[{from: [{podSelector: {}}]}]");
    may_be_rewritten(&selecting, "203.0.113.5", "198.51.100.8:80");
    // Whichever it is, there is one answer.
    decides(&selecting, "203.0.113.5", "192.168.0.1:30080", Decision::Denied);
    let open = balanced("externalTrafficPolicy: Cluster", "[{}]");
    decides(&open, "203.0.113.5", "198.51.100.8:80", Decision::Allowed);
    decides(&open, "x/a", "192.168.0.1:30080", Decision::Allowed);
    // The block holds the client and every node, as they are seen.
    let wide = "[{from: [{ipBlock: {cidr: 0.0.0.0/0}}]}]";
    let wide = balanced("externalTrafficPolicy: Cluster", wide);
    decides(&wide, "203.0.113.5", "198.51.100.8:80", Decision::Allowed);
}

#[test]
fn a_pod_that_dials_a_node_port_or_an_external_address_may_be_seen_as_a_node() {
    let from_x = "[{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: x}}}]}]";
    let world = balanced("externalTrafficPolicy: Cluster", from_x);
    for to in [
        "192.168.0.1:30080",
        "192.168.0.2:30080",
        "198.51.100.8:80",
        "198.51.100.7:80",
    ] {
        may_be_rewritten(&world, "x/a", to);
    }
    for to in ["10.96.0.10:80", "w/svc/s", "w/b:8080"] {
        decides(&world, "x/a", to, Decision::Allowed);
    }
    // Local keeps the source on its way in; what leaves for another node may be masqueraded before.
    let local = balanced("externalTrafficPolicy: Local", from_x);
    for to in ["198.51.100.8:80", "192.168.0.1:30080"] {
        decides(&local, "x/a", to, Decision::Allowed);
    }
    may_be_rewritten(&local, "x/a", "192.168.0.2:30080");
    // Without Nodes it may be any address.
    let nodeless = BALANCED.replace("POLICY", "externalTrafficPolicy: Cluster");
    let pods = NODES.split("---\n").skip(3).collect::<Vec<_>>().join("---\n");
    let nodeless = read(&format!(
        "---\n{pods}{nodeless}{}",
        policy("w", &format!("ingress: {from_x}"))
    ));
    may_be_rewritten(&nodeless, "x/a", "198.51.100.8:80");
}

#[test]
fn external_traffic_policy_local_keeps_the_clients_address() {
    let world = balanced(
        "externalTrafficPolicy: Local",
        "[{from: [{ipBlock: {cidr: 203.0.113.0/24}}]}]",
    );
    for to in ["198.51.100.8:80", "192.168.0.2:30080"] {
        decides(&world, "203.0.113.5", to, Decision::Allowed);
        decides(&world, "8.8.8.8", to, Decision::Denied);
    }
    // Only backends of the node that is dialled.
    let nowhere = decides(&world, "203.0.113.5", "192.168.0.1:30080", Decision::Undecidable);
    notes(
        &nowhere,
        "svc w/s has no ready backend on that node (externalTrafficPolicy: Local)",
    );
}

/// A folder as people write it: workloads and Services, no pods.
const SHOP: &str = r#"---
{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: w}, spec: {selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, spec: {containers: [{name: c, image: i, ports: [{name: http, containerPort: 8080}]}]}}}}
---
{apiVersion: v1, kind: Service, metadata: {name: web, namespace: w}, spec: {selector: {app: web}, ports: [{port: 80, targetPort: http}]}}
"#;

#[test]
fn a_pod_without_an_address_is_behind_its_service_once_it_is_ready() {
    // As `why` loads them, from the templates: see tests/why.rs. Here as pods that run and were given no address.
    let pod = |ready: &str| {
        format!(
            "---\n{{apiVersion: v1, kind: Pod, metadata: {{name: web, namespace: w, labels: {{app: web}}}}, spec: {{containers: [{{name: \
             c, ports: [{{name: http, containerPort: 8080}}]}}]}}, status: {{phase: Running, conditions: [{{type: Ready, status: \
             \"{ready}\"}}]}}}}\n"
        )
    };
    let rest = format!("{NODES}{SHOP}{}", policy("w", "ingress: [{ports: [{port: 8080}]}]"));
    let ready = read(&format!("{}{rest}", pod("True")));
    let allowed = decides(&ready, "x/a", "w/svc/web:80", Decision::Allowed);
    assert_eq!(allowed.each[0].destination, "w/web:8080/TCP (svc w/web:80/TCP)");
    let by_address = read(&format!(
        "{}{NODES}{SHOP}{}",
        pod("True"),
        policy("w", "ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/24}}]}]")
    ));
    // Who asks has an address, whoever is asked.
    decides(&by_address, "x/a", "w/svc/web:80", Decision::Allowed);
    let starting = read(&format!("{}{rest}", pod("False")));
    let nowhere = decides(&starting, "x/a", "w/svc/web:80", Decision::Undecidable);
    notes(&nowhere, "svc w/web has no ready backend for port 80/TCP");
}

const LONELY: &str = r#"---
{apiVersion: v1, kind: Service, metadata: {name: e, namespace: w}, spec: {clusterIP: 10.96.0.20, ports: [{port: 80}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: h, namespace: w}, spec: {clusterIP: None, ports: [{port: 80}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: named, namespace: w}, spec: {type: ExternalName, externalName: db.example.com}}
"#;

/// Who may not read EndpointSlices cannot say that a Service has none.
#[test]
fn a_service_without_known_backends_is_in_doubt_while_slices_cannot_be_read() {
    let mut world = read(&format!("{NODES}{LONELY}"));
    for to in ["w/svc/e:80", "10.96.0.20:80", "w/svc/h:80"] {
        let nowhere = decides(&world, "x/a", to, Decision::Undecidable);
        assert_eq!(open(&nowhere), [Some(&Undecidable::NoTarget); 2], "{to}");
        notes(
            &nowhere,
            "has no selector, and no EndpointSlice tells what is behind it",
        );
    }
    let doubt = |scope: Scope| Change::Doubt {
        source: "endpointslices".into(),
        scope,
    };
    for (scope, concerns) in [
        (Scope::Addresses(vec![]), true),
        (Scope::Addresses(vec!["w".into()]), true),
        (Scope::Namespaces(vec!["w".into()]), true),
        (Scope::Addresses(vec!["x".into()]), false),
        (Scope::Namespaces(vec!["x".into()]), false),
    ] {
        world.apply(&doubt(scope.clone()), Time::BEGINNING);
        for to in ["w/svc/e:80", "10.96.0.20:80", "w/svc/h:80"] {
            let answer = decides(&world, "x/a", to, Decision::Undecidable);
            let source = "endpointslices".into();
            let expected = if concerns {
                Undecidable::ObjectsInDoubt { source }
            } else {
                Undecidable::NoTarget
            };
            assert_eq!(open(&answer), [Some(&expected); 2], "{to} {scope:?}");
            assert_eq!(answer.notes.is_empty(), concerns, "{:?}", answer.notes);
        }
        let error = ask(&world, &query("x/a", "w/svc/gone:80")).expect_err("no such Service");
        assert_eq!(
            error.to_string().contains("endpointslices cannot be read"),
            concerns,
            "{error}"
        );
    }
}

#[test]
fn what_leads_nowhere_is_told_by_its_reason() {
    let world = read(&format!(
        "{NODES}{LONELY}---\n{{apiVersion: v1, kind: Pod, metadata: {{name: six, namespace: x}}, spec: {{containers: []}}, status: \
         {{phase: Running, podIP: 'fd00::5'}}}}\n---\n{{apiVersion: v1, kind: Service, metadata: {{name: s, namespace: w}}, spec: \
         {{clusterIP: 10.96.0.10, selector: {{app: b}}, ports: [{{port: 80}}]}}}}\n"
    ));
    let named = decides(&world, "x/a", "w/svc/named:443", Decision::Undecidable);
    notes(
        &named,
        "svc w/named is of type ExternalName: its name leads to db.example.com",
    );
    let apart = decides(&world, "x/six", "w/svc/s:80", Decision::Undecidable);
    notes(&apart, "x/six and svc w/s have no address family in common");
}

/// Two backends, one on each node, of which one is open.
const SPREAD: &str = r#"---
{apiVersion: v1, kind: Pod, metadata: {name: b1, namespace: w, labels: {app: b, v: "1"}}, spec: {nodeName: n1, containers: []}, status: {phase: Running, podIP: 10.0.0.6}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: open, namespace: w}, spec: {podSelector: {matchLabels: {v: "1"}}, ingress: [{}]}}
"#;

/// Service API: "InternalTrafficPolicy describes how nodes distribute service traffic they receive on the ClusterIP."
#[test]
fn internal_traffic_policy_is_about_the_cluster_address_only() {
    let service = BALANCED.replace("POLICY", "internalTrafficPolicy: Local");
    let deny = policy("w", "ingress: []");
    let world = read(&format!("{NODES}{SPREAD}{service}{deny}"));
    for to in ["10.96.0.10:80", "w/svc/s:80"] {
        decides(&world, "x/a", to, Decision::Allowed);
        // The node's own processes are clients too.
        decides(&world, "192.168.0.1", to, Decision::Allowed);
    }
    for to in ["198.51.100.8:80", "192.168.0.1:30080"] {
        let answer = decides(&world, "x/a", to, Decision::Undecidable);
        assert_eq!(open(&answer), [None, Some(&Undecidable::BackendUnknown)], "{to}");
    }
    let remote = read(&format!("{NODES}{service}{}", policy("w", "ingress: [{}]")));
    decides(&remote, "x/a", "198.51.100.8:80", Decision::Allowed);
    let nowhere = decides(&remote, "x/a", "10.96.0.10:80", Decision::Undecidable);
    notes(
        &nowhere,
        "no ready backend for port 80/TCP on node n1 (internalTrafficPolicy: Local)",
    );
}

/// kube-proxy goes by the slice's `nodeName`, and falls back to endpoints that terminate and still serve among the local ones.
#[test]
fn local_backends_are_told_by_the_slice_and_may_be_terminating() {
    let service = BALANCED.replace("POLICY", "internalTrafficPolicy: Local");
    let slice = |endpoints: &str| {
        format!(
            "---\n{{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {{name: s-1, namespace: w, labels: \
             {{kubernetes.io/service-name: s}}}}, addressType: IPv4, ports: [{{port: 8080}}], endpoints: [{endpoints}]}}\n"
        )
    };
    let strange = slice("{addresses: [10.0.9.9], nodeName: n2}");
    let world = read(&format!("{NODES}{service}{strange}"));
    decides(&world, "x/a", "w/svc/s:80", Decision::Undecidable);
    decides(&world, "w/b", "w/svc/s:80", Decision::Allowed);
    let draining = slice(
        "{addresses: [10.0.0.6], nodeName: n1, conditions: {ready: false, serving: true, terminating: true}}, {addresses: \
         [10.0.1.5], nodeName: n2}",
    );
    let world = read(&format!(
        "{NODES}{SPREAD}{service}{draining}{}",
        policy("w", "ingress: []")
    ));
    decides(&world, "x/a", "w/svc/s:80", Decision::Allowed);
    decides(&world, "w/b", "w/svc/s:80", Decision::Allowed);
}

/// LoadBalancerIngress: with `Proxy` "traffic is delivered to the node or pod with the destination set to the node's IP and node port
/// or the pod's IP and port": a node lets it leave to the balancer.
#[test]
fn the_address_of_a_proxying_balancer_is_not_translated() {
    let service = BALANCED.replace("POLICY", "externalTrafficPolicy: Cluster");
    let egress = policy(
        "x",
        "policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 198.51.100.8/32}}], ports: [{port: 80}]}]",
    );
    let vip = read(&format!("{NODES}{service}{egress}"));
    decides(&vip, "x/a", "198.51.100.8:80", Decision::Denied);
    let proxy = service.replace("ip: 198.51.100.8", "ip: 198.51.100.8, ipMode: Proxy");
    let proxy = read(&format!("{NODES}{proxy}{egress}"));
    let allowed = decides(&proxy, "x/a", "198.51.100.8:80", Decision::Allowed);
    notes(
        &allowed,
        "198.51.100.8 is a load balancer before svc w/s that nodes do not translate",
    );
    decides(&proxy, "x/a", "198.51.100.7:80", Decision::Denied);
}

/// DNS of a headless Service gives the addresses of its ready endpoints; nobody translates the port that is dialled.
#[test]
fn a_headless_service_leads_to_its_pods_at_whatever_port_is_dialled() {
    let slice = |ports: &str| {
        format!(
            "---\n{{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {{name: h-1, namespace: w, labels: \
             {{kubernetes.io/service-name: h}}}}, addressType: IPv4, ports: [{ports}], endpoints: [{{addresses: [10.0.1.5]}}, {{addresses: \
             [10.0.1.6], conditions: {{ready: false}}}}]}}\n"
        )
    };
    let service = |ports: &str| {
        format!(
            "---\n{{apiVersion: v1, kind: Service, metadata: {{name: h, namespace: w}}, spec: {{clusterIP: None, selector: {{app: b}}{ports}}}}}\n"
        )
    };
    let only_9000 = policy("w", "ingress: [{ports: [{port: 9000}]}]");
    let declared = service(", ports: [{name: web, port: 9000, targetPort: 8080}]");
    for objects in [
        format!("{declared}{}", slice("{name: web, port: 8080}")),
        format!("{}{}", service(""), slice("")),
        declared.clone(),
        service(""),
    ] {
        let world = read(&format!("{NODES}{objects}{only_9000}"));
        decides(&world, "x/a", "w/svc/h:9000", Decision::Allowed);
        for port in ["80", "8080"] {
            decides(&world, "x/a", &format!("w/svc/h:{port}"), Decision::Denied);
        }
    }
    // Its only port is as good as its number.
    let world = read(&format!(
        "{NODES}{declared}{}{only_9000}",
        slice("{name: web, port: 8080}")
    ));
    for to in ["w/svc/h", "w/svc/h:web", "w/svc/h:9000"] {
        let answer = decides(&world, "x/a", to, Decision::Allowed);
        assert_eq!(answer.each[0].destination, "w/b:9000/TCP (svc w/h:9000/TCP)", "{to}");
    }
    let portless = read(&format!("{NODES}{}{only_9000}", service("")));
    let error = ask(&portless, &query("x/a", "w/svc/h")).expect_err("which port?");
    assert!(error.to_string().contains("which port of svc w/h?"), "{error}");
}

#[test]
fn the_other_address_family_of_a_service_is_told_where_it_differs() {
    let objects = r#"---
{apiVersion: v1, kind: Pod, metadata: {name: a, namespace: x}, spec: {containers: []}, status: {phase: Running, podIPs: [{ip: 10.0.0.5}, {ip: "fd00::5"}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: b, namespace: w, labels: {app: b}}, spec: {containers: []}, status: {phase: Running, podIPs: [{ip: 10.0.1.5}, {ip: "fd00:1::5"}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: s, namespace: w}, spec: {clusterIP: 10.96.0.10, clusterIPs: [10.96.0.10, "fd96::10"], selector: {app: b}, ports: [{port: 80}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: h, namespace: w}, spec: {clusterIP: None, selector: {app: b}, ports: [{port: 80}]}}
"#;
    let only_v4 = policy(
        "x",
        "policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 10.0.0.0/8}}]}]",
    );
    let world = read(&format!("{objects}{only_v4}"));
    for to in ["w/svc/s:80", "w/svc/h:80"] {
        let answer = decides(&world, "x/a", to, Decision::Allowed);
        notes(&answer, "over IPv6, x/a → w/b:80/TCP");
        notes(&answer, "is denied");
    }
    // By one address there is one family.
    assert_eq!(
        decides(&world, "x/a", "10.96.0.10:80", Decision::Allowed).notes,
        [""; 0]
    );
    let open = read(objects);
    assert_eq!(decides(&open, "x/a", "w/svc/s:80", Decision::Allowed).notes, [""; 0]);
}

#[test]
fn a_caveat_of_any_pod_of_a_workload_is_told() {
    let pod = |name: &str, labels: &str, address: &str| {
        format!(
            "---\n{{apiVersion: v1, kind: Pod, metadata: {{name: {name}, namespace: w, labels: {{{labels}}}, ownerReferences: [{{apiVersion: \
             apps/v1, kind: StatefulSet, name: st, uid: u, controller: true}}]}}, spec: {{containers: []}}, status: {{phase: Running, \
             podIP: {address}}}}}\n"
        )
    };
    let world = read(&format!(
        "{NODES}{}{}{}",
        pod("st-0", "role: primary", "10.0.0.10"),
        pod("st-1", "role: other", "10.0.0.11"),
        policy(
            "x",
            "policyTypes: [Egress], egress: [{to: [{namespaceSelector: {}, podSelector: {matchLabels: {role: primary}}}]}, {to: [{ipBlock: \
             {cidr: 10.0.0.11/32}}]}]"
        )
    ));
    let alike = decides(&world, "x/a", "w/sts/st:80", Decision::Allowed);
    assert!(alike.agrees() && alike.each.len() == 1);
    assert!(alike.each[0].verdict.caveats.is_empty());
    notes(&alike, "x/a → w/st-1:80/TCP: an ipBlock matched a pod's address");
}
