//! What serving costs beside the loop: an attempt on its way through metrics and hub, and a scrape of an agent that has counted in as many
//! namespaces as are kept apart. `cargo bench -p observer --bench serving` prints it; 5,000 attempts a second cost 5,000 times the
//! first figure of each second.

use std::hint::black_box;
use std::net::SocketAddr;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use observer::agent::Output;
use observer::attempt::{self, Direction, Hook, Observation, PendingSyn, Point, Seen, Sighting, Stage};
use observer::cluster::read_manifest;
use observer::endpoint::Identity;
use observer::engine::{Diagnosed, Engine, Input};
use observer::flows::Limits;
use observer::objects::{Change, Name};
use observer::policy;
use observer::serve::hub::Hub;
use observer::serve::metrics::Metrics;
use observer::time::Time;

const CLUSTER: &str = "
apiVersion: v1
kind: Pod
metadata: { namespace: shop, name: cart-5f7c9-x2x4v, labels: { app: cart } }
spec: { nodeName: here, containers: [{ name: app, image: app }] }
status: { phase: Running, podIPs: [{ ip: 10.0.0.1 }] }
---
apiVersion: v1
kind: Pod
metadata: { namespace: shop, name: api-7d9f4-q8k2m, labels: { app: api } }
spec: { nodeName: here, containers: [{ name: app, image: app }] }
status: { phase: Running, podIPs: [{ ip: 10.0.0.2 }] }
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { namespace: shop, name: api }
spec:
  podSelector: { matchLabels: { app: api } }
  ingress: [{ from: [{ podSelector: { matchLabels: { app: web } } }], ports: [{ port: 8080 }] }]
";

/// More than is kept apart: every namespace's series are exposed.
const NAMESPACES: usize = 128;

/// Attempts that are published between two looks at the clock.
const AT_ONCE: u32 = 100;

/// A final attempt that a policy denied: the kind with most to say.
fn denied() -> Diagnosed {
    let mut engine = Engine::new(attempt::Config::default(), policy::Config::default());
    let objects = read_manifest(CLUSTER.as_bytes()).expect("valid manifests");
    let changes = objects.into_iter().map(Change::Set).collect();
    engine.input(Input::Loaded(changes), Time::BEGINNING);
    let start = Time(1_700_000_000_000_000_000);
    let address = |text: &str| text.parse::<SocketAddr>().expect("an address");
    let (client, server) = (address("10.0.0.1:40000"), address("10.0.0.2:8080"));
    let point = |ifindex: u32, of: SocketAddr| {
        Observation::Point(Point {
            ifindex,
            name: format!("veth{ifindex}").into(),
            since: start - Duration::from_secs(60),
            addresses: vec![of.ip()],
            from_pod: Hook::Proven,
            to_pod: Hook::Proven,
            foreign: false,
            bypassed: false,
        })
    };
    let syn = Observation::Sighting(Sighting {
        ifindex: 1,
        direction: Direction::FromPod,
        client,
        server,
        isn: 7,
        at: start,
        pending: Some(PendingSyn {
            first: start,
            last: start,
            syns: 1,
        }),
        what: Seen::Pending,
    });
    let end = start + Duration::from_secs(6);
    let seen = vec![point(1, client), point(2, server), syn, Observation::Swept { at: end }];
    let mut decided = engine.input(Input::Observed(seen), start);
    decided.extend(engine.input(Input::Tick, end));
    let is_final = |diagnosed: &Diagnosed| diagnosed.assessment.attempt.stage == Stage::Final;
    decided.into_iter().find(is_final).expect("a timeout")
}

/// The same by another pod's namespace.
fn from(mut diagnosed: Diagnosed, namespace: usize) -> Output {
    if let Identity::Pod(pod) = &mut diagnosed.assessment.source.identity {
        let mut other = (**pod).clone();
        other.name = Name::new(format!("namespace-{namespace}"), other.name.name.clone());
        *pod = other.into();
    }
    Output::Attempt(Box::new(diagnosed))
}

fn hub() -> Hub {
    let limits = Limits::of(4_096, Duration::from_secs(900));
    Hub::new("here".into(), limits, None)
}

fn serving(criterion: &mut Criterion) {
    let attempts: Vec<Output> = (0..NAMESPACES).map(|namespace| from(denied(), namespace)).collect();
    let mut next = attempts.iter().cycle();
    let mut timed = |name: &str, each: &dyn Fn(&Output)| {
        criterion.bench_function(name, |bencher| {
            bencher.iter_custom(|rounds| {
                let mut spent = Duration::ZERO;
                for _ in 0..rounds {
                    let batch: Vec<&Output> = (0..AT_ONCE).map(|_| next.next().expect("a cycle")).collect();
                    let begun = std::time::Instant::now();
                    batch.into_iter().for_each(each);
                    spent += begun.elapsed() / AT_ONCE;
                }
                spent
            });
        });
    };
    let metrics = Metrics::new(hub(), None);
    timed("an attempt counted", &|output| metrics.take(black_box(output)));
    let alone = hub();
    timed("an attempt published, nobody follows", &|output| {
        alone.publish(black_box(output));
    });
    criterion.bench_function("a scrape", |bencher| bencher.iter(|| black_box(metrics.text())));
    println!("a scrape has {} bytes", metrics.text().len());
}

criterion_group!(benches, serving);
criterion_main!(benches);
