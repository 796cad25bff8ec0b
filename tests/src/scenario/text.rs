//! Fills in addresses that only the lab knows.

use serde_json::Value;

use crate::lab::{Family, Lab, addresses};

/// Replaces `{ip}`, `{node}`, `{router}`, `{external}`, `{svc namespace/name}` and `{namespace/name}` in a text.
///
/// # Panics
/// Where the lab has no such thing: a mistake in the scenario. Other braces (nft's own) are left alone.
pub fn fill(text: &str, lab: &Lab, family: Family) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let known = after
            .split_once('}')
            .and_then(|(word, after)| Some((resolve(word, lab, family)?, after)));
        rest = if let Some((value, after)) = known {
            filled.push_str(&value);
            after
        } else {
            filled.push('{');
            after
        };
    }
    filled + rest
}

fn resolve(word: &str, lab: &Lab, family: Family) -> Option<String> {
    Some(match word {
        "ip" => family.nft().to_owned(),
        "host-prefix" => family.host_prefix().to_string(),
        "node" => addresses::node(family).to_string(),
        "router" => addresses::router(family).to_string(),
        "external" => addresses::external(family).to_string(),
        _ => match word.strip_prefix("svc ") {
            Some(service) => lab.service(service).ip(family).to_string(),
            None if word.contains('/') && !word.contains(' ') => lab.pod(word).ip(family).to_string(),
            None => return None,
        },
    })
}

/// [`fill`] for every text inside a JSON value.
pub(super) fn fill_json(value: &Value, lab: &Lab, family: Family) -> Value {
    match value {
        Value::String(text) => Value::String(fill(text, lab, family)),
        Value::Array(items) => items.iter().map(|item| fill_json(item, lab, family)).collect(),
        Value::Object(fields) => fields
            .iter()
            .map(|(key, field)| (key.clone(), fill_json(field, lab, family)))
            .collect(),
        other => other.clone(),
    }
}
