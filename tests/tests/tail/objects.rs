//! Objects that change while the tail runs: broken files, pods and Services that have gone.

use nix::errno::Errno;
use observer_tests::lab::{Chain, Family, Observer, dial, pod, service};
use serde_json::Value;
use std::time::Duration;

use super::{SOON, Shop, shop, told};

const DENY: &str = "
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { namespace: shop, name: api }
spec: { podSelector: { matchLabels: { app: api } }, policyTypes: [Ingress] }
";

const BROKEN: &str = "
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { namespace: shop, name: api }
spec: { podSelector: { matchLabels: { app: api } }, ingress: [{ from: [{ ipBlock: { cidr: everywhere } }] }] }
";

const ALLOW: &str = "
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { namespace: shop, name: api }
spec: { podSelector: { matchLabels: { app: api } }, ingress: [{}] }
";

/// Dials until the record is as wanted: a changed file takes a moment to be noticed, and nothing on the wire tells when.
fn dial_until(shop: &Shop, observer: &Observer, wanted: impl Fn(&Value) -> bool) -> Value {
    let until = std::time::Instant::now() + SOON;
    loop {
        let record = told(observer, &shop.dial(8080));
        if wanted(&record) || std::time::Instant::now() > until {
            return record;
        }
    }
}

#[test]
fn a_policy_applies_from_when_it_is_written() {
    let Some(shop) = shop() else { return };
    let observer = shop.observe(shop.tail());
    assert_eq!(told(&observer, &shop.dial(8080))["cause"], Value::Null);
    shop.lab.manifests().write("policy.yaml", DENY).expect("a policy");
    let record = dial_until(&shop, &observer, |record| record["cause"] == "not-enforced");
    assert_eq!(record["cause"], "not-enforced", "{record}");
    shop.lab.manifests().write("policy.yaml", ALLOW).expect("a policy");
    let record = dial_until(&shop, &observer, |record| record["cause"].is_null());
    assert_eq!(record["verdict"]["ingress"]["decision"], "allowed", "{record}");
}

#[test]
fn a_file_that_breaks_keeps_its_last_good_version_and_leaves_doubt() {
    let Some(shop) = shop() else { return };
    shop.lab.manifests().write("policy.yaml", DENY).expect("a policy");
    let observer = shop.observe(shop.tail());
    assert_eq!(told(&observer, &shop.dial(8080))["cause"], "not-enforced");
    shop.lab.manifests().write("policy.yaml", BROKEN).expect("a policy");
    observer
        .await_record(SOON, |record| {
            let text = record["text"].as_str().unwrap_or_default();
            record["event"] == "warning" && text.contains("policy.yaml") && text.contains("cidr")
        })
        .expect("a warning that names file and field");
    let record = told(&observer, &shop.dial(8080));
    assert_eq!(
        (&record["cause"], &record["confidence"]),
        (&"undecidable".into(), &"undecidable".into()),
        "{record}"
    );
    assert!(record["verdict"].to_string().contains("objects-in-doubt"), "{record}");
    shop.lab.manifests().write("policy.yaml", ALLOW).expect("a policy");
    let record = dial_until(&shop, &observer, |record| record["cause"].is_null());
    assert_eq!(record["verdict"]["ingress"]["decision"], "allowed", "{record}");
}

#[test]
fn addresses_of_what_has_gone_are_told_apart() {
    let Some(mut shop) = shop() else { return };
    shop.lab.add_pod(pod("shop/old")).expect("a pod");
    shop.lab
        .add_service(service("shop/old", 80, 8080).ready("shop/api"))
        .expect("a service");
    shop.lab
        .add_service(service("shop/new", 80, 8080).ready("shop/api"))
        .expect("a service");
    let observer = shop.observe(shop.tail());
    let pod_address = shop.lab.pod("shop/old").at(Family::V4, 8080);
    let service_address = shop.lab.service("shop/old").at(Family::V4);
    shop.lab
        .rule(Chain::Raw, &format!("ip daddr {} drop", service_address.ip()))
        .expect("a rule");
    shop.lab
        .rule(Chain::Enforce, &format!("ip daddr {} drop", pod_address.ip()))
        .expect("a rule");
    shop.lab
        .manifests()
        .remove("Service", "shop/old")
        .expect("removing a service");
    shop.lab.remove_pod("shop/old").expect("removing a pod");
    observer.await_links(&shop.links()).expect("the pod forgotten");
    let cart = shop.lab.pod("shop/cart").netns();
    for (address, cause) in [
        (pod_address, "stale-address"),
        (service_address, "unknown-service-address"),
    ] {
        // The folder is watched by other means than the links: the first dial may come before its change.
        let until = std::time::Instant::now() + SOON;
        let record = loop {
            let dialled = dial(cart, address, Duration::from_millis(300));
            assert_eq!(dialled.errno(), Some(Errno::ETIMEDOUT));
            let record = told(&observer, &dialled);
            if record["cause"] == cause || std::time::Instant::now() > until {
                break record;
            }
        };
        assert_eq!(record["cause"], cause, "{record}");
    }
}
