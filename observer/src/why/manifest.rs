//! A policy as a manifest: what `kubectl apply` takes. For one that nobody wrote down; one that was is changed where it is
//! written, in `written.rs`.

use serde_json::{Map, Value, json};

use crate::objects::{NetworkPolicy, Operator, Peer, PortMatch, PortRule, Rule, Selector};

/// The whole object, as the API has it. `metadata` is name and namespace.
#[must_use]
pub fn manifest(policy: &NetworkPolicy) -> Value {
    let mut types = Vec::new();
    let mut spec = Map::new();
    spec.insert("podSelector".into(), selector(&policy.pod_selector));
    for (isolates, name, section, way, rules) in [
        (policy.isolates_ingress, "Ingress", "ingress", "from", &policy.ingress),
        (policy.isolates_egress, "Egress", "egress", "to", &policy.egress),
    ] {
        if isolates {
            types.push(name);
        }
        if !rules.is_empty() {
            let rules = rules.iter().map(|given| rule(given, way)).collect();
            spec.insert(section.into(), Value::Array(rules));
        }
    }
    // Said even where it is the default: the rules shall not decide what is isolated.
    spec.insert("policyTypes".into(), json!(types));
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": { "name": &*policy.name.name, "namespace": &*policy.name.namespace },
        "spec": spec,
    })
}

pub(super) fn rule(rule: &Rule, way: &str) -> Value {
    let mut map = Map::new();
    if !rule.peers.is_empty() {
        map.insert(way.into(), rule.peers.iter().map(peer).collect());
    }
    if !rule.ports.is_empty() {
        map.insert("ports".into(), rule.ports.iter().map(port).collect());
    }
    Value::Object(map)
}

pub(super) fn peer(peer: &Peer) -> Value {
    match peer {
        Peer::Pods { namespaces, pods } => {
            let mut map = Map::new();
            for (name, given) in [("namespaceSelector", namespaces), ("podSelector", pods)] {
                if let Some(given) = given {
                    map.insert(name.into(), selector(given));
                }
            }
            Value::Object(map)
        }
        Peer::Block { cidr, except } => {
            // The API server refuses host bits.
            let text = |block: &ipnetwork::IpNetwork| format!("{}/{}", block.network(), block.prefix());
            let mut map = Map::new();
            map.insert("cidr".into(), text(cidr).into());
            if !except.is_empty() {
                map.insert("except".into(), except.iter().map(text).collect());
            }
            json!({ "ipBlock": map })
        }
    }
}

pub(super) fn port(port: &PortRule) -> Value {
    let mut map = Map::new();
    map.insert("protocol".into(), port.protocol.to_string().into());
    match &port.port {
        PortMatch::Any => {}
        PortMatch::Name(name) => {
            map.insert("port".into(), (**name).into());
        }
        PortMatch::Range(first, last) => {
            map.insert("port".into(), (*first).into());
            if last > first {
                map.insert("endPort".into(), (*last).into());
            }
        }
    }
    Value::Object(map)
}

/// One value for a key is written as `matchLabels`, as people do.
fn selector(selector: &Selector) -> Value {
    let (mut labels, mut expressions) = (Map::new(), Vec::new());
    for requirement in &selector.requirements {
        let key = &*requirement.key;
        let (operator, values) = match &requirement.operator {
            Operator::In(values) => match values.as_slice() {
                [only] if !labels.contains_key(key) => {
                    labels.insert(key.into(), (**only).into());
                    continue;
                }
                _ => ("In", Some(values)),
            },
            Operator::NotIn(values) => ("NotIn", Some(values)),
            Operator::Exists => ("Exists", None),
            Operator::DoesNotExist => ("DoesNotExist", None),
        };
        let mut map = Map::new();
        map.insert("key".into(), key.into());
        map.insert("operator".into(), operator.into());
        if let Some(values) = values {
            map.insert(
                "values".into(),
                values.iter().map(|value| Value::from(&**value)).collect(),
            );
        }
        expressions.push(Value::Object(map));
    }
    let mut map = Map::new();
    if !labels.is_empty() {
        map.insert("matchLabels".into(), Value::Object(labels));
    }
    if !expressions.is_empty() {
        map.insert("matchExpressions".into(), Value::Array(expressions));
    }
    Value::Object(map)
}
