//! Each code: a bad case, whose words are golden, and near misses that must not be told.

use super::super::Code;
use super::{check, findings, said};

#[test]
fn selects_no_pods() {
    check(
        Code::SelectsNoPods,
        "
        policy shop/p: {podSelector: {matchLabels: {app: immich}}, ingress: []}
        pod shop/a: {app.kubernetes.io/name: immich}
        ",
        &[
            // Selected.
            "
            policy shop/p: {podSelector: {matchLabels: {app: immich}}, ingress: []}
            pod shop/a: {app: immich}
            ",
            // No pod of its namespace was read.
            "
            policy shop/p: {podSelector: {matchLabels: {app: immich}}, ingress: []}
            pod other/a: {app: x}
            ",
        ],
    );
}

#[test]
fn peer_selects_no_pods() {
    check(
        Code::PeerSelectsNoPods,
        "
        policy shop/p: {podSelector: {}, ingress: [{from: [{podSelector: {matchLabels: {app: Web}}}]}]}
        pod shop/a: {app: web}
        ",
        &[
            "
            policy shop/p: {podSelector: {}, ingress: [{from: [{podSelector: {matchLabels: {app: web}}}]}]}
            pod shop/a: {app: web}
            ",
            // Nobody of the peer's namespace was read.
            "
            policy shop/p: {podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: x}}, podSelector: {matchLabels: {app: Web}}}]}]}
            pod shop/a: {app: web}
            ns x
            ",
        ],
    );
}

#[test]
fn no_such_namespace() {
    check(
        Code::NoSuchNamespace,
        "
        policy shop/p: {podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {name: monitoring}}}, {namespaceSelector: {matchLabels: {purpose: production}}}]}]}
        ns shop
        ns monitoring: {team: ops}
        ",
        &[
            "
            policy shop/p: {podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: monitoring}}}]}]}
            ns monitoring
            ",
            // The policy's own namespace is one, even without an object.
            "
            policy shop/p: {podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: shop}}}]}]}
            ns monitoring
            ",
            // No namespace was read.
            "policy shop/p: {podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {name: monitoring}}}]}]}",
            // Every cluster has it, and hardly a folder.
            "
            policy shop/p: {podSelector: {}, policyTypes: [Egress], egress: [{to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}, podSelector: {matchLabels: {k8s-app: kube-dns}}}], ports: [{port: 53, protocol: UDP}, {port: 53}]}]}
            policy shop/q: {podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: default}}}]}]}
            ns shop
            ",
        ],
    );
}

#[test]
fn split_peer() {
    check(
        Code::SplitPeer,
        "
        policy shop/p: {podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {team: ops}}}, {podSelector: {matchLabels: {app: prometheus}}}]}]}
        policy shop/every: {podSelector: {}, ingress: [{from: [{podSelector: {matchLabels: {app: web}}}, {namespaceSelector: {}}]}]}
        policy shop/unknown: {podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {team: x}}}, {podSelector: {matchLabels: {app: x}}}]}]}
        ns ops: {team: ops}
        pod ops/a: {app: prometheus}
        pod shop/a: {app: web}
        ",
        &[
            // One peer.
            "
            policy shop/p: {podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {team: ops}}, podSelector: {matchLabels: {app: prometheus}}}]}]}
            ns ops: {team: ops}
            pod ops/a: {app: prometheus}
            ",
            // Own pods of that label are there: either is meant.
            "
            policy shop/p: {podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {team: ops}}}, {podSelector: {matchLabels: {app: prometheus}}}]}]}
            ns ops: {team: ops}
            pod shop/a: {app: prometheus}
            ",
            // All pods of its own namespace, or those of another.
            "policy shop/p: {podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {team: ops}}}, {podSelector: {}}]}]}",
            // Two rules.
            "policy shop/p: {podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {team: ops}}}]}, {from: [{podSelector: {matchLabels: {app: prometheus}}}]}]}",
            // A list of several kinds, of which nothing is known.
            "policy shop/p: {podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8}}, {namespaceSelector: {matchLabels: {team: ops}}}, {podSelector: {matchLabels: {app: a}}}]}]}",
        ],
    );
}

