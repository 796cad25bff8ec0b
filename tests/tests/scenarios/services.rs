//! Services: what their address becomes, and what happens where nothing is behind it (row 4).

use nix::errno::Errno;
use observer_tests::lab::{Chain, Family, addresses, pod, service};
use observer_tests::scenario::{Scenario, dial};
use serde_json::{Value, json};

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        translated(),
        masqueraded(),
        hairpin(),
        empty(),
        not_ready(),
        local(),
        other_port(),
    ]
}

fn through(service: &str, backend: &Value) -> Value {
    json!({
        "outcome": "connected", "reach": "delivered", "cause": null,
        "destination": { "kind": "pod", "service": { "name": service, "port": 80 }, "backend": backend },
    })
}

fn translated() -> Scenario {
    Scenario::new("service")
        .pod(pod("service/cart"))
        .pod(pod("service/api-1"))
        .pod(pod("service/api-2"))
        .service(service("service/one", 80, 8080).ready("service/api-1"))
        .service(
            service("service/two", 80, 8080)
                .ready("service/api-1")
                .ready("service/api-2"),
        )
        .listens("service/api-1", 8080)
        .listens("service/api-2", 8080)
        .dial(dial("service/cart", "{svc service/one}", 80).says(through(
            "one",
            &json!({ "ip": "{service/api-1}", "port": 8080, "namespace": "service", "name": "api-1" }),
        )))
        .dial(dial("service/cart", "{svc service/two}", 80).says(through(
            "two",
            &json!({ "ip": { "$in": ["{service/api-1}", "{service/api-2}"] }, "port": 8080, "namespace": "service" }),
        )))
}

fn masqueraded() -> Scenario {
    Scenario::new("masquerade")
        .pod(pod("masquerade/cart"))
        .pod(pod("masquerade/api"))
        .service(service("masquerade/api", 80, 8080).ready("masquerade/api").masquerade())
        .listens("masquerade/api", 8080)
        .dial(dial("masquerade/cart", "{svc masquerade/api}", 80).says(through(
            "api",
            &json!({ "ip": "{masquerade/api}", "port": 8080, "name": "api" }),
        )))
}

/// A pod that reaches itself: both points are on one veth, and policies never deny it.
fn hairpin() -> Scenario {
    Scenario::new("hairpin")
        .pod(pod("hairpin/api"))
        .service(service("hairpin/api", 80, 8080).ready("hairpin/api"))
        .policy(
            "
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { namespace: hairpin, name: deny-all }
spec: { podSelector: {}, policyTypes: [Ingress, Egress] }
",
        )
        .listens("hairpin/api", 8080)
        .dial(dial("hairpin/api", "{svc hairpin/api}", 80).says(json!({
            "outcome": "connected", "reach": "delivered", "verdict": { "decision": "allowed" }, "cause": null,
            "source": { "name": "api" }, "destination": { "name": "api", "service": { "name": "api" } },
        })))
}

fn empty() -> Scenario {
    Scenario::new("no-endpoints")
        .pod(pod("no-endpoints/cart"))
        .service(service("no-endpoints/api", 80, 8080))
        .dial(dial("no-endpoints/cart", "{svc no-endpoints/api}", 80).reads(Errno::ECONNREFUSED).says(json!({
            "outcome": "rejected", "origin": "path",
            "destination": { "kind": "service", "namespace": "no-endpoints", "name": "api", "service": { "name": "api" } },
            "cause": "no-endpoints", "confidence": { "$in": ["confirmed", "probable"] },
        })))
}

fn not_ready() -> Scenario {
    Scenario::new("not-ready")
        .pod(pod("not-ready/cart"))
        .pod(pod("not-ready/api"))
        .service(service("not-ready/api", 80, 8080).not_ready("not-ready/api"))
        .dial(
            dial("not-ready/cart", "{svc not-ready/api}", 80)
                .reads(Errno::ECONNREFUSED)
                .says(json!({ "outcome": "rejected", "cause": "backend-not-ready" })),
        )
}

fn local() -> Scenario {
    let far = Family::ALL.map(addresses::external);
    Scenario::new("local")
        .pod(pod("local/cart"))
        .service(service("local/api", 80, 8080).remote(far).local())
        .dial(
            dial("local/cart", "{svc local/api}", 80)
                .reads(Errno::ETIMEDOUT)
                .says(json!({ "outcome": "timeout", "cause": "no-local-endpoint" })),
        )
}

fn other_port() -> Scenario {
    Scenario::new("other-port")
        .pod(pod("other-port/cart"))
        .pod(pod("other-port/api"))
        .service(service("other-port/api", 80, 8080).ready("other-port/api"))
        .rule(
            Chain::Enforce,
            "{ip} daddr {svc other-port/api} reject with icmpx port-unreachable",
        )
        .dial(
            dial("other-port/cart", "{svc other-port/api}", 8080)
                .reads(Errno::ECONNREFUSED)
                .says(json!({ "outcome": "rejected", "cause": "no-such-service-port" })),
        )
}
