//! The kernel side, seen from user space: finds the pods' interfaces, loads and attaches the programs, and tells what they see.
//!
//! ```text
//! rtnetlink ─ netlink ─ inventory ─ links (which?) ─ attach ─ hooks (what does absence prove?)
//!                                                      │
//! object, btf ─ load ─ kernel programs ─ ring, sweep ──┴─ convert → ProbeEvent
//! ```
//!
//! It owns everything that touches BPF, and is the only folder that knows aya. It does not own what the observations mean.
//! All state has one owner, [`Probe`], whose calls to the kernel are short and blocking; only waiting is asynchronous.

pub mod attach;
pub mod btf;
pub mod convert;
pub mod counters;
pub mod coverage;
pub mod filters;
mod follow;
pub mod hooks;
pub mod inventory;
pub mod kernel_log;
pub mod links;
pub mod listener;
pub mod load;
pub mod netlink;
pub mod netns;
pub mod object;
mod readiness;
pub mod ring;
pub mod sweep;
pub mod symbols;
pub mod syscall;
mod types;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use aya::Ebpf;
use aya::maps::{Map, MapData, MapError};
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc;
use tokio::time::{Interval, MissedTickBehavior, interval};

use self::attach::Attacher;
use self::convert::{Clock, Converter, monotonic};
use self::counters::Counters;
use self::coverage::{Code, Coverage, Degraded};
use self::follow::{Follow, Observed};
use self::inventory::{Changed, Inventory};
use self::kernel_log::KernelLog;
use self::links::Patterns;
use self::load::LoadError;
use self::netlink::{Changes, Requests};
use self::netns::Netns;
use self::ring::Ring;
use self::sweep::Table;
use self::symbols::Symbols;
pub use self::types::{Error, Options, ProbeEvent};
use crate::attempt::{AttemptId, Listener, Observation, Point};
use crate::time::Time;

/// How often is looked for what the kernel does not notify of: packets at hooks, lost events, namespaces, TCX programs.
const TICK: Duration = Duration::from_secs(1);

/// An entry younger than this may be missed by a sweep: a program on another CPU took its time and has not stored it yet.
const SETTLE: Duration = Duration::from_millis(1);

/// The listening socket at the destination of an attempt.
type Found = (AttemptId, Option<Listener>);

/// The kernel side at work. Everything is detached when it is dropped.
pub struct Probe {
    follow: Follow,
    ebpf: Ebpf,
    ring: Ring,
    table: Table,
    counters: counters::Reader,
    converter: Converter,
    log: KernelLog,
    changes: AsyncFd<Changes>,
    tick: Interval,
    ticks: u64,
    lost: u64,
    /// Where threads that read sockets leave what they found.
    found: mpsc::UnboundedSender<Found>,
    listeners: mpsc::UnboundedReceiver<Found>,
    queue: VecDeque<ProbeEvent>,
}

impl Probe {
    /// Loads, finds the interfaces, and attaches. Must be called inside a tokio runtime with I/O and time enabled, in the network
    /// namespace of the node. The first events say the node's addresses, the points and the coverage.
    ///
    /// # Errors
    ///
    /// [`Error`]: without permission, on a kernel that cannot run the programs, or with an unknown interface name.
    pub fn start(options: Options) -> Result<Self, Error> {
        load::raise_memory_limit();
        // Listen first, then look: what changes between the two is heard.
        let changes = Changes::open().and_then(readiness::watch).map_err(Error::Netlink)?;
        let mut requests = Requests::open().map_err(Error::Netlink)?;
        let inventory = Inventory::read(&mut requests).map_err(Error::Netlink)?;
        let patterns = Patterns::new(options.interfaces);
        if let Some(name) = patterns.missing(&inventory).next() {
            return Err(Error::NoInterface(name.to_owned()));
        }
        let node = Netns::own().map_err(Error::OwnNamespace)?;

        let load::Loaded {
            mut ebpf,
            reasons,
            mut degraded,
        } = load::load(options.sizes, options.kernel_log.number())?;
        let symbols = Symbols::new();
        if symbols.are_hidden() {
            degraded.push(Degraded {
                code: Code::NoSymbols,
                what: "the kernel hides its addresses from this process".to_owned(),
                lost: "drops are told without the kernel function".to_owned(),
                fix: "grant CAP_SYSLOG, and set kernel.kptr_restrict below 2".to_owned(),
            });
        }
        match attach::clean() {
            Ok(removed) if !removed.is_empty() => {
                let count: usize = removed.iter().map(|(_, count)| count).sum();
                tracing::info!(count, "removed filters that an earlier observer left");
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "cannot look for filters that an earlier observer left"),
        }

        let ring = Ring::new(take(&mut ebpf, "EVENTS")?).map_err(|error| bad_map("EVENTS", error))?;
        let table = Table::new(
            take(&mut ebpf, "HANDSHAKES")?,
            take(&mut ebpf, "INTERFACES")?,
            take(&mut ebpf, "EXPIRED")?,
        )
        .map_err(|error| bad_map("HANDSHAKES", error))?;
        let counters = counters::Reader::new(typed(&mut ebpf, "COUNTERS")?);
        let namespaces: aya::maps::HashMap<MapData, u32, u8> = typed(&mut ebpf, "NETNS")?;
        let log = KernelLog::new(&mut ebpf, options.kernel_log);
        let attacher = Attacher::new(&mut ebpf, options.attach).map_err(|error| LoadError::Program {
            program: load::FROM_POD,
            why: with_causes(&error),
        })?;

        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (found, listeners) = mpsc::unbounded_channel();
        let mut probe = Self {
            converter: Converter {
                clock: Clock::read(),
                node: node.inode,
                pods: HashMap::new(),
                reasons,
                symbols,
            },
            follow: Follow {
                inventory,
                requests,
                attacher,
                patterns,
                namespaces,
                node,
                node_name: options.node,
                observed: BTreeMap::new(),
                failed: BTreeMap::new(),
                degraded,
                unreadable: 0,
                told_node: None,
                told_coverage: None,
            },
            ebpf,
            ring,
            table,
            counters,
            log,
            changes,
            tick,
            ticks: 0,
            lost: 0,
            found,
            listeners,
            queue: VecDeque::new(),
        };
        probe.follow.admit_node().map_err(|error| bad_map("NETNS", error))?;
        probe.reconcile(Changed::everything());
        probe.follow.check_attached()?;
        Ok(probe)
    }

