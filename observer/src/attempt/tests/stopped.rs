//! SYNs from elsewhere that die on the node before they reach their pod: an attempt of its own, if nobody else can tell of it.

use super::check;

#[test]
fn what_is_sent_again_and_dies_again_is_told_with_its_drops() {
    check(
        "
        0    drop node x>b syn NETFILTER_DROP nft_do_chain
        1000 drop node x>b syn NETFILTER_DROP nft_do_chain
        3000 drop node x>b syn NETFILTER_DROP nft_do_chain
        ",
        "
        1 1000 Provisional x>b Timeout LeftSource syns=2 drops=NETFILTER_DROP,NETFILTER_DROP unobserved-source
        1 4000 Final x>b Timeout LeftSource syns=3 drops=NETFILTER_DROP,NETFILTER_DROP,NETFILTER_DROP unobserved-source
        ",
    );
}

#[test]
fn one_that_died_alone_may_have_been_answered_by_who_dropped_it() {
    check("0 drop node x>b syn NETFILTER_DROP nft_do_chain", "");
    // A flood has a number for each.
    check(
        "
        0    drop node x>b#1 syn NETFILTER_DROP nft_do_chain
        1000 drop node x>b#2 syn NETFILTER_DROP nft_do_chain
        1500 drop node y>b#1 syn NETFILTER_DROP nft_do_chain
        ",
        "",
    );
}

#[test]
fn what_gets_through_at_last_is_the_same_attempt() {
    check(
        "
        0      drop   node x>b syn NETFILTER_DROP nft_do_chain
        1000   drop   node x>b syn NETFILTER_DROP nft_do_chain
        3000   syn    to-b x>b
        3000.2 synack to-b x>b
        ",
        "
        1 1000 Provisional x>b Timeout LeftSource syns=2 drops=NETFILTER_DROP,NETFILTER_DROP unobserved-source
        1 4200.2 Final x>b Connected by DestinationPod Delivered syns=1 points=to-b took=0.2 unobserved-source answered
        ",
    );
}

#[test]
fn what_begins_or_ends_elsewhere_is_no_attempt_of_this_kind() {
    // The node's own, to nobody, to the node itself, and no SYN.
    for line in [
        "n>b syn NETFILTER_DROP",
        "x>y syn NETFILTER_DROP",
        "x>n syn NETFILTER_DROP",
        "x>b rst NETFILTER_DROP",
    ] {
        check(&format!("0 drop node {line}\n1000 drop node {line}"), "");
    }
}

#[test]
fn a_pod_of_which_no_interface_is_known_yet_is_one_all_the_same() {
    check(
        "
        0    point b nowhere
        0    drop  node x>b syn NETFILTER_DROP
        1000 drop  node x>b syn NETFILTER_DROP
        ",
        "
        1 1000 Provisional x>b Timeout LeftSource syns=2 destination=not-observed drops=NETFILTER_DROP,NETFILTER_DROP unobserved-source
        1 4000 Final x>b Timeout LeftSource syns=2 destination=not-observed drops=NETFILTER_DROP,NETFILTER_DROP unobserved-source
        ",
    );
}
