//! Lists, and what changes after them.

use std::time::{Duration, Instant};

use observer::time::Time;
use observer_tests::fake_api::{FakeApi, Fault};

use super::{Follower, SHOP, SHOP_OBJECTS, now, pod};

#[test]
fn nothing_is_decided_before_everything_is_listed() {
    let fake = FakeApi::start(SHOP).expect("a server");
    fake.fault("networkpolicies", Fault::Hangs);
    let mut follower = Follower::of(&fake);
    fake.until_asked("networkpolicies", follower.began, 1).expect("a list");
    assert_eq!(follower.known(), "unsynced");
    assert_eq!(follower.verdict("10.0.0.1", "10.0.0.2:8080"), "not-synced");
    fake.heal("networkpolicies");
    follower.until_known(SHOP_OBJECTS);
    assert_eq!(follower.verdict("shop/cart", "shop/api:8080"), "allowed");
    assert_eq!(follower.verdict("192.0.2.7", "shop/api:8080"), "denied");
    // What the list brought holds since ever, dual stack and all.
    for address in ["10.0.0.1", "fd00::1"] {
        assert_eq!(follower.owner(address, Time(1)), "shop/cart cart-1");
    }
    assert!(follower.health().synced);
}

#[test]
fn only_what_changed_is_told() {
    let fake = FakeApi::start(SHOP).expect("a server");
    let mut follower = Follower::of(&fake);
    follower.until_known(SHOP_OBJECTS);
    let before = follower.changes.len();
    // Written anew, and the same to us.
    fake.apply(SHOP).expect("objects");
    fake.apply(&pod("web", "web-1", "10.0.0.3")).expect("a pod");
    follower.until_known(&SHOP_OBJECTS.replace("Service", "Pod shop/web, Service"));
    fake.delete("networkpolicies", "shop/api");
    follower.until("the deletion", |this| !this.known.contains("NetworkPolicy shop/api"));
    assert_eq!(
        follower.changes[before..],
        ["Pod shop/web", "no NetworkPolicy shop/api"]
    );
    assert_eq!(follower.verdict("192.0.2.7", "shop/api:8080"), "allowed");
    assert_eq!(follower.messages, [""; 0]);
}

#[test]
fn an_address_may_have_another_owner_within_a_second() {
    let fake = FakeApi::start(SHOP).expect("a server");
    let mut follower = Follower::of(&fake);
    follower.until_known(SHOP_OBJECTS);
    let first = now();
    fake.delete("pods", "shop/api");
    fake.apply(&pod("web", "web-1", "10.0.0.2")).expect("a pod");
    follower.until("the new pod", |this| this.known.contains("Pod shop/web"));
    assert_eq!(follower.owner("10.0.0.2", first), "shop/api api-1");
    assert_eq!(follower.owner("10.0.0.2", now()), "shop/web web-1");
    // The same name, as a StatefulSet's pods have it, and the same address.
    let second = now();
    fake.delete("pods", "shop/web");
    fake.apply(&pod("web", "web-2", "10.0.0.2")).expect("a pod");
    follower.until("its successor", |this| {
        this.owner("10.0.0.2", now()) == "shop/web web-2"
    });
    assert_eq!(follower.owner("10.0.0.2", second), "shop/web web-1");
    // One that ended keeps its address in its status, and does not have it.
    fake.apply(&pod("job", "job-1", "10.0.0.9").replace("Running", "Succeeded"))
        .expect("a pod");
    fake.apply(&pod("heir", "heir-1", "10.0.0.9")).expect("a pod");
    follower.until("the heir", |this| this.known.contains("Pod shop/heir"));
    assert_eq!(follower.owner("10.0.0.9", now()), "shop/heir heir-1");
}

#[test]
fn terminating_and_host_network_pods_are_who_they_are() {
    let fake = FakeApi::start(SHOP).expect("a server");
    let mut follower = Follower::of(&fake);
    follower.until_known(SHOP_OBJECTS);
    let ending = pod("api", "api-1", "10.0.0.2").replace("uid:", "deletionTimestamp: '2026-01-01T00:00:00Z', uid:");
    fake.apply(&ending).expect("a pod");
    let on_host = pod("proxy", "proxy-1", "192.0.2.1").replace("spec: {", "spec: {hostNetwork: true, ");
    fake.apply(&on_host).expect("a pod");
    follower.until("both", |this| this.known.contains("Pod shop/proxy"));
    assert_eq!(follower.owner("10.0.0.2", now()), "shop/api api-1");
    assert_eq!(follower.owner("192.0.2.1", now()), "nobody");
}

