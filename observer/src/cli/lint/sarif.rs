//! Findings as a SARIF 2.1.0 log (OASIS, section 3): one run, a rule for each code, a result for each finding.

use serde_json::{Value, json};

use super::Placed;
use crate::policy::lint::{self, Code};

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// The whole log.
pub(super) fn log(findings: &[Placed]) -> Value {
    let results: Vec<Value> = findings.iter().map(result).collect();
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "observer",
                "version": env!("CARGO_PKG_VERSION"),
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules(),
            }},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

/// A rule for each code, in the order of [`Code::ALL`], which `ruleIndex` counts by.
fn rules() -> Vec<Value> {
    lint::pages()
        .zip(Code::ALL)
        .map(|(page, code)| {
            json!({
                "id": page.code,
                "shortDescription": { "text": page.summary },
                "fullDescription": { "text": meaning(page.body) },
                "defaultConfiguration": { "level": code.severity().word() },
                "help": { "text": page.to_string(), "markdown": page.body },
            })
        })
        .collect()
}

/// The first part of a page, in one line.
fn meaning(body: &str) -> String {
    let lines = body.lines().skip_while(|line| !line.starts_with("## ")).skip(1);
    lines.take_while(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

fn result(Placed { finding, place }: &Placed) -> Value {
    let object = format!("{}/{}", finding.kind, finding.name);
    let mut location = json!({
        "logicalLocations": [{
            "name": &*finding.name.name,
            "fullyQualifiedName": format!("{object}/{}", finding.field),
            "kind": "resource",
        }],
    });
    if let Some(place) = place {
        let mut physical = json!({ "artifactLocation": { "uri": uri(&place.file) } });
        if let Some(line) = place.line {
            physical["region"] = json!({ "startLine": line });
        }
        location["physicalLocation"] = physical;
    }
    json!({
        "ruleId": finding.code.code(),
        "ruleIndex": Code::ALL.iter().position(|code| *code == finding.code),
        "level": finding.severity.word(),
        "message": { "text": format!("{}. To do: {}.", finding.message, finding.help) },
        "locations": [location],
        // The same finding after lines moved: a result that is known is not told again.
        "partialFingerprints": { "objectAndField/v1": format!("{object}/{}/{}", finding.field, finding.code) },
    })
}

/// A path as a URI reference (RFC 3986): relative ones stay relative to where the command ran.
fn uri(path: &str) -> String {
    let mut text = String::new();
    if path.starts_with('/') {
        text.push_str("file://");
    }
    for byte in path.strip_prefix("./").unwrap_or(path).bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => text.push(byte.into()),
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}
