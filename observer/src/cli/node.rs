//! What the verbs that watch this node share: spans of time, the node's name, signals, and logs.

use std::io::{self, IsTerminal as _};
use std::time::Duration;

use anyhow::{Context, Result};
use clap::ValueEnum;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// How log lines are written.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(super) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// A span of time as people write it: `4s`, `500ms`, `1m30s`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let signed: jiff::SignedDuration = text
        .parse()
        .map_err(|_| "write it like 4s, 500ms or 1m30s".to_owned())?;
    Duration::try_from(signed).map_err(|_| "it must not be negative".to_owned())
}

/// What `levels` need not name. The kernel programs' own lines are only there if they were asked for; what goes wrong with the API is
/// told once, in our words, and not with each of the client's tries.
const ALWAYS: &str = "kernel=trace,kube_client=off,kube_runtime=off";

/// Logs to standard error: what `levels` says (as `warn` or `info,kube_client=debug`), unless `RUST_LOG` says otherwise.
pub(super) fn log_to_stderr(format: LogFormat, levels: &str) -> Result<()> {
    let filter = match EnvFilter::try_from_default_env() {
        Ok(filter) => filter,
        Err(_) => EnvFilter::try_new(format!("{ALWAYS},{levels}"))
            .with_context(|| format!("{levels:?} is no log level: write it like info, or info,kube_client=debug"))?,
    };
    let colour = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty());
    let log = tracing_subscriber::fmt()
        .with_ansi(colour)
        .with_env_filter(filter)
        .with_writer(io::stderr);
    match format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().flatten_event(true).init(),
    }
    Ok(())
}

/// Ready at the first Ctrl-C or SIGTERM. A second one ends the process at once, should anything hang.
pub(super) fn stop_signal() -> Result<impl Future<Output = ()> + 'static> {
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot handle Ctrl-C")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot handle SIGTERM")?;
    let (first, stopped) = tokio::sync::oneshot::channel();
    tokio::spawn(async move {
        tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
        // The loop may have ended by itself.
        let _ = first.send(());
        tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
        std::process::exit(130);
    });
    Ok(async {
        if stopped.await.is_err() {
            std::future::pending::<()>().await;
        }
    })
}

pub(super) fn host_name() -> Result<String> {
    let name = nix::unistd::gethostname().context("cannot read the host's name; give --node-name")?;
    name.into_string()
        .map_err(|_| anyhow::anyhow!("the host's name is not UTF-8; give --node-name"))
}
