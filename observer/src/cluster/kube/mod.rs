//! The Kubernetes API as the source of objects.

mod access;

pub use access::{Access, AccessError};