#[test]
fn every_namespace() {
    check(
        Code::EveryNamespace,
        "policy shop/p: {podSelector: {}, ingress: [{from: [{namespaceSelector: {}, podSelector: {matchLabels: {app: prometheus}}}]}]}",
        &[
            // All pods of all namespaces: that is said, and seen.
            "policy shop/p: {podSelector: {}, ingress: [{from: [{namespaceSelector: {}}]}]}",
            // DNS, wherever it is.
            "policy shop/p: {podSelector: {}, policyTypes: [Egress], egress: [{to: [{namespaceSelector: {}, podSelector: {matchLabels: {k8s-app: kube-dns}}}], ports: [{port: 53, protocol: UDP}, {port: 53}]}]}",
        ],
    );
}

#[test]
fn service_port() {
    const WORLD: &str = "
        service shop/web: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
        pod shop/a: {app: web} ports [{containerPort: 8080, name: http}]
        pod shop/b: {app: client}
    ";
    check(
        Code::ServicePort,
        &format!("
            policy shop/p: {{podSelector: {{matchLabels: {{app: web}}}}, ingress: [{{ports: [{{port: 80}}]}}]}}
            policy shop/q: {{podSelector: {{matchLabels: {{app: client}}}}, policyTypes: [Egress], egress: [{{to: [{{podSelector: {{matchLabels: {{app: web}}}}}}], ports: [{{port: 80}}]}}, {{ports: [{{port: 53}}, {{port: 53, protocol: UDP}}]}}]}}
            {WORLD}"),
        &[
            &format!("policy shop/p: {{podSelector: {{matchLabels: {{app: web}}}}, ingress: [{{ports: [{{port: 8080}}]}}]}}\n{WORLD}"),
            &format!("policy shop/p: {{podSelector: {{matchLabels: {{app: web}}}}, ingress: [{{ports: [{{port: http}}]}}]}}\n{WORLD}"),
            // Another protocol than the Service's.
            &format!("policy shop/p: {{podSelector: {{matchLabels: {{app: web}}}}, ingress: [{{ports: [{{port: 80, protocol: UDP}}]}}]}}\n{WORLD}"),
            // A pod listens there itself.
            "
            policy shop/p: {podSelector: {matchLabels: {app: web}}, ingress: [{ports: [{port: 80}]}]}
            service shop/web: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
            pod shop/a: {app: web} ports [{containerPort: 8080}, {containerPort: 80}]
            ",
            // Both are written.
            &format!("policy shop/p: {{podSelector: {{matchLabels: {{app: web}}}}, ingress: [{{ports: [{{port: 80}}, {{port: 8080}}]}}]}}\n{WORLD}"),
            // A pod that does not say what it listens on may listen there.
            &format!("policy shop/p: {{podSelector: {{}}, ingress: [{{ports: [{{port: 80}}]}}]}}\n{WORLD}"),
            // Another Service leads to it.
            "
            policy shop/p: {podSelector: {matchLabels: {app: web}}, ingress: [{ports: [{port: 80}]}]}
            service shop/web: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
            service shop/old: {selector: {app: web}, ports: [{port: 8000, targetPort: 80}]}
            pod shop/a: {app: web}
            ",
        ],
    );
}

#[test]
fn cluster_ip_block() {
    const API: &str = "service default/kubernetes: {clusterIP: 10.96.0.1, ports: [{port: 443, targetPort: 6443}]}";
    check(
        Code::ClusterIpBlock,
        &format!(
            "policy shop/p: {{podSelector: {{}}, policyTypes: [Egress], egress: [{{to: [{{ipBlock: {{cidr: 10.96.0.1/32}}}}]}}]}}\n{API}"
        ),
        &[
            // It holds far more than Services.
            &format!(
                "policy shop/p: {{podSelector: {{}}, policyTypes: [Egress], egress: [{{to: [{{ipBlock: {{cidr: 10.0.0.0/8}}}}]}}]}}\n{API}"
            ),
            // The Service is a hole in it.
            &format!(
                "policy shop/p: {{podSelector: {{}}, policyTypes: [Egress], egress: [{{to: [{{ipBlock: {{cidr: 10.96.0.0/24, except: [10.96.0.0/30]}}}}]}}]}}\n{API}"
            ),
            // No Service is known, and no cluster has its API server's there unasked.
            "policy shop/p: {podSelector: {}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 10.97.0.1/32}}]}]}",
            // The API server is known to be elsewhere.
            "policy shop/p: {podSelector: {}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 10.43.0.1/32}}]}]}
             service default/kubernetes: {clusterIP: 10.96.0.1, ports: [{port: 443, targetPort: 6443}]}",
        ],
    );
    let perhaps = findings(
        "policy shop/p: {podSelector: {}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 10.43.0.1/32}}], ports: [{port: 443}]}]}",
    );
    insta::assert_snapshot!("cluster-ip-block-perhaps", said(&perhaps));
}

#[test]
fn service_port_of_the_api_server() {
    const API: &str = "service default/kubernetes: {clusterIP: 10.96.0.1, ports: [{port: 443, targetPort: 6443}]}
        node cp: {node-role.kubernetes.io/control-plane: ''} at 192.168.1.10
        node worker: {} at 192.168.1.20";
    let to = |block: &str, ports: &str| {
        let rule = format!("{{to: [{{ipBlock: {{cidr: {block}}}}}], ports: [{ports}]}}");
        format!("policy shop/p: {{podSelector: {{}}, policyTypes: [Egress], egress: [{rule}]}}\n{API}")
    };
    let found = findings(&to("192.168.1.10/32", "{port: 443}"));
    insta::assert_snapshot!("service-port-of-the-api-server", said(&found));
    for right in [
        to("192.168.1.10/32", "{port: 6443}"),
        to("192.168.1.10/32", "{port: 443}, {port: 6443}"),
        to("192.168.1.10/32", "{}"),
        // Something else may listen there.
        to("192.168.1.20/32", "{port: 443}"),
        to("192.168.1.0/24", "{port: 443}"),
    ] {
        assert_eq!(findings(&right), [], "{right}");
    }
}

#[test]
fn no_dns() {
    const WEB: &str = "policy shop/web: {podSelector: {matchLabels: {app: web}}, policyTypes: [Egress], egress: [{to: [{podSelector: {matchLabels: {app: db}}}]}]}";
    check(
        Code::NoDns,
        WEB,
        &[
            // Another policy gives it to all pods.
            &format!(
                "{WEB}\npolicy shop/dns: {{podSelector: {{}}, policyTypes: [Egress], egress: [{{ports: [{{port: 53, protocol: UDP}}, {{port: 53}}]}}]}}"
            ),
            // Nothing at all may leave.
            "policy shop/web: {podSelector: {}, policyTypes: [Egress], egress: []}",
            // Addresses need no names.
            "policy shop/web: {podSelector: {}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 192.0.2.1/32}}]}]}",
            // Not isolated for egress.
            "policy shop/web: {podSelector: {}, ingress: [{from: [{podSelector: {}}]}]}",
            // The node's cache.
            "policy shop/web: {podSelector: {}, policyTypes: [Egress], egress: [{to: [{podSelector: {}}]}, {to: [{ipBlock: {cidr: 169.254.20.10/32}}], ports: [{port: 53}, {port: 53, protocol: UDP}]}]}",
            // Everything within the cluster.
            "policy shop/web: {podSelector: {}, policyTypes: [Egress], egress: [{to: [{namespaceSelector: {}}]}]}",
            // Pods that another policy cannot be about are no help, but these need none.
            "policy shop/web: {podSelector: {}, policyTypes: [Egress], egress: [{to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}}]}]}",
        ],
    );
    // What only other pods get does not count; nor does the wrong place, where the right one is known.
    for (text, wanted) in [
        (format!("{WEB}\npolicy shop/dns: {{podSelector: {{matchLabels: {{app: api}}}}, policyTypes: [Egress], egress: [{{ports: [{{port: 53, protocol: UDP}}]}}]}}"), true),
        ("
            policy shop/web: {podSelector: {}, policyTypes: [Egress], egress: [{to: [{podSelector: {}}]}, {to: [{podSelector: {matchLabels: {k8s-app: kube-dns}}}], ports: [{port: 53, protocol: UDP}, {port: 53}]}]}
            pod kube-system/dns: {k8s-app: kube-dns}
        ".to_owned(), true),
        ("
            policy shop/web: {podSelector: {}, policyTypes: [Egress], egress: [{to: [{podSelector: {}}], ports: [{port: 80}]}, {ports: [{port: 53}]}]}
        ".to_owned(), true),
        ("policy shop/web: {podSelector: {}, policyTypes: [Egress], egress: [{ports: [{port: 53}]}]}".to_owned(), true),
    ] {
        let found = findings(&text);
        assert_eq!(found.iter().any(|found| found.code == Code::NoDns), wanted, "{text}\n{}", said(&found));
    }
}

#[test]
fn dns_elsewhere() {
    // Without a namespace the peer is looked for in the policy's own.
    let here = "policy shop/web: {podSelector: {}, policyTypes: [Egress], egress: [{to: [{podSelector: {}}]}, {to: [{podSelector: {matchLabels: {k8s-app: kube-dns}}}], ports: [{port: 53, protocol: UDP}, {port: 53}]}]}";
    insta::assert_snapshot!("no-dns-elsewhere", said(&findings(here)));
    let there = here.replace(
        "{podSelector: {matchLabels: {k8s-app: kube-dns}}}",
        "{namespaceSelector: {}, podSelector: {matchLabels: {k8s-app: kube-dns}}}",
    );
    assert_eq!(findings(&there), []);
}

#[test]
fn dns_without_tcp() {
    const TO: &str = "policy shop/p: {podSelector: {}, policyTypes: [Egress], egress: [{to: [{podSelector: {}}]}, {to: [{namespaceSelector: {}, podSelector: {matchLabels: {k8s-app: kube-dns}}}], ports:";
    check(
        Code::DnsWithoutTcp,
        &format!("{TO} [{{port: 53, protocol: UDP}}]}}]}}"),
        &[&format!(
            "{TO} [{{port: 53, protocol: UDP}}, {{port: 53, protocol: TCP}}]}}]}}"
        )],
    );
}

const WEB_TO_DB: &str = "{podSelector: {matchLabels: {app: web}}, policyTypes: [Egress], egress: [{to: [{podSelector: {matchLabels: {app: db}}}], ports: [{port: 5432}]}, {ports: [{port: 53}, {port: 53, protocol: UDP}]}]}";
const PODS: &str = "
    pod shop/web: {app: web}
    pod shop/api: {app: api}
    pod shop/db: {app: db} ports [{containerPort: 5432, name: sql}]
";

#[test]
fn egress_without_ingress() {
    let db = |from: &str, port: &str| {
        format!(
            "policy shop/out: {WEB_TO_DB}\npolicy shop/in: {{podSelector: {{matchLabels: {{app: db}}}}, ingress: [{{from: [{{podSelector: {{matchLabels: {{app: {from}}}}}}}], ports: [{{port: {port}}}]}}]}}\n{PODS}"
        )
    };
    check(
        Code::EgressWithoutIngress,
        &db("api", "5432"),
        &[
            &db("web", "5432"),
            // By its name on that pod.
            &db("web", "sql"),
            // Not isolated for ingress.
            &format!("policy shop/out: {WEB_TO_DB}\n{PODS}"),
            // Nobody was read.
            &format!("policy shop/out: {WEB_TO_DB}\npolicy shop/in: {{podSelector: {{}}, ingress: []}}"),
        ],
    );
    let found = findings(&db("web", "80"));
    assert!(
        found.iter().any(|found| found.code == Code::EgressWithoutIngress),
        "{}",
        said(&found)
    );
}

#[test]
fn ingress_without_egress() {
    let web = |to: &str| {
        format!("policy shop/in: {{podSelector: {{matchLabels: {{app: db}}}}, ingress: [{{from: [{{podSelector: {{matchLabels: {{app: web}}}}}}], ports: [{{port: 5432}}]}}]}}
            policy shop/out: {{podSelector: {{matchLabels: {{app: web}}}}, policyTypes: [Egress], egress: [{{to: [{to}]}}, {{ports: [{{port: 53}}, {{port: 53, protocol: UDP}}]}}]}}\n{PODS}")
    };
    check(
        Code::IngressWithoutEgress,
        &web("{podSelector: {matchLabels: {app: api}}}"),
        &[
            &web("{podSelector: {matchLabels: {app: db}}}"),
            // A pod without an address may get one in the block.
            &web("{ipBlock: {cidr: 10.0.0.0/8}}"),
        ],
    );
}

#[test]
fn allows_everything() {
    check(
        Code::AllowsEverything,
        "
        policy shop/p: {podSelector: {}, ingress: [{}]}
        policy shop/q: {podSelector: {matchLabels: {app: a}}, policyTypes: [Ingress, Egress], ingress: [{}], egress: [{}]}
        ",
        &[
            // A public server.
            "policy shop/p: {podSelector: {matchLabels: {app: a}}, ingress: [{}]}",
            // One direction is open, the other closed.
            "policy shop/p: {podSelector: {}, policyTypes: [Ingress, Egress], egress: [{}]}",
            "policy shop/p: {podSelector: {}, ingress: [{ports: [{port: 80}]}]}",
        ],
    );
}

#[test]
fn duplicate() {
    check(
        Code::Duplicate,
        "
        policy shop/p: {podSelector: {}, ingress: [{ports: [{port: 80}, {port: 80, protocol: TCP}]}, {ports: [{port: 80}, {port: 80}]}]}
        policy shop/q: {podSelector: {}, ingress: [{from: [{podSelector: {}}, {podSelector: {}}]}]}
        policy shop/r: {podSelector: {}, ingress: [{from: [{podSelector: {}}, {podSelector: {}}]}]}
        ",
        &[
            "policy shop/p: {podSelector: {}, ingress: [{ports: [{port: 80}, {port: 80, protocol: UDP}]}]}",
            // Another namespace is another policy.
            "
            policy shop/p: {podSelector: {}, ingress: []}
            policy bank/p: {podSelector: {}, ingress: []}
            ",
        ],
    );
}

#[test]
fn shadowed() {
    check(
        Code::Shadowed,
        "
        policy shop/p: {podSelector: {}, ingress: [{from: [{podSelector: {matchLabels: {app: web}}}], ports: [{port: 80}]}, {from: [{podSelector: {}}]}]}
        policy shop/q: {podSelector: {}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 10.0.0.0/8}}]}, {to: [{ipBlock: {cidr: 10.1.0.0/16}}]}]}
        ",
        &[
            // Each has what the other lacks.
            "policy shop/p: {podSelector: {}, ingress: [{from: [{podSelector: {matchLabels: {app: web}}}]}, {from: [{podSelector: {}}], ports: [{port: 80}]}]}",
            // Pods of all namespaces are no external addresses.
            "policy shop/p: {podSelector: {}, ingress: [{from: [{namespaceSelector: {}}]}, {from: [{ipBlock: {cidr: 0.0.0.0/0}}]}]}",
            // The narrower block is a hole in the wider one.
            "policy shop/p: {podSelector: {}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16]}}]}, {to: [{ipBlock: {cidr: 10.1.2.0/24}}]}]}",
            // All of TCP is not UDP.
            "policy shop/p: {podSelector: {}, ingress: [{ports: [{}]}, {ports: [{port: 80, protocol: UDP}]}]}",
            // The other policy is for other pods, or for some of these.
            "policy shop/p: {podSelector: {matchLabels: {app: web}}, ingress: [{from: [{podSelector: {}}]}]}
             policy shop/q: {podSelector: {matchLabels: {app: api}}, ingress: [{from: [{podSelector: {}}]}]}",
            "policy shop/p: {podSelector: {}, ingress: [{ports: [{port: 80}]}]}
             policy shop/q: {podSelector: {matchLabels: {app: api}}, ingress: [{ports: [{port: 80}, {port: 81}]}]}",
            // Of another namespace, or of the other direction.
            "policy shop/p: {podSelector: {}, ingress: [{ports: [{port: 80}]}]}
             policy bank/q: {podSelector: {}, ingress: [{ports: [{port: 80}, {port: 81}]}]}",
            "policy shop/p: {podSelector: {}, policyTypes: [Egress], egress: [{ports: [{port: 53, protocol: UDP}, {port: 53}]}]}
             policy shop/q: {podSelector: {}, ingress: [{ports: [{port: 53, protocol: UDP}, {port: 53}, {port: 80}]}]}",
            // Rules that have no effect.
            "policy shop/p: {podSelector: {matchLabels: {app: web}}, ingress: [{ports: [{port: 80}]}]}
             policy shop/q: {podSelector: {}, policyTypes: [Egress], ingress: [{ports: [{port: 80}, {port: 81}]}]}",
        ],
    );
}

