//! `cargo xtask build`: the observer, with its kernel programs in it.

use std::path::PathBuf;

use anyhow::Result;

use crate::{setup, shell};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Optimised; the binary is then target/release/observer.
    #[arg(long)]
    release: bool,
}

/// The verb.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    setup::ensure()?;
    let binary = observer(arguments.release)?;
    println!("{}", binary.display());
    Ok(())
}

/// Builds the observer and says where it is.
pub(crate) fn observer(release: bool) -> Result<PathBuf> {
    build("observer", "observer", release)
}

/// Builds one binary of one package and says where it is.
pub(crate) fn build(package: &str, binary: &str, release: bool) -> Result<PathBuf> {
    let mut command = shell::cargo(["build", "--package", package, "--bin", binary]);
    command.args(release.then_some("--release"));
    shell::run(&mut command)?;
    Ok(shell::target()
        .join(if release { "release" } else { "debug" })
        .join(binary))
}
