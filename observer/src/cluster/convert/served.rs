//! Which kinds are read, which are policies that are not evaluated, and which do not exist.
//!
//! A policy that is skipped makes an answer `allowed`: what looks like a policy and is none is refused, as the API server does.

use super::foreign;
use crate::objects::Kind;

/// The followed kinds and where they are served.
pub(in crate::cluster) const SERVED: [(&str, &str, Kind); 9] = [
    ("v1", "Pod", Kind::Pod),
    ("v1", "Namespace", Kind::Namespace),
    ("v1", "Service", Kind::Service),
    ("v1", "Node", Kind::Node),
    ("discovery.k8s.io/v1", "EndpointSlice", Kind::EndpointSlice),
    ("networking.k8s.io/v1", "NetworkPolicy", Kind::NetworkPolicy),
    (
        "policy.networking.k8s.io/v1alpha2",
        "ClusterNetworkPolicy",
        Kind::ClusterNetworkPolicy,
    ),
    (
        "policy.networking.k8s.io/v1alpha1",
        "AdminNetworkPolicy",
        Kind::AdminNetworkPolicy,
    ),
    (
        "policy.networking.k8s.io/v1alpha1",
        "BaselineAdminNetworkPolicy",
        Kind::BaselineAdminNetworkPolicy,
    ),
];

/// The API group of NetworkPolicy.
const NETWORKING: &str = "networking.k8s.io";

/// What else that group has, or had (ClusterCIDR, until Kubernetes 1.28).
const NETWORKING_OTHERS: [&str; 5] = ["Ingress", "IngressClass", "IPAddress", "ServiceCIDR", "ClusterCIDR"];

/// The API group of the cluster-wide policies. All its kinds are policies.
pub(in crate::cluster) const CLUSTER_POLICIES: &str = "policy.networking.k8s.io";

/// So many letters may be wrong in a name that was meant.
const SLIP: usize = 2;

/// How a policy kind is called in what is told of it: with its group where another group's policies of that name are read.
pub(in crate::cluster) fn called(version: &str, kind: &str) -> String {
    let group = group_of(version);
    match SERVED.iter().find(|(_, known, _)| *known == kind) {
        Some((right, ..)) if group_of(right) != group => format!("{kind}.{group}"),
        _ => kind.to_owned(),
    }
}

/// What is done with a kind.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Served {
    /// Read.
    As(Kind),
    /// A policy that is not evaluated.
    Foreign,
    /// The kind is followed, but from another API version.
    Elsewhere(&'static str),
    /// There is no such kind in this group; the one that was perhaps meant.
    Nowhere(Option<&'static str>),
    /// Of no use.
    No,
}

/// What is done with a kind of an API version. One that an API server has taken (`exported`) exists.
pub(super) fn served(version: &str, kind: &str, exported: bool) -> Served {
    if let Some(of) = kind.strip_suffix("List") {
        // Without items.
        return match served(version, of, exported) {
            Served::As(_) | Served::Foreign => Served::No,
            other => other,
        };
    }
    let group = group_of(version);
    if let Some((right, _, kind)) = SERVED.iter().find(|(_, name, _)| *name == kind) {
        if *right == version {
            return Served::As(*kind);
        }
        // Kubernetes' own groups: another version of the kind, or a slip. Others may have kinds of the same name.
        let own = !group.contains('.') || (group.ends_with(".k8s.io") && group != CLUSTER_POLICIES);
        if own || (is_slip(group, group_of(right)) && !exported) {
            return Served::Elsewhere(right);
        }
    }
    if foreign::is_policy(group, kind) {
        return Served::Foreign;
    }
    match group {
        CLUSTER_POLICIES if exported => Served::Foreign,
        CLUSTER_POLICIES => Served::Nowhere(nearest(kind, kinds_of(group), usize::MAX)),
        NETWORKING if NETWORKING_OTHERS.contains(&kind) || exported => Served::No,
        NETWORKING => Served::Nowhere(nearest(kind, kinds_of(group).chain(NETWORKING_OTHERS), usize::MAX)),
        _ if exported => Served::No,
        // Of other groups the other kinds are not known.
        _ => match nearest(kind, foreign::policies_of(group).chain(kinds_of(group)), SLIP) {
            Some(meant) => Served::Nowhere(Some(meant)),
            None => Served::No,
        },
    }
}

/// A version of an API that is not Kubernetes' own.
pub(super) fn is_custom(version: &str) -> bool {
    let group = group_of(version);
    group.contains('.') && !group.ends_with(".k8s.io")
}

fn group_of(version: &str) -> &str {
    version.split_once('/').map_or("", |(group, _)| group)
}

/// The policy kinds that are read of a group; of groups without a dot, which are Kubernetes' own, those that could be meant.
fn kinds_of(group: &str) -> impl Iterator<Item = &'static str> {
    SERVED.iter().filter_map(move |(version, kind, _)| {
        let meant = group_of(version) == group || (!group.contains('.') && group_of(version).contains(NETWORKING));
        (meant && kind.ends_with("Policy")).then_some(*kind)
    })
}

