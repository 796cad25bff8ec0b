//! Which sightings and drop events are one attempt.

use super::check;

#[test]
fn a_service_and_the_backend_it_became() {
    check(
        "
        0    syn    from-a a>v
        0.1  syn    to-b   a>b
        0.3  synack to-b   a>b
        0.4  synack from-a a>v
        ",
        "
        1 0.4 Final a>v Connected by DestinationPod Delivered syns=1 points=from-a,to-b backend=b took=0.4 answered
        ",
    );
}

#[test]
fn masquerade_leaves_nothing_but_the_isn() {
    check(
        "
        0    syn    from-a a>v
        0.1  syn    to-b   n:50000>b
        0.3  synack to-b   n:50000>b
        0.4  synack from-a a>v
        100  syn    from-a a>v#101
        100  syn    to-b   n:50001>b#101
        ",
        "
        1 0.4 Final a>v Connected by DestinationPod Delivered syns=1 points=from-a,to-b backend=b rewritten=n:50000 took=0.4 answered
        2 1100 Provisional a>v Timeout Delivered syns=1 points=from-a,to-b backend=b rewritten=n:50001 recent-success=0.4
        2 4100 Final a>v Timeout Delivered syns=1 points=from-a,to-b backend=b rewritten=n:50001 recent-success=0.4
        ",
    );
}

#[test]
fn a_hairpin_shows_both_points_on_one_interface() {
    check(
        "
        0    syn    from-b b>v
        0.1  syn    to-b   n:50000>b
        0.3  synack to-b   n:50000>b
        0.4  synack from-b b>v
        ",
        "
        1 0.4 Final b>v Connected by DestinationPod Delivered syns=1 points=from-b,to-b backend=b rewritten=n:50000 took=0.4 answered
        ",
    );
}

#[test]
fn two_candidates_with_one_isn_are_not_joined() {
    // What was seen at b may be either's, so of neither it is said that it was not delivered.
    let separate = "
        1 1000 Provisional a>v Timeout Unknown syns=1 points=from-a
        2 1000.1 Provisional c>v Timeout Unknown syns=1 points=from-c
        3 1000.2 Provisional n:50000>b Timeout Delivered syns=1 points=to-b unobserved-source
        1 4000 Final a>v Timeout Unknown syns=1 points=from-a
        2 4000.1 Final c>v Timeout Unknown syns=1 points=from-c
        3 4000.2 Final n:50000>b Timeout Delivered syns=1 points=to-b unobserved-source
    ";
    check(
        "
        0    syn    from-a a>v
        0.1  syn    from-c c>v
        0.2  syn    to-b   n:50000>b
        ",
        separate,
    );
    // The second candidate is known only after the first was joined.
    check(
        "
        0    syn    from-a a>v
        0.2  syn    to-b   n:50000>b
        1100 syn    from-c c>v
        ",
        "
        1 1000 Provisional a>v Timeout Delivered syns=1 points=from-a,to-b backend=b rewritten=n:50000
        2 1250 Provisional n:50000>b Timeout Delivered syns=1 points=to-b unobserved-source
        3 2100 Provisional c>v Timeout Unknown syns=1 points=from-c
        1 4000 Final a>v Timeout Unknown syns=1 points=from-a
        2 4000.2 Final n:50000>b Timeout Delivered syns=1 points=to-b unobserved-source
        3 5100 Final c>v Timeout Unknown syns=1 points=from-c
        ",
    );
}

#[test]
fn an_equal_client_wins_over_an_isn_alone() {
    check(
        "
        0    syn    from-a a>v
        0.1  syn    from-c c>v
        0.2  syn    to-b   a>b
        0.3  rst    to-b   a>b
        0.4  rst    from-a a>v
        0.5  icmp   from-c c>v prohibited n
        ",
        "
        1 5.4 Final a>v Refused by DestinationPod Delivered syns=1 points=from-a,to-b backend=b answered
        2 5.5 Final c>v Rejected by Path LeftSource syns=1 points=from-c
        ",
    );
}

#[test]
fn an_isn_and_an_implausible_destination_are_not_joined() {
    check(
        "
        0    syn    from-a a>x
        0.1  syn    to-b   y>b
        0.2  rst    to-b   y>b
        ",
        "
        1 5.2 Final y>b Refused by DestinationPod Delivered syns=1 points=to-b unobserved-source answered
        2 1000 Provisional a>x Timeout Unknown syns=1 destination=not-observed points=from-a
        2 4000 Final a>x Timeout Unknown syns=1 destination=not-observed points=from-a
        ",
    );
}

