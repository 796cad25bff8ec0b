//! The project's chores: `cargo xtask VERB`, with a file per verb.
//!
//! They only find out what to run and run it; whoever prefers plain `cargo build`, `cargo test` and `cargo clippy` can use
//! those. The one thing they add is that a missing BPF toolchain is installed ([`setup`]) and never passed over.
#![forbid(unsafe_code)]

mod bench;
mod build;
mod chart;
mod demo;
mod e2e;
mod fuzz;
mod image;
mod krew;
mod lint;
mod setup;
mod shell;
mod test;
mod tidy;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The project's chores.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Install what is missing: a compiler that can build the kernel programs, bpf-linker, system packages.
    Setup,
    /// Build the observer.
    Build(build::Arguments),
    /// Build it and play a story of connection attempts, each with what the observer says of it.
    Demo(demo::Arguments),
    /// Run every test: units, kernel tests, documentation, and the fuzz targets for a moment.
    Test(test::Arguments),
    /// Check formatting, lints for the host and for the kernel target, documentation, structure and dependencies.
    Lint,
    /// Measure the costs that the README claims.
    Bench(bench::Arguments),
    /// Make the image without any container tool.
    Image(image::Arguments),
    /// Make kubectl's plugin for krew: its archive and its manifest.
    Krew(krew::Arguments),
    /// Test a real cluster, the one that KUBECONFIG names: install, dial, check what is said, remove.
    E2e(e2e::Arguments),
    /// Write the manifests that are generated from the Helm chart, or print the chart of a release.
    Chart(chart::Arguments),
    /// Check the rules of the structure.
    Tidy,
    /// Fuzz one target, or each.
    Fuzz(fuzz::Arguments),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().verb {
        Verb::Setup => setup::run(),
        Verb::Build(arguments) => build::run(&arguments),
        Verb::Demo(arguments) => demo::run(&arguments),
        Verb::Test(arguments) => test::run(&arguments),
        Verb::Lint => lint::run(),
        Verb::Bench(arguments) => bench::run(&arguments),
        Verb::Image(arguments) => image::run(&arguments),
        Verb::Krew(arguments) => krew::run(&arguments),
        Verb::E2e(arguments) => e2e::run(&arguments),
        Verb::Chart(arguments) => chart::run(&arguments),
        Verb::Tidy => tidy::run(),
        Verb::Fuzz(arguments) => fuzz::run(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Without the trace that a returned error would bring along: what failed has already spoken.
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
