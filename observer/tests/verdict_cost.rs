//! What a verdict and a cluster take from the allocator, counted: an answer nothing, a pod little.
#![forbid(unsafe_code)]

#[path = "../benches/cluster/mod.rs"]
mod cluster;

use std::hint::black_box;
use std::sync::Arc;

use allocation_counter::measure;
use observer::objects::{Change, Labels, Object, Pod};
use observer::policy::{Decision, Policies, Question, Who};
use observer::time::Time;

/// Not the answer but what it takes.
fn allocations(policies: &Policies, questions: &[Question]) -> u64 {
    let counted = measure(|| {
        for question in questions {
            black_box(policies.decide(black_box(question)));
        }
    });
    counted.count_total
}

#[test]
fn a_verdict_allocates_nothing() {
    let changes = cluster::changes(500);
    let mut policies = cluster::load(&changes);
    let mut questions = cluster::questions(&changes, 300);
    // The same pods in other copies, from nowhere, from a node, rewritten, and unknown.
    for number in 0..300 {
        let mut question = questions[number].clone();
        let Who::Pod(pod) = question.source.who.clone() else {
            panic!("questions go between pods")
        };
        question.source.who = match number % 5 {
            0 => Who::Pod(Arc::new(Pod::clone(&pod))),
            1 => Who::External,
            2 => Who::Node {
                node: pod.node.clone(),
                candidates: vec![pod],
            },
            3 => Who::Rewritten { pod },
            _ => Who::Unknown,
        };
        questions.push(question);
    }
    let decided: Vec<_> = questions
        .iter()
        .map(|question| policies.decide(question).decision())
        .collect();
    for wanted in [Decision::Allowed, Decision::Denied, Decision::Undecidable] {
        assert!(decided.contains(&wanted), "no question is {wanted:?}");
    }
    assert_eq!(allocations(&policies, &questions), 0);

    // While a change of labels and one of a policy are under way, both versions are asked.
    let at = questions[0].at;
    let Who::Pod(pod) = &questions[0].source.who else {
        panic!("questions go between pods")
    };
    let mut relabelled = Pod::clone(pod);
    relabelled.labels = Labels::from_iter([("app.kubernetes.io/name", "other")]);
    policies.apply(&Change::Set(Object::Pod(Arc::new(relabelled))), Time(at.0 - 1));
    let mut policy = cluster::policy(0, 0);
    policy.egress.clear();
    policies.apply(&Change::Set(Object::NetworkPolicy(Arc::new(policy))), Time(at.0 - 1));
    assert_eq!(allocations(&policies, &questions), 0);
}

#[test]
fn explaining_does_allocate() {
    let changes = cluster::changes(100);
    let policies = cluster::load(&changes);
    let questions = cluster::questions(&changes, 1);
    let counted = measure(|| drop(black_box(policies.judge(&questions[0]))));
    assert_ne!(counted.count_total, 0, "the counter counts");
}

/// The bytes of a pod's labels as text.
fn bytes(labels: &Labels) -> i64 {
    let each = labels.iter().map(|(key, value)| key.len() + value.len());
    i64::try_from(each.sum::<usize>()).expect("labels are short")
}

/// Objects and everything that is kept beside them, policies and namespaces included.
#[test]
fn a_pod_takes_less_than_one_and_a_half_kilobytes() {
    const PODS: u32 = 10_000;
    let mut kept = None;
    let counted = measure(|| {
        let changes = cluster::changes(PODS);
        kept = Some(cluster::load(&changes));
    });
    let labels: i64 = (0..PODS).map(|number| bytes(&cluster::pod(number).labels)).sum();
    let each = (counted.bytes_current - labels) / i64::from(PODS);
    println!("{each} bytes a pod beside its labels, its share of policies included");
    assert!(each < 1_500, "{each} bytes");
    drop(kept);
}
