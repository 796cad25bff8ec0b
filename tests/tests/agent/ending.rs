//! How it ends: what is decided is told, what is in flight is counted, nothing is left behind.

use nix::sys::signal::Signal;
use observer_tests::lab::{Chain, Family, clsact_filters, dial, logged, tcx_programs};
use std::time::Duration;

use super::{SOON, attempts, shop};

#[test]
fn at_sigterm_it_says_what_was_in_flight_and_leaves_nothing() {
    let Some(shop) = shop() else { return };
    let (node, link) = (shop.lab.node(), shop.lab.pod("shop/api").link());
    shop.lab.rule(Chain::Enforce, "tcp dport 9000 drop").expect("a rule");
    for mode in ["tcx", "clsact"] {
        // So that nothing is decided by the deadline meanwhile.
        let agent = shop
            .agent()
            .args(["--attach", mode, "--timeout", "60s"])
            .start(node)
            .expect("a ready agent");
        let to = shop.lab.pod("shop/api").at(Family::V4, 9000);
        dial(shop.lab.pod("shop/cart").netns(), to, Duration::from_millis(100));
        dial(shop.lab.pod("shop/cart").netns(), to, Duration::from_millis(100));
        agent
            .await_metric(r#"observer_table_entries{table="attempts_running"}"#, 2.0)
            .expect("two in flight");
        agent.process().signal(Signal::SIGTERM).expect("a signal");
        let ended = agent.finish(SOON).expect("an end");
        assert_eq!(ended.code(), 0, "{:?}", ended.errors);
        let stopping = logged(&ended.errors, "stopping").expect("a last word");
        assert_eq!(stopping["in_flight"], 2, "{stopping}");
        assert_eq!(tcx_programs(node, link).expect("programs"), Vec::<String>::new());
        assert_eq!(clsact_filters(node, link).expect("filters"), "");
    }
}

#[test]
fn after_a_kill_the_next_takes_over() {
    let Some(shop) = shop() else { return };
    let (node, link) = (shop.lab.node(), shop.lab.pod("shop/api").link());
    let first = shop
        .agent()
        .args(["--attach", "clsact"])
        .start(node)
        .expect("a ready agent");
    shop.dial(8080);
    first
        .await_metric(&attempts("egress", "connected", "none"), 1.0)
        .expect("it is seen");
    first.process().signal(Signal::SIGKILL).expect("a kill");
    first.finish(SOON).expect("its end");
    assert_ne!(
        clsact_filters(node, link).expect("filters"),
        "",
        "filters survive their process"
    );
    let next = shop
        .agent()
        .args(["--attach", "tcx"])
        .start(node)
        .expect("a ready agent");
    assert_eq!(clsact_filters(node, link).expect("filters"), "");
    shop.dial(8080);
    next.await_metric(&attempts("egress", "connected", "none"), 1.0)
        .expect("it is seen, once");
}
