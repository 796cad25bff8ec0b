//! `observer tail` as an engineer would see it: its text is passed through as it comes.

use std::io::{IsTerminal as _, Read, Write};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::lab::{Lab, NetNs, binary};

/// What was passed through so far.
#[derive(Debug, Default)]
struct Passed {
    text: String,
    notices: String,
    ended: bool,
}

#[derive(Debug, Default)]
struct Shared {
    passed: Mutex<Passed>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Passed> {
        self.passed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running `observer tail` whose output appears on this program's own.
#[derive(Debug)]
pub(super) struct LiveTail {
    child: Child,
    shared: Arc<Shared>,
    readers: Vec<JoinHandle<()>>,
}

impl LiveTail {
    /// Starts it inside the node's namespace.
    pub(super) fn start(node: &NetNs, manifests: &Path) -> Result<Self> {
        let mut command = Command::new(binary()?);
        command
            .args(["tail", "--node-name", Lab::NODE, "--manifests"])
            .arg(manifests);
        if std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none() {
            // Its output is a pipe, but ends on a terminal.
            command.args(["--color", "always"]);
        }
        command
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = node.enter(|| command.spawn()).context("starting observer tail")?;
        let output = child.stdout.take().context("observer tail has no output")?;
        let notices = child.stderr.take().context("observer tail has no standard error")?;
        let shared = Arc::new(Shared::default());
        let text = pass_through(output, std::io::stdout(), &shared, |passed, chunk| {
            passed.text.push_str(chunk);
        });
        let notices = pass_through(notices, std::io::stderr(), &shared, |passed, chunk| {
            passed.notices.push_str(chunk);
        });
        Ok(Self {
            child,
            shared,
            readers: vec![text, notices],
        })
    }

    pub(super) fn id(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).unwrap_or(i32::MAX))
    }

    /// Waits until it says that it observes so many interfaces.
    pub(super) fn await_attached(&self, interfaces: usize) -> Result<()> {
        let said = format!("observing {interfaces} interface");
        self.wait(Duration::from_secs(30), |passed| passed.notices.contains(&said))
            .with_context(|| format!("waiting for observer tail to say \"{said}s\""))
    }

    /// Waits until `count` attempts have been told.
    pub(super) fn await_attempts(&self, count: usize) -> Result<()> {
        self.wait(Duration::from_secs(10), |passed| attempts(&passed.text) >= count)
            .with_context(|| format!("waiting for observer tail to tell of {count} attempts"))
    }

    fn wait(&self, within: Duration, done: impl Fn(&Passed) -> bool) -> Result<()> {
        let until = Instant::now() + within;
        let mut passed = self.shared.lock();
        while !done(&passed) {
            let left = until.saturating_duration_since(Instant::now());
            ensure!(!passed.ended, "observer tail ended");
            ensure!(!left.is_zero(), "the time is over");
            passed = self
                .shared
                .changed
                .wait_timeout(passed, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        Ok(())
    }

    /// Ends it as Ctrl-C does, and lets its summary through.
    pub(super) fn finish(mut self) -> Result<()> {
        // Gone already where Ctrl-C was passed on to it.
        let _ = kill(self.id(), Signal::SIGINT);
        let status = self.child.wait().context("waiting for observer tail")?;
        for reader in self.readers.drain(..) {
            let _ = reader.join();
        }
        ensure!(status.success(), "observer tail ended with {status}");
        Ok(())
    }
}

impl Drop for LiveTail {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Copies chunks as they were written, so that an entry of several lines is not torn apart by a headline.
fn pass_through(
    mut from: impl Read + Send + 'static,
    mut to: impl Write + Send + 'static,
    shared: &Arc<Shared>,
    keep: fn(&mut Passed, &str),
) -> JoinHandle<()> {
    let shared = Arc::clone(shared);
    std::thread::spawn(move || {
        let mut chunk = [0; 16 * 1024];
        while let Ok(length @ 1..) = from.read(&mut chunk) {
            // A closed terminal must not keep the lab from being taken down.
            let _ = to.write_all(&chunk[..length]);
            let _ = to.flush();
            keep(&mut shared.lock(), &String::from_utf8_lossy(&chunk[..length]));
            shared.changed.notify_all();
        }
        shared.lock().ended = true;
        shared.changed.notify_all();
    })
}

/// How many attempts a text tells: lines that begin with a time of day, colours aside.
fn attempts(text: &str) -> usize {
    text.lines().filter(|line| begins_with_time(line)).count()
}

fn begins_with_time(mut line: &str) -> bool {
    while let Some(rest) = line.strip_prefix("\u{1b}[") {
        line = rest.split_once('m').map_or("", |(_, after)| after);
    }
    let mut characters = line.chars();
    "dd:dd:dd".chars().all(|wanted| {
        characters.next().is_some_and(|found| {
            if wanted == 'd' {
                found.is_ascii_digit()
            } else {
                found == wanted
            }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::attempts;

    #[test]
    fn attempts_are_the_lines_that_begin_with_a_time() {
        assert_eq!(attempts(""), 0);
        assert_eq!(
            attempts("12:53:48.042  timeout …\n   policy-egress: …\n12:53:49.1 connected\n"),
            2
        );
        assert_eq!(
            attempts("\u{1b}[2m12:53:48.042\u{1b}[0m  timeout\nwarning: 3 events lost\n"),
            1
        );
    }
}
