//! `cargo xtask setup`: looks at what is there and installs what is missing.
//!
//! ```text
//! machine::inspect ──▶ plan::next ──▶ a step ──▶ its commands are shown and run ──▶ look again
//!                        (pure)   └─▶ ready, or stuck with the commands to type
//! ```
//!
//! A step that failed is not tried again, and the plan goes on with the next way to the same thing: rustup's component
//! first, then a distribution's packages.

mod machine;
mod plan;
mod step;

use std::process::Command;

use anyhow::{Result, bail};
use bpf_toolchain::{Compiler, Toolchain};

use crate::shell;
use plan::Next;
use step::Step;

/// The verb: prints what is there.
pub(crate) fn run() -> Result<()> {
    let toolchain = ensure()?;
    let Toolchain { compiler, linker } = &toolchain;
    println!(
        "compiler: rustc {} with its library's source, in {}",
        compiler.version,
        compiler.sysroot.display()
    );
    let llvm = linker
        .llvm
        .map_or_else(|| "an unknown LLVM".to_owned(), |llvm| format!("LLVM {llvm}"));
    println!("linker:   {} with {llvm}", linker.path.display());
    println!("Nothing is missing.");
    Ok(())
}

/// Installs what is missing, and says with what the kernel programs will be built.
pub(crate) fn ensure() -> Result<Toolchain> {
    let mut failed = Vec::new();
    loop {
        let mut machine = machine::inspect();
        if !plan::complete(&machine) {
            machine.packages = machine::packages(&machine);
        }
        match plan::next(&machine, &failed) {
            Next::Ready(toolchain) => return Ok(toolchain),
            Next::Do(step) => {
                println!("setup: {step}");
                if let Err(error) = perform(&step, &machine) {
                    eprintln!("setup: that did not work: {error:#}");
                    failed.push(step);
                } else if machine::inspect() == machine.without_packages() {
                    // It "succeeded" and changed nothing: without this the same step would be tried for ever.
                    failed.push(step);
                }
            }
            Next::Stuck(why) => bail!("{why}"),
        }
    }
}

/// Installs the linter of a compiler, which only `cargo xtask lint` needs.
pub(crate) fn clippy(compiler: &Compiler) -> Result<()> {
    if compiler.clippy().is_file() {
        return Ok(());
    }
    let machine = machine::inspect();
    let step = plan::clippy(compiler);
    println!("setup: {step}");
    perform(&step, &machine)
}

fn perform(step: &Step, machine: &machine::Machine) -> Result<()> {
    for line in step.commands(machine.privilege) {
        println!("+ {line}");
        let mut command = Command::new("sh");
        command.args(["-euc", &line]).env("DEBIAN_FRONTEND", "noninteractive");
        // Cargo's own variables describe how xtask is built, not what it installs.
        for name in [
            "CARGO",
            "CARGO_TARGET_DIR",
            "CARGO_ENCODED_RUSTFLAGS",
            "RUSTFLAGS",
            "LD_LIBRARY_PATH",
        ] {
            command.env_remove(name);
        }
        let status = command.current_dir(shell::root()).status()?;
        if !status.success() {
            bail!("{line}: {status}");
        }
    }
    Ok(())
}
