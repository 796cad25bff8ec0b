//! The one loop of a node: brings what the world says to the engine and takes the diagnosed attempts away.
//!
//! ```text
//! probe ──────┐
//! objects ────┼─→ Engine ─→ Output ─→ bounded channel ─→ whoever shows or serves it
//! clock, stop ┘      └─ asks back: sweep the table, read a listening socket
//! ```
//!
//! Time passes for the engine only with a sweep, which reads everything that happened until then: no attempt is given up while
//! its answer waits in the ring. A reader that does not keep up holds the loop, then the kernel's ring fills, and what does
//! not fit there is counted.

mod figures;

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use crate::attempt::{Direction, Observation, Point, Reach, Stage};
use crate::cluster::{Source, Update};
use crate::coverage::{PodCoverage, Unobserved, Why, pod_coverage};
use crate::diagnosis::NodeState;
use crate::engine::{Diagnosed, Engine, Input};
use crate::objects::Str;
use crate::probe::counters::Counters;
use crate::probe::coverage::Coverage;
use crate::probe::{Probe, ProbeEvent};
pub use figures::{CLOCK_OFF, Figures, Held, Table};

/// How often the table of unfinished handshakes is read at the least: a first SYN makes no event, so this is how late a
/// silent one is learnt. A provisional record needs it within a second.
const SWEEP_EVERY: Duration = Duration::from_millis(250);

/// How often it is read at the most, however many decisions wait for it: what a full table costs stays bounded.
const SWEEP_GAP: Duration = Duration::from_millis(10);

/// How often the node's state (connection tracking) is read, and figures are told.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How often is said that something was left out, if more was.
const SHORTFALLS_EVERY: Duration = Duration::from_secs(10);

/// Counters that stay zero while all is well.
const SHORTFALLS: [&str; 5] = [
    "packets_unparsed",
    "drops_unread",
    "sightings_refused",
    "drops_given_up",
    "decisions_unwitnessed",
];

/// Outputs that may wait for the reader before the loop waits too.
const WAITING: usize = 4096;

/// What the loop gives.
#[derive(Debug)]
pub enum Output {
    /// An attempt was decided, provisionally, finally or again.
    Attempt(Box<Diagnosed>),
    /// What is observed, at start and on every change.
    Coverage(Box<NodeCoverage>),
    /// Something that the user should know; the loop goes on.
    Warning(String),
    /// Events or table entries were lost.
    Lost(u64),
    /// Something was left out that should not have been; everything that was counted so far, by name.
    Shortfall(BTreeMap<&'static str, u64>),
    /// How the loop is doing: once a second.
    Figures(Box<Figures>),
    /// Everything that was counted, at the end.
    Counters(BTreeMap<&'static str, u64>),
}

/// What of the node is observed: interfaces, and which pods they are.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NodeCoverage {
    /// The interfaces, hooks and degradations.
    #[serde(flatten)]
    pub interfaces: Coverage,
    /// The pods of this node.
    pub pods: PodCoverage,
}

impl NodeCoverage {
    /// For people: a line each.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let mut lines = self.interfaces.lines();
        let pods = &self.pods;
        if !(pods.observed.is_empty() && pods.unobserved.is_empty()) {
            lines.push(format!("{} of this node's pods are observed", pods.observed.len()));
        }
        lines.extend(pods.unobserved.iter().map(ToString::to_string));
        lines
    }

    /// For people: what is not as it is on a node on which all works, a line each.
    fn missing(&self) -> Vec<String> {
        let unbound = |pod: &&Unobserved| pod.why == Why::NoInterface;
        let pods = self.pods.unobserved.iter().filter(unbound).map(ToString::to_string);
        self.interfaces.missing().into_iter().chain(pods).collect()
    }

    /// For programs; with `missing` for who tells people of many nodes.
    #[must_use]
    pub fn fields(&self) -> Map<String, Value> {
        let mut fields = match serde_json::to_value(self) {
            Ok(Value::Object(fields)) => fields,
            _ => Map::new(),
        };
        fields.insert("missing".to_owned(), self.missing().into());
        fields
    }
}

/// The loop and what it owns.
pub struct Agent {
    engine: Engine,
    probe: Probe,
    objects: Source,
    /// The node's name.
    node: Str,
    points: BTreeMap<u32, Point>,
    covered: Option<NodeCoverage>,
    /// The sum of [`SHORTFALLS`] when it was told last.
    told_shortfalls: u64,
    swept: Instant,
    /// The figures that were told last.
    figures: Figures,
    /// What is known of the cluster has changed since then.
    objects_changed: bool,
    output: mpsc::Sender<Output>,
}

