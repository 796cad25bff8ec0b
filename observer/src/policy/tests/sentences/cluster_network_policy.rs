//! The documentation of `ClusterNetworkPolicy` (`policy.networking.k8s.io/v1alpha2`, its types and API overview).

use super::sentences;

// Tiers.
sentences! {
    admin_is_asked_before_network_policies_and_these_before_baseline:
        "cluster c-admin: {tier: Admin, priority: 1, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}], protocols: [{tcp: {destinationPort: {number: 80}}}]}]}
         policy x/p: {podSelector: {matchLabels: {app: a}}, ingress: [{ports: [{port: 80}, {port: 81}]}]}
         cluster c-base: {tier: Baseline, priority: 1, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}]}]}" =>
        "z/a -> x/a : TCP 80 = open, denied
         z/a -> x/a : TCP 81 = open, allowed
         z/a -> x/b : TCP 81 = open, denied";
    there_are_two_tiers:
        "cluster c: {tier: NetworkPolicy, priority: 1, subject: {namespaces: {}}}" => "refused: tier";
    what_the_admin_tier_decides_cannot_be_overridden:
        "cluster c: {tier: Admin, priority: 1, subject: {namespaces: {}}, ingress: [{action: Accept, from: [{namespaces: {matchLabels: {team: blue}}}]}, {action: Deny, from: [{namespaces: {}}]}]}
         policy x/p: {podSelector: {}, ingress: [{from: [{podSelector: {}}]}]}" =>
        "z/a -> x/a : TCP 80 = open, allowed
         x/b -> x/a : TCP 80 = open, denied";
    a_network_policy_is_final_for_the_pods_that_it_selects:
        "policy x/p: {podSelector: {matchLabels: {app: a}}, ingress: [{ports: [{port: 80}]}]}
         cluster deny: {tier: Baseline, priority: 1, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}], protocols: [{tcp: {destinationPort: {number: 80}}}]}, {action: Accept, from: [{namespaces: {}}]}]}" =>
        "z/a -> x/a : TCP 80 = open, allowed
         z/a -> x/a : TCP 81 = open, denied";
    pods_that_no_network_policy_selects_are_evaluated_further:
        "policy x/p: {podSelector: {matchLabels: {app: a}}, ingress: [{}]}
         cluster deny: {tier: Baseline, priority: 1, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}]}]}" =>
        "z/a -> x/b : TCP 80 = open, denied
         z/a -> x/a : TCP 80 = open, allowed";
    a_network_policy_is_final_in_its_own_direction_only:
        "policy x/p: {podSelector: {}, policyTypes: [Ingress], ingress: [{}]}
         cluster deny: {tier: Baseline, priority: 1, subject: {namespaces: {}}, egress: [{action: Deny, to: [{namespaces: {}}]}]}" =>
        "x/a -> x/b : TCP 80 = denied, allowed";
    what_the_baseline_tier_decides_is_final:
        "cluster one: {tier: Baseline, priority: 1, subject: {namespaces: {}}, ingress: [{action: Accept, from: [{namespaces: {matchLabels: {team: blue}}}]}]}
         cluster two: {tier: Baseline, priority: 2, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}]}]}" =>
        "z/a -> x/a : TCP 80 = open, allowed
         x/b -> x/a : TCP 80 = open, denied";
    what_no_tier_decides_is_allowed:
        "cluster c: {tier: Admin, priority: 1, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{pods: {namespaceSelector: {}, podSelector: {matchLabels: {app: none}}}}]}]}" =>
        "z/a -> x/a : TCP 80 = open, open
         x/a -> 1.2.3.4 : TCP 80 = open, n/a";
    selecting_a_pod_does_not_isolate_it:
        "cluster c: {tier: Admin, priority: 1, subject: {namespaces: {}}, ingress: [{action: Accept, from: [{namespaces: {matchLabels: {team: red}}}]}]}" =>
        "x/a -> x/b : TCP 80 = open, allowed
         z/a -> x/b : TCP 80 = open, open
         1.2.3.4 -> x/b : TCP 80 = n/a, open";
}

