//! What right manifests become, with the API server's defaults.

use std::time::Duration;

use super::*;
use crate::objects::{Peer, Phase, PortMatch, PortRule, Protocol, Rule, Scope, Source, Subjects, TargetPort, Workload};
use crate::time::Time;

const POLICY: &str = "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p}, spec: ";
const POD: &str =
    "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web-7d9f-x2\n  labels: {app: web, pod-template-hash: 7d9f}\n";

fn spec(text: &str) -> Arc<NetworkPolicy> {
    policy(&format!("{POLICY}{text}}}"))
}

fn addresses(list: &[std::net::IpAddr]) -> Vec<String> {
    list.iter().map(ToString::to_string).collect()
}

#[test]
fn policy_types_follow_the_rules_that_are_there() {
    let cases = [
        ("{}", true, false),
        ("{ingress: [{}]}", true, false),
        ("{egress: []}", true, false),
        ("{egress: [{}]}", true, true),
        ("{policyTypes: [], egress: [{}]}", true, true),
        ("{policyTypes: [Egress]}", false, true),
        ("{policyTypes: [Egress, Ingress]}", true, true),
        ("{policyTypes: [Ingress], egress: [{}]}", true, false),
    ];
    for (text, ingress, egress) in cases {
        let policy = spec(text);
        assert_eq!(
            (policy.isolates_ingress, policy.isolates_egress),
            (ingress, egress),
            "{text}"
        );
    }
    let nothing = policy("{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p}}");
    assert!(nothing.isolates_ingress && nothing.pod_selector == Selector::default());
    assert_eq!(nothing.name, Name::new("default", "p"));
}

#[test]
fn rules_peers_and_ports() {
    let policy = spec(
        "{podSelector: {matchLabels: {b: '', a: x}, matchExpressions: [{key: c, operator: NotIn, values: [v, z]}, {key: d, operator: Exists}]},
          ingress: [{}, {from: null, ports: []}, {from: [{podSelector: {}}, {namespaceSelector: {}}, {ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16]}}],
          ports: [{}, {port: 80}, {port: http, protocol: UDP}, {port: 80, endPort: 80}, {protocol: SCTP}, {port: 1, endPort: 65535}]}]}",
    );
    let need = |key: &str, operator| Requirement {
        key: key.into(),
        operator,
    };
    assert_eq!(
        policy.pod_selector.requirements,
        [
            need("a", Operator::In(vec!["x".into()])),
            need("b", Operator::In(vec!["".into()])),
            need("c", Operator::NotIn(vec!["v".into(), "z".into()])),
            need("d", Operator::Exists),
        ]
    );
    let every = Rule {
        peers: vec![],
        ports: vec![],
    };
    let port = |protocol, port| PortRule { protocol, port };
    let (tcp, udp, sctp) = (Protocol::Tcp, Protocol::Udp, Protocol::Sctp);
    let last = Rule {
        peers: vec![
            Peer::Pods {
                namespaces: None,
                pods: Some(Selector::default()),
            },
            Peer::Pods {
                namespaces: Some(Selector::default()),
                pods: None,
            },
            Peer::Block {
                cidr: "10.0.0.0/8".parse().unwrap(),
                except: vec!["10.1.0.0/16".parse().unwrap()],
            },
        ],
        ports: vec![
            port(tcp, PortMatch::Any),
            port(tcp, PortMatch::Range(80, 80)),
            port(udp, PortMatch::Name("http".into())),
            port(tcp, PortMatch::Range(80, 80)),
            port(sctp, PortMatch::Any),
            port(tcp, PortMatch::Range(1, 65535)),
        ],
    };
    assert_eq!(policy.ingress, [every.clone(), every, last]);
    assert_eq!(
        policy.source,
        Some(Source {
            file: "test.yaml".into(),
            document: 1
        })
    );
}

