//! What tests on the real kernel need, and what happens where it is missing: a skip with its reason, or in CI a failure.

use std::fmt;

use nix::unistd::geteuid;

use super::shell;

/// Why tests on the real kernel cannot run here.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Skip(String);

impl fmt::Display for Skip {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// `Ok` where a lab can be built. Prints the reason otherwise; the caller returns, and the test is skipped.
///
/// # Panics
/// With `OBSERVER_KERNEL_TESTS=required`, as in CI, a missing requirement is a failure.
pub fn kernel_tests() -> Result<(), Skip> {
    let missing = if !geteuid().is_root() {
        Some("needs root, to make network namespaces and load programs".to_owned())
    } else {
        [("ip", "-V"), ("nft", "--version")]
            .iter()
            .find_map(|(tool, version)| shell::run(tool, &[version], "").err())
            .map(|error| format!("{error:#}"))
    };
    let Some(reason) = missing else { return Ok(()) };
    assert!(
        std::env::var("OBSERVER_KERNEL_TESTS").as_deref() != Ok("required"),
        "OBSERVER_KERNEL_TESTS=required, but the kernel tests cannot run: {reason}"
    );
    eprintln!("skipped: {reason}");
    Err(Skip(reason))
}
