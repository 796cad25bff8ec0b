//! When what is told: provisional, final, revision, and what is remembered.

use super::check;

#[test]
fn more_syns_of_a_decided_attempt_are_no_new_attempt() {
    check(
        "
        0      syn    from-a a>x
        1000   syn    from-a a>x
        3000   syn    from-a a>x
        7000   syn    from-a a>x
        15000  syn    from-a a>x
        31000  syn    from-a a>x
        63000  syn    from-a a>x
        63020  synack from-a a>x
        64000  synack from-a a>x
        140000 end
        ",
        "
        1 1000 Provisional a>x Timeout Unknown syns=2 destination=not-observed points=from-a
        1 4000 Final a>x Timeout Unknown syns=3 destination=not-observed points=from-a
        1 63020 Revision a>x Connected by Unknown Unknown syns=7 destination=not-observed points=from-a took=63020
        ",
    );
}

#[test]
fn a_late_reset_is_a_revision_and_only_one() {
    check(
        "
        0      syn    from-a a>b
        0      syn    to-b   a>b
        7000   syn    from-a a>b
        7000   syn    to-b   a>b
        7001   rst    to-b   a>b
        7001   rst    from-a a>b
        15000  syn    from-a a>b
        15001  synack from-a a>b
        ",
        "
        1 1000 Provisional a>b Timeout Delivered syns=1 points=from-a,to-b
        1 4000 Final a>b Timeout Delivered syns=1 points=from-a,to-b
        1 7006 Revision a>b Refused by DestinationPod Delivered syns=2 points=from-a,to-b answered
        ",
    );
}

#[test]
fn a_late_answer_that_does_not_arrive_is_half_open() {
    check(
        "
        0      syn    from-a a>b
        7000   syn    from-a a>b
        7000   syn    to-b   a>b
        7001   synack to-b   a>b
        ",
        "
        1 1000 Provisional a>b Timeout LeftSource syns=1 points=from-a
        1 4000 Final a>b Timeout LeftSource syns=1 points=from-a
        1 11001 Revision a>b HalfOpen Delivered syns=2 points=from-a,to-b answered
        ",
    );
}

#[test]
fn a_late_answer_that_says_the_same_is_no_revision() {
    check(
        "
        0      syn    from-a a>x
        0.1    icmp   from-a a>x prohibited y
        7000   syn    from-a a>x
        7001   icmp   from-a a>x prohibited y
        7500   syn    from-a a>x
        7501   rst    from-a a>x
        8000   syn    from-a a>x
        8020   synack from-a a>x
        ",
        "
        1 5.1 Final a>x Rejected by Path Unknown syns=1 destination=not-observed points=from-a
        1 8020 Revision a>x Connected by Unknown Unknown syns=4 destination=not-observed points=from-a took=8020 recent-reject=icmp
        ",
    );
}

#[test]
fn another_isn_on_the_same_tuple_is_another_attempt() {
    check(
        "
        0      syn    from-a a>x#100
        500    syn    from-a a>x#200
        520    synack from-a a>x#200
        ",
        "
        1 520 Final a>x Connected by Unknown Unknown syns=1 destination=not-observed points=from-a took=20
        2 1000 Provisional a>x Timeout Unknown syns=1 destination=not-observed points=from-a recent-success=520
        2 4000 Final a>x Timeout Unknown syns=1 destination=not-observed points=from-a recent-success=520
        ",
    );
}

#[test]
fn what_is_learnt_late_is_told_at_once() {
    // The agent stood still: the first sweep comes after the deadline.
    check(
        "
        0      mute
        0      syn    from-a a>b
        1500   syn    from-a a>b
        6000   syn    from-a a>b
        ",
        "
        1 1500 Provisional a>b Timeout Unknown syns=2 points=from-a
        1 5000 Final a>b Timeout Unknown syns=2 points=from-a
        ",
    );
}

#[test]
fn without_a_sweep_absence_is_unknown() {
    check(
        "
        0      syn    from-a a>b
        300    mute
        1000   syn    from-a a>b
        10000  syn    from-a a>b#101
        10001  rst    from-a a>b#101
        ",
        "
        1 1000 Provisional a>b Timeout LeftSource syns=2 points=from-a
        1 5000 Final a>b Timeout Unknown syns=2 points=from-a
        2 11006 Final a>b Refused by Unknown Unknown syns=1 points=from-a
        ",
    );
}

