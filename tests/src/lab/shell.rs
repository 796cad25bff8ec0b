//! Runs the system's tools and turns a failure into an error that can be acted on.

use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

/// Runs `program` in the calling thread's network namespace with `input` on its standard input; returns its output.
///
/// The child gets its own process group: a Ctrl-C in the terminal must not kill the commands that clean up after it.
pub(super) fn run(program: &str, arguments: &[&str], input: &str) -> Result<String> {
    let shown = || format!("{program} {}", arguments.join(" "));
    let mut child = Command::new(program)
        .args(arguments)
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run `{}`; is it installed?", shown()))?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin
            .write_all(input.as_bytes())
            .with_context(|| format!("writing to `{}`", shown()))?;
    }
    let output = child
        .wait_with_output()
        .with_context(|| format!("waiting for `{}`", shown()))?;
    ensure!(
        output.status.success(),
        "`{}` failed ({}): {}\n{input}",
        shown(),
        output.status,
        String::from_utf8_lossy(&output.stderr).trim(),
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
