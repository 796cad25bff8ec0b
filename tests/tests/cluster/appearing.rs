//! Policy kinds that come and go while the observer runs.

use std::time::{Duration, Instant};

use observer_tests::fake_api::{FakeApi, Fault};

use super::{Follower, SHOP, SHOP_OBJECTS};

const DENY: &str = "
apiVersion: policy.networking.k8s.io/v1alpha2
kind: ClusterNetworkPolicy
metadata: {name: quarantine}
spec:
  tier: Admin
  priority: 10
  subject: {namespaces: {}}
  ingress: [{action: Deny, from: [{namespaces: {}}]}]
";

const CILIUM: &str = "
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: l7, namespace: shop}
spec: {endpointSelector: {}, ingress: [{}]}
";

#[test]
fn a_kind_that_is_served_later_is_followed_and_forgotten_when_it_is_not() {
    let fake = FakeApi::start(SHOP).expect("a server");
    let mut follower = Follower::of(&fake);
    follower.until_known(SHOP_OBJECTS);
    assert_eq!(follower.verdict("shop/cart", "shop/api:8080"), "allowed");
    fake.serve_group("policy.networking.k8s.io", true);
    fake.apply(DENY).expect("a policy");
    follower.until_known(&SHOP_OBJECTS.replace("EndpointSlice", "ClusterNetworkPolicy quarantine, EndpointSlice"));
    assert_eq!(follower.verdict("shop/cart", "shop/api:8080"), "denied");
    assert_eq!(
        follower.told("clusternetworkpolicies.policy.networking.k8s.io are served now"),
        1
    );
    // Its CRD goes, with all of its objects.
    let since = Instant::now();
    fake.serve_group("policy.networking.k8s.io", false);
    follower.until_told("clusternetworkpolicies.policy.networking.k8s.io are no longer served");
    follower.until_known(SHOP_OBJECTS);
    assert_eq!(follower.verdict("shop/cart", "shop/api:8080"), "allowed");
    follower.stay(Duration::from_secs(3));
    let asked = fake.asked_for("clusternetworkpolicies", since);
    assert!(asked <= 6, "{asked} requests");
}

#[test]
fn a_kind_that_is_not_evaluated_leaves_open_what_it_may_concern() {
    let fake = FakeApi::start(SHOP).expect("a server");
    fake.serve_group("cilium.io", true);
    let mut follower = Follower::of(&fake);
    follower.until_known(SHOP_OBJECTS);
    fake.apply(CILIUM).expect("a policy");
    follower.until("the policy", |this| {
        this.known.contains("foreign CiliumNetworkPolicy shop/l7")
    });
    assert_eq!(follower.verdict("shop/cart", "shop/api:8080"), "foreign-policy");
    assert_eq!(
        follower.told("CiliumNetworkPolicy shop/l7 is of a kind that is not evaluated"),
        1
    );
    fake.delete("ciliumnetworkpolicies", "shop/l7");
    follower.until_known(SHOP_OBJECTS);
    assert_eq!(follower.verdict("shop/cart", "shop/api:8080"), "allowed");
}

#[test]
fn a_group_that_hangs_keeps_nobody_from_the_rest() {
    let fake = FakeApi::start(SHOP).expect("a server");
    fake.serve_group("cilium.io", true);
    fake.serve_group("policy.networking.k8s.io", true);
    fake.fault("cilium.io", Fault::Hangs);
    fake.apply(DENY).expect("a policy");
    let mut follower = Follower::of(&fake);
    let known = SHOP_OBJECTS.replace("EndpointSlice", "ClusterNetworkPolicy quarantine, EndpointSlice");
    follower.until_known(&format!("{known}, foreign a policy of cilium.io"));
    assert_eq!(follower.told("cilium.io"), 1, "{:#?}", follower.messages);
    assert!(follower.health().synced);
    fake.heal("cilium.io");
    follower.until_known(&known);
}

#[test]
fn requests_for_a_kind_that_went_still_count() {
    let fake = FakeApi::start(SHOP).expect("a server");
    fake.serve_group("cilium.io", true);
    let mut follower = Follower::of(&fake);
    follower.until_known(SHOP_OBJECTS);
    fake.until_asked("ciliumnetworkpolicies", follower.began, 1)
        .expect("a list");
    fake.serve_group("cilium.io", false);
    follower.until_told("ciliumnetworkpolicies.cilium.io are no longer served");
    let asked = fake.asked();
    let watches = asked.iter().filter(|asked| asked.uri.contains("watch=true")).count();
    let counted = follower.health().requests;
    assert!(watches >= 7 && counted >= watches as u64, "{counted} of {watches}");
}

#[test]
fn policies_that_may_not_be_listed_may_select_any_pod() {
    let fake = FakeApi::start(SHOP).expect("a server");
    fake.serve_group("cilium.io", true);
    fake.serve_group("policy.networking.k8s.io", true);
    fake.fault("ciliumnetworkpolicies", Fault::Forbidden);
    fake.fault("clusternetworkpolicies", Fault::Forbidden);
    let mut follower = Follower::of(&fake);
    let doubts = "doubt clusternetworkpolicies.policy.networking.k8s.io, foreign ciliumnetworkpolicies.cilium.io";
    follower.until_known(&format!("{SHOP_OBJECTS}, {doubts}"));
    assert_eq!(follower.verdict("shop/cart", "shop/api:8080"), "foreign-policy");
    fake.heal("ciliumnetworkpolicies");
    follower.until_known(&format!(
        "{SHOP_OBJECTS}, doubt clusternetworkpolicies.policy.networking.k8s.io"
    ));
    assert_eq!(follower.verdict("shop/cart", "shop/api:8080"), "objects-in-doubt");
    assert_eq!(follower.told("ClusterRole"), 2, "{:#?}", follower.messages);
    assert_eq!(
        follower.told("is of a kind that is not evaluated"),
        0,
        "{:#?}",
        follower.messages
    );
}
