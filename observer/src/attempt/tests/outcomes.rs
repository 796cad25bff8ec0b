//! How attempts end that are answered, or not answered at all: outcome, origin and reach.

use super::check;

#[test]
fn connected_is_final_at_the_clients_answer() {
    check(
        "
        0    syn    from-a a>b
        0.1  syn    to-b   a>b
        0.3  synack to-b   a>b
        0.4  synack from-a a>b
        ",
        "1 0.4 Final a>b Connected by DestinationPod Delivered syns=1 points=from-a,to-b took=0.4 answered",
    );
}

#[test]
fn connected_to_what_is_not_observed() {
    check(
        "
        0  syn    from-a a>x
        20 synack from-a a>x
        ",
        "
        1 20 Final a>x Connected by Unknown Unknown syns=1 destination=not-observed points=from-a took=20
        ",
    );
}

#[test]
fn connected_to_the_node_itself() {
    check(
        "
        0   syn    from-a a>n
        0.2 synack from-a a>n
        ",
        "
        1 0.2 Final a>n Connected by Node Unknown syns=1 destination=not-observed points=from-a took=0.2
        ",
    );
}

#[test]
fn with_the_servers_point_only_connected_waits_for_the_answer_not_to_be_repeated() {
    check(
        "
        0   syn    to-b x>b
        0.2 synack to-b x>b
        ",
        "
        1 1200.2 Final x>b Connected by DestinationPod Delivered syns=1 points=to-b took=0.2 unobserved-source answered
        ",
    );
}

#[test]
fn half_open_when_the_answer_is_repeated_and_no_client_is_observed() {
    check(
        "
        0    syn    to-b x>b
        0.2  synack to-b x>b
        1020 synack to-b x>b
        3050 synack to-b x>b
        ",
        "
        1 1020 Provisional x>b HalfOpen Delivered syns=1 points=to-b unobserved-source answered
        1 4000 Final x>b HalfOpen Delivered syns=1 points=to-b unobserved-source answered
        ",
    );
}

#[test]
fn half_open_when_the_answer_does_not_reach_the_client() {
    check(
        "
        0    syn    from-a a>b
        0.1  syn    to-b   a>b
        0.2  synack to-b   a>b
        0.3  drop   node   a>b synack NETFILTER_DROP
        1000 syn    from-a a>b
        1000 syn    to-b   a>b
        1001 synack to-b   a>b
        ",
        "
        1 1000 Provisional a>b HalfOpen Delivered syns=2 points=from-a,to-b drops=NETFILTER_DROP answered
        1 4000 Final a>b HalfOpen Delivered syns=2 points=from-a,to-b drops=NETFILTER_DROP answered
        ",
    );
}

#[test]
fn not_sent() {
    check(
        "
        3070 drop pod-a a>y syn NEIGH_FAILED
        3070 drop pod-a a>y syn NEIGH_FAILED
        3070 drop pod-a a>y syn NEIGH_FAILED
        ",
        "
        1 3075 Final a>y Unreachable NotSent syns=3 destination=not-observed drops=NEIGH_FAILED,NEIGH_FAILED,NEIGH_FAILED
        ",
    );
}

#[test]
fn a_rule_in_the_source_pod_leaves_it_to_the_next_syn() {
    check(
        "
        0    drop pod-a a>b syn NETFILTER_DROP
        1000 drop pod-a a>b syn NETFILTER_DROP
        10000 drop pod-a a>b#101 syn NEIGH_QUEUEFULL
        11000 syn from-a a>b#101
        11000 syn to-b a>b#101
        11001 synack to-b a>b#101
        11001 synack from-a a>b#101
        ",
        "
        1 1000 Provisional a>b Unreachable NotSent syns=2 drops=NETFILTER_DROP,NETFILTER_DROP
        1 4000 Final a>b Unreachable NotSent syns=2 drops=NETFILTER_DROP,NETFILTER_DROP
        2 11000 Provisional a>b Timeout LeftSource syns=1 points=from-a drops=NEIGH_QUEUEFULL
        2 11001 Final a>b Connected by DestinationPod Delivered syns=1 points=from-a,to-b took=1 answered
        ",
    );
}