// Priorities.
sentences! {
    a_priority_is_at_most_1000:
        "cluster c: {tier: Admin, priority: 1001, subject: {namespaces: {}}}" => "refused: priority";
    a_priority_is_not_negative:
        "cluster c: {tier: Admin, priority: -1, subject: {namespaces: {}}}" => "refused: priority";
    lower_priority_values_come_first:
        "cluster a: {tier: Admin, priority: 7, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}]}]}
         cluster b: {tier: Admin, priority: 0, subject: {namespaces: {}}, ingress: [{action: Accept, from: [{namespaces: {matchLabels: {team: blue}}}]}]}
         cluster c: {tier: Admin, priority: 1000, subject: {namespaces: {}}, ingress: [{action: Accept, from: [{namespaces: {}}]}]}" =>
        "z/a -> x/a : TCP 80 = open, allowed
         x/b -> x/a : TCP 80 = open, denied";
    priorities_order_within_a_tier_only:
        "cluster a: {tier: Baseline, priority: 0, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}]}]}
         cluster b: {tier: Admin, priority: 1000, subject: {namespaces: {}}, ingress: [{action: Accept, from: [{namespaces: {}}]}]}" =>
        "z/a -> x/a : TCP 80 = open, allowed";
    of_two_policies_of_one_priority_any_may_be_applied:
        "cluster a: {tier: Admin, priority: 5, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}]}]}
         cluster b: {tier: Admin, priority: 5, subject: {namespaces: {}}, ingress: [{action: Accept, from: [{namespaces: {matchLabels: {team: blue}}}]}]}" =>
        "z/a -> x/a : TCP 80 = open, equal-priority
         x/b -> x/a : TCP 80 = open, denied";
}

// Subject.
sentences! {
    the_subject_is_pods_by_their_namespace:
        "cluster c: {tier: Admin, priority: 1, subject: {namespaces: {matchLabels: {team: red}}}, ingress: [{action: Deny, from: [{namespaces: {}}]}]}" =>
        "z/a -> x/a : TCP 80 = open, denied
         x/a -> z/a : TCP 80 = open, open";
    the_subject_is_pods_by_namespace_and_own_labels:
        "cluster c: {tier: Admin, priority: 1, subject: {pods: {namespaceSelector: {matchLabels: {team: red}}, podSelector: {matchLabels: {app: a}}}}, ingress: [{action: Deny, from: [{namespaces: {}}]}]}" =>
        "z/a -> x/a : TCP 80 = open, denied
         z/a -> x/b : TCP 80 = open, open
         x/a -> z/a : TCP 80 = open, open";
    a_subject_has_one_field:
        "cluster c: {tier: Admin, priority: 1, subject: {namespaces: {}, pods: {namespaceSelector: {}, podSelector: {}}}}" => "refused: subject";
    a_subject_has_a_field:
        "cluster c: {tier: Admin, priority: 1, subject: {}}" => "refused: subject";
    host_network_pods_are_no_subjects:
        "cluster c: {tier: Admin, priority: 1, subject: {namespaces: {}}, egress: [{action: Deny, to: [{namespaces: {}}]}]}" =>
        "z/host -> x/a : TCP 80 = n/a, open
         z/a -> x/a : TCP 80 = denied, open";
    an_empty_namespace_selector_of_a_pod_set_is_every_namespace:
        "cluster c: {tier: Admin, priority: 1, subject: {pods: {namespaceSelector: {}, podSelector: {matchLabels: {app: a}}}}, ingress: [{action: Deny, from: [{namespaces: {}}]}]}" =>
        "x/b -> x/a : TCP 80 = open, denied
         x/b -> z/a : TCP 80 = open, denied";
    an_empty_pod_selector_of_a_pod_set_is_every_pod:
        "cluster c: {tier: Admin, priority: 1, subject: {pods: {namespaceSelector: {matchLabels: {team: red}}, podSelector: {}}}, ingress: [{action: Deny, from: [{namespaces: {}}]}]}" =>
        "z/a -> x/a : TCP 80 = open, denied
         z/a -> x/b : TCP 80 = open, denied
         x/a -> z/a : TCP 80 = open, open";
}

