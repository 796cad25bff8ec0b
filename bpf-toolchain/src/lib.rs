//! How the kernel programs are built, written once: for `observer`'s build script, which embeds them, and for `xtask`,
//! which installs what is missing and lints them.
//!
//! The kernel target has no ready-made core library, so it needs a compiler with the *source* of its core library, and
//! `bpf-linker` with an LLVM that can read what that compiler writes. Both come in several ways (rustup's `rust-src`
//! component, a distribution's packages), so this crate looks at what is there and takes the first pair that fits:
//!
//! ```text
//! detect::compilers, detect::linkers ──▶ choose ──▶ Toolchain ──▶ cargo::command ──▶ the object
//!      (looks at the machine)            (pure)    or Missing
//! ```
//!
//! It has no dependencies, since a build script waits for every one of them.
#![forbid(unsafe_code)]

pub mod cargo;
pub mod choose;
pub mod compiler;
pub mod detect;
pub mod linker;

pub use choose::{Missing, Toolchain, choose};
pub use compiler::{Compiler, Version};
pub use linker::Linker;

/// The toolchain of this machine for sources that need at least the compiler version `minimum`.
///
/// # Errors
///
/// What is missing, if no compiler and linker fit.
pub fn find(minimum: Version) -> Result<Toolchain, Missing> {
    choose(&detect::compilers(), &detect::linkers(), minimum)
}
