//! What is no alarm for its surroundings: pods that somebody else makes, pods that policies hardly concern, and what its name says.

use super::super::{Finding, Severity};
use super::{findings, findings_beside, said};

/// Each finding's severity and code.
fn levels(found: &[Finding]) -> Vec<String> {
    let level = |found: &Finding| format!("{} {}", found.severity.word(), found.code);
    found.iter().map(level).collect()
}

/// As CloudNativePG's documentation has it: the pods of a Cluster are labelled by the operator.
#[test]
fn pods_that_an_operator_makes_are_no_alarm() {
    let text = |label: &str| {
        format!(
            "
            policy shop/db: {{podSelector: {{matchLabels: {{{label}}}}}, ingress: [{{from: [{{podSelector: {{matchLabels: {{app: app}}}}}}, {{podSelector: {{matchLabels: {{{label}}}}}}}]}}]}}
            policy shop/deny: {{podSelector: {{}}, ingress: []}}
            pod shop/a: {{app: app}}
            "
        )
    };
    let operated = |label: &str| levels(&findings_beside(&text(label), &["shop"]));
    let notes = ["note peer-selects-no-pods", "note selects-no-pods"];
    assert_eq!(operated("cnpg.io/cluster: db"), notes);
    // The cluster may be called as the application is.
    assert_eq!(operated("cnpg.io/cluster: app"), notes);
    let warnings = ["warning peer-selects-no-pods", "warning selects-no-pods"];
    assert_eq!(operated("app: App"), warnings);
    assert_eq!(levels(&findings(&text("cnpg.io/cluster: db"))), warnings);
    assert_eq!(
        levels(&findings_beside(&text("cnpg.io/cluster: db"), &["other"])),
        warnings
    );
}

#[test]
fn a_label_that_only_ended_or_host_network_pods_have_is_somebodys() {
    let text = "
        policy shop/p: {podSelector: {matchLabels: {app: x}}, ingress: [{from: [{podSelector: {matchLabels: {app: x}}}]}]}
        policy shop/deny: {podSelector: {}, ingress: []}
        pod shop/a: {app: a}
    ";
    let with = |pod: &str| findings(&format!("{text}{pod}"));
    assert_eq!(levels(&with("ended shop/job: {app: x}")), [""; 0]);
    let host = with("host shop/node-exporter: {app: x}");
    assert_eq!(levels(&host), ["note peer-selects-no-pods", "note selects-no-pods"]);
    assert!(said(&host).contains("as shop/node-exporter has"), "{}", said(&host));
    assert_eq!(
        levels(&with("pod shop/b: {app: b}")),
        ["warning peer-selects-no-pods", "warning selects-no-pods"]
    );
}

/// The Kubernetes documentation's own "Allow all ingress traffic" and "Allow all egress traffic".
#[test]
fn what_is_called_allow_all_is_meant() {
    let found = findings(
        "
        policy shop/allow-all-ingress: {podSelector: {}, policyTypes: [Ingress], ingress: [{}]}
        policy shop/allow-all-egress: {podSelector: {}, policyTypes: [Egress], egress: [{}]}
        policy shop/frontend: {podSelector: {matchLabels: {app: frontend}}, policyTypes: [Ingress, Egress], ingress: [{}], egress: [{}]}
        ",
    );
    assert_eq!(
        levels(&found)[..2],
        ["note allows-everything", "note allows-everything"]
    );
    assert!(
        found.iter().all(|found| found.severity == Severity::Note),
        "{}",
        said(&found)
    );
}