// Rules and actions.
sentences! {
    the_ingress_rule_at_the_top_comes_first:
        "cluster c: {tier: Admin, priority: 1, subject: {namespaces: {}}, ingress: [{action: Accept, from: [{namespaces: {matchLabels: {team: blue}}}]}, {action: Deny, from: [{namespaces: {}}]}, {action: Accept, from: [{namespaces: {}}]}]}" =>
        "z/a -> x/a : TCP 80 = open, allowed
         x/b -> x/a : TCP 80 = open, denied";
    the_egress_rule_at_the_top_comes_first:
        "cluster c: {tier: Admin, priority: 1, subject: {namespaces: {}}, egress: [{action: Accept, to: [{networks: [192.0.2.1/32]}]}, {action: Deny, to: [{networks: [192.0.2.0/24]}]}, {action: Accept, to: [{networks: [192.0.2.2/32]}]}]}" =>
        "x/a -> 192.0.2.1 : TCP 80 = allowed, n/a
         x/a -> 192.0.2.2 : TCP 80 = denied, n/a";
    without_ingress_rules_ingress_is_not_affected:
        "cluster c: {tier: Admin, priority: 1, subject: {namespaces: {}}, egress: [{action: Deny, to: [{namespaces: {}}]}]}" =>
        "x/a -> x/b : TCP 80 = denied, open";
    without_egress_rules_egress_is_not_affected:
        "cluster c: {tier: Admin, priority: 1, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}]}]}" =>
        "x/a -> x/b : TCP 80 = open, denied
         x/a -> 1.2.3.4 : TCP 80 = open, n/a";
    accepted_ingress_is_asked_no_further:
        "cluster a: {tier: Admin, priority: 1, subject: {namespaces: {}}, ingress: [{action: Accept, from: [{namespaces: {}}]}]}
         cluster b: {tier: Admin, priority: 2, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}]}]}
         policy x/p: {podSelector: {}}" =>
        "z/a -> x/a : TCP 80 = open, allowed";
    accepted_egress_still_meets_the_ingress_rules_of_the_destination:
        "cluster a: {tier: Admin, priority: 1, subject: {namespaces: {}}, egress: [{action: Accept, to: [{namespaces: {}}]}]}
         cluster b: {tier: Admin, priority: 2, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {matchLabels: {team: blue}}}]}]}
         policy x/p: {podSelector: {}, policyTypes: [Egress]}" =>
        "x/a -> x/b : TCP 80 = allowed, open
         z/a -> x/b : TCP 80 = allowed, denied";
    denied_traffic_is_asked_no_further:
        "cluster a: {tier: Admin, priority: 1, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}]}]}
         cluster b: {tier: Admin, priority: 2, subject: {namespaces: {}}, ingress: [{action: Accept, from: [{namespaces: {}}]}]}
         policy x/p: {podSelector: {}, ingress: [{}]}" =>
        "z/a -> x/a : TCP 80 = open, denied";
    passed_traffic_skips_the_tier_and_goes_on_with_the_next:
        "cluster a: {tier: Admin, priority: 1, subject: {namespaces: {}}, ingress: [{action: Pass, from: [{namespaces: {}}]}, {action: Deny, from: [{namespaces: {}}]}]}
         cluster b: {tier: Admin, priority: 2, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}]}]}
         policy x/p: {podSelector: {matchLabels: {app: a}}, ingress: [{ports: [{port: 80}]}]}
         cluster z: {tier: Baseline, priority: 1, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}]}]}" =>
        "z/a -> x/a : TCP 80 = open, allowed
         z/a -> x/a : TCP 81 = open, denied
         z/a -> x/b : TCP 80 = open, denied";
    passed_by_the_baseline_it_is_allowed:
        "cluster a: {tier: Baseline, priority: 1, subject: {namespaces: {}}, ingress: [{action: Pass, from: [{namespaces: {}}]}]}
         cluster b: {tier: Baseline, priority: 2, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}]}]}" =>
        "z/a -> x/a : TCP 80 = open, open";
    there_are_three_actions:
        "cluster c: {tier: Admin, priority: 1, subject: {namespaces: {}}, ingress: [{action: Allow, from: [{namespaces: {}}]}]}" => "refused: action";
    one_source_that_matches_is_enough:
        "cluster c: {tier: Admin, priority: 1, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {matchLabels: {team: blue}}}, {pods: {namespaceSelector: {}, podSelector: {matchLabels: {app: b}}}}]}]}" =>
        "z/a -> x/a : TCP 80 = open, denied
         x/b -> x/a : TCP 80 = open, denied
         x/a -> x/b : TCP 80 = open, open";
    one_destination_that_matches_is_enough:
        "cluster c: {tier: Admin, priority: 1, subject: {namespaces: {}}, egress: [{action: Deny, to: [{namespaces: {matchLabels: {team: blue}}}, {networks: [192.0.2.0/24]}]}]}" =>
        "x/a -> z/a : TCP 80 = denied, open
         x/a -> 192.0.2.1 : TCP 80 = denied, n/a
         x/a -> x/b : TCP 80 = open, open";
    a_rule_needs_a_source:
        "cluster c: {tier: Admin, priority: 1, subject: {namespaces: {}}, ingress: [{action: Deny, from: []}]}" => "refused: from";
    a_rule_needs_a_destination:
        "cluster c: {tier: Admin, priority: 1, subject: {namespaces: {}}, egress: [{action: Deny}]}" => "refused: to";
    without_protocols_a_rule_matches_all_traffic:
        "cluster c: {tier: Admin, priority: 1, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}]}]}" =>
        "z/a -> x/a : TCP 1 = open, denied
         z/a -> x/a : UDP 65535 = open, denied
         z/a -> x/a : SCTP 7 = open, denied";
    a_rule_that_says_protocols_says_at_least_one:
        "cluster c: {tier: Admin, priority: 1, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}], protocols: []}]}" => "refused: protocols";
}

