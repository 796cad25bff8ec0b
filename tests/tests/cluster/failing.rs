//! The server refuses, breaks off, hangs, or is away.

use std::time::{Duration, Instant};

use observer_tests::fake_api::{FakeApi, Fault};

use super::{Follower, SHOP, SHOP_OBJECTS, pod};

#[test]
fn watches_that_end_at_once_are_not_opened_as_often() {
    let fake = FakeApi::start(SHOP).expect("a server");
    let mut follower = Follower::of(&fake);
    follower.until_known(SHOP_OBJECTS);
    let since = Instant::now();
    fake.fault("pods", Fault::Drops);
    // At once, at once, after a second, after two: whoever spins has asked thousands of times by then.
    fake.until_asked("pods", since, 5).expect("watches");
    let asked = fake.asked_for("pods", since);
    let allowed = 5 + since.elapsed().as_secs() as usize;
    assert!(asked <= allowed, "{asked} requests");
    fake.apply(&pod("web", "web-1", "10.0.0.3")).expect("a pod");
    fake.heal("pods");
    follower.until("the pod", |this| this.known.contains("Pod shop/web"));
}

#[test]
fn a_slow_list_is_waited_for() {
    let fake = FakeApi::start(SHOP).expect("a server");
    for number in 0..240 {
        let address = format!("10.1.{}.{}", number / 200, number % 200 + 1);
        fake.apply(&pod(&format!("web-{number:03}"), &format!("web-{number}"), &address))
            .expect("a pod");
    }
    fake.fault("pods", Fault::NoStreams);
    fake.fault("pods", Fault::Slow(Duration::from_millis(500)));
    let mut follower = Follower::of(&fake);
    fake.until_asked("pods", follower.began, 3).expect("a second page");
    assert_eq!(follower.known(), "unsynced");
    follower.until("the list", |this| this.known.contains("Pod shop/web-239"));
    assert!(!follower.known.contains("unsynced"));
    assert_eq!(follower.known.len(), SHOP_OBJECTS.split(", ").count() + 240);
    // A stream that is refused, three pages, a watch.
    let asked = fake.asked_for("pods", follower.began);
    assert!((4..=5).contains(&asked), "{asked} requests");
}

#[test]
fn a_server_without_streams_of_lists_is_asked_for_pages() {
    for fault in [Fault::NoStreams, Fault::EndlessStreams] {
        let fake = FakeApi::start(SHOP).expect("a server");
        fake.fault("*", fault);
        let mut follower = Follower::of(&fake);
        follower.until_known(SHOP_OBJECTS);
        fake.apply(&pod("web", "web-1", "10.0.0.3")).expect("a pod");
        follower.until("the pod", |this| this.known.contains("Pod shop/web"));
        let asked = fake.asked_for("pods", follower.began);
        assert!(asked <= 4, "{fault:?}: {asked} requests");
    }
}

