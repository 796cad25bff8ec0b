//! `why` and `lint` of a cluster: everything read once.

use std::time::Instant;

use observer::cluster::{Access, Snapshot};
use observer::objects::{Change, Name};
use observer_tests::fake_api::{FakeApi, Fault};

use super::SHOP;

fn access(fake: &FakeApi) -> Access {
    Access {
        kubeconfig: Some(fake.kubeconfig()),
        context: None,
    }
}

#[test]
fn a_cluster_is_read_once_and_left_alone() {
    let fake = FakeApi::start(SHOP).expect("a server");
    let snapshot = Snapshot::of_cluster(access(&fake)).expect("a snapshot");
    let objects = snapshot
        .changes
        .iter()
        .filter(|change| matches!(change, Change::Set(_)));
    assert_eq!(objects.count(), 7);
    assert_eq!(snapshot.warnings, [""; 0]);
    let read = Instant::now();
    let written = snapshot
        .written("NetworkPolicy", &Name::new("shop", "api"))
        .expect("the policy");
    assert_eq!(written["metadata"].to_string(), r#"{"name":"api","namespace":"shop"}"#);
    assert_eq!(written["kind"], "NetworkPolicy");
    assert_eq!(snapshot.written("NetworkPolicy", &Name::new("shop", "web")), None);
    let asked = fake.asked();
    let since: Vec<_> = asked.iter().filter(|asked| asked.at >= read).collect();
    assert_eq!(since.len(), 2, "{since:#?}");
}

#[test]
fn a_server_that_does_not_answer_is_an_error_that_says_why() {
    let fake = FakeApi::start(SHOP).expect("a server");
    fake.away();
    let error = Snapshot::of_cluster(access(&fake))
        .expect_err("nobody there")
        .to_string();
    assert!(error.contains("refused"), "{error}");
    fake.back().expect("the port");
    fake.fault("*", Fault::Unauthorized);
    let error = Snapshot::of_cluster(access(&fake)).expect_err("a stranger").to_string();
    assert!(
        error.contains("Unauthorized") && error.contains("credentials"),
        "{error}"
    );
}

#[test]
fn what_may_not_be_listed_is_told_and_in_doubt() {
    let fake = FakeApi::start(SHOP).expect("a server");
    fake.fault("networkpolicies", Fault::Forbidden);
    let snapshot = Snapshot::of_cluster(access(&fake)).expect("a snapshot");
    assert_eq!(snapshot.warnings.len(), 1, "{:#?}", snapshot.warnings);
    let doubted = |change: &Change| matches!(change, Change::Doubt { source, .. } if **source == *"networkpolicies.networking.k8s.io");
    assert!(snapshot.changes.iter().any(doubted));
    // A check of policies must not end well because there are none to be seen.
    assert!(!snapshot.has_policies());
    fake.heal("networkpolicies");
    let snapshot = Snapshot::of_cluster(access(&fake)).expect("a snapshot");
    assert!(snapshot.has_policies());
}
