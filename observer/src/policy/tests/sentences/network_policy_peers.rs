//! The documentation of `NetworkPolicyPeer` and `IPBlock` (`networking/v1`, `types.go`), and of label selectors (`meta/v1`)
//! as far as peers use them.

use super::sentences;

// IPBlock.
sentences! {
    a_block_is_addresses_that_are_allowed:
        "policy x/p: {podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 192.0.2.0/24}}, {ipBlock: {cidr: 2001:db8::/64}}]}]}" =>
        "192.0.2.0 -> x/a : TCP 80 = n/a, allowed
         192.0.2.255 -> x/a : TCP 80 = n/a, allowed
         192.0.3.0 -> x/a : TCP 80 = n/a, denied
         2001:db8::1 -> x/a : TCP 80 = n/a, allowed
         2001:db8:0:1::1 -> x/a : TCP 80 = n/a, denied";
    exceptions_are_not_in_the_block:
        "policy x/p: {podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 192.0.2.0/24, except: [192.0.2.0/28, 192.0.2.200/32]}}]}]}" =>
        "192.0.2.15 -> x/a : TCP 80 = n/a, denied
         192.0.2.16 -> x/a : TCP 80 = n/a, allowed
         192.0.2.200 -> x/a : TCP 80 = n/a, denied";
    an_exception_says_nothing_of_another_block:
        "policy x/p: {podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 192.0.2.0/24, except: [192.0.2.0/28]}}, {ipBlock: {cidr: 192.0.2.0/30}}]}]}" =>
        "192.0.2.3 -> x/a : TCP 80 = n/a, allowed
         192.0.2.4 -> x/a : TCP 80 = n/a, denied";
    a_block_has_the_form_of_a_cidr:
        "policy x/p: {podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 192.0.2.1}}]}]}" => "refused: cidr";
    a_block_needs_its_cidr:
        "policy x/p: {podSelector: {}, ingress: [{from: [{ipBlock: {except: [192.0.2.0/28]}}]}]}" => "refused: cidr";
    an_exception_outside_the_block_is_rejected:
        "policy x/p: {podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 192.0.2.0/24, except: [192.0.3.0/28]}}]}]}" =>
        "refused: except";
    an_exception_that_is_the_whole_block_is_rejected:
        "policy x/p: {podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 192.0.2.0/24, except: [192.0.2.0/24]}}]}]}" =>
        "refused: except";
}

