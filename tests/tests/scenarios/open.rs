//! Connected or answered: allowed, or denied and not enforced (rows 1 to 3).

use nix::errno::Errno;
use observer_tests::lab::pod;
use observer_tests::scenario::{From, Scenario, dial};
use serde_json::json;

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new("no-policies")
            .pod(pod("no-policies/cart").owner("ReplicaSet", "cart-5d"))
            .pod(pod("no-policies/api-7c9-x2x").owner("ReplicaSet", "api-7c9"))
            .listens("no-policies/api-7c9-x2x", 8080)
            .dial(dial("no-policies/cart", "{no-policies/api-7c9-x2x}", 8080).says(json!({
                "schema": 1, "type": "attempt", "final": true, "node": "worker-1",
                "outcome": "connected", "reach": "delivered", "syns": 1, "handshake_us": { "$not": null },
                "source": { "kind": "pod", "namespace": "no-policies", "name": "cart", "ip": "{no-policies/cart}" },
                "destination": {
                    "kind": "pod", "namespace": "no-policies", "name": "api-7c9-x2x", "ip": "{no-policies/api-7c9-x2x}",
                    "port": 8080, "workload": { "$text": "api" },
                },
                "verdict": {
                    "decision": "allowed",
                    "egress": { "decision": "not-isolated" }, "ingress": { "decision": "not-isolated" },
                },
                "cause": null, "confidence": null,
            })))
            // The kubelet's probes come from the node.
            .dial(dial("", "{no-policies/api-7c9-x2x}", 8080).by(From::Node).says(json!({
                "outcome": "connected", "source": { "kind": "node" }, "destination": { "kind": "pod", "name": "api-7c9-x2x" },
                "verdict": { "decision": "allowed" }, "cause": null,
            }))),
        Scenario::new("allowed")
            .pod(pod("allowed/cart").label("app", "cart"))
            .pod(pod("allowed/api").label("app", "api").port("http", 8080))
            .policy(
                "
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { namespace: allowed, name: api-from-cart }
spec:
  podSelector: { matchLabels: { app: api } }
  policyTypes: [Ingress]
  ingress:
    - from: [{ podSelector: { matchLabels: { app: other } } }]
    - from: [{ podSelector: { matchLabels: { app: cart } } }]
      ports: [{ port: http }]
",
            )
            .listens("allowed/api", 8080)
            .dial(dial("allowed/cart", "{allowed/api}", 8080).says(json!({
                "outcome": "connected",
                "verdict": {
                    "decision": "allowed",
                    "egress": { "decision": "not-isolated" },
                    "ingress": {
                        "decision": "allowed", "policies": [{ "$text": "api-from-cart" }],
                        "rule": { "policy": { "$text": "api-from-cart" }, "number": 2 },
                    },
                },
                "cause": null, "confidence": null,
            })))
            // Between a pod and its own node the policies allow everything.
            .dial(dial("", "{allowed/api}", 8080).by(From::Node).says(json!({
                "outcome": "connected", "source": { "kind": "node" }, "verdict": { "decision": "allowed" }, "cause": null,
            }))),
        Scenario::new("not-enforced")
            .pod(pod("not-enforced/cart").label("app", "cart"))
            .pod(pod("not-enforced/api").label("app", "api"))
            .policy(
                "
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { namespace: not-enforced, name: deny-api }
spec: { podSelector: { matchLabels: { app: api } }, policyTypes: [Ingress] }
",
            )
            .listens("not-enforced/api", 8080)
            .dial(not_enforced("connected", "possible"))
            .dial(not_enforced("connected", "possible"))
            // From the third attempt on one edge.
            .dial(not_enforced("connected", "probable"))
            // A RST that left the destination proves delivery as well as an acceptance does.
            .dial(
                dial("not-enforced/cart", "{not-enforced/api}", 8081).reads(Errno::ECONNREFUSED).says(json!({
                    "outcome": "refused", "origin": "destination-pod", "verdict": { "decision": "denied" },
                    "cause": "not-enforced",
                })),
            )
            .dial(dial("", "{not-enforced/api}", 8080).by(From::Outside).says(json!({
                "outcome": "connected", "source": { "kind": "external" }, "verdict": { "decision": "denied" },
                "cause": "not-enforced", "confidence": "possible",
            }))),
        Scenario::new("closed-port")
            .pod(pod("closed-port/cart"))
            .pod(pod("closed-port/api"))
            .dial(dial("closed-port/cart", "{closed-port/api}", 8080).reads(Errno::ECONNREFUSED).says(json!({
                "outcome": "refused", "origin": "destination-pod", "reach": "delivered", "syns": 1,
                "verdict": { "decision": "allowed" }, "cause": "app-not-listening",
                "confidence": { "$in": ["confirmed", "probable"] }, "drop": { "reason": "NO_SOCKET" },
            }))),
    ]
}

fn not_enforced(outcome: &str, confidence: &str) -> observer_tests::scenario::Dialling {
    dial("not-enforced/cart", "{not-enforced/api}", 8080).says(json!({
        "outcome": outcome,
        "verdict": { "decision": "denied", "ingress": { "decision": "denied", "policies": [{ "$text": "deny-api" }] } },
        "cause": "not-enforced", "confidence": confidence,
    }))
}
