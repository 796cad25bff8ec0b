//! The kinds that can be served.

use serde_json::{Value, json};

/// A kind and where it is served.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Resource {
    /// Empty for the core's.
    pub group: &'static str,
    /// The version.
    pub version: &'static str,
    /// The name in paths.
    pub plural: &'static str,
    /// The name in objects.
    pub kind: &'static str,
    /// Its objects are in namespaces.
    pub namespaced: bool,
}

const fn of(
    group: &'static str,
    version: &'static str,
    plural: &'static str,
    kind: &'static str,
    namespaced: bool,
) -> Resource {
    Resource {
        group,
        version,
        plural,
        kind,
        namespaced,
    }
}

/// Every kind that is known here. Groups with a dot in front of a company's domain are served once their CRDs are.
pub(super) const ALL: &[Resource] = &[
    of("", "v1", "pods", "Pod", true),
    of("", "v1", "namespaces", "Namespace", false),
    of("", "v1", "services", "Service", true),
    of("", "v1", "nodes", "Node", false),
    of("", "v1", "events", "Event", true),
    of("events.k8s.io", "v1", "events", "Event", true),
    of("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice", true),
    of("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy", true),
    of(
        "policy.networking.k8s.io",
        "v1alpha2",
        "clusternetworkpolicies",
        "ClusterNetworkPolicy",
        false,
    ),
    of(
        "policy.networking.k8s.io",
        "v1alpha1",
        "adminnetworkpolicies",
        "AdminNetworkPolicy",
        false,
    ),
    of("cilium.io", "v2", "ciliumnetworkpolicies", "CiliumNetworkPolicy", true),
];

/// Groups that every server has.
pub(super) const BUILT_IN: &[&str] = &["", "events.k8s.io", "discovery.k8s.io", "networking.k8s.io"];

impl Resource {
    /// The kind of an object.
    pub(super) fn of(object: &Value) -> Option<Self> {
        let (version, kind) = (object["apiVersion"].as_str()?, object["kind"].as_str()?);
        ALL.iter()
            .copied()
            .find(|resource| resource.api_version() == version && resource.kind == kind)
    }

    /// The kind that a path names.
    pub(super) fn at(group: &str, version: &str, plural: &str) -> Option<Self> {
        ALL.iter()
            .copied()
            .find(|resource| (resource.group, resource.version, resource.plural) == (group, version, plural))
    }

    /// `group/version`.
    #[must_use]
    pub fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.to_owned()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }
}

/// The list of groups, as the directory shows it.
pub(super) fn groups(served: impl Fn(&str) -> bool) -> Value {
    let mut names: Vec<&str> = ALL.iter().map(|resource| resource.group).collect();
    names.sort_unstable();
    names.dedup();
    let groups: Vec<_> = names
        .into_iter()
        .filter(|group| !group.is_empty() && served(group))
        .map(|group| {
            let mut versions: Vec<_> = ALL
                .iter()
                .filter(|resource| resource.group == group)
                .map(|resource| json!({ "groupVersion": resource.api_version(), "version": resource.version }))
                .collect();
            versions.dedup();
            json!({ "name": group, "versions": versions, "preferredVersion": versions[0] })
        })
        .collect();
    json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": groups })
}

/// What one version of a group serves; `None` if it is not served.
pub(super) fn resources(group: &str, version: &str) -> Option<Value> {
    let resources: Vec<_> = ALL
        .iter()
        .filter(|resource| resource.group == group && resource.version == version)
        .map(|resource| {
            json!({
                "name": resource.plural, "singularName": resource.kind.to_lowercase(), "namespaced": resource.namespaced,
                "kind": resource.kind, "verbs": ["get", "list", "watch"],
            })
        })
        .collect();
    let group_version = if group.is_empty() {
        version.to_owned()
    } else {
        format!("{group}/{version}")
    };
    (!resources.is_empty()).then(|| {
        json!({ "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": resources })
    })
}
