//! The cluster and the scenes. Policies as people write them, with the mistakes that people make.

use nix::errno::Errno;
use serde_json::{Value, json};

use crate::lab::{Chain, Family, pod, service};
use crate::scenario::{Dialling, From, Listening, Scenario, dial};

/// One thing that happens, and what the observer must say of it.
#[derive(Clone, Debug)]
pub struct Scene {
    /// What `--scene` takes.
    pub name: &'static str,
    /// What is being done, and what an engineer would expect.
    pub headline: &'static str,
    /// The address family.
    pub family: Family,
    /// The dials, in order.
    pub dials: Vec<Dialling>,
}

impl Scene {
    /// The scene's steps, without objects: those are the cluster's.
    pub(super) fn scenario(&self) -> Scenario {
        self.dials
            .iter()
            .cloned()
            .fold(Scenario::new(self.name), Scenario::dial)
    }

    fn new(name: &'static str, headline: &'static str) -> Self {
        Self {
            name,
            headline,
            family: Family::V4,
            dials: Vec::new(),
        }
    }

    fn over_ipv6(mut self) -> Self {
        self.family = Family::V6;
        self
    }

    fn dial(mut self, dialling: Dialling) -> Self {
        self.dials.push(dialling);
        self
    }
}

/// Every pod, Service, policy and rule of the story.
pub fn cluster() -> Scenario {
    people(Scenario::new("demo"))
        .service(service("shop/api", 80, 8080).ready("shop/api-6c5d4-9wq7z"))
        .service(service("immich/immich", 80, 2283).ready("immich/immich-server-0"))
        .service(service("shop/search", 80, 9200))
        .service(
            service("tools/registry", 443, 5000)
                .ready("tools/registry-0")
                .masquerade(),
        )
        .policy(SHOP)
        .policy(MONITORING)
        .policy(HOMEPAGE)
        .policy(LEGACY)
        // What this cluster's CNI enforces: everything but the policy of the namespace legacy.
        .rule(
            Chain::Enforce,
            "{ip} saddr {monitoring/grafana-0} {ip} daddr {external} drop",
        )
        .rule(
            Chain::Enforce,
            "{ip} saddr {shop/checkout-58b7-kk2dp} {ip} daddr {shop/payments-0} drop",
        )
        .rule(
            Chain::Enforce,
            "{ip} saddr {homepage/homepage-7d9f-x2x4v} tcp dport != 80 drop",
        )
        .rule(
            Chain::Enforce,
            "{ip} saddr {tools/toolbox} {ip} daddr {shop/db-0} reject with icmpx port-unreachable",
        )
        // What the host's own firewall does; no policy asks for it.
        .rule(Chain::Firewall, "{ip} daddr {backup/minio-0} tcp dport 9000 drop")
        .listens("shop/api-6c5d4-9wq7z", 8080)
        .listens("shop/payments-0", 8443)
        .listens("shop/db-0", 5432)
        .listens("immich/immich-server-0", 2283)
        .listens("tools/registry-0", 5000)
        .listens("legacy/reports-0", 8080)
        .listens("backup/minio-0", 9000)
        .listens_as("media/jellyfin-0", 8096, Listening::FullAfterOne)
}

fn people(scenario: Scenario) -> Scenario {
    [
        pod("shop/frontend-7f9c-t5b2n")
            .label("app", "frontend")
            .owner("ReplicaSet", "frontend-7f9c"),
        pod("shop/api-6c5d4-9wq7z")
            .label("app", "api")
            .owner("ReplicaSet", "api-6c5d4")
            .port("http", 8080),
        pod("shop/checkout-58b7-kk2dp")
            .label("app", "checkout")
            .owner("ReplicaSet", "checkout-58b7"),
        pod("shop/payments-0")
            .label("app", "payments")
            .owner("StatefulSet", "payments")
            .port("https", 8443),
        pod("shop/db-0")
            .label("app", "db")
            .owner("StatefulSet", "db")
            .port("postgres", 5432),
        pod("homepage/homepage-7d9f-x2x4v")
            .label("app", "homepage")
            .owner("ReplicaSet", "homepage-7d9f"),
        pod("immich/immich-server-0")
            .label("app", "immich")
            .owner("StatefulSet", "immich-server")
            .port("http", 2283),
        pod("monitoring/grafana-0")
            .label("app", "grafana")
            .owner("StatefulSet", "grafana"),
        pod("legacy/reports-0")
            .label("app", "reports")
            .owner("StatefulSet", "reports"),
        pod("media/jellyfin-0")
            .label("app", "jellyfin")
            .owner("StatefulSet", "jellyfin"),
        pod("backup/minio-0")
            .label("app", "minio")
            .owner("StatefulSet", "minio"),
        pod("batch/worker-1")
            .label("app", "worker")
            .owner("StatefulSet", "worker")
            .dead(),
        pod("tools/registry-0")
            .label("app", "registry")
            .owner("StatefulSet", "registry"),
        pod("tools/toolbox").label("app", "toolbox"),
    ]
    .into_iter()
    .fold(scenario, Scenario::pod)
}

