//! What the page "Network Policies" of Kubernetes' documentation adds to the API's own.

use super::super::fixtures::dialled;
use super::{sentences, with};
use crate::policy::Caveat;

sentences! {
    a_pod_cannot_block_access_to_itself:
        "policy x/p: {podSelector: {}, policyTypes: [Ingress, Egress]}" =>
        "x/a -> x/a : TCP 80 = allowed, allowed
         x/a -> x/b : TCP 80 = denied, denied";
    a_pod_and_the_node_that_it_runs_on_always_reach_each_other:
        "policy x/p: {podSelector: {}, policyTypes: [Ingress, Egress]}
         policy z/p: {podSelector: {}, policyTypes: [Ingress, Egress]}" =>
        "x/a -> node n1 : TCP 80 = allowed, n/a
         node n1 -> x/a : TCP 80 = n/a, allowed
         z/a -> node n1 : TCP 80 = denied, n/a
         node n1 -> z/a : TCP 80 = n/a, denied";
    isolation_for_egress_and_for_ingress_are_declared_on_their_own:
        "policy x/in: {podSelector: {matchLabels: {app: a}}, policyTypes: [Ingress]}
         policy x/out: {podSelector: {matchLabels: {app: b}}, policyTypes: [Egress]}" =>
        "x/a -> z/a : TCP 80 = open, open
         z/a -> x/a : TCP 80 = open, denied
         x/b -> z/a : TCP 80 = denied, open
         z/a -> x/b : TCP 80 = open, open";
    by_default_a_pod_is_isolated_in_no_direction:
        "" =>
        "x/a -> x/b : TCP 80 = open, open
         x/a -> 1.2.3.4 : UDP 53 = open, n/a
         2001:db8::1 -> x/a : SCTP 80 = n/a, open";
    an_isolated_pod_has_the_connections_that_some_policy_allows_and_no_others:
        "policy x/p: {podSelector: {}, policyTypes: [Ingress, Egress], ingress: [{ports: [{port: 80}]}], egress: [{ports: [{port: 443}]}]}" =>
        "z/a -> x/a : TCP 80 = open, allowed
         z/a -> x/a : TCP 443 = open, denied
         x/a -> z/a : TCP 443 = allowed, open
         x/a -> z/a : TCP 80 = denied, open";
    policies_never_conflict_and_their_order_does_not_matter:
        "policy x/b-none: {podSelector: {}}
         policy x/c-some: {podSelector: {}, ingress: [{ports: [{port: 80}]}]}
         policy x/a-none: {podSelector: {}, ingress: []}" =>
        "z/a -> x/a : TCP 80 = open, allowed
         z/a -> x/a : TCP 81 = open, denied";
    both_the_egress_of_the_source_and_the_ingress_of_the_destination_must_allow:
        "policy x/out: {podSelector: {}, policyTypes: [Egress], egress: [{ports: [{port: 80}, {port: 81}]}]}
         policy z/in: {podSelector: {}, ingress: [{ports: [{port: 81}, {port: 82}]}]}" =>
        "x/a -> z/a : TCP 80 = allowed, denied
         x/a -> z/a : TCP 81 = allowed, allowed
         x/a -> z/a : TCP 82 = denied, allowed
         x/a -> z/a : TCP 83 = denied, denied";
    a_rule_may_name_three_kinds_of_sources_and_a_port:
        "policy x/p: {podSelector: {matchLabels: {app: b}}, policyTypes: [Ingress, Egress], ingress: [{from: [{ipBlock: {cidr: 172.20.0.0/16, except: [172.20.1.0/24]}}, {namespaceSelector: {matchLabels: {team: blue}}}, {podSelector: {matchLabels: {app: a}}}], ports: [{protocol: TCP, port: 6379}]}], egress: [{to: [{ipBlock: {cidr: 192.0.2.0/24}}], ports: [{protocol: TCP, port: 5978}]}]}" =>
        "172.20.0.9 -> x/b : TCP 6379 = n/a, allowed
         172.20.1.9 -> x/b : TCP 6379 = n/a, denied
         172.20.2.9 -> x/b : TCP 6379 = n/a, allowed
         172.21.0.9 -> x/b : TCP 6379 = n/a, denied
         z/a -> x/b : TCP 6379 = open, allowed
         x/a -> x/b : TCP 6379 = open, allowed
         x/a -> x/b : TCP 6380 = open, denied
         x/b -> 192.0.2.7 : TCP 5978 = allowed, n/a
         x/b -> 192.0.2.7 : TCP 80 = denied, n/a
         x/b -> x/a : TCP 5978 = denied, open";
    two_selectors_in_one_entry_are_and_in_two_entries_or:
        "policy x/one: {podSelector: {matchLabels: {app: b}}, ingress: [{from: [{namespaceSelector: {matchLabels: {team: red}}, podSelector: {matchLabels: {app: a}}}]}]}
         policy x/two: {podSelector: {matchLabels: {app: a}}, ingress: [{from: [{namespaceSelector: {matchLabels: {team: blue}}}, {podSelector: {matchLabels: {app: b}}}]}]}" =>
        "x/a -> x/b : TCP 80 = open, allowed
         z/a -> x/b : TCP 80 = open, denied
         z/a -> x/a : TCP 80 = open, allowed
         x/b -> x/a : TCP 80 = open, allowed";
    several_namespaces_are_selected_by_their_labels:
        "policy x/p: {podSelector: {}, policyTypes: [Egress], egress: [{to: [{namespaceSelector: {matchExpressions: [{key: team, operator: In, values: [blue, green]}]}}]}]}" =>
        "x/a -> z/a : TCP 80 = allowed, open
         x/a -> x/b : TCP 80 = denied, open";
    a_namespace_is_selected_by_the_label_with_its_name:
        "policy x/p: {podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: z}}}]}]}" =>
        "z/a -> x/a : TCP 80 = open, allowed
         x/b -> x/a : TCP 80 = open, denied";
    a_range_of_ports_takes_one_entry:
        "policy x/p: {podSelector: {}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 192.0.2.0/24}}], ports: [{protocol: TCP, port: 32000, endPort: 32768}]}]}" =>
        "x/a -> 192.0.2.1 : TCP 31999 = denied, n/a
         x/a -> 192.0.2.1 : TCP 32000 = allowed, n/a
         x/a -> 192.0.2.1 : TCP 32768 = allowed, n/a
         x/a -> 192.0.2.1 : TCP 32769 = denied, n/a";
}

