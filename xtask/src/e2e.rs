//! `cargo xtask e2e`: the cluster test, against the cluster of the current kubeconfig. The test is the `e2e` binary of the tests package.

use std::process::Command;

use anyhow::Result;

use crate::{build, image, setup, shell};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Make the images first and load them into the kind cluster of this name.
    #[arg(long, value_name = "NAME")]
    kind: Option<String>,
    /// Passed on to the test: `--image`, `--peer-image`, `--keep`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    e2e: Vec<String>,
}

/// The verb.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    setup::ensure()?;
    if let Some(cluster) = &arguments.kind {
        for archive in image::make_all()? {
            let mut command = Command::new("kind");
            shell::run(command.args(["load", "image-archive", "--name", cluster]).arg(archive))?;
        }
    }
    let observer = build::observer(false)?;
    let e2e = build::build("observer-tests", "e2e", false)?;
    let mut command = Command::new(e2e);
    shell::run(
        command
            .current_dir(shell::root())
            .args(&arguments.e2e)
            .env("OBSERVER_BIN", observer),
    )
}
