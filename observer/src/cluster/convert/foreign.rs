//! Policies of network plugins: which kinds they are, and which pods one may select. What they allow and deny is not read.
//!
//! Read is only what is understood without doubt; the rest counts as met, so that the pods are at least those that are selected.

use serde_json::Value;

use super::served::CLUSTER_POLICIES;
use crate::cluster::strings::intern;
use crate::objects::{Name, Operator, Requirement, Scope, Selector, Subjects};

/// API groups whose policies select pods beside NetworkPolicy, and the kinds that do. Not what a plugin makes of other policies
/// for itself (`PolicyEndpoint` of `networking.k8s.aws`).
pub(in crate::cluster) const FOREIGN: [(&str, &[&str]); 8] = [
    (CILIUM, &["CiliumNetworkPolicy", "CiliumClusterwideNetworkPolicy"]),
    (CALICO[0], &["NetworkPolicy", "GlobalNetworkPolicy"]),
    (CALICO[1], &["NetworkPolicy", "GlobalNetworkPolicy"]),
    ("crd.antrea.io", &["NetworkPolicy", "ClusterNetworkPolicy"]),
    (
        "networking.k8s.aws",
        &["ApplicationNetworkPolicy", "ClusterNetworkPolicy"],
    ),
    (OVN, &["EgressFirewall"]),
    (GKE, &["FQDNNetworkPolicy"]),
    // In versions that are not read here.
    (
        CLUSTER_POLICIES,
        &[
            "AdminNetworkPolicy",
            "BaselineAdminNetworkPolicy",
            "ClusterNetworkPolicy",
        ],
    ),
];

const CILIUM: &str = "cilium.io";
const CALICO: [&str; 2] = ["projectcalico.org", "crd.projectcalico.org"];
const OVN: &str = "k8s.ovn.org";
const GKE: &str = "networking.gke.io";

/// Whether a kind is such a policy.
pub(super) fn is_policy(group: &str, kind: &str) -> bool {
    policies_of(group).any(|known| known == kind)
}

/// The policy kinds of a group.
pub(super) fn policies_of(group: &str) -> impl Iterator<Item = &'static str> {
    let groups = FOREIGN.iter().filter(move |(of, _)| *of == group);
    groups.flat_map(|(_, kinds)| kinds.iter().copied())
}

/// The pods that such a policy may select.
pub(super) fn subjects(version: &str, name: &Name, value: &Value) -> Scope {
    let group = version.split_once('/').map_or("", |(group, _)| group);
    let namespace = (!name.namespace.is_empty()).then(|| name.namespace.clone());
    let every = Subjects {
        namespace,
        pods: vec![Selector::default()],
        ingress: true,
        egress: true,
    };
    let spec = value.get("spec");
    Scope::Subjects(match group {
        CILIUM => cilium(value, every),
        _ if CALICO.contains(&group) => {
            let selector = spec.and_then(|spec| spec.get("selector")?.as_str());
            Subjects {
                pods: vec![selector.map(calico).unwrap_or_default()],
                ..every
            }
        }
        // They decide about connections that leave the cluster, or the pod, only.
        OVN | GKE => Subjects {
            ingress: false,
            ..every
        },
        _ => every,
    })
}

/// `spec`, or each of `specs`, has its selector and its sections. Without a section a rule says nothing of that direction
/// (<https://docs.cilium.io/en/stable/security/policy/intro/#rule-basics>).
fn cilium(value: &Value, every: Subjects) -> Subjects {
    let specs = value.get("specs").and_then(Value::as_array).into_iter().flatten();
    let rules: Vec<&Value> = value.get("spec").into_iter().chain(specs).collect();
    // Nodes are selected, not pods: what may reach a pod's node is not read.
    if rules.is_empty() || !rules.iter().all(|rule| rule["endpointSelector"].is_object()) {
        return every;
    }
    let pods = rules
        .iter()
        .map(|rule| cilium_selector(&rule["endpointSelector"]))
        .collect();
    let decides = |way: &str| {
        let sections = [way.to_owned(), format!("{way}Deny")];
        rules.iter().any(|rule| {
            let has = sections.iter().any(|section| !rule[section].is_null());
            // It may isolate without a rule.
            has || rule["enableDefaultDeny"][way] == true
        })
    };
    let (ingress, egress) = (decides("ingress"), decides("egress"));
    // One that says nothing at all is not understood.
    let nothing = !ingress && !egress;
    Subjects {
        namespace: every.namespace,
        ingress: ingress || nothing,
        egress: egress || nothing,
        pods,
    }
}