#[test]
fn edges_remember_rejects_for_a_minute() {
    check(
        "
        0      syn    from-a a>b#1
        0.1    icmp   from-a a>b#1 port n
        1000   syn    from-a a>b#2
        2000   syn    from-c c>b#3
        70000  syn    from-a a>b#4
        ",
        "
        1 5.1 Final a>b Rejected by Path LeftSource syns=1 points=from-a
        2 2000 Provisional a>b Timeout LeftSource syns=1 points=from-a recent-reject=icmp
        3 3000 Provisional c>b Timeout LeftSource syns=1 points=from-c
        2 5000 Final a>b Timeout LeftSource syns=1 points=from-a recent-reject=icmp
        3 6000 Final c>b Timeout LeftSource syns=1 points=from-c
        4 71000 Provisional a>b Timeout LeftSource syns=1 points=from-a
        4 74000 Final a>b Timeout LeftSource syns=1 points=from-a
        ",
    );
}

#[test]
fn edges_remember_successes_for_ten_minutes() {
    check(
        "
        0      syn    from-a a>v#1
        0      syn    to-b   a>b#1
        0.1    synack to-b   a>b#1
        0.2    synack from-a a>v#1
        1000   syn    from-c c>b#2
        1000   syn    to-b   c>b#2
        1000   syn    from-a a>b:81#3
        599000 syn    from-c c>b#4
        602000 syn    from-c c>b#5
        ",
        "
        1 0.2 Final a>v Connected by DestinationPod Delivered syns=1 points=from-a,to-b backend=b took=0.2 answered
        2 2000 Provisional a>b:81 Timeout LeftSource syns=1 points=from-a
        3 2000 Provisional c>b Timeout Delivered syns=1 points=from-c,to-b recent-success=0.2
        2 5000 Final a>b:81 Timeout LeftSource syns=1 points=from-a
        3 5000 Final c>b Timeout Delivered syns=1 points=from-c,to-b recent-success=0.2
        4 600000 Provisional c>b Timeout LeftSource syns=1 points=from-c recent-success=0.2
        4 603000 Final c>b Timeout LeftSource syns=1 points=from-c
        5 603000 Provisional c>b Timeout LeftSource syns=1 points=from-c
        5 606000 Final c>b Timeout LeftSource syns=1 points=from-c
        ",
    );
}

#[test]
fn losses_are_told_of_the_attempts_that_ran() {
    check(
        "
        0      syn    from-a a>b#1
        4500   lost
        4600   syn    from-a a>b#2
        5000   syn    from-a a:40001>b#3
        6000   lost
        ",
        "
        1 1000 Provisional a>b Timeout LeftSource syns=1 points=from-a
        1 4000 Final a>b Timeout LeftSource syns=1 points=from-a
        2 5600 Provisional a>b Timeout LeftSource syns=1 points=from-a
        3 6000 Provisional a:40001>b Timeout Unknown syns=1 points=from-a lost
        2 8600 Final a>b Timeout Unknown syns=1 points=from-a lost
        3 9000 Final a:40001>b Timeout Unknown syns=1 points=from-a lost
        ",
    );
}

#[test]
fn the_listener_is_told_with_the_final_record() {
    check(
        "
        0      syn      from-a a>b
        0      syn      to-b   a>b
        1001   listener a>b full
        ",
        "
        1 1000 Provisional a>b Timeout Delivered syns=1 points=from-a,to-b
        1 4000 Final a>b Timeout Delivered syns=1 points=from-a,to-b listener=full
        ",
    );
}

#[test]
fn at_the_end_only_what_is_decided_is_told() {
    check(
        "
        0      syn    from-a a>x
        5000   syn    from-a a>b#1
        6999   syn    from-a a>b#2
        6999   rst    from-a a>b#2
        6999   syn    to-b   x>b#3
        6999   synack to-b   x>b#3
        7000   finish
        ",
        "
        1 1000 Provisional a>x Timeout Unknown syns=1 destination=not-observed points=from-a
        1 4000 Final a>x Timeout Unknown syns=1 destination=not-observed points=from-a
        2 6000 Provisional a>b Timeout LeftSource syns=1 points=from-a
        3 7000 Final a>b Refused by Unknown Unknown syns=1 points=from-a
        unfinished 2
        ",
    );
}

#[test]
fn an_interface_that_goes_takes_no_delivery_back() {
    check(
        "
        0      syn    from-a a>b
        0      syn    to-b   a>b
        2000   gone   b
        2000   syn    from-a a:40001>b
        ",
        "
        1 1000 Provisional a>b Timeout Delivered syns=1 points=from-a,to-b
        2 3000 Provisional a:40001>b Timeout Unknown syns=1 destination=not-observed points=from-a
        1 4000 Final a>b Timeout Delivered syns=1 destination=not-observed points=from-a,to-b
        2 6000 Final a:40001>b Timeout Unknown syns=1 destination=not-observed points=from-a
        ",
    );
}