// Peers.
sentences! {
    sources_are_all_pods_of_these_namespaces:
        "cluster c: {tier: Admin, priority: 1, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {matchLabels: {team: red}}}]}]}" =>
        "x/a -> x/b : TCP 80 = open, denied
         x/b -> x/a : TCP 80 = open, denied
         z/a -> x/a : TCP 80 = open, open";
    sources_are_a_set_of_pods_in_a_set_of_namespaces:
        "cluster c: {tier: Admin, priority: 1, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{pods: {namespaceSelector: {matchLabels: {team: red}}, podSelector: {matchLabels: {app: a}}}}]}]}" =>
        "x/a -> x/b : TCP 80 = open, denied
         x/b -> x/a : TCP 80 = open, open
         z/a -> x/a : TCP 80 = open, open";
    sources_are_pods_only:
        "cluster c: {tier: Admin, priority: 1, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}]}]}" =>
        "1.2.3.4 -> x/a : TCP 80 = n/a, open
         node n2 -> x/a : TCP 80 = n/a, open";
    ingress_has_no_networks:
        "cluster c: {tier: Admin, priority: 1, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{networks: [192.0.2.0/24]}]}]}" => "refused: networks";
    host_network_pods_are_no_pod_peers:
        "cluster c: {tier: Admin, priority: 1, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}, {pods: {namespaceSelector: {}, podSelector: {}}}]}], egress: [{action: Deny, to: [{namespaces: {}}]}]}" =>
        "z/host -> x/a : TCP 80 = n/a, open
         x/a -> z/host : TCP 80 = open, n/a";
    a_peer_has_one_field:
        "cluster c: {tier: Admin, priority: 1, subject: {namespaces: {}}, egress: [{action: Deny, to: [{namespaces: {}, networks: [192.0.2.0/24]}]}]}" => "refused: to";
    nodes_are_matched_by_their_labels_on_their_addresses:
        "cluster c: {tier: Admin, priority: 1, subject: {namespaces: {}}, egress: [{action: Deny, to: [{nodes: {matchLabels: {role: worker}}}]}]}" =>
        "z/a -> node n1 : TCP 80 = denied, n/a
         z/a -> 192.168.0.2 : TCP 80 = open, n/a
         z/a -> x/a : TCP 80 = open, open";
    an_empty_selector_of_nodes_is_every_node:
        "cluster c: {tier: Admin, priority: 1, subject: {namespaces: {}}, egress: [{action: Deny, to: [{nodes: {}}]}]}" =>
        "z/a -> 192.168.0.1 : TCP 80 = denied, n/a
         z/a -> fd99::2 : TCP 80 = denied, n/a
         z/a -> 192.168.0.3 : TCP 80 = open, n/a";
    networks_are_blocks_of_addresses:
        "cluster c: {tier: Admin, priority: 1, subject: {namespaces: {}}, egress: [{action: Deny, to: [{networks: [192.0.2.0/24, 2001:db8::/32]}]}]}" =>
        "x/a -> 192.0.2.255 : TCP 80 = denied, n/a
         x/a -> 2001:db8::1 : TCP 80 = denied, n/a
         x/a -> 192.0.3.0 : TCP 80 = open, n/a";
    networks_are_compared_with_pods_too:
        "cluster c: {tier: Admin, priority: 1, subject: {namespaces: {}}, egress: [{action: Deny, to: [{networks: [0.0.0.0/0, \"::/0\"]}]}]}" =>
        "x/a -> x/b : TCP 80 = denied, open
         x/a -> 1.2.3.4 : TCP 80 = denied, n/a";
    pods_are_left_out_of_networks_by_passing_them_before:
        "cluster c: {tier: Admin, priority: 1, subject: {namespaces: {}}, egress: [{action: Pass, to: [{namespaces: {}}]}, {action: Deny, to: [{networks: [0.0.0.0/0, \"::/0\"]}]}]}" =>
        "x/a -> x/b : TCP 80 = open, open
         x/a -> 1.2.3.4 : TCP 80 = denied, n/a";
    a_network_is_of_one_family:
        "cluster c: {tier: Admin, priority: 1, subject: {namespaces: {}}, egress: [{action: Deny, to: [{networks: [0.0.0.0/0]}]}]}" =>
        "x/a -> 1.2.3.4 : TCP 80 = denied, n/a
         x/a -> 2001:db8::1 : TCP 80 = open, n/a";
    a_network_is_a_cidr:
        "cluster c: {tier: Admin, priority: 1, subject: {namespaces: {}}, egress: [{action: Deny, to: [{networks: [192.0.2.1]}]}]}" => "refused: networks";
    domain_names_are_supported_in_accept_rules_only:
        "cluster c: {tier: Admin, priority: 1, subject: {namespaces: {}}, egress: [{action: Deny, to: [{domainNames: [example.org]}]}]}" =>
        "x/a -> 192.0.2.1 : TCP 80 = domain-name, n/a";
    domain_names_with_a_deny_behind_them_are_a_list_of_what_may_be_reached:
        "cluster c: {tier: Admin, priority: 1, subject: {namespaces: {}}, egress: [{action: Accept, to: [{domainNames: [example.org]}]}, {action: Deny, to: [{networks: [192.0.2.0/24]}]}]}" =>
        "x/a -> 192.0.2.1 : TCP 80 = domain-name, n/a
         x/a -> 192.0.3.1 : TCP 80 = open, n/a";
    the_star_of_a_domain_name_is_a_prefix:
        "cluster c: {tier: Admin, priority: 1, subject: {namespaces: {}}, egress: [{action: Accept, to: [{domainNames: [\"www.*.org\"]}]}]}" => "refused: domainNames";
}

