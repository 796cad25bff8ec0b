//! What must hold for the policies of any valid objects: lints, verdicts and patches.

use std::time::Duration;

use observer::cluster::read_manifest;
use observer::objects::{Change, Name, Object, Protocol};
use observer::policy::{self, Decision, lint};
use observer::time::Time;
use observer::why::{self, AnswerRecord, PortRef, Query, Target};
use observer::world::World;

/// More would make a run slow without reaching more code.
const MOST_OBJECTS: usize = 30;

/// So many pods are asked about, each with each.
const MOST_ENDS: usize = 3;

/// Lints the objects, asks whether some pods may talk, and tries the patch of each denial.
pub(crate) fn hold(objects: Vec<Object>) {
    if objects.len() > MOST_OBJECTS {
        return;
    }
    let changes: Vec<Change> = objects.into_iter().map(Change::Set).collect();
    for found in lint::lint(&lint::Objects::new(&changes, &[])) {
        assert!(!found.message.is_empty() && !found.help.ends_with('.'), "{found:?}");
    }
    let outside = "192.0.2.1".parse().map(Target::Address);
    let ends: Vec<Target> = changes
        .iter()
        .filter_map(|change| match change {
            Change::Set(Object::Pod(pod)) => Some(Target::Pod(pod.name.clone())),
            Change::Set(Object::Service(service)) => Some(Target::Service(service.name.clone())),
            _ => None,
        })
        .take(MOST_ENDS)
        .chain(outside)
        .collect();
    for source in &ends {
        for destination in &ends {
            for port in [Some(PortRef::Number(80)), None] {
                ask(
                    &changes,
                    &Query {
                        source: source.clone(),
                        destination: destination.clone(),
                        port,
                        protocol: Some(Protocol::Tcp),
                        at: Time(u64::MAX / 2),
                    },
                );
            }
        }
    }
}

fn ask(changes: &[Change], query: &Query) {
    // A name that nobody has, or no port: said, and no panic.
    let Ok(answer) = why::ask(&world(changes), query) else {
        return;
    };
    assert!(why::text(&answer).ends_with('\n') && AnswerRecord::new(&answer).line().ends_with('\n'));
    if answer.decision() != Decision::Denied {
        return;
    }
    let Ok(patch) = why::patch(&mut world(changes), query) else {
        panic!("it can be asked, and not be patched");
    };
    let mut after = world(changes);
    for patched in &patch.policies {
        let text = why::manifest(&patched.policy).to_string();
        let read = read_manifest(text.as_bytes());
        let Ok([Object::NetworkPolicy(policy)]) = read.as_deref() else {
            panic!("a patch that is refused: {text}\n{read:?}");
        };
        let same: (&Name, usize) = (&policy.name, policy.ingress.len());
        assert_eq!(same, (&patched.policy.name, patched.policy.ingress.len()));
        after.apply(&Change::Set(Object::NetworkPolicy(policy.clone())), Time::BEGINNING);
    }
    let judged = why::ask(&after, query).map(|answer| answer.decision());
    assert_eq!(judged, Ok(patch.after.decision()), "{query:?}");
}

fn world(changes: &[Change]) -> World {
    let mut world = World::new(policy::Config {
        window: Duration::ZERO,
        ..policy::Config::default()
    });
    for change in changes {
        world.apply(change, Time::BEGINNING);
    }
    world
}
