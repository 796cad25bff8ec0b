//! The kernel programs that this binary carries, as the build script left them.
//!
//! It owns only the bytes and whether they are there; loading them is the loader's. A machine without a BPF toolchain can
//! still build, test and read manifests with this crate: there the object is a stub, and the loader says so.

use aya::include_bytes_aligned;

/// Why a stub was embedded, in the build script's words; empty when the object is real.
const STUB: &str = env!("OBSERVER_BPF_STUB");

/// The bytes, aligned as the ELF reader wants them.
static BYTES: &[u8] = include_bytes_aligned!(concat!(env!("OUT_DIR"), "/observer.bpf.o"));

/// What was embedded at build time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Object {
    /// The compiled programs: an ELF object with BTF.
    Programs(&'static [u8]),
    /// Nothing: no BPF toolchain answered when this binary was built.
    Stub {
        /// What was missing.
        why: &'static str,
    },
}

/// The binary holds no kernel programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "this observer was built without its kernel programs ({why}): run `cargo xtask setup`, which installs what is missing, \
     and build again with `cargo xtask build --release`"
)]
pub struct NoPrograms {
    /// What was missing when it was built.
    pub why: &'static str,
}

/// The embedded object.
pub const OBJECT: Object = if STUB.is_empty() {
    Object::Programs(BYTES)
} else {
    Object::Stub { why: STUB }
};

impl Object {
    /// The ELF object to load.
    ///
    /// # Errors
    ///
    /// [`NoPrograms`] if a stub was embedded.
    pub const fn programs(self) -> Result<&'static [u8], NoPrograms> {
        match self {
            Self::Programs(bytes) => Ok(bytes),
            Self::Stub { why } => Err(NoPrograms { why }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// e_machine of an eBPF object (`EM_BPF`, elf.h).
    const EM_BPF: u16 = 247;

    #[test]
    fn what_is_embedded_is_a_bpf_object_or_says_why_not() {
        match OBJECT {
            Object::Programs(bytes) => {
                assert_eq!(&bytes[..4], b"\x7fELF");
                assert_eq!(u16::from_ne_bytes([bytes[18], bytes[19]]), EM_BPF);
            }
            Object::Stub { why } => assert!(!why.is_empty()),
        }
    }

    #[test]
    fn a_stub_names_the_fix() {
        let error = Object::Stub {
            why: "no bpf-linker is installed",
        }
        .programs()
        .expect_err("a stub holds no programs");
        let text = error.to_string();
        assert!(
            text.contains("no bpf-linker is installed") && text.contains("cargo xtask setup"),
            "{text}"
        );
    }
}
