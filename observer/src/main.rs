//! The `observer` command. Everything it does is in the library.

use std::process::ExitCode;

use observer::cli::Cli;

fn main() -> ExitCode {
    Cli::of_process().run()
}
