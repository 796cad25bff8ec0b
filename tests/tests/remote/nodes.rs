//! Two nodes as network namespaces, each with its agent: a failure between them is told once, as both together know it.

use std::path::PathBuf;
use std::time::Duration;

use observer_tests::agents;
use observer_tests::fake_api::{FakeApi, Target};
use observer_tests::lab::{
    Agent, Chain, Dial, Family, Lab, Listener, Observer, Tail, Topology, agent, dial, kernel_tests, pod,
};
use serde_json::Value;
use tempfile::TempDir;

use super::{SOON, states};

/// Denies port 8443 of `shop/api`.
const POLICY: &str = "
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { namespace: shop, name: api }
spec:
  podSelector: { matchLabels: { app: api } }
  policyTypes: [Ingress]
  ingress: [{ ports: [{ port: 8080 }, { port: 8081 }, { port: 9090 }] }]
";

/// The pod `shop/cart` on one node, `shop/api` on the other.
struct Nodes {
    near: Lab,
    far: Lab,
    /// Where the agents listen.
    sockets: TempDir,
}

impl Nodes {
    /// `None` where kernel tests cannot run.
    fn new() -> Option<Self> {
        kernel_tests().ok()?;
        let mut near = Lab::new(Topology::Routed).expect("a node");
        let mut far = near.another_node().expect("another node");
        near.add_pod(pod("shop/cart").label("app", "cart")).expect("a pod");
        far.add_pod(pod("shop/api").label("app", "api")).expect("a pod");
        near.manifests().write("policy.yaml", POLICY).expect("a policy");
        let sockets = TempDir::new().expect("a folder");
        Some(Self { near, far, sockets })
    }

    fn socket(&self, node: &str) -> PathBuf {
        self.sockets.path().join(node)
    }

    fn agent<'lab>(&self, lab: &'lab Lab, node: &str) -> Agent<'lab> {
        let listen = format!("unix:{}", self.socket(node).display());
        agent()
            .arg("--manifests")
            .arg(self.near.manifests().path())
            .args(["--node-name", node, "--listen", &listen])
            .start(lab.node())
            .expect("a ready agent")
    }

    /// A cluster whose agents are these.
    fn cluster(&self) -> FakeApi {
        let agents = [Lab::NODE, Lab::OTHER_NODE].map(|node| (node, Some(Target::Unix(self.socket(node)))));
        agents::cluster(agents).expect("a cluster")
    }

    /// `shop/cart` dials a port of `shop/api`.
    fn dial(&self, port: u16, patience: Duration) -> Dial {
        let to = self.far.pod("shop/api").at(Family::V4, port);
        dial(self.near.pod("shop/cart").netns(), to, patience)
    }
}

fn tail(start: Tail, api: &FakeApi) -> Observer {
    let tail = start.arg("--kubeconfig").arg(api.kubeconfig());
    tail.spawn_here().expect("a tail")
}

/// Waits until this is said of the dial to a port: outcome, reach, cause and confidence. On a machine that is busy enough a correction may
/// say it.
#[track_caller]
fn says(tail: &Observer, port: u16, expect: [&str; 4]) -> Value {
    let fields = ["outcome", "reach", "cause", "confidence"];
    let last_word = |record: &Value| record["final"] == true || record["type"] == "revision";
    let wanted = |record: &Value| fields.map(|field| record[field].as_str().unwrap_or_default()) == expect;
    let record = tail
        .await_record(SOON, |record| {
            record["destination"]["port"] == port && last_word(record) && wanted(record)
        })
        .expect("the attempt");
    assert_eq!(
        (&record["node"], &record["source_observed"]),
        (&Lab::NODE.into(), &true.into()),
        "{record:#}"
    );
    let mut facts = record["evidence"].as_array().into_iter().flatten();
    assert!(facts.any(|fact| fact["kind"] == "other-node"), "{record:#}");
    record
}

#[test]
fn a_failure_between_two_nodes_is_told_as_both_together_know_it() {
    let Some(nodes) = Nodes::new() else { return };
    let api = nodes.far.pod("shop/api").netns();
    let _full = Listener::full(api, 8080).expect("a listener");
    let _lost = Listener::holding(api, 8081).expect("a listener");
    nodes.near.rule(Chain::Firewall, "tcp sport 8081 drop").expect("a rule");
    nodes.far.rule(Chain::Enforce, "tcp dport 8443 drop").expect("a rule");
    let _agents = [(&nodes.near, Lab::NODE), (&nodes.far, Lab::OTHER_NODE)].map(|(lab, node)| nodes.agent(lab, node));
    let api = nodes.cluster();
    let (json, text) = (tail(Tail::json(), &api), tail(Tail::text(), &api));
    states(&json, &[Lab::NODE, Lab::OTHER_NODE], &[]);
    text.await_output(SOON, |_, _, errors| {
        errors.iter().any(|line| line.contains("2 of 2")).then_some(())
    })
    .expect("both are seen");

    let long = Duration::from_secs(6);
    nodes.dial(9090, long);
    let refused = says(&json, 9090, ["refused", "delivered", "app-not-listening", "confirmed"]);
    assert_eq!(refused["origin"], "destination-pod");
    nodes.dial(8080, long);
    says(&json, 8080, ["timeout", "delivered", "accept-queue-full", "confirmed"]);
    nodes.dial(8081, long);
    says(&json, 8081, ["timeout", "delivered", "answer-lost", "possible"]);
    // The node of the destination drops it before it reaches the pod.
    nodes.dial(8443, long);
    let denied = says(&json, 8443, ["timeout", "left-source", "policy-ingress", "confirmed"]);
    assert_eq!(denied["drop"]["reason"], "NETFILTER_DROP");

    // The agents know less, each for itself: what was asked for holds of what is told.
    let past = tail(Tail::json().args(["--last", "1", "--cause", "app-not-listening"]), &api);
    let ended = past.finish(SOON).expect("an end by itself");
    let told: Vec<_> = ended
        .records
        .iter()
        .filter(|record| record["type"] == "attempt")
        .collect();
    assert_eq!(told, [&refused], "{:?}", ended.errors);

    let ended = text.interrupt().expect("an end");
    let entries = |word: &str| ended.lines.iter().filter(|line| line.contains(word)).count();
    assert_eq!(entries("shop/cart → shop/api"), 4, "{:#?}", ended.lines);
    assert_eq!(
        entries("app-not-listening, confirmed: pod shop/api itself refused it"),
        1,
        "{:#?}",
        ended.lines
    );
    assert_eq!(json.interrupt().expect("an end").code(), 0);
}
