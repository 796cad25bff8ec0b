//! A policy's own manifest with changes made in it: everything else stays as its author wrote it, so that `kubectl apply` loses
//! nothing.

use serde_json::{Map, Value};

use super::manifest::{peer, port, rule};
use super::patch::Patched;
use crate::objects::Rule;
use crate::policy::{Direction, Edit};

/// What the API server sets and `kubectl apply` refuses or ignores.
const OF_THE_SERVER: [&str; 8] = [
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "uid",
];

/// What `kubectl apply` keeps of the last time: an old copy of the object, which it writes anew.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Labels and annotations of tools that write a policy again from their own copy, and what each names.
const MANAGED: [(&str, &str); 5] = [
    ("meta.helm.sh/release-name", "Helm release "),
    ("argocd.argoproj.io/tracking-id", "Argo CD application "),
    ("kustomize.toolkit.fluxcd.io/name", "Flux Kustomization "),
    ("helm.toolkit.fluxcd.io/name", "Flux HelmRelease "),
    ("app.kubernetes.io/managed-by", ""),
];

/// The manifest of a policy with its changes made. `None` where it is not written as the policy is, so that a change has no
/// place in it.
#[must_use]
pub fn edited(mut written: Value, patched: &Patched) -> Option<Value> {
    let object = written.as_object_mut()?;
    object.remove("status");
    // An item of a typed list does not say what it is.
    object
        .entry("apiVersion")
        .or_insert_with(|| "networking.k8s.io/v1".into());
    object.entry("kind").or_insert_with(|| "NetworkPolicy".into());
    let metadata = object.get_mut("metadata")?.as_object_mut()?;
    for key in OF_THE_SERVER {
        metadata.remove(key);
    }
    if let Some(Value::Object(annotations)) = metadata.get_mut("annotations") {
        annotations.remove(LAST_APPLIED);
        if annotations.is_empty() {
            metadata.remove("annotations");
        }
    }
    // Where it was left out, another context's namespace must not be taken.
    let namespace = &*patched.policy.name.namespace;
    metadata.insert("namespace".into(), namespace.into());
    let spec = object.get_mut("spec")?.as_object_mut()?;
    for (direction, edit) in &patched.edits {
        make(spec, *direction, edit)?;
    }
    Some(written)
}

/// Who would undo a change, as `Helm release shop`.
#[must_use]
pub fn manager(written: &Value) -> Option<String> {
    let metadata = written.get("metadata")?;
    let given = |key: &str| {
        let mut maps = ["annotations", "labels"].into_iter();
        maps.find_map(|map| metadata.get(map)?.get(key)?.as_str())
    };
    let managed = MANAGED.iter().find_map(|(key, what)| {
        let name = given(key)?;
        Some(format!("{what}{}", name.split(':').next().unwrap_or(name)))
    });
    managed.or_else(|| {
        let owner = metadata.get("ownerReferences")?.get(0)?;
        let (kind, name) = (owner.get("kind")?.as_str()?, owner.get("name")?.as_str()?);
        Some(format!("{kind} {name}"))
    })
}

fn make(spec: &mut Map<String, Value>, direction: Direction, edit: &Edit) -> Option<()> {
    let (section, way) = match direction {
        Direction::Ingress => ("ingress", "from"),
        Direction::Egress => ("egress", "to"),
    };
    match edit {
        Edit::Port { to, port: added } => push(rule_at(spec, section, *to)?, "ports", port(added)),
        Edit::Peer { to, peer: added } => push(rule_at(spec, section, *to)?, way, peer(added)),
        Edit::Rule { peer, port } => {
            let added = Rule {
                peers: vec![peer.clone()],
                ports: vec![port.clone()],
            };
            push(spec, section, rule(&added, way))
        }
    }
}

fn rule_at<'a>(spec: &'a mut Map<String, Value>, section: &str, number: u32) -> Option<&'a mut Map<String, Value>> {
    let at = usize::try_from(number).ok()?.checked_sub(1)?;
    spec.get_mut(section)?.get_mut(at)?.as_object_mut()
}

/// Appends to a list that may be missing or null.
fn push(map: &mut Map<String, Value>, list: &str, value: Value) -> Option<()> {
    let list = map.entry(list).or_insert(Value::Null);
    if list.is_null() {
        *list = Value::Array(Vec::new());
    }
    list.as_array_mut()?.push(value);
    Some(())
}
