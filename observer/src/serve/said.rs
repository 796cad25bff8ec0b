//! What the loop says of itself, as status records: the same that `observer tail -o json` prints of its own loop.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::agent::{NodeCoverage, Output};
use crate::objects::Str;
use crate::report::{Event, Status, Summary};
use crate::time::Time;

/// The status record of an output that is one. Where only the namespaces `shown` are, it tells of no others' pods, and nothing at all
/// where that cannot be told apart: a warning may name any object, a counter counts everybody's packets.
pub(super) fn said(output: &Output, node: &Str, shown: Option<&BTreeSet<Str>>, now: Time) -> Option<Status> {
    let (event, text, whole) = match (output, shown) {
        (Output::Coverage(coverage), None) => coverage_of(coverage),
        (Output::Coverage(coverage), Some(shown)) => {
            let (event, text, mut whole) = coverage_of(&only(coverage, shown));
            if let Some(Value::Array(missing)) = whole.get_mut("missing") {
                missing.push(restricted(shown).into());
            }
            (event, text, whole)
        }
        (Output::Warning(text), None) => (Event::Warning, text.clone(), Map::new()),
        (Output::Shortfall(counters), None) => {
            let mut summary = Summary::default();
            summary.set_counters(counters.clone());
            let text = format!("counted so far: {}", summary.left_out()?);
            (Event::Counters, text, fields(json!({ "counters": counters })))
        }
        _ => return None,
    };
    Some(Status::new(now, node, event, text, whole))
}

fn coverage_of(coverage: &NodeCoverage) -> (Event, String, Map<String, Value>) {
    (Event::Coverage, coverage.lines().join("; "), coverage.fields())
}

fn restricted(shown: &BTreeSet<Str>) -> String {
    let names: Vec<&str> = shown.iter().map(|name| &**name).collect();
    format!(
        "only attempts that touch {} are shown (--restrict-namespaces)",
        names.join(", ")
    )
}

/// The same with the pods of these namespaces only.
fn only(coverage: &NodeCoverage, shown: &BTreeSet<Str>) -> NodeCoverage {
    let mut coverage = coverage.clone();
    let is_shown = |pod: &str| {
        let namespace = pod.split_once('/').map_or("", |(namespace, _)| namespace);
        shown.contains(namespace)
    };
    coverage.pods.observed.retain(|observed| is_shown(&observed.pod));
    coverage.pods.unobserved.retain(|unobserved| is_shown(&unobserved.pod));
    coverage
}

fn fields(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}