/// The scenes, in the order of the story.
pub fn scenes() -> Vec<Scene> {
    let mut scenes = vec![probes()];
    scenes.extend(blocked_by_policies());
    scenes.extend(other_failures());
    scenes.extend(ordinary());
    scenes
}

/// Absence proves something only where a packet has been seen, and no real pod is as quiet as one of a new lab.
fn probes() -> Scene {
    let probe = |to, port| {
        dial("", to, port).by(From::Node).says(json!({
            "outcome": "connected", "cause": null, "source": { "kind": "node" }, "verdict": { "decision": "allowed" },
        }))
    };
    Scene::new(
        "probes",
        "The kubelet probes pods from the node's own address, which policies always allow.",
    )
    .dial(probe("{shop/payments-0}", 8443))
    .dial(probe("{shop/db-0}", 5432))
    .dial(probe("{immich/immich-server-0}", 2283))
    .dial(probe("{backup/minio-0}", 9000))
}

fn blocked_by_policies() -> Vec<Scene> {
    vec![
        Scene::new(
            "allowed",
            "The shop's frontend calls its API, as a policy allows: connected.",
        )
        .dial(dial("shop/frontend-7f9c-t5b2n", "{svc shop/api}", 80).says(json!({
            "outcome": "connected", "cause": null,
            "destination": { "name": "api-6c5d4-9wq7z", "service": { "name": "api" } },
            "verdict": { "decision": "allowed", "ingress": { "decision": "allowed" } },
        }))),
        Scene::new(
            "egress-denied",
            "Grafana fetches a plug-in; its namespace's default-deny has no rule for that: silence.",
        )
        .dial(silent("monitoring/grafana-0", "{external}", 443).says(json!({
            "outcome": "timeout", "cause": "policy-egress", "destination": { "kind": "external" },
            "verdict": { "egress": { "decision": "denied", "policies": { "$text": "default-deny" } } },
        }))),
        Scene::new(
            "label-typo",
            "Checkout charges a card; payments' policy asks for app.kubernetes.io/name, the pod has app.",
        )
        .dial(
            silent("shop/checkout-58b7-kk2dp", "{shop/payments-0}", 8443).says(json!({
                "outcome": "timeout", "cause": "policy-ingress", "confidence": "confirmed", "advice": { "$text": "app.kubernetes.io/name" },
                "verdict": { "ingress": { "decision": "denied", "nearest": { "$text": "app.kubernetes.io/name" } } },
            })),
        ),
        Scene::new(
            "service-port",
            "The homepage asks immich, which its policy allows, but by the Service's port 80, not the pod's 2283.",
        )
        .dial(silent("homepage/homepage-7d9f-x2x4v", "{svc immich/immich}", 80).says(names_service_port())),
        Scene::new("ipv6", "The same over IPv6.")
            .over_ipv6()
            .dial(silent("homepage/homepage-7d9f-x2x4v", "{svc immich/immich}", 80).says(names_service_port())),
        Scene::new(
            "rejected",
            "A debug pod opens the shop's database; this CNI answers a denied SYN: \"connection refused\".",
        )
        .dial(refused("tools/toolbox", "{shop/db-0}", 5432).says(json!({
            "outcome": "rejected", "origin": "path", "cause": "policy-rejected",
            "verdict": { "ingress": { "decision": "denied", "policies": { "$text": "db" } } },
        }))),
        Scene::new(
            "not-enforced",
            "The same pod reads the legacy reports, which a policy denies and nobody enforces: connected.",
        )
        .dial(dial("tools/toolbox", "{legacy/reports-0}", 8080).says(json!({
            "outcome": "connected", "cause": "not-enforced", "verdict": { "decision": "denied" },
        }))),
    ]
}

