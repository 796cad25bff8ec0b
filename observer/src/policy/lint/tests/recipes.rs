//! What is written in guides again and again, and is right: no alarm, neither with the objects of the guide nor without.

use super::super::Severity;
use super::{findings, said};

/// The pods and namespaces that such guides create.
const WORLD: &str = "
    ns default
    ns prod: {purpose: production}
    ns ops: {team: operations}
    ns kube-system
    pod default/web: {app: web} ports [{containerPort: 80}]
    pod default/api: {app: books, role: api} ports [{containerPort: 5000}]
    pod default/db: {app: books, role: db} ports [{containerPort: 6379}]
    pod default/search: {app: books, role: search}
    pod default/stock: {app: stock, role: web}
    pod default/client: {app: client}
    pod default/probe: {role: monitoring}
    pod ops/probe: {type: monitoring}
    pod prod/x: {app: x}
    pod kube-system/dns: {k8s-app: kube-dns} ports [{containerPort: 53, protocol: UDP}, {containerPort: 53}]
    service default/web: {clusterIP: 10.96.3.4, selector: {app: web}, ports: [{port: 80}]}
    service default/db: {clusterIP: 10.96.3.5, selector: {app: books, role: db}, ports: [{port: 6379}]}
";

const RECIPES: &[(&str, &str)] = &[
    (
        "deny all to an application",
        "{podSelector: {matchLabels: {app: web}}, ingress: []}",
    ),
    (
        "limit an application to its own",
        "{podSelector: {matchLabels: {app: books, role: api}}, ingress: [{from: [{podSelector: {matchLabels: {app: books}}}]}]}",
    ),
    (
        "allow all to an application",
        "{podSelector: {matchLabels: {app: web}}, ingress: [{}]}",
    ),
    ("deny all in a namespace", "{podSelector: {}, ingress: []}"),
    (
        "deny all in a namespace by type",
        "{podSelector: {}, policyTypes: [Ingress]}",
    ),
    (
        "deny all in both directions",
        "{podSelector: {}, policyTypes: [Ingress, Egress]}",
    ),
    (
        "deny other namespaces",
        "{podSelector: {matchLabels: null}, ingress: [{from: [{podSelector: {}}]}]}",
    ),
    (
        "allow all namespaces",
        "{podSelector: {matchLabels: {app: web}}, ingress: [{from: [{namespaceSelector: {}}]}]}",
    ),
    (
        "allow a namespace",
        "{podSelector: {matchLabels: {app: web}}, ingress: [{from: [{namespaceSelector: {matchLabels: {purpose: production}}}]}]}",
    ),
    (
        "allow some pods of another namespace",
        "{podSelector: {matchLabels: {app: web}}, ingress: [{from: [{namespaceSelector: {matchLabels: {team: operations}}, podSelector: {matchLabels: {type: monitoring}}}]}]}",
    ),
    (
        "allow a port only",
        "{podSelector: {matchLabels: {role: api}}, ingress: [{ports: [{port: 5000}], from: [{podSelector: {matchLabels: {role: monitoring}}}]}]}",
    ),
    (
        "allow several clients",
        "{podSelector: {matchLabels: {app: books, role: db}}, ingress: [{from: [{podSelector: {matchLabels: {app: books, role: search}}}, {podSelector: {matchLabels: {app: books, role: api}}}, {podSelector: {matchLabels: {app: stock, role: web}}}]}]}",
    ),
    (
        "deny egress of an application",
        "{podSelector: {matchLabels: {app: client}}, policyTypes: [Egress], egress: []}",
    ),
    (
        "deny egress but DNS",
        "{podSelector: {matchLabels: {app: client}}, policyTypes: [Egress], egress: [{to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}, podSelector: {matchLabels: {k8s-app: kube-dns}}}], ports: [{port: 53, protocol: UDP}, {port: 53, protocol: TCP}]}]}",
    ),
    (
        "deny all egress of a namespace",
        "{policyTypes: [Egress], podSelector: {}, egress: []}",
    ),
    (
        "deny external egress",
        "{podSelector: {matchLabels: {app: client}}, policyTypes: [Egress], egress: [{ports: [{port: 53, protocol: UDP}, {port: 53, protocol: TCP}]}, {to: [{namespaceSelector: {}}]}]}",
    ),
];

#[test]
fn a_right_recipe_raises_no_alarm() {
    for (title, spec) in RECIPES {
        let policy = format!("policy default/recipe: {spec}");
        let alone = findings(&policy);
        assert!(alone.is_empty(), "{title}, alone:\n{}", said(&alone));
        let with = findings(&format!("{policy}\n{WORLD}"));
        // That other pods of the guide are open is true, and a note.
        let alarms: Vec<_> = with
            .into_iter()
            .filter(|found| found.severity > Severity::Note)
            .collect();
        assert!(alarms.is_empty(), "{title}, with objects:\n{}", said(&alarms));
    }
}

