//! What it costs to follow a large cluster's API server: until it is known, in memory, and while pods change.
//!
//! ```text
//! fake API server (this process, over loopback) ←─ HTTP ─ this binary again, as `bench follow KUBECONFIG`: Source → Engine
//! ```
//!
//! The one that is measured does with the objects what the agent does, and has no probe.
mod objects;

use std::fmt;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use observer::attempt;
use observer::cluster::{Access, Origin, Source};
use observer::engine::{Engine, Input};
use observer::policy;
use observer::time::Time;

use crate::fake_api::{FakeApi, Fault};
use objects::{fill, namespace, pod, pod_name};

/// The cluster.
const PODS: usize = 10_000;
const POLICIES: usize = 2_000;
const SERVICES: usize = 3_000;
const NODES: usize = 200;
const NAMESPACES: usize = 200;

/// Pods that change each second, and for how long.
const CHANGES: usize = 100;
const SECONDS: usize = 60;

/// Everything is known within this.
pub const READY: Duration = Duration::from_secs(10);
/// What follows stays under this, in bytes.
pub const RESIDENT: u64 = 80_000_000;
/// The changes take less than this share of a core.
pub const SHARE: f64 = 0.10;

/// The figures with one way to list.
#[derive(Clone, Debug)]
pub struct Figures {
    /// How the lists came.
    lists: &'static str,
    /// Until everything was known.
    ready: Duration,
    /// Processor time until then.
    processor: Duration,
    /// Bytes of resident memory then, and at the end.
    resident: [u64; 2],
    /// The most it ever was.
    peak: u64,
    /// The share of a core that the changes took.
    share: f64,
    /// Changes that were told.
    changes: usize,
}

impl Figures {
    /// Measures, for lists as streams and for pages.
    ///
    /// # Errors
    ///
    /// If no server can be made, or nothing comes of it.
    pub fn measure() -> Result<Vec<Self>> {
        let fake = FakeApi::start("")?;
        fill(&fake)?;
        let streams = Self::of(&fake, "as streams", SECONDS)?;
        fake.fault("*", Fault::NoStreams);
        let pages = Self::of(&fake, "in pages", SECONDS / 6)?;
        Ok(vec![streams, pages])
    }

    fn of(fake: &FakeApi, lists: &'static str, seconds: usize) -> Result<Self> {
        let began = Instant::now();
        let mut follower = Follower::start(&fake.kubeconfig())?;
        follower.hear("synced")?;
        let (ready, processor) = (began.elapsed(), follower.processor()?);
        let resident = follower.memory("VmRSS:")?;
        let (changing, used) = (Instant::now(), follower.processor()?);
        change(fake, seconds)?;
        // A mark in the stream: everything before it has been taken.
        fake.apply_object(namespace("the-end"))?;
        let changes = follower
            .hear("the-end")?
            .parse()
            .context("how many changes were told")?;
        let share = (follower.processor()? - used).as_secs_f64() / changing.elapsed().as_secs_f64();
        let resident = [resident, follower.memory("VmRSS:")?];
        fake.delete("namespaces", "the-end");
        Ok(Self {
            lists,
            ready,
            processor,
            resident,
            peak: follower.memory("VmHWM:")?,
            share,
            changes,
        })
    }

    /// Whether they keep the limits.
    #[must_use]
    pub fn within_limits(&self) -> bool {
        self.ready < READY && self.resident.iter().all(|bytes| *bytes < RESIDENT) && self.share < SHARE
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let megabytes = |bytes: u64| bytes as f64 / 1e6;
        let [before, after] = self.resident.map(megabytes);
        writeln!(
            f,
            "following an API server with {PODS} pods, {POLICIES} policies, {SERVICES} services, lists {}:",
            self.lists
        )?;
        writeln!(
            f,
            "  known after {:.2} s (limit {} s), {:.2} s of a processor",
            self.ready.as_secs_f64(),
            READY.as_secs(),
            self.processor.as_secs_f64()
        )?;
        writeln!(
            f,
            "  resident {before:.1} MB, {after:.1} MB after the changes (limit {:.0} MB), at most {:.1} MB",
            megabytes(RESIDENT),
            megabytes(self.peak)
        )?;
        write!(
            f,
            "  {CHANGES} pod changes a second: {:.1} % of a core (limit {:.0} %), {} changes told",
            self.share * 100.0,
            SHARE * 100.0,
            self.changes
        )
    }
}