#[test]
fn older_address_forms_are_read_with_a_warning() {
    let content = content(&format!(
        "{POLICY}{{ingress: [{{from: [{{ipBlock: {{cidr: 10.1.2.3/8}}}}]}}]}}}}"
    ));
    let [warning] = content.warnings.as_slice() else {
        panic!("{:?}", content.warnings)
    };
    assert_eq!(
        warning.to_string(),
        "test.yaml, document 1, line 1: NetworkPolicy default/p: spec.ingress[0].from[0].ipBlock.cidr: \
         \"10.1.2.3/8\" is read as 10.0.0.0/8; newer API servers refuse it: write 10.0.0.0/8"
    );
    let Object::NetworkPolicy(policy) = &content.objects[0].0 else {
        panic!("no policy")
    };
    assert!(matches!(&policy.ingress[0].peers[0], Peer::Block { cidr, .. } if cidr.to_string() == "10.0.0.0/8"));
}

#[test]
fn a_null_is_the_zero_value() {
    let policy = spec("{podSelector: {matchLabels: {app: }}, ingress: [{ports: [null]}]}");
    let wants_empty = Requirement {
        key: "app".into(),
        operator: Operator::In(vec!["".into()]),
    };
    assert_eq!(policy.pod_selector.requirements, [wants_empty]);
    assert_eq!(policy.ingress[0].ports.len(), 1);
}

#[test]
fn namespaces_have_the_built_in_label() {
    let plain = namespace("{apiVersion: v1, kind: Namespace, metadata: {name: a}}");
    assert_eq!(plain.labels.get("kubernetes.io/metadata.name").unwrap().as_ref(), "a");
    let text = "{apiVersion: v1, kind: Namespace, metadata: {name: a, labels: {x: z, kubernetes.io/metadata.name: b}}}";
    assert_eq!(
        namespace(text).labels,
        [("x", "z"), ("kubernetes.io/metadata.name", "a")].into_iter().collect()
    );
}

#[test]
fn phases_addresses_and_readiness() {
    use Phase::{Failed, Pending, Running, Succeeded};
    let cases: [(&str, Phase, bool, &[&str]); 7] = [
        ("", Pending, false, &[]),
        ("status: {podIP: 10.0.0.1}", Running, true, &["10.0.0.1"]),
        (
            "status: {podIPs: [{ip: 10.0.0.1}, {ip: 'fd00::1'}]}",
            Running,
            true,
            &["10.0.0.1", "fd00::1"],
        ),
        (
            "status: {phase: Running, podIP: 10.0.0.1, conditions: [{type: Ready, status: 'False'}]}",
            Running,
            false,
            &["10.0.0.1"],
        ),
        (
            "status: {phase: Pending, podIP: 10.0.0.1, conditions: [{type: Ready, status: 'True'}]}",
            Pending,
            true,
            &["10.0.0.1"],
        ),
        (
            "status: {phase: Succeeded, podIP: 10.0.0.1}",
            Succeeded,
            false,
            &["10.0.0.1"],
        ),
        ("status: {phase: Failed}", Failed, false, &[]),
    ];
    for (status, phase, ready, ips) in cases {
        let pod = pod(&format!("{POD}{status}\n"));
        assert_eq!((pod.phase, pod.ready), (phase, ready), "{status}");
        assert_eq!(addresses(&pod.addresses), ips, "{status}");
    }
}

