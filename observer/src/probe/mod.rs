//! The kernel side, seen from user space: what is loaded, and where it is attached.
pub mod attach;
pub mod btf;
pub mod coverage;
pub mod filters;
pub mod hooks;
pub mod inventory;
pub mod links;
pub mod load;
pub mod netlink;
pub mod netns;
pub mod object;
pub mod symbols;
pub mod syscall;