fn other_failures() -> Vec<Scene> {
    vec![
        Scene::new(
            "closed-port",
            "Nothing listens on port 6000 of the registry: \"connection refused\" again, but by the pod itself.",
        )
        .dial(refused("tools/toolbox", "{tools/registry-0}", 6000).says(json!({
            "outcome": "refused", "origin": "destination-pod", "cause": "app-not-listening",
        }))),
        Scene::new(
            "no-endpoints",
            "The Service shop/search has no pods: \"connection refused\" a third time, by the node.",
        )
        .dial(refused("tools/toolbox", "{svc shop/search}", 80).says(json!({
            "outcome": "rejected", "cause": "no-endpoints", "destination": { "kind": "service", "name": "search" },
        }))),
        Scene::new(
            "accept-queue",
            "Jellyfin hangs: it takes one more connection, then its accept queue is full. Silence, no policy.",
        )
        .dial(dial("tools/toolbox", "{media/jellyfin-0}", 8096).says(json!({ "outcome": "connected", "cause": null })))
        .dial(silent("tools/toolbox", "{media/jellyfin-0}", 8096).says(json!({
            "outcome": "timeout", "reach": "delivered", "cause": "accept-queue-full",
        }))),
        Scene::new(
            "firewall",
            "A backup to minio: the policies allow it, the host's firewall drops it.",
        )
        .dial(silent("tools/toolbox", "{backup/minio-0}", 9000).says(json!({
            "outcome": "timeout", "cause": "blocked-not-by-policy", "confidence": "confirmed", "verdict": { "decision": "allowed" },
            "drop": { "reason": "NETFILTER_DROP" },
        }))),
        Scene::new(
            "dead-neighbour",
            "A worker that died without anybody telling the cluster: \"no route to host\" after three seconds.",
        )
        .dial(
            dial("tools/toolbox", "{batch/worker-1}", 8080)
                .reads(Errno::EHOSTUNREACH)
                .says(json!({
                    "outcome": "unreachable", "cause": "blocked-not-by-policy",
                })),
        ),
    ]
}

fn ordinary() -> Vec<Scene> {
    vec![
        Scene::new(
            "masquerade",
            "The registry's Service rewrites the client's address and port: still one attempt, by its own name.",
        )
        .dial(dial("tools/toolbox", "{svc tools/registry}", 443).says(json!({
            "outcome": "connected", "cause": null, "source": { "name": "toolbox" },
            "destination": { "name": "registry-0", "service": { "name": "registry", "port": 443 } },
        }))),
        Scene::new(
            "hairpin",
            "The registry calls itself through its Service: out and back by the same interface.",
        )
        .dial(dial("tools/registry-0", "{svc tools/registry}", 443).says(json!({
            "outcome": "connected", "cause": null, "source": { "name": "registry-0" },
            "destination": { "name": "registry-0" },
        }))),
    ]
}

fn silent(from: &'static str, to: &'static str, port: u16) -> Dialling {
    dial(from, to, port).reads(Errno::ETIMEDOUT)
}

fn refused(from: &'static str, to: &'static str, port: u16) -> Dialling {
    dial(from, to, port).reads(Errno::ECONNREFUSED)
}

fn names_service_port() -> Value {
    json!({
        "outcome": "timeout", "cause": "policy-egress", "confidence": "confirmed", "advice": { "$text": "2283" },
        "destination": { "service": { "name": "immich", "port": 80 }, "backend": { "port": 2283 } },
        "verdict": { "egress": { "decision": "denied", "nearest": { "$text": "2283" } } },
    })
}

const SHOP: &str = "
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: api, namespace: shop }
spec:
  podSelector: { matchLabels: { app: api } }
  policyTypes: [Ingress]
  ingress:
    - from:
        - podSelector: { matchLabels: { app: frontend } }
      ports:
        - { protocol: TCP, port: http }
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: payments, namespace: shop }
spec:
  podSelector: { matchLabels: { app: payments } }
  policyTypes: [Ingress]
  ingress:
    - from:
        - podSelector: { matchLabels: { app.kubernetes.io/name: checkout } }
      ports:
        - { protocol: TCP, port: 8443 }
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: db, namespace: shop }
spec:
  podSelector: { matchLabels: { app: db } }
  policyTypes: [Ingress]
  ingress:
    - from:
        - podSelector: { matchLabels: { app: api } }
      ports:
        - { protocol: TCP, port: 5432 }
";

const MONITORING: &str = "
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: default-deny, namespace: monitoring }
spec:
  podSelector: {}
  policyTypes: [Egress]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: allow-prometheus, namespace: monitoring }
spec:
  podSelector: { matchLabels: { app: grafana } }
  policyTypes: [Egress]
  egress:
    - to:
        - podSelector: { matchLabels: { app: prometheus } }
      ports:
        - { protocol: TCP, port: 9090 }
";

const HOMEPAGE: &str = "
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: allow-egress, namespace: homepage }
spec:
  podSelector: { matchLabels: { app: homepage } }
  policyTypes: [Egress]
  egress:
    - to:
        - namespaceSelector: { matchLabels: { kubernetes.io/metadata.name: immich } }
      ports:
        - { protocol: TCP, port: 80 }
";

const LEGACY: &str = "
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: deny-all, namespace: legacy }
spec:
  podSelector: {}
  policyTypes: [Ingress]
";
