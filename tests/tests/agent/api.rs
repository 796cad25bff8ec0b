//! Objects from the Kubernetes API: before it answers, while it is away, and after.

use observer_tests::fake_api::FakeApi;
use observer_tests::lab::{AgentCommand, agent};

use super::{DENY, Shop, attempts, shop};

/// The lab's objects, served inside the node's namespace.
pub(super) fn api(shop: &Shop) -> FakeApi {
    let api = shop.lab.node().enter(|| FakeApi::start("")).expect("an API server");
    for file in std::fs::read_dir(shop.lab.manifests().path()).expect("the lab's manifests") {
        let text = std::fs::read_to_string(file.expect("a file").path()).expect("a manifest");
        api.apply(&text).expect("objects");
    }
    api
}

/// An agent of that cluster.
pub(super) fn agent_of(api: &FakeApi) -> AgentCommand {
    agent().arg("--kubeconfig").arg(api.kubeconfig())
}

#[test]
fn it_is_not_ready_before_it_knows_the_cluster_and_judges_nothing() {
    let Some(shop) = shop() else { return };
    let api = api(&shop);
    api.away();
    let agent = agent_of(&api).spawn(shop.lab.node()).expect("an agent");
    agent
        .await_answer("/readyz", |status, why| {
            status == 503 && !why.contains("attached") && why.contains("objects")
        })
        .expect("attached, and not ready");
    assert_eq!(agent.get("/livez").expect("an answer").0, 200);
    agent
        .await_metric("observer_api_synced", 0.0)
        .expect("the metric says so too");
    shop.dial(8081);
    let unknown =
        r#"observer_attempts_total{direction="egress",namespace="_unknown",outcome="refused",cause="undecidable"}"#;
    agent.await_metric(unknown, 1.0).expect("seen, and not judged");
    shop.lab.node().enter(|| api.back()).expect("the same address");
    agent.await_answer("/readyz", |status, _| status == 200).expect("ready");
    agent
        .await_metric("observer_api_synced", 1.0)
        .expect("the metric says so too");
    shop.dial(8081);
    agent
        .await_metric(&attempts("egress", "refused", "app-not-listening"), 1.0)
        .expect("judged");
    assert_eq!(agent.interrupt().expect("an end").code(), 0);
}

#[test]
fn while_the_api_is_away_it_goes_on_and_then_catches_up() {
    let Some(shop) = shop() else { return };
    let api = api(&shop);
    let agent = agent_of(&api).start(shop.lab.node()).expect("a ready agent");
    agent
        .await_metric(r#"observer_objects{kind="Pod"}"#, 2.0)
        .expect("both pods");
    api.away();
    agent.await_log("nothing was heard of").expect("it says so");
    agent
        .await_answer("/metrics", |_, text| {
            let age = text
                .lines()
                .find_map(|line| line.strip_prefix("observer_api_view_age_seconds "));
            age.and_then(|age| age.parse::<f64>().ok()).is_some_and(|age| age > 5.0)
        })
        .expect("its view grows old");
    assert_eq!(
        agent.get("/readyz").expect("an answer").0,
        200,
        "what it knows is still good"
    );
    shop.dial(8080);
    agent
        .await_metric(&attempts("egress", "connected", "none"), 1.0)
        .expect("it goes on");
    // Changed behind its back.
    api.apply(DENY).expect("a policy");
    shop.lab.node().enter(|| api.back()).expect("the same address");
    agent
        .await_metric(r#"observer_policies{namespace="shop"}"#, 1.0)
        .expect("it catches up");
    agent
        .await_answer("/metrics", |_, text| {
            let age = text
                .lines()
                .find_map(|line| line.strip_prefix("observer_api_view_age_seconds "));
            age.and_then(|age| age.parse::<f64>().ok()).is_some_and(|age| age < 5.0)
        })
        .expect("its view is new");
}
