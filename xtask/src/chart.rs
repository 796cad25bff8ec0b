//! `cargo xtask chart`: the manifests that are generated from the Helm chart, or the chart as `helm template` would print it. The renderer is
//! the `chart` binary of the tests package.

use std::process::Command;

use anyhow::Result;

use crate::{build, shell};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Passed on to the renderer: nothing, or a release's name and `--values FILE`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    chart: Vec<String>,
}

/// The verb.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let chart = build::build("observer-tests", "chart", false)?;
    shell::run(Command::new(chart).current_dir(shell::root()).args(&arguments.chart))
}
