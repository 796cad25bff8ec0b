//! Which kinds are followed and where they are served.
//!
//! ```text
//! always: Pods, Namespaces, Services, EndpointSlices, Nodes, NetworkPolicies
//! if served: the cluster-wide policies (read), and policies of network plugins (named, since they are not evaluated)
//! ```
//!
//! What is served is asked of the API's own directory, which every authenticated client may read: no right on
//! CustomResourceDefinitions is needed.

use std::collections::BTreeSet;
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{APIGroup, APIResource};
use kube::Client;
use kube::api::ApiResource;
use tokio::time::timeout;

use super::discover::Answer;
use super::words::{self, Why};
use crate::cluster::convert::{CLUSTER_POLICIES, FOREIGN, SERVED};
use crate::objects::{Kind, Scope, Str};

/// A kind that is followed.
#[derive(Clone, Debug, Eq, PartialEq, Ord, PartialOrd, Hash)]
pub(super) struct Followed {
    /// The API group; empty for the core's.
    pub(super) group: Str,
    /// The version that is read.
    pub(super) version: Str,
    /// The name in the path, as `networkpolicies`.
    pub(super) plural: Str,
    /// The name in objects, as `NetworkPolicy`.
    pub(super) kind: Str,
    /// What becomes of its objects; `None` for policies that are not evaluated.
    pub(super) role: Option<Kind>,
}

/// The names in paths of the kinds that every cluster serves.
const ALWAYS: [(Kind, &str); 6] = [
    (Kind::Pod, "pods"),
    (Kind::Namespace, "namespaces"),
    (Kind::Service, "services"),
    (Kind::EndpointSlice, "endpointslices"),
    (Kind::Node, "nodes"),
    (Kind::NetworkPolicy, "networkpolicies"),
];

/// Groups of which the later one is another face of the earlier one's objects.
const SAME: (&str, &str) = ("crd.projectcalico.org", "projectcalico.org");

impl Followed {
    /// The kinds that every cluster serves.
    pub(super) fn always() -> Vec<Self> {
        SERVED
            .iter()
            .filter_map(|(version, name, kind)| {
                let (_, plural) = ALWAYS.iter().find(|(always, _)| always == kind)?;
                let (group, version) = split(version);
                Some(Self::new(group, version, plural, name, Some(*kind)))
            })
            .collect()
    }

    fn new(group: &str, version: &str, plural: &str, kind: &str, role: Option<Kind>) -> Self {
        Self {
            group: group.into(),
            version: version.into(),
            plural: plural.into(),
            kind: kind.into(),
            role,
        }
    }

    /// Every cluster serves it.
    pub(super) fn is_always_served(&self) -> bool {
        ALWAYS.iter().any(|(kind, _)| self.role == Some(*kind))
    }

    /// `group/version`, as objects have it.
    pub(super) fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.to_string()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    /// As `kubectl` names it without doubt: `pods`, `networkpolicies.networking.k8s.io`.
    pub(super) fn resource(&self) -> Str {
        if self.group.is_empty() {
            self.plural.clone()
        } else {
            format!("{}.{}", self.plural, self.group).into()
        }
    }

    /// What the client needs to know.
    pub(super) fn api(&self) -> ApiResource {
        ApiResource {
            group: self.group.to_string(),
            version: self.version.to_string(),
            api_version: self.api_version(),
            kind: self.kind.to_string(),
            plural: self.plural.to_string(),
        }
    }

    /// What is in doubt while the kind as a whole cannot be read.
    pub(super) fn scope(&self) -> Scope {
        match self.role {
            Some(Kind::Service | Kind::EndpointSlice | Kind::Node) => Scope::Addresses(vec![]),
            _ => Scope::Everything,
        }
    }

    /// The rule that a ClusterRole needs for it.
    pub(super) fn rule(&self) -> String {
        format!(
            "{{apiGroups: [{:?}], resources: [{:?}], verbs: [get, list, watch]}}",
            self.group, self.plural
        )
    }
}

