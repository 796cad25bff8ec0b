//! Debug lines of the kernel programs, handed on to `tracing` under the target `kernel`.

use aya::Ebpf;
use aya_log::EbpfLogger;
use tokio::io::unix::AsyncFd;

use super::readiness;

/// From which level on the kernel programs write lines. What is below is pruned when they are loaded.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, clap::ValueEnum)]
pub enum Level {
    /// None: costs nothing.
    #[default]
    Off,
    /// Errors.
    Error,
    /// Warnings too.
    Warn,
    /// Information too.
    Info,
    /// Every event and every packet that could not be read.
    Debug,
    /// Everything.
    Trace,
}

impl Level {
    /// As aya numbers them.
    #[must_use]
    pub fn number(self) -> u8 {
        self as u8
    }
}

/// The lines, if any are written.
pub struct KernelLog {
    lines: Option<AsyncFd<EbpfLogger<ToTracing>>>,
}

impl KernelLog {
    /// Of loaded programs. Must be called inside a tokio runtime with I/O enabled.
    #[must_use]
    pub fn new(ebpf: &mut Ebpf, level: Level) -> Self {
        let open = || {
            let logger = EbpfLogger::init_with_logger(ebpf, ToTracing).map_err(|error| error.to_string())?;
            readiness::watch(logger).map_err(|error| error.to_string())
        };
        let lines = (level != Level::Off).then(open).and_then(|opened| {
            opened
                .map_err(|error| tracing::warn!(error, "the kernel programs' debug lines cannot be read"))
                .ok()
        });
        Self { lines }
    }

    /// Hands on lines as they come; never returns. Cancelling it loses nothing.
    pub async fn run(&mut self) -> std::convert::Infallible {
        if let Some(lines) = &mut self.lines {
            while let Ok(mut guard) = lines.readable_mut().await {
                guard.get_inner_mut().flush();
                guard.clear_ready();
            }
        }
        std::future::pending().await
    }
}

/// aya speaks to `log`.
struct ToTracing;

impl log::Log for ToTracing {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let line = record.args();
        match record.level() {
            log::Level::Error => tracing::error!(target: "kernel", "{line}"),
            log::Level::Warn => tracing::warn!(target: "kernel", "{line}"),
            log::Level::Info => tracing::info!(target: "kernel", "{line}"),
            log::Level::Debug => tracing::debug!(target: "kernel", "{line}"),
            log::Level::Trace => tracing::trace!(target: "kernel", "{line}"),
        }
    }

    fn flush(&self) {}
}
