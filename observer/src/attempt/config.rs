//! The tracker's times and bounds, and what it counts.

use std::time::Duration;

/// Times and bounds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Config {
    /// An unanswered attempt is final so long after its first SYN. A failed neighbour answers at 3.05 s.
    pub deadline: Duration,
    /// An unanswered attempt is told of so long after its first SYN.
    pub provisional: Duration,
    /// With only the server's point observed, a SYN-ACK that was not repeated for so long has arrived. The kernel repeats
    /// it after 1 s, which its timer wheel stretches by up to 80 ms.
    pub quiet: Duration,
    /// A negative answer is decided so long after it passed: a filter answers first and frees the SYN after that, so the
    /// drop event follows the answer.
    pub linger: Duration,
    /// A decision that waits for a sweep is taken without it after so long; what would have been absent is then unknown.
    pub patience: Duration,
    /// A decided attempt is remembered so long from its first SYN (a connecting socket gives up after 127 s).
    pub memory: Duration,
    /// Attempts that run at a time. Later ones are counted and left out, but for the few that an ambiguous ISN parts.
    pub max_running: usize,
    /// Decided attempts that are remembered. The oldest are given up and counted. More than the share of one interface in the kernel's
    /// table, so that one pod's flood leaves room for the others.
    pub max_remembered: usize,
    /// Drop events that are kept until their attempt is known. The oldest are given up and counted.
    pub max_held_drops: usize,
    /// Edges and servers whose rejects and successes are remembered, each. The least recent are given up and counted.
    pub max_edges: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(4),
            provisional: Duration::from_secs(1),
            quiet: Duration::from_millis(1200),
            linger: Duration::from_millis(5),
            patience: Duration::from_secs(1),
            memory: Duration::from_secs(130),
            max_running: 16_384,
            max_remembered: 12_288,
            max_held_drops: 4_096,
            max_edges: 8_192,
        }
    }
}

/// What the tracker gave up, left out or could not use, since it began.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counters {
    /// Sightings left out because [`Config::max_running`] attempts were running. What is sent again is told again.
    pub refused: u64,
    /// Decided attempts forgotten early because of [`Config::max_remembered`].
    pub forgotten: u64,
    /// Sightings of attempts that may have been decided and forgotten already.
    pub stale: u64,
    /// Answers to no attempt that is known: it began before we watched, or is long forgotten.
    pub answers_unmatched: u64,
    /// Sightings or drops that fit more than one attempt and were joined to none.
    pub ambiguous: u64,
    /// Points of an attempt beyond [`MAX_POINTS`](super::MAX_POINTS), or drops beyond [`MAX_DROPS`](super::MAX_DROPS).
    pub facts_left_out: u64,
    /// Drop events that no attempt claimed in time.
    pub drops_unmatched: u64,
    /// Drop events given up because of [`Config::max_held_drops`].
    pub drops_given_up: u64,
    /// Edges and servers given up because of [`Config::max_edges`].
    pub edges_given_up: u64,
    /// Decisions taken without the sweep that they waited for.
    pub unwitnessed: u64,
    /// Attempts that are not told: nothing was seen to come back, at an interface where answers may pass unseen.
    pub hidden: u64,
    /// Attempts that were still open at the end.
    pub unfinished: u64,
}

impl Counters {
    /// Each with its name, as metrics and the tail show it.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, u64)> {
        [
            ("sightings_refused", self.refused),
            ("attempts_forgotten", self.forgotten),
            ("sightings_stale", self.stale),
            ("answers_unmatched", self.answers_unmatched),
            ("sightings_ambiguous", self.ambiguous),
            ("facts_left_out", self.facts_left_out),
            ("drops_unmatched", self.drops_unmatched),
            ("drops_given_up", self.drops_given_up),
            ("edges_given_up", self.edges_given_up),
            ("decisions_unwitnessed", self.unwitnessed),
            ("attempts_hidden", self.hidden),
            ("attempts_unfinished", self.unfinished),
        ]
        .into_iter()
    }
}
