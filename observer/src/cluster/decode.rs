//! A tree of values → an API object, strictly: every field that has the wrong type or does not exist is found.

use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::Segment;

use super::findings::{FieldPath, Finding, Findings, Step};

/// At most so many fields of the wrong type are looked for in one object.
const MAX_TYPE_ERRORS: usize = 50;

/// What is done about fields that do not exist in the API as we know it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Unknown {
    /// Refused, as the API server does (`kubectl --validate=strict`, the default).
    Refuse,
    /// Skipped with a warning. For objects that come from an API server, which has refused what it does not know: it is
    /// newer than we are.
    Warn,
}

/// Reads an object. `None` if a field has the wrong type; the other fields are then still read, to find all such fields.
pub(super) fn decode<T: DeserializeOwned>(mut value: Value, unknown: Unknown, findings: &mut Findings) -> Option<T> {
    let before = findings.errors.len();
    let mut decoded = None;
    // Elements that were taken out of lists, so that what comes after them is told by its old place.
    let mut taken: Vec<(Vec<Step>, usize)> = Vec::new();
    for _ in 0..MAX_TYPE_ERRORS {
        let mut ignored = Vec::new();
        let mut track = serde_path_to_error::Track::new();
        let result = T::deserialize(serde_ignored::Deserializer::new(
            serde_path_to_error::Deserializer::new(&value, &mut track),
            &mut |path: serde_ignored::Path<'_>| {
                let mut steps = Vec::new();
                ignored_steps(&path, &mut steps);
                ignored.push(FieldPath(steps));
            },
        ));
        match result {
            Ok(object) => {
                decoded = Some(object);
                for path in &mut ignored {
                    restore(&mut path.0, &taken);
                }
                refuse(ignored, unknown, findings);
                break;
            }
            Err(error) => {
                let mut path = steps(&track.path());
                if make_zero(&mut value, &path.0, &error) {
                    continue;
                }
                let message = explain(&error, at(&value, &path.0));
                let removed = remove(&mut value, &path.0);
                restore(&mut path.0, &taken);
                if let Some((Step::Index(index), parent)) = path.0.split_last() {
                    taken.push((parent.to_vec(), *index));
                    taken.sort_by_key(|(_, index)| *index);
                }
                findings.errors.push(Finding { path, message });
                if !removed {
                    break;
                }
            }
        }
    }
    decoded.filter(|_| findings.errors.len() == before || findings.errors[before..].iter().all(is_unknown))
}

/// What is said of a field that does not exist.
pub(super) const NO_SUCH_FIELD: &str =
    "there is no such field, and the API server refuses it: check the spelling and the indentation";

fn is_unknown(finding: &Finding) -> bool {
    finding.message == NO_SUCH_FIELD
}

fn refuse(ignored: Vec<FieldPath>, unknown: Unknown, findings: &mut Findings) {
    for path in ignored {
        match unknown {
            Unknown::Refuse => findings.errors.push(Finding {
                path,
                message: NO_SUCH_FIELD.to_owned(),
            }),
            Unknown::Warn => findings.warnings.push(Finding {
                path,
                message: "this field is newer than this version of the observer, which skips it".to_owned(),
            }),
        }
    }
}

fn steps(path: &serde_path_to_error::Path) -> FieldPath {
    FieldPath(
        path.iter()
            .filter_map(|segment| match segment {
                Segment::Seq { index } => Some(Step::Index(*index)),
                Segment::Map { key } => Some(Step::Key(key.clone())),
                Segment::Enum { .. } | Segment::Unknown => None,
            })
            .collect(),
    )
}

fn ignored_steps(path: &serde_ignored::Path<'_>, steps: &mut Vec<Step>) {
    use serde_ignored::Path;
    match path {
        Path::Root => {}
        Path::Seq { parent, index } => {
            ignored_steps(parent, steps);
            steps.push(Step::Index(*index));
        }
        Path::Map { parent, key } => {
            ignored_steps(parent, steps);
            steps.push(Step::Key(key.clone()));
        }
        Path::Some { parent } | Path::NewtypeStruct { parent } | Path::NewtypeVariant { parent } => {
            ignored_steps(parent, steps);
        }
    }
}

