//! A made-up cluster for measurements: ten policies and fifty pods a namespace, the labels that charts set, rules of the
//! usual kinds, and questions between random pods.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use observer::objects::{
    Change, Labels, Name, Namespace, NetworkPolicy, Object, Operator, Peer, Phase, Pod, PortMatch, PortRule, Protocol,
    Requirement, Rule, Selector, Str, Written,
};
use observer::policy::{Config, Party, Policies, Question, Who};
use observer::time::Time;

const PODS_PER_NAMESPACE: u32 = 50;
const POLICIES_PER_NAMESPACE: u32 = 10;
const WORKLOADS_PER_NAMESPACE: u32 = 10;

fn main_label(workload: u32) -> Selector {
    is("app.kubernetes.io/name", format!("workload-{workload}"))
}

fn is(key: &str, value: impl Into<Str>) -> Selector {
    Selector {
        requirements: vec![Requirement {
            key: key.into(),
            operator: Operator::In(vec![value.into()]),
        }],
    }
}

/// The pod of this number, with the labels that charts set.
pub(crate) fn pod(number: u32) -> Pod {
    let (namespace, index) = (number / PODS_PER_NAMESPACE, number % PODS_PER_NAMESPACE);
    let workload = index % WORKLOADS_PER_NAMESPACE;
    let address: IpAddr = Ipv4Addr::from_bits(0x0a00_0000 + number).into();
    Pod {
        name: Name::new(format!("namespace-{namespace}"), format!("workload-{workload}-{index}")),
        uid: format!("uid-{number}").into(),
        labels: Labels::from_iter([
            ("app.kubernetes.io/name", format!("workload-{workload}")),
            ("app.kubernetes.io/instance", format!("release-{}", workload % 3)),
            ("app.kubernetes.io/component", "server".into()),
            ("app.kubernetes.io/part-of", format!("product-{}", namespace % 7)),
            ("pod-template-hash", format!("{:08x}", namespace * 100 + workload)),
        ]),
        addresses: vec![address],
        node: Some(format!("node-{}", number % 100).into()),
        host_network: false,
        phase: Phase::Running,
        ready: true,
        created: None,
        terminating: None,
        ended: None,
        workload: None,
        ports: Vec::new(),
    }
}

/// The pod with its strings shared with all others, as reading shares them.
fn sharing(mut pod: Pod, strings: &mut HashSet<Str>) -> Pod {
    let mut share = |text: &Str| match strings.get(text) {
        Some(known) => known.clone(),
        None => {
            strings.insert(text.clone());
            text.clone()
        }
    };
    pod.labels = pod
        .labels
        .iter()
        .map(|(key, value)| (share(key), share(value)))
        .collect();
    pod.name = Name::new(share(&pod.name.namespace), share(&pod.name.name));
    pod.node = pod.node.as_ref().map(share);
    pod
}

/// A policy with rules of the usual kinds.
pub(crate) fn policy(namespace: u32, number: u32) -> NetworkPolicy {
    let tcp = |port| PortRule {
        protocol: Protocol::Tcp,
        port: PortMatch::Range(port, port),
    };
    let from = |namespaces, pods| Peer::Pods { namespaces, pods };
    let next = (number + 1) % WORKLOADS_PER_NAMESPACE;
    let peers = vec![
        from(None, Some(main_label(next))),
        from(
            Some(is("team", format!("team-{}", number % 5))),
            Some(main_label(number)),
        ),
        from(
            Some(is(
                "kubernetes.io/metadata.name",
                format!("namespace-{}", namespace + 1),
            )),
            None,
        ),
        Peer::Block {
            cidr: "192.168.0.0/16".parse().expect("a block"),
            except: Vec::new(),
        },
    ];
    let rules = vec![
        Rule {
            peers,
            ports: vec![tcp(8080), tcp(8443)],
        },
        Rule {
            peers: vec![from(Some(is("team", "monitoring")), None)],
            ports: vec![tcp(9090)],
        },
    ];
    NetworkPolicy {
        name: Name::new(format!("namespace-{namespace}"), format!("policy-{number}")),
        created: None,
        // One for all pods, the others for a workload each.
        pod_selector: if number == 0 {
            Selector::default()
        } else {
            main_label(number)
        },
        isolates_ingress: true,
        isolates_egress: true,
        ingress: rules.clone(),
        egress: rules,
        source: None,
        written: Written::default(),
    }
}

/// The objects of a cluster of so many pods.
pub(crate) fn changes(pods: u32) -> Vec<Change> {
    let namespaces = pods / PODS_PER_NAMESPACE;
    let mut objects = Vec::new();
    for number in 0..namespaces {
        objects.push(Object::Namespace(Arc::new(Namespace {
            name: format!("namespace-{number}").into(),
            labels: Labels::from_iter([
                ("kubernetes.io/metadata.name", format!("namespace-{number}")),
                ("team", format!("team-{}", number % 5)),
            ]),
        })));
    }
    let mut strings = HashSet::new();
    objects.extend((0..pods).map(|number| Object::Pod(Arc::new(sharing(pod(number), &mut strings)))));
    for namespace in 0..namespaces {
        objects.extend((0..POLICIES_PER_NAMESPACE).map(|n| Object::NetworkPolicy(Arc::new(policy(namespace, n)))));
    }
    objects.into_iter().map(Change::Set).collect()
}

/// The first load.
pub(crate) fn load(changes: &[Change]) -> Policies {
    let mut policies = Policies::new(Config::default());
    for change in changes {
        policies.apply(change, Time::BEGINNING);
    }
    policies
}

/// Questions between random pods of the same namespace, of the next, and of any, in equal parts.
pub(crate) fn questions(changes: &[Change], count: u32) -> Vec<Question> {
    let pods: Vec<_> = changes
        .iter()
        .filter_map(|change| match change {
            Change::Set(Object::Pod(pod)) => Some(pod),
            _ => None,
        })
        .collect();
    let party = |number: usize| {
        let pod = pods[number % pods.len()];
        Party {
            address: pod.addresses[0],
            who: Who::Pod(pod.clone()),
        }
    };
    let mut random = 1_u64;
    let mut next = || {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) as usize
    };
    let per_namespace = PODS_PER_NAMESPACE as usize;
    (0..count)
        .map(|number| {
            let source = next() % pods.len();
            let first = source - source % per_namespace;
            let destination = match number % 3 {
                0 => first + next() % per_namespace,
                1 => first + per_namespace + next() % per_namespace,
                _ => next(),
            };
            Question {
                source: party(source),
                destination: party(destination),
                port: [8080, 8443, 9090, 80][next() % 4],
                protocol: Protocol::Tcp,
                dialled: None,
                at: Time(1_000_000_000_000),
            }
        })
        .collect()
}
