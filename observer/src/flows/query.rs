//! What a client wants of the recent past, as `hubble observe` asks for it: from when to when, the first or the last so many.

use super::is_provisional;
use crate::report::Record;
use crate::time::Time;

/// What of the recent past is wanted.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Query {
    /// First SYN not before.
    pub since: Option<Time>,
    /// First SYN not after.
    pub until: Option<Time>,
    /// Decided not before …
    pub decided_since: Option<Time>,
    /// … or with a first SYN not before this.
    pub or_first_since: Option<Time>,
    /// Records of attempts that are not decided, too.
    pub provisional: bool,
    /// How many.
    pub take: Take,
}

/// How many of what is wanted.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Take {
    /// Everything.
    #[default]
    All,
    /// At most so many, the earliest.
    First(usize),
    /// The latest, at most so many that are decided; with them what is not decided, which is later than most.
    Last(usize),
}

impl Query {
    /// Whether the record is of the wanted time and kind.
    #[must_use]
    pub fn covers(&self, record: &Record) -> bool {
        self.since.is_none_or(|since| record.time >= since)
            && self.until.is_none_or(|until| record.time <= until)
            && self.decided_since.is_none_or(|since| {
                record.decided >= since || self.or_first_since.is_some_and(|first| record.time >= first)
            })
            && (self.provisional || !is_provisional(record))
    }

    /// What is wanted of `records`, by the time of the first SYN. Records of one attempt keep the order of their decision.
    #[must_use]
    pub fn choose<R: AsRef<Record>>(&self, mut records: Vec<R>, wanted: impl Fn(&Record) -> bool) -> Vec<R> {
        records.retain(|record| self.covers(record.as_ref()) && wanted(record.as_ref()));
        records.sort_by_key(|record| (record.as_ref().time, record.as_ref().decided));
        match self.take {
            Take::All => {}
            Take::First(number) => records.truncate(number),
            Take::Last(0) => records.clear(),
            Take::Last(number) => {
                let decided = |record: &R| !is_provisional(record.as_ref());
                let mut surplus = records
                    .iter()
                    .filter(|record| decided(record))
                    .count()
                    .saturating_sub(number);
                records.retain(|record| {
                    let keep = surplus == 0;
                    surplus -= usize::from(!keep && decided(record));
                    keep
                });
            }
        }
        records
    }
}
