//! `cargo xtask demo`: builds what the demo needs and plays it. The story itself is the `demo` binary of the tests package.

use std::process::Command;

use anyhow::{Result, bail};

use crate::{build, setup, shell};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Passed on to the demo.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    demo: Vec<String>,
}

/// The verb. Without optimisation: the demo waits for packets, not for the processor, and `cargo xtask test` builds the same.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    setup::ensure()?;
    let observer = build::observer(false)?;
    let demo = build::build("observer-tests", "demo", false)?;
    // Namespaces and kernel programs need root; building as root would leave files that their owner cannot remove.
    let mut command = if shell::is_root() {
        Command::new(demo)
    } else if shell::on_path("sudo") {
        let mut sudo = Command::new("sudo");
        sudo.args(["--preserve-env=OBSERVER_BIN,NO_COLOR,RUST_LOG", "--"])
            .arg(demo);
        sudo
    } else {
        bail!("the demo makes network namespaces and loads kernel programs: run it as root");
    };
    shell::run(
        command
            .current_dir(shell::root())
            .args(&arguments.demo)
            .env("OBSERVER_BIN", observer),
    )
}
