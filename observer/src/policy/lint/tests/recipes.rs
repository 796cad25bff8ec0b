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
