//! The kernel side, seen from user space: what is loaded, and where it is attached.
pub mod btf;
pub mod object;
