//! Denied by a policy and dropped on the way: which direction, which policy, which rule came nearest (row 7).
//!
//! Where it must be `confirmed`, the node dials the destination first, as the kubelet's probes do: from then on the hook there is
//! known to see what passes.

use nix::errno::Errno;
use observer_tests::lab::{Chain, Family, pod, service};
use observer_tests::scenario::{From, Scenario, dial};
use serde_json::json;

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        egress(),
        label_typo(),
        service_port(),
        both(),
        impatient(),
        external(),
        same_port_again(),
    ]
}

fn egress() -> Scenario {
    Scenario::new("default-deny-egress")
        .pod(pod("default-deny-egress/cart").label("app", "cart"))
        .pod(pod("default-deny-egress/api").label("app", "api"))
        .policy(
            "
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { namespace: default-deny-egress, name: default-deny }
spec: { podSelector: {}, policyTypes: [Egress] }
",
        )
        .rule(Chain::Enforce, "{ip} saddr {default-deny-egress/cart} drop")
        .listens("default-deny-egress/api", 8080)
        .dial(dial("", "{default-deny-egress/api}", 8080).by(From::Node))
        .dial(dial("default-deny-egress/cart", "{default-deny-egress/api}", 8080).reads(Errno::ETIMEDOUT).says(json!({
            "outcome": "timeout", "origin": null, "reach": "left-source", "syns": { "$in": [3, 4, 5] },
            "handshake_us": null,
            "verdict": {
                "decision": "denied",
                "egress": { "decision": "denied", "policies": [{ "$text": "default-deny" }], "nearest": [] },
                "ingress": { "decision": "not-isolated" },
            },
            "drop": { "reason": "NETFILTER_DROP", "function": { "$text": "nf" } },
            "cause": "policy-egress", "confidence": "confirmed", "reasons": { "$not": [] }, "evidence": { "$not": [] },
        })))
}

fn label_typo() -> Scenario {
    Scenario::new("label-typo")
        .pod(pod("label-typo/cart").label("app", "cart"))
        .pod(pod("label-typo/api").label("app", "api"))
        .policy(
            "
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { namespace: label-typo, name: api }
spec:
  podSelector: { matchLabels: { app: api } }
  ingress:
    - from: [{ podSelector: { matchLabels: { app.kubernetes.io/name: cart } } }]
      ports: [{ port: 8080 }]
",
        )
        .rule(Chain::Enforce, "{ip} saddr {label-typo/cart} {ip} daddr {label-typo/api} drop")
        .listens("label-typo/api", 8080)
        .dial(dial("", "{label-typo/api}", 8080).by(From::Node))
        .dial(dial("label-typo/cart", "{label-typo/api}", 8080).reads(Errno::ETIMEDOUT).says(json!({
            "outcome": "timeout", "reach": "left-source",
            "verdict": {
                "decision": "denied", "egress": { "decision": "not-isolated" },
                "ingress": { "decision": "denied", "policies": [{ "$text": "api" }], "nearest": { "$text": "app.kubernetes.io/name" } },
            },
            "cause": "policy-ingress", "confidence": "confirmed", "advice": { "$text": "app.kubernetes.io/name" },
        })))
}

fn service_port() -> Scenario {
    Scenario::new("service-port")
        .pod(pod("service-port/homepage").label("app", "homepage"))
        .pod(pod("service-port/immich").label("app", "immich"))
        .service(service("service-port/immich", 80, 2283).ready("service-port/immich"))
        .policy(
            "
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { namespace: service-port, name: allow-egress }
spec:
  podSelector: { matchLabels: { app: homepage } }
  policyTypes: [Egress]
  egress:
    - to: [{ podSelector: { matchLabels: { app: immich } } }]
      ports: [{ port: 80 }]
",
        )
        .rule(Chain::Enforce, "{ip} saddr {service-port/homepage} tcp dport != 80 drop")
        .listens("service-port/immich", 2283)
        .dial(dial("", "{service-port/immich}", 2283).by(From::Node))
        .dial(dial("service-port/homepage", "{svc service-port/immich}", 80).reads(Errno::ETIMEDOUT).says(json!({
            "outcome": "timeout", "reach": "left-source",
            "destination": {
                "ip": "{svc service-port/immich}", "port": 80, "kind": "pod", "namespace": "service-port", "name": "immich",
                "service": { "namespace": "service-port", "name": "immich", "port": 80 },
                "backend": { "ip": "{service-port/immich}", "port": 2283, "namespace": "service-port", "name": "immich" },
            },
            "verdict": { "egress": { "decision": "denied", "nearest": { "$text": "2283" } } },
            "cause": "policy-egress", "confidence": "confirmed", "advice": { "$text": "2283" },
        })))
}

