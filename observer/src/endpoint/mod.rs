//! Who an address was at a time.
//!
//! ```text
//! Change, time → Endpoints (address → versions) → resolve(address, port, time) → Endpoint
//! ```

mod types;

pub use types::*;
