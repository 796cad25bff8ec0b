//! What an agent costs in a large cluster: until it is ready, in memory with all that it holds full, and while pods change.
//!
//! ```text
//! fake API server (this process, in the node's namespace) ←─ HTTP ─ observer agent ─ probe ─ pods that dial in vain
//! ```
mod attempts;
mod objects;

use std::fmt;
use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use nix::unistd::{SysconfVar, sysconf};

use crate::fake_api::{FakeApi, Fault};
use crate::lab::{Agent, Lab, Tail, agent};
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

/// So long the past may take to be read.
const PATIENCE: Duration = Duration::from_secs(60);

/// The agent is ready within this.
pub const READY: Duration = Duration::from_secs(10);
/// It stays under this, in bytes.
pub const RESIDENT: u64 = 80_000_000;
/// The changes take less than this share of a core.
pub const SHARE: f64 = 0.10;

/// The figures with one way to list.
#[derive(Clone, Debug)]
pub struct Figures {
    /// How the lists came.
    lists: &'static str,
    /// Until it was ready, from its start on.
    ready: Duration,
    /// Processor time until then.
    processor: Duration,
    /// Attempts that it keeps for clients when there is no room for more.
    kept: usize,
    /// Bytes that one of them has as JSON.
    json: usize,
    /// Bytes of resident memory: when it was ready, when it kept these attempts, when a client had read them, and after the changes.
    resident: [u64; 4],
    /// The most it ever was until then.
    peak: u64,
    /// Bytes of resident memory when there is no room left for attempts of the last two minutes either.
    flooded: u64,
    /// The share of a core that the changes took.
    share: f64,
}

impl Figures {
    /// Measures, for lists as streams and for pages.
    ///
    /// # Errors
    ///
    /// If no node or no server can be made, or the agent does not do what it should.
    pub fn measure() -> Result<Vec<Self>> {
        let lab = attempts::lab()?;
        let fake = lab.node().enter(|| FakeApi::start(""))?;
        fill(&fake)?;
        for file in fs::read_dir(lab.manifests().path())? {
            fake.apply(&fs::read_to_string(file?.path())?)?;
        }
        let streams = Self::of(&lab, &fake, "as streams", SECONDS)?;
        fake.fault("*", Fault::NoStreams);
        let pages = Self::of(&lab, &fake, "in pages", SECONDS / 6)?;
        Ok(vec![streams, pages])
    }

    fn of(lab: &Lab, fake: &FakeApi, lists: &'static str, seconds: usize) -> Result<Self> {
        let began = Instant::now();
        let agent = agent().arg("--kubeconfig").arg(fake.kubeconfig()).start(lab.node())?;
        let (ready, processor) = (began.elapsed(), processor(&agent)?);
        let idle = memory(&agent, "VmRSS:")?;
        let dialled = table(&agent, "capacity", "attempts_recent")?;
        dial(lab, &agent, dialled)?;
        let kept = table(&agent, "entries", "attempts_recent")?;
        let full = memory(&agent, "VmRSS:")?;
        let json = read_past(lab, &agent, kept)?;
        let read = memory(&agent, "VmRSS:")?;
        let share = change(fake, &agent, seconds)?;
        let (after, peak) = (memory(&agent, "VmRSS:")?, memory(&agent, "VmHWM:")?);
        dial(lab, &agent, table(&agent, "capacity", "attempts_remembered")? - dialled)?;
        let figures = Self {
            lists,
            ready,
            processor,
            kept,
            json,
            resident: [idle, full, read, after],
            peak,
            flooded: memory(&agent, "VmRSS:")?,
            share,
        };
        agent.interrupt()?;
        Ok(figures)
    }

