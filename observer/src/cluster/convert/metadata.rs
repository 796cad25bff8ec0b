//! Names, labels, selectors and owners.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1 as core;
use k8s_openapi::apimachinery::pkg::apis::meta::v1 as meta;
use k8s_openapi::jiff::Timestamp;
use serde_json::Value;

use crate::cluster::findings::{At, Findings};
use crate::cluster::strings::intern;
use crate::cluster::syntax;
use crate::objects::{Labels, Name, Namespace, Operator, Requirement, Selector, Str};
use crate::time::Time;

/// The namespace of objects that do not say.
const DEFAULT_NAMESPACE: &str = "default";

/// The label that the API server puts on every namespace.
const NAMESPACE_LABEL: &str = "kubernetes.io/metadata.name";

/// Kinds without a namespace, as far as they are met here.
fn is_cluster_wide(kind: &str) -> bool {
    kind == "Namespace"
        || kind == "Node"
        || kind.contains("Cluster")
        || kind.contains("Global")
        || kind.contains("Admin")
}

/// Namespace and name of an object that may be wrong otherwise.
pub(super) fn peek(value: &Value) -> Name {
    let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str);
    let namespace = if text("/kind").is_some_and(is_cluster_wide) {
        intern("")
    } else {
        namespace_of(value)
    };
    let name = text("/metadata/name").unwrap_or("without a name");
    Name::new(namespace, intern(name))
}

/// The namespace of an object of a kind that is not known here.
pub(super) fn namespace_of(value: &Value) -> Str {
    let written = value.pointer("/metadata/namespace").and_then(Value::as_str);
    intern(written.unwrap_or(DEFAULT_NAMESPACE))
}

/// The name of a namespaced object; its syntax is checked by `syntax`.
pub(super) fn name(
    metadata: &meta::ObjectMeta,
    syntax: fn(&str) -> Result<(), String>,
    findings: &mut Findings,
) -> Option<Name> {
    let namespace = metadata
        .namespace
        .as_deref()
        .filter(|namespace| !namespace.is_empty())
        .unwrap_or(DEFAULT_NAMESPACE);
    let at = At::ROOT.key("metadata");
    let valid = findings.check(at.key("namespace"), syntax::dns_label(namespace));
    let name = plain_name(metadata, syntax, findings)?;
    valid.map(|()| Name::new(intern(namespace), name))
}

/// The name of an object without a namespace.
pub(super) fn plain_name(
    metadata: &meta::ObjectMeta,
    syntax: fn(&str) -> Result<(), String>,
    findings: &mut Findings,
) -> Option<Str> {
    let at = At::ROOT.key("metadata");
    let at = at.key("name");
    let Some(name) = metadata.name.as_deref().filter(|name| !name.is_empty()) else {
        let why = if metadata.generate_name.is_some() {
            "a name is needed: generateName gives one only when the object is created"
        } else {
            "a name is needed"
        };
        findings.error(at, why);
        return None;
    };
    findings.check(at, syntax(name)).map(|()| intern(name))
}

/// A map of labels. Refused ones are left out.
pub(super) fn labels(given: Option<&BTreeMap<String, String>>, at: At<'_>, findings: &mut Findings) -> Labels {
    given
        .into_iter()
        .flatten()
        .filter(|(key, value)| {
            let at = at.key(key);
            let key = findings.check(at, syntax::label_key(key));
            let value = findings.check(at, syntax::label_value(value));
            key.is_some() && value.is_some()
        })
        .map(|(key, value)| (intern(key), intern(value)))
        .collect()
}

/// `metadata.labels`.
pub(super) fn own_labels(metadata: &meta::ObjectMeta, findings: &mut Findings) -> Labels {
    let at = At::ROOT.key("metadata");
    labels(metadata.labels.as_ref(), at.key("labels"), findings)
}

/// A label selector. Refused requirements are left out.
pub(super) fn selector(given: &meta::LabelSelector, at: At<'_>, findings: &mut Findings) -> Selector {
    let matched = labels(given.match_labels.as_ref(), at.key("matchLabels"), findings);
    let mut requirements: Vec<_> = matched
        .iter()
        .map(|(key, value)| Requirement {
            key: key.clone(),
            operator: Operator::In(vec![value.clone()]),
        })
        .collect();
    let at = at.key("matchExpressions");
    for (index, expression) in given.match_expressions.iter().flatten().enumerate() {
        requirements.extend(requirement(expression, at.index(index), findings));
    }
    Selector { requirements }
}

fn requirement(given: &meta::LabelSelectorRequirement, at: At<'_>, findings: &mut Findings) -> Option<Requirement> {
    findings.check(at.key("key"), syntax::label_key(&given.key))?;
    let at_values = at.key("values");
    let mut values = Vec::new();
    for (index, value) in given.values.iter().flatten().enumerate() {
        findings.check(at_values.index(index), syntax::label_value(value))?;
        values.push(intern(value));
    }
    let operator = match given.operator.as_str() {
        "In" | "NotIn" if values.is_empty() => {
            findings.error(at_values, format!("{} needs at least one value", given.operator));
            return None;
        }
        "Exists" | "DoesNotExist" if !values.is_empty() => {
            findings.error(at_values, format!("{} takes no values: remove them", given.operator));
            return None;
        }
        "In" => Operator::In(values),
        "NotIn" => Operator::NotIn(values),
        "Exists" => Operator::Exists,
        "DoesNotExist" => Operator::DoesNotExist,
        other => {
            findings.error(
                at.key("operator"),
                format!("{other:?} is no operator: use In, NotIn, Exists or DoesNotExist"),
            );
            return None;
        }
    };
    Some(Requirement {
        key: intern(&given.key),
        operator,
    })
}

/// A Namespace, with the label that the API server adds.
pub(super) fn namespace(given: &core::Namespace, findings: &mut Findings) -> Option<Namespace> {
    let labels = own_labels(&given.metadata, findings);
    let name = plain_name(&given.metadata, syntax::dns_label, findings)?;
    Some(Namespace {
        labels: labels
            .iter()
            .map(|(key, value)| (key.clone(), value.clone()))
            .chain([(intern(NAMESPACE_LABEL), name.clone())])
            .collect(),
        name,
    })
}

/// A time of the API.
pub(super) fn time(given: Option<&meta::Time>) -> Option<Time> {
    let instant: Timestamp = given?.0;
    u64::try_from(instant.as_nanosecond()).ok().map(Time)
}
