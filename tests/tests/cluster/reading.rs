//! Objects that cannot be read.

use observer_tests::fake_api::{FakeApi, Fault};

use super::{Follower, SHOP, SHOP_OBJECTS, pod};

const GARBAGE: &str = "
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: garbage, namespace: shop}
spec: {podSelector: 5, ingress: everything}
";

#[test]
fn a_policy_that_cannot_be_read_is_never_read_as_absent() {
    for in_list in [true, false] {
        let fake = FakeApi::start(SHOP).expect("a server");
        fake.apply(&pod("a", "a-1", "10.0.1.1").replace("shop", "lab"))
            .expect("a pod");
        fake.apply(&pod("b", "b-1", "10.0.1.2").replace("shop", "lab"))
            .expect("a pod");
        let known = SHOP_OBJECTS.replace("Pod shop/api", "Pod lab/a, Pod lab/b, Pod shop/api");
        if in_list {
            fake.apply(GARBAGE).expect("garbage");
        }
        let mut follower = Follower::of(&fake);
        if !in_list {
            follower.until_known(&known);
            fake.apply(GARBAGE).expect("garbage");
        }
        follower.until_known(&format!("{known}, doubt NetworkPolicy shop/garbage"));
        assert_eq!(follower.verdict("shop/cart", "shop/api:8080"), "objects-in-doubt");
        assert_eq!(follower.verdict("lab/a", "lab/b:80"), "allowed");
        assert_eq!(
            follower.told("NetworkPolicy shop/garbage: spec.podSelector: "),
            1,
            "{:#?}",
            follower.messages
        );
        follower.until("the count", |this| this.health().refused == 1);
        // It stays as it is, and is not told again.
        fake.apply(GARBAGE).expect("garbage");
        fake.apply(&GARBAGE.replace("5", "{}").replace("everything", "[]"))
            .expect("a policy");
        follower.until_known(&known.replace(
            "NetworkPolicy shop/api",
            "NetworkPolicy shop/api, NetworkPolicy shop/garbage",
        ));
        assert_eq!(
            follower.told("NetworkPolicy shop/garbage: spec.podSelector: "),
            1,
            "{:#?}",
            follower.messages
        );
        assert_eq!(follower.told("NetworkPolicy shop/garbage: it can be read again"), 1);
        assert_eq!(follower.verdict("shop/cart", "shop/api:8080"), "allowed");
    }
}

#[test]
fn a_pod_that_cannot_be_read_puts_unknown_addresses_in_doubt() {
    let fake = FakeApi::start(SHOP).expect("a server");
    fake.fault("pods", Fault::NoStreams);
    fake.apply(&pod("web", "web-1", "10.0.0.3").replace("labels: {app: web}", "labels: [web]"))
        .expect("a pod");
    let mut follower = Follower::of(&fake);
    follower.until_known(&format!("{SHOP_OBJECTS}, doubt Pod shop/web"));
    // Its address is known to nobody: it is not taken for one outside.
    assert_eq!(follower.verdict("10.0.0.3", "shop/api:8080"), "objects-in-doubt");
    fake.delete("pods", "shop/web");
    follower.until_known(SHOP_OBJECTS);
    assert_eq!(follower.verdict("10.0.0.3", "shop/api:8080"), "denied");
}

#[test]
fn an_object_that_is_not_even_a_map_breaks_nothing() {
    let fake = FakeApi::start(SHOP).expect("a server");
    fake.apply("{apiVersion: v1, kind: Service, metadata: {name: odd, namespace: shop}, spec: [1, 2], status: 7}")
        .expect("garbage");
    let mut follower = Follower::of(&fake);
    follower.until_known(&format!("{SHOP_OBJECTS}, doubt Service shop/odd"));
    assert_eq!(follower.verdict("shop/cart", "shop/api:8080"), "allowed");
}