// NetworkPolicyPeer.
sentences! {
    a_peer_needs_one_of_its_fields:
        "policy x/p: {podSelector: {}, ingress: [{from: [{}]}]}" => "refused: from";
    the_pod_selector_of_a_peer_selects_pods_by_their_labels:
        "policy x/p: {podSelector: {}, ingress: [{from: [{podSelector: {matchExpressions: [{key: app, operator: NotIn, values: [a]}]}}]}]}" =>
        "x/b -> x/a : TCP 80 = open, allowed
         x/a -> x/b : TCP 80 = open, denied";
    an_empty_pod_selector_in_a_peer_is_every_pod:
        "policy x/p: {podSelector: {}, ingress: [{from: [{podSelector: {}}]}]}" =>
        "x/b -> x/a : TCP 80 = open, allowed
         x/a -> x/b : TCP 80 = open, allowed
         1.2.3.4 -> x/a : TCP 80 = n/a, denied";
    both_selectors_of_a_peer_select_pods_in_these_namespaces:
        "policy x/p: {podSelector: {}, ingress: [{from: [{podSelector: {matchLabels: {app: a}}, namespaceSelector: {matchLabels: {team: blue}}}]}]}" =>
        "z/a -> x/b : TCP 80 = open, allowed
         x/a -> x/b : TCP 80 = open, denied
         x/b -> x/a : TCP 80 = open, denied";
    a_pod_selector_alone_selects_in_the_policys_namespace:
        "policy x/p: {podSelector: {}, ingress: [{from: [{podSelector: {matchLabels: {app: a}}}]}]}" =>
        "x/a -> x/b : TCP 80 = open, allowed
         z/a -> x/b : TCP 80 = open, denied";
    the_namespace_selector_selects_by_the_labels_of_namespaces:
        "policy x/p: {podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {team: blue}}}]}]}
         policy z/p: {podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {app: a}}}]}]}" =>
        "z/a -> x/a : TCP 80 = open, allowed
         x/a -> z/a : TCP 80 = open, denied";
    an_empty_namespace_selector_is_every_namespace:
        "policy x/p: {podSelector: {}, ingress: [{from: [{namespaceSelector: {}}]}]}" =>
        "z/a -> x/a : TCP 80 = open, allowed
         x/b -> x/a : TCP 80 = open, allowed
         1.2.3.4 -> x/a : TCP 80 = n/a, denied";
    an_empty_namespace_selector_does_not_widen_the_pod_selector_beside_it:
        "policy x/p: {podSelector: {}, ingress: [{from: [{namespaceSelector: {}, podSelector: {matchLabels: {app: a}}}]}]}" =>
        "z/a -> x/b : TCP 80 = open, allowed
         x/a -> x/b : TCP 80 = open, allowed
         x/b -> x/a : TCP 80 = open, denied";
    a_namespace_selector_alone_selects_all_pods_there:
        "policy x/p: {podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {team: red}}}]}]}" =>
        "x/a -> x/b : TCP 80 = open, allowed
         x/b -> x/a : TCP 80 = open, allowed
         z/a -> x/a : TCP 80 = open, denied";
    a_block_stands_alone:
        "policy x/p: {podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8}, podSelector: {}}]}]}" => "refused: ipBlock";
}

// LabelSelector.
sentences! {
    every_requirement_of_a_selector_must_hold:
        "policy x/p: {podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {team: blue}, matchExpressions: [{key: team, operator: NotIn, values: [blue]}]}}]}]}" =>
        "z/a -> x/a : TCP 80 = open, denied";
    in_wants_the_key_with_one_of_the_values:
        "policy x/p: {podSelector: {matchExpressions: [{key: app, operator: In, values: [b, c]}]}}
         policy z/p: {podSelector: {matchExpressions: [{key: tier, operator: In, values: [b, c]}]}}" =>
        "z/a -> x/b : TCP 80 = open, denied
         z/a -> x/a : TCP 80 = open, open
         x/a -> z/a : TCP 80 = open, open";
    not_in_holds_without_the_key_too:
        "policy x/p: {podSelector: {matchExpressions: [{key: app, operator: NotIn, values: [b, c]}]}}
         policy z/p: {podSelector: {matchExpressions: [{key: tier, operator: NotIn, values: [b, c]}]}}" =>
        "z/a -> x/b : TCP 80 = open, open
         z/a -> x/a : TCP 80 = open, denied
         x/a -> z/a : TCP 80 = open, denied";
    exists_wants_the_key_with_any_value:
        "policy x/p: {podSelector: {matchExpressions: [{key: app, operator: Exists}]}}
         policy z/p: {podSelector: {matchExpressions: [{key: tier, operator: Exists}]}}" =>
        "z/a -> x/a : TCP 80 = open, denied
         x/a -> z/a : TCP 80 = open, open";
    does_not_exist_wants_that_the_key_is_missing:
        "policy x/p: {podSelector: {matchExpressions: [{key: app, operator: DoesNotExist}]}}
         policy z/p: {podSelector: {matchExpressions: [{key: tier, operator: DoesNotExist}]}}" =>
        "z/a -> x/a : TCP 80 = open, open
         x/a -> z/a : TCP 80 = open, denied";
    in_and_not_in_need_values:
        "policy x/p: {podSelector: {matchExpressions: [{key: app, operator: In, values: []}]}}" => "refused: values";
    exists_and_does_not_exist_have_no_values:
        "policy x/p: {podSelector: {matchExpressions: [{key: app, operator: Exists, values: [a]}]}}" => "refused: values";
}
