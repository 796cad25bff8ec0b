//! The capabilities that an agent keeps once it is attached, and why; everything else goes, for good.
//!
//! Capabilities belong to threads: this is called before any other thread starts, so that all of them inherit what is left.

use std::fmt;

use caps::errors::CapsError;
use caps::{CapSet, Capability, CapsHashSet};
use nix::errno::Errno;

/// What is kept, if it is there at all, and for what.
const NEEDED: [(Capability, &str); 4] = [
    (Capability::CAP_BPF, "the kernel programs' tables"),
    (Capability::CAP_NET_ADMIN, "attaching to new pods' interfaces"),
    (
        Capability::CAP_SYS_ADMIN,
        "reading listening sockets in pods' network namespaces, and the names of other programs",
    ),
    (Capability::CAP_SYS_PTRACE, "finding the network namespaces of pods"),
];

/// What is left.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Kept(Vec<(Capability, &'static str)>);

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("none");
        }
        for (position, (capability, why)) in self.0.iter().enumerate() {
            let separator = if position > 0 { "; " } else { "" };
            write!(f, "{separator}{capability} ({why})")?;
        }
        Ok(())
    }
}

/// Why the rest could not be dropped.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The kernel refuses to change capabilities.
    #[error("cannot drop capabilities: {0}")]
    Capabilities(#[from] CapsError),
    /// The kernel refuses the flag.
    #[error("cannot give up new privileges: {0}")]
    NoNewPrivileges(#[from] Errno),
}

/// Drops every capability of this thread that is not needed after the start, from every set, and the way to get them back by running another
/// program.
///
/// # Errors
///
/// What the kernel says.
pub fn drop_unneeded() -> Result<Kept, Error> {
    let permitted = caps::read(None, CapSet::Permitted)?;
    let kept: Vec<_> = NEEDED
        .into_iter()
        .filter(|(capability, _)| permitted.contains(capability))
        .collect();
    let keep: CapsHashSet = kept.iter().map(|(capability, _)| *capability).collect();
    // The bounding set can only be narrowed with this one, which goes itself right after.
    if caps::has_cap(None, CapSet::Effective, Capability::CAP_SETPCAP)? {
        for capability in caps::read(None, CapSet::Bounding)?.difference(&keep) {
            caps::drop(None, CapSet::Bounding, *capability)?;
        }
    }
    caps::clear(None, CapSet::Ambient)?;
    caps::clear(None, CapSet::Inheritable)?;
    // No capability may be effective that is not permitted.
    caps::set(None, CapSet::Effective, &keep)?;
    caps::set(None, CapSet::Permitted, &keep)?;
    nix::sys::prctl::set_no_new_privs()?;
    Ok(Kept(kept))
}
