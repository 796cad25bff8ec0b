//! Answered by a filter in the path: a policy that rejects (row 6), a firewall that does (row 8).

use nix::errno::Errno;
use observer_tests::lab::{Chain, Family, pod, service};
use observer_tests::scenario::{Scenario, dial};
use serde_json::json;

const DENY: &str = "
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { namespace: reject, name: deny-api }
spec: { podSelector: { matchLabels: { app: api } }, policyTypes: [Ingress] }
";

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        by_policy(),
        by_policy_behind_a_service(),
        prohibited(),
        by_firewall(),
        rate_limited(),
    ]
}

fn by_policy() -> Scenario {
    let rejected = |port| {
        dial("reject/cart", "{reject/api}", port).reads(Errno::ECONNREFUSED).says(json!({
            "outcome": "rejected", "origin": "path", "reach": "left-source",
            "verdict": { "decision": "denied", "ingress": { "decision": "denied", "policies": [{ "$text": "deny-api" }] } },
            "cause": "policy-rejected", "confidence": { "$in": ["confirmed", "probable"] },
        }))
    };
    Scenario::new("reject")
        .pod(pod("reject/cart").label("app", "cart"))
        .pod(pod("reject/api").label("app", "api"))
        .policy(DENY)
        .rule(
            Chain::Enforce,
            "{ip} daddr {reject/api} tcp dport 8080 reject with icmpx port-unreachable",
        )
        .rule(
            Chain::Enforce,
            "{ip} daddr {reject/api} tcp dport 8081 reject with tcp reset",
        )
        .listens("reject/api", 8080)
        .listens("reject/api", 8081)
        .dial(rejected(8080))
        .dial(rejected(8081))
}

/// As kube-router does: the ICMP error is translated back, and seems to come from the Service.
fn by_policy_behind_a_service() -> Scenario {
    Scenario::new("reject-service")
        .pod(pod("reject-service/cart"))
        .pod(pod("reject-service/api"))
        .service(service("reject-service/api", 80, 8080).ready("reject-service/api"))
        .policy(
            "
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { namespace: reject-service, name: deny-ingress }
spec: { podSelector: {}, policyTypes: [Ingress] }
",
        )
        .rule(
            Chain::Enforce,
            "{ip} daddr {reject-service/api} tcp dport 8080 reject with icmpx port-unreachable",
        )
        .listens("reject-service/api", 8080)
        .dial(
            dial("reject-service/cart", "{svc reject-service/api}", 80)
                .reads(Errno::ECONNREFUSED)
                .says(json!({
                    "outcome": "rejected", "origin": "path", "reach": "left-source",
                    "destination": {
                        "ip": "{svc reject-service/api}", "name": "api", "service": { "name": "api", "port": 80 },
                        "backend": { "ip": "{reject-service/api}", "port": 8080 },
                    },
                    "cause": "policy-rejected",
                })),
        )
}

fn prohibited() -> Scenario {
    Scenario::new("prohibited")
        .pod(pod("prohibited/cart"))
        .pod(pod("prohibited/api"))
        .policy(
            "
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { namespace: prohibited, name: none }
spec: { podSelector: {}, policyTypes: [Ingress] }
",
        )
        .rule(
            Chain::Enforce,
            "{ip} daddr {prohibited/api} reject with icmpx admin-prohibited",
        )
        .listens("prohibited/api", 8080)
        .dial(
            dial("prohibited/cart", "{prohibited/api}", 8080)
                .reads(Errno::EHOSTUNREACH)
                .reads_in_ipv6(Errno::EACCES)
                .says(json!({
                    "outcome": "rejected", "origin": "path", "reach": "left-source", "cause": "policy-rejected",
                })),
        )
}

fn by_firewall() -> Scenario {
    let blocked = |port| {
        dial("firewall-reject/cart", "{firewall-reject/api}", port).reads(Errno::ECONNREFUSED).says(json!({
            "outcome": "rejected", "origin": "path", "verdict": { "decision": "allowed" }, "cause": "blocked-not-by-policy",
            "drop": { "reason": "NETFILTER_DROP" },
        }))
    };
    Scenario::new("firewall-reject")
        .pod(pod("firewall-reject/cart"))
        .pod(pod("firewall-reject/api"))
        .rule(
            Chain::Firewall,
            "{ip} daddr {firewall-reject/api} tcp dport 8080 reject with icmpx port-unreachable",
        )
        .rule(
            Chain::Firewall,
            "{ip} daddr {firewall-reject/api} tcp dport 8081 reject with tcp reset",
        )
        .listens("firewall-reject/api", 8080)
        .listens("firewall-reject/api", 8081)
        .dial(blocked(8080))
        .dial(blocked(8081))
}

/// The kernel limits ICMP errors, so one policy gives a mix of rejects and timeouts: the same cause for both.
fn rate_limited() -> Scenario {
    let mut scenario = Scenario::new("rate-limited")
        .only(&[Family::V4])
        .pod(pod("rate-limited/cart"))
        .pod(pod("rate-limited/api"))
        .policy(
            "
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { namespace: rate-limited, name: deny }
spec: { podSelector: {}, policyTypes: [Ingress] }
",
        )
        .rule(
            Chain::Enforce,
            "{ip} daddr {rate-limited/api} limit rate 1/hour burst 1 packets reject",
        )
        .rule(Chain::Enforce, "{ip} daddr {rate-limited/api} drop");
    for (outcome, reads) in [
        ("rejected", Errno::ECONNREFUSED),
        ("timeout", Errno::ETIMEDOUT),
        ("timeout", Errno::ETIMEDOUT),
    ] {
        scenario = scenario.dial(
            dial("rate-limited/cart", "{rate-limited/api}", 8080)
                .patience(300)
                .reads(reads)
                .says(json!({ "outcome": outcome, "cause": "policy-rejected" })),
        );
    }
    scenario
}
