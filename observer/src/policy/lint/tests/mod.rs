//! Manifests with what is said of them: for each code a bad case, and near misses that are right.

mod cases;
mod quiet;
mod recipes;

use std::fmt::Write as _;

use super::{Code, Finding, Objects, Severity, lint, pages};
use crate::cluster::read_manifest;
use crate::objects::Change;

/// `---` and an object. `kind namespace/name: rest`, where the rest is YAML in one line: a policy's spec, a pod's labels and
/// ports, a namespace's labels, a Service's spec,
/// a node's labels and address.
fn manifest(text: &str) -> String {
    let mut all = String::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (head, rest) = line.split_once(": ").unwrap_or((line, "{}"));
        let (kind, name) = head.split_once(' ').expect("kind and name");
        let (namespace, name) = name.split_once('/').unwrap_or(("", name));
        let meta = format!("namespace: {namespace}, name: {name}");
        let object = match kind {
            "policy" => {
                format!("{{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {{{meta}}}, spec: {rest}}}")
            }
            "service" => format!("{{apiVersion: v1, kind: Service, metadata: {{{meta}}}, spec: {rest}}}"),
            "ns" => format!("{{apiVersion: v1, kind: Namespace, metadata: {{name: {name}, labels: {rest}}}}}"),
            "pod" => {
                let (labels, ports) = rest.split_once(" ports ").unwrap_or((rest, "[]"));
                format!(
                    "{{apiVersion: v1, kind: Pod, metadata: {{{meta}, labels: {labels}}}, spec: {{containers: [{{name: c, ports: {ports}}}]}}}}"
                )
            }
            "host" => format!(
                "{{apiVersion: v1, kind: Pod, metadata: {{{meta}, labels: {rest}}}, spec: {{hostNetwork: true, containers: []}}}}"
            ),
            "ended" => format!(
                "{{apiVersion: v1, kind: Pod, metadata: {{{meta}, labels: {rest}}}, spec: {{containers: []}}, status: {{phase: Succeeded}}}}"
            ),
            "node" => {
                let (labels, address) = rest.split_once(" at ").expect("labels and an address");
                format!(
                    "{{apiVersion: v1, kind: Node, metadata: {{name: {name}, labels: {labels}}}, status: {{addresses: [{{type: InternalIP, address: {address}}}]}}}}"
                )
            }
            "foreign" => format!("{{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {{{meta}}}}}"),
            other => panic!("{other}"),
        };
        let _ = writeln!(all, "---\n{object}");
    }
    all
}

#[track_caller]
fn findings(text: &str) -> Vec<Finding> {
    findings_beside(text, &[])
}

/// With operators' objects in some namespaces.
#[track_caller]
fn findings_beside(text: &str, operated: &[&str]) -> Vec<Finding> {
    let yaml = manifest(text);
    let objects = read_manifest(yaml.as_bytes()).unwrap_or_else(|errors| panic!("{errors}\n{yaml}"));
    let changes: Vec<Change> = objects.into_iter().map(Change::Set).collect();
    lint(&Objects {
        operated: operated.iter().map(|name| (*name).into()).collect(),
        ..Objects::new(&changes, &[])
    })
}

fn said(findings: &[Finding]) -> String {
    let mut text = String::new();
    for found in findings {
        let Finding {
            kind,
            name,
            field,
            code,
            severity,
            message,
            help,
        } = found;
        let _ = writeln!(
            text,
            "{} {code}: {kind} {name} {field}\n  {message}\n  {help}",
            severity.word()
        );
    }
    text
}

/// The bad case has the code and says what the golden says; the near misses have not.
#[track_caller]
fn check(code: Code, bad: &str, good: &[&str]) {
    let found = findings(bad);
    assert!(
        found.iter().any(|found| found.code == code),
        "{code} is missing:\n{}",
        said(&found)
    );
    let worst = found
        .iter()
        .filter(|found| found.code == code)
        .map(|found| found.severity)
        .max();
    assert_eq!(worst, Some(code.severity()), "{code}");
    insta::assert_snapshot!(code.code(), said(&found));
    for good in good {
        let found: Vec<_> = findings(good).into_iter().filter(|found| found.code == code).collect();
        assert!(found.is_empty(), "false alarm for\n{good}\n{}", said(&found));
    }
}

#[test]
fn every_code_has_its_page_and_every_page_its_code() {
    let found: Vec<&str> = pages().map(|page| page.code).collect();
    assert_eq!(found, Code::ALL.map(Code::code).to_vec());
    for page in pages() {
        let parts: Vec<&str> = page.body.lines().filter_map(|line| line.strip_prefix("## ")).collect();
        assert_eq!(parts, super::PARTS, "{}", page.code);
        assert!(page.summary.ends_with('.'), "{}", page.code);
    }
}

#[test]
fn a_code_is_found_by_its_name_or_nearly() {
    assert_eq!(Code::of("no-dns"), Some(Code::NoDns));
    assert_eq!(Code::of("nodns"), None);
    assert_eq!(super::nearest("Shadow"), Some(Code::Shadowed));
    assert_eq!(super::nearest("service_ports"), Some(Code::ServicePort));
    assert_eq!(super::nearest("zzzzzz"), None);
}

#[test]
fn a_policy_of_another_kind_silences_what_it_may_answer() {
    let text = "
        policy shop/p: {podSelector: {matchLabels: {app: a}}, ingress: []}
        pod shop/a: {app: a}
        pod shop/b: {app: b}
    ";
    let codes = |objects: &Objects| lint(objects).into_iter().map(|found| found.code).collect::<Vec<_>>();
    let objects = read_manifest(manifest(text).as_bytes()).expect("valid");
    let mut changes: Vec<Change> = objects.into_iter().map(Change::Set).collect();
    assert_eq!(codes(&Objects::new(&changes, &[])), [Code::NotIsolated]);
    let everywhere = "---\n{apiVersion: policy.networking.k8s.io/v1alpha2, kind: ClusterNetworkPolicy, metadata: {name: c}, \
        spec: {tier: Baseline, priority: 1, subject: {namespaces: {}}}}";
    let cluster_wide = read_manifest(everywhere.as_bytes()).expect("valid");
    let with: Vec<Change> = changes
        .iter()
        .cloned()
        .chain(cluster_wide.into_iter().map(Change::Set))
        .collect();
    assert_eq!(codes(&Objects::new(&with, &[])), []);
    changes.push(Change::Foreign {
        policy: "CiliumNetworkPolicy shop/x".into(),
        scope: crate::objects::Scope::Namespaces(vec!["shop".into()]),
    });
    assert_eq!(codes(&Objects::new(&changes, &[])), []);
}

#[test]
fn nothing_is_found_in_nothing() {
    assert_eq!(findings(""), []);
}

#[test]
fn severities_are_ordered() {
    assert!(Severity::Note < Severity::Warning && Severity::Warning < Severity::Error);
}