#[test]
fn shadowed_by_another_policy() {
    const NARROW: &str = "policy shop/b: {podSelector: {matchLabels: {app: web}}, ingress: [{from: [{podSelector: {matchLabels: {app: api}}}], ports: [{port: 80}]}]}";
    let found = |other: &str| {
        let mut found = findings(&format!("{NARROW}\n{other}"));
        found.retain(|found| found.code == Code::Shadowed);
        found
    };
    let wide = "policy shop/c: {podSelector: {}, ingress: [{ports: [{port: 1}]}, {from: [{podSelector: {}}]}]}";
    insta::assert_snapshot!("shadowed-by-another-policy", said(&found(wide)));
    // The same rule for the same pods beside another one: only the later policy's is told.
    let twin = "policy shop/a: {podSelector: {matchLabels: {app: web}}, ingress: [{from: [{podSelector: {matchLabels: {app: api}}}], ports: [{port: 80}]}, {ports: [{port: 1}]}]}";
    let names: Vec<String> = found(twin).iter().map(|found| found.name.to_string()).collect();
    assert_eq!(names, ["shop/b"]);
    // What is told for itself hides every other rule.
    assert_eq!(found("policy shop/c: {podSelector: {}, ingress: [{}]}"), []);
    assert_eq!(found(&NARROW.replace("shop/b", "shop/c")), []);
}