    /// Whether they keep the limits.
    #[must_use]
    pub fn within_limits(&self) -> bool {
        self.ready < READY && self.peak < RESIDENT && self.share < SHARE
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let megabytes = |bytes: u64| bytes as f64 / 1e6;
        let [idle, full, read, after] = self.resident.map(megabytes);
        writeln!(
            f,
            "agent of a cluster with {PODS} pods, {POLICIES} policies, {SERVICES} services, lists {}:",
            self.lists
        )?;
        writeln!(
            f,
            "  ready after {:.2} s (limit {} s), {:.2} s of a processor",
            self.ready.as_secs_f64(),
            READY.as_secs(),
            self.processor.as_secs_f64()
        )?;
        writeln!(
            f,
            "  resident {idle:.1} MB; {full:.1} MB with {} attempts kept, of {} bytes of JSON each; {read:.1} MB when these were read; \
             {after:.1} MB after the changes; at most {:.1} MB (limit {:.0} MB)",
            self.kept,
            self.json,
            megabytes(self.peak),
            megabytes(RESIDENT)
        )?;
        writeln!(
            f,
            "  resident {:.1} MB with as many attempts remembered as there is room for",
            megabytes(self.flooded)
        )?;
        write!(
            f,
            "  {CHANGES} pod changes a second: {:.1} % of a core (limit {:.0} %)",
            self.share * 100.0,
            SHARE * 100.0,
        )
    }
}

/// Lets pods dial so often, and waits until these attempts are decided.
fn dial(lab: &Lab, agent: &Agent<'_>, attempts: usize) -> Result<()> {
    attempts::dial_in_vain(lab, attempts);
    agent.await_metric(r#"observer_table_entries{table="attempts_running"}"#, 0.0)
}

/// A figure of a table of the agent: `entries` or `capacity`.
fn table(agent: &Agent<'_>, figure: &str, table: &str) -> Result<usize> {
    let series = format!("observer_table_{figure}{{table=\"{table}\"}}");
    let value = agent.metric(&series)?;
    Ok(value.with_context(|| format!("no metric {series}"))? as usize)
}

/// Has a client read what the agent keeps; bytes of an attempt as JSON.
fn read_past(lab: &Lab, agent: &Agent<'_>, kept: usize) -> Result<usize> {
    let server = agent.grpc().to_string();
    let client = Tail::json().args(["--server", &server, "--last", &kept.to_string()]);
    let past = client.spawn(lab.node())?.finish(PATIENCE)?;
    let of_attempts = past.lines.iter().zip(&past.records);
    let denied =
        of_attempts.filter(|(_, record)| record["cause"] == "policy-both" && record["confidence"] == "confirmed");
    let (count, bytes) = denied.fold((0, 0), |(count, bytes), (line, _)| (count + 1, bytes + line.len()));
    let first = past.records.iter().find(|record| record["type"] == "attempt");
    ensure!(
        count == kept,
        "{count} of {kept} attempts are as they should be; the first: {first:?}"
    );
    Ok(bytes / count)
}

/// Changes pods, `CHANGES` each second, as a rollout does: deleted, made, given an address, ready. Gives the share of a core that the
/// agent takes meanwhile.
fn change(fake: &FakeApi, agent: &Agent<'_>, seconds: usize) -> Result<f64> {
    let gap = Duration::from_secs(1) / u32::try_from(CHANGES)?;
    let (began, used) = (Instant::now(), processor(agent)?);
    for number in 0..CHANGES * seconds {
        let index = number / 4 % PODS;
        match number % 4 {
            0 => fake.delete("pods", &format!("team-{}/{}", index % NAMESPACES, pod_name(index))),
            step => fake.apply_object(pod(index, number / 4 + PODS, step))?,
        }
        let due = began + gap * u32::try_from(number + 1)?;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    let share = (processor(agent)? - used).as_secs_f64() / began.elapsed().as_secs_f64();
    // A mark in the stream: everything before it has been taken.
    let known = fake.objects("namespaces").len() as f64;
    fake.apply_object(namespace("the-end"))?;
    agent.await_metric(r#"observer_objects{kind="Namespace"}"#, known + 1.0)?;
    fake.delete("namespaces", "the-end");
    Ok(share)
}

fn memory(agent: &Agent<'_>, field: &str) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", agent.process().id())).context("reading its status")?;
    super::memory::bytes(&status, field)
}

/// User and system time of all threads so far.
fn processor(agent: &Agent<'_>) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", agent.process().id())).context("reading its state")?;
    // After the name, which may hold anything: state is field 3, user and system time are 14 and 15.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |field: usize| fields.get(field - 3).and_then(|ticks| ticks.parse::<u64>().ok());
    let (user, system) = (ticks(14).context("user time")?, ticks(15).context("system time")?);
    let per_second = sysconf(SysconfVar::CLK_TCK)?.context("ticks a second")?;
    Ok(Duration::from_secs_f64((user + system) as f64 / per_second as f64))
}
