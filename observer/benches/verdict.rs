//! What a verdict costs: by the size of the cluster, and the cost of loading it and of one change.
//!
//! `cargo bench --package observer --bench verdict`. The clusters have ten policies and fifty pods a namespace, the labels
//! that charts set, and rules of the usual kinds; questions go between random pods.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use observer::objects::{
    Change, Labels, Name, Namespace, NetworkPolicy, Object, Operator, Peer, Phase, Pod, PortMatch, PortRule, Protocol,
    Requirement, Rule, Selector, Str,
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

fn pod(number: u32) -> Pod {
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

fn policy(namespace: u32, number: u32) -> NetworkPolicy {
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
        written: Default::default(),
    }
}

fn changes(pods: u32) -> Vec<Change> {
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
    objects.extend((0..pods).map(|number| Object::Pod(Arc::new(pod(number)))));
    for namespace in 0..namespaces {
        objects.extend((0..POLICIES_PER_NAMESPACE).map(|n| Object::NetworkPolicy(Arc::new(policy(namespace, n)))));
    }
    objects.into_iter().map(Change::Set).collect()
}

fn load(changes: &[Change]) -> Policies {
    let mut policies = Policies::new(Config::default());
    for change in changes {
        policies.apply(change, Time::BEGINNING);
    }
    policies
}

/// Between random pods of the same namespace, of the next, and of any, in equal parts.
fn questions(changes: &[Change], count: u32) -> Vec<Question> {
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

fn verdicts(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("verdict");
    for pods in [1_000, 10_000, 100_000] {
        let changes = changes(pods);
        let policies = load(&changes);
        let questions = questions(&changes, 10_000);
        group.throughput(Throughput::Elements(questions.len() as u64));
        group.bench_function(BenchmarkId::new("decide", pods), |bencher| {
            bencher.iter(|| {
                for question in &questions {
                    black_box(policies.decide(black_box(question)));
                }
            });
        });
        if pods == 10_000 {
            group.bench_function(BenchmarkId::new("judge", pods), |bencher| {
                bencher.iter(|| {
                    for question in &questions {
                        black_box(policies.judge(black_box(question)));
                    }
                });
            });
        }
    }
    group.finish();
}

fn loading(criterion: &mut Criterion) {
    let changes = changes(10_000);
    let mut group = criterion.benchmark_group("apply");
    group.sample_size(10);
    group.bench_function("load 10000 pods, 200 namespaces, 2000 policies", |bencher| {
        bencher.iter(|| load(black_box(&changes)));
    });
    let mut policies = load(&changes);
    let mut at = 1;
    group.bench_function("one pod's labels", |bencher| {
        bencher.iter_batched(
            || {
                at += 1;
                let mut changed = pod(4711);
                changed.labels = Labels::from_iter([("app.kubernetes.io/name", format!("workload-{}", at % 10))]);
                (Change::Set(Object::Pod(Arc::new(changed))), Time(at))
            },
            |(change, at)| policies.apply(&change, at),
            BatchSize::SmallInput,
        );
    });
    let mut policies = load(&changes);
    group.bench_function("one policy", |bencher| {
        bencher.iter_batched(
            || {
                at += 1;
                let mut changed = policy(7, 0);
                changed.isolates_egress = at % 2 == 0;
                (Change::Set(Object::NetworkPolicy(Arc::new(changed))), Time(at))
            },
            |(change, at)| {
                policies.apply(&change, at);
                policies.prune(at + Config::default().recent + Config::default().window);
            },
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

criterion_group!(benches, verdicts, loading);
criterion_main!(benches);