fn cilium_selector(selector: &Value) -> Selector {
    let labels = selector
        .get("matchLabels")
        .and_then(Value::as_object)
        .into_iter()
        .flatten();
    let is = labels.filter_map(|(key, value)| requirement(cilium_key(key)?, "In", vec![value.as_str()?]));
    let expressions = selector
        .get("matchExpressions")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    let demands = expressions.filter_map(|expression| {
        let values = expression.get("values").and_then(Value::as_array).into_iter().flatten();
        requirement(
            cilium_key(expression.get("key")?.as_str()?)?,
            expression.get("operator")?.as_str()?,
            values.map(Value::as_str).collect::<Option<_>>()?,
        )
    });
    Selector {
        requirements: is.chain(demands).collect(),
    }
}

/// A label of the pod; `None`: one that Cilium gives itself, or that comes from elsewhere.
fn cilium_key(key: &str) -> Option<&str> {
    let key = match key.split_once(':') {
        None => key,
        Some(("k8s" | "any", key)) => key,
        Some(_) => return None,
    };
    let is_own = ["io.kubernetes.", "io.cilium.", "reserved."]
        .iter()
        .any(|prefix| key.starts_with(prefix));
    (!is_own).then_some(key)
}

/// A requirement that a pod must have a label for. That one must not have it is not read: a plugin may leave labels out of account
/// (<https://docs.cilium.io/en/stable/operations/performance/scalability/identity-relevant-labels/>).
fn requirement(key: &str, operator: &str, values: Vec<&str>) -> Option<Requirement> {
    let operator = match operator {
        "In" => Operator::In(values.into_iter().map(intern).collect()),
        "Exists" => Operator::Exists,
        _ => return None,
    };
    Some(Requirement {
        key: intern(key),
        operator,
    })
}