fn at<'a>(value: &'a Value, path: &[Step]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, step| match step {
        Step::Key(key) => value.get(key),
        Step::Index(index) => value.get(index),
    })
}

/// Turns places in lists that lost elements back into those of the file. `taken` is in order of index.
fn restore(path: &mut [Step], taken: &[(Vec<Step>, usize)]) {
    for at in 0..path.len() {
        let (parents, rest) = path.split_at_mut(at);
        if let Some(Step::Index(index)) = rest.first_mut() {
            for (_, gone) in taken.iter().filter(|(list, _)| list == parents) {
                if *gone <= *index {
                    *index += 1;
                }
            }
        }
    }
}

/// Writes the zero value in the place of a null, as the API server reads it: `app:` without a value is the empty string.
fn make_zero(value: &mut Value, path: &[Step], error: &serde_json::Error) -> bool {
    let place = path.iter().try_fold(value, |value, step| match step {
        Step::Key(key) => value.get_mut(key),
        Step::Index(index) => value.get_mut(index),
    });
    let text = error.to_string();
    match place {
        Some(place @ Value::Null) if text.contains("expected ") => {
            *place = match needed(&text) {
                "text" => Value::String(String::new()),
                "a number" => Value::from(0),
                "a map" => Value::Object(serde_json::Map::new()),
                _ => return false,
            };
            true
        }
        _ => false,
    }
}

/// Takes the value at `path` out of the tree.
fn remove(value: &mut Value, path: &[Step]) -> bool {
    let Some((last, parents)) = path.split_last() else {
        return false;
    };
    let parent = parents.iter().try_fold(value, |value, step| match step {
        Step::Key(key) => value.get_mut(key),
        Step::Index(index) => value.get_mut(index),
    });
    match (parent, last) {
        (Some(Value::Object(map)), Step::Key(key)) => map.remove(key).is_some(),
        (Some(Value::Array(list)), Step::Index(index)) if *index < list.len() => {
            list.remove(*index);
            true
        }
        _ => false,
    }
}

/// A type error in the words of somebody who writes manifests.
fn explain(error: &serde_json::Error, value: Option<&Value>) -> String {
    let text = error.to_string();
    let wants = |what: &str| text.contains(&format!("expected {what}"));
    let number = |text: &str| text.parse::<f64>().is_ok();
    match value {
        Some(Value::Number(_) | Value::Bool(_)) if wants("a string") => {
            let value = value.map(ToString::to_string).unwrap_or_default();
            let kind = if value == "true" || value == "false" {
                "a boolean (as y, n, yes, no, on and off are)"
            } else {
                "a number"
            };
            format!("{value} is {kind} where text is needed: put it in quotes")
        }
        Some(Value::String(given)) if wants("i32") || wants("i64") => {
            if number(given) {
                format!("{given:?} is text where a number is needed: remove the quotes")
            } else {
                format!("{given:?} is text where a number is needed")
            }
        }
        Some(Value::String(given)) if wants("a boolean") => {
            format!("{given:?} is text where true or false is needed")
        }
        Some(Value::Object(_)) if wants("a sequence") => {
            "this is a map where a list is needed: begin each element with '- '".to_owned()
        }
        Some(Value::Array(_)) if text.contains("invalid type: sequence") && !wants("a sequence") => {
            "this is a list where a single value or a map is needed: remove the '- '".to_owned()
        }
        Some(Value::Null) | None => text,
        Some(value) if text.starts_with("invalid type") => {
            let (is, needs) = (kind_of(value), needed(&text));
            format!("this is {is} where {needs} is needed")
        }
        Some(_) => text,
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    }
}

fn needed(text: &str) -> &str {
    match text.split_once("expected ").map_or("something else", |(_, what)| what) {
        "a string" => "text",
        "a sequence" => "a list",
        "i32" | "i64" => "a number",
        // The names of API structures and of maps: `struct NetworkPolicySpec`, `a map`.
        what if what.starts_with("struct") || what.starts_with(char::is_uppercase) || what.contains("map") => "a map",
        what => what,
    }
}