#[test]
fn a_version_that_is_too_old_is_a_list_anew() {
    let fake = FakeApi::start(SHOP).expect("a server");
    let mut follower = Follower::of(&fake);
    follower.until_known(SHOP_OBJECTS);
    let since = Instant::now();
    fake.away();
    fake.delete("pods", "shop/cart");
    fake.apply(&pod("web", "web-1", "10.0.0.3")).expect("a pod");
    fake.forget();
    fake.back().expect("the port");
    follower.until_known(&SHOP_OBJECTS.replace("cart", "web"));
    assert_eq!(
        follower
            .changes
            .iter()
            .filter(|change| *change == "no Pod shop/cart")
            .count(),
        1
    );
    // The watch that is told 410, the stream of the list, and little else.
    let asked = fake.asked_for("pods", since);
    assert!((2..=5).contains(&asked), "{asked} requests");
}

#[test]
fn a_version_that_is_too_old_in_the_very_answer_is_a_list_anew_too_and_not_without_end() {
    let fake = FakeApi::start(SHOP).expect("a server");
    let mut follower = Follower::of(&fake);
    follower.until_known(SHOP_OBJECTS);
    let since = Instant::now();
    fake.fault("pods", Fault::Gone);
    fake.delete("pods", "shop/cart");
    fake.cut();
    follower.until_known(&SHOP_OBJECTS.replace("Pod shop/cart, ", ""));
    // Whoever lists anew at once, again and again, would be answered each time.
    fake.cut();
    fake.apply(&pod("web", "web-1", "10.0.0.3")).expect("a pod");
    follower.until("the pod", |this| this.known.contains("Pod shop/web"));
    let asked = fake.asked_for("pods", since);
    let allowed = 4 + since.elapsed().as_secs() as usize;
    assert!(asked <= allowed, "{asked} requests");
}

#[test]
fn what_is_deleted_while_a_list_is_read_is_gone() {
    let fake = FakeApi::start(SHOP).expect("a server");
    fake.fault("pods", Fault::NoStreams);
    for number in 0..300 {
        let address = format!("10.1.{}.{}", number / 200, number % 200 + 1);
        fake.apply(&pod(&format!("web-{number:03}"), &format!("web-{number}"), &address))
            .expect("a pod");
    }
    let mut follower = Follower::of(&fake);
    follower.until("the list", |this| this.known.contains("Pod shop/web-299"));
    fake.fault("pods", Fault::Slow(Duration::from_millis(300)));
    let since = Instant::now();
    fake.away();
    fake.delete("pods", "shop/web-100");
    fake.forget();
    fake.back().expect("the port");
    // The watch is told 410, the first page is asked for, then the second one.
    fake.until_asked("pods", since, 3).expect("pages");
    fake.delete("pods", "shop/web-299");
    follower.until("both deletions", |this| {
        !this.known.contains("Pod shop/web-100") && !this.known.contains("Pod shop/web-299")
    });
    assert_eq!(
        follower
            .known
            .iter()
            .filter(|known| known.starts_with("Pod shop/web"))
            .count(),
        298
    );
}

#[test]
fn bookmarks_alone_keep_the_place() {
    let fake = FakeApi::start(SHOP).expect("a server");
    let mut follower = Follower::of(&fake);
    follower.until_known(SHOP_OBJECTS);
    let since = Instant::now();
    // The cluster goes on, and no pod changes: bookmarks alone tell the pods' watch how far it is.
    for number in 0..20 {
        let namespace = format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: n{number:02}}}\n");
        fake.apply(&namespace).expect("a namespace");
    }
    follower.until("the namespaces", |this| this.known.contains("Namespace n19"));
    fake.until_bookmarked("pods").expect("a bookmark");
    fake.forget();
    let cut = Instant::now();
    fake.cut();
    fake.until_asked("pods", cut, 1).expect("a watch");
    fake.apply(&pod("web", "web-1", "10.0.0.3")).expect("a pod");
    follower.until("the pod", |this| this.known.contains("Pod shop/web"));
    // From the bookmark on: nothing had to be listed anew.
    let lists = fake
        .asked()
        .iter()
        .filter(|asked| asked.at >= since && asked.uri.contains("sendInitialEvents"))
        .count();
    assert_eq!(lists, 0);
}
