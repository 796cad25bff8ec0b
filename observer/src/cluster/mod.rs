//! Where objects come from: a folder of manifests, or the Kubernetes API, giving the same changes.
//!
//! ```text
//! folder ─ files → text → documents → API objects → our objects → Change
//!          folder.rs      document.rs  decode.rs     convert/      store.rs (differences), watch.rs (live)
//! API ─ kube/ ─────────────────────────────────────┘             kube/table.rs (differences)
//! ```
//!
//! It owns reading, checking as the API server checks, and following. What it gives is valid; what it refuses it names by
//! file, document, line and field. It does not own what the objects mean.

mod convert;
mod decode;
mod document;
mod findings;
mod folder;
mod kube;
mod lines;
mod once;
mod problem;
mod read;
mod source;
mod store;
mod strings;
mod syntax;
mod watch;
mod written;

#[cfg(test)]
mod tests;

pub(crate) use self::kube::reason;
pub use self::kube::{Access, AccessError, Cluster, Health, ReadError, Timing};
pub use once::{Place, Snapshot};
pub use problem::{Errors, Problem};
pub use read::read_manifest;
pub use source::{OpenError, Origin, Source};
pub use watch::{Loaded, Manifests, Update};
