//! The verb as a whole: a folder in, text and exit status out.

use std::fs;

use clap::Parser;
use serde_json::Value;

use super::*;

/// Two policies, one of which is wrong in three ways, and the Deployment they are for.
const SHOP: &str = "\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: shop}
spec:
  podSelector:
    matchLabels:
      app: wbe
  ingress:
  - ports:
    - port: 80
    - port: 80
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  template:
    metadata:
      labels: {app: web}
    spec:
      containers:
      - {name: c, image: i, ports: [{containerPort: 8080}]}
";

#[derive(Debug, Parser)]
struct Command {
    #[command(flatten)]
    lint: Lint,
}

/// Exit status and output for arguments behind the path of a folder that holds `text`. The folder is `DIR` in the output.
#[track_caller]
fn run(text: &str, args: &[&str]) -> (String, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().to_str().expect("UTF-8");
    fs::write(folder.path().join("a b.yaml"), text).expect("a file");
    let command = Command::try_parse_from(["lint", path].iter().chain(args)).expect("right arguments");
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let status = command.lint.run(&mut out, &mut err);
    let text = String::from_utf8(out).expect("UTF-8").replace(path, "DIR");
    match status {
        Ok(status) => (format!("{status:?}"), text),
        Err(error) => (format!("{error:#}").replace(path, "DIR"), text),
    }
}

fn status(code: u8) -> String {
    format!("{:?}", ExitCode::from(code))
}

#[test]
fn compact_names_file_and_line() {
    let (done, text) = run(SHOP, &[]);
    assert_eq!(done, status(1));
    insta::assert_snapshot!(text);
}

#[test]
fn json_is_an_object_a_line() {
    let (done, text) = run(SHOP, &["-o", "json", "--only", "selects-no-pods"]);
    assert_eq!(done, status(1));
    let [line] = text.lines().collect::<Vec<_>>()[..] else {
        panic!("{text}")
    };
    insta::assert_json_snapshot!(serde_json::from_str::<Value>(line).expect("JSON"));
}

#[test]
fn the_exit_status_follows_fail_on() {
    let found = |args: &[&str]| run(SHOP, args).0;
    assert_eq!(found(&["--fail-on", "error"]), status(0));
    assert_eq!(found(&["--fail-on", "note"]), status(1));
    assert_eq!(
        found(&[
            "--allow",
            "selects-no-pods",
            "--allow",
            "duplicate",
            "--fail-on",
            "warning"
        ]),
        status(0)
    );
    let clean = "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n";
    assert_eq!(
        run(clean, &["--fail-on", "note"]),
        (status(0), "0 errors, 0 warnings, 0 notes\n".to_owned())
    );
}

#[test]
fn what_is_invalid_is_an_error_and_nothing_is_said() {
    let (error, text) = run(
        &SHOP.replace("ports:\n    - port: 80\n", "ports:\n    - prot: 80\n"),
        &[],
    );
    assert!(error.starts_with("DIR/a b.yaml, document 1, line 10"), "{error}");
    assert_eq!(text, "");
}

#[test]
fn arguments_are_checked() {
    let parse = |args: &[&str]| Command::try_parse_from(["lint"].iter().chain(args)).map_err(|error| error.to_string());
    assert!(parse(&[]).is_ok(), "the current cluster");
    assert!(parse(&["manifests", "--kubeconfig", "config"]).is_err());
    assert!(parse(&["--manifests", "manifests", "--context", "home"]).is_err());
    assert!(parse(&["--manifests", "a", "b"]).is_ok());
    let error = parse(&["a", "--only", "shadwed"]).expect_err("no such code");
    assert!(error.contains("did you mean `shadowed`?"), "{error}");
}

#[test]
fn a_code_is_explained_and_all_are_listed() {
    let explained = |code: &str| explain(code).expect("a page");
    assert!(explained("no-dns").starts_with("no-dns (lint)\nPods that are isolated for egress may not ask DNS.\n"));
    assert_eq!(explained("all").lines().count(), Code::ALL.len());
    let error = explain("no-dsn").expect_err("no such code").to_string();
    assert!(error.contains("`no-dns`"), "{error}");
}

#[test]
fn sarif_has_what_its_schema_demands() {
    let (done, text) = run(SHOP, &["-o", "sarif"]);
    assert_eq!(done, status(1));
    let log: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().expect("rules");
    assert_eq!(rules.len(), Code::ALL.len());
    // What code hosts ask for beyond the schema.
    for rule in rules {
        let text = |part: &str| rule[part]["text"].as_str().is_some_and(|text| text.ends_with('.'));
        assert!(text("shortDescription") && text("fullDescription"), "{rule}");
        assert!(
            rule["defaultConfiguration"]["level"].is_string() && rule["help"]["markdown"].is_string(),
            "{rule}"
        );
    }
    let results = run["results"].as_array().expect("results");
    assert!(!results.is_empty());
    for result in results {
        let index = usize::try_from(result["ruleIndex"].as_u64().expect("an index")).expect("small");
        assert_eq!(rules[index]["id"], result["ruleId"]);
        assert!(["note", "warning", "error"].contains(&result["level"].as_str().expect("a level")));
        assert!(
            result["locations"][0]["physicalLocation"]["region"]["startLine"].is_u64(),
            "{result}"
        );
    }
    insta::assert_json_snapshot!(results[0]);
}

#[test]
fn a_path_becomes_a_reference() {
    let (_, text) = run(SHOP, &["-o", "sarif"]);
    assert!(text.contains("file://DIR/a%20b.yaml"), "{text}");
}

#[test]
fn the_fields_are_those_that_are_documented() {
    let (_, text) = run(SHOP, &["-o", "json"]);
    let record: Value = serde_json::from_str(text.lines().next().expect("a finding")).expect("JSON");
    let mut written = Vec::new();
    for (key, value) in record.as_object().expect("an object") {
        written.push(key.clone());
        written.extend(
            value
                .as_object()
                .into_iter()
                .flat_map(|of| of.keys())
                .map(|part| format!("{key}.{part}")),
        );
    }
    let docs = include_str!("../../../../docs/json.md");
    let section = docs
        .split("\n## ")
        .find(|part| part.starts_with("Finding\n"))
        .expect("a section");
    let mut told: Vec<&str> = section
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once("` |"))
        .map(|(field, _)| field)
        .collect();
    written.sort();
    told.sort_unstable();
    assert_eq!(written, told);
}