#[test]
fn what_dies_in_a_pod_that_did_not_send_it_makes_no_attempt() {
    check(
        "
        // At the destination, unseen by a blind hook; to itself; a bystander.
        0    drop pod-b a>b syn NETFILTER_DROP
        10   drop pod-b x>b syn NO_SOCKET
        20   drop pod-a a>a syn NO_SOCKET
        30   drop pod-c a>b syn OTHERHOST
        40   drop pod-c x>y syn IP_INNOROUTES
        50   drop node  x>b syn NETFILTER_DROP
        // To a socket that is not there, at an address of the pod that nobody told of.
        60   drop pod-a a>y syn NO_SOCKET
        // To itself where nothing is known of it, and from one of its addresses to another.
        70   point c nowhere
        70   drop pod-c c>c syn NETFILTER_DROP
        80   syn    from-b y>x
        81   synack from-b y>x
        90   drop pod-b y>b syn NETFILTER_DROP
        ",
        "
        1 81 Final y>x Connected by Unknown Unknown syns=1 destination=not-observed points=from-b took=1
        ",
    );
}

#[test]
fn timeout_never_delivered() {
    check(
        "
        0    syn  from-a a>b
        0.1  drop node   a>b syn NETFILTER_DROP
        1000 syn  from-a a>b
        1000 drop node   a>b syn NETFILTER_DROP
        ",
        "
        1 1000 Provisional a>b Timeout LeftSource syns=2 points=from-a drops=NETFILTER_DROP
        1 4000 Final a>b Timeout LeftSource syns=2 points=from-a drops=NETFILTER_DROP,NETFILTER_DROP
        ",
    );
}

#[test]
fn timeout_delivered() {
    check(
        "
        0    syn  from-a a>v
        0.1  syn  to-b   a>b
        1000 syn  from-a a>v
        1000 syn  to-b   a>b
        3000 syn  from-a a>v
        3000 syn  to-b   a>b
        ",
        "
        1 1000 Provisional a>v Timeout Delivered syns=2 points=from-a,to-b backend=b
        1 4000 Final a>v Timeout Delivered syns=3 points=from-a,to-b backend=b
        ",
    );
}

#[test]
fn timeout_of_what_cannot_be_followed() {
    check(
        "
        0   syn  from-a a>x
        100 point b blind
        100 syn  from-a a>b
        200 syn  from-a a>w
        300 point c nowhere
        300 syn  from-a a:40001>w
        ",
        "
        1 1000 Provisional a>x Timeout Unknown syns=1 destination=not-observed points=from-a
        2 1100 Provisional a>b Timeout Unknown syns=1 destination=Blind points=from-a
        3 1200 Provisional a>w Timeout Unknown syns=1 destination=not-observed points=from-a
        4 1300 Provisional a:40001>w Timeout Unknown syns=1 destination=not-observed points=from-a
        1 4000 Final a>x Timeout Unknown syns=1 destination=not-observed points=from-a
        2 4100 Final a>b Timeout Unknown syns=1 destination=Blind points=from-a
        3 4200 Final a>w Timeout Unknown syns=1 destination=not-observed points=from-a
        4 4300 Final a:40001>w Timeout Unknown syns=1 destination=not-observed points=from-a
        ",
    );
}

#[test]
fn timeout_seen_leaving_the_node() {
    check(
        "
        0   syn  from-a a>x
        0.1 syn  to-c   a>x
        ",
        "
        1 1000 Provisional a>x Timeout LeftNode syns=1 destination=not-observed points=from-a,to-c
        1 4000 Final a>x Timeout LeftNode syns=1 destination=not-observed points=from-a,to-c
        ",
    );
}