#[test]
fn a_pod_as_the_api_server_gives_it() {
    let pod = pod(&format!(
        "{POD}  namespace: shop
  uid: 1-2-3
  resourceVersion: '77'
  creationTimestamp: '2024-01-01T00:00:00Z'
  deletionTimestamp: '2024-01-01T00:01:00Z'
  ownerReferences:
  - {{apiVersion: apps/v1, kind: ReplicaSet, name: web-7d9f, uid: x, controller: true}}
spec:
  nodeName: node-1
  hostNetwork: false
  containers:
  - name: web
    image: web:1
    ports: [{{containerPort: 8080, name: http}}, {{containerPort: 53, protocol: UDP, hostPort: 5353}}, {{containerPort: 9, hostPort: 9, hostIP: 127.0.0.1}}]
  initContainers:
  - {{name: once, ports: [{{containerPort: 1}}]}}
  - {{name: sidecar, restartPolicy: Always, ports: [{{containerPort: 15001}}]}}
status:
  phase: Succeeded
  containerStatuses:
  - {{name: web, ready: false, restartCount: 0, image: i, imageID: i, state: {{terminated: {{exitCode: 0, finishedAt: '2024-01-01T00:00:30Z'}}}}}}
"
    ));
    let start = Time(1_704_067_200_000_000_000);
    assert_eq!(pod.name.to_string(), "shop/web-7d9f-x2");
    assert_eq!(&*pod.uid, "1-2-3");
    assert_eq!(pod.node.as_deref(), Some("node-1"));
    assert_eq!(pod.created, Some(start));
    let within_its_second = Duration::from_nanos(999_999_999);
    assert_eq!(pod.ended, Some(start + Duration::from_secs(30) + within_its_second));
    assert_eq!(pod.terminating, Some(start + Duration::from_secs(60)));
    assert_eq!(
        pod.workload,
        Some(Workload {
            kind: "Deployment".into(),
            name: "web".into()
        })
    );
    let ports: Vec<_> = pod
        .ports
        .iter()
        .map(|p| (p.name.as_deref(), p.port, p.host_port, p.protocol.to_string()))
        .collect();
    assert_eq!(
        ports,
        [
            (Some("http"), 8080, None, "TCP".into()),
            (None, 53, Some(5353), "UDP".into()),
            (None, 9, None, "TCP".into()),
            (None, 15001, None, "TCP".into()),
        ]
    );
}

#[test]
fn owners_are_told_as_people_know_them() {
    let owned = |kind: &str, name: &str, controller: bool| {
        let owner = format!(
            "  ownerReferences: [{{apiVersion: v1, kind: {kind}, name: {name}, uid: x, controller: {controller}}}]\n"
        );
        let workload = pod(&format!("{POD}{owner}")).workload.clone();
        workload.map(|workload| format!("{} {}", workload.kind, workload.name))
    };
    assert_eq!(owned("ReplicaSet", "web-7d9f", true).as_deref(), Some("Deployment web"));
    assert_eq!(owned("ReplicaSet", "web", true).as_deref(), Some("ReplicaSet web"));
    assert_eq!(owned("StatefulSet", "db", true).as_deref(), Some("StatefulSet db"));
    assert_eq!(owned("StatefulSet", "db", false), None);
}

#[test]
fn services() {
    let service_of = |spec: &str| {
        service(&format!(
            "{{apiVersion: v1, kind: Service, metadata: {{name: s}}, spec: {spec}}}"
        ))
    };
    let plain = service_of(
        "{clusterIP: 10.96.0.1, selector: {app: web}, ports: [{port: 80, name: a}, {port: 81, targetPort: http, name: b}]}",
    );
    assert_eq!(addresses(&plain.cluster_ips), ["10.96.0.1"]);
    let ports: Vec<_> = plain
        .ports
        .iter()
        .map(|p| (&*p.name, p.port, p.target.clone(), p.protocol))
        .collect();
    assert_eq!(
        ports,
        [
            ("a", 80, TargetPort::Number(80), Protocol::Tcp),
            ("b", 81, TargetPort::Name("http".into()), Protocol::Tcp),
        ]
    );
    assert!(plain.selector.is_some() && !plain.internal_local && !plain.external_local && !plain.publish_not_ready);

    let zero = service_of("{clusterIPs: [10.96.0.1, 'fd00::1'], ports: [{port: 80, targetPort: 0, protocol: UDP}]}");
    assert_eq!(addresses(&zero.cluster_ips), ["10.96.0.1", "fd00::1"]);
    assert_eq!(zero.ports[0].target, TargetPort::Number(80));
    assert_eq!(zero.selector, None);

    let headless =
        service_of("{clusterIP: None, clusterIPs: [None], selector: {app: db}, publishNotReadyAddresses: true}");
    assert!(headless.cluster_ips.is_empty() && headless.ports.is_empty() && headless.publish_not_ready);
    let named = service_of("{type: ExternalName, externalName: example.org, selector: {app: x}}");
    assert!(named.cluster_ips.is_empty() && named.selector.is_none());
    assert_eq!(named.external_name.as_deref(), Some("example.org"));

    let open = service(
        "{apiVersion: v1, kind: Service, metadata: {name: s}, spec: {type: LoadBalancer, clusterIP: 10.96.0.1, externalIPs: [192.0.2.1],
          externalTrafficPolicy: Local, internalTrafficPolicy: Local, ports: [{port: 80, nodePort: 30080}]},
          status: {loadBalancer: {ingress: [{ip: 198.51.100.1, ipMode: VIP}, {hostname: lb.example}, {ip: 192.0.2.1}, {ip: 198.51.100.9, ipMode: Proxy}]}}}",
    );
    assert_eq!(addresses(&open.external_ips), ["192.0.2.1", "198.51.100.1"]);
    assert_eq!(addresses(&open.proxied_ips), ["198.51.100.9"]);
    assert!(open.internal_local && open.external_local);
    assert_eq!(open.ports[0].node_port, Some(30080));
}

