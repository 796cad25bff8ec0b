//! What the kernel side counts, summed over the CPUs.

use aya::maps::{MapData, MapError, PerCpuArray};
use observer_common::abi::{COUNTERS, Counter};

/// The counters at a moment.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counters {
    values: [u64; COUNTERS as usize],
}

impl Counters {
    /// One of them.
    #[must_use]
    pub fn get(&self, counter: Counter) -> u64 {
        self.values[counter as usize]
    }

    /// Handshakes and events that were lost: while this grows, absence proves less.
    #[must_use]
    pub fn lost(&self) -> u64 {
        LOSSES.into_iter().map(|counter| self.get(counter)).sum()
    }

    /// Each with its name, as metrics and the tail show it.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Counter::ALL
            .into_iter()
            .map(|counter| (name(counter), self.get(counter)))
    }
}

/// What counts as lost.
const LOSSES: [Counter; 3] = [Counter::LostFull, Counter::LostShare, Counter::LostEvents];

/// In snake case, without prefix.
fn name(counter: Counter) -> &'static str {
    match counter {
        Counter::Inserted => "handshakes_inserted",
        Counter::Finished => "handshakes_finished",
        Counter::LostFull => "handshakes_lost_table_full",
        Counter::LostShare => "handshakes_lost_share_used",
        Counter::LostEvents => "events_lost_ring_full",
        Counter::Unparsed => "packets_unparsed",
        Counter::Fragments => "packets_fragments",
        Counter::ResetsOutside => "resets_outside",
        Counter::IcmpUnmatched => "icmp_unmatched",
        Counter::DropsUnread => "drops_unread",
    }
}

/// The map of the counters.
pub struct Reader {
    map: PerCpuArray<MapData, u64>,
}

impl Reader {
    /// Of this map.
    #[must_use]
    pub fn new(map: PerCpuArray<MapData, u64>) -> Self {
        Self { map }
    }

    /// One counter: one system call.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn one(&self, counter: Counter) -> Result<u64, MapError> {
        Ok(self.map.get(&(counter as u32), 0)?.iter().sum())
    }

    /// As [`Counters::lost`]: three system calls.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn lost(&self) -> Result<u64, MapError> {
        LOSSES.into_iter().map(|counter| self.one(counter)).sum()
    }

    /// All of them.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn all(&self) -> Result<Counters, MapError> {
        let mut counters = Counters::default();
        for counter in Counter::ALL {
            counters.values[counter as usize] = self.one(counter)?;
        }
        Ok(counters)
    }
}
