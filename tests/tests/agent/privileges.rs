//! What it may still do once it is attached, as the kernel tells it: every thread of it, every set.

use std::fs;

use observer_tests::lab::Chain;

use super::{attempts, shop};

/// CAP_NET_ADMIN, CAP_SYS_PTRACE, CAP_SYS_ADMIN, CAP_BPF (capability.h).
const KEPT: u64 = 1 << 12 | 1 << 19 | 1 << 21 | 1 << 39;

#[test]
fn only_what_is_needed_later_is_kept() {
    let Some(shop) = shop() else { return };
    let lab = &shop.lab;
    let agent = shop.agent().start(lab.node()).expect("a ready agent");
    let kept = agent
        .await_log("dropped every other capability")
        .expect("what it keeps");
    for name in ["CAP_BPF", "CAP_NET_ADMIN", "CAP_SYS_ADMIN", "CAP_SYS_PTRACE"] {
        assert!(kept["kept"].as_str().is_some_and(|kept| kept.contains(name)), "{kept}");
    }
    let threads = fs::read_dir(format!("/proc/{}/task", agent.process().id())).expect("its threads");
    let mut count = 0;
    for thread in threads {
        let status = thread.expect("a thread").path().join("status");
        // A thread may have ended.
        let Ok(status) = fs::read_to_string(status) else {
            continue;
        };
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.expect("in every status").trim().to_owned()
        };
        let set = |name| u64::from_str_radix(&field(name), 16).expect("a mask");
        for (name, allowed) in [
            ("CapPrm:", KEPT),
            ("CapEff:", KEPT),
            ("CapBnd:", KEPT),
            ("CapInh:", 0),
            ("CapAmb:", 0),
        ] {
            assert_eq!(set(name) & !allowed, 0, "{name} {:x} of {}", set(name), field("Name:"));
        }
        assert_eq!(set("CapEff:"), KEPT, "what is needed is there");
        assert_eq!(field("NoNewPrivs:"), "1");
        count += 1;
    }
    assert!(count > 2, "{count} threads");
    // What is kept is enough: drops with their function, and full queues read from the pods' namespaces.
    lab.rule(Chain::Enforce, "tcp dport 9000 drop").expect("a rule");
    shop.dial(9000);
    agent
        .await_metric(&attempts("egress", "timeout", "blocked-not-by-policy"), 1.0)
        .expect("the drop is seen");
}
