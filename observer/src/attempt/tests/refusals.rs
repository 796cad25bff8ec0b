//! How attempts end that a RST or an ICMP error ends, and whose it was.

use super::check;

#[test]
fn refused_by_the_destination_pod() {
    check(
        "
        0    syn  from-a a>b
        0.1  syn  to-b   a>b
        0.2  drop pod-b  a>b syn NO_SOCKET
        0.3  rst  to-b   a>b
        0.4  rst  from-a a>b
        ",
        "
        1 5.4 Final a>b Refused by DestinationPod Delivered syns=1 points=from-a,to-b drops=NO_SOCKET answered
        ",
    );
}

#[test]
fn refused_by_the_destination_pod_and_the_client_is_outside() {
    check(
        "
        0    syn  to-b   x>b
        0.2  rst  to-b   x>b
        ",
        "
        1 5.2 Final x>b Refused by DestinationPod Delivered syns=1 points=to-b unobserved-source answered
        ",
    );
}

#[test]
fn a_reset_that_does_not_reach_the_client_is_told_at_the_deadline() {
    check(
        "
        0    syn  from-a a>b
        0.1  syn  to-b   a>b
        0.3  rst  to-b   a>b
        ",
        "
        1 1000 Provisional a>b Refused by DestinationPod Delivered syns=1 points=from-a,to-b answered
        1 4000 Final a>b Refused by DestinationPod Delivered syns=1 points=from-a,to-b answered
        ",
    );
}

#[test]
fn refused_by_the_nodes_own_stack() {
    check(
        "
        0    syn  from-a a>n
        0.2  rst  from-a a>n
        0.3  drop node   a>n syn NO_SOCKET
        100  syn  from-a a>n:9999#101
        100  rst  from-a a>n:9999#101
        ",
        "
        1 5.2 Final a>n Refused by Node Unknown syns=1 destination=not-observed points=from-a drops=NO_SOCKET
        2 105 Final a>n:9999 Refused by Node Unknown syns=1 destination=not-observed points=from-a
        ",
    );
}

#[test]
fn a_filter_that_resets_on_the_nodes_own_address_is_no_missing_socket() {
    check(
        "
        0    syn  from-a a>n
        0.2  rst  from-a a>n
        0.3  drop node   a>n syn NETFILTER_DROP
        ",
        "
        1 5.2 Final a>n Rejected by Path LeftSource syns=1 destination=not-observed points=from-a drops=NETFILTER_DROP
        ",
    );
}

#[test]
fn a_node_port_with_a_backend_is_not_the_nodes_own_stack() {
    check(
        "
        0    point b nowhere
        0    syn  from-a a>n:30080
        0.2  rst  from-a a>n:30080
        ",
        "
        1 5.2 Final a>n:30080 Refused by Unknown Unknown syns=1 destination=not-observed points=from-a
        ",
    );
}

#[test]
fn refused_by_who_knows_whom() {
    check(
        "
        0    syn  from-a a>x
        20   rst  from-a a>x
        ",
        "
        1 25 Final a>x Refused by Unknown Unknown syns=1 destination=not-observed points=from-a
        ",
    );
}

#[test]
fn a_forged_reset_for_what_was_never_delivered_is_a_reject() {
    check(
        "
        0    syn  from-a a>b
        0.2  rst  from-a a>b
        ",
        "
        1 5.2 Final a>b Rejected by Path LeftSource syns=1 points=from-a
        ",
    );
}

#[test]
fn a_reset_proves_no_forgery_where_the_destinations_hook_is_blind() {
    check(
        "
        0    point b blind
        0    syn  from-a a>b
        0.2  rst  from-a a>b
        5000 point b assumed
        5000 syn  from-a a>b#101
        5000 rst  from-a a>b#101
        ",
        "
        1 5.2 Final a>b Refused by Unknown Unknown syns=1 destination=Blind points=from-a
        2 5005 Final a>b Rejected by Path LeftSource syns=1 destination=Assumed points=from-a
        ",
    );
}

#[test]
fn a_reset_proves_no_forgery_while_events_are_lost() {
    check(
        "
        0    syn  from-a a>b
        0.1  lost
        0.2  rst  from-a a>b
        ",
        "
        1 5.2 Final a>b Refused by Unknown Unknown syns=1 points=from-a lost
        ",
    );
}

#[test]
fn a_reset_of_unknown_origin_for_what_was_delivered() {
    check(
        "
        0    syn  from-a a>b
        0.1  syn  to-b   a>b
        0.2  rst  from-a a>b
        ",
        "
        1 5.2 Final a>b Refused by Unknown Delivered syns=1 points=from-a,to-b
        ",
    );
}

#[test]
fn a_reset_and_a_drop_on_the_node_are_a_filter() {
    check(
        "
        0    syn  from-a a>x
        0.2  rst  from-a a>x
        0.3  drop node   a>x syn NETFILTER_DROP
        ",
        "
        1 5.2 Final a>x Rejected by Path LeftSource syns=1 destination=not-observed points=from-a drops=NETFILTER_DROP
        ",
    );
}