#[test]
fn an_isn_alone_joins_only_within_the_deadline() {
    check(
        "
        0    syn    from-a a>v
        8000 syn    to-b   n:50000>b
        8000 rst    to-b   n:50000>b
        ",
        "
        1 1000 Provisional a>v Timeout LeftSource syns=1 points=from-a
        1 4000 Final a>v Timeout LeftSource syns=1 points=from-a
        2 8005 Final n:50000>b Refused by DestinationPod Delivered syns=1 points=to-b unobserved-source answered
        ",
    );
}

#[test]
fn an_equal_client_joins_however_late() {
    // The policy was removed between the SYNs at 3 s and at 7 s.
    check(
        "
        0     syn    from-a a>v
        1000  syn    from-a a>v
        3000  syn    from-a a>v
        7000  syn    from-a a>v
        15000 syn    from-a a>v
        15000 syn    to-b   a>b
        15001 synack to-b   a>b
        15001 synack from-a a>v
        ",
        "
        1 1000 Provisional a>v Timeout LeftSource syns=2 points=from-a
        1 4000 Final a>v Timeout LeftSource syns=3 points=from-a
        1 15001 Revision a>v Connected by DestinationPod Delivered syns=5 points=from-a,to-b backend=b took=15001 answered
        ",
    );
}

#[test]
fn a_bridge_floods_one_syn_to_many_pods() {
    check(
        "
        0    syn    from-a a>b
        0.1  syn    to-c   a>b
        0.1  syn    to-b   a>b
        0.2  drop   pod-c  a>b syn SOMETHING
        0.3  synack to-b   a>b
        0.4  synack from-a a>b
        // Only a bystander gets it.
        9000 syn    from-a a>b#101
        9000 syn    to-c   a>b#101
        ",
        "
        1 0.4 Final a>b Connected by DestinationPod Delivered syns=1 points=from-a,to-b took=0.4 answered
        2 10000 Provisional a>b Timeout LeftNode syns=1 points=from-a,to-c recent-success=0.4
        2 13000 Final a>b Timeout LeftNode syns=1 points=from-a,to-c recent-success=0.4
        ",
    );
}

#[test]
fn a_gateway_pod_passes_it_on() {
    check(
        "
        0    syn    from-a a>x
        0.1  syn    to-c   a>x
        0.2  syn    from-c a>x
        20   synack from-c a>x
        20.1 synack to-c   a>x
        20.2 synack from-a a>x
        ",
        "
        1 20.2 Final a>x Connected by Unknown LeftNode syns=1 destination=not-observed points=from-a,to-c,from-c took=20.2
        ",
    );
}

#[test]
fn the_other_direction_of_a_tuple_is_another_attempt() {
    check(
        "
        0    syn    from-a a:9000>b:9001
        0.1  syn    from-b b:9001>a:9000
        ",
        "
        1 1000 Provisional a:9000>b:9001 Timeout LeftSource syns=1 points=from-a
        2 1000.1 Provisional b:9001>a:9000 Timeout LeftSource syns=1 points=from-b
        1 4000 Final a:9000>b:9001 Timeout LeftSource syns=1 points=from-a
        2 4000.1 Final b:9001>a:9000 Timeout LeftSource syns=1 points=from-b
        ",
    );
}

#[test]
fn drops_are_joined_before_and_after_the_sighting() {
    let expected = "
        1 1000 Provisional a>v Timeout LeftSource syns=1 points=from-a backend=b drops=NETFILTER_DROP
        1 4000 Final a>v Timeout LeftSource syns=1 points=from-a backend=b drops=NETFILTER_DROP
    ";
    // The first SYN makes no event: here the drop comes before anything is known of the attempt.
    check(
        "
        0    syn    from-a a>v
        0    drop   node   a>b syn NETFILTER_DROP
        ",
        expected,
    );
    check(
        "
        0    syn    from-a a>v
        300  drop   node   a>b syn NETFILTER_DROP
        ",
        expected,
    );
    // After masquerade.
    check(
        "
        0    syn    from-a a>v
        0    drop   node   n:50000>b syn NETFILTER_DROP
        ",
        expected,
    );
}