// Protocols.
sentences! {
    a_protocol_without_a_port_is_every_port_of_it:
        "cluster c: {tier: Admin, priority: 1, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}], protocols: [{udp: {}}]}]}" =>
        "z/a -> x/a : UDP 1 = open, denied
         z/a -> x/a : UDP 65535 = open, denied
         z/a -> x/a : TCP 1 = open, open";
    each_protocol_has_its_own_ports:
        "cluster c: {tier: Admin, priority: 1, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}], protocols: [{tcp: {destinationPort: {number: 80}}}, {sctp: {destinationPort: {number: 81}}}]}]}" =>
        "z/a -> x/a : TCP 80 = open, denied
         z/a -> x/a : SCTP 81 = open, denied
         z/a -> x/a : SCTP 80 = open, open
         z/a -> x/a : TCP 81 = open, open";
    a_range_of_ports_has_both_its_ends:
        "cluster c: {tier: Admin, priority: 1, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}], protocols: [{tcp: {destinationPort: {range: {start: 80, end: 82}}}}]}]}" =>
        "z/a -> x/a : TCP 79 = open, open
         z/a -> x/a : TCP 80 = open, denied
         z/a -> x/a : TCP 82 = open, denied
         z/a -> x/a : TCP 83 = open, open";
    a_range_starts_before_it_ends:
        "cluster c: {tier: Admin, priority: 1, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}], protocols: [{tcp: {destinationPort: {range: {start: 80, end: 80}}}}]}]}" => "refused: range";
    a_port_is_a_number_or_a_range:
        "cluster c: {tier: Admin, priority: 1, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}], protocols: [{tcp: {destinationPort: {number: 80, range: {start: 80, end: 81}}}}]}]}" => "refused: destinationPort";
    a_named_port_is_the_container_port_of_the_destination:
        "cluster c: {tier: Admin, priority: 1, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}], protocols: [{destinationNamedPort: web}]}]}" =>
        "z/a -> x/b : TCP 8080 = open, denied
         z/a -> x/b : UDP 5353 = open, denied
         z/a -> x/b : TCP 9090 = open, open
         x/a -> z/a : TCP 9090 = open, denied";
    nodes_and_networks_have_no_named_ports:
        "cluster c: {tier: Admin, priority: 1, subject: {namespaces: {}}, egress: [{action: Deny, to: [{networks: [192.0.2.0/24]}], protocols: [{destinationNamedPort: web}]}]}" => "refused: amed";
    an_entry_of_protocols_has_one_field:
        "cluster c: {tier: Admin, priority: 1, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}], protocols: [{tcp: {destinationPort: {number: 80}}, udp: {destinationPort: {number: 80}}}]}]}" => "refused: protocols";
}

// Not rules of evaluation: what a rule's name is for, that other things may block what is accepted, that administrators
// should give policies unique priorities, the status, and how many rules, peers or networks there may be (the reader's
// tests). Elsewhere: what fails closed (`cluster_policies::s31`, since only an API server's newer objects have such forms), a
// pod and itself (`a_pod_and_itself_are_subject_only_through_a_service`). What names a `*` matches is asked of nobody as long
// as names are not resolved.
