//! Attempts by gRPC, as `observer tail --server` shows them: live, from the past, over a restart, and to the end.

use nix::sys::signal::Signal;
use observer_tests::lab::{Agent, Chain, Observer, Tail};
use serde_json::Value;

use super::{DENY, SOON, Shop, shop};

/// A tail that asks this agent.
fn tail(shop: &Shop, agent: &Agent<'_>, arguments: &[&str]) -> Observer {
    let tail = Tail::json().arg("--server").arg(agent.grpc().to_string());
    let tail = arguments.iter().fold(tail, |tail, argument| tail.arg(*argument));
    tail.spawn(shop.lab.node()).expect("a tail")
}

fn await_outcome(tail: &Observer, outcome: &str) -> Value {
    tail.await_attempt(SOON, |record| record["outcome"] == outcome)
        .expect("a final record")
}

#[test]
fn a_tail_of_an_agent_shows_what_its_own_would() {
    let Some(shop) = shop() else { return };
    shop.lab.manifests().write("deny.yaml", DENY).expect("a policy");
    shop.lab.rule(Chain::Enforce, "tcp dport 8080 drop").expect("a rule");
    let agent = shop.agent().start(shop.lab.node()).expect("a ready agent");
    let own = Tail::json().arg("--manifests").arg(shop.lab.manifests().path());
    let links: Vec<&str> = shop.lab.pods().iter().map(observer_tests::lab::Pod::link).collect();
    let own = own.start(shop.lab.node(), &links).expect("a tail of its own");
    let remote = tail(&shop, &agent, &["-f"]);
    agent.await_metric("observer_streams", 1.0).expect("it follows");
    shop.dial(8080);
    let (own, remote) = (await_outcome(&own, "timeout"), await_outcome(&remote, "timeout"));
    for field in [
        "source",
        "destination",
        "verdict",
        "cause",
        "outcome",
        "reach",
        "isn",
        "advice",
    ] {
        assert_eq!(own[field], remote[field], "{field}");
    }
    assert_eq!(remote["cause"], "policy-ingress");
    assert_eq!(remote["node"], observer_tests::lab::Lab::NODE);
}

#[test]
fn the_past_can_be_asked_for_with_the_same_filters() {
    let Some(shop) = shop() else { return };
    let agent = shop.agent().start(shop.lab.node()).expect("a ready agent");
    shop.dial(8080);
    shop.dial(8081);
    agent
        .await_metric(r#"observer_table_entries{table="attempts_recent"}"#, 2.0)
        .expect("both are kept");
    let past = tail(&shop, &agent, &["--last", "10", "--outcome", "refused"]);
    let ended = past.finish(SOON).expect("it ends with the past");
    let attempts: Vec<_> = ended
        .records
        .iter()
        .filter(|record| record["type"] == "attempt")
        .collect();
    assert_eq!((ended.code(), attempts.len()), (0, 1), "{:?}", ended.errors);
    assert_eq!(attempts[0]["cause"], "app-not-listening");
}

#[test]
fn a_stream_ends_with_its_agent_and_the_next_agent_goes_on() {
    let Some(shop) = shop() else { return };
    let agent = shop.agent().start(shop.lab.node()).expect("a ready agent");
    let follower = tail(&shop, &agent, &["-f"]);
    agent.await_metric("observer_streams", 1.0).expect("it follows");
    shop.dial(8080);
    await_outcome(&follower, "connected");
    agent.process().signal(Signal::SIGTERM).expect("a signal");
    agent.await_log("stopping").expect("its last word");
    let agent = shop.agent().restart(agent).expect("another at the same place");
    // Whoever followed comes back by itself.
    agent.await_metric("observer_streams", 1.0).expect("it follows again");
    shop.dial(8081);
    await_outcome(&follower, "refused");
    assert_eq!(follower.interrupt().expect("an end").code(), 0);
    assert_eq!(agent.interrupt().expect("an end").code(), 0);
}

#[test]
fn only_attempts_of_the_named_namespaces_are_shown() {
    let Some(mut shop) = shop() else { return };
    shop.lab.add_pod(observer_tests::lab::pod("blog/web")).expect("a pod");
    let agent = shop
        .agent()
        .args(["--restrict-namespaces", "blog"])
        .start(shop.lab.node())
        .expect("a ready agent");
    let follower = tail(&shop, &agent, &["-f"]);
    agent.await_metric("observer_streams", 1.0).expect("it follows");
    shop.dial(8081);
    let to = shop.lab.pod("shop/api").at(observer_tests::lab::Family::V4, 8081);
    let web = shop.lab.pod("blog/web").netns();
    observer_tests::lab::dial(web, to, std::time::Duration::from_millis(500));
    let record = await_outcome(&follower, "refused");
    assert_eq!(record["source"]["namespace"], "blog", "the first that it hears of");
    // Metrics tell of all.
    agent
        .await_metric(&super::attempts("egress", "refused", "app-not-listening"), 1.0)
        .expect("counted");
}
