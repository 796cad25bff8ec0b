//! Kubernetes Events on the pods whose attempts fail, so that `kubectl describe pod` says why.
//!
//! ```text
//! Output ─ failure (which, and in which words) ─→ bounded channel ─→ series (one of many, how often) ─→ write (the API)
//! ```
//!
//! It never holds the loop up: what the channel has no room for is counted and left out.

mod failure;
mod series;
mod write;

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use kube::Client;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use self::failure::Failure;
use self::series::{Book, Write};
use self::write::{Error, Writer};
use crate::agent::Output;
use crate::objects::Str;
use crate::serve::hub::now;

/// Failures that may wait to be counted.
const WAITING: usize = 1024;

/// How often is looked whether something is due.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// After a failed write nothing is written for so long.
const PAUSE: Duration = Duration::from_secs(30);

/// So long the end may wait for what is not written yet.
const GRACE: Duration = Duration::from_secs(2);

/// What became of failures and Events; for metrics.
#[derive(Debug, Default)]
pub struct Counts {
    written: AtomicU64,
    forbidden: AtomicU64,
    failed: AtomicU64,
    refused: AtomicU64,
    rate_limited: AtomicU64,
    left_out: AtomicU64,
}

impl Counts {
    /// Each by name: Events written, and writes that failed; failures that are in no Event.
    #[must_use]
    pub fn named(&self) -> [(&'static str, u64); 6] {
        [
            ("written", &self.written),
            ("forbidden", &self.forbidden),
            ("failed", &self.failed),
            ("refused", &self.refused),
            ("rate-limited", &self.rate_limited),
            ("left-out", &self.left_out),
        ]
        .map(|(name, count)| (name, count.load(Ordering::Relaxed)))
    }
}

/// Where failures are handed in.
#[derive(Debug)]
pub struct Events {
    node: Str,
    failures: mpsc::Sender<Failure>,
    counts: Arc<Counts>,
    task: JoinHandle<()>,
}

impl Events {
    /// Begins to write with `client`, in the runtime that this is called in, until [`Self::end`].
    #[must_use]
    pub fn start(client: Client, node: Str) -> Self {
        let (failures, received) = mpsc::channel(WAITING);
        let counts = Arc::new(Counts::default());
        let task = Task {
            writer: Writer::new(client, &node),
            book: Book::new(),
            counts: counts.clone(),
            writing: None,
            paused: None,
            refused: false,
        };
        let task = tokio::spawn(task.run(received));
        Self {
            node,
            failures,
            counts,
            task,
        }
    }

    /// Writes what is still to be written, as far as that is soon done, and says what is not.
    pub async fn end(self) {
        drop(self.failures);
        if let Err(panic) = self.task.await {
            tracing::error!(%panic, "writing Events failed");
        }
    }

    /// What was counted.
    #[must_use]
    pub fn counts(&self) -> Arc<Counts> {
        self.counts.clone()
    }

    /// Takes in what the loop says. Waits for nobody.
    pub fn take(&self, output: &Output) {
        let Output::Attempt(diagnosed) = output else { return };
        if let Some(failure) = Failure::of(diagnosed, &self.node)
            && self.failures.try_send(failure).is_err()
        {
            count(&self.counts.left_out);
        }
    }
}

/// A write under way.
type Writing = Pin<Box<dyn Future<Output = (Write, Result<(), Error>)> + Send>>;

/// Counts failures and writes Events.
struct Task {
    writer: Writer,
    book: Book,
    counts: Arc<Counts>,
    /// One at a time.
    writing: Option<Writing>,
    /// Nothing is written until then.
    paused: Option<Instant>,
    /// The last write failed, which was said.
    refused: bool,
}

impl Task {
    async fn run(mut self, mut failures: mpsc::Receiver<Failure>) {
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                failure = failures.recv() => match failure {
                    Some(failure) => if !self.book.add(failure, now()) {
                        count(&self.counts.rate_limited);
                    },
                    None => break,
                },
                (write, result) = finished(self.writing.as_mut()) => {
                    self.writing = None;
                    self.wrote(write, result);
                }
                _ = looks.tick() => self.leave_out(|book| book.expire(now())),
            }
            self.write_next();
        }
        // What it was too short for is told below.
        let _ = timeout(GRACE, self.write_rest()).await;
        let failures = self.book.untold();
        if failures > 0 {
            tracing::warn!(failures, "stopping: these failures are in no Event");
        }
    }

    /// Counts the failures that the book gives up.
    fn leave_out(&mut self, give_up: impl FnOnce(&mut Book) -> u64) {
        let failures = give_up(&mut self.book);
        self.counts.left_out.fetch_add(failures, Ordering::Relaxed);
    }

    /// Writes until nothing is due, or nothing may be written.
    async fn write_rest(&mut self) {
        loop {
            self.write_next();
            let Some(writing) = self.writing.as_mut() else { return };
            let (write, result) = writing.await;
            self.writing = None;
            self.wrote(write, result);
        }
    }

    fn write_next(&mut self) {
        let paused = self.paused.is_some_and(|until| Instant::now() < until);
        if paused || self.writing.is_some() {
            return;
        }
        if let Some(write) = self.book.due(now()) {
            let writer = self.writer.clone();
            self.writing = Some(Box::pin(async move {
                let result = writer.write(&write).await;
                (write, result)
            }));
        }
    }

    fn wrote(&mut self, write: Write, result: Result<(), Error>) {
        let error = match result {
            Ok(()) => {
                count(&self.counts.written);
                if std::mem::take(&mut self.refused) {
                    tracing::info!("Events are written again");
                }
                self.book.written(write, now());
                return;
            }
            Err(Error::Gone) => {
                self.book.gone(&write, now());
                return;
            }
            Err(error @ Error::Refused(_)) => {
                count(&self.counts.refused);
                tracing::debug!(pod = %write.failure.pod.name, "{error}");
                self.leave_out(|book| book.refused(&write));
                return;
            }
            Err(error) => error,
        };
        count(match error {
            Error::Forbidden(_) => &self.counts.forbidden,
            _ => &self.counts.failed,
        });
        self.book.failed(&write, now());
        if !std::mem::replace(&mut self.refused, true) {
            tracing::warn!("{error}");
        }
        self.paused = Some(Instant::now() + PAUSE);
    }
}

/// The end of the write, if one is under way.
async fn finished(writing: Option<&mut Writing>) -> (Write, Result<(), Error>) {
    match writing {
        Some(writing) => writing.await,
        None => std::future::pending().await,
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
