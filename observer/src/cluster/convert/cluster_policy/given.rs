//! The cluster-wide policies as they are written. One shape for all three kinds: what a kind does not have is refused where
//! it is converted.

use k8s_openapi::apimachinery::pkg::apis::meta::v1 as meta;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::cluster::findings::{FieldPath, Step};

#[derive(Deserialize)]
pub(super) struct Policy {
    #[serde(default)]
    pub(super) metadata: meta::ObjectMeta,
    pub(super) spec: Option<Spec>,
}

#[derive(Deserialize)]
pub(super) struct Spec {
    pub(super) tier: Option<String>,
    pub(super) priority: Option<i32>,
    pub(super) subject: Option<Peer>,
    pub(super) ingress: Option<Vec<Rule>>,
    pub(super) egress: Option<Vec<Rule>>,
}

#[derive(Deserialize)]
pub(super) struct Rule {
    pub(super) name: Option<String>,
    pub(super) action: Option<String>,
    pub(super) from: Option<Vec<Peer>>,
    pub(super) to: Option<Vec<Peer>>,
    pub(super) protocols: Option<Vec<Protocol>>,
    pub(super) ports: Option<Vec<Port>>,
}

/// A peer, or a subject, which has the first two fields only.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Peer {
    pub(super) namespaces: Option<meta::LabelSelector>,
    pub(super) pods: Option<Pods>,
    pub(super) nodes: Option<meta::LabelSelector>,
    pub(super) networks: Option<Vec<String>>,
    pub(super) domain_names: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Pods {
    pub(super) namespace_selector: Option<meta::LabelSelector>,
    pub(super) pod_selector: Option<meta::LabelSelector>,
}

/// v1alpha2.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Protocol {
    pub(super) tcp: Option<OfProtocol>,
    pub(super) udp: Option<OfProtocol>,
    pub(super) sctp: Option<OfProtocol>,
    pub(super) destination_named_port: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OfProtocol {
    pub(super) destination_port: Option<DestinationPort>,
}

#[derive(Deserialize)]
pub(super) struct DestinationPort {
    pub(super) number: Option<i32>,
    pub(super) range: Option<Range>,
}

/// v1alpha1.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Port {
    pub(super) port_number: Option<PortNumber>,
    pub(super) named_port: Option<String>,
    pub(super) port_range: Option<Range>,
}

#[derive(Deserialize)]
pub(super) struct PortNumber {
    pub(super) protocol: Option<String>,
    pub(super) port: Option<i32>,
}

#[derive(Deserialize)]
pub(super) struct Range {
    /// v1alpha1 only.
    pub(super) protocol: Option<String>,
    pub(super) start: Option<i32>,
    pub(super) end: Option<i32>,
}

/// The lists of a rule whose elements have exactly one of these fields.
const CHOICES: [(&str, &[&str]); 4] = [
    ("from", PEERS),
    ("to", PEERS),
    ("protocols", &["tcp", "udp", "sctp", "destinationNamedPort"]),
    ("ports", &["portNumber", "namedPort", "portRange"]),
];
const PEERS: &[&str] = &["namespaces", "pods", "nodes", "networks", "domainNames"];

/// Empties each peer and each protocol that has a field which is not known here, and tells where that field is.
pub(super) fn take_unknown(policy: &mut Map<String, Value>) -> Vec<FieldPath> {
    let mut unknown = Vec::new();
    let Some(spec) = policy.get_mut("spec") else {
        return unknown;
    };
    for direction in ["ingress", "egress"] {
        let rules = spec.get_mut(direction).and_then(Value::as_array_mut);
        for (rule_index, rule) in rules.into_iter().flatten().enumerate() {
            for (list, known) in CHOICES {
                let choices = rule.get_mut(list).and_then(Value::as_array_mut);
                for (index, choice) in choices.into_iter().flatten().enumerate() {
                    let Some(fields) = choice.as_object_mut() else {
                        continue;
                    };
                    if let Some(field) = fields.keys().find(|field| !known.contains(&field.as_str())) {
                        let key = |key: &str| Step::Key(key.to_owned());
                        unknown.push(FieldPath(vec![
                            key("spec"),
                            key(direction),
                            Step::Index(rule_index),
                            key(list),
                            Step::Index(index),
                            key(field),
                        ]));
                        fields.clear();
                    }
                }
            }
        }
    }
    unknown
}
