//! The documentation of `NetworkPolicy`, its spec, rules and ports (`networking/v1`, `types.go`). Peers have their own file.

use super::sentences;

// NetworkPolicy and PolicyType.
sentences! {
    a_policy_describes_what_a_set_of_pods_is_allowed:
        "policy x/p: {podSelector: {matchLabels: {app: a}}, ingress: [{from: [{podSelector: {matchLabels: {app: b}}}]}]}" =>
        "x/b -> x/a : TCP 80 = open, allowed
         z/a -> x/a : TCP 80 = open, denied
         z/a -> x/b : TCP 80 = open, open";
    the_type_ingress_concerns_what_enters_the_selected_pods:
        "policy x/p: {podSelector: {}, policyTypes: [Ingress]}" =>
        "z/a -> x/a : TCP 80 = open, denied
         x/a -> z/a : TCP 80 = open, open";
    the_type_egress_concerns_what_leaves_the_selected_pods:
        "policy x/p: {podSelector: {}, policyTypes: [Egress]}" =>
        "z/a -> x/a : TCP 80 = open, open
         x/a -> z/a : TCP 80 = denied, open";
}

// NetworkPolicySpec.podSelector.
sentences! {
    the_pod_selector_says_to_which_pods_the_policy_applies:
        "policy x/p: {podSelector: {matchLabels: {app: b}}}" =>
        "z/a -> x/b : TCP 80 = open, denied
         z/a -> x/a : TCP 80 = open, open";
    the_rules_hold_for_every_pod_that_is_selected:
        "policy x/p: {podSelector: {matchExpressions: [{key: app, operator: In, values: [a, b]}]}, ingress: [{ports: [{port: 80}]}]}" =>
        "z/a -> x/a : TCP 80 = open, allowed
         z/a -> x/b : TCP 80 = open, allowed
         z/a -> x/a : TCP 81 = open, denied
         z/a -> x/b : TCP 81 = open, denied";
    an_empty_pod_selector_is_every_pod_of_the_policys_namespace:
        "policy x/p: {podSelector: {}}" =>
        "z/a -> x/a : TCP 80 = open, denied
         z/a -> x/b : TCP 80 = open, denied
         x/a -> z/a : TCP 80 = open, open";
    several_policies_may_select_a_pod_and_their_ingress_rules_add_up:
        "policy x/p: {podSelector: {}, ingress: [{ports: [{port: 80}]}]}
         policy x/q: {podSelector: {matchLabels: {app: a}}, ingress: [{ports: [{port: 81}]}]}" =>
        "z/a -> x/a : TCP 80 = open, allowed
         z/a -> x/a : TCP 81 = open, allowed
         z/a -> x/a : TCP 82 = open, denied
         z/a -> x/b : TCP 81 = open, denied";
    a_missing_pod_selector_is_an_empty_one:
        "policy x/p: {policyTypes: [Ingress]}" =>
        "z/a -> x/a : TCP 80 = open, denied
         z/a -> x/b : TCP 80 = open, denied";
}

// NetworkPolicySpec.ingress.
sentences! {
    ingress_is_allowed_where_no_policy_selects_the_pod:
        "policy x/p: {podSelector: {matchLabels: {app: none}}}" =>
        "z/a -> x/a : TCP 80 = open, open";
    ingress_that_no_policy_forbids_needs_the_cluster_policies_too:
        "cluster c: {tier: Baseline, priority: 1, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}]}]}" =>
        "z/a -> x/a : TCP 80 = open, denied";
    ingress_from_the_pods_own_node_is_allowed:
        "policy x/p: {podSelector: {}}
         policy z/p: {podSelector: {}}" =>
        "node n1 -> x/a : TCP 80 = n/a, allowed
         node n1 -> z/a : TCP 80 = n/a, denied";
    ingress_needs_one_rule_of_any_policy_that_selects_the_pod:
        "policy x/p: {podSelector: {}, ingress: [{from: [{podSelector: {}}]}, {from: [{namespaceSelector: {matchLabels: {team: blue}}}], ports: [{port: 80}]}]}
         policy x/q: {podSelector: {matchLabels: {app: b}}, ingress: [{ports: [{port: 443}]}]}" =>
        "x/b -> x/a : TCP 9 = open, allowed
         z/a -> x/a : TCP 80 = open, allowed
         z/a -> x/b : TCP 443 = open, allowed
         z/a -> x/a : TCP 443 = open, denied";
    a_policy_without_ingress_rules_allows_no_ingress_and_isolates:
        "policy x/p: {podSelector: {}, ingress: []}" =>
        "x/b -> x/a : TCP 80 = open, denied
         1.2.3.4 -> x/a : UDP 80 = n/a, denied";
}

