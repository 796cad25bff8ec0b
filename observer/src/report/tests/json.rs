//! The shape of JSON records, held against `docs/json.md`.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::record;
use super::text::cases;
use crate::attempt::Stage;
use crate::diagnosis::tests::build::{Build, FIRST};
use crate::objects::Name;
use crate::policy::{Direction, RuleId};
use crate::report::{Event, Record, Status};

const DOCS: &str = include_str!("../../../../docs/json.md");

/// Paths in the table under `heading`: lines like "| `points[].syns` | …".
fn documented(heading: &str) -> BTreeSet<String> {
    let section = DOCS
        .split("\n## ")
        .find(|section| section.starts_with(heading))
        .unwrap_or_else(|| panic!("docs/json.md has no section {heading}"));
    section
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .map(ToOwned::to_owned)
        .collect()
}

/// Every path of a value; arrays as `[]`.
fn paths(value: &Value, at: &str, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let path = if at.is_empty() {
                    key.clone()
                } else {
                    format!("{at}.{key}")
                };
                // A pod's labels have keys of their own.
                if key != "labels" {
                    paths(value, &path, into);
                }
                into.insert(path);
            }
        }
        Value::Array(items) => {
            for item in items {
                paths(item, &format!("{at}[]"), into);
            }
        }
        _ => {}
    }
}

/// One build for each cause, and one whose verdict names rules.
fn builds() -> Vec<Build> {
    let allowed = Build::new().connected().with(|all| {
        let rule = |direction| {
            Some(RuleId {
                policy: Name::new("immich", "allow"),
                direction,
                number: 2,
            })
        };
        all.verdict.egress.rule = rule(Direction::Egress);
        all.verdict.ingress.rule = rule(Direction::Ingress);
    });
    cases().into_iter().map(|(_, build)| build).chain([allowed]).collect()
}

fn json_of(build: &Build) -> Value {
    serde_json::to_value(record(build)).expect("a record is JSON")
}

#[test]
fn every_field_is_documented_and_every_documented_field_is_there() {
    let mut seen = BTreeSet::new();
    for build in builds() {
        paths(&json_of(&build), "", &mut seen);
    }
    assert_eq!(seen, documented("Attempts"));

    let mut seen = BTreeSet::new();
    paths(&status(), "", &mut seen);
    assert_eq!(seen, documented("Status"));
}

#[test]
fn every_record_has_every_field_of_its_first_level() {
    let top: BTreeSet<String> = documented("Attempts")
        .into_iter()
        .filter(|path| !path.contains(['.', '[']))
        .collect();
    for build in builds() {
        let Value::Object(map) = json_of(&build) else {
            panic!("a record is an object");
        };
        assert_eq!(map.keys().cloned().collect::<BTreeSet<_>>(), top);
    }
}

#[test]
fn cause_and_confidence_are_null_exactly_when_connected_and_allowed() {
    for (label, build) in cases() {
        let json = json_of(&build);
        let well = json["outcome"] == "connected" && json["verdict"]["decision"] == "allowed";
        assert_eq!(json["cause"].is_null(), well, "{label}");
        assert_eq!(json["confidence"].is_null(), well, "{label}");
    }
}

#[test]
fn type_and_final_follow_the_stage() {
    let cases = [
        (Stage::Provisional, "attempt", false),
        (Stage::Final, "attempt", true),
        (Stage::Revision, "revision", false),
    ];
    for (stage, kind, is_final) in cases {
        let json = json_of(&Build::new().with(|all| all.attempt.stage = stage));
        assert_eq!(json["type"], kind);
        assert_eq!(json["final"], is_final);
        assert_eq!(json["id"], "1898b8c94a242818-00000007");
    }
}

#[test]
fn destination_is_as_dialled_and_named_as_what_it_became() {
    let build = Build::new()
        .service(80, &[(true, false)])
        .became()
        .denied(Direction::Ingress);
    let json = json_of(&build);
    assert_eq!(
        json["destination"],
        json!({
            "ip": "10.96.0.10", "port": 80,
            "kind": "pod", "namespace": "immich", "name": "immich-server-0",
            "workload": {"kind": "Deployment", "name": "immich-server"},
            "labels": {"app": "immich-server"},
            "service": {"namespace": "immich", "name": "immich", "port": 80},
            "perhaps_via": null,
            "backend": {"ip": "10.0.0.2", "port": 2283, "namespace": "immich", "name": "immich-server-0"},
        })
    );
    let unresolved = json_of(&Build::new().service(80, &[]));
    assert_eq!(unresolved["destination"]["kind"], "service");
    assert_eq!(unresolved["destination"]["name"], "immich");
    assert_eq!(unresolved["destination"]["backend"], Value::Null);
}

#[test]
fn a_whole_record() {
    let build = Build::new()
        .service(80, &[(true, false)])
        .became()
        .denied(Direction::Egress)
        .dropped("NETFILTER_DROP", "nft_do_chain");
    insta::assert_json_snapshot!(json_of(&build));
}

fn status() -> Value {
    let mut fields = Map::new();
    fields.insert("interfaces".into(), json!([]));
    let status = Status::new(FIRST, &"node-a".into(), Event::Coverage, "2 interfaces", fields);
    let mut json: Value = serde_json::from_str(&status.json()).expect("JSON");
    assert_eq!(json["fields"], json!({"interfaces": []}));
    json["fields"] = json!({});
    json
}

#[test]
fn a_status_record() {
    assert_eq!(
        status(),
        json!({
            "schema": 1, "type": "status", "time": "2026-03-01T12:53:48.042111Z", "node": "node-a",
            "event": "coverage", "text": "2 interfaces", "fields": {},
        })
    );
}

fn read(json: &Value) -> Result<Record, serde_json::Error> {
    serde_json::from_str(&json.to_string())
}

#[test]
fn what_an_agent_wrote_reads_back_as_it_was() {
    for (index, build) in builds().iter().enumerate() {
        let json = json_of(build);
        let record = read(&json).unwrap_or_else(|error| panic!("build {index}: {error}"));
        assert_eq!(serde_json::to_value(&record).expect("JSON"), json, "build {index}");
    }
    let json = status();
    let status: Status = serde_json::from_str(&json.to_string()).expect("a status");
    assert_eq!(serde_json::to_value(status).expect("JSON"), json);
}

#[test]
fn what_a_newer_agent_adds_is_left_out_and_what_it_renames_is_an_error_that_names_it() {
    let build = Build::new()
        .service(80, &[(true, false)])
        .became()
        .denied(Direction::Egress);
    let plain = json_of(&build);
    let mut newer = plain.clone();
    newer["mood"] = json!("good");
    newer["destination"]["mood"] = json!({"level": 3});
    newer["verdict"]["egress"]["nearest"][0]["mood"] = json!([1]);
    assert_eq!(
        serde_json::to_value(read(&newer).expect("a record")).expect("JSON"),
        plain
    );

    for (field, named) in [("outcome", "moon"), ("cause", "policy-moon"), ("time", "yesterday")] {
        let mut other = plain.clone();
        other[field] = json!(named);
        let error = read(&other).expect_err(field).to_string();
        assert!(error.contains(named), "{field}: {error}");
    }
}
