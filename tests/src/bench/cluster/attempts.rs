//! Attempts with as much to say of each as policies give: denied both ways by several policies with several rules, by way of a Service,
//! and dropped by a rule of the node.

use std::thread;
use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};

use crate::lab::{Chain, Family, Lab, PodSpec, Topology, dial, pod, service};

/// Pods that dial. The table of handshakes has a share for each.
const CLIENTS: usize = 4;
/// What they dial.
const SERVER: &str = "payments/ledger-api-6c5d4b7f9d-9wq7z";
const PORT: u16 = 8443;
/// Policies that isolate one of the pods in one direction, each of two rules.
const POLICIES: usize = 3;

/// A node with the pods, the Service, the policies, and the rule that enforces them.
pub(super) fn lab() -> Result<Lab> {
    let mut lab = Lab::new(Topology::Routed)?;
    for client in 0..CLIENTS {
        lab.add_pod(described(&client_name(client), "checkout"))?;
    }
    lab.add_pod(described(SERVER, "ledger-api"))?;
    lab.add_service(service("payments/ledger-api", 443, PORT).ready(SERVER))?;
    for number in 0..POLICIES {
        lab.manifests()
            .write_object(&policy("shop", "Egress", "checkout", number))?;
        lab.manifests()
            .write_object(&policy("payments", "Ingress", "ledger-api", number))?;
    }
    lab.rule(Chain::Enforce, &format!("tcp dport {PORT} drop"))?;
    Ok(lab)
}

/// Dials so often, some hundred times a second; nobody waits for an answer that will not come.
pub(super) fn dial_in_vain(lab: &Lab, attempts: usize) {
    // Refused: so it is known that packets are seen at that interface.
    let closed = lab.pod(SERVER).at(Family::V4, PORT + 1);
    dial(lab.pod(&client_name(0)).netns(), closed, Duration::from_secs(1));
    let to = lab.service("payments/ledger-api").at(Family::V4);
    thread::scope(|scope| {
        for client in 0..CLIENTS {
            let from = lab.pod(&client_name(client)).netns();
            scope.spawn(move || {
                for _ in 0..attempts.div_ceil(CLIENTS) {
                    dial(from, to, Duration::from_millis(10));
                }
            });
        }
    });
}

fn client_name(client: usize) -> String {
    format!("shop/checkout-7d9f5c6b8-x2x4{client}")
}

fn described(name: &str, app: &str) -> PodSpec {
    pod(name)
        .label("app", app)
        .label("app.kubernetes.io/name", app)
        .label("app.kubernetes.io/instance", "production")
        .label("app.kubernetes.io/part-of", "web-shop")
        .label("pod-template-hash", "7d9f5c6b8")
        .owner("ReplicaSet", &format!("{app}-7d9f5c6b8"))
}

/// Allows another application and another port.
fn policy(namespace: &str, direction: &str, app: &str, number: usize) -> Value {
    let (rules, peers) = if direction == "Egress" {
        ("egress", "to")
    } else {
        ("ingress", "from")
    };
    let allowed: Vec<Value> = (0..2)
        .map(|rule| {
            json!({
                peers: [{
                    "namespaceSelector": { "matchLabels": { "kubernetes.io/metadata.name": format!("backend-{rule}") } },
                    "podSelector": { "matchLabels": { "app.kubernetes.io/name": format!("{app}-gateway-{number}") } },
                }],
                "ports": [{ "port": 9090 + rule, "protocol": "TCP" }],
            })
        })
        .collect();
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": { "namespace": namespace, "name": format!("{app}-allow-gateway-{number}") },
        "spec": {
            "podSelector": { "matchLabels": { "app.kubernetes.io/name": app } },
            "policyTypes": [direction], rules: allowed,
        },
    })
}
