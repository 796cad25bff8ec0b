//! The tail under test: the real command, reading the whole cluster by port-forward.

use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use observer::report::{Record, RecordType};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::{Instant, timeout_at};

use super::Options;

/// A running `observer tail`.
pub(super) struct Tail {
    /// Killed when this is dropped.
    _child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    /// Every final record, in the order in which they came.
    pub(super) records: Vec<Record>,
    complaints: Arc<Mutex<String>>,
}

impl Tail {
    /// Starts it, with more flags.
    pub(super) fn start(options: &Options, namespace: &str, flags: &[String]) -> Result<Self> {
        let mut child = Command::new(&options.observer)
            .args(["tail", "--output", "json", "--agent-namespace", namespace])
            .args(flags)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot run {}", options.observer.display()))?;
        let stdout = child.stdout.take().context("its output is a pipe")?;
        let mut stderr = child.stderr.take().context("its errors are a pipe")?;
        let complaints = Arc::new(Mutex::new(String::new()));
        let heard = complaints.clone();
        tokio::spawn(async move {
            let mut buffer = [0; 4096];
            while let Ok(read @ 1..) = stderr.read(&mut buffer).await {
                if let Ok(mut heard) = heard.lock() {
                    heard.push_str(&String::from_utf8_lossy(&buffer[..read]));
                }
            }
        });
        Ok(Self {
            _child: child,
            lines: BufReader::new(stdout).lines(),
            records: Vec::new(),
            complaints,
        })
    }

    /// What it said on standard error.
    pub(super) fn complaints(&self) -> String {
        self.complaints.lock().map(|text| text.clone()).unwrap_or_default()
    }

    /// The first final record from a position on that is as wanted; waits for it.
    pub(super) async fn find(
        &mut self,
        from: usize,
        patience: Duration,
        wanted: impl Fn(&Record) -> bool,
    ) -> Result<Option<Record>> {
        let until = Instant::now() + patience;
        let mut next = from;
        loop {
            if let Some(record) = self.records[next..].iter().find(|record| wanted(record)) {
                return Ok(Some(record.clone()));
            }
            next = self.records.len();
            let Ok(line) = timeout_at(until, self.lines.next_line()).await else {
                return Ok(None);
            };
            let Some(line) = line? else { bail!("the tail ended") };
            self.take(&line)?;
        }
    }

    fn take(&mut self, line: &str) -> Result<()> {
        let json: serde_json::Value = serde_json::from_str(line).with_context(|| format!("not JSON: {line}"))?;
        if json["type"] == "status" {
            return Ok(());
        }
        let record: Record = serde_json::from_value(json).with_context(|| format!("not a record: {line}"))?;
        if record.is_final && record.kind == RecordType::Attempt {
            self.records.push(record);
        }
        Ok(())
    }
}
