//! No agents, no way to them, and no right.

use observer_tests::agents::Agents;
use observer_tests::fake_api::{FakeApi, Fault};
use observer_tests::lab::Tail;

use super::SOON;

/// The tail ends with status 1 and says this.
#[track_caller]
fn fails(api: &FakeApi, args: &[&str], says: &[&str]) {
    let start = Tail::text().arg("--kubeconfig").arg(api.kubeconfig());
    let tail = args.iter().fold(start, |tail, arg| tail.arg(*arg));
    let ended = tail
        .spawn_here()
        .expect("a tail")
        .finish(SOON)
        .expect("an end by itself");
    let errors = ended.errors.join("\n");
    assert_eq!(ended.code(), 1, "{errors}");
    for word in says {
        assert!(errors.contains(word), "no {word} in {errors}");
    }
}

#[test]
fn without_agents_it_says_where_they_are_or_how_to_install_them() {
    let none = FakeApi::start("").expect("an API server");
    fails(
        &none,
        &[],
        &["no agents in namespace observer", "deploy/README.md", "--local"],
    );
    let agents = Agents::start(["a"]).expect("agents");
    let api = agents.cluster(&[]).expect("a cluster");
    fails(
        &api,
        &["--agent-namespace", "kube-system"],
        &["no agents in namespace kube-system", "there are some in observer"],
    );
}

#[test]
fn a_missing_right_is_named() {
    let agents = Agents::start(["a"]).expect("agents");
    let api = agents.cluster(&[]).expect("a cluster");
    api.fault("pods/portforward", Fault::Forbidden);
    fails(&api, &[], &["node a", "403", "pods/portforward", "namespace observer"]);
    api.heal("*");
    api.fault("pods", Fault::Forbidden);
    fails(&api, &[], &["list and watch on pods in namespace observer"]);
}

#[test]
fn an_agent_that_does_not_listen_is_named_with_what_the_api_server_said() {
    let agents = Agents::start(["a", "b"]).expect("agents");
    let api = agents.cluster(&[]).expect("a cluster");
    agents.away("a");
    // What the other one told is shown; that it is not all is said.
    fails(
        &api,
        &["--last", "5"],
        &[
            "what is shown is not all",
            "node a",
            "failed to connect to localhost:4245",
        ],
    );
    agents.away("b");
    fails(
        &api,
        &[],
        &["no agent can be reached", "not seen: it cannot be reached"],
    );
}

#[test]
fn nodes_that_may_not_be_listed_are_no_hindrance() {
    let agents = Agents::start(["a"]).expect("agents");
    let api = agents.cluster(&["b"]).expect("a cluster");
    api.fault("nodes", Fault::Forbidden);
    let tail = Tail::json()
        .arg("--kubeconfig")
        .arg(api.kubeconfig())
        .spawn_here()
        .expect("a tail");
    super::states(&tail, &["a"], &[]);
    let warned = tail.records().into_iter().any(|record| {
        record["event"] == "warning"
            && record["text"]
                .as_str()
                .is_some_and(|text| text.contains("nodes may not be listed"))
    });
    assert!(warned, "{:?}", tail.records());
}