#[test]
fn slices_and_their_conditions() {
    let slice = slice(
        "{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: s-1, labels: {kubernetes.io/service-name: s}}, addressType: IPv4,
          ports: [{port: 80}], endpoints: [{addresses: [10.0.0.1]}, {addresses: [10.0.0.2], conditions: {ready: false}},
          {addresses: [10.0.0.3], conditions: {ready: false, serving: true, terminating: true}, nodeName: here, targetRef: {kind: Pod, namespace: a, name: p}}]}",
    );
    assert_eq!(slice.service.as_deref(), Some("s"));
    let states: Vec<_> = slice
        .endpoints
        .iter()
        .map(|e| (e.ready, e.serving, e.terminating))
        .collect();
    assert_eq!(
        states,
        [(true, true, false), (false, false, false), (false, true, true)]
    );
    assert_eq!(slice.endpoints[2].pod, Some(Name::new("a", "p")));
    assert_eq!(slice.endpoints[2].node.as_deref(), Some("here"));
}

#[test]
fn nodes() {
    let node = node(
        "{apiVersion: v1, kind: Node, metadata: {name: a}, spec: {podCIDR: 10.244.0.0/24, podCIDRs: [10.244.0.0/24, 'fd00::/64']},
          status: {addresses: [{type: InternalIP, address: 192.0.2.1}, {type: ExternalIP, address: 203.0.113.1}, {type: Hostname, address: a}]}}",
    );
    assert_eq!(addresses(&node.addresses), ["192.0.2.1", "203.0.113.1"]);
    assert_eq!(node.pod_cidrs.len(), 2);
}

#[test]
fn lists_of_every_shape() {
    let a = "{apiVersion: v1, kind: Namespace, metadata: {name: a}}";
    let names = |text: &str| -> Vec<String> { objects(text).iter().map(|o| o.name().to_string()).collect() };
    assert_eq!(
        names(&format!(
            "---\n# nothing\n---\n{a}\n---\n{{apiVersion: v1, kind: Namespace, metadata: {{name: b}}}}\n---\n"
        )),
        ["a", "b"]
    );
    assert_eq!(names(&format!("{{apiVersion: v1, kind: List, items: [{a}]}}")), ["a"]);
    assert_eq!(names(&format!("{{apiVersion: v1, items: [{a}], kind: List}}")), ["a"]);
    assert_eq!(
        names("{apiVersion: v1, kind: NamespaceList, items: [{metadata: {name: a}}]}"),
        ["a"]
    );
    assert_eq!(
        names("{apiVersion: v1, items: [{metadata: {name: a}}], kind: NamespaceList}"),
        ["a"]
    );
    assert_eq!(names("{apiVersion: v1, items: null, kind: List}"), [""; 0]);
    let nested = format!("{{apiVersion: v1, kind: List, items: [{{apiVersion: v1, kind: List, items: [{a}]}}]}}");
    assert_eq!(names(&nested), ["a"]);
    let anchors = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n  labels: &l {app: web}\n---\napiVersion: v1\nkind: List\nitems:\n- &n\n  apiVersion: v1\n  kind: Namespace\n  metadata: {name: b}\n- <<: *n\n  metadata: {name: c}\n";
    assert_eq!(names(anchors), ["default/a", "b", "c"]);
    assert_eq!(names(""), [""; 0]);
}

