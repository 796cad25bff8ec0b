//! How soon the tail tells: from the application's `connect` to the record in another process's hands.
//!
//! Measured from before `connect`, so each figure also holds the connection itself and the reader's own wake-up.
use std::fmt;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::lab::{Chain, Dial, Family, Lab, Listener, Observer, Pod, Tail, Topology, dial, pod};

/// Attempts of each kind that are decided at once.
const ATTEMPTS: usize = 500;
/// Timeouts, all at the same time.
const TIMEOUTS: usize = 20;
/// The tail's deadline, by default.
const DEADLINE: Duration = Duration::from_secs(4);

/// An attempt that is decided at once is told within this, in 99 of 100 cases.
pub const DECIDED_LIMIT: Duration = Duration::from_millis(50);
/// A timeout is told so soon after its deadline.
pub const TIMEOUT_LIMIT: Duration = Duration::from_millis(100);

/// How soon.
#[derive(Clone, Copy, Debug)]
pub struct Figures {
    /// Connected: median and 99th percentile.
    pub connected: [Duration; 2],
    /// Refused: median and 99th percentile.
    pub refused: [Duration; 2],
    /// The slowest timeout, from its deadline on.
    pub timeout: Duration,
}

impl Figures {
    /// Measures.
    ///
    /// # Errors
    ///
    /// If no lab can be made, or the tail does not tell of an attempt.
    pub fn measure() -> Result<Self> {
        let mut lab = Lab::new(Topology::Routed)?;
        lab.add_pod(pod("bench/client"))?;
        lab.add_pod(pod("bench/server"))?;
        let _listener = Listener::accepting(lab.pod("bench/server").netns(), 8080)?;
        lab.rule(Chain::Enforce, "tcp dport 9000 drop")?;
        let links: Vec<&str> = lab.pods().iter().map(Pod::link).collect();
        let manifests = lab.manifests().path();
        let tail = Tail::json()
            .arg("--manifests")
            .arg(manifests)
            .start(lab.node(), &links)?;
        Ok(Self {
            connected: decided(&lab, &tail, 8080)?,
            refused: decided(&lab, &tail, 8081)?,
            timeout: timeouts(&lab, &tail)?,
        })
    }

    /// Whether they keep the limits.
    #[must_use]
    pub fn within_limits(&self) -> bool {
        self.connected[1] <= DECIDED_LIMIT && self.refused[1] <= DECIDED_LIMIT && self.timeout <= TIMEOUT_LIMIT
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = |f: &mut fmt::Formatter<'_>, kind, [median, high]: [Duration; 2]| {
            writeln!(
                f,
                "{kind} attempt told: median {median:.1?}, p99 {high:.1?} (limit {DECIDED_LIMIT:?}, n = {ATTEMPTS})"
            )
        };
        line(f, "connected", self.connected)?;
        line(f, "refused", self.refused)?;
        write!(
            f,
            "timeout told after its deadline of {DEADLINE:?}: at most {:.1?} (limit {TIMEOUT_LIMIT:?}, n = {TIMEOUTS})",
            self.timeout
        )
    }
}

/// Dials one after the other; median and 99th percentile until told.
fn decided(lab: &Lab, tail: &Observer, port: u16) -> Result<[Duration; 2]> {
    let mut spans = (0..ATTEMPTS)
        .map(|_| until_told(lab, tail, port))
        .collect::<Result<Vec<_>>>()?;
    spans.sort_unstable();
    Ok([spans[spans.len() / 2], spans[spans.len() * 99 / 100]])
}

fn timeouts(lab: &Lab, tail: &Observer) -> Result<Duration> {
    thread::scope(|scope| {
        let dials: Vec<_> = (0..TIMEOUTS)
            .map(|_| scope.spawn(|| until_told(lab, tail, 9000)))
            .collect();
        let mut slowest = Duration::ZERO;
        for thread in dials {
            let span = thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
            ensure!(span >= DEADLINE, "a timeout was told {span:?} after its first SYN");
            slowest = slowest.max(span - DEADLINE);
        }
        Ok(slowest)
    })
}

fn until_told(lab: &Lab, tail: &Observer, port: u16) -> Result<Duration> {
    let to = lab.pod("bench/server").at(Family::V4, port);
    let started = Instant::now();
    let Dial { local, .. } = dial(lab.pod("bench/client").netns(), to, Duration::from_millis(300));
    tail.await_attempt(Duration::from_secs(10), |record| {
        record["source"]["port"] == local.port() && record["destination"]["port"] == port
    })
    .with_context(|| format!("an attempt at port {port}"))?;
    Ok(started.elapsed())
}
