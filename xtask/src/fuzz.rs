//! `cargo xtask fuzz`: runs the fuzz targets of `tests/fuzz` with libFuzzer.
//!
//! No nightly and no cargo-fuzz are needed: coverage comes from flags that are stable, and the code under test has no
//! `unsafe` that would want a sanitizer.

use std::fs;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::shell;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The target; each one if there is none.
    #[arg(value_parser = clap::builder::PossibleValuesParser::new(TARGETS))]
    target: Option<String>,
    /// For how long, in seconds, each target.
    #[arg(long, default_value_t = 60)]
    seconds: u32,
}

/// The binaries of the fuzz package.
const TARGETS: [&str; 2] = ["packet", "manifest"];

const PACKAGE: &str = "observer-fuzz";

/// What libFuzzer needs of the code that it tests.
const COVERAGE: &[&str] = &[
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
];

/// The verb.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    match &arguments.target {
        Some(target) => fuzz(&[target], arguments.seconds),
        None => briefly(arguments.seconds),
    }
}

/// Each target, one after the other.
pub(crate) fn briefly(seconds: u32) -> Result<()> {
    fuzz(&TARGETS, seconds)
}

fn fuzz(targets: &[&str], seconds: u32) -> Result<()> {
    // A folder of its own: these flags would otherwise rebuild everything twice, at each change of mind.
    let folder = shell::target().join("fuzz");
    // Named, so that build scripts and macros are built without the flags.
    let host = host()?;
    let mut build = shell::cargo([
        "build",
        "--package",
        PACKAGE,
        "--features",
        "libfuzzer",
        "--bins",
        "--profile",
        "fuzz",
    ]);
    build
        .args(["--target", &host, "--target-dir"])
        .arg(&folder)
        .env("CARGO_ENCODED_RUSTFLAGS", COVERAGE.join("\u{1f}"));
    shell::run(&mut build)?;

    let package = shell::root().join("tests/fuzz");
    for target in targets {
        let corpus = folder.join("corpus").join(target);
        let crashes = package.join("crashes").join(target);
        for folder in [&corpus, &crashes] {
            fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        }
        let mut command = Command::new(folder.join(&host).join("fuzz").join(target));
        command
            .arg(format!("-max_total_time={seconds}"))
            .args([
                "-timeout=10",
                "-rss_limit_mb=2048",
                "-print_final_stats=1",
                "-verbosity=0",
            ])
            .arg(format!("-artifact_prefix={}/", crashes.display()))
            // New finds go to the first folder; the others are only read.
            .args([&corpus, &package.join("seeds").join(target), &crashes]);
        shell::run(&mut command).with_context(|| {
            format!("{target} crashed: give the file in tests/fuzz/crashes/{target}/ a name that says what it is, and commit it")
        })?;
    }
    Ok(())
}

/// The target triple of this machine.
fn host() -> Result<String> {
    let answer = shell::output("rustc", &["--version", "--verbose"]).context("rustc does not answer")?;
    let host = answer.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc does not tell its host")?.to_owned())
}
