//! The observer under test: started inside the node's namespace, read line by line, ended by its own process id.

use std::collections::BTreeSet;
use std::env;
use std::ffi::OsString;
use std::io::{self, BufRead as _, BufReader, Read};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::netns::NetNs;
use super::topology::Lab;

/// How long an observer may take to attach to everything, on a busy machine.
const READY_WITHIN: Duration = Duration::from_secs(30);

/// The binary under test: `OBSERVER_BIN`, else `observer` beside this program's own folder in `target`.
pub fn binary() -> Result<PathBuf> {
    if let Some(path) = env::var_os("OBSERVER_BIN") {
        return Ok(PathBuf::from(path));
    }
    let own = env::current_exe().context("finding this program's own path")?;
    own.ancestors()
        .skip(1)
        .map(|folder| folder.join("observer"))
        .find(|candidate| candidate.is_file())
        .with_context(|| {
            format!(
                "no observer beside {}; run `cargo build -p observer`, or set OBSERVER_BIN",
                own.display()
            )
        })
}

/// How to start `observer tail`.
#[derive(Clone, Debug, Default)]
pub struct Tail {
    arguments: Vec<OsString>,
    format: Option<&'static str>,
}

impl Tail {
    /// `observer tail -o json`.
    pub fn json() -> Self {
        Self {
            arguments: Vec::new(),
            format: Some("json"),
        }
    }

    /// `observer tail` with its output as it comes.
    pub fn text() -> Self {
        Self::default()
    }

    /// Adds an argument.
    pub fn arg(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Adds arguments.
    pub fn args<const N: usize>(self, arguments: [&str; N]) -> Self {
        arguments.into_iter().fold(self, Self::arg)
    }

    /// Starts it inside `namespace` without waiting for anything.
    pub fn spawn(self, namespace: &NetNs) -> Result<Observer> {
        let mut command = self.command()?;
        command.env("NODE_NAME", Lab::NODE);
        Observer::start(command, namespace)
    }

    /// Starts it where the test runs, as who asks agents does, without waiting for anything.
    pub fn spawn_here(self) -> Result<Observer> {
        Observer::start_by(self.command()?, Command::spawn)
    }

    fn command(self) -> Result<Command> {
        let mut command = Command::new(binary()?);
        command.arg("tail");
        if let Some(format) = self.format {
            command.args(["-o", format]);
        }
        command.args(&self.arguments);
        Ok(command)
    }

    /// Starts it and waits until it says that it observes every one of `links`.
    pub fn start(self, namespace: &NetNs, links: &[&str]) -> Result<Observer> {
        let observer = self.spawn(namespace)?;
        observer.await_links(links)?;
        Ok(observer)
    }
}

/// What a process has written so far.
#[derive(Debug, Default)]
struct Written {
    lines: Vec<String>,
    records: Vec<Value>,
    errors: Vec<String>,
    open: usize,
}

/// Written by the reading threads, awaited by tests.
#[derive(Debug, Default)]
struct Shared {
    written: Mutex<Written>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running observer.
#[derive(Debug)]
pub struct Observer {
    child: Child,
    shared: Arc<Shared>,
    readers: Vec<JoinHandle<()>>,
}

/// How an observer ended.
#[derive(Debug)]
pub struct Finished {
    /// Its exit status.
    pub status: ExitStatus,
    /// Lines of standard output.
    pub lines: Vec<String>,
    /// The same lines parsed, where they are JSON.
    pub records: Vec<Value>,
    /// Lines of standard error.
    pub errors: Vec<String>,
}

impl Observer {
    /// Starts a command inside `namespace`.
    pub(super) fn start(command: Command, namespace: &NetNs) -> Result<Self> {
        Self::start_by(command, |command| namespace.enter(|| command.spawn()))
    }

    fn start_by(mut command: Command, spawn: impl FnOnce(&mut Command) -> io::Result<Child>) -> Result<Self> {
        // A setting of the developer's must not change what is tested.
        command
            .env_remove("RUST_LOG")
            .env_remove("NO_COLOR")
            .env_remove("CLICOLOR_FORCE")
            .env("KUBECONFIG", "/dev/null");
        // Its own process group: a Ctrl-C in the terminal reaches it only when we pass it on.
        command
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let shown = format!("{command:?}");
        let child = spawn(&mut command).with_context(|| format!("starting {shown}"))?;
        Ok(Self::follow(child))
    }

    fn follow(mut child: Child) -> Self {
        let shared = Arc::new(Shared::default());
        let mut readers = Vec::new();
        if let Some(output) = child.stdout.take() {
            readers.push(read(output, &shared, |written, line| {
                written.records.extend(serde_json::from_str::<Value>(&line));
                written.lines.push(line);
            }));
        }
        if let Some(errors) = child.stderr.take() {
            readers.push(read(errors, &shared, |written, line| written.errors.push(line)));
        }
        Self { child, shared, readers }
    }

    /// Its process id.
    pub fn id(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).unwrap_or(i32::MAX))
    }

