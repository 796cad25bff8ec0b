//! API object → our object, checked and with defaults as the API server applies them. The only place where API types are
//! seen.
//!
//! Checked is what the observer uses; containers' images, volumes and the like are read for their type only.

mod cluster_policy;
mod foreign;
mod metadata;
mod network_policy;
mod node;
mod pod;
mod served;
mod service;
mod template;

use std::sync::Arc;

use k8s_openapi::api::core::v1 as core;
use k8s_openapi::api::discovery::v1 as discovery;
use k8s_openapi::api::networking::v1 as networking;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::decode::{Unknown, decode};
use super::document::{is_list, list_of};
use super::findings::{FieldPath, Finding, Findings, Step};
use super::strings::intern;
use crate::objects::{ClusterPolicyKind, Kind, Name, Object, Pod, Scope, Str};
pub(super) use foreign::FOREIGN;
pub(super) use served::{CLUSTER_POLICIES, SERVED, called};
use served::{Served, served};

/// One object of a document.
#[derive(Debug)]
pub(super) struct Read {
    /// Where it is in the document: empty, or an item of a list.
    pub(super) path: FieldPath,
    /// Kind and name, as far as they can be read.
    pub(super) label: Option<String>,
    /// What it concerns, if it can be read so far: its namespace, or for a Namespace its name.
    pub(super) scope: Scope,
    pub(super) what: What,
    pub(super) findings: Findings,
}

/// What an object turned out to be.
#[derive(Debug)]
pub(super) enum What {
    /// One that is followed.
    Object(Object),
    /// One that is refused: the findings say why.
    Refused,
    /// A kind that the observer has no use for.
    Unused(Str),
    /// A workload, of which only the pods that it would make are of use; its kind and such a pod.
    Template(Str, Box<Pod>),
    /// A policy of a kind that is not evaluated.
    Foreign(Str),
}

/// Reads objects and collects them.
#[derive(Debug, Default)]
pub(super) struct Reader {
    pub(super) found: Vec<Read>,
}

/// Reads one object of a kind, as an API server gives it, and its name.
pub(super) fn read_one(mut value: Value, version: &str, kind: &str) -> (Name, Read) {
    let path = FieldPath::default();
    match &mut value {
        Value::Object(map) => {
            // The items of a list do not say.
            map.entry("apiVersion").or_insert_with(|| version.into());
            map.entry("kind").or_insert_with(|| kind.into());
            (metadata::peek(&value), read_object(value, &path))
        }
        _ => (metadata::peek(&value), refused(path, NO_OBJECT)),
    }
}

const NO_OBJECT: &str = "this is no Kubernetes object: an object is a map with apiVersion, kind and metadata";

impl Reader {
    /// Notes something that is no object.
    pub(super) fn refuse(&mut self, path: FieldPath, message: impl Into<String>) {
        self.found.push(refused(path, message));
    }

    /// Reads an object; a list is taken apart. `listed` is what the items of a typed list are.
    pub(super) fn read(&mut self, mut value: Value, path: &FieldPath, listed: Option<&(String, String)>) {
        let Value::Object(map) = &mut value else {
            self.refuse(path.clone(), NO_OBJECT);
            return;
        };
        if let Some((version, kind)) = listed {
            map.entry("apiVersion").or_insert_with(|| version.clone().into());
            map.entry("kind").or_insert_with(|| kind.clone().into());
        }
        if is_list(map) && map.get("items").is_some_and(Value::is_array) {
            let listed = list_of(map);
            if let Some(Value::Array(items)) = map.remove("items") {
                for (index, item) in items.into_iter().enumerate() {
                    let mut path = path.clone();
                    path.0.extend([Step::Key("items".to_owned()), Step::Index(index)]);
                    self.read(item, &path, listed.as_ref());
                }
            }
            return;
        }
        self.found.push(read_object(value, path));
    }
}

/// Something that is no object.
fn refused(path: FieldPath, message: impl Into<String>) -> Read {
    Read {
        path: FieldPath::default(),
        label: None,
        scope: Scope::Everything,
        what: What::Refused,
        findings: Findings {
            errors: vec![Finding {
                path,
                message: message.into(),
            }],
            warnings: Vec::new(),
        },
    }
}

