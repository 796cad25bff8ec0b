//! `cargo xtask lint`: formatting, clippy for the host and for the kernel target, documentation, structure, dependencies.

use anyhow::{Result, bail};
use bpf_toolchain::{Toolchain, cargo as bpf};

use crate::{setup, shell, tidy};

/// The version that is installed where there is none.
const CARGO_DENY: &str = "0.20.2";

/// A check and its name.
type Check = (&'static str, Box<dyn Fn() -> Result<()>>);

/// The verb. Each check runs even if one before it failed, so that one run shows all there is to mend.
pub(crate) fn run() -> Result<()> {
    let toolchain = setup::ensure()?;
    let checks: [Check; 6] = [
        (
            "formatting",
            Box::new(|| shell::run(&mut shell::cargo(["fmt", "--all", "--check"]))),
        ),
        ("clippy, host", Box::new(clippy_host)),
        ("clippy, kernel programs", Box::new(move || clippy_kernel(&toolchain))),
        ("documentation", Box::new(documentation)),
        ("structure", Box::new(tidy::run)),
        ("dependencies", Box::new(dependencies)),
    ];
    let mut failed = Vec::new();
    for (name, check) in checks {
        println!("lint: {name}");
        if let Err(error) = check() {
            eprintln!("lint: {name}: {error:#}");
            failed.push(name);
        }
    }
    if !failed.is_empty() {
        bail!("lint failed: {}", failed.join(", "));
    }
    println!("lint: all is well");
    Ok(())
}

fn clippy_host() -> Result<()> {
    shell::run(&mut shell::cargo(["clippy", "--all-targets", "--", "-D", "warnings"]))
}

/// Lints the kernel crate for the target it is built for, with the compiler that builds it: its clippy alone can read
/// that compiler's core library.
fn clippy_kernel(toolchain: &Toolchain) -> Result<()> {
    setup::clippy(&toolchain.compiler)?;
    let target = shell::target().join("bpf");
    let mut command = bpf::command(toolchain, bpf::Verb::Clippy, shell::root(), &target);
    shell::run(command.args(["--", "-D", "warnings"]))
}

fn documentation() -> Result<()> {
    shell::run(shell::cargo(["doc", "--no-deps", "--document-private-items"]).env("RUSTDOCFLAGS", "-D warnings"))
}

/// Licences, bans and sources always; advisories where their database can be had.
fn dependencies() -> Result<()> {
    if !shell::on_path("cargo-deny") {
        shell::run(&mut shell::cargo([
            "install",
            "cargo-deny",
            "--version",
            CARGO_DENY,
            "--locked",
        ]))?;
    }
    shell::run(&mut shell::cargo([
        "deny",
        "--all-features",
        "check",
        "licenses",
        "bans",
        "sources",
    ]))?;
    if shell::run(&mut shell::cargo(["deny", "fetch", "db"])).is_ok() {
        return shell::run(&mut shell::cargo([
            "deny",
            "--all-features",
            "check",
            "--disable-fetch",
            "advisories",
        ]));
    }
    println!("lint: the advisory database cannot be had here: advisories were not checked");
    Ok(())
}