/// The reader has gone: nothing is left to do.
struct ReaderGone;

impl Agent {
    /// A loop over these parts, and where its outputs come out.
    #[must_use]
    pub fn new(engine: Engine, probe: Probe, objects: Source, node: Str) -> (Self, mpsc::Receiver<Output>) {
        let (output, outputs) = mpsc::channel(WAITING);
        let (points, covered, swept) = (BTreeMap::new(), None, Instant::now());
        let agent = Self {
            engine,
            probe,
            objects,
            node,
            points,
            covered,
            told_shortfalls: 0,
            swept,
            figures: Figures::default(),
            objects_changed: true,
            output,
        };
        (agent, outputs)
    }

    /// Runs until `stop` is ready or the reader has gone, then says what is decided and detaches.
    pub async fn run(mut self, stop: impl Future<Output = ()>) {
        let stopped = self.follow(stop).await.is_ok();
        if stopped && self.sweep().await.is_ok() && self.input(Input::Finish).await.is_ok() {
            // Nobody is left to tell that nobody is left.
            let _ = self.say(Output::Counters(self.counters())).await;
        }
        self.probe.stop();
    }

    /// Nothing here is broken off by `stop`: an output that waits for the reader is said before.
    async fn follow(&mut self, stop: impl Future<Output = ()>) -> Result<(), ReaderGone> {
        let mut stop = pin!(stop);
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut shortfalls = interval(SHORTFALLS_EVERY);
        shortfalls.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let next_sweep = self.next_sweep();
            tokio::select! {
                () = &mut stop => return Ok(()),
                event = self.probe.next() => self.probed(event).await,
                update = self.objects.next() => self.updated(update).await,
                () = sleep_until(next_sweep) => self.sweep().await,
                // Else `--last` and a broken pipe would wait for traffic that may never come.
                () = self.output.closed() => return Err(ReaderGone),
                _ = looks.tick() => self.look().await,
                _ = shortfalls.tick() => self.tell_shortfalls().await,
            }?;
        }
    }

    /// When the table is read next: at once if a decision waits for it, when one falls due, or by the interval.
    fn next_sweep(&self) -> Instant {
        let now = Instant::now();
        let due = if self.engine.wants_sweep() {
            now
        } else {
            let by_interval = self.swept + SWEEP_EVERY;
            let until = |deadline| now + deadline;
            let deadline = self.engine.next_deadline();
            deadline.map_or(by_interval, |at| until(at.since(self.probe.now())).min(by_interval))
        };
        due.max(self.swept + SWEEP_GAP)
    }

    async fn probed(&mut self, event: ProbeEvent) -> Result<(), ReaderGone> {
        match event {
            ProbeEvent::Observations(observations) => self.observed(observations).await,
            ProbeEvent::Node(own) => self.input(Input::OwnNode(own)).await,
            ProbeEvent::Coverage(_) => self.cover().await,
            ProbeEvent::Warning(text) => self.say(Output::Warning(text)).await,
        }
    }

    async fn observed(&mut self, observations: Vec<Observation>) -> Result<(), ReaderGone> {
        let mut lost = 0;
        let mut points_changed = false;
        for observation in &observations {
            match observation {
                Observation::Point(point) => {
                    points_changed = true;
                    self.points.insert(point.ifindex, point.clone());
                }
                Observation::PointGone { ifindex } => {
                    points_changed = true;
                    self.points.remove(ifindex);
                }
                Observation::Lost { count, .. } => lost += count,
                _ => {}
            }
        }
        if lost > 0 {
            self.say(Output::Lost(lost)).await?;
        }
        self.input(Input::Observed(observations)).await?;
        if points_changed { self.cover().await } else { Ok(()) }
    }

    async fn updated(&mut self, update: Update) -> Result<(), ReaderGone> {
        for message in update.messages {
            self.say(Output::Warning(message)).await?;
        }
        self.input(Input::Loaded(update.loaded)).await?;
        self.input(Input::Changed(update.changes)).await?;
        self.objects_changed = true;
        self.cover().await
    }

    /// Reads the table of unfinished handshakes and all events before that, then lets time pass until there.
    async fn sweep(&mut self) -> Result<(), ReaderGone> {
        let now = self.probe.now();
        self.swept = Instant::now();
        let observations = self.probe.sweep();
        self.observed(observations).await?;
        let decided = self.engine.input(Input::Tick, now);
        self.decided(decided).await
    }

    /// Feeds the engine and says what it decided.
    async fn input(&mut self, input: Input) -> Result<(), ReaderGone> {
        let decided = self.engine.input(input, self.probe.now());
        self.decided(decided).await
    }

    async fn decided(&mut self, decided: Vec<Diagnosed>) -> Result<(), ReaderGone> {
        for diagnosed in decided {
            self.look_at_listener(&diagnosed);
            self.say(Output::Attempt(Box::new(diagnosed))).await?;
        }
        Ok(())
    }

    /// A delivered SYN that is not answered yet: how full is the listener's queue, now that it matters?
    fn look_at_listener(&self, diagnosed: &Diagnosed) {
        let attempt = &diagnosed.assessment.attempt;
        if attempt.stage != Stage::Provisional || attempt.reach != Reach::Delivered || attempt.answered_by_destination {
            return;
        }
        let delivered = |point: &&crate::attempt::PointFacts| point.bound && point.direction == Direction::ToPod;
        if let Some(point) = attempt.points.iter().find(delivered) {
            self.probe.read_listener(attempt.id, point.ifindex, point.server);
        }
    }

    /// Says what is observed, if that has changed.
    async fn cover(&mut self) -> Result<(), ReaderGone> {
        let endpoints = self.engine.world().endpoints();
        // Until the probe has told the node's addresses, by the name that we were given.
        let name = Some(endpoints.own_name()).filter(|name| !name.is_empty());
        let pods = endpoints.pods_on_node(name.unwrap_or(&self.node), self.probe.now());
        let covered = NodeCoverage {
            interfaces: self.probe.coverage(),
            pods: pod_coverage(self.points.values(), pods.into_iter()),
        };
        if self.covered.as_ref() == Some(&covered) {
            return Ok(());
        }
        self.covered = Some(covered.clone());
        self.say(Output::Coverage(Box::new(covered))).await
    }

    /// Looks at the node and at itself.
    async fn look(&mut self) -> Result<(), ReaderGone> {
        let conntrack = self.probe.conntrack();
        self.input(Input::NodeState(NodeState { conntrack })).await?;
        let was_off = self.figures.clock_off >= CLOCK_OFF;
        self.figures = self.figures_now(conntrack);
        if self.figures.clock_off >= CLOCK_OFF && !was_off {
            let seconds = self.figures.clock_off.as_secs();
            let text = format!(
                "this node's clock was set by {seconds} s since the start, or the node slept: the times that are told are off by that; start anew"
            );
            self.say(Output::Warning(text)).await?;
        }
        self.say(Output::Figures(Box::new(self.figures.clone()))).await
    }

    /// Outputs that the reader has not taken yet.
    fn waiting(&self) -> Table {
        let capacity = self.output.max_capacity();
        Table {
            name: "outputs",
            used: (capacity - self.output.capacity()) as u64,
            capacity: capacity as u64,
        }
    }

    fn figures_now(&mut self, conntrack: Option<(u64, u64)>) -> Figures {
        let now = self.probe.now();
        let handshakes = self.probe.handshakes().ok().map(|(used, capacity)| Table {
            name: "handshakes",
            used,
            capacity,
        });
        let tables = self.engine.tables().map(|(name, used, capacity)| Table {
            name,
            used: used as u64,
            capacity: capacity as u64,
        });
        let held = if std::mem::take(&mut self.objects_changed) {
            Arc::new(Held::count(&self.engine, now))
        } else {
            self.figures.held.clone()
        };
        Figures {
            at: now,
            clock_off: self.probe.clock_off(),
            swept: now - self.swept.elapsed(),
            counters: self.counters(),
            tables: handshakes.into_iter().chain(tables).chain([self.waiting()]).collect(),
            ring: self.probe.take_most_waiting(),
            conntrack,
            api: self.objects.health(),
            held,
            policies_changed: self.engine.world().policies().changed_after(self.figures.at).collect(),
        }
    }

    /// Everything that the kernel side and the tracker count.
    fn counters(&self) -> BTreeMap<&'static str, u64> {
        let kernel = self.probe.counters().ok();
        let kernel = kernel.iter().flat_map(Counters::named);
        kernel.chain(self.engine.counters().named()).collect()
    }

    async fn tell_shortfalls(&mut self) -> Result<(), ReaderGone> {
        let counters = self.counters();
        let sum = SHORTFALLS.iter().filter_map(|name| counters.get(name)).sum();
        if sum == self.told_shortfalls {
            return Ok(());
        }
        self.told_shortfalls = sum;
        self.say(Output::Shortfall(counters)).await
    }

    async fn say(&self, output: Output) -> Result<(), ReaderGone> {
        self.output.send(output).await.map_err(|_| ReaderGone)
    }
}