#[test]
fn rules_without_effect() {
    check(
        Code::RulesWithoutEffect,
        "
        policy shop/p: {podSelector: {}, policyTypes: [Ingress], ingress: [], egress: [{}]}
        policy shop/q: {podSelector: {}, egress: []}
        ",
        &[
            "policy shop/p: {podSelector: {}, policyTypes: [Ingress, Egress], egress: []}",
            "policy shop/p: {podSelector: {}, policyTypes: [Egress]}",
            "policy shop/p: {podSelector: {}, egress: [{}]}",
        ],
    );
}

#[test]
fn implied_ingress() {
    check(
        Code::ImpliedIngress,
        "policy shop/p: {podSelector: {}, egress: [{ports: [{port: 53, protocol: UDP}]}]}",
        &[
            "policy shop/p: {podSelector: {}, policyTypes: [Egress], egress: [{ports: [{port: 53}]}]}",
            "policy shop/p: {podSelector: {}, policyTypes: [Ingress, Egress], egress: [{ports: [{port: 53}]}]}",
            // The author thought of ingress.
            "policy shop/p: {podSelector: {}, ingress: [], egress: [{ports: [{port: 53}]}]}",
        ],
    );
}

#[test]
fn not_isolated() {
    check(
        Code::NotIsolated,
        "
        policy shop/p: {podSelector: {matchLabels: {app: a}}, ingress: []}
        pod shop/a: {app: a}
        pod shop/b: {app: b}
        ",
        &[
            "
            policy shop/p: {podSelector: {}, ingress: []}
            pod shop/a: {app: a}
            ",
            // Isolated for egress is isolated.
            "
            policy shop/p: {podSelector: {}, policyTypes: [Egress]}
            pod shop/a: {app: a}
            ",
            // Nobody wrote a policy there.
            "
            policy shop/p: {podSelector: {}, ingress: []}
            pod bank/a: {app: a}
            ",
        ],
    );
}
