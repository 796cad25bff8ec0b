//! The command line: one file per verb.
//!
//! It owns what the arguments mean and where output goes. It does not own what is said: that is `report` and `diagnosis`.

pub mod agent;
pub mod explain;
pub mod filter;
mod grpc;
pub mod lint;
mod node;
mod objects;
mod show;
pub mod status;
pub mod tail;
pub mod why;

use std::io::{self, ErrorKind, Write as _};
use std::path::Path;
use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::remote;

/// Watches TCP connection attempts of Kubernetes pods and names the NetworkPolicy behind each failure.
#[derive(Debug, Parser)]
#[command(name = "observer", version, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// What the observer can be told to do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Watch the connection attempts of a cluster's pods, or of this node's, live, until Ctrl-C
    Tail(Box<tail::Tail>),
    /// Watch this node for others: serve its attempts, metrics and health, until SIGTERM
    Agent(Box<agent::Agent>),
    /// Say what is probably not meant in NetworkPolicies, of manifests or of a cluster
    Lint(lint::Lint),
    /// Say whether the policies let one pod talk to another, and what is missing if not
    Why(why::Why),
    /// Say what of this node can be observed, and what is missing
    Status(status::Status),
    /// Explain a cause or any other code that the output uses; without one, list all
    Explain(explain::Explain),
}

/// Exit status for wrong arguments and wrong input, as clap uses it.
const USAGE: u8 = 2;

/// Exit status where agents could not be reached.
const UNREACHED: u8 = 1;

/// The name that kubectl looks for when it is told `kubectl observer`.
const PLUGIN: &str = "kubectl-observer";

impl Cli {
    /// Reads the arguments of this process, and ends it with their help or with what is wrong with them. Called by the name of kubectl's
    /// plugin it calls itself so.
    #[must_use]
    pub fn of_process() -> Self {
        let name = std::env::args_os().next().unwrap_or_default();
        let mut command = Self::command();
        if Path::new(&name).file_name().is_some_and(|name| name == PLUGIN) {
            command = command.bin_name(PLUGIN.replacen('-', " ", 1));
        }
        let matches = command.get_matches_mut();
        Self::from_arg_matches(&matches).unwrap_or_else(|error| error.format(&mut command).exit())
    }

    /// Does what was asked for and reports an error on standard error.
    #[must_use]
    pub fn run(self) -> ExitCode {
        let success = |()| ExitCode::SUCCESS;
        let done = match self.verb {
            Verb::Tail(tail) => tail.run().map(success),
            Verb::Agent(agent) => agent.run().map(success),
            Verb::Lint(lint) => lint.run(&mut io::stdout().lock(), &mut io::stderr().lock()),
            Verb::Why(why) => why.run(&mut io::stdout().lock()),
            Verb::Status(status) => status.run(&mut io::stdout().lock()).map(success),
            Verb::Explain(explain) => explain.run(&mut io::stdout().lock()).map(success),
        };
        match done {
            Ok(code) => code,
            // Who read our output has seen enough.
            Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
            Err(error) => {
                // Without a standard error there is nobody to tell.
                let _ = writeln!(io::stderr(), "observer: {}", words(&error));
                let unreached = error
                    .downcast_ref::<remote::Error>()
                    .is_some_and(|error| !error.is_usage());
                ExitCode::from(if unreached { UNREACHED } else { USAGE })
            }
        }
    }
}

/// An error and what is behind it. Some errors tell their source themselves: nothing is said twice.
fn words(error: &anyhow::Error) -> String {
    let mut words = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !words.contains(&cause) {
            words.push_str(": ");
            words.push_str(&cause);
        }
    }
    words
}

/// Whether the reader of our output has gone.
#[must_use]
pub fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| cause.kind() == ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_error_says_of_its_cause_is_said_once() {
        let cause = || anyhow::anyhow!("no such file");
        for (error, expect) in [
            (cause(), "no such file"),
            (cause().context("cannot read a"), "cannot read a: no such file"),
            (
                cause().context("cannot read a: no such file").context("no objects"),
                "no objects: cannot read a: no such file",
            ),
        ] {
            assert_eq!(words(&error), expect);
        }
    }
}
