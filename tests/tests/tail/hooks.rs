//! Other programs on the same interface, and what is left there when the observer is gone.

use nix::errno::Errno;
use nix::sys::signal::Signal;
use observer_tests::lab::{FOREIGN, ForeignTcx, add_foreign_clsact_drop, clsact_filters, tcx_programs};

use super::{SOON, shop, told};

/// Denies what the foreign programs below drop.
const DENY: &str = "
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { namespace: shop, name: deny-api }
spec: { podSelector: { matchLabels: { app: api } }, policyTypes: [Ingress] }
";

#[test]
fn a_killed_observer_leaves_no_tcx_program() {
    let Some(shop) = shop() else { return };
    let (node, link) = (shop.lab.node(), shop.lab.pod("shop/api").link());
    let observer = shop.observe(shop.tail().args(["--attach", "tcx"]));
    assert_eq!(tcx_programs(node, link).expect("programs").len(), 2);
    observer.signal(Signal::SIGKILL).expect("a kill");
    assert_eq!(observer.finish(SOON).expect("its end").code(), 128 + 9);
    assert_eq!(tcx_programs(node, link).expect("programs"), Vec::<String>::new());
    assert_eq!(clsact_filters(node, link).expect("filters"), "");
}

#[test]
fn leftover_filters_are_removed_at_the_next_start() {
    let Some(shop) = shop() else { return };
    let (node, link) = (shop.lab.node(), shop.lab.pod("shop/api").link());
    let observer = shop.observe(shop.tail().args(["--attach", "clsact"]));
    assert_eq!(told(&observer, &shop.dial(8080))["outcome"], "connected");
    observer.signal(Signal::SIGKILL).expect("a kill");
    observer.finish(SOON).expect("its end");
    assert_ne!(
        clsact_filters(node, link).expect("filters"),
        "",
        "clsact filters survive their process"
    );
    let next = shop.observe(shop.tail().args(["--attach", "tcx"]));
    assert_eq!(clsact_filters(node, link).expect("filters"), "");
    assert_eq!(told(&next, &shop.dial(8080))["outcome"], "connected");
    assert_eq!(next.interrupt().expect("an end").code(), 0);
}

#[test]
fn a_clsact_qdisc_with_foreign_filters_is_kept() {
    let Some(shop) = shop() else { return };
    let (node, link) = (shop.lab.node(), shop.lab.pod("shop/api").link());
    add_foreign_clsact_drop(node, link, 9999).expect("a foreign filter");
    let before = clsact_filters(node, link).expect("filters");
    let observer = shop.observe(shop.tail().args(["--attach", "clsact"]));
    assert_eq!(told(&observer, &shop.dial(8080))["outcome"], "connected");
    assert_eq!(observer.interrupt().expect("an end").code(), 0);
    assert_eq!(clsact_filters(node, link).expect("filters"), before);
}

#[test]
fn a_drop_by_a_foreign_filter_is_not_called_not_enforced() {
    let Some(shop) = shop() else { return };
    shop.lab.manifests().write("deny.yaml", DENY).expect("a policy");
    let (node, link) = (shop.lab.node(), shop.lab.pod("shop/api").link());
    add_foreign_clsact_drop(node, link, 8080).expect("a foreign filter");
    let before = clsact_filters(node, link).expect("filters");
    let observer = shop.observe(shop.tail());
    let dialled = shop.dial(8080);
    assert_eq!(
        dialled.errno(),
        Some(Errno::ETIMEDOUT),
        "the foreign filter still drops"
    );
    let record = told(&observer, &dialled);
    assert_eq!(
        (&record["outcome"], &record["verdict"]["decision"]),
        (&"timeout".into(), &"denied".into()),
        "{record}"
    );
    assert_ne!(record["cause"], "not-enforced", "{record}");
    assert_ne!(record["confidence"], "confirmed", "{record}");
    assert_eq!(clsact_filters(node, link).expect("filters"), before);
}

#[test]
fn a_drop_by_a_foreign_tcx_program_is_not_called_not_enforced() {
    let Some(shop) = shop() else { return };
    shop.lab.manifests().write("deny.yaml", DENY).expect("a policy");
    let (node, link) = (shop.lab.node(), shop.lab.pod("shop/api").link());
    let observer = shop.observe(shop.tail());
    // Attached later, so it comes behind ours: the SYN is seen on its way into the pod, and dies.
    let foreign = ForeignTcx::drop_ipv4_to_pod(node, link).expect("a foreign program");
    let dialled = shop.dial(8080);
    assert_eq!(dialled.errno(), Some(Errno::ETIMEDOUT), "the foreign program drops");
    let record = told(&observer, &dialled);
    assert_eq!(
        (&record["outcome"], &record["verdict"]["decision"]),
        (&"timeout".into(), &"denied".into()),
        "{record}"
    );
    assert_ne!(record["cause"], "not-enforced", "{record}");
    assert_ne!(record["confidence"], "confirmed", "{record}");
    assert_eq!(observer.interrupt().expect("an end").code(), 0);
    assert_eq!(tcx_programs(node, link).expect("programs"), [FOREIGN]);
    drop(foreign);
    assert_eq!(tcx_programs(node, link).expect("programs"), Vec::<String>::new());
}