// NetworkPolicySpec.egress.
sentences! {
    egress_is_allowed_where_no_policy_selects_the_pod:
        "policy x/p: {podSelector: {matchLabels: {app: b}}, policyTypes: [Egress]}" =>
        "x/a -> 1.2.3.4 : TCP 80 = open, n/a";
    egress_that_no_policy_forbids_needs_the_cluster_policies_too:
        "cluster c: {tier: Baseline, priority: 1, subject: {namespaces: {}}, egress: [{action: Deny, to: [{networks: [1.2.3.0/24]}]}]}" =>
        "x/a -> 1.2.3.4 : TCP 80 = denied, n/a
         x/a -> 1.2.4.4 : TCP 80 = open, n/a";
    egress_needs_one_rule_of_any_policy_that_selects_the_pod:
        "policy x/p: {podSelector: {}, egress: [{to: [{podSelector: {}}]}], policyTypes: [Egress]}
         policy x/q: {podSelector: {matchLabels: {app: a}}, egress: [{ports: [{port: 443}]}], policyTypes: [Egress]}" =>
        "x/a -> x/b : TCP 9 = allowed, open
         x/a -> 1.2.3.4 : TCP 443 = allowed, n/a
         x/b -> 1.2.3.4 : TCP 443 = denied, n/a";
    a_policy_without_egress_rules_limits_all_egress_and_isolates:
        "policy x/p: {podSelector: {}, policyTypes: [Egress], egress: []}" =>
        "x/a -> x/b : TCP 80 = denied, open
         x/a -> 1.2.3.4 : UDP 53 = denied, n/a";
}

// NetworkPolicySpec.policyTypes.
sentences! {
    policy_types_say_to_what_the_policy_relates:
        "policy x/p: {podSelector: {}, policyTypes: [Egress], ingress: [{}], egress: [{ports: [{port: 80}]}]}" =>
        "z/a -> x/a : TCP 80 = open, open
         x/a -> z/a : TCP 80 = allowed, open
         x/a -> z/a : TCP 81 = denied, open";
    both_types_may_be_listed:
        "policy x/p: {podSelector: {}, policyTypes: [Ingress, Egress]}" =>
        "x/a -> x/b : TCP 80 = denied, denied";
    other_types_are_not_valid:
        "policy x/p: {podSelector: {}, policyTypes: [Both]}" => "refused: policyTypes";
    without_types_a_policy_with_egress_rules_concerns_egress:
        "policy x/p: {podSelector: {}, egress: [{ports: [{port: 80}]}]}" =>
        "x/a -> z/a : TCP 80 = allowed, open
         x/a -> z/a : TCP 81 = denied, open";
    without_types_every_policy_concerns_ingress:
        "policy x/p: {podSelector: {}, egress: [{}]}" =>
        "z/a -> x/a : TCP 80 = open, denied";
    a_policy_for_egress_only_needs_the_type_egress:
        "policy x/p: {podSelector: {}, egress: [{}], policyTypes: [Egress]}" =>
        "z/a -> x/a : TCP 80 = open, open
         x/a -> z/a : TCP 80 = allowed, open";
    a_policy_that_forbids_all_egress_needs_the_type_egress:
        "policy x/p: {podSelector: {}, egress: []}" =>
        "x/a -> z/a : TCP 80 = open, open
         z/a -> x/a : TCP 80 = open, denied";
}

