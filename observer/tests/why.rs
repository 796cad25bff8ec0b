//! `observer why` as users and programs meet it: exit status, order, errors. Needs no right and no network.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

#[path = "why/workloads.rs"]
mod workloads;

/// Two pods, a Service before one of them, and a policy that lets in one port from nobody here.
const OBJECTS: &str = r#"
{apiVersion: v1, kind: Pod, metadata: {name: a, namespace: x, labels: {app: a}}, spec: {containers: []}, status: {podIP: 10.0.0.1}}
---
{apiVersion: v1, kind: Pod, metadata: {name: b, namespace: x, labels: {app: b}}, spec: {containers: []}, status: {podIP: 10.0.0.2}}
---
{apiVersion: v1, kind: Service, metadata: {name: b, namespace: x}, spec: {clusterIP: 10.96.0.1, selector: {app: b}, ports: [{port: 80, targetPort: 8080}]}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: b, namespace: x}
spec:
  podSelector: {matchLabels: {app: b}}
  ingress:
  - from: [{podSelector: {matchLabels: {app: other}}}]
    ports: [{port: 8080}]
"#;

/// Objects in a folder of their own, and what is asked of them.
struct Cluster(tempfile::TempDir);

struct Said {
    status: Option<i32>,
    out: String,
    err: String,
}

