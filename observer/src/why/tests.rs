//! Names, ports, several pods as one answer, and patches, each of which is tried.

use proptest::prelude::*;
use serde_json::json;

use super::{Answer, Query, ask, destination, edited, manifest, patch, source};
use crate::cluster::read_manifest;
use crate::objects::{Change, NetworkPolicy, Object};
use crate::policy::tests::generated::objects;
use crate::policy::{self, Decision};
use crate::time::Time;
use crate::world::World;

mod json;
mod names;
mod recognised;
mod services;
mod written;

const NOW: Time = Time(2_000_000_000_000_000_000);

fn world(objects: impl IntoIterator<Item = Object>) -> World {
    let mut world = World::new(policy::Config {
        window: std::time::Duration::ZERO,
        ..policy::Config::default()
    });
    for object in objects {
        world.apply(&Change::Set(object), Time::BEGINNING);
    }
    world
}

fn query(from: &str, to: &str) -> Query {
    let (destination, port, protocol) = destination(to).expect("a destination");
    Query {
        source: source(from).expect("a source"),
        destination,
        port,
        protocol,
        at: NOW,
    }
}

/// A few objects as YAML.
fn read(yaml: &str) -> World {
    world(read_manifest(yaml.as_bytes()).expect("valid manifests"))
}

fn answer(world: &World, from: &str, to: &str) -> Answer {
    ask(world, &query(from, to)).expect("an answer")
}

/// What `kubectl apply` of a patch's policies makes of a cluster, in whose manifests each stands with more than is read of it.
fn applied(objects: &[Object], policies: &[super::Patched]) -> World {
    let mut world = world(objects.iter().cloned());
    for patched in policies {
        let as_written = objects.iter().find_map(|object| match object {
            Object::NetworkPolicy(policy) if policy.name == patched.policy.name => Some(manifest(policy)),
            _ => None,
        });
        let mut as_written = as_written.expect("a policy that was there");
        as_written["metadata"]["labels"] = json!({ "app": "no" });
        as_written["metadata"]["uid"] = json!("u");
        let changed = edited(as_written, patched).expect("a place for the change");
        assert_eq!(changed["metadata"]["labels"]["app"], "no");
        assert_eq!(changed["metadata"].get("uid"), None);
        // What was read of it and changed says the same.
        assert_eq!(changed["spec"], manifest(&patched.policy)["spec"]);
        let yaml = serde_saphyr::to_string(&changed).expect("YAML");
        for object in read_manifest(yaml.as_bytes()).expect("a valid policy") {
            assert_eq!(object.name(), patched.policy.name);
            world.apply(&Change::Set(object), Time::BEGINNING);
        }
    }
    world
}

/// Any policy.
fn policy() -> NetworkPolicy {
    let text =
        b"---\n{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p}, spec: {podSelector: {}}}";
    match read_manifest(text).expect("valid").pop() {
        Some(Object::NetworkPolicy(policy)) => NetworkPolicy::clone(&policy),
        other => panic!("{other:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn a_patch_as_it_is_printed_allows_what_was_denied(objects in objects()) {
        let parties = ["n/0", "m/1", "gone/2", "m/4", "1.2.3.4", "10.0.0.6"];
        for from in parties {
            for to in parties {
                for on in ["80", "81/UDP"] {
                    let query = query(from, &format!("{to}:{on}"));
                    let before = ask(&world(objects.clone()), &query).expect("an answer");
                    let made = patch(&mut world(objects.clone()), &query).expect("a patch");
                    prop_assert_eq!(made.before.decision(), before.decision());
                    prop_assert_eq!(made.policies.is_empty(), before.decision() != Decision::Denied);
                    let after = ask(&applied(&objects, &made.policies), &query).expect("an answer");
                    prop_assert_eq!(after.decision(), made.after.decision());
                    prop_assert_ne!(after.decision(), Decision::Denied, "{} {}", from, to);
                    // Only what was open before may be open still.
                    let open = |answer: &Answer| {
                        let verdict = &answer.each[0].verdict;
                        [verdict.egress.decision, verdict.ingress.decision]
                            .map(|decision| decision == Decision::Undecidable)
                    };
                    if after.decision() == Decision::Undecidable {
                        prop_assert_eq!(open(&after), open(&before));
                    }
                }
            }
        }
    }

    #[test]
    fn a_policy_survives_being_printed(objects in objects()) {
        for object in &objects {
            let Object::NetworkPolicy(policy) = object else { continue };
            let yaml = serde_saphyr::to_string(&manifest(policy)).expect("YAML");
            let read = read_manifest(yaml.as_bytes()).expect("a valid policy");
            let [Object::NetworkPolicy(read)] = read.as_slice() else {
                return Err(TestCaseError::fail(yaml));
            };
            prop_assert_eq!(manifest(read), manifest(policy));
            prop_assert_eq!(
                (read.isolates_ingress, read.isolates_egress, read.ingress.len(), read.egress.len()),
                (policy.isolates_ingress, policy.isolates_egress, policy.ingress.len(), policy.egress.len())
            );
        }
    }
}

proptest! {
    #[test]
    fn whatever_an_annotation_holds_survives_a_patch(key in "[ -~]{0,9}", value in r"([ -~\n\t]|\PC){0,30}") {
        let mut written = manifest(&policy());
        written["metadata"]["annotations"] = json!({ key: value });
        let yaml = serde_saphyr::to_string(&written).expect("YAML");
        let read: serde_json::Value = serde_saphyr::from_str(&yaml).expect("YAML");
        prop_assert_eq!(read, written, "{}", yaml);
    }

    #[test]
    fn whatever_is_written_is_a_name_or_an_error(text in r"\PC{0,12}", parts in proptest::collection::vec("[a-z0-9./:\\[\\]TCUDP-]{0,4}", 0..8)) {
        for text in [text, parts.concat()] {
            let (as_source, as_destination) = (source(&text), destination(&text));
            // Capitals, which no name has, are a protocol to a destination.
            if let Ok(target) = as_source && !text.bytes().any(|byte| byte.is_ascii_uppercase()) {
                prop_assert_eq!(as_destination.map(|(target, ..)| target), Ok(target));
            }
        }
    }
}

#[test]
fn values_that_yaml_would_take_for_something_else_stay_text() {
    for value in [
        "true",
        "no",
        "null",
        "1",
        "1.0",
        "1e3",
        "0x1",
        "017",
        "on",
        "2026-01-31",
        "",
    ] {
        let text = format!(
            "---\n{{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {{name: '1', namespace: '2'}}, spec: \
             {{podSelector: {{matchLabels: {{'{value}x': '{value}', y: '{value}'}}}}, policyTypes: [Ingress]}}}}"
        );
        let objects = read_manifest(text.as_bytes()).expect("valid");
        let [Object::NetworkPolicy(policy)] = objects.as_slice() else {
            panic!("one policy")
        };
        let yaml = serde_saphyr::to_string(&manifest(policy)).expect("YAML");
        let again = read_manifest(yaml.as_bytes()).unwrap_or_else(|error| panic!("{yaml}\n{error}"));
        let [Object::NetworkPolicy(again)] = again.as_slice() else {
            panic!("one policy")
        };
        assert_eq!(again.pod_selector, policy.pod_selector, "{yaml}");
        assert_eq!(again.name, policy.name);
    }
}
