//! What was perhaps meant by a name that nobody has. Looks at every name of a namespace, so it is for one question, not for
//! thousands.

use super::resolve::Error;
use crate::objects::Name;
use crate::time::Time;
use crate::world::World;

/// A name that exists, in the form in which it can be asked for, where one is near.
#[must_use]
pub fn perhaps(world: &World, error: &Error, at: Time) -> Option<String> {
    let (Error::Missing { name, .. } | Error::NoPods { name, .. }) = error else {
        return None;
    };
    let near = known(world, &name.namespace, at)
        .into_iter()
        .filter_map(|(known, form)| Some((distance(&name.name, &known)?, form)))
        .min();
    near.map(|(_, form)| form)
}

/// Every name of a namespace, with its form. Where a workload and its pods are as near, the workload comes first.
fn known(world: &World, namespace: &str, at: Time) -> Vec<(String, String)> {
    let endpoints = world.endpoints();
    let mut known = Vec::new();
    for pod in endpoints.pods_in(namespace, at) {
        if let Some(workload) = &pod.workload {
            let form = format!("{namespace}/{}/{}", workload.kind.to_ascii_lowercase(), workload.name);
            known.push((workload.name.to_string(), form));
        }
        known.push((pod.name.name.to_string(), pod.name.to_string()));
    }
    for Name { name, .. } in endpoints.services_in(namespace, at) {
        known.push((name.to_string(), format!("{namespace}/svc/{name}")));
    }
    known
}

/// How far off a known name is: the same of another kind, then one that goes on where this ends, then few slips.
fn distance(asked: &str, known: &str) -> Option<usize> {
    if asked == known {
        return Some(0);
    }
    if known.strip_prefix(asked).is_some_and(|rest| rest.starts_with('-')) {
        return Some(1);
    }
    let slips = strsim::osa_distance(asked, known);
    (slips * 3 <= asked.len()).then_some(1 + slips)
}