/// The process that is measured.
struct Follower {
    child: Child,
    output: BufReader<ChildStdout>,
    /// When this is closed, it ends.
    _input: ChildStdin,
}

impl Follower {
    fn start(kubeconfig: &Path) -> Result<Self> {
        let mut child = Command::new(std::env::current_exe().context("finding this program")?)
            .arg("follow")
            .arg(kubeconfig)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("starting the follower")?;
        let output = child.stdout.take().context("its output")?;
        let input = child.stdin.take().context("its input")?;
        Ok(Self {
            child,
            output: BufReader::new(output),
            _input: input,
        })
    }

    /// Waits for a line that begins so, and gives the rest of it.
    fn hear(&mut self, wanted: &str) -> Result<String> {
        let mut line = String::new();
        while self.output.read_line(&mut line)? > 0 {
            if let Some(rest) = line.strip_prefix(wanted) {
                return Ok(rest.trim().to_owned());
            }
            eprint!("{line}");
            line.clear();
        }
        bail!("the follower ended without {wanted}")
    }

    fn memory(&self, field: &str) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).context("reading its status")?;
        super::memory::bytes(&status, field)
    }

    /// Processor time so far, in clock ticks of the kernel's interface (10 ms).
    fn processor(&self) -> Result<Duration> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).context("reading its state")?;
        // After the name, which may hold anything: state is field 3, user and system time are 14 and 15.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks = |field: usize| fields.get(field - 3).and_then(|ticks| ticks.parse::<u64>().ok());
        let (user, system) = (ticks(14).context("user time")?, ticks(15).context("system time")?);
        Ok(Duration::from_millis((user + system) * 10))
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `bench follow KUBECONFIG`: what is measured.
///
/// # Errors
///
/// A kubeconfig that leads nowhere.
pub fn follow(kubeconfig: PathBuf) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let origin = Origin::Cluster(Access {
        kubeconfig: Some(kubeconfig),
        context: None,
    });
    runtime.block_on(async {
        let mut engine = Engine::new(attempt::Config::default(), policy::Config::default());
        let (mut source, loaded) = Source::open(&origin).await?;
        engine.input(Input::Loaded(loaded.changes), Time::BEGINNING);
        let mut told = 0;
        loop {
            let update = source.next().await;
            for message in &update.messages {
                println!("{message}");
            }
            let synced = !update.loaded.is_empty();
            let ends = update
                .changes
                .iter()
                .any(|change| format!("{change:?}").contains("the-end"));
            told += update.changes.len();
            engine.input(Input::Loaded(update.loaded), Time::BEGINNING);
            engine.input(Input::Changed(update.changes), now());
            engine.input(Input::Tick, now());
            if synced {
                println!("synced");
            }
            if ends {
                println!("the-end {told}");
            }
            std::io::stdout().flush()?;
        }
    })
}

fn now() -> Time {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Time::BEGINNING + since.unwrap_or_default()
}

/// Changes pods, `CHANGES` each second, as a rollout does: deleted, made, given an address, ready.
fn change(fake: &FakeApi, seconds: usize) -> Result<()> {
    let gap = Duration::from_secs(1) / u32::try_from(CHANGES)?;
    let began = Instant::now();
    for number in 0..CHANGES * seconds {
        let index = number / 4 % PODS;
        match number % 4 {
            0 => fake.delete("pods", &format!("team-{}/{}", index % NAMESPACES, pod_name(index))),
            step => fake.apply_object(pod(index, number / 4 + PODS, step))?,
        }
        let due = began + gap * u32::try_from(number + 1)?;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    Ok(())
}