fn split(version: &str) -> (&str, &str) {
    version.split_once('/').unwrap_or(("", version))
}

/// What the API's directory says.
#[derive(Debug, Default)]
pub(super) struct Directory {
    /// The kinds that are served now, of those that not every cluster serves.
    pub(super) served: BTreeSet<Followed>,
    /// Groups that exist and did not answer, and why: what they serve is not known.
    pub(super) silent: Vec<(Str, String)>,
}

/// Reads the directory. Each answer may take as long as `patience`: a group behind an extension server that hangs keeps nobody from the
/// others.
///
/// # Errors
/// The list of groups cannot be read: nothing is known then.
pub(super) async fn directory(client: &Client, patience: Duration) -> Answer {
    let late = || format!("no answer within {} s", patience.as_secs());
    let groups = match timeout(patience, client.list_api_groups()).await {
        Ok(Ok(list)) => list.groups,
        Ok(Err(error)) => return Err((words::why_not(&error), words::reason(&error))),
        Err(_) => return Err((Why::Trouble, late())),
    };
    let mut directory = Directory::default();
    let has = |name: &str| groups.iter().any(|group| group.name == name);
    let relevant = |group: &&APIGroup| {
        FOREIGN.iter().any(|(name, _)| *name == group.name) && !(group.name == SAME.1 && has(SAME.0))
    };
    for group in groups.iter().filter(relevant) {
        let mut resources = Vec::new();
        for version in versions(group) {
            let path = format!("{}/{version}", group.name);
            let why = match timeout(patience, client.list_api_group_resources(&path)).await {
                Ok(Ok(list)) => {
                    resources.push((version, list.resources));
                    continue;
                }
                // Gone since the list of groups was read.
                Ok(Err(kube::Error::Api(status))) if status.code == 404 => continue,
                Ok(Err(error)) => error.to_string(),
                Err(_) => late(),
            };
            directory.silent.push((group.name.as_str().into(), why));
            break;
        }
        directory.served.extend(choose(&group.name, &resources));
    }
    Ok(directory)
}

/// A group's versions, the preferred one first.
fn versions(group: &APIGroup) -> Vec<&str> {
    let preferred = group.preferred_version.as_ref().map(|version| version.version.as_str());
    let others = group.versions.iter().map(|version| version.version.as_str());
    preferred
        .into_iter()
        .chain(others.filter(|version| Some(*version) != preferred))
        .collect()
}

