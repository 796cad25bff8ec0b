//! The ring of recent attempts: bounded by count, size and age, what it gives up is counted.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::is_provisional;
use crate::report::Record;
use crate::time::Time;

/// How much is kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Final records and revisions; provisional records of as many attempts again.
    pub attempts: usize,
    /// Bytes of JSON of all of them together. In memory they take half as much again: what there is to say of an attempt has no bound.
    pub bytes: usize,
    /// Since they were decided.
    pub age: Duration,
}

/// Bytes of JSON that an attempt may have on average: one that connected has 1,900, one that policies denied 4,000 and more.
const BYTES_EACH: usize = 2048;

impl Limits {
    /// So many attempts, if they have no more to say than most, and for so long.
    #[must_use]
    pub const fn of(attempts: usize, age: Duration) -> Self {
        let bytes = attempts.saturating_mul(BYTES_EACH);
        Self { attempts, bytes, age }
    }
}

/// What went in and what was given up.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counters {
    /// Final records and revisions that came in.
    pub seen: u64,
    /// Of these, left since there were too many, or they were too large together.
    pub crowded_out: u64,
    /// Of these, left since they were too old.
    pub aged_out: u64,
    /// Provisional records that were not taken in, or left before their attempt was decided.
    pub unfinished_given_up: u64,
}

/// Recent attempts. `seen == held + crowded_out + aged_out`.
#[derive(Debug)]
pub struct Ring {
    limits: Limits,
    /// Final records and revisions in the order in which they were decided. At the limit the oldest leaves.
    decided: VecDeque<Held>,
    /// The latest provisional record of each attempt that is not decided, by id. Written and deleted by `push`, by age deleted by
    /// `expire`. At the limit a new attempt's is not taken in: its final record will be.
    unfinished: HashMap<String, Held>,
    /// The sum of the sizes of both.
    bytes: usize,
    /// When the ages of `unfinished` were looked at last.
    looked: Time,
    counters: Counters,
}

/// A record and its size.
#[derive(Debug)]
struct Held {
    record: Arc<Record>,
    /// As JSON, in bytes.
    bytes: usize,
}

/// Where a record is found again: a reader that keeps places keeps no record.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Place {
    /// Of the decided ones, the so-manieth that came in.
    Decided(u64),
    /// Of the others, that of the attempt with this id: until it is decided.
    Unfinished(Box<str>),
}

/// A record and its place.
#[derive(Clone, Debug)]
pub struct Placed {
    /// Where it is.
    pub place: Place,
    /// What is there.
    pub record: Arc<Record>,
}

impl AsRef<Record> for Placed {
    fn as_ref(&self) -> &Record {
        &self.record
    }
}

/// How often all unfinished attempts are looked at: their final records come by themselves, so this matters for few.
const LOOK_EVERY: Duration = Duration::from_secs(10);

impl Ring {
    /// An empty ring.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            decided: VecDeque::new(),
            unfinished: HashMap::new(),
            bytes: 0,
            looked: Time::BEGINNING,
            counters: Counters::default(),
        }
    }

    /// Takes in a record. A final record takes the place of its attempt's provisional one; a revision stands beside what it corrects.
    pub fn push(&mut self, record: Arc<Record>) {
        let known = self.unfinished.remove(&record.id);
        self.bytes -= known.as_ref().map_or(0, |held| held.bytes);
        let bytes = size(&record);
        if is_provisional(&record) {
            if known.is_some() || self.unfinished.len() < self.limits.attempts {
                self.bytes += bytes;
                self.unfinished.insert(record.id.clone(), Held { record, bytes });
            } else {
                self.counters.unfinished_given_up += 1;
            }
        } else {
            self.counters.seen += 1;
            self.bytes += bytes;
            self.decided.push_back(Held { record, bytes });
        }
        while self.decided.len() > self.limits.attempts || self.bytes > self.limits.bytes {
            if self.leave() {
                self.counters.crowded_out += 1;
            } else {
                // Their final records will come.
                self.counters.unfinished_given_up += self.unfinished.len() as u64;
                self.unfinished.clear();
                self.bytes = 0;
            }
        }
    }

    /// The oldest decided record leaves, if there is one.
    fn leave(&mut self) -> bool {
        let oldest = self.decided.pop_front();
        self.bytes -= oldest.as_ref().map_or(0, |held| held.bytes);
        oldest.is_some()
    }

    /// Gives up what is too old at `now`.
    pub fn expire(&mut self, now: Time) {
        let before = now - self.limits.age;
        while self.decided.front().is_some_and(|held| held.record.decided < before) {
            self.leave();
            self.counters.aged_out += 1;
        }
        if now.since(self.looked) >= LOOK_EVERY {
            self.looked = now;
            let old = self.unfinished.extract_if(|_, held| held.record.decided < before);
            for (_, held) in old {
                self.bytes -= held.bytes;
                self.counters.unfinished_given_up += 1;
            }
        }
    }

    /// What is held: decided attempts in the order of their decision, then those that are not decided.
    #[must_use]
    pub fn records(&self) -> Vec<Arc<Record>> {
        let all = self.decided.iter().chain(self.unfinished.values());
        all.map(|held| held.record.clone()).collect()
    }

    /// The same, with the place of each.
    #[must_use]
    pub fn placed(&self) -> Vec<Placed> {
        let decided = (self.left()..).map(Place::Decided);
        let unfinished = self.unfinished.keys().map(|id| Place::Unfinished(id.as_str().into()));
        let places = decided.take(self.decided.len()).chain(unfinished);
        let placed = places.zip(self.records());
        placed.map(|(place, record)| Placed { place, record }).collect()
    }

    /// The record at a place, while it is held.
    #[must_use]
    pub fn at(&self, place: &Place) -> Option<Arc<Record>> {
        let held = match place {
            Place::Decided(number) => {
                let index = usize::try_from(number.checked_sub(self.left())?).ok()?;
                self.decided.get(index)
            }
            Place::Unfinished(id) => self.unfinished.get(&**id),
        };
        held.map(|held| held.record.clone())
    }

    /// The number of the oldest decided record: of those that came in, so many left.
    fn left(&self) -> u64 {
        self.counters.crowded_out + self.counters.aged_out
    }

    /// Final records and revisions that are held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.decided.len()
    }

    /// Whether no attempt was decided.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.decided.is_empty()
    }

    /// How many of those held were decided since.
    #[must_use]
    pub fn decided_since(&self, since: Time) -> usize {
        let later = self
            .decided
            .iter()
            .rev()
            .take_while(|held| held.record.decided >= since);
        later.count()
    }

    /// How much is kept.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// What went in and what was given up.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.counters
    }
}

/// How large a record is as JSON, in bytes. This follows its fields by itself, and costs less than making it.
fn size(record: &Record) -> usize {
    #[derive(Default)]
    struct Count(usize);
    impl io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count::default();
    // Neither counting nor a record can fail.
    let _ = serde_json::to_writer(&mut count, record);
    count.0
}
