//! Pods on a bridge: a dead address never reaches the veth, and enforcement happens at layer 2.
//!
//! IPv6 gives no reason for the dead address (6.18: NOT_SPECIFIED in neigh_invalidate), IPv4 does (NEIGH_FAILED).

use nix::errno::Errno;
use observer_tests::lab::pod;
use observer_tests::scenario::{From, Scenario, dial};
use serde_json::json;

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new("bridge")
            .pod(pod("bridge/cart"))
            .pod(pod("bridge/api"))
            .listens("bridge/api", 8080)
            .dial(dial("bridge/cart", "{bridge/api}", 8080).says(json!({
                "outcome": "connected", "reach": "delivered", "cause": null, "source": { "name": "cart" },
            })))
            .dial(
                dial("bridge/cart", "{bridge/api}", 8081)
                    .reads(Errno::ECONNREFUSED)
                    .says(json!({
                        "outcome": "refused", "origin": "destination-pod", "cause": "app-not-listening",
                    })),
            )
            // The bridge carries the gateway's address: the node, by another name than its InternalIP.
            .dial(dial("", "{bridge/api}", 8080).by(From::Node).says(json!({
                "outcome": "connected", "source": { "kind": "node" }, "cause": null,
            }))),
        Scenario::new("bridge-dead")
            .pod(pod("bridge-dead/cart"))
            .pod(pod("bridge-dead/api").dead())
            .dial(
                dial("bridge-dead/cart", "{bridge-dead/api}", 8080)
                    .reads(Errno::EHOSTUNREACH)
                    .says(json!({
                        "outcome": "unreachable", "reach": "not-sent", "drop": { "$in": [{ "reason": "NEIGH_FAILED" }, { "function": "neigh_invalidate" }] },
                        "cause": "blocked-not-by-policy",
                    })),
            ),
        Scenario::new("bridge-denied")
            .pod(pod("bridge-denied/cart").label("app", "cart"))
            .pod(pod("bridge-denied/api").label("app", "api"))
            .policy(
                "
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { namespace: bridge-denied, name: deny-api }
spec: { podSelector: { matchLabels: { app: api } }, policyTypes: [Ingress] }
",
            )
            .listens("bridge-denied/api", 8080)
            .then(|lab, family| {
                let rule = observer_tests::scenario::fill(
                    "add table bridge lab\n\
                     add chain bridge lab enforce { type filter hook forward priority 0; }\n\
                     add rule bridge lab enforce {ip} saddr {bridge-denied/cart} tcp dport 8080 drop\n",
                    lab,
                    family,
                );
                lab.node().nft(&rule).map(drop)
            })
            .dial(
                dial("bridge-denied/cart", "{bridge-denied/api}", 8080)
                    .reads(Errno::ETIMEDOUT)
                    .says(json!({
                        "outcome": "timeout", "reach": "left-source", "verdict": { "decision": "denied" },
                        "cause": "policy-ingress", "confidence": { "$in": ["confirmed", "probable"] },
                    })),
            ),
    ]
}