    /// The next thing to tell. Cancelling it loses nothing.
    pub async fn next(&mut self) -> ProbeEvent {
        loop {
            if let Some(event) = self.queue.pop_front() {
                return event;
            }
            let mut seen = Vec::new();
            let (converter, observed) = (&mut self.converter, &mut self.follow.observed);
            tokio::select! {
                result = self.ring.wait(|event| see(event, converter, observed, &mut seen)) => {
                    self.tell(seen);
                    if let Err(error) = result {
                        self.warn(format!("cannot wait for events: {error}"));
                    }
                }
                ready = self.changes.readable_mut() => {
                    let result = ready.and_then(|mut guard| {
                        let result = self.follow.hear(guard.get_inner_mut());
                        guard.clear_ready();
                        result
                    });
                    match result {
                        Ok(changed) if changed.any() => self.reconcile(changed),
                        Ok(_) => {}
                        Err(error) => self.warn(format!("cannot follow the network interfaces: {error}")),
                    }
                }
                _ = self.tick.tick() => self.on_tick(),
                Some((id, listener)) = self.listeners.recv() => {
                    self.tell(vec![Observation::Listener { id, listener }]);
                }
                never = self.log.run() => match never {},
            }
        }
    }

    /// What was seen and is not told yet, then the table of unfinished handshakes, then every event before now; ends with [`Observation::Swept`]. Costs five system
    /// calls while nothing is pending, and else one more for every 512 entries.
    pub fn sweep(&mut self) -> Vec<Observation> {
        let mut seen = self.take_untold();
        let now = monotonic();
        let (converter, observed) = (&mut self.converter, &mut self.follow.observed);
        let result = self.table.sweep(&self.counters, now, |key, pending| {
            promote(
                key.ifindex,
                [key.direction == 0, key.direction != 0],
                observed,
                &mut seen,
            );
            seen.push(Observation::Sighting(converter.sighting(key, pending)));
        });
        // An entry that is not in the table any more has its event in the ring.
        self.ring.drain(|event| see(event, converter, observed, &mut seen));
        self.note_losses(&mut seen);
        match result {
            Ok(()) => seen.push(Observation::Swept {
                at: self.converter.clock.time(now) - SETTLE,
            }),
            Err(error) => self.warn(format!("cannot read the table of handshakes: {error}")),
        }
        seen
    }