// The default policies.
sentences! {
    deny_all_ingress_changes_no_egress:
        "policy x/p: {podSelector: {}, policyTypes: [Ingress]}" =>
        "z/a -> x/a : TCP 80 = open, denied
         x/a -> z/a : TCP 80 = open, open";
    allow_all_ingress_wins_over_policies_that_isolate:
        "policy x/all: {podSelector: {}, ingress: [{}], policyTypes: [Ingress]}
         policy x/none: {podSelector: {}, policyTypes: [Ingress]}" =>
        "z/a -> x/a : TCP 80 = open, allowed
         1.2.3.4 -> x/a : UDP 80 = n/a, allowed";
    deny_all_egress_changes_no_ingress:
        "policy x/p: {podSelector: {}, policyTypes: [Egress]}" =>
        "x/a -> z/a : TCP 80 = denied, open
         z/a -> x/a : TCP 80 = open, open";
    allow_all_egress_wins_over_policies_that_isolate:
        "policy x/all: {podSelector: {}, egress: [{}], policyTypes: [Egress]}
         policy x/none: {podSelector: {}, policyTypes: [Egress]}" =>
        "x/a -> z/a : TCP 80 = allowed, open
         x/a -> 2001:db8::1 : SCTP 80 = allowed, n/a";
    deny_all_of_both_isolates_pods_that_nothing_else_selects:
        "policy x/p: {podSelector: {}, policyTypes: [Ingress, Egress]}
         policy x/q: {podSelector: {matchLabels: {app: a}}, ingress: [{}]}" =>
        "z/a -> x/b : TCP 80 = open, denied
         z/a -> x/a : TCP 80 = open, allowed
         x/a -> z/a : TCP 80 = denied, open";
}

// hostNetwork pods: the page leaves two behaviours open; where they differ, so is the answer.
sentences! {
    a_host_network_pod_may_be_a_pod_or_its_node:
        "policy x/p: {podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {team: blue}}}]}]}
         policy z/p: {podSelector: {}, ingress: [{from: [{namespaceSelector: {}}]}]}" =>
        "z/host -> z/a : TCP 80 = n/a, host-network
         z/host -> x/a : TCP 80 = n/a, allowed";
}

/// "… it is not defined whether this happens before or after NetworkPolicy processing": told as a caveat, and judged as both.
#[test]
fn whether_rewriting_comes_before_the_policies_is_not_defined() {
    let cluster = with(
        "policy x/p: {podSelector: {}, policyTypes: [Ingress, Egress], ingress: [{from: [{podSelector: {}}]}], egress: [{to: [{ipBlock: {cidr: 10.96.0.0/12}}]}]}",
    );
    cluster.check("rewritten x/a -> x/b : TCP 80 = denied, allowed");
    let question = cluster.question("x/a", "1.2.3.4", "TCP 80", false);
    let through_service = dialled(question, "10.96.0.7:80");
    let verdict = cluster.policies.judge(&through_service);
    assert_eq!(verdict.caveats, [Caveat::BlockOnService]);
}

// Not rules of evaluation: that a network plugin must enforce policies (the audit's subject), that replies of an allowed
// connection are allowed (attempts are judged, not packets), that blocks should be external addresses (a caveat where one
// matches a pod: `semantics::s15`), the pod's life cycle and the order in which a policy's parts take effect (`time`), and
// what policies cannot do.
