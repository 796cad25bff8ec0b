//! "May A talk to B?", asked by name, without any traffic.
//!
//! ```text
//! text ─ target ─→ Query ─ resolve ─→ pods, backends ─ ask (Policies::judge) ─→ Answer ─┬ text      for people
//!                                                                                       ├ record    JSON
//!                                              denied directions ─→ patch ─→ policies ─ written ─→ YAML
//! ```
//!
//! Pure, as the `World` that it asks: the time is part of the query. It owns what a name means and how the answers for several
//! pods make one. It does not own what the policies say (`policy/`) nor where objects come from (`cluster/`).

mod aims;
mod ask;
mod hints;
mod manifest;
mod patch;
mod perhaps;
mod record;
mod resolve;
mod services;
mod target;
mod text;
mod written;

#[cfg(test)]
mod tests;

pub use ask::{Answer, Judged, ask};
pub use manifest::manifest;
pub use patch::{Patch, Patched, patch};
pub use perhaps::perhaps;
pub use record::{AnswerRecord, ErrorRecord};
pub use resolve::Error;
pub use target::{PortRef, Query, Syntax, Target, destination, port, protocol, source};
pub use text::text;
pub use written::{edited, manager};
