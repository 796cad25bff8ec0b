//! What a question by names costs.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, Throughput};
use observer::objects::{Change, Labels, Name, Object, Pod, Protocol, Service, ServicePort, TargetPort, Workload};
use observer::policy::Config;
use observer::time::Time;
use observer::why::{self, AnswerRecord, PortRef, Query};
use observer::world::World;

use crate::cluster::changes;

/// What `observer why --stdin` does with a query, without reading and writing the line: from pod to pod, and from a workload of five
/// pods to a Service of five.
pub(crate) fn asking(criterion: &mut Criterion) {
    let mut world = World::new(Config::default());
    for change in changes(10_000).iter().map(named) {
        world.apply(&change, Time::BEGINNING);
    }
    for service in services() {
        world.apply(&Change::Set(Object::Service(Arc::new(service))), Time::BEGINNING);
    }
    let mut group = criterion.benchmark_group("why");
    for (what, from, to) in [
        ("pod to pod", "{n}/workload-{w}-{w}", "{n}/workload-{v}-{v}"),
        (
            "Deployment to Service",
            "{n}/deployment/workload-{w}",
            "{n}/svc/workload-{v}",
        ),
    ] {
        let queries: Vec<Query> = (0..1_000)
            .map(|number| {
                let named = |text: &str| {
                    let (namespace, workload) = (number % 200, number % 10);
                    text.replace("{n}", &format!("namespace-{namespace}"))
                        .replace("{w}", &workload.to_string())
                        .replace("{v}", &((workload + number / 200) % 10).to_string())
                };
                Query {
                    source: why::source(&named(from)).expect("a source"),
                    destination: why::source(&named(to)).expect("a destination"),
                    port: Some(PortRef::Number(8080)),
                    protocol: None,
                    at: Time(1_000_000_000_000),
                }
            })
            .collect();
        group.throughput(Throughput::Elements(queries.len() as u64));
        group.bench_function(what, |bencher| {
            bencher.iter(|| {
                for query in &queries {
                    let answer = why::ask(&world, black_box(query)).expect("an answer");
                    black_box(AnswerRecord::new(&answer).line());
                }
            });
        });
    }
    group.finish();
}

/// A pod as one of its Deployment, of which its name tells.
fn named(change: &Change) -> Change {
    match change {
        Change::Set(Object::Pod(pod)) => {
            let mut pod = Pod::clone(pod);
            pod.workload = pod.name.name.rsplit_once('-').map(|(of, _)| Workload {
                kind: "Deployment".into(),
                name: of.into(),
            });
            Change::Set(Object::Pod(Arc::new(pod)))
        }
        other => other.clone(),
    }
}

/// A Service before each workload, without an address, as manifests have it.
fn services() -> impl Iterator<Item = Service> {
    let each = (0..200_u32).flat_map(|namespace| (0..10).map(move |workload| (namespace, workload)));
    each.map(|(namespace, workload)| Service {
        name: Name::new(format!("namespace-{namespace}"), format!("workload-{workload}")),
        cluster_ips: Vec::new(),
        headless: false,
        external_ips: Vec::new(),
        proxied_ips: Vec::new(),
        external_name: None,
        ports: vec![ServicePort {
            name: "".into(),
            port: 8080,
            protocol: Protocol::Tcp,
            target: TargetPort::Number(8080),
            node_port: None,
        }],
        selector: Some(Labels::from_iter([(
            "app.kubernetes.io/name",
            format!("workload-{workload}"),
        )])),
        internal_local: false,
        external_local: false,
        publish_not_ready: false,
    })
}
