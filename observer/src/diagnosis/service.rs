//! Row 4 of the table: what is missing behind a dialled address.

use super::Cause;
use super::facts::Facts;
use crate::endpoint::{Identity, ServiceHit, Unknown};
use crate::policy::{DirectionVerdict, Undecidable};

/// What the objects say is missing behind the dialled address; `None` where something is there, or where the objects that would
/// say so are not known: what is missing among those may exist.
pub(super) fn missing(facts: Facts<'_>) -> Option<Cause> {
    let verdict = &facts.all.verdict;
    if [&verdict.egress, &verdict.ingress].into_iter().any(rests_on_nothing) {
        return None;
    }
    match &facts.all.destination.identity {
        Identity::Service(hit) => missing_backend(hit),
        Identity::Unknown(Unknown::ServiceRange) => Some(Cause::UnknownServiceAddress),
        Identity::Unknown(Unknown::Ended { .. }) => Some(Cause::StaleAddress),
        _ => None,
    }
}

/// Why it does not mean much that no endpoints are known: nothing that tells them is among the objects, or somebody else
/// writes the Service's slices and the wire does not agree either.
pub(super) fn unknown_endpoints(facts: Facts<'_>, wire_agrees: bool) -> Option<&'static str> {
    let hit = facts.all.destination.service()?;
    let foreign = hit.service.as_ref().is_some_and(|service| service.selector.is_none());
    if !hit.backends_known {
        Some("nothing that tells its endpoints is among the objects: they may exist all the same")
    } else if foreign && !wire_agrees {
        Some("the Service has no selector: its endpoints may exist and be missing among the objects")
    } else {
        None
    }
}

/// The answer is open for objects that could not be read, or not yet.
fn rests_on_nothing(direction: &DirectionVerdict) -> bool {
    matches!(
        direction.undecidable,
        Some(Undecidable::ObjectsInDoubt { .. } | Undecidable::NotSynced | Undecidable::NoObjects)
    )
}

fn missing_backend(hit: &ServiceHit) -> Option<Cause> {
    if hit.port.is_none() && hit.service.is_some() {
        return Some(Cause::NoSuchServicePort);
    }
    let mut ready = hit.backends.iter().filter(|backend| backend.ready).peekable();
    if hit.backends.is_empty() {
        Some(Cause::NoEndpoints)
    } else if ready.peek().is_none() {
        Some(Cause::BackendNotReady)
    } else if ready.all(|backend| backend.excluded) {
        Some(Cause::NoLocalEndpoint)
    } else {
        None
    }
}