    /// What the kernel side counts.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn counters(&self) -> Result<Counters, MapError> {
        self.counters.all()
    }

    /// Unfinished handshakes in the table, and how many there may be. Costs two system calls.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn handshakes(&self) -> Result<(u64, u64), MapError> {
        self.table.fill(&self.counters)
    }

    /// As [`Ring::take_most_waiting`].
    pub fn take_most_waiting(&mut self) -> (u64, u64) {
        self.ring.take_most_waiting()
    }

    /// The table, to account for its entries.
    #[must_use]
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// Now, on the scale of every observation.
    #[must_use]
    pub fn now(&self) -> Time {
        self.converter.clock.now()
    }

    /// How far [`Self::now`] is from the time of day, which was set since the start.
    #[must_use]
    pub fn clock_off(&self) -> Duration {
        self.converter.clock.off()
    }

    /// What is observed.
    #[must_use]
    pub fn coverage(&self) -> Coverage {
        self.follow.coverage()
    }

    /// The observed interfaces.
    pub fn points(&self) -> impl Iterator<Item = &Point> {
        self.follow.observed.values().map(|observed| &observed.point)
    }

    /// Connections tracked in the node's namespace, and how many may be.
    #[must_use]
    pub fn conntrack(&self) -> Option<(u64, u64)> {
        netns::conntrack()
    }

    /// Reads the listening socket for an address behind an interface; it comes as [`Observation::Listener`]. Nothing comes where the
    /// pod's namespace cannot be entered.
    pub fn read_listener(&self, id: AttemptId, ifindex: u32, at: SocketAddr) {
        let Some(netns) = self
            .follow
            .observed
            .get(&ifindex)
            .and_then(|observed| observed.netns.clone())
        else {
            return;
        };
        let sender = self.found.clone();
        tokio::task::spawn_blocking(move || match listener::read(&netns, at) {
            // The receiver is gone when the probe is.
            Ok(listener) => drop(sender.send((id, listener))),
            Err(error) => tracing::debug!(%at, %error, "cannot read the listening sockets"),
        });
    }

    /// Detaches everything. Dropping does so too.
    pub fn stop(self) {
        drop(self);
    }

    /// Brings what is attached in line with what is there, and tells what changed.
    fn reconcile(&mut self, changed: Changed) {
        let mut seen = Vec::new();
        self.follow
            .reconcile(changed, &mut self.ebpf, &mut self.table, &mut self.converter, &mut seen);
        self.tell(seen);
        self.tell_surroundings();
    }

    fn on_tick(&mut self) {
        self.ticks += 1;
        let mut seen = Vec::new();
        self.follow.look_again(
            self.ticks,
            &mut self.ebpf,
            &mut self.table,
            &mut self.converter,
            &mut seen,
        );
        self.note_losses(&mut seen);
        self.tell(seen);
        self.tell_surroundings();
    }

    fn tell_surroundings(&mut self) {
        self.queue.extend(self.follow.changed_node().map(ProbeEvent::Node));
        self.queue
            .extend(self.follow.changed_coverage().map(ProbeEvent::Coverage));
    }

    /// What was lost since the last look.
    fn note_losses(&mut self, seen: &mut Vec<Observation>) {
        let Ok(lost) = self.counters.lost() else { return };
        let count = lost.saturating_sub(self.lost);
        if count > 0 {
            self.lost = lost;
            seen.push(Observation::Lost { at: self.now(), count });
        }
    }

    /// The observations that wait for `next`, so that nothing overtakes them.
    fn take_untold(&mut self) -> Vec<Observation> {
        let mut untold = Vec::new();
        for event in std::mem::take(&mut self.queue) {
            match event {
                ProbeEvent::Observations(seen) => untold.extend(seen),
                other => self.queue.push_back(other),
            }
        }
        untold
    }

    fn tell(&mut self, seen: Vec<Observation>) {
        if !seen.is_empty() {
            self.queue.push_back(ProbeEvent::Observations(seen));
        }
    }

    fn warn(&mut self, line: String) {
        self.queue.push_back(ProbeEvent::Warning(line));
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.follow.detach_all();
    }
}

/// Takes in one event.
fn see(
    event: &observer_common::abi::Event,
    converter: &mut Converter,
    observed: &mut BTreeMap<u32, Observed>,
    seen: &mut Vec<Observation>,
) {
    let Some(observation) = converter.observation(event) else {
        return;
    };
    if let Observation::Sighting(_) = observation {
        promote(event.key.ifindex, hooks::passed(event), observed, seen);
    }
    seen.push(observation);
}

/// Packets passed these hooks of an interface: absence there means something from now on. Said before the sighting.
fn promote(ifindex: u32, passed: [bool; 2], observed: &mut BTreeMap<u32, Observed>, seen: &mut Vec<Observation>) {
    if let Some(observed) = observed.get_mut(&ifindex) {
        seen.extend(observed.passed(passed).map(Observation::Point));
    }
}

fn take(ebpf: &mut Ebpf, name: &'static str) -> Result<Map, LoadError> {
    ebpf.take_map(name)
        .ok_or_else(|| LoadError::Mismatch(format!("no map {name}")))
}

fn typed<T: TryFrom<Map, Error = MapError>>(ebpf: &mut Ebpf, name: &'static str) -> Result<T, LoadError> {
    take(ebpf, name)?.try_into().map_err(|error| bad_map(name, error))
}

fn bad_map(map: &'static str, error: MapError) -> LoadError {
    LoadError::Map {
        map,
        why: with_causes(&error),
    }
}

/// An error with what is behind it, once.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let why = cause.to_string();
        if !text.contains(&why) {
            text = format!("{text}: {why}");
        }
        next = cause.source();
    }
    text
}
