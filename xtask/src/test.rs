//! `cargo xtask test`: every test, with `cargo nextest` where it is installed and `cargo test` elsewhere.

use std::process::Command;

use anyhow::Result;

use crate::{build, fuzz, setup, shell};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only tests whose name contains this; documentation and fuzz targets are then left out.
    filter: Option<String>,
    /// Only the comparison of the policies' evaluator with the reference, over ten thousand clusters instead of some hundred.
    /// `PROPTEST_CASES` sets another number.
    #[arg(long, conflicts_with = "filter")]
    thorough: bool,
}

/// Clusters of the thorough comparison: seventeen million questions to those at rest, nearly as many to those that change.
const THOROUGH_CASES: &str = "10000";

/// The package whose integration tests need root and the kernel.
const KERNEL: &str = "observer-tests";

/// How long each fuzz target runs here.
const FUZZ_SECONDS: u32 = 20;

/// The verb.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    setup::ensure()?;
    if arguments.thorough {
        return thorough();
    }
    let observer = build::observer(false)?;
    let test = |mut command: Command| {
        command.env("OBSERVER_BIN", &observer);
        if shell::in_ci() {
            command.env("OBSERVER_KERNEL_TESTS", "required");
        }
        shell::run(&mut command)
    };
    // In CI the kernel tests are demanded, and so fail without root instead of being left out.
    let kernel = shell::is_root() || shell::in_ci();
    if !kernel {
        println!(
            "Not root: the kernel tests (tests/tests/*.rs) are left out. For them: sudo -E env PATH=\"$PATH\" cargo xtask test"
        );
    }
    for command in runs(shell::on_path("cargo-nextest"), kernel, arguments.filter.as_deref()) {
        test(shell::cargo(command))?;
    }
    if arguments.filter.is_none() {
        fuzz::briefly(FUZZ_SECONDS)?;
    }
    Ok(())
}

fn thorough() -> Result<()> {
    // Optimised, but with every check of a test, and beside the dependencies that the tests are built with anyway.
    let optimised = "profile.dev.package.observer.opt-level=2";
    let arguments = [
        "test",
        "--package=observer",
        "--lib",
        "--config",
        optimised,
        "policy::tests::equal",
    ];
    let mut command = shell::cargo(arguments);
    if std::env::var_os("PROPTEST_CASES").is_none() {
        command.env("PROPTEST_CASES", THOROUGH_CASES);
    }
    shell::run(&mut command)
}

/// The arguments of each cargo call.
fn runs(nextest: bool, kernel: bool, filter: Option<&str>) -> Vec<Vec<String>> {
    let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let mut runs = match (nextest, kernel) {
        (true, true) => vec![words("nextest run")],
        (true, false) => {
            let others = format!("not (package({KERNEL}) and kind(test))");
            vec![[words("nextest run -E"), vec![others]].concat()]
        }
        (false, true) => vec![words("test --no-fail-fast --tests")],
        (false, false) => vec![
            words(&format!(
                "test --workspace --exclude observer-ebpf --exclude {KERNEL} --tests"
            )),
            words(&format!("test --no-fail-fast --package {KERNEL} --lib --bins")),
        ],
    };
    match filter {
        Some(filter) => runs.iter_mut().for_each(|run| run.push(filter.to_owned())),
        None => runs.push(words("test --doc")),
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernel_tests_run_as_root_and_documentation_unless_filtered() {
        let lines = |nextest, kernel, filter| {
            runs(nextest, kernel, filter)
                .iter()
                .map(|words| words.join(" "))
                .collect::<Vec<_>>()
        };
        assert_eq!(lines(true, true, None), ["nextest run", "test --doc"]);
        assert_eq!(lines(false, true, Some("x")), ["test --no-fail-fast --tests x"]);
        assert_eq!(
            lines(true, false, Some("x")),
            ["nextest run -E not (package(observer-tests) and kind(test)) x"]
        );
        let without = lines(false, false, None);
        assert_eq!(without.len(), 3);
        assert!(
            without[0].contains("--exclude observer-tests") && !without[1].contains("--tests"),
            "{without:?}"
        );
    }
}
