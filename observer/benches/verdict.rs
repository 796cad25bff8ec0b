//! What a verdict costs: by the size of the cluster, the cost of loading it and of one change, and of a question by names.
//!
//! `cargo bench --package observer --bench verdict`; add `-- --quick` for figures within a minute, or `-- verdict/decide`
//! for the curve alone.

mod asking;
mod cluster;

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use observer::objects::{Change, Labels, Object};
use observer::policy::Config;
use observer::time::Time;

use asking::asking;
use cluster::{changes, load, pod, policy, questions};

fn verdicts(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("verdict");
    for pods in [1_000, 3_000, 10_000, 30_000, 100_000] {
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

criterion_group!(benches, verdicts, loading, asking);
criterion_main!(benches);
