//! Row 4 of the table: what is missing behind a dialled address.

use super::Cause;
use super::facts::Facts;
use crate::endpoint::{Identity, ServiceHit, Unknown};

/// What the objects say is missing behind the dialled address; `None` where something is there.
pub(super) fn missing(facts: Facts<'_>) -> Option<Cause> {
    match &facts.all.destination.identity {
        Identity::Service(hit) => missing_backend(hit),
        Identity::Unknown(Unknown::ServiceRange) => Some(Cause::UnknownServiceAddress),
        Identity::Unknown(Unknown::Ended { .. }) => Some(Cause::StaleAddress),
        _ => None,
    }
}

/// Somebody else writes its EndpointSlices: that none are known does not mean that there are none.
pub(super) fn has_no_selector(facts: Facts<'_>) -> bool {
    let service = facts.all.destination.service().and_then(|hit| hit.service.as_ref());
    service.is_some_and(|service| service.selector.is_none())
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
