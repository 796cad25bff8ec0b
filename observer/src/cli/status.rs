//! `observer status`: what this node would let the observer see, without watching; `--clean` removes what a killed one left.

use std::io::Write;

use anyhow::{Context, Result};
use clap::Args;

use crate::probe::{Options, Probe, attach};

/// The arguments of `observer status`.
#[derive(Debug, Args)]
pub struct Status {
    /// Only remove the filters that an observer left behind which was killed (older kernels; TCX leaves nothing)
    #[arg(long)]
    clean: bool,
}

impl Status {
    /// Attaches, says what is covered, and detaches; or cleans.
    ///
    /// # Errors
    ///
    /// No right or no means to load the programs, or `to` cannot be written.
    pub fn run(&self, to: &mut impl Write) -> Result<()> {
        if self.clean {
            return clean(to);
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let coverage = runtime.block_on(async { Probe::start(Options::default()).map(|probe| probe.coverage()) })?;
        for line in coverage.lines() {
            writeln!(to, "{line}")?;
        }
        Ok(())
    }
}

fn clean(to: &mut impl Write) -> Result<()> {
    let removed = attach::clean().context("cannot remove leftover filters; run it as root")?;
    let filters: usize = removed.iter().map(|(_, count)| count).sum();
    writeln!(
        to,
        "removed {filters} leftover filters from {} interfaces",
        removed.len()
    )?;
    Ok(())
}