/// The policy kinds of a group, each once: in the version that is read, else in any as one that is not evaluated.
fn choose(group: &str, versions: &[(&str, Vec<APIResource>)]) -> Vec<Followed> {
    let kinds = FOREIGN.iter().filter(|(name, _)| *name == group);
    kinds
        .flat_map(|(_, kinds)| *kinds)
        .filter_map(|wanted| {
            let read = SERVED.iter().find_map(|(version, kind, role)| {
                let (of, version) = split(version);
                (of == CLUSTER_POLICIES && of == group && kind == wanted).then_some((version, *role))
            });
            let in_version = |(version, resources): &(&str, Vec<APIResource>)| {
                let found = resources
                    .iter()
                    .find(|resource| resource.kind == *wanted && !resource.name.contains('/'))?;
                let role = read.filter(|(right, _)| right == version).map(|(_, role)| role);
                Some(Followed::new(group, version, &found.name, wanted, role))
            };
            let mut found: Vec<_> = versions.iter().filter_map(in_version).collect();
            // The stable sort keeps the server's preference among those that are not read.
            found.sort_by_key(|followed| followed.role.is_none());
            found.into_iter().next()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `group version/kind,kind version/kind` → what is followed.
    fn check(group: &str, served: &str, expect: &str) {
        let resource = |kind: &str| APIResource {
            kind: kind.to_owned(),
            name: format!("{}s", kind.to_lowercase()),
            ..APIResource::default()
        };
        let versions: Vec<_> = served
            .split(' ')
            .filter_map(|version| version.split_once('/'))
            .map(|(version, kinds)| (version, kinds.split(',').map(resource).collect()))
            .collect();
        let said: Vec<_> = choose(group, &versions)
            .iter()
            .map(|followed| format!("{} {} {:?}", followed.resource(), followed.version, followed.role))
            .collect();
        assert_eq!(said.join("; "), expect, "{group} {served}");
    }

    #[test]
    fn each_policy_kind_is_followed_once() {
        check(
            "cilium.io",
            "v2/CiliumNetworkPolicy,CiliumNode",
            "ciliumnetworkpolicys.cilium.io v2 None",
        );
        check("cilium.io", "v2/CiliumNode", "");
        let group = "policy.networking.k8s.io";
        check(
            group,
            "v1alpha1/AdminNetworkPolicy,BaselineAdminNetworkPolicy v1alpha2/ClusterNetworkPolicy",
            "adminnetworkpolicys.policy.networking.k8s.io v1alpha1 Some(AdminNetworkPolicy); \
             baselineadminnetworkpolicys.policy.networking.k8s.io v1alpha1 Some(BaselineAdminNetworkPolicy); \
             clusternetworkpolicys.policy.networking.k8s.io v1alpha2 Some(ClusterNetworkPolicy)",
        );
        // The version that is read comes before the one that the server prefers.
        check(
            group,
            "v1beta1/ClusterNetworkPolicy v1alpha2/ClusterNetworkPolicy",
            "clusternetworkpolicys.policy.networking.k8s.io v1alpha2 Some(ClusterNetworkPolicy)",
        );
        check(
            group,
            "v1beta1/ClusterNetworkPolicy v1gamma/ClusterNetworkPolicy",
            "clusternetworkpolicys.policy.networking.k8s.io v1beta1 None",
        );
    }

    /// `plural.group` of every rule of the manifests' ClusterRole; of the core group `plural.`.
    fn rights() -> BTreeSet<String> {
        let text = include_str!("../../../../deploy/observer.yaml");
        let list = |line: &str, head: &str| -> Option<Vec<String>> {
            let (_, names) = line.split_once(head)?;
            let names = names.strip_prefix('[')?.strip_suffix(']')?;
            Some(names.split(", ").map(|name| name.replace('"', "")).collect())
        };
        let rules = text
            .lines()
            .zip(text.lines().skip(1))
            .filter_map(|(groups, resources)| Some((list(groups, "- apiGroups: ")?, list(resources, "resources: ")?)));
        rules
            .flat_map(|(groups, resources)| {
                let of = move |group: String| resources.clone().into_iter().map(move |one| format!("{one}.{group}"));
                groups.into_iter().flat_map(of)
            })
            .collect()
    }

    #[test]
    fn the_manifests_give_the_right_on_every_kind_that_is_followed() {
        let rights = rights();
        for followed in Followed::always() {
            let right = format!("{}.{}", followed.plural, followed.group);
            assert!(rights.contains(&right), "{right}");
        }
        for (group, kinds) in FOREIGN {
            for kind in kinds {
                let plural = match kind.to_lowercase() {
                    policy if policy.ends_with("policy") => policy.replace("policy", "policies"),
                    other => other + "s",
                };
                assert!(rights.contains(&format!("{plural}.{group}")), "{plural}.{group}");
            }
        }
    }

    #[test]
    fn six_kinds_are_served_by_every_cluster() {
        let names: Vec<_> = Followed::always()
            .iter()
            .map(|kind| kind.resource().to_string())
            .collect();
        assert_eq!(
            names.join(" "),
            "pods namespaces services nodes endpointslices.discovery.k8s.io networkpolicies.networking.k8s.io"
        );
    }
}