/// Objects for whole sets: an application of three tiers, its ingress controller and monitoring, and the cluster's own.
const APPLICATION: &str = "
    ns shop
    ns edge
    ns monitoring
    ns kube-system
    ns default
    pod shop/web: {app: web, tier: front} ports [{containerPort: 8080, name: http}, {containerPort: 9100, name: metrics}]
    pod shop/api: {app: api, tier: back} ports [{containerPort: 8080, name: http}, {containerPort: 9100, name: metrics}]
    pod shop/db: {app: db} ports [{containerPort: 5432}]
    pod shop/operator: {app: operator}
    pod edge/controller: {app: edge} ports [{containerPort: 443}]
    pod monitoring/scraper: {app: scraper}
    pod kube-system/dns: {k8s-app: kube-dns} ports [{containerPort: 53, protocol: UDP}, {containerPort: 53}]
    service shop/web: {clusterIP: 10.96.8.1, selector: {app: web}, ports: [{port: 80, targetPort: http}]}
    service shop/api: {clusterIP: 10.96.8.2, selector: {app: api}, ports: [{port: 80, targetPort: 8080}]}
    service shop/db: {clusterIP: 10.96.8.3, selector: {app: db}, ports: [{port: 5432}]}
    service kube-system/kube-dns: {clusterIP: 10.96.0.10, selector: {k8s-app: kube-dns}, ports: [{port: 53, protocol: UDP}]}
    service default/kubernetes: {clusterIP: 10.96.0.1, ports: [{port: 443, targetPort: 6443}]}
    node cp: {node-role.kubernetes.io/control-plane: ''} at 192.168.1.10
";

/// Policies that are right together.
const SETS: &[(&str, &str)] = &[
    (
        "deny all, then what is needed in both directions",
        "
        policy shop/deny: {podSelector: {}, policyTypes: [Ingress, Egress]}
        policy shop/dns: {podSelector: {}, policyTypes: [Egress], egress: [{to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}, podSelector: {matchLabels: {k8s-app: kube-dns}}}], ports: [{port: 53, protocol: UDP}, {port: 53, protocol: TCP}]}]}
        policy shop/web: {podSelector: {matchLabels: {app: web}}, policyTypes: [Ingress, Egress], ingress: [{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: edge}}}], ports: [{port: http}]}], egress: [{to: [{podSelector: {matchLabels: {app: api}}}], ports: [{port: 8080}]}]}
        policy shop/api: {podSelector: {matchLabels: {app: api}}, policyTypes: [Ingress, Egress], ingress: [{from: [{podSelector: {matchLabels: {app: web}}}], ports: [{port: 8080}]}], egress: [{to: [{podSelector: {matchLabels: {app: db}}}], ports: [{port: 5432}]}]}
        policy shop/db: {podSelector: {matchLabels: {app: db}}, policyTypes: [Ingress], ingress: [{from: [{podSelector: {matchLabels: {app: api}}}], ports: [{port: 5432}]}]}
        ",
    ),
    (
        "own namespace, and a scraper by the port's name",
        "
        policy shop/own: {podSelector: {}, policyTypes: [Ingress], ingress: [{from: [{podSelector: {}}]}]}
        policy shop/scrape: {podSelector: {matchExpressions: [{key: tier, operator: In, values: [front, back]}]}, policyTypes: [Ingress], ingress: [{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: monitoring}}, podSelector: {matchLabels: {app: scraper}}}], ports: [{port: metrics}]}]}
        ",
    ),
    (
        "the API server by its nodes",
        "policy shop/operator: {podSelector: {matchLabels: {app: operator}}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 192.168.1.10/32}}], ports: [{port: 6443}]}]}",
    ),
    (
        "DNS by the node's cache",
        "policy shop/web: {podSelector: {matchLabels: {app: web}}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 169.254.20.10/32}}], ports: [{port: 53, protocol: UDP}, {port: 53, protocol: TCP}]}, {to: [{podSelector: {matchLabels: {app: api}}}], ports: [{port: 8080}]}]}",
    ),
    (
        "the internet without the private networks and the cloud's metadata",
        "policy shop/web: {podSelector: {matchLabels: {app: web}}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 0.0.0.0/0, except: [10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, 169.254.169.254/32]}}], ports: [{port: 443}]}, {to: [{namespaceSelector: {}}], ports: [{port: 53, protocol: UDP}, {port: 53}]}]}",
    ),
    (
        "a range of ports, and both families",
        "policy shop/web: {podSelector: {matchLabels: {app: web}}, policyTypes: [Ingress], ingress: [{from: [{ipBlock: {cidr: 203.0.113.0/24}}, {ipBlock: {cidr: '2001:db8::/32'}}], ports: [{port: 8000, endPort: 8999}]}]}",
    ),
    (
        "either of two peers",
        "policy shop/api: {podSelector: {matchLabels: {app: api}}, policyTypes: [Ingress], ingress: [{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: monitoring}}}, {podSelector: {matchLabels: {app: web}}}]}]}",
    ),
];

#[test]
fn right_policies_raise_no_alarm_together() {
    for (title, policies) in SETS {
        for objects in ["", APPLICATION] {
            let found = findings(&format!("{policies}\n{objects}"));
            let alarms: Vec<_> = found
                .into_iter()
                .filter(|found| found.severity > Severity::Note)
                .collect();
            assert!(alarms.is_empty(), "{title}:\n{}", said(&alarms));
        }
    }
}