fn both() -> Scenario {
    Scenario::new("deny-both")
        .pod(pod("deny-both/cart"))
        .pod(pod("deny-both/api"))
        .policy(
            "
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { namespace: deny-both, name: deny-all }
spec: { podSelector: {}, policyTypes: [Ingress, Egress] }
",
        )
        .rule(Chain::Enforce, "{ip} saddr {deny-both/cart} drop")
        .dial(dial("", "{deny-both/api}", 8080).by(From::Node).reads(Errno::ECONNREFUSED))
        .dial(dial("deny-both/cart", "{deny-both/api}", 8080).reads(Errno::ETIMEDOUT).says(json!({
            "outcome": "timeout",
            "verdict": { "decision": "denied", "egress": { "decision": "denied" }, "ingress": { "decision": "denied" } },
            "cause": "policy-both", "confidence": "confirmed",
        })))
}

/// An application with a timeout of 500 ms sends one SYN and never a second.
fn impatient() -> Scenario {
    Scenario::new("impatient")
        .pod(pod("impatient/cart"))
        .pod(pod("impatient/api"))
        .policy(
            "
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { namespace: impatient, name: deny-all }
spec: { podSelector: {}, policyTypes: [Egress] }
",
        )
        .rule(Chain::Enforce, "{ip} saddr {impatient/cart} drop")
        .dial(
            dial("", "{impatient/api}", 8080)
                .by(From::Node)
                .reads(Errno::ECONNREFUSED),
        )
        .dial(
            dial("impatient/cart", "{impatient/api}", 8080)
                .patience(500)
                .reads(Errno::ETIMEDOUT)
                .says(json!({
                    "outcome": "timeout", "syns": 1, "cause": "policy-egress", "confidence": "confirmed",
                })),
        )
}

/// Egress to the world, with an address block that misses it; the other side cannot be observed.
fn external() -> Scenario {
    Scenario::new("block")
        .pod(pod("block/cart"))
        .policy(
            "
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { namespace: block, name: world }
spec:
  podSelector: {}
  policyTypes: [Egress]
  egress:
    - to: [{ ipBlock: { cidr: 203.0.112.0/24 } }, { ipBlock: { cidr: 2001:db8:112::/48 } }]
",
        )
        .rule(Chain::Enforce, "{ip} saddr {block/cart} drop")
        .dial(
            dial("block/cart", "{external}", 4443)
                .reads(Errno::ETIMEDOUT)
                .says(json!({
                    "outcome": "timeout", "destination": { "kind": "external", "ip": "{external}" },
                    "verdict": {
                        "egress": { "decision": "denied", "nearest": { "$text": "112" } },
                        "ingress": { "decision": "not-applicable" },
                    },
                    "cause": "policy-egress", "confidence": { "$in": ["confirmed", "probable"] },
                })),
        )
}

/// The same addresses and ports again: another initial sequence number is another attempt.
fn same_port_again() -> Scenario {
    let again = || {
        dial("same-port/cart", "{same-port/api}", 8080)
            .source_port(45_000)
            .patience(300)
            .reads(Errno::ETIMEDOUT)
            .says(json!({
                "outcome": "timeout", "syns": 1, "cause": "policy-egress",
            }))
    };
    // One family: both at once from one port of one pod now and then ended in EADDRNOTAVAIL.
    Scenario::new("same-port")
        .only(&[Family::V4])
        .pod(pod("same-port/cart"))
        .pod(pod("same-port/api"))
        .policy(
            "
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { namespace: same-port, name: deny-all }
spec: { podSelector: {}, policyTypes: [Egress] }
",
        )
        .rule(Chain::Enforce, "{ip} saddr {same-port/cart} drop")
        .dial(again())
        .dial(again())
}
