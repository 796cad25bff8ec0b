//! Delivered, and nothing came back, or it came back and was lost (rows 9 to 13).

use nix::errno::Errno;
use observer_tests::lab::{Chain, Family, pod};
use observer_tests::scenario::{Listening, Scenario, dial};
use serde_json::json;

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        behind_our_hook(),
        denied(),
        hanging(),
        hanging_after_success(),
        no_way_back(),
        lost_answer(),
    ]
}

/// A CNI that enforces inside the pod's namespace, behind the hook.
fn behind_our_hook() -> Scenario {
    Scenario::new("behind")
        .pod(pod("behind/cart"))
        .pod(pod("behind/api"))
        .policy(
            "
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { namespace: behind, name: deny-ingress }
spec: { podSelector: {}, policyTypes: [Ingress] }
",
        )
        .pod_rule("behind/api", "input", "{ip} saddr {behind/cart} drop")
        .listens("behind/api", 8080)
        .dial(
            dial("behind/cart", "{behind/api}", 8080)
                .reads(Errno::ETIMEDOUT)
                .says(json!({
                        "outcome": "timeout", "reach": "delivered", "verdict": { "decision": "denied" },
                        "drop": { "reason": "NETFILTER_DROP" }, "cause": "policy-ingress",
                "confidence": { "$in": ["possible", "probable"] },
                    })),
        )
}

/// Delivered although denied, and silent: an application that hangs looks the same as a policy behind our back.
fn denied() -> Scenario {
    Scenario::new("denied-silent")
        .pod(pod("denied-silent/cart"))
        .pod(pod("denied-silent/api"))
        .policy(
            "
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { namespace: denied-silent, name: deny-ingress }
spec: { podSelector: {}, policyTypes: [Ingress] }
",
        )
        .listens_as("denied-silent/api", 8080, Listening::Full)
        .dial(
            dial("denied-silent/cart", "{denied-silent/api}", 8080)
                .reads(Errno::ETIMEDOUT)
                .says(json!({
                    "outcome": "timeout", "reach": "delivered", "cause": "undecidable", "confidence": "undecidable",
                })),
        )
}

/// Nobody saw the listener work, so only its state inside the pod can tell.
fn hanging() -> Scenario {
    Scenario::new("hanging")
        .pod(pod("hanging/cart"))
        .pod(pod("hanging/api"))
        .listens_as("hanging/api", 8080, Listening::Full)
        .dial(
            dial("hanging/cart", "{hanging/api}", 8080)
                .reads(Errno::ETIMEDOUT)
                .says(json!({
                    "outcome": "timeout", "reach": "delivered", "verdict": { "decision": "allowed" }, "drop": null,
                    "cause": { "$in": ["accept-queue-full", "unanswered"] },
                })),
        )
}

/// It answered once and then no more.
fn hanging_after_success() -> Scenario {
    Scenario::new("queue")
        .only(&[Family::V4])
        .pod(pod("queue/cart"))
        .pod(pod("queue/api"))
        .listens_as("queue/api", 8080, Listening::FullAfterOne)
        .dial(dial("queue/cart", "{queue/api}", 8080).says(json!({ "outcome": "connected", "cause": null })))
        .dial(
            dial("queue/cart", "{queue/api}", 8080)
                .reads(Errno::ETIMEDOUT)
                .says(json!({
                    "outcome": "timeout", "reach": "delivered", "cause": "accept-queue-full",
                    "confidence": { "$in": ["confirmed", "probable"] },
                })),
        )
}

/// The server has no way back to the client: delivered, and no answer ever leaves.
fn no_way_back() -> Scenario {
    Scenario::new("no-way-back")
        .pod(pod("no-way-back/cart"))
        .pod(pod("no-way-back/api"))
        .listens("no-way-back/api", 8080)
        .then(|lab, family| {
            let (cart, prefix) = (lab.pod("no-way-back/cart").ip(family), family.host_prefix());
            lab.pod("no-way-back/api")
                .netns()
                .ip(&format!("route add blackhole {cart}/{prefix}\n"))
        })
        .dial(
            dial("no-way-back/cart", "{no-way-back/api}", 8080)
                .reads(Errno::ETIMEDOUT)
                .says(json!({
                    "outcome": "timeout", "reach": "delivered", "cause": "unanswered",
                })),
        )
}

fn lost_answer() -> Scenario {
    Scenario::new("lost-answer")
        .pod(pod("lost-answer/cart"))
        .pod(pod("lost-answer/api"))
        .rule(Chain::Enforce, "{ip} saddr {lost-answer/api} tcp flags & (syn | ack) == (syn | ack) drop")
        .listens("lost-answer/api", 8080)
        .dial(dial("lost-answer/cart", "{lost-answer/api}", 8080).reads(Errno::ETIMEDOUT).says(json!({
            "outcome": "half-open", "reach": "delivered", "verdict": { "decision": "allowed" }, "cause": "answer-lost",
        })))
}