#[test]
fn a_last_syn_that_is_delivered_just_before_the_deadline_is_found() {
    check(
        "
        0    syn  from-a a>b
        3999 syn  from-a a>b
        3999 syn  to-b   a>b
        ",
        "
        1 1000 Provisional a>b Timeout LeftSource syns=1 points=from-a
        1 4000 Final a>b Timeout Delivered syns=2 points=from-a,to-b
        ",
    );
}

#[test]
fn an_impatient_application_sends_one_syn() {
    check(
        "
        0    syn  from-a a>b
        ",
        "
        1 1000 Provisional a>b Timeout LeftSource syns=1 points=from-a
        1 4000 Final a>b Timeout LeftSource syns=1 points=from-a
        ",
    );
}

#[test]
fn aborted_by_the_client() {
    check(
        "
        0    syn   from-a a>b
        0.1  syn   to-b   a>b
        300  abort from-a a>b
        300  abort to-b   a>b
        ",
        "
        1 1000 Provisional a>b Aborted Delivered syns=1 points=from-a,to-b
        1 4000 Final a>b Aborted Delivered syns=1 points=from-a,to-b
        ",
    );
}

#[test]
fn aborted_before_the_answer_arrives() {
    check(
        "
        0    syn    from-a a>b
        0.1  syn    to-b   a>b
        0.2  synack to-b   a>b
        0.3  drop   node   a>b synack NETFILTER_DROP
        0.4  abort  from-a a>b
        ",
        "
        1 1000 Provisional a>b Aborted Delivered syns=1 points=from-a,to-b drops=NETFILTER_DROP answered
        1 4000 Final a>b Aborted Delivered syns=1 points=from-a,to-b drops=NETFILTER_DROP answered
        ",
    );
}

#[test]
fn the_last_reset_of_the_client_counts() {
    check(
        "
        0    syn    from-a a>x
        0.4  abort  from-a a>x
        500  syn    from-a a>x
        501  abort  from-a a>x
        ",
        "
        1 1000 Provisional a>x Aborted Unknown syns=2 destination=not-observed points=from-a
        1 4000 Final a>x Aborted Unknown syns=2 destination=not-observed points=from-a
        ",
    );
}

#[test]
fn time_wait_reuse_is_no_abort() {
    // A bare ACK (no event), the client's RST, and the SYN again.
    check(
        "
        0    syn    from-a a>b
        0.1  syn    to-b   a>b
        0.4  abort  from-a a>b
        0.5  abort  to-b   a>b
        1000 syn    from-a a>b
        1000 syn    to-b   a>b
        1001 synack to-b   a>b
        1001 synack from-a a>b
        5000 syn    from-a a>b#200
        5000 syn    to-b   a>b#200
        5001 abort  from-a a>b#200
        6000 syn    from-a a>b#200
        ",
        "
        1 1000 Provisional a>b Timeout Delivered syns=2 points=from-a,to-b
        1 1001 Final a>b Connected by DestinationPod Delivered syns=2 points=from-a,to-b took=1001 answered
        2 6000 Provisional a>b Timeout Delivered syns=2 points=from-a,to-b recent-success=1001
        2 9000 Final a>b Timeout Delivered syns=2 points=from-a,to-b recent-success=1001
        ",
    );
}

#[test]
fn simultaneous_open_connects_both() {
    check(
        "
        0    syn    from-a a:9000>b:9001#100
        0.1  syn    from-b b:9001>a:9000#200
        0.2  syn    to-b   a:9000>b:9001#100
        0.3  syn    to-a   b:9001>a:9000#200
        0.4  synack to-b   a:9000>b:9001#100
        0.5  synack from-a a:9000>b:9001#100
        0.6  synack to-a   b:9001>a:9000#200
        0.7  synack from-b b:9001>a:9000#200
        ",
        "
        1 0.5 Final a:9000>b:9001 Connected by DestinationPod Delivered syns=1 points=from-a,to-b took=0.5 answered
        2 0.7 Final b:9001>a:9000 Connected by DestinationPod Delivered syns=1 points=from-b,to-a took=0.6 answered
        ",
    );
}