    /// Waits until `look` finds something in what was written so far (lines, records, lines of standard error).
    ///
    /// Fails at the deadline, or when the observer has ended without it.
    pub fn await_output<T>(
        &self,
        deadline: Duration,
        mut look: impl FnMut(&[String], &[Value], &[String]) -> Option<T>,
    ) -> Result<T> {
        let until = Instant::now() + deadline;
        let mut written = self.shared.lock();
        loop {
            if let Some(found) = look(&written.lines, &written.records, &written.errors) {
                return Ok(found);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || written.open == 0 {
                let why = if written.open == 0 {
                    "the observer ended"
                } else {
                    "the time is over"
                };
                bail!(
                    "{why}; it had written\n{}\n{}",
                    written.lines.join("\n"),
                    written.errors.join("\n")
                );
            }
            written = self
                .shared
                .changed
                .wait_timeout(written, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// Waits for a record that `wanted` accepts.
    pub fn await_record(&self, deadline: Duration, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
        let mut seen = 0;
        self.await_output(deadline, |_, records, _| {
            let found = records[seen..].iter().find(|record| wanted(record)).cloned();
            seen = records.len();
            found
        })
    }

    /// Waits for the final record of an attempt that `wanted` accepts.
    pub fn await_attempt(&self, deadline: Duration, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
        self.await_record(deadline, |record| {
            record["type"] == "attempt" && record["final"] == true && wanted(record)
        })
    }

    /// Waits until the latest status record covers every one of `links`, and nothing else that `links` does not name.
    pub fn await_links(&self, links: &[&str]) -> Result<()> {
        let wanted: BTreeSet<&str> = links.iter().copied().collect();
        self.await_output(READY_WITHIN, |_, records, _| {
            let status = records.iter().rev().find(|record| record["event"] == "coverage")?;
            (observed_links(status) == wanted).then_some(())
        })
        .with_context(|| format!("waiting for the observer to cover {wanted:?}"))
    }

    /// Waits until the latest status record names exactly these pods, as `namespace/name`, among the observed ones.
    pub fn await_pods(&self, pods: &[&str]) -> Result<()> {
        let wanted: BTreeSet<&str> = pods.iter().copied().collect();
        self.await_output(READY_WITHIN, |_, records, _| {
            let status = records.iter().rev().find(|record| record["event"] == "coverage")?;
            let observed = status["fields"]["pods"]["observed"].as_array()?;
            let names: BTreeSet<&str> = observed.iter().filter_map(|pod| pod["pod"].as_str()).collect();
            (names == wanted).then_some(())
        })
        .with_context(|| format!("waiting for the observer to know {wanted:?}"))
    }

    /// Every record so far.
    pub fn records(&self) -> Vec<Value> {
        self.shared.lock().records.clone()
    }

    /// Every line of standard error so far.
    pub fn errors(&self) -> Vec<String> {
        self.shared.lock().errors.clone()
    }

    /// Sends a signal to it.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        kill(self.id(), signal).with_context(|| format!("sending {signal} to the observer"))
    }

    /// Sends SIGINT, as Ctrl-C does, and waits for its end.
    pub fn interrupt(self) -> Result<Finished> {
        self.signal(Signal::SIGINT)?;
        self.finish(Duration::from_secs(10))
    }

    /// Waits for its end.
    pub fn finish(mut self, deadline: Duration) -> Result<Finished> {
        let until = Instant::now() + deadline;
        let mut written = self.shared.lock();
        while written.open > 0 {
            let left = until.saturating_duration_since(Instant::now());
            ensure!(
                !left.is_zero(),
                "the observer did not end; it had written\n{}",
                written.errors.join("\n")
            );
            written = self
                .shared
                .changed
                .wait_timeout(written, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        let taken = std::mem::take(&mut *written);
        drop(written);
        // Both pipes are closed: it is gone, or about to be.
        let status = self.child.wait().context("waiting for the observer")?;
        Ok(Finished {
            status,
            lines: taken.lines,
            records: taken.records,
            errors: taken.errors,
        })
    }
}

impl Finished {
    /// The exit code, or 128 and the signal's number as a shell shows it.
    pub fn code(&self) -> i32 {
        self.status
            .code()
            .unwrap_or_else(|| 128 + self.status.signal().unwrap_or(0))
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        // Already ended is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
        for reader in self.readers.drain(..) {
            let _ = reader.join();
        }
    }
}

/// The interfaces that a status record says are observed.
pub(crate) fn observed_links(status: &Value) -> BTreeSet<&str> {
    let attached = status["fields"]["interfaces"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    attached
        .iter()
        .filter_map(|interface| interface["name"].as_str())
        .collect()
}

/// Reads lines on a thread of its own until the pipe closes.
fn read(
    pipe: impl Read + Send + 'static,
    shared: &Arc<Shared>,
    mut take: impl FnMut(&mut Written, String) + Send + 'static,
) -> JoinHandle<()> {
    shared.lock().open += 1;
    let shared = Arc::clone(shared);
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).lines() {
            let Ok(line) = line else { break };
            take(&mut shared.lock(), line);
            shared.changed.notify_all();
        }
        shared.lock().open -= 1;
        shared.changed.notify_all();
    })
}
