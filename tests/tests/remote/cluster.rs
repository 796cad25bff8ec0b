//! Several agents through the API server's port-forward.

use std::time::Duration;

use observer::attempt::{Outcome, Stage};
use observer_tests::agents::{Agents, Call};
use observer_tests::fake_api::{FakeApi, Fault};
use observer_tests::lab::{Observer, Tail};

use super::{SOON, isns, now, states, told};

fn tail(api: &FakeApi, args: &[&str]) -> Observer {
    let start = Tail::json().arg("--kubeconfig").arg(api.kubeconfig());
    args.iter()
        .fold(start, |tail, arg| tail.arg(*arg))
        .spawn_here()
        .expect("a tail")
}

#[test]
fn an_attempt_that_two_nodes_saw_is_told_once_by_its_owner() {
    let agents = Agents::start(["a", "b"]).expect("agents");
    let api = agents.cluster(&["c"]).expect("a cluster");
    let tail = tail(&api, &[]);
    let statement = states(&tail, &["a", "b"], &["c"]);
    assert_eq!(statement["fields"]["unseen"]["c"], "no agent runs there");

    let first = now();
    let both = Call::new(1, first);
    agents.tell("b", &both.at_destination());
    agents.tell("a", &both.at_source());
    // Nobody owns this one.
    let alone = Call::new(2, first);
    agents.tell("b", &alone.at_destination());
    assert_eq!(told(&tail, 1)["node"], "a");
    let alone = told(&tail, 2);
    assert_eq!(
        (&alone["node"], &alone["source_observed"]),
        (&"b".into(), &false.into())
    );
    let ended = tail.interrupt().expect("an end");
    assert_eq!(ended.code(), 0, "{:?}", ended.errors);
    assert_eq!(isns(&ended.records), [1, 2]);
    let summary = ended.records.last().expect("a summary");
    assert_eq!(summary["fields"]["counters"]["records_joined"], 1, "{summary}");
}

#[test]
fn that_the_api_server_does_not_tell_of_agents_is_said_until_it_does() {
    let agents = Agents::start(["a"]).expect("agents");
    let api = agents.cluster(&[]).expect("a cluster");
    let tail = tail(&api, &[]);
    states(&tail, &["a"], &[]);
    let warns = |words: &str| {
        tail.await_record(SOON, |record| {
            record["event"] == "warning" && record["text"].as_str().is_some_and(|text| text.contains(words))
        })
        .expect("it is said");
    };
    api.fault("pods", Fault::Broken);
    warns("agents that come and go are not seen now");
    api.heal("pods");
    agents.join(&api, "a").expect("its pod changes");
    warns("agents that come and go are seen again");
    let ended = tail.interrupt().expect("an end");
    assert_eq!(ended.code(), 0, "{:?}", ended.errors);
}

#[test]
fn streams_come_out_in_order_of_time() {
    let agents = Agents::start(["a", "b", "c"]).expect("agents");
    let api = agents.cluster(&[]).expect("a cluster");
    let tail = tail(&api, &[]);
    states(&tail, &["a", "b", "c"], &[]);
    let first = now();
    let names = ["a", "b", "c"];
    // Told in an order that is not that of their times.
    for isn in [3, 1, 2, 6, 4, 5_u32] {
        let call = Call::new(isn, first + Duration::from_millis(isn.into()));
        agents.tell(names[isn as usize % 3], &call.at_source());
    }
    told(&tail, 6);
    assert_eq!(isns(&tail.interrupt().expect("an end").records), [1, 2, 3, 4, 5, 6]);
}

#[test]
fn a_broken_stream_is_taken_up_again_without_a_gap_and_without_repetition() {
    let agents = Agents::start(["a", "b"]).expect("agents");
    let api = agents.cluster(&[]).expect("a cluster");
    let tail = tail(&api, &[]);
    states(&tail, &["a", "b"], &[]);
    agents.tell("a", &Call::new(1, now()).at_source());
    told(&tail, 1);
    agents.away("a");
    let statement = states(&tail, &["b"], &["a"]);
    let why = statement["fields"]["unseen"]["a"]
        .as_str()
        .expect("a reason")
        .to_owned();
    assert!(
        why.contains("broke") || why.contains("cannot be reached") || why.contains("stopped"),
        "{why}"
    );
    // Observed while nobody could ask.
    agents.tell("a", &Call::new(2, now()).at_source());
    agents.back("a").expect("the same port");
    states(&tail, &["a", "b"], &[]);
    agents.tell("a", &Call::new(3, now()).at_source());
    told(&tail, 3);
    assert_eq!(isns(&tail.interrupt().expect("an end").records), [1, 2, 3]);
}

