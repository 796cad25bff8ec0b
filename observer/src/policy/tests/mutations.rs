//! Each deliberate fault of the evaluator is found by the comparison with the reference.

use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::equal::{Comparison, counterexample};
use crate::policy::faults::Fault;

/// So many clusters are enough for every fault, with the one seed that is used; for most the first number is.
const CLUSTERS: [u32; 2] = [12, 400];

fn find(clusters: u32) -> Option<String> {
    let config = Config {
        cases: clusters,
        failure_persistence: None,
        max_shrink_iters: 0,
        ..Config::default()
    };
    Comparison::ALL.into_iter().find_map(|comparison| {
        let seed = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
        counterexample(comparison, &mut TestRunner::new_with_rng(config.clone(), seed))
    })
}

#[test]
fn every_fault_is_found() {
    assert_eq!(find(CLUSTERS[0]), None, "found without a fault");
    let is_found = |fault: &&Fault| {
        CLUSTERS
            .into_iter()
            .any(|clusters| fault.during(|| find(clusters)).is_some())
    };
    let missed: Vec<_> = Fault::ALL.iter().filter(|fault| !is_found(fault)).collect();
    assert!(missed.is_empty(), "no counterexample for {missed:?}");
    assert!(Fault::ALL.len() >= 20);
}
