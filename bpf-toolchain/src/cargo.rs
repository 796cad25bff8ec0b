//! The cargo call that compiles the kernel programs.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Toolchain;

/// The package of the kernel programs.
pub const PACKAGE: &str = "observer-ebpf";

/// The file name of the linked object.
pub const OBJECT: &str = "observer";

/// The cargo profile, defined in the workspace's manifest.
pub const PROFILE: &str = "bpf";

/// The kernel target with this machine's byte order.
pub const TARGET: &str = if cfg!(target_endian = "big") {
    "bpfeb-unknown-none"
} else {
    "bpfel-unknown-none"
};

/// What cargo does with the kernel programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Compile and link them.
    Build,
    /// Lint them. `cargo clippy` would run whichever `cargo-clippy` cargo finds first, so the compiler's own is run.
    Clippy,
}

/// Variables of an outer cargo or rustup that say *how* to compile, or who does: all would mislead the inner call.
/// What says where the registry and the caches are is kept.
fn misleads(name: &str) -> bool {
    const KEPT: &[&str] = &["CARGO_HOME", "RUSTUP_HOME", "RUST_BACKTRACE"];
    const KEPT_FAMILIES: &[&str] = &[
        "CARGO_HTTP_",
        "CARGO_NET_",
        "CARGO_REGISTR",
        "CARGO_SOURCE_",
        "CARGO_TERM_",
    ];
    const ALONE: &[&str] = &[
        "LD_LIBRARY_PATH",
        "TARGET",
        "HOST",
        "OUT_DIR",
        "MAKEFLAGS",
        "MFLAGS",
        "CLIPPY_ARGS",
    ];
    let ours = name.starts_with("CARGO") || name.starts_with("RUST") || ALONE.contains(&name);
    ours && !KEPT.contains(&name) && !KEPT_FAMILIES.iter().any(|family| name.starts_with(family))
}

/// Cargo's verb for the kernel programs with this toolchain, in the workspace at `root` and with a target folder that the
/// outer cargo does not hold locked.
#[must_use]
pub fn command(toolchain: &Toolchain, verb: Verb, root: &Path, target: &Path) -> Command {
    let compiler = &toolchain.compiler;
    let (mut command, verb) = match verb {
        Verb::Build => (Command::new(compiler.cargo()), "build"),
        Verb::Clippy => (Command::new(compiler.clippy()), "clippy"),
    };
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(misleads) {
            command.env_remove(name);
        }
    }
    let flags = [
        format!("-Clinker={}", toolchain.linker.path.display()),
        // The loader needs BTF for the maps and the tracepoints; the linker makes it from debug information.
        "-Clink-arg=--btf".to_owned(),
        // Otherwise LLVM leaves every small memset and memcpy as a call of a function that goes byte by byte, which doubles
        // the cost of a handshake.
        "-Clink-arg=--disable-expand-memcpy-in-order".to_owned(),
        "-Cdebuginfo=2".to_owned(),
    ];
    command
        .current_dir(root)
        .args([
            verb,
            "--locked",
            "--package",
            PACKAGE,
            "--profile",
            PROFILE,
            "--target",
            TARGET,
        ])
        // Building the core library is unstable in cargo, on any channel; what it makes is as stable as the compiler.
        .args(["-Z", "build-std=core"])
        .arg("--target-dir")
        .arg(target)
        .env("CARGO", compiler.cargo())
        .env("RUSTC", compiler.rustc())
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"));
    command
}

/// Where `cargo build` leaves the object.
#[must_use]
pub fn object(target: &Path) -> PathBuf {
    target.join(TARGET).join(PROFILE).join(OBJECT)
}

/// The target folder for the kernel programs that goes with an outer cargo's output folder (`OUT_DIR`), so that all of
/// its profiles share one: the outer target folder is the outermost that cargo tagged as a cache.
#[must_use]
pub fn target_folder(out: &Path) -> PathBuf {
    out.ancestors()
        .find(|folder| folder.join("CACHEDIR.TAG").is_file())
        .unwrap_or(out)
        .join("bpf")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_outer_build_does_not_reach_the_inner_one() {
        for name in [
            "CARGO",
            "CARGO_ENCODED_RUSTFLAGS",
            "CARGO_MAKEFLAGS",
            "CARGO_TARGET_DIR",
            "RUSTC",
            "RUSTUP_TOOLCHAIN",
            "RUSTC_WORKSPACE_WRAPPER",
            "RUSTFLAGS",
            "CARGO_CFG_TARGET_ARCH",
            "CARGO_PROFILE_DEV_LTO",
            "LD_LIBRARY_PATH",
        ] {
            assert!(misleads(name), "{name}");
        }
        for name in [
            "PATH",
            "HOME",
            "CARGO_HOME",
            "RUSTUP_HOME",
            "CARGO_NET_OFFLINE",
            "CARGO_HTTP_PROXY",
            "TARGETS",
        ] {
            assert!(!misleads(name), "{name}");
        }
    }

    #[test]
    fn without_a_tagged_folder_the_output_folder_is_used() {
        let out = Path::new("/nonexistent/debug/build/observer-0/out");
        assert_eq!(target_folder(out), out.join("bpf"));
    }
}
