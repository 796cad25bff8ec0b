//! Recent attempts, and attempts as Hubble's clients know them. Pure.
//!
//! ```text
//! Record ─→ Ring ─→ Query: when, how many ─→ Records ─→ FlowFilter: which ─→ flow: Flow, of it Mask: what ─→ client
//!                                                                     └─ extension: what a flow cannot say
//! ```
//!
//! It does not own who asks (`serve/`) nor what a record says (`report/`).

pub mod extension;
mod filter;
mod mask;
mod query;
mod ring;
mod side;
mod summary;
mod told;
mod verdict;

#[cfg(test)]
mod tests;

pub use filter::{FlowFilters, MAX_VALUES, Refused};
pub use mask::{BadMask, Mask};
pub use query::{Query, Take};
pub use ring::{Counters, Limits, Place, Placed, Ring};
pub use told::{flow, timestamp};

use std::collections::BTreeSet;

use crate::objects::Str;
use crate::report::{Record, RecordType};

/// Whether the record may still change: its attempt is not decided.
#[must_use]
pub fn is_provisional(record: &Record) -> bool {
    record.kind == RecordType::Attempt && !record.is_final
}

/// The namespaces that an attempt touches: those of both ends, of the dialled Service and of what it became.
pub fn namespaces(record: &Record) -> impl Iterator<Item = &Str> {
    let to = &record.destination;
    let ends = [record.source.namespace.as_ref(), to.party.namespace.as_ref()];
    let service = to.service.as_ref().map(|service| &service.namespace);
    let backend = to.backend.as_ref().and_then(|backend| backend.namespace.as_ref());
    ends.into_iter().chain([service, backend]).flatten()
}

/// Whether an attempt touches one of `shown`.
#[must_use]
pub fn touches(record: &Record, shown: &BTreeSet<Str>) -> bool {
    namespaces(record).any(|namespace| shown.contains(namespace))
}
