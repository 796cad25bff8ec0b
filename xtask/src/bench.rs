//! `cargo xtask bench`: runs the measurements behind every claim of cost. They are the `bench` binary of the tests package.

use std::process::Command;

use anyhow::{Result, bail};

use crate::{build, setup, shell};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Passed on to the benchmarks.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    bench: Vec<String>,
}

/// The verb.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if !shell::is_root() {
        bail!("the benchmarks load kernel programs: run them as root");
    }
    setup::ensure()?;
    let observer = build::observer(true)?;
    let bench = build::build("observer-tests", "bench", true)?;
    let mut command = Command::new(bench);
    shell::run(
        command
            .current_dir(shell::root())
            .args(&arguments.bench)
            .env("OBSERVER_BIN", observer),
    )
}
