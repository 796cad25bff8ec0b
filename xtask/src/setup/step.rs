//! One thing that setup does, and the shell commands that do it: the same that a user is told to type.

use std::fmt;

/// The `bpf-linker` that is installed.
const LINKER: &str = "0.13.0";

/// The LLVM versions that this `bpf-linker` can be built with.
pub(super) const LINKER_LLVMS: &[u32] = &[21, 22, 23];

/// How packages can be installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Privilege {
    /// We are root.
    Root,
    /// We are not, but there is sudo.
    Sudo,
    /// We are not, and cannot become it.
    Nobody,
}

/// One thing to install.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Packages of Debian or Ubuntu.
    Packages(Vec<String>),
    /// A component of a rustup toolchain.
    Component {
        /// The component's name; `rust-src` is the core library's source.
        name: &'static str,
        /// The toolchain's name.
        toolchain: String,
    },
    /// `bpf-linker` from its source, with a shared LLVM of the distribution.
    BuildLinker {
        /// The LLVM's major version.
        llvm: u32,
    },
    /// `bpf-linker` as its authors release it, with an LLVM in it.
    DownloadLinker {
        /// The machine's architecture, in Rust's words.
        architecture: String,
    },
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Packages(names) => write!(f, "installing the packages {}", names.join(", ")),
            Self::Component { name, toolchain } => write!(f, "adding {name} to rustup's {toolchain}"),
            Self::BuildLinker { llvm } => write!(f, "building bpf-linker {LINKER} with LLVM {llvm} (about a minute)"),
            Self::DownloadLinker { .. } => write!(f, "downloading bpf-linker {LINKER}"),
        }
    }
}

impl Step {
    /// The shell commands.
    pub(super) fn commands(&self, privilege: Privilege) -> Vec<String> {
        let sudo = if privilege == Privilege::Root {
            ""
        } else {
            "sudo env DEBIAN_FRONTEND=noninteractive "
        };
        match self {
            // The lists are fetched only where they are missing, or too old to find what they promise.
            Self::Packages(names) => {
                let install = format!("{sudo}apt-get install -y --no-install-recommends {}", names.join(" "));
                vec![format!("{install} || {{ {sudo}apt-get update && {install}; }}")]
            }
            Self::Component { name, toolchain } => vec![format!("rustup component add {name} --toolchain {toolchain}")],
            Self::BuildLinker { llvm } => vec![format!(
                "LLVM_PREFIX=/usr/lib/llvm-{llvm} cargo install bpf-linker --version {LINKER} --locked --force \
                 --no-default-features --features llvm-{llvm}"
            )],
            Self::DownloadLinker { architecture } => vec![format!(
                "mkdir -p \"${{CARGO_HOME:-$HOME/.cargo}}/bin\" && curl -fsSL https://github.com/aya-rs/bpf-linker/releases/\
                 download/v{LINKER}/bpf-linker-{architecture}-unknown-linux-musl.tar.zst | \
                 tar --zstd -x -C \"${{CARGO_HOME:-$HOME/.cargo}}/bin\""
            )],
        }
    }
}