/// What every pod that a selector of Calico selects has: terms of the form `key == 'value'`, joined by `&&`
/// (<https://docs.tigera.io/calico/latest/reference/resources/networkpolicy#selectors>).
fn calico(selector: &str) -> Selector {
    let bare = selector.replace("all()", "").replace("has(", "");
    // What stands beside an "or", or behind a "not", need not hold.
    if ["||", "!", "("].iter().any(|unread| bare.contains(unread)) {
        return Selector::default();
    }
    let terms = selector.split("&&").filter_map(|term| {
        let (key, value) = term.split_once("==")?;
        let (key, value) = (key.trim(), value.trim());
        let quote = value.chars().next().filter(|quote| matches!(quote, '\'' | '"'))?;
        let value = value.strip_prefix(quote)?.strip_suffix(quote)?;
        let plain = |text: &str, more: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c));
        // Calico gives labels of its own, and those of the namespace, under such keys.
        let is_own = ["projectcalico.org/", "pcns.", "pcsa."]
            .iter()
            .any(|prefix| key.starts_with(prefix));
        let is_read = !key.is_empty() && !is_own && plain(key, "-_./") && plain(value, "-_.");
        is_read.then(|| requirement(key, "In", vec![value])).flatten()
    });
    Selector {
        requirements: terms.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A policy's `spec` → the pods, as `namespace {selector} directions`.
    fn check(version: &str, kind: &str, spec: &str, expect: &str) {
        let value: Value = serde_saphyr::from_str(spec).expect("YAML");
        let namespaced = !kind.contains("Cluster") && !kind.contains("Global");
        let name = Name::new(if namespaced { "x" } else { "" }, "p");
        let Scope::Subjects(found) = subjects(version, &name, &value) else {
            panic!("{spec}: a scope of another kind");
        };
        let wanted = |wanted: &Requirement| match &wanted.operator {
            Operator::In(values) => format!("{}={}", wanted.key, values.join("|")),
            _ => wanted.key.to_string(),
        };
        let selector = |selector: &Selector| selector.requirements.iter().map(wanted).collect::<Vec<_>>().join(",");
        let pods: Vec<_> = found
            .pods
            .iter()
            .map(|pods| format!("{{{}}}", selector(pods)))
            .collect();
        let ways = [(found.ingress, "in"), (found.egress, "out")];
        let ways: Vec<_> = ways.iter().filter(|(is, _)| *is).map(|(_, way)| *way).collect();
        let namespace = found.namespace.as_deref().unwrap_or("*");
        let said = format!("{namespace} {} {}", pods.join(" "), ways.join("+"));
        assert_eq!(said, expect, "{kind} {spec}");
    }

    #[test]
    fn cilium_selects_by_labels_of_the_pod_whatever_their_source() {
        let check = |spec, expect| check("cilium.io/v2", "CiliumNetworkPolicy", spec, expect);
        check(
            "spec: {endpointSelector: {matchLabels: {app: b}}, ingress: [{}]}",
            "x {app=b} in",
        );
        check(
            "spec: {endpointSelector: {matchLabels: {'any:t': c, 'k8s:app': b}}, egressDeny: []}",
            "x {t=c,app=b} out",
        );
        check(
            "spec: {endpointSelector: {matchExpressions: [{key: a, operator: In, values: [b, c]}, {key: d, operator: Exists}]}, ingress: [], egress: []}",
            "x {a=b|c,d} in+out",
        );
        check(
            "specs: [{endpointSelector: {matchLabels: {app: b}}, ingress: []}, {endpointSelector: {}, egress: []}]",
            "x {app=b} {} in+out",
        );
    }

    #[test]
    fn what_cilium_may_see_otherwise_counts_as_met() {
        let check = |spec, expect| check("cilium.io/v2", "CiliumNetworkPolicy", spec, expect);
        check(
            "spec: {endpointSelector: {matchLabels: {'k8s:io.kubernetes.pod.namespace': y, 'reserved:host': ''}}, ingress: []}",
            "x {} in",
        );
        check(
            "spec: {endpointSelector: {matchExpressions: [{key: a, operator: NotIn, values: [b]}, {key: c, operator: DoesNotExist}]}, ingress: []}",
            "x {} in",
        );
        check("spec: {endpointSelector: {matchLabels: {app: b}}}", "x {app=b} in+out");
        check(
            "spec: {endpointSelector: {}, ingress: [{}], enableDefaultDeny: {egress: true}}",
            "x {} in+out",
        );
        check("spec: {nodeSelector: {}}", "x {} in+out");
        check("{}", "x {} in+out");
    }

    #[test]
    fn of_calico_only_plain_equalities_are_read() {
        let check = |selector: &str, expect| {
            check(
                "projectcalico.org/v3",
                "GlobalNetworkPolicy",
                &format!("spec: {{selector: {selector:?}}}"),
                expect,
            );
        };
        check("all()", "* {} in+out");
        check("app == 'b'", "* {app=b} in+out");
        check("app == \"b\" && has(c) && d.e/f=='g'", "* {app=b,d.e/f=g} in+out");
        check("app == 'b' || c == 'd'", "* {} in+out");
        check("!(app == 'b')", "* {} in+out");
        check("!(a == 'b' && c == 'd' && e == 'f')", "* {} in+out");
        check("projectcalico.org/namespace == 'y'", "* {} in+out");
    }

    #[test]
    fn egress_firewalls_leave_ingress_alone() {
        check("k8s.ovn.org/v1", "EgressFirewall", "spec: {egress: []}", "x {} out");
        check(
            "networking.gke.io/v1alpha1",
            "FQDNNetworkPolicy",
            "spec: {podSelector: {}}",
            "x {} out",
        );
        check(
            "networking.k8s.aws/v1alpha1",
            "ClusterNetworkPolicy",
            "spec: {}",
            "* {} in+out",
        );
        check(
            "networking.k8s.aws/v1alpha1",
            "ApplicationNetworkPolicy",
            "spec: {podSelector: {}}",
            "x {} in+out",
        );
    }
}