/// A group that is written wrongly: of other letters, or without its end.
fn is_slip(group: &str, right: &str) -> bool {
    let cut = right.starts_with(group) && group.len() > right.len() / 2;
    group != right && right.contains('.') && (cut || strsim::osa_distance(group, right) <= SLIP)
}

/// The kind that is written most like this one, with at most so many letters wrong.
fn nearest(kind: &str, among: impl Iterator<Item = &'static str>, most: usize) -> Option<&'static str> {
    let plain = |kind: &str| kind.to_lowercase().replace("policies", "policy");
    let distance = |known: &&str| strsim::osa_distance(&plain(kind), &plain(known));
    among.min_by_key(distance).filter(|known| distance(known) <= most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_that_do_not_exist_are_told_from_those_of_no_use() {
        let nowhere = |meant| Served::Nowhere(Some(meant));
        for (version, kind, expect) in [
            ("networking.k8s.io/v1", "NetworkPolicy", Served::As(Kind::NetworkPolicy)),
            ("networking.k8s.io/v1", "Networkpolicy", nowhere("NetworkPolicy")),
            ("networking.k8s.io/v1", "NetworkPolicies", nowhere("NetworkPolicy")),
            ("networking.k8s.io/v1", "Ingres", nowhere("Ingress")),
            ("networking.k8s.io/v1", "Ingress", Served::No),
            ("networking.k8s.io/v1", "IngressClassList", Served::No),
            ("networking.k8s.io/v1", "NetworkPolicyList", Served::No),
            ("networking.k8s.io/v1", "ServiceCIDR", Served::No),
            ("networking.k8s.io/v1beta1", "IPAddress", Served::No),
            (
                "policy.networking.k8s.io/v1alpha2",
                "ClusterNetworkPolcy",
                nowhere("ClusterNetworkPolicy"),
            ),
            (
                "policy.networking.k8s.io/v1alpha1",
                "AdminNetworkPolicies",
                nowhere("AdminNetworkPolicy"),
            ),
            (
                "policy.networking.k8s.io/v1beta1",
                "ClusterNetworkPolicy",
                Served::Foreign,
            ),
            (
                "networking.k8s/v1",
                "NetworkPolicy",
                Served::Elsewhere("networking.k8s.io/v1"),
            ),
            (
                "networking.k8.io/v1",
                "NetworkPolicy",
                Served::Elsewhere("networking.k8s.io/v1"),
            ),
            ("v1", "Networkpolicy", nowhere("NetworkPolicy")),
            ("cilium.io/v2", "CiliumNetworkPolcy", nowhere("CiliumNetworkPolicy")),
            ("cilium.io/v2", "CiliumLocalRedirectPolicy", Served::No),
            ("projectcalico.org/v3", "StagedNetworkPolicy", Served::No),
            (
                "projectcalico.org/v3",
                "globalnetworkpolicy",
                nowhere("GlobalNetworkPolicy"),
            ),
            ("networking.k8s.aws/v1alpha1", "ClusterNetworkPolicy", Served::Foreign),
            ("networking.k8s.aws/v1alpha1", "PolicyEndpoint", Served::No),
            ("k8s.ovn.org/v1", "EgressFirewall", Served::Foreign),
            ("k8s.ovn.org/v1", "EgressIP", Served::No),
            ("apps/v1", "Deployment", Served::No),
            ("policy/v1", "PodDisruptionBudget", Served::No),
            ("kyverno.io/v1", "ClusterPolicy", Served::No),
            ("security.istio.io/v1", "AuthorizationPolicy", Served::No),
        ] {
            assert_eq!(served(version, kind, false), expect, "{version} {kind}");
        }
    }

    #[test]
    fn what_a_server_has_taken_is_newer_and_no_slip() {
        for (version, kind, expect) in [
            ("networking.k8s.io/v2", "Gateway", Served::No),
            ("policy.networking.k8s.io/v1", "TierPolicy", Served::Foreign),
            ("networking.k9s.io/v1", "NetworkPolicy", Served::No),
        ] {
            assert_eq!(served(version, kind, true), expect, "{version} {kind}");
        }
    }
}
