//! The `observer` command. Everything it does is in the library.

use std::process::ExitCode;

use clap::Parser as _;
use observer::cli::Cli;

fn main() -> ExitCode {
    Cli::parse().run()
}
