//! Which links are observed, while they come and go.

use std::time::Duration;

use observer_tests::lab::{Family, Observer, dial, pod, tcx_programs};
use serde_json::Value;

use super::{SOON, Shop, shop, told};

/// Waits until exactly the lab's pods are observed and known.
fn await_pods(shop: &Shop, observer: &Observer) {
    observer
        .await_links(&shop.links())
        .expect("exactly the pods' links observed");
    let names: Vec<&str> = shop.lab.pods().iter().map(|pod| pod.spec().name.as_str()).collect();
    observer.await_pods(&names).expect("exactly the lab's pods known");
}

#[test]
fn pods_that_come_are_observed_and_pods_that_go_are_forgotten() {
    let Some(mut shop) = shop() else { return };
    let observer = shop.observe(shop.tail());
    shop.lab.add_pod(pod("shop/worker")).expect("a pod");
    await_pods(&shop, &observer);
    let to = shop.lab.pod("shop/api").at(Family::V4, 8080);
    let dialled = dial(shop.lab.pod("shop/worker").netns(), to, Duration::from_secs(1));
    assert_eq!(told(&observer, &dialled)["source"]["name"], "worker");
    shop.lab.remove_pod("shop/worker").expect("removing a pod");
    await_pods(&shop, &observer);
    // Another one, over and over: links and addresses of the dead must not be in the way of the living.
    for _ in 0..5 {
        shop.lab.add_pod(pod("shop/worker")).expect("a pod");
        await_pods(&shop, &observer);
        let dialled = dial(shop.lab.pod("shop/worker").netns(), to, Duration::from_secs(1));
        let record = told(&observer, &dialled);
        assert_eq!(
            (&record["outcome"], &record["source"]["name"]),
            (&"connected".into(), &"worker".into()),
            "{record}"
        );
        shop.lab.remove_pod("shop/worker").expect("removing a pod");
        await_pods(&shop, &observer);
    }
    assert_eq!(observer.interrupt().expect("an end").code(), 0);
}

#[test]
fn a_renamed_link_stays_observed() {
    let Some(shop) = shop() else { return };
    let observer = shop.observe(shop.tail());
    let (cart, api) = (shop.lab.pod("shop/cart").link(), shop.lab.pod("shop/api").link());
    shop.lab
        .node()
        .ip(&format!(
            "link set {cart} down\nlink set {cart} name renamed0\nlink set renamed0 up\n"
        ))
        .expect("a new name");
    observer
        .await_links(&["renamed0", api])
        .expect("the link by its new name");
    // Taking a link down removed its routes.
    let node = observer_tests::lab::addresses::node(Family::V4);
    let back = shop.lab.pod("shop/cart").ip(Family::V4);
    shop.lab
        .node()
        .ip(&format!("route replace {back}/32 dev renamed0 src {node}\n"))
        .expect("a route");
    let dialled = shop.dial(8080);
    let record = told(&observer, &dialled);
    assert_eq!(
        (&record["outcome"], &record["reach"]),
        (&"connected".into(), &"delivered".into()),
        "{record}"
    );
}

#[test]
fn the_uplink_is_not_taken_for_a_pod() {
    let Some(shop) = shop() else { return };
    // `observe` waits for exactly the pods' links.
    let observer = shop.observe(shop.tail());
    assert_eq!(
        tcx_programs(shop.lab.node(), "eth0").expect("the uplink's programs"),
        Vec::<String>::new()
    );
    let outside = observer_tests::lab::addresses::external(Family::V4);
    let dialled = dial(
        shop.lab.pod("shop/cart").netns(),
        (outside, 4000).into(),
        Duration::from_millis(500),
    );
    let record = told(&observer, &dialled);
    assert_eq!(record["destination"]["kind"], "external", "{record}");
    assert_ne!(record["reach"], "delivered", "{record}");
}

#[test]
fn an_interface_glob_narrows() {
    let Some(shop) = shop() else { return };
    let cart = shop.lab.pod("shop/cart").link();
    let observer = shop
        .tail()
        .args(["--interface", cart])
        .start(shop.lab.node(), &[cart])
        .expect("one link observed");
    let dialled = shop.dial(8080);
    let record = told(&observer, &dialled);
    assert_eq!(record["outcome"], "connected", "{record}");
    assert_eq!(
        tcx_programs(shop.lab.node(), shop.lab.pod("shop/api").link()).expect("programs"),
        Vec::<String>::new()
    );
}

#[test]
fn two_observers_see_the_same() {
    let Some(shop) = shop() else { return };
    let (first, second) = (shop.observe(shop.tail()), shop.observe(shop.tail()));
    let dialled = shop.dial(8080);
    let facts = |record: &Value| ["outcome", "reach", "isn", "source", "destination"].map(|key| record[key].clone());
    assert_eq!(facts(&told(&first, &dialled)), facts(&told(&second, &dialled)));
    // The end of one is not the end of the other.
    assert_eq!(first.interrupt().expect("an end").code(), 0);
    let later = shop.dial(8081);
    let record = second
        .await_attempt(SOON, |record| super::tells_of(record, &later))
        .expect("the second goes on");
    assert_eq!(record["outcome"], "refused", "{record}");
}