fn read_object(value: Value, path: &FieldPath) -> Read {
    let text = |field: &str| value.get(field).and_then(Value::as_str).map(str::to_owned);
    let (Some(version), Some(kind)) = (text("apiVersion"), text("kind")) else {
        let missing = if text("apiVersion").is_none() {
            "apiVersion"
        } else {
            "kind"
        };
        return refused(
            path.clone(),
            format!("this has no {missing}: an object needs apiVersion, kind and metadata.name"),
        );
    };
    let name = metadata::peek(&value);
    let label = Some(format!("{kind} {name}"));
    let mut findings = Findings::default();
    let slip = |field: &str, message: String| Finding {
        path: FieldPath(vec![Step::Key(field.to_owned())]),
        message,
    };
    let (what, scope) = match served(&version, &kind, is_exported(&value)) {
        Served::As(kind) => {
            let object = convert(kind, value, &mut findings);
            let object = object.filter(|_| findings.errors.is_empty());
            (object.map_or(What::Refused, What::Object), scope_of(kind, &name))
        }
        Served::Foreign => {
            let what = What::Foreign(intern(&format!("{} {name}", called(&version, &kind))));
            (what, foreign::subjects(&version, &name, &value))
        }
        Served::Elsewhere(right) => {
            let message = format!("{version} is not served for {kind}: use {right}");
            findings.errors.push(slip("apiVersion", message));
            (What::Refused, Scope::Namespaces(vec![name.namespace.clone()]))
        }
        Served::Nowhere(meant) => {
            let meant = meant
                .map(|meant| format!(": {meant} is perhaps meant"))
                .unwrap_or_default();
            let message = format!("{version} has no kind {kind}, and the API server refuses it{meant}");
            findings.errors.push(slip("kind", message));
            let scope = if name.namespace.is_empty() {
                Scope::Everything
            } else {
                Scope::Namespaces(vec![name.namespace.clone()])
            };
            (What::Refused, scope)
        }
        Served::No => {
            let named = intern(&format!("{kind} ({version})"));
            let what = match template::pod(&version, &kind, &value) {
                Some(pod) => What::Template(named, Box::new(pod)),
                None => What::Unused(named),
            };
            // An operator may make pods of it, there.
            let may_make_pods = matches!(what, What::Unused(_)) && served::is_custom(&version);
            let of = may_make_pods.then(|| metadata::namespace_of(&value));
            (what, Scope::Namespaces(of.into_iter().collect()))
        }
    };
    Read {
        path: path.clone(),
        label,
        scope,
        what,
        findings,
    }
}

/// What an object of a kind concerns: the addresses of a Node concern everybody, and so do cluster-wide policies.
pub(super) fn scope_of(kind: Kind, name: &Name) -> Scope {
    match kind {
        Kind::Node | Kind::ClusterNetworkPolicy | Kind::AdminNetworkPolicy | Kind::BaselineAdminNetworkPolicy => {
            Scope::Everything
        }
        Kind::Namespace => Scope::Namespaces(vec![name.name.clone()]),
        _ => Scope::Namespaces(vec![name.namespace.clone()]),
    }
}

fn convert(kind: Kind, value: Value, findings: &mut Findings) -> Option<Object> {
    match kind {
        Kind::Pod => {
            let pod = api::<core::Pod>(value, findings)?;
            pod::convert(&pod, findings).map(|pod| Object::Pod(Arc::new(pod)))
        }
        Kind::Namespace => {
            let namespace = api::<core::Namespace>(value, findings)?;
            metadata::namespace(&namespace, findings).map(|namespace| Object::Namespace(Arc::new(namespace)))
        }
        Kind::Service => {
            let service = api::<core::Service>(value, findings)?;
            service::convert(&service, findings).map(|service| Object::Service(Arc::new(service)))
        }
        Kind::EndpointSlice => {
            let slice = api::<discovery::EndpointSlice>(value, findings)?;
            service::convert_slice(&slice, findings).map(|slice| Object::EndpointSlice(Arc::new(slice)))
        }
        Kind::Node => {
            let node = api::<core::Node>(value, findings)?;
            node::convert(&node, findings).map(|node| Object::Node(Arc::new(node)))
        }
        Kind::NetworkPolicy => {
            let mut value = value;
            if let Value::Object(map) = &mut value {
                // Servers from 1.24 to 1.27 exported an empty one.
                map.remove("status");
            }
            // A field that we do not know may change what a policy means: never skipped.
            let policy = decode::<networking::NetworkPolicy>(value, Unknown::Refuse, findings)?;
            network_policy::convert(&policy, findings).map(|policy| Object::NetworkPolicy(Arc::new(policy)))
        }
        Kind::ClusterNetworkPolicy => cluster_policy(ClusterPolicyKind::Cluster, value, findings),
        Kind::AdminNetworkPolicy => cluster_policy(ClusterPolicyKind::Admin, value, findings),
        Kind::BaselineAdminNetworkPolicy => cluster_policy(ClusterPolicyKind::Baseline, value, findings),
    }
}

fn cluster_policy(kind: ClusterPolicyKind, value: Value, findings: &mut Findings) -> Option<Object> {
    let exported = is_exported(&value);
    let policy = cluster_policy::convert(kind, value, exported, findings)?;
    Some(Object::ClusterPolicy(Arc::new(policy)))
}

/// It comes from an API server, which has checked it.
fn is_exported(value: &Value) -> bool {
    value.pointer("/metadata/uid").is_some() && value.pointer("/metadata/resourceVersion").is_some()
}

fn api<T: DeserializeOwned>(value: Value, findings: &mut Findings) -> Option<T> {
    let unknown = if is_exported(&value) {
        Unknown::Warn
    } else {
        Unknown::Refuse
    };
    decode(value, unknown, findings)
}