impl Cluster {
    fn new(objects: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("objects.yaml"), objects).expect("a file");
        Self(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn why(&self, args: &[&str], input: &str) -> Said {
        let mut child = Command::new(env!("CARGO_BIN_EXE_observer"))
            .arg("why")
            .arg("--manifests")
            .arg(self.path())
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the command runs");
        let mut stdin = child.stdin.take().expect("a pipe");
        let input = input.to_owned();
        // Answers come while questions are still written.
        let writing = std::thread::spawn(move || {
            // It may end without reading: then it says why.
            let _ = stdin.write_all(input.as_bytes());
        });
        let output = child.wait_with_output().expect("it ends");
        writing.join().expect("written");
        Said {
            status: output.status.code(),
            out: String::from_utf8(output.stdout).expect("UTF-8"),
            err: String::from_utf8(output.stderr).expect("UTF-8"),
        }
    }
}

fn lines(said: &Said) -> Vec<Value> {
    let lines = said.out.lines();
    lines.map(|line| serde_json::from_str(line).expect(line)).collect()
}

#[test]
fn the_status_is_the_decision() {
    let cluster = Cluster::new(OBJECTS);
    for (from, to, status, decision) in [
        ("x/b", "x/a:80", 0, "allowed"),
        ("x/a", "x/b:8080", 1, "denied"),
        ("x/a", "x/svc/b:80", 1, "denied"),
        ("x/a", "b.x", 1, "denied"),
        ("x/a", "x/svc/b:81", 3, "undecidable"),
    ] {
        let said = cluster.why(&[from, to], "");
        assert_eq!(said.status, Some(status), "{to}: {}{}", said.out, said.err);
        assert!(
            said.out.lines().next().is_some_and(|line| line.ends_with(decision)),
            "{}",
            said.out
        );
        let json = cluster.why(&[from, to, "-o", "json"], "");
        assert_eq!(json.status, Some(status));
        assert_eq!(lines(&json)[0]["verdict"]["decision"], decision);
    }
}

#[test]
fn what_cannot_be_asked_is_status_2_and_a_reason() {
    let cluster = Cluster::new(OBJECTS);
    for args in [
        &["x/a", "x/nobody:80"][..],
        &["x/a", "x/b"],
        &["x/a", "x/b:99999"],
        &["x/a"],
        &["x/a", "x/b:80", "--stdin"],
        &["--stdin", "--patch"],
    ] {
        let said = cluster.why(args, "");
        assert_eq!((said.status, said.out.as_str()), (Some(2), ""), "{args:?}");
        assert!(!said.err.is_empty(), "{args:?}");
    }
}

#[test]
fn a_name_that_nobody_has_is_an_error_with_the_one_that_is_near() {
    let cluster = Cluster::new(OBJECTS);
    for args in [&["x/a", "x/svc/bb:80"][..], &["x/a", "x/svc/bb:80", "--patch"]] {
        let said = cluster.why(args, "");
        assert_eq!(
            (said.status, said.err.as_str()),
            (Some(2), "observer: there is no Service x/bb in the objects\n")
        );
    }
    let said = cluster.why(&["x/a", "x/deployment/b:80"], "");
    let expected =
        "observer: Deployment x/b has no pods in the objects, so there is nobody to judge; did you mean x/b?\n";
    assert_eq!((said.status, said.err.as_str()), (Some(2), expected));
}

#[test]
fn an_invalid_object_refuses_the_whole_set() {
    let cluster = Cluster::new(&format!(
        "{OBJECTS}---\n{{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {{name: bad, namespace: x}}, spec: \
         {{podSelector: {{}}, ingress: [{{from: [{{}}]}}]}}}}\n"
    ));
    let line = "{\"src\":\"x/b\",\"dst\":\"x/a\",\"port\":80,\"protocol\":\"TCP\"}\n";
    for (args, input) in [(&["x/b", "x/a:80"][..], ""), (&["--stdin"], line)] {
        let said = cluster.why(args, input);
        assert_eq!((said.status, said.out.as_str()), (Some(2), ""));
        assert!(
            said.err.contains("NetworkPolicy x/bad") && said.err.contains("spec.ingress[0].from[0]"),
            "{}",
            said.err
        );
    }
}

#[test]
fn every_line_is_answered_in_order() {
    let cluster = Cluster::new(OBJECTS);
    let mut input = String::new();
    for number in 0..5_000 {
        let (from, to) = if number % 3 == 0 {
            ("x/a", "x/b")
        } else {
            ("x/b", "x/a")
        };
        input.push_str(&format!(
            "{{\"src\":\"{from}\",\"dst\":\"{to}\",\"port\":8080,\"protocol\":\"TCP\",\"at\":\"2026-01-31T12:00:00Z\"}}\n"
        ));
    }
    let said = cluster.why(&["--stdin"], &input);
    assert_eq!((said.status, said.err.as_str()), (Some(0), ""));
    let answers = lines(&said);
    assert_eq!(answers.len(), 5_000);
    for (number, answer) in answers.iter().enumerate() {
        let expect = if number % 3 == 0 { "denied" } else { "allowed" };
        assert_eq!(answer["verdict"]["decision"], expect, "{number}");
        assert!(answer.get("error").is_none());
    }
}

#[test]
fn a_bad_line_gets_an_error_in_its_place_and_the_others_their_answers() {
    let cluster = Cluster::new(OBJECTS);
    let good = r#"{"src":"x/a","dst":"10.96.0.1","port":80,"protocol":"tcp","more":1}"#;
    let bad = [
        "nonsense",
        "{}",
        r#"{"src":"x/a","dst":"x/b","port":0}"#,
        r#"{"src":"x/a","dst":"x/b","port":70000}"#,
        r#"{"src":"x/a","dst":"x/b","port":80,"protocol":"ICMP"}"#,
        r#"{"src":"x/a","dst":"x/b","port":80,"at":"yesterday"}"#,
        r#"{"src":"x/nobody","dst":"x/b","port":80}"#,
        "\u{1}",
    ];
    let mut input = String::new();
    for line in bad {
        input.push_str(&format!("{line}\n\n{good}\n"));
    }
    let said = cluster.why(&["--stdin"], &input);
    assert_eq!(said.status, Some(2));
    let answers = lines(&said);
    assert_eq!(answers.len(), 2 * bad.len());
    for (pair, line) in answers.chunks(2).zip(bad) {
        assert!(
            pair[0]["error"].is_string() && pair[0].get("verdict").is_none(),
            "{line}"
        );
        assert_eq!(pair[1]["verdict"]["decision"], "denied", "{line}");
    }
}

#[test]
fn an_answer_does_not_wait_for_the_next_question() {
    use std::io::{BufRead as _, BufReader};
    let cluster = Cluster::new(OBJECTS);
    let mut child = Command::new(env!("CARGO_BIN_EXE_observer"))
        .args(["why", "--stdin", "--manifests"])
        .arg(cluster.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the command runs");
    let mut questions = child.stdin.take().expect("a pipe");
    let mut answers = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    for _ in 0..3 {
        writeln!(questions, r#"{{"src":"x/a","dst":"x/b:8080"}}"#).expect("it listens");
        let answer: Value = serde_json::from_str(&answers.next().expect("an answer").expect("UTF-8")).expect("JSON");
        assert_eq!(answer["verdict"]["decision"], "denied");
    }
    drop(questions);
    assert!(child.wait().expect("it ends").success());
}

#[test]
fn a_patch_put_beside_the_objects_allows_it() {
    let cluster = Cluster::new(OBJECTS);
    let patch = cluster.why(&["x/a", "x/svc/b:80", "--patch"], "");
    assert_eq!((patch.status, patch.err.as_str()), (Some(1), ""));
    let objects = OBJECTS.split("---\n").take(3).collect::<Vec<_>>().join("---\n");
    let after = Cluster::new(&format!("{objects}---\n{}", patch.out));
    assert_eq!(after.why(&["x/a", "x/svc/b:80"], "").status, Some(0), "{}", patch.out);
    assert_eq!(
        after.why(&["x/a", "x/b:8081"], "").status,
        Some(1),
        "only what was asked for is opened"
    );
    let nothing = after.why(&["x/a", "x/svc/b:80", "--patch"], "");
    assert_eq!(
        (nothing.status, nothing.out.as_str()),
        (Some(0), "# Nothing to change: it is allowed.\n")
    );
}

#[test]
fn a_workload_without_pods_is_judged_as_the_pod_it_would_make() {
    let cluster = Cluster::new(&format!(
        "{OBJECTS}---\n{{apiVersion: apps/v1, kind: Deployment, metadata: {{name: web, namespace: x}}, spec: {{selector: \
         {{matchLabels: {{app: other}}}}, template: {{metadata: {{labels: {{app: other}}}}, spec: {{containers: []}}}}}}}}\n"
    ));
    let allowed = cluster.why(&["x/deployment/web", "x/svc/b"], "");
    assert_eq!(allowed.status, Some(0), "{}{}", allowed.out, allowed.err);
    assert!(allowed.out.contains("pod x/web has no address yet"), "{}", allowed.out);
    assert_eq!(cluster.why(&["x/deploy/web", "x/b:81"], "").status, Some(1));
}

#[test]
fn no_patch_pretends_to_overrule_a_cluster_wide_denial() {
    let objects = format!(
        "{OBJECTS}---
apiVersion: policy.networking.k8s.io/v1alpha2
kind: ClusterNetworkPolicy
metadata: {{name: wall}}
spec:
  tier: Admin
  priority: 10
  subject: {{namespaces: {{}}}}
  ingress:
  - {{name: nobody, action: Deny, from: [{{namespaces: {{}}}}]}}
"
    );
    let cluster = Cluster::new(&objects);
    let said = cluster.why(&["x/a", "x/b:8080"], "");
    assert_eq!(said.status, Some(1), "{}", said.err);
    assert!(said.out.contains("wall"), "{}", said.out);
    let said = cluster.why(&["x/a", "x/b:8080", "--patch"], "");
    assert_eq!(said.status, Some(2), "{}", said.out);
    assert_eq!(said.out, "");
    for part in [
        "no NetworkPolicy allows this: rule 1 of wall denies the ingress before they are asked",
        "rule 1 of wall denies it (nobody): Admin tier, priority 10",
    ] {
        assert!(said.err.contains(part), "{}", said.err);
    }
    // The other half of a patch that fails is not shown as if it were made.
    let outward = objects.replace(
        "  ingress:\n  - {name: nobody, action: Deny, from:",
        "  egress:\n  - {name: nobody, action: Deny, to:",
    );
    let said = Cluster::new(&outward).why(&["x/a", "x/b:8080", "--patch"], "");
    assert_eq!(said.status, Some(2), "{}", said.out);
    assert!(said.err.contains("rule 1 of wall denies the egress"), "{}", said.err);
    assert!(said.err.contains("ingress  denied"), "{}", said.err);
}

/// "Baseline tier is a cluster-wide policy that can be overridden by the v1.NetworkPolicy" (ClusterNetworkPolicy, `tier`).
#[test]
fn what_would_override_a_baseline_denial_is_told_and_does() {
    let wall = "---
apiVersion: policy.networking.k8s.io/v1alpha2
kind: ClusterNetworkPolicy
metadata: {name: wall}
spec:
  tier: Baseline
  priority: 10
  subject: {namespaces: {}}
  egress:
  - {name: nobody, action: Deny, to: [{namespaces: {}}]}
";
    let cluster = Cluster::new(&format!("{OBJECTS}{wall}"));
    let said = cluster.why(&["x/b", "x/a:80"], "");
    assert_eq!(said.status, Some(1), "{}", said.err);
    assert!(
        said.out.contains("or allow it by a NetworkPolicy that selects the pod"),
        "{}",
        said.out
    );
    let said = cluster.why(&["x/b", "x/a:80", "--patch"], "");
    assert_eq!((said.status, said.out.as_str()), (Some(2), ""));
    let told =
        "a NetworkPolicy for pods app=b in namespace x that allows TCP 80 to pods app=a in namespace x would allow it";
    assert!(said.err.contains(told), "{}", said.err);
    let made = "---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: new, namespace: x}
spec: {podSelector: {matchLabels: {app: b}}, policyTypes: [Egress], egress: [{to: [{podSelector: {matchLabels: {app: a}}}], ports: [{port: 80}]}]}
";
    let after = Cluster::new(&format!("{OBJECTS}{wall}{made}"));
    assert_eq!(after.why(&["x/b", "x/a:80"], "").status, Some(0));
}

#[test]
fn a_change_that_opens_more_than_was_asked_for_says_so() {
    let cluster = Cluster::new(&OBJECTS.replace("    ports: [{port: 8080}]\n", ""));
    let patch = cluster.why(&["x/a", "x/b:8080", "--patch"], "");
    let told = "# Change: add pods app=a in namespace x to the peers of rule 1 of x/b, which is for every port.";
    assert_eq!(patch.out.lines().next(), Some(told));
    let cluster =
        Cluster::new(&OBJECTS.replace("{podSelector: {matchLabels: {app: other}}}", "{namespaceSelector: {}}"));
    let patch = cluster.why(&["x/a", "x/b:81", "--patch"], "");
    let told = "# Change: add TCP 81 to rule 1 of x/b, which is for every pod.";
    assert_eq!(patch.out.lines().next(), Some(told));
}

/// "Pods cannot currently block localhost access" (Kubernetes, Network Policies).
#[test]
fn a_pod_reaches_its_own_localhost() {
    let deny = "---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: deny, namespace: x}
spec: {podSelector: {}, policyTypes: [Ingress, Egress]}
";
    let cluster = Cluster::new(&format!("{OBJECTS}{deny}"));
    for to in ["127.0.0.1:80", "[::1]:80"] {
        let said = cluster.why(&["x/a", to], "");
        assert_eq!(said.status, Some(0), "{}{}", said.out, said.err);
        assert!(said.out.contains("reaches itself"), "{}", said.out);
    }
    assert_eq!(cluster.why(&["x/a", "10.0.0.2:80"], "").status, Some(1));
}

/// A policy that is skipped would make the answer `allowed`; kubectl says "no matches for kind".
#[test]
fn a_policy_of_a_misspelt_kind_refuses_the_objects() {
    for (from, to) in [
        ("kind: NetworkPolicy", "kind: Networkpolicy"),
        ("kind: NetworkPolicy", "kind: NetworkPolicies"),
        ("networking.k8s.io/v1", "networking.k8s/v1"),
    ] {
        let said = Cluster::new(&OBJECTS.replace(from, to)).why(&["x/a", "x/b:8080"], "");
        assert_eq!((said.status, said.out.as_str()), (Some(2), ""), "{to}");
        assert!(said.err.contains("NetworkPolicy"), "{}", said.err);
    }
}

#[test]
fn a_patch_keeps_what_the_policy_has_besides() {
    let policy = "apiVersion: v1
kind: List
items:
- apiVersion: networking.k8s.io/v1
  kind: NetworkPolicy
  metadata:
    name: deny
    namespace: x
    resourceVersion: '7'
    labels: {team: x, app.kubernetes.io/managed-by: Helm}
    annotations: {meta.helm.sh/release-name: shop}
  spec: {podSelector: {}, policyTypes: [Ingress]}
";
    let objects: Vec<&str> = OBJECTS.split("---\n").collect();
    let cluster = Cluster::new(&format!("{}---\n{policy}", objects[..3].join("---\n")));
    let patch = cluster.why(&["x/a", "x/svc/b:80", "--patch"], "");
    assert_eq!(
        patch.out,
        "# Change: add an ingress rule to x/deny that allows TCP 8080 from pods app=a in namespace x.
# Helm release shop manages it: make the change there too, or it will be undone.
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  annotations:
    meta.helm.sh/release-name: shop
  labels:
    app.kubernetes.io/managed-by: Helm
    team: x
  name: deny
  namespace: x
spec:
  ingress:
  - from:
    - podSelector:
        matchLabels:
          app: a
    ports:
    - port: 8080
      protocol: TCP
  podSelector: {}
  policyTypes:
  - Ingress
"
    );
    assert_eq!((patch.status, patch.err.as_str()), (Some(1), ""));
}

#[test]
fn answers_that_nobody_reads_are_no_success() {
    let cluster = Cluster::new(OBJECTS);
    let run = |args: &[&str], input: &str| {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut child = Command::new(env!("CARGO_BIN_EXE_observer"))
            .args(["why", "--manifests"])
            .arg(cluster.path())
            .args(args)
            .stdin(Stdio::piped())
            .stdout(writer)
            .stderr(Stdio::piped())
            .spawn()
            .expect("the command runs");
        let mut questions = child.stdin.take().expect("a pipe");
        // It may end without reading.
        let _ = questions.write_all(input.as_bytes());
        drop(questions);
        let output = child.wait_with_output().expect("it ends");
        (output.status.code(), String::from_utf8(output.stderr).expect("UTF-8"))
    };
    // As the shell has it for a program that SIGPIPE ended.
    let line = "{\"src\":\"x/b\",\"dst\":\"x/a:80\"}\n";
    assert_eq!(run(&["--stdin"], line), (Some(141), String::new()));
    // The status is an answer of its own.
    assert_eq!(run(&["x/a", "x/b:8080"], ""), (Some(1), String::new()));
    assert_eq!(run(&["x/b", "x/a:80"], ""), (Some(0), String::new()));
    assert_eq!(run(&["x/a", "x/b:8080", "--patch"], ""), (Some(1), String::new()));
}
