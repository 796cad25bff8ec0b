//! What the tail of a whole cluster costs: many agents behind one port-forward each, all busy.
//!
//! The agents and the API server run in this process; the figure is the processor time of the tail's own, all of its threads, while
//! it reads, merges and prints JSON. One attempt in `TWICE` is told by its destination's node too, and must be told once; one in `FAILS`
//! of all is refused, told by both, and must be told as both know it.

use std::fmt;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, SysconfVar, sysconf};
use observer::attempt::Outcome;
use observer::time::Time;

use crate::agents::{Agents, Call};
use crate::lab::binary;

/// Agents.
const AGENTS: usize = 50;
/// Attempts a second, of all agents together.
const RATE: usize = 5_000;
/// For so long.
const SPAN: Duration = Duration::from_secs(20);
/// Attempts are told in so many portions a second.
const PORTIONS: usize = 100;
/// One attempt in so many is told by two nodes.
const TWICE: usize = 5;
/// One attempt in so many is refused: one of those that are told by two nodes.
const FAILS: usize = 10 * TWICE;

/// A tail that says nothing for so long has said everything.
const QUIET: Duration = Duration::from_secs(10);

/// Cores that the tail may use.
pub const CORES_LIMIT: f64 = 1.0;

/// What it cost, and whether it was right.
#[derive(Clone, Copy, Debug)]
pub struct Figures {
    /// Attempts that the agents told.
    pub told: usize,
    /// Attempts that the tail printed.
    pub printed: usize,
    /// Of these, after one that was decided later.
    pub out_of_order: usize,
    /// Attempts that were refused, as two agents told.
    pub refused: usize,
    /// Of these, printed with what both know.
    pub joined: usize,
    /// Attempts a second that were reached.
    pub rate: f64,
    /// Processor time of the tail over the time that passed.
    pub cores: f64,
    /// Most memory that was resident, in bytes.
    pub resident: u64,
}

/// What the tail printed.
#[derive(Debug, Default)]
struct Printed {
    attempts: usize,
    out_of_order: usize,
    joined: usize,
}

impl Figures {
    /// Measures.
    ///
    /// # Errors
    ///
    /// If the agents or the tail cannot be started, or the tail ends early.
    pub fn measure() -> Result<Self> {
        let names: Vec<String> = (0..AGENTS).map(|number| format!("node-{number:02}")).collect();
        let agents = Agents::start(names.iter().map(String::as_str))?;
        let api = agents.cluster(&[])?;
        let mut tail = Command::new(binary()?)
            .args(["tail", "-o", "json", "--kubeconfig"])
            .arg(api.kubeconfig())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("starting the tail")?;
        let mut lines = BufReader::new(tail.stdout.take().context("its output")?).lines();
        let all_seen = format!("{AGENTS} of {AGENTS} nodes are seen");
        for line in lines.by_ref() {
            if line?.contains(&all_seen) {
                break;
            }
        }
        let (progress, printing) = mpsc::channel();
        let reader = thread::spawn(move || read(lines.map_while(Result::ok), &progress));
        let (before, began) = (processor_time(&tail)?, Instant::now());
        let told = tell(&agents, &names);
        let took = began.elapsed();
        let cores = (processor_time(&tail)? - before).as_secs_f64() / took.as_secs_f64();
        let resident = peak(&tail)?;
        // What is on its way is no loss. If the tail lost something this ends when nothing more comes.
        while printing.recv_timeout(QUIET).is_ok_and(|printed| printed < told) {}
        kill(Pid::from_raw(i32::try_from(tail.id())?), Signal::SIGINT)?;
        let printed = reader.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        ensure!(tail.wait()?.success(), "the tail failed");
        Ok(Self {
            told,
            printed: printed.attempts,
            out_of_order: printed.out_of_order,
            refused: told / FAILS,
            joined: printed.joined,
            rate: told as f64 / took.as_secs_f64(),
            cores,
            resident,
        })
    }

    /// Whether they keep the limits.
    #[must_use]
    pub fn within_limits(&self) -> bool {
        self.cores <= CORES_LIMIT && self.printed == self.told && self.out_of_order == 0 && self.joined == self.refused
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "tail of {AGENTS} agents at {:.0} attempts a second: {:.2} cores (limit {CORES_LIMIT:.1}), {} MB resident",
            self.rate,
            self.cores,
            self.resident >> 20
        )?;
        write!(
            f,
            "{} attempts told, {} printed, {} out of order (one in {TWICE} told by two nodes); {} refused, {} as both nodes know it",
            self.told, self.printed, self.out_of_order, self.refused, self.joined
        )
    }
}

/// Tells attempts at the rate; gives how many.
fn tell(agents: &Agents, names: &[String]) -> usize {
    let portion = RATE / PORTIONS;
    let began = Instant::now();
    let mut told = 0;
    for number in 1.. {
        for _ in 0..portion {
            let (node, other) = (&names[told % AGENTS], &names[(told + 1) % AGENTS]);
            told += 1;
            let mut call = Call::new(u32::try_from(told).unwrap_or(u32::MAX), now());
            if told % FAILS == 0 {
                call.outcome = Outcome::Refused;
            }
            agents.tell(node, &call.at_source());
            if told % TWICE == 0 {
                agents.tell(other, &call.at_destination());
            }
        }
        let due = Duration::from_secs(1) / u32::try_from(PORTIONS).unwrap_or(1) * number;
        if due >= SPAN {
            break;
        }
        thread::sleep(due.saturating_sub(began.elapsed()));
    }
    told
}

fn now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Time(u64::try_from(since.as_nanos()).unwrap_or_default())
}

/// Looks only at what matters: parsing each line would take longer than the tail itself.
fn read(lines: impl Iterator<Item = String>, progress: &mpsc::Sender<usize>) -> Printed {
    let mut printed = Printed::default();
    let mut latest = String::new();
    for line in lines.filter(|line| line.contains("\"type\":\"attempt\"") && line.contains("\"final\":true")) {
        printed.attempts += 1;
        printed.joined += usize::from(line.contains("\"cause\":\"app-not-listening\""));
        // Nobody listens after the end of the measurement.
        let _ = progress.send(printed.attempts);
        let decided = line
            .split("\"decided\":\"")
            .nth(1)
            .and_then(|rest| rest.split('"').next());
        let decided = decided.unwrap_or_default();
        printed.out_of_order += usize::from(decided < latest.as_str());
        if decided > latest.as_str() {
            latest = decided.to_owned();
        }
    }
    printed
}

/// User and system time of all threads, which `/proc/PID/stat` has as its 14th and 15th field.
fn processor_time(child: &Child) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", child.id()))?;
    // The second field is the name in parentheses, which may hold spaces.
    let (_, fields) = stat.rsplit_once(") ").context("a stat line")?;
    let ticks = fields.split(' ').skip(11).take(2).map(str::parse::<u64>);
    let ticks: u64 = ticks.sum::<Result<_, _>>()?;
    let per_second = sysconf(SysconfVar::CLK_TCK)?.context("ticks a second")?;
    Ok(Duration::from_secs_f64(ticks as f64 / per_second as f64))
}

/// `VmHWM` of `/proc/PID/status`.
fn peak(child: &Child) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id()))?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .context("VmHWM")?;
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kilobytes << 10)
}