#[test]
fn json_documents_may_follow_each_other() {
    let text = "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":\"a\"}}\n\
                {\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":\"b\"}}";
    let content = read(&"x.json".into(), text.as_bytes(), Format::Json);
    let found: Vec<_> = content
        .objects
        .iter()
        .map(|(object, spot)| (object.kind(), spot.document))
        .collect();
    assert_eq!(found, [(Kind::Namespace, 1), (Kind::Namespace, 2)]);
}

#[test]
fn fields_newer_than_us_are_skipped_in_exports_but_never_in_policies() {
    let text = |metadata: &str| {
        format!("{{apiVersion: v1, kind: Pod, metadata: {{name: a, {metadata}}}, spec: {{brandNew: 1}}}}")
    };
    let exported = content(&text("uid: x, resourceVersion: '1'"));
    assert_eq!(exported.objects.len(), 1);
    assert_eq!(
        exported.warnings[0].to_string(),
        "test.yaml, document 1, line 1: Pod default/a: spec.brandNew: this field is newer than this version of the observer, which skips it"
    );
    assert!(problems(&text("uid: x"), Format::Yaml).contains("spec.brandNew: there is no such field"));
    let policy = "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: a, uid: x, resourceVersion: '1'}, spec: {brandNew: 1}}";
    assert!(problems(policy, Format::Yaml).contains("spec.brandNew: there is no such field"));
}

fn subjects(namespace: Option<&str>) -> Subjects {
    Subjects {
        namespace: namespace.map(Into::into),
        pods: vec![Selector::default()],
        ingress: true,
        egress: true,
    }
}

#[test]
fn other_kinds_are_skipped_and_other_policies_told() {
    let all_of = |namespace| Scope::Subjects(subjects(namespace));
    let content = content(
        "{apiVersion: apps/v1, kind: Deployment, metadata: {name: a}, spec: {anything: [1]}}
---
{apiVersion: serving.knative.dev/v1, kind: Service, metadata: {name: a}, spec: {template: {}}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: quiet}, items: [1, {a: b}]}
---
{apiVersion: postgresql.cnpg.io/v1, kind: Cluster, metadata: {name: db, namespace: data}}
---
{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {name: c, namespace: shop}}
---
{apiVersion: projectcalico.org/v3, kind: NetworkPolicy, metadata: {name: d}}
---
{apiVersion: policy.networking.k8s.io/v1beta1, kind: ClusterNetworkPolicy, metadata: {name: e}}
---
{apiVersion: networking.k8s.aws/v1alpha1, kind: ClusterNetworkPolicy, metadata: {name: f}}
---
{apiVersion: k8s.ovn.org/v1, kind: EgressFirewall, metadata: {name: default, namespace: shop}}
",
    );
    // Of these an operator may make pods, in their own namespaces whatever their names sound like.
    assert_eq!(
        content.operated.iter().map(|name| &**name).collect::<Vec<_>>(),
        ["data", "default"]
    );
    let skipped: Vec<_> = content.unused.iter().map(|kind| &**kind).collect();
    assert_eq!(
        skipped,
        [
            "Cluster (postgresql.cnpg.io/v1)",
            "ConfigMap (v1)",
            "Deployment (apps/v1)",
            "Service (serving.knative.dev/v1)"
        ]
    );
    assert_eq!(
        content.foreign,
        [
            ("CiliumNetworkPolicy shop/c".into(), all_of(Some("shop"))),
            (
                "NetworkPolicy.projectcalico.org default/d".into(),
                all_of(Some("default"))
            ),
            ("ClusterNetworkPolicy e".into(), all_of(None)),
            ("ClusterNetworkPolicy.networking.k8s.aws f".into(), all_of(None)),
            (
                "EgressFirewall shop/default".into(),
                Scope::Subjects(Subjects {
                    ingress: false,
                    ..subjects(Some("shop"))
                })
            ),
        ]
    );
}
