//! The shape of answers, held against `docs/json.md`.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{answer, read};
use crate::why::tests::names::SHOP;
use crate::why::{AnswerRecord, ErrorRecord};

const DOCS: &str = include_str!("../../../../docs/json.md");

fn documented() -> BTreeSet<String> {
    let section = DOCS.split("\n## ").find(|section| section.starts_with("Answers"));
    section
        .expect("docs/json.md has a section Answers")
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .map(ToOwned::to_owned)
        .collect()
}

/// Paths, except within a verdict, which is documented with the tail.
fn paths(value: &Value, at: &str, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) if !at.ends_with("verdict") => {
            for (key, value) in map {
                let path = format!("{at}{}{key}", if at.is_empty() { "" } else { "." });
                paths(value, &path, into);
                into.insert(path);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| paths(item, &format!("{at}[]"), into)),
        _ => {}
    }
}

#[test]
fn every_field_is_documented_and_every_documented_field_is_there() {
    let world = read(SHOP);
    let answer = answer(&world, "shop/deployment/web", "shop/svc/api:80");
    let mut seen = BTreeSet::new();
    for record in [
        serde_json::to_value(AnswerRecord::new(&answer)),
        serde_json::to_value(ErrorRecord::new(&"bad")),
    ] {
        paths(&record.expect("JSON"), "", &mut seen);
    }
    assert_eq!(seen, documented());
}