// NetworkPolicyIngressRule.
sentences! {
    ingress_must_match_both_ports_and_from:
        "policy x/p: {podSelector: {}, ingress: [{from: [{podSelector: {}}], ports: [{port: 80}]}]}" =>
        "x/b -> x/a : TCP 80 = open, allowed
         x/b -> x/a : TCP 81 = open, denied
         z/a -> x/a : TCP 80 = open, denied";
    the_ports_of_an_ingress_rule_are_those_of_the_selected_pods:
        "policy x/p: {podSelector: {matchLabels: {app: b}}, ingress: [{ports: [{port: web}]}]}" =>
        "z/a -> x/b : TCP 8080 = open, allowed
         z/a -> x/b : TCP 9090 = open, denied";
    one_of_the_ports_of_an_ingress_rule_is_enough:
        "policy x/p: {podSelector: {}, ingress: [{ports: [{port: 80}, {port: 53, protocol: UDP}]}]}" =>
        "z/a -> x/a : TCP 80 = open, allowed
         z/a -> x/a : UDP 53 = open, allowed";
    an_ingress_rule_without_ports_matches_every_port:
        "policy x/p: {podSelector: {matchLabels: {app: a}}, ingress: [{from: [{podSelector: {}}]}]}
         policy x/q: {podSelector: {matchLabels: {app: b}}, ingress: [{from: [{podSelector: {}}], ports: []}]}" =>
        "x/b -> x/a : TCP 1 = open, allowed
         x/b -> x/a : SCTP 65535 = open, allowed
         x/a -> x/b : UDP 1 = open, allowed";
    with_ports_an_ingress_rule_matches_only_these:
        "policy x/p: {podSelector: {}, ingress: [{ports: [{port: 80}, {port: 443}]}]}" =>
        "z/a -> x/a : TCP 443 = open, allowed
         z/a -> x/a : TCP 8443 = open, denied";
    from_lists_the_sources_that_may_enter:
        "policy x/p: {podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {team: blue}}}]}]}" =>
        "z/a -> x/a : TCP 80 = open, allowed
         x/b -> x/a : TCP 80 = open, denied";
    one_of_the_sources_is_enough:
        "policy x/p: {podSelector: {}, ingress: [{from: [{podSelector: {matchLabels: {app: b}}}, {namespaceSelector: {matchLabels: {team: blue}}}]}]}" =>
        "x/b -> x/a : TCP 80 = open, allowed
         z/a -> x/a : TCP 80 = open, allowed
         1.2.3.4 -> x/a : TCP 80 = n/a, denied";
    an_ingress_rule_without_sources_matches_every_source:
        "policy x/p: {podSelector: {matchLabels: {app: a}}, ingress: [{}]}
         policy x/q: {podSelector: {matchLabels: {app: b}}, ingress: [{from: []}]}" =>
        "z/a -> x/a : TCP 80 = open, allowed
         1.2.3.4 -> x/a : TCP 80 = n/a, allowed
         2001:db8::1 -> x/b : TCP 80 = n/a, allowed
         node n2 -> x/b : TCP 80 = n/a, allowed";
    with_sources_an_ingress_rule_matches_only_these:
        "policy x/p: {podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 1.2.3.0/24}}]}]}" =>
        "1.2.3.4 -> x/a : TCP 80 = n/a, allowed
         1.2.4.4 -> x/a : TCP 80 = n/a, denied
         z/a -> x/a : TCP 80 = open, denied";
}

// NetworkPolicyEgressRule.
sentences! {
    egress_must_match_both_ports_and_to:
        "policy x/p: {podSelector: {}, policyTypes: [Egress], egress: [{to: [{podSelector: {}}], ports: [{port: 80}]}]}" =>
        "x/a -> x/b : TCP 80 = allowed, open
         x/a -> x/b : TCP 81 = denied, open
         x/a -> z/a : TCP 80 = denied, open";
    the_ports_of_an_egress_rule_are_those_of_the_destination:
        "policy x/p: {podSelector: {}, policyTypes: [Egress], egress: [{ports: [{port: web}]}]}" =>
        "x/a -> x/b : TCP 8080 = allowed, open
         x/a -> z/a : TCP 9090 = allowed, open
         x/a -> z/a : TCP 8080 = denied, open
         x/a -> 1.2.3.4 : TCP 8080 = denied, n/a";
    one_of_the_ports_of_an_egress_rule_is_enough:
        "policy x/p: {podSelector: {}, policyTypes: [Egress], egress: [{ports: [{port: 53, protocol: UDP}, {port: 53}]}]}" =>
        "x/a -> z/a : UDP 53 = allowed, open
         x/a -> z/a : TCP 53 = allowed, open";
    an_egress_rule_without_ports_matches_every_port:
        "policy x/p: {podSelector: {matchLabels: {app: a}}, policyTypes: [Egress], egress: [{to: [{podSelector: {}}]}]}
         policy x/q: {podSelector: {matchLabels: {app: b}}, policyTypes: [Egress], egress: [{to: [{podSelector: {}}], ports: []}]}" =>
        "x/a -> x/b : SCTP 9 = allowed, open
         x/b -> x/a : UDP 9 = allowed, open";
    with_ports_an_egress_rule_matches_only_these:
        "policy x/p: {podSelector: {}, policyTypes: [Egress], egress: [{ports: [{port: 443}]}]}" =>
        "x/a -> 1.2.3.4 : TCP 443 = allowed, n/a
         x/a -> 1.2.3.4 : TCP 80 = denied, n/a";
    to_lists_the_destinations_that_may_be_reached:
        "policy x/p: {podSelector: {}, policyTypes: [Egress], egress: [{to: [{namespaceSelector: {matchLabels: {team: blue}}}]}]}" =>
        "x/a -> z/a : TCP 80 = allowed, open
         x/a -> x/b : TCP 80 = denied, open";
    one_of_the_destinations_is_enough:
        "policy x/p: {podSelector: {}, policyTypes: [Egress], egress: [{to: [{podSelector: {}}, {ipBlock: {cidr: 1.2.3.0/24}}]}]}" =>
        "x/a -> x/b : TCP 80 = allowed, open
         x/a -> 1.2.3.4 : TCP 80 = allowed, n/a
         x/a -> z/a : TCP 80 = denied, open";
    an_egress_rule_without_destinations_matches_every_destination:
        "policy x/p: {podSelector: {matchLabels: {app: a}}, policyTypes: [Egress], egress: [{}]}
         policy x/q: {podSelector: {matchLabels: {app: b}}, policyTypes: [Egress], egress: [{to: []}]}" =>
        "x/a -> 1.2.3.4 : TCP 80 = allowed, n/a
         x/a -> z/a : TCP 80 = allowed, open
         x/b -> 2001:db8::1 : TCP 80 = allowed, n/a";
    with_destinations_an_egress_rule_matches_only_these:
        "policy x/p: {podSelector: {}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 2001:db8::/32}}]}]}" =>
        "x/a -> 2001:db8::1 : TCP 80 = allowed, n/a
         x/a -> 2001:db9::1 : TCP 80 = denied, n/a
         x/a -> 1.2.3.4 : TCP 80 = denied, n/a";
}