#[test]
fn a_missing_right_is_named_and_the_rest_works() {
    let fake = FakeApi::start(SHOP).expect("a server");
    fake.fault("networkpolicies", Fault::Forbidden);
    fake.fault("services", Fault::Forbidden);
    let mut follower = Follower::of(&fake);
    let rest = SHOP_OBJECTS
        .replace("NetworkPolicy shop/api, ", "")
        .replace(", Service shop/api", "");
    follower.until_known(&format!(
        "{rest}, doubt networkpolicies.networking.k8s.io, doubt services"
    ));
    let rule = r#"{apiGroups: ["networking.k8s.io"], resources: ["networkpolicies"], verbs: [get, list, watch]}"#;
    assert_eq!(follower.told(rule), 1, "{:#?}", follower.messages);
    assert_eq!(
        follower.told(r#"{apiGroups: [""], resources: ["services"], verbs: [get, list, watch]}"#),
        1
    );
    assert_eq!(follower.verdict("shop/cart", "shop/api:8080"), "objects-in-doubt");
    fake.heal("networkpolicies");
    follower.until_told("networkpolicies.networking.k8s.io can be listed now");
    // What needs no Service is decided.
    assert_eq!(follower.verdict("shop/cart", "shop/api:8080"), "allowed");
    assert_eq!(follower.verdict("192.0.2.7", "shop/api:8080"), "objects-in-doubt");
    fake.heal("services");
    follower.until_known(SHOP_OBJECTS);
    assert_eq!(follower.verdict("192.0.2.7", "shop/api:8080"), "denied");
    assert_eq!(follower.told("ClusterRole"), 2, "{:#?}", follower.messages);
    let asked = fake.asked_for("services", follower.began);
    let allowed = 6 + follower.began.elapsed().as_secs() as usize;
    assert!(asked <= allowed, "{asked} requests");
}

#[test]
fn a_right_that_is_taken_away_leaves_what_is_known_in_doubt() {
    let fake = FakeApi::start(SHOP).expect("a server");
    let mut follower = Follower::of(&fake);
    follower.until_known(SHOP_OBJECTS);
    fake.fault("networkpolicies", Fault::Forbidden);
    follower.until_told("ClusterRole");
    follower.until("the doubt", |this| {
        this.known.contains("doubt networkpolicies.networking.k8s.io")
    });
    assert!(follower.known.contains("NetworkPolicy shop/api"));
    fake.heal("networkpolicies");
    follower.until_known(SHOP_OBJECTS);
}

#[test]
fn while_the_server_is_away_the_view_grows_old_and_then_catches_up() {
    let fake = FakeApi::start(SHOP).expect("a server");
    let mut follower = Follower::of(&fake);
    follower.until_known(SHOP_OBJECTS);
    let before = follower.health().requests;
    fake.away();
    follower.until_told("nothing was heard of");
    assert!(follower.known.contains("unheard"));
    assert_eq!(follower.verdict("shop/cart", "shop/api:8080"), "allowed");
    fake.delete("pods", "shop/cart");
    fake.apply(&pod("web", "web-1", "10.0.0.1")).expect("a pod");
    let away = Instant::now();
    // A shortened minute: long enough for every watcher to have waited twice as long as the time before, twice.
    follower.stay(Duration::from_secs(6));
    assert_eq!(follower.told("nothing was heard of"), 1, "{:#?}", follower.messages);
    let asked = follower.health().requests - before;
    let kinds = 6;
    assert!(asked <= kinds * (3 + away.elapsed().as_secs()), "{asked} requests");
    fake.back().expect("the port");
    follower.until_known(&SHOP_OBJECTS.replace("cart", "web"));
    assert_eq!(follower.told("is heard of again"), 1, "{:#?}", follower.messages);
    assert!(follower.health().synced);
}

#[test]
fn a_server_that_hangs_at_the_start_is_told_once_and_waited_for() {
    let fake = FakeApi::start(SHOP).expect("a server");
    fake.fault("*", Fault::Broken);
    let mut follower = Follower::of(&fake);
    follower.until_told("the cluster's objects cannot be read yet");
    follower.stay(Duration::from_secs(3));
    assert_eq!(follower.messages.len(), 1, "{:#?}", follower.messages);
    assert_eq!(follower.known(), "unsynced");
    fake.heal("*");
    follower.until_known(SHOP_OBJECTS);
    assert_eq!(follower.messages.len(), 2, "{:#?}", follower.messages);
    assert_eq!(follower.told("the cluster's objects are read"), 1);
}

#[test]
fn a_stranger_is_told_to_renew_the_credentials() {
    let fake = FakeApi::start(SHOP).expect("a server");
    fake.fault("*", Fault::Unauthorized);
    let mut follower = Follower::of(&fake);
    follower.until_told("renew the kubeconfig's or the service account's credentials");
    assert_eq!(follower.known(), "unsynced");
}
