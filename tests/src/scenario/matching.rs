//! Compares a record with what was expected of it.

use serde_json::Value;

/// What in `got` is not as `expected`, one line each; empty if all is.
///
/// An object must hold every expected key and may hold more; an array must have the same length; anything else must be equal. An
/// object with a single key that begins with `$` is a test instead:
/// `$in` (one of these), `$text` (the value, written as JSON, contains this text), `$not`, `$some` (an element of the array).
pub fn mismatches(expected: &Value, got: &Value) -> Vec<String> {
    let mut found = Vec::new();
    compare("", expected, got, &mut found);
    found
}

fn compare(path: &str, expected: &Value, got: &Value, found: &mut Vec<String>) {
    let matches = |pattern: &Value, value: &Value| mismatches(pattern, value).is_empty();
    let ok = match expected {
        Value::Object(fields) => match fields.iter().next() {
            Some((test, argument)) if fields.len() == 1 && test.starts_with('$') => {
                match (test.as_str(), argument, got) {
                    ("$in", Value::Array(choices), _) => choices.iter().any(|choice| matches(choice, got)),
                    ("$text", Value::String(text), _) => got.to_string().contains(text),
                    ("$not", pattern, _) => !matches(pattern, got),
                    ("$some", pattern, Value::Array(items)) => items.iter().any(|item| matches(pattern, item)),
                    ("$some", ..) => false,
                    _ => panic!("unknown test {test} in a scenario"),
                }
            }
            _ => {
                for (key, field) in fields {
                    compare(&format!("{path}.{key}"), field, &got[key], found);
                }
                return;
            }
        },
        Value::Array(items) => {
            if let Value::Array(others) = got
                && items.len() == others.len()
            {
                for (at, (item, other)) in items.iter().zip(others).enumerate() {
                    compare(&format!("{path}[{at}]"), item, other, found);
                }
                return;
            }
            false
        }
        _ => expected == got,
    };
    if !ok {
        found.push(format!("{path}: expected {expected}, got {got}"));
    }
}

#[cfg(test)]
mod tests {
    use super::mismatches;
    use serde_json::json;

    #[test]
    fn records_may_hold_more_than_was_expected() {
        let got = json!({ "a": 1, "b": { "c": [1, 2], "d": "text" }, "e": null });
        for good in [
            json!({}),
            json!({ "a": 1, "b": { "c": [1, 2] }, "e": null }),
            json!({ "a": { "$in": [0, 1] } }),
            json!({ "b": { "$text": "\"d\":\"te" } }),
            json!({ "b": { "c": { "$some": 2 } } }),
            json!({ "a": { "$not": 2 } }),
        ] {
            assert_eq!(mismatches(&good, &got), Vec::<String>::new(), "{good}");
        }
        for (bad, line) in [
            (json!({ "a": 2 }), ".a: expected 2, got 1"),
            (json!({ "b": { "c": [1] } }), ".b.c: expected [1], got [1,2]"),
            (json!({ "b": { "c": [1, 3] } }), ".b.c[1]: expected 3, got 2"),
            (json!({ "x": 1 }), ".x: expected 1, got null"),
            (json!({ "a": { "$in": [0] } }), ".a: expected {\"$in\":[0]}, got 1"),
            (json!({ "a": { "$not": 1 } }), ".a: expected {\"$not\":1}, got 1"),
            (json!({ "a": { "$some": 1 } }), ".a: expected {\"$some\":1}, got 1"),
        ] {
            assert_eq!(mismatches(&bad, &got), [line], "{bad}");
        }
    }
}