#[test]
fn drops_of_others_are_not_joined() {
    check(
        "
        0    syn    from-a a>v
        0    drop   node   a>b#101 syn NETFILTER_DROP
        0    drop   node   a>c syn NETFILTER_DROP
        0    drop   node   x>y syn NETFILTER_DROP
        0    drop   node   a>b syn OTHERHOST
        0    drop   node   a>b syn PACKET_SOCK_ERROR
        // The same ISN, long before.
        5000 drop   node   c>b#102 syn NETFILTER_DROP
        9500 syn    from-a a>v#102
        ",
        "
        1 1000 Provisional a>v Timeout LeftSource syns=1 points=from-a
        1 4000 Final a>v Timeout LeftSource syns=1 points=from-a
        2 10500 Provisional a>v Timeout LeftSource syns=1 points=from-a
        2 13500 Final a>v Timeout LeftSource syns=1 points=from-a
        ",
    );
}

#[test]
fn drops_that_disagree_name_no_backend() {
    check(
        "
        0    syn    from-a a>w
        0    drop   node   a>b syn NETFILTER_DROP
        1000 syn    from-a a>w
        1000 drop   node   a>c syn NETFILTER_DROP
        ",
        "
        1 1000 Provisional a>w Timeout LeftSource syns=2 points=from-a backend=b drops=NETFILTER_DROP
        1 4000 Final a>w Timeout LeftSource syns=2 points=from-a drops=NETFILTER_DROP,NETFILTER_DROP
        ",
    );
}

#[test]
fn an_address_is_learnt_from_the_pod_that_uses_it() {
    check(
        "
        0    point  b nowhere
        // Nothing is known of b: it is not said to be delivered.
        0    syn    from-a a>b
        // b dials out.
        5000 syn    from-b b>x#101
        5020 synack from-b b>x#101
        6000 syn    from-a a>b#102
        6000 syn    to-b   a>b#102
        ",
        "
        1 1000 Provisional a>b Timeout Unknown syns=1 destination=not-observed points=from-a
        1 4000 Final a>b Timeout Unknown syns=1 destination=not-observed points=from-a
        2 5020 Final b>x Connected by Unknown Unknown syns=1 destination=not-observed points=from-b took=20
        3 7000 Provisional a>b Timeout Delivered syns=1 points=from-a,to-b
        3 10000 Final a>b Timeout Delivered syns=1 points=from-a,to-b
        ",
    );
    check(
        "
        0    point  b nowhere
        0    syn    to-b   x>b
        0.1  rst    to-b   x>b
        6000 syn    from-a a>b#102
        6000 syn    to-b   a>b#102
        ",
        "
        1 5.1 Final x>b Refused by DestinationPod Delivered syns=1 points=to-b unobserved-source answered
        2 7000 Provisional a>b Timeout Delivered syns=1 points=from-a,to-b
        2 10000 Final a>b Timeout Delivered syns=1 points=from-a,to-b
        ",
    );
}

#[test]
fn a_drop_behind_the_hook_is_kept_with_the_delivery() {
    check(
        "
        0    syn    from-a a>b
        0.1  syn    to-b   a>b
        0.2  drop   node   a>b syn TC_EGRESS
        ",
        "
        1 1000 Provisional a>b Timeout Delivered syns=1 points=from-a,to-b drops=TC_EGRESS
        1 4000 Final a>b Timeout Delivered syns=1 points=from-a,to-b drops=TC_EGRESS
        ",
    );
}

#[test]
fn a_bystanders_death_is_no_evidence() {
    check(
        "
        0    syn    from-a a>b
        0.1  syn    to-c   a>b
        0.2  drop   pod-c  a>b syn NETFILTER_DROP
        0.3  drop   pod-b  a>b syn NETFILTER_DROP
        ",
        "
        1 1000 Provisional a>b Timeout LeftNode syns=1 points=from-a,to-c drops=NETFILTER_DROP
        1 4000 Final a>b Timeout LeftNode syns=1 points=from-a,to-c drops=NETFILTER_DROP
        ",
    );
}

#[test]
fn an_answer_is_enough_where_the_clients_hook_is_blind() {
    check(
        "
        0    syn    to-b   a>b
        0.2  synack to-b   a>b
        0.3  synack from-a a>b
        ",
        "
        1 0.3 Final a>b Connected by DestinationPod Delivered syns=1 points=from-a,to-b answered
        ",
    );
}
