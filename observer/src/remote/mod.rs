//! The attempts of other nodes, from wherever this runs.
//!
//! ```text
//! Finder ─→ Roster ─→ Session ─┬─ Stream ─ dial ─→ agent     a task for each: connects, asks, takes up again
//! (API)     (who is    (loop)  ├─ Stream ─ dial ─→ agent
//!            not seen)         └─→ merge ─→ Said             in order of time, one record for each attempt
//! ```
//!
//! It owns how agents are found, reached and asked, and what becomes one stream. It does not own what attempts are wanted
//! (`filter`) nor how they are shown (`cli`). `merge` and `roster` are pure.

mod address;
mod dial;
mod error;
mod finder;
mod last;
pub mod merge;
mod reply;
mod request;
mod roster;
mod session;
mod stream;
mod tls;

pub use address::{Address, BadAddress};
pub use error::{Error, Refusal};
pub use finder::{AGENT_LABELS, AGENT_NAMESPACE};
pub use reply::Lost;
pub use request::Ask;
pub use session::{Place, Said, Session};
pub use tls::{BadTls, Tls};