#[test]
fn a_filter_inside_the_destination_pod_on_a_kernel_that_gives_no_reasons() {
    check(
        "
        0    syn  from-a a>b
        0.1  syn  to-b   a>b
        0.2  drop pod-b  a>b syn - nf_hook_slow.isra.0
        0.3  rst  to-b   a>b
        0.4  rst  from-a a>b
        100  syn  from-a a>b#101
        100  syn  to-b   a>b#101
        100  drop pod-b  a>b#101 syn - tcp_v4_rcv
        100  rst  to-b   a>b#101
        100  rst  from-a a>b#101
        ",
        "
        1 5.4 Final a>b Rejected by DestinationPod Delivered syns=1 points=from-a,to-b drops=-
        2 105 Final a>b Refused by DestinationPod Delivered syns=1 points=from-a,to-b drops=- recent-reject=rst answered
        ",
    );
}

#[test]
fn a_filter_on_the_nodes_own_address_on_a_kernel_that_gives_no_reasons() {
    check(
        "
        0    syn  from-a a>n
        0.2  rst  from-a a>n
        0.3  drop node   a>n syn - nf_hook_slow
        100  syn  from-a a>n#101
        100  rst  from-a a>n#101
        100  drop node   a>n#101 syn - tcp_v4_rcv
        ",
        "
        1 5.2 Final a>n Rejected by Path LeftSource syns=1 destination=not-observed points=from-a drops=-
        2 105 Final a>n Refused by Node Unknown syns=1 destination=not-observed points=from-a drops=- recent-reject=rst
        ",
    );
}

#[test]
fn a_filter_inside_the_destination_pod() {
    check(
        "
        0    syn  from-a a>b
        0.1  syn  to-b   a>b
        0.2  drop pod-b  a>b syn NETFILTER_DROP
        0.3  rst  to-b   a>b
        0.4  rst  from-a a>b
        100  syn  from-a a>b#101
        100  syn  to-b   a>b#101
        100  icmp to-b   a>b#101 port b
        100  icmp from-a a>b#101 port b
        ",
        "
        1 5.4 Final a>b Rejected by DestinationPod Delivered syns=1 points=from-a,to-b drops=NETFILTER_DROP
        2 105 Final a>b Rejected by DestinationPod Delivered syns=1 points=from-a,to-b recent-reject=rst
        ",
    );
}

#[test]
fn rejected_in_the_path() {
    check(
        "
        0    syn  from-a a>v
        0.2  icmp from-a a>v port v
        0.3  drop node   a>b syn NETFILTER_DROP
        100  syn  from-a a>b#101
        100  icmp from-a a>b#101 prohibited n
        200  syn  from-a a>x
        220  icmp from-a a>x prohibited y
        ",
        "
        1 5.2 Final a>v Rejected by Path LeftSource syns=1 points=from-a backend=b drops=NETFILTER_DROP
        2 105 Final a>b Rejected by Path LeftSource syns=1 points=from-a
        3 225 Final a>x Rejected by Path Unknown syns=1 destination=not-observed points=from-a
        ",
    );
}

#[test]
fn unreachable() {
    check(
        "
        0    syn  from-a a>b
        1000 syn  from-a a>b
        2000 syn  from-a a>b
        3050 drop node   a>b syn NEIGH_FAILED
        3050 icmp from-a a>b host n
        5000 syn  from-a a>x
        5010 icmp from-a a>x ttl y
        ",
        "
        1 1000 Provisional a>b Timeout LeftSource syns=2 points=from-a
        1 3055 Final a>b Unreachable by Node LeftSource syns=3 points=from-a drops=NEIGH_FAILED
        2 5015 Final a>x Unreachable by Path Unknown syns=1 destination=not-observed points=from-a
        ",
    );
}

#[test]
fn an_error_about_the_size_ends_nothing() {
    check(
        "
        0    syn    from-a a>x
        10   icmp   from-a a>x too-big y
        1000 syn    from-a a>x
        1020 synack from-a a>x
        ",
        "
        1 1000 Provisional a>x Timeout Unknown syns=2 destination=not-observed points=from-a
        1 1020 Final a>x Connected by Unknown Unknown syns=2 destination=not-observed points=from-a took=1020
        ",
    );
}

#[test]
fn a_late_reset_does_not_change_a_connected_attempt() {
    check(
        "
        0    syn    from-a a>b
        0.1  syn    to-b   a>b
        0.3  synack to-b   a>b
        // It crosses the answer and makes a new entry in the kernel's table, at which a RST after data ends.
        0.3  syn    from-a a>b
        0.4  synack from-a a>b
        0.4  syn    from-a a>b
        0.5  syn    to-b   a>b
        900  rst    to-b   a>b
        900  rst    from-a a>b
        ",
        "
        1 0.4 Final a>b Connected by DestinationPod Delivered syns=2 points=from-a,to-b took=0.4 answered
        ",
    );
}

#[test]
fn an_earlier_syns_death_makes_no_filter_of_a_later_refusal() {
    // A neighbour that was not known yet ate the first SYN; the second one was answered.
    check(
        "
        0    syn  from-a a>x
        0.1  drop node   a>x syn NEIGH_QUEUEFULL
        1000 syn  from-a a>x
        1020 rst  from-a a>x
        ",
        "
        1 1000 Provisional a>x Timeout LeftSource syns=2 destination=not-observed points=from-a drops=NEIGH_QUEUEFULL
        1 1025 Final a>x Refused by Unknown Unknown syns=2 destination=not-observed points=from-a drops=NEIGH_QUEUEFULL
        ",
    );
}