#[test]
fn an_interface_that_is_bound_after_the_syn_had_passed_is_the_destinations_all_the_same() {
    check(
        "
        0    point b nowhere
        0    syn  from-a a>b
        0.1  syn  to-b   a>b
        2000 point b proven
        5000 point b nowhere
        5000 syn  from-a a>b#101
        5000 syn  to-b   a>b#101
        5001 point b proven
        5002 rst  from-a a>b#101
        ",
        "
        1 1000 Provisional a>b Timeout LeftNode syns=1 destination=not-observed points=from-a,to-b
        1 4000 Final a>b Timeout Delivered syns=1 points=from-a,to-b
        2 5007 Final a>b Refused by Unknown Delivered syns=1 points=from-a,to-b
        ",
    );
}

#[test]
fn what_was_lost_may_be_the_delivery() {
    check(
        "
        0    syn  from-a a>b
        0.1  lost
        5000 syn  from-a a>b#101
        5000 drop node   a>b#101 syn NETFILTER_DROP
        5001 lost
        ",
        "
        1 1000 Provisional a>b Timeout Unknown syns=1 points=from-a lost
        1 4000 Final a>b Timeout Unknown syns=1 points=from-a lost
        2 6000 Provisional a>b Timeout LeftSource syns=1 points=from-a drops=NETFILTER_DROP lost
        2 9000 Final a>b Timeout LeftSource syns=1 points=from-a drops=NETFILTER_DROP lost
        ",
    );
}

#[test]
fn where_answers_pass_unseen_only_a_client_that_goes_on_has_had_none() {
    check(
        "
        0    point  a blind
        0    syn    from-a a>x
        100  syn    from-a a>b#101
        100  syn    to-b   a>b#101
        101  synack to-b   a>b#101
        200  syn    from-a a>c#102
        1200 syn    from-a a>c#102
        3200 syn    from-a a>c#102
        // Long after it was decided and not told.
        7000 syn    from-a a>x
        ",
        "
        1 1301 Final a>b Connected by DestinationPod Delivered syns=1 points=from-a,to-b answered
        2 3200 Provisional a>c Timeout LeftSource syns=3 points=from-a
        2 4200 Final a>c Timeout LeftSource syns=3 points=from-a
        ",
    );
}

#[test]
fn what_passed_before_an_interface_was_observed_is_not_called_absent() {
    check(
        "
        0    syn    from-a a>b
        0.1  attach b
        0.2  rst    from-a a>b
        100  syn    from-a a>b#101
        100  rst    from-a a>b#101
        200  syn    from-a a>c#102
        200.1 attach c
        10000 syn   from-a a>c#103
        ",
        "
        1 5.2 Final a>b Refused by Unknown Unknown syns=1 destination=Blind points=from-a
        2 105 Final a>b Rejected by Path LeftSource syns=1 points=from-a
        3 1200 Provisional a>c Timeout Unknown syns=1 destination=Blind points=from-a
        3 4200 Final a>c Timeout Unknown syns=1 destination=Blind points=from-a
        4 11000 Provisional a>c Timeout LeftSource syns=1 points=from-a
        4 14000 Final a>c Timeout LeftSource syns=1 points=from-a
        ",
    );
}

#[test]
fn what_left_before_the_clients_interface_was_observed_is_no_timeout() {
    check(
        "
        // Seen at the first hook, before the second was attached: the answer may have passed there.
        10   syn    from-a a>x
        10.1 attach a
        5000 syn    from-a a>x#101
        ",
        "
        1 6000 Provisional a>x Timeout Unknown syns=1 destination=not-observed points=from-a
        1 9000 Final a>x Timeout Unknown syns=1 destination=not-observed points=from-a
        ",
    );
}
