//! Kubernetes Events for real failures, as an API server gets them.

use std::time::{Duration, Instant};

use observer_tests::fake_api::{FakeApi, Fault};
use observer_tests::lab::{Chain, Family, dial, logged, pod};
use serde_json::Value;

use super::api::{agent_of, api};
use super::{DENY, SOON, Shop, attempts, shop};

/// The policy denies `shop/api`, and port 8080 of it is dropped.
fn denied(shop: &Shop) -> FakeApi {
    let api = api(shop);
    api.apply(DENY).expect("a policy");
    shop.lab.rule(Chain::Enforce, "tcp dport 8080 drop").expect("a rule");
    api
}

/// Waits until so many Events are there.
fn await_events(api: &FakeApi, count: usize) -> Vec<Value> {
    let until = Instant::now() + SOON;
    loop {
        let events = api.objects("events");
        if events.len() >= count {
            return events;
        }
        assert!(Instant::now() < until, "{events:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_failure_with_a_cause_becomes_an_event_on_the_pod_that_dialled() {
    let Some(shop) = shop() else { return };
    let api = denied(&shop);
    let agent = agent_of(&api)
        .arg("--events")
        .start(shop.lab.node())
        .expect("a ready agent");
    for _ in 0..3 {
        shop.dial(8080);
    }
    agent
        .await_metric(&attempts("egress", "timeout", "policy-ingress"), 3.0)
        .expect("three failures");
    let events = await_events(&api, 1);
    let [event] = events.as_slice() else {
        panic!("one series: {events:?}")
    };
    for (path, expect) in [
        ("/regarding/kind", "Pod"),
        ("/regarding/namespace", "shop"),
        ("/regarding/name", "cart"),
        ("/related/name", "api"),
        ("/metadata/namespace", "shop"),
        ("/type", "Warning"),
        ("/reason", "PolicyIngress"),
        ("/action", "Connect"),
        ("/reportingController", "observer"),
    ] {
        assert_eq!(event.pointer(path), Some(&Value::from(expect)), "{path} of {event}");
    }
    let note = event["note"].as_str().expect("a note");
    assert!(
        note.contains("shop/api:8080") && note.contains("shop/deny-api"),
        "{note}"
    );
    assert!(event["regarding"]["uid"].is_string(), "{event}");
    agent
        .await_metric(r#"observer_kubernetes_events_total{result="written"}"#, 1.0)
        .expect("it was counted");
}

#[test]
fn an_event_that_can_never_be_written_keeps_no_other_back() {
    let Some(mut shop) = shop() else { return };
    shop.lab
        .add_pod(pod("ending/job").label("app", "job"))
        .expect("another pod");
    let api = denied(&shop);
    api.apply(
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: ending, deletionTimestamp: '2026-01-01T00:00:00Z'}\n\
         spec: {finalizers: [kubernetes]}\nstatus: {phase: Terminating}\n",
    )
    .expect("a namespace that ends");
    let agent = agent_of(&api)
        .arg("--events")
        .start(shop.lab.node())
        .expect("a ready agent");
    let to = shop.lab.pod("shop/api").at(Family::V4, 8080);
    dial(shop.lab.pod("ending/job").netns(), to, Duration::from_millis(500));
    agent
        .await_metric(r#"observer_kubernetes_events_total{result="refused"}"#, 1.0)
        .expect("no Event is made where all is being deleted");
    shop.dial(8080);
    let events = await_events(&api, 1);
    assert_eq!(events[0].pointer("/regarding/name"), Some(&"cart".into()), "{events:?}");
    let ended = agent.interrupt().expect("an end");
    assert_eq!(logged(&ended.errors, "may not write Events"), None);
}

#[test]
fn without_the_flag_nothing_is_written() {
    let Some(shop) = shop() else { return };
    let api = denied(&shop);
    let agent = agent_of(&api).start(shop.lab.node()).expect("a ready agent");
    shop.dial(8080);
    agent
        .await_metric(&attempts("egress", "timeout", "policy-ingress"), 1.0)
        .expect("a failure");
    let ended = agent.interrupt().expect("an end");
    assert_eq!((ended.code(), api.objects("events").len()), (0, 0));
}

#[test]
fn a_missing_right_is_said_once_and_holds_nothing_up() {
    let Some(shop) = shop() else { return };
    let api = denied(&shop);
    api.fault("events", Fault::Forbidden);
    let agent = agent_of(&api)
        .arg("--events")
        .start(shop.lab.node())
        .expect("a ready agent");
    shop.dial(8080);
    agent
        .await_log("grant it create and patch on events")
        .expect("what is missing");
    agent
        .await_metric(r#"observer_kubernetes_events_total{result="forbidden"}"#, 1.0)
        .expect("it was counted");
    shop.dial(8081);
    agent
        .await_answer("/metrics", |_, text| text.contains(r#"outcome="refused""#))
        .expect("it goes on");
    assert_eq!(api.objects("events").len(), 0);
    let ended = agent.interrupt().expect("an end");
    let said = ended.errors.iter().filter(|line| line.contains("may not write Events"));
    assert_eq!((ended.code(), said.count()), (0, 1));
    let stopping = logged(&ended.errors, "in no Event").expect("what was not written is said");
    assert_eq!(stopping["failures"], 1, "{stopping}");
}