// NetworkPolicyPort.
sentences! {
    the_protocol_must_match_and_is_tcp_udp_or_sctp:
        "policy x/p: {podSelector: {}, ingress: [{ports: [{protocol: SCTP, port: 80}]}]}" =>
        "z/a -> x/a : SCTP 80 = open, allowed
         z/a -> x/a : TCP 80 = open, denied
         z/a -> x/a : UDP 80 = open, denied";
    another_protocol_is_not_valid:
        "policy x/p: {podSelector: {}, ingress: [{ports: [{protocol: ICMP}]}]}" => "refused: protocol";
    without_a_protocol_it_is_tcp:
        "policy x/p: {podSelector: {}, ingress: [{ports: [{port: 80}]}]}" =>
        "z/a -> x/a : TCP 80 = open, allowed
         z/a -> x/a : UDP 80 = open, denied";
    a_port_is_a_number_or_the_name_of_a_port_of_a_pod:
        "policy x/p: {podSelector: {}, ingress: [{ports: [{port: web}, {port: 80}]}]}" =>
        "z/a -> x/b : TCP 8080 = open, allowed
         z/a -> x/b : TCP 80 = open, allowed
         z/a -> x/a : TCP 8080 = open, denied";
    without_a_port_every_number_and_name_of_the_protocol_matches:
        "policy x/p: {podSelector: {}, ingress: [{ports: [{protocol: UDP}]}]}" =>
        "z/a -> x/b : UDP 5353 = open, allowed
         z/a -> x/b : UDP 1 = open, allowed
         z/a -> x/b : TCP 8080 = open, denied";
    an_empty_port_is_every_port_of_tcp:
        "policy x/p: {podSelector: {}, ingress: [{ports: [{}]}]}" =>
        "z/a -> x/a : TCP 65535 = open, allowed
         z/a -> x/a : UDP 1 = open, denied";
    with_a_port_protocol_and_port_must_both_match:
        "policy x/p: {podSelector: {}, ingress: [{ports: [{protocol: UDP, port: web}]}]}" =>
        "z/a -> x/b : UDP 5353 = open, allowed
         z/a -> x/b : TCP 5353 = open, denied
         z/a -> x/b : UDP 8080 = open, denied";
    the_end_port_is_the_last_of_a_range_that_is_allowed:
        "policy x/p: {podSelector: {}, ingress: [{ports: [{port: 80, endPort: 82}]}]}" =>
        "z/a -> x/a : TCP 79 = open, denied
         z/a -> x/a : TCP 80 = open, allowed
         z/a -> x/a : TCP 81 = open, allowed
         z/a -> x/a : TCP 82 = open, allowed
         z/a -> x/a : TCP 83 = open, denied";
    an_end_port_needs_a_port:
        "policy x/p: {podSelector: {}, ingress: [{ports: [{endPort: 82}]}]}" => "refused: endPort";
    an_end_port_needs_a_port_that_is_a_number:
        "policy x/p: {podSelector: {}, ingress: [{ports: [{port: web, endPort: 82}]}]}" => "refused: endPort";
    an_end_port_is_not_less_than_the_port:
        "policy x/p: {podSelector: {}, ingress: [{ports: [{port: 83, endPort: 82}]}]}" => "refused: endPort";
    an_end_port_may_equal_the_port:
        "policy x/p: {podSelector: {}, ingress: [{ports: [{port: 82, endPort: 82}]}]}" =>
        "z/a -> x/a : TCP 82 = open, allowed
         z/a -> x/a : TCP 83 = open, denied";
}

// Not rules of evaluation: that metadata and spec exist and are optional (the reader's tests), that the status is no more,
// that a field was beta in some release, and how lists are merged when they are applied.
