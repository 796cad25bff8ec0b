//! What a packet costs, by `BPF_PROG_TEST_RUN`: the best of several rounds that take turns, since a machine's frequency changes and
//! only figures of one run can be compared.
use std::fmt;

use anyhow::{Result, ensure};
use observer_common::{
    abi::{CONNECTION_AT, Counter},
    craft::Flow,
};

use crate::testrun::{Programs, Settings};

/// Rounds that take turns.
const ROUNDS: usize = 40;
/// Repetitions of one packet in one round, where a packet changes nothing.
const REPEAT: u32 = 50_000;
/// Repetitions in one round where each makes an event; the ring has room for all.
const REPEAT_EVENTS: u32 = 10_000;
/// An event is 136 bytes and a header of 8.
const RING: u32 = 1 << 22;

/// A data packet may cost so many times an empty program.
pub const DATA_LIMIT: f64 = 1.5;
/// What the packets of a handshake are to cost together at one observation point, in nanoseconds. An aim for a machine that does nothing
/// else: unlike a ratio, it moves with the machine's clock and its other work, so missing it is told and no failure.
pub const CONNECTION_AIM_NS: f64 = 300.0;

/// Nanoseconds per packet, or per connection.
#[derive(Clone, Copy, Debug)]
pub struct Figures {
    /// A program that does nothing, with a data packet.
    pub empty: f64,
    /// Data over IPv4, from the pod and to it.
    pub data: [f64; 2],
    /// Data over IPv6, from the pod and to it.
    pub data_v6: [f64; 2],
    /// SYN and SYN-ACK at one observation point: look up, insert, look up, remove, one event.
    pub connection: f64,
    /// A SYN of a pending handshake again: look up, replace, one event.
    pub retransmission: f64,
    /// A SYN of a flood beyond the interface's share.
    pub flood: f64,
}

impl Figures {
    /// Measures.
    ///
    /// # Errors
    ///
    /// If the programs do not load or run.
    pub fn measure() -> Result<Self> {
        let mut best = Self {
            empty: f64::MAX,
            data: [f64::MAX; 2],
            data_v6: [f64::MAX; 2],
            connection: f64::MAX,
            retransmission: f64::MAX,
            flood: f64::MAX,
        };
        let settings = Settings {
            ring: RING,
            ..Settings::default()
        };
        let mut programs = Programs::load(settings)?;
        let mut flooded = Programs::load(Settings { share: 0, ..settings })?;
        let (v4, v6, syn) = (Flow::v4().data(), Flow::v6().data(), Flow::v4().syn(1));
        let mut connection = syn.clone();
        connection.resize(CONNECTION_AT as usize, 0);
        connection.extend(Flow::v4().syn_ack(2));
        for _ in 0..ROUNDS {
            keep(&mut best.empty, programs.time("empty", &v4, REPEAT)?);
            for (at, program) in ["from_pod", "to_pod"].into_iter().enumerate() {
                keep(&mut best.data[at], programs.time(program, &v4, REPEAT)?);
                keep(&mut best.data_v6[at], programs.time(program, &v6, REPEAT)?);
            }
            keep(&mut best.flood, flooded.time("from_pod", &syn, REPEAT)?);
            keep(
                &mut best.connection,
                programs.time("connection", &connection, REPEAT_EVENTS)?,
            );
            let answered = programs.events()?.len();
            ensure!(
                answered >= REPEAT_EVENTS as usize,
                "only {answered} connections were followed"
            );
            keep(
                &mut best.retransmission,
                programs.time("from_pod", &syn, REPEAT_EVENTS)?,
            );
            let again = programs.events()?.len() + 1;
            ensure!(
                again >= REPEAT_EVENTS as usize,
                "only {again} retransmissions were followed"
            );
            // Finishes what the retransmissions left.
            programs.run("to_pod", &Flow::v4().syn_ack(2))?;
            programs.events()?;
        }
        ensure!(programs.counter(Counter::LostEvents)? == 0, "the ring was too small");
        Ok(best)
    }

    /// Whether a data packet keeps its limit.
    #[must_use]
    pub fn within_limits(&self) -> bool {
        let data = self.data.iter().chain(&self.data_v6);
        data.into_iter().all(|ns| ns / self.empty <= DATA_LIMIT)
    }
}

fn keep(best: &mut f64, ns: f64) {
    *best = best.min(ns);
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = [
            ("empty program", self.empty),
            ("data, IPv4, from pod", self.data[0]),
            ("data, IPv4, to pod", self.data[1]),
            ("data, IPv6, from pod", self.data_v6[0]),
            ("data, IPv6, to pod", self.data_v6[1]),
            ("SYN beyond the share", self.flood),
            ("SYN again", self.retransmission),
            ("connection (SYN and SYN-ACK)", self.connection),
        ];
        writeln!(f, "kernel programs, best of {ROUNDS} rounds        ns   x empty")?;
        for (name, ns) in rows {
            writeln!(f, "  {name:<30} {ns:>8.1} {:>9.2}", ns / self.empty)?;
        }
        let kept = |kept| if kept { "kept" } else { "NOT KEPT" };
        writeln!(f, "limit: data {DATA_LIMIT} x empty: {}", kept(self.within_limits()))?;
        let aim = kept(self.connection <= CONNECTION_AIM_NS);
        write!(
            f,
            "aim: connection {CONNECTION_AIM_NS} ns on an idle machine: {aim} here"
        )
    }
}