#[test]
fn agents_come_and_go() {
    let agents = Agents::start(["a", "b"]).expect("agents");
    let api = agents.cluster(&[]).expect("a cluster");
    api.delete("pods", "observer/agent-b");
    let tail = tail(&api, &[]);
    states(&tail, &["a"], &["b"]);
    agents.join(&api, "b").expect("a pod");
    states(&tail, &["a", "b"], &[]);
    agents.tell("b", &Call::new(1, now()).at_source());
    told(&tail, 1);
    api.delete("pods", "observer/agent-a");
    states(&tail, &["b"], &["a"]);
    api.delete("nodes", "a");
    states(&tail, &["b"], &[]);
    assert_eq!(tail.interrupt().expect("an end").code(), 0);
}

#[test]
fn a_namespace_that_does_not_exist_is_told() {
    let agents = Agents::start(["a"]).expect("agents");
    let api = agents.cluster(&[]).expect("a cluster");
    api.apply("{apiVersion: v1, kind: Namespace, metadata: {name: shop}}")
        .expect("a namespace");
    let tail = tail(&api, &["-n", "shop,shpo"]);
    states(&tail, &["a"], &[]);
    let ended = tail.interrupt().expect("an end");
    let warnings = ended.records.iter().filter(|record| record["event"] == "warning");
    let warnings: Vec<_> = warnings.map(|record| record["text"].clone()).collect();
    assert_eq!(warnings, ["there is no namespace shpo in this cluster"]);
}

#[test]
fn filters_hold_at_the_agents_and_a_hidden_owner_hides_what_the_destination_saw() {
    let agents = Agents::start(["a", "b"]).expect("agents");
    let api = agents.cluster(&[]).expect("a cluster");
    let tail = tail(&api, &["--outcome", "refused"]);
    states(&tail, &["a", "b"], &[]);
    let first = now();
    // The owner gave up waiting; the destination's node saw its own RST leave. The attempt timed out.
    let timed_out = Call {
        outcome: Outcome::Timeout,
        took: Duration::from_secs(4),
        ..Call::new(1, first)
    };
    let provisional = Call {
        stage: Stage::Provisional,
        ..timed_out.clone()
    };
    let refused = |isn| Call {
        outcome: Outcome::Refused,
        ..Call::new(isn, first)
    };
    agents.tell("a", &provisional.at_source());
    agents.tell("b", &refused(1).at_destination());
    agents.tell("a", &timed_out.at_source());
    agents.tell("a", &Call::new(2, first).at_source());
    agents.tell("a", &refused(3).at_source());
    agents.tell("b", &refused(4).at_destination());
    told(&tail, 4);
    assert_eq!(isns(&tail.interrupt().expect("an end").records), [3, 4]);
}

#[test]
fn the_past_is_told_and_then_it_ends_unless_it_is_followed() {
    let agents = Agents::start(["a", "b"]).expect("agents");
    let api = agents.cluster(&[]).expect("a cluster");
    let first = now();
    for isn in 1..=6_u32 {
        let call = Call::new(isn, first + Duration::from_millis(isn.into()));
        agents.tell(["a", "b"][isn as usize % 2], &call.at_source());
    }
    let finish = |args: &[&str]| tail(&api, args).finish(SOON).expect("an end by itself");
    let ended = finish(&["--since", "5m"]);
    assert_eq!(
        (ended.code(), isns(&ended.records)),
        (0, vec![1, 2, 3, 4, 5, 6]),
        "{:?}",
        ended.errors
    );
    assert_eq!(isns(&finish(&["--last", "4"]).records), [3, 4, 5, 6]);
    assert_eq!(isns(&finish(&["--until", "1h"]).records), [] as [u64; 0]);
    let following = tail(&api, &["--last", "2", "-f"]);
    told(&following, 6);
    agents.tell("a", &Call::new(7, now()).at_source());
    told(&following, 7);
    assert_eq!(isns(&following.interrupt().expect("an end").records), [5, 6, 7]);
}

#[test]
fn the_cluster_goes_on_while_the_api_server_is_away() {
    let agents = Agents::start(["a"]).expect("agents");
    let api = agents.cluster(&[]).expect("a cluster");
    let tail = tail(&api, &[]);
    states(&tail, &["a"], &[]);
    api.fault("pods", Fault::Broken);
    let warned = tail
        .await_record(SOON, |record| record["event"] == "warning")
        .expect("a warning");
    assert!(
        warned["text"].as_str().is_some_and(|text| text.contains("come and go")),
        "{warned}"
    );
    agents.tell("a", &Call::new(1, now()).at_source());
    told(&tail, 1);
    assert_eq!(tail.interrupt().expect("an end").code(), 0);
}
