//! Not a policy's doing: routes, neighbours, firewalls, hosts that are not ours (rows 5, 8, 14).

use nix::errno::Errno;
use observer_tests::lab::{Chain, Family, pod};
use observer_tests::scenario::{Scenario, dial};
use serde_json::json;

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        dead_neighbour(),
        no_route(),
        reverse_path(),
        firewall(),
        inside_the_pod(),
        external_refusal(),
        node_refusal(),
    ]
}

fn dead_neighbour() -> Scenario {
    Scenario::new("dead")
        .pod(pod("dead/cart"))
        .pod(pod("dead/api").dead())
        .dial(
            dial("dead/cart", "{dead/api}", 8080)
                .reads(Errno::EHOSTUNREACH)
                .says(json!({
                    "outcome": "unreachable", "origin": "node", "verdict": { "decision": "allowed" },
                    "cause": "blocked-not-by-policy", "reasons": { "$text": "eighbour" },
                })),
        )
}

fn no_route() -> Scenario {
    Scenario::new("no-route")
        .only(&[Family::V4])
        .pod(pod("no-route/cart"))
        .then(|lab, _| {
            lab.node().ip("route add unreachable 198.51.100.1\nroute add blackhole 198.51.100.2\n")
        })
        .dial(dial("no-route/cart", "198.51.100.1", 80).reads(Errno::EHOSTUNREACH).says(json!({
            "outcome": "unreachable", "origin": "node", "destination": { "kind": "external" }, "cause": "blocked-not-by-policy",
        })))
        .dial(dial("no-route/cart", "198.51.100.2", 80).reads(Errno::ETIMEDOUT).says(json!({
            "outcome": "timeout", "drop": { "reason": { "$not": null } }, "cause": "blocked-not-by-policy",
        })))
}

fn reverse_path() -> Scenario {
    Scenario::new("reverse-path")
        .only(&[Family::V4])
        .pod(pod("reverse-path/cart"))
        .pod(pod("reverse-path/api"))
        .listens("reverse-path/api", 8080)
        // Before: afterwards the client's neighbour request for its gateway would be filtered, and no SYN would be sent.
        .dial(dial("reverse-path/cart", "{reverse-path/api}", 8080).says(json!({ "outcome": "connected" })))
        .then(|lab, family| {
            let (cart, api) = (lab.pod("reverse-path/cart"), lab.pod("reverse-path/api"));
            // A policy route leads back to the client elsewhere; its own host route stays, so it is bound to its veth.
            lab.node()
                .sysctl(&[(&format!("ipv4/conf/{}/rp_filter", cart.link()), "1")])?;
            lab.node().ip(&format!(
                "route add {0}/32 dev {1} table 77\nrule add to {0}/32 table 77 priority 77\n",
                cart.ip(family),
                api.link()
            ))
        })
        .dial(
            dial("reverse-path/cart", "{reverse-path/api}", 8080)
                .reads(Errno::ETIMEDOUT)
                .says(json!({
                    "outcome": "timeout", "reach": "left-source", "verdict": { "decision": "allowed" },
                    "drop": { "reason": "IP_RPFILTER" }, "cause": "blocked-not-by-policy",
                })),
        )
}

fn firewall() -> Scenario {
    Scenario::new("firewall")
        .pod(pod("firewall/cart"))
        .pod(pod("firewall/api"))
        .rule(Chain::Firewall, "{ip} daddr {firewall/api} drop")
        .listens("firewall/api", 8080)
        .dial(
            dial("firewall/cart", "{firewall/api}", 8080)
                .reads(Errno::ETIMEDOUT)
                .says(json!({
                    "outcome": "timeout", "reach": "left-source", "verdict": { "decision": "allowed" },
                    "drop": { "reason": "NETFILTER_DROP" },
                    "cause": "blocked-not-by-policy", "confidence": { "$in": ["confirmed", "probable"] },
                })),
        )
}

/// The client's own rules: nothing ever leaves the pod.
fn inside_the_pod() -> Scenario {
    Scenario::new("own-rules")
        .pod(pod("own-rules/cart"))
        .pod(pod("own-rules/api"))
        .pod_rule("own-rules/cart", "output", "{ip} daddr {own-rules/api} drop")
        .dial(
            dial("own-rules/cart", "{own-rules/api}", 8080)
                .reads(Errno::ETIMEDOUT)
                .says(json!({
                    "outcome": "unreachable", "reach": "not-sent", "drop": { "reason": "NETFILTER_DROP" },
                    "cause": "blocked-not-by-policy",
                })),
        )
}

fn external_refusal() -> Scenario {
    Scenario::new("external").pod(pod("external/cart")).dial(
        dial("external/cart", "{external}", 8443)
            .reads(Errno::ECONNREFUSED)
            .says(json!({
                "outcome": "refused", "origin": "unknown", "reach": { "$in": ["left-source", "unknown"] },
                "destination": { "kind": "external", "ip": "{external}" },
                "cause": "refused-by-unknown", "confidence": "possible",
            })),
    )
}

fn node_refusal() -> Scenario {
    Scenario::new("node")
        .pod(pod("node/cart"))
        .dial(
            dial("node/cart", "{node}", 8443)
                .reads(Errno::ECONNREFUSED)
                .says(json!({
                    "outcome": "refused", "origin": "node", "destination": { "kind": "node", "name": "worker-1" },
                    "drop": { "reason": "NO_SOCKET" }, "cause": "app-not-listening",
                })),
        )
}
