//! Failures that are the same become one series, told when it begins and then once a while; and no pod, nor all of them together, may
//! flood the API. Pure: time is an argument.
//!
//! ```text
//! Failure ─ add ─→ series by (pod, cause, destination) ─ due ─→ Write ─→ written, failed, gone, refused
//!                                                      └ expire
//! ```

use std::collections::HashMap;
use std::time::Duration;

use super::failure::{Failure, Key};
use crate::objects::Str;
use crate::recent::Recent;
use crate::time::Time;

/// A series that goes on is told again so long after it was told last.
const AGAIN: Duration = Duration::from_secs(60);

/// A series is over when nothing came for so long, told or not: the next failure begins another.
const OVER: Duration = Duration::from_secs(600);

/// Series that run at a time.
const MAX_SERIES: usize = 1024;

/// Pods whose allowance is remembered: more than a node has.
const MAX_PODS: usize = 512;

/// What a pod may begin: so many series at once, then one for each so long.
const OF_A_POD: Rate = Rate {
    burst: 10.0,
    every: Duration::from_secs(60),
};

/// What the agent may write: so much at once, then once for each so long.
const OF_ALL: Rate = Rate {
    burst: 25.0,
    every: Duration::from_secs(1),
};

/// How much is allowed.
#[derive(Clone, Copy, Debug)]
struct Rate {
    burst: f64,
    every: Duration,
}

/// What is left of an allowance; empty it is full, so that a pod nobody has heard of has all of it.
#[derive(Clone, Copy, Debug, Default)]
struct Allowance {
    used: f64,
    at: Time,
}

impl Allowance {
    /// Takes one, if there is one.
    fn take(&mut self, rate: Rate, now: Time) -> bool {
        let regained = now.since(self.at).as_secs_f64() / rate.every.as_secs_f64();
        self.used = (self.used - regained).max(0.0);
        self.at = now;
        let allowed = self.used + 1.0 <= rate.burst;
        if allowed {
            self.used += 1.0;
        }
        allowed
    }
}

/// A series that runs.
#[derive(Debug)]
struct Series {
    failure: Failure,
    first: Time,
    last: Time,
    count: u32,
    /// When it was tried to be told last; before that, as `first`.
    tried: Time,
    told: Option<Told>,
}

/// What the API knows of a series.
#[derive(Debug)]
struct Told {
    name: String,
    count: u32,
    at: Time,
}

/// What is to be written.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Write {
    /// The failure.
    pub(super) failure: Failure,
    /// The Event's name.
    pub(super) name: String,
    /// It is there already, as far as we know.
    pub(super) exists: bool,
    /// When the first was seen.
    pub(super) first: Time,
    /// When the last was seen.
    pub(super) last: Time,
    /// How many were seen.
    pub(super) count: u32,
}

/// The series that run.
#[derive(Debug)]
pub(super) struct Book {
    /// Written by [`Self::add`], deleted when over or refused; a failure for which there is no room is left out.
    series: HashMap<Key, Series>,
    /// Pod → what it may begin. The least recent goes when full.
    pods: Recent<Str, Allowance>,
    all: Allowance,
}

impl Book {
    /// Nothing has failed yet.
    #[must_use]
    pub(super) fn new() -> Self {
        Self {
            series: HashMap::new(),
            pods: Recent::new(MAX_PODS),
            all: Allowance::default(),
        }
    }

    /// Takes in a failure; `false` if its pod has begun too many series, or all have.
    pub(super) fn add(&mut self, failure: Failure, now: Time) -> bool {
        if let Some(series) = self.series.get_mut(&failure.key) {
            series.last = now;
            series.count = series.count.saturating_add(1);
            return true;
        }
        let pod = failure.key.pod.clone();
        let allowed = self.series.len() < MAX_SERIES && self.pods.touch(pod, now, OVER).take(OF_A_POD, now);
        if allowed {
            let series = Series {
                failure: failure.clone(),
                first: now,
                last: now,
                count: 1,
                tried: now,
                told: None,
            };
            self.series.insert(failure.key, series);
        }
        allowed
    }

    /// Forgets the series that are over; gives how many failures of them are in no Event.
    pub(super) fn expire(&mut self, now: Time) -> u64 {
        let over = self.series.extract_if(|_, series| now.since(series.last) > OVER);
        over.map(|(_, series)| series.untold()).sum()
    }

    /// What to write next, if anything may be written now: new series first, then those that were told longest ago. What failed goes
    /// behind the others.
    pub(super) fn due(&mut self, now: Time) -> Option<Write> {
        let due = self.series.values().filter(|series| series.is_due(now));
        let next = due.min_by_key(|series| (series.told.is_some(), series.tried))?;
        if !self.all.take(OF_ALL, now) {
            return None;
        }
        Some(Write {
            failure: next.failure.clone(),
            name: next.told.as_ref().map_or_else(|| next.name(), |told| told.name.clone()),
            exists: next.told.is_some(),
            first: next.first,
            last: next.last,
            count: next.count,
        })
    }

    /// It was written.
    pub(super) fn written(&mut self, write: Write, now: Time) {
        if let Some(series) = self.series.get_mut(&write.failure.key) {
            series.tried = now;
            series.told = Some(Told {
                name: write.name,
                count: write.count,
                at: now,
            });
        }
    }

    /// It could not be written now.
    pub(super) fn failed(&mut self, write: &Write, now: Time) {
        if let Some(series) = self.series.get_mut(&write.failure.key) {
            series.tried = now;
        }
    }

    /// It can never be written: the series ends. Gives how many failures of it are in no Event.
    pub(super) fn refused(&mut self, write: &Write) -> u64 {
        let series = self.series.remove(&write.failure.key);
        series.as_ref().map_or(0, Series::untold)
    }

    /// Failures that are in no Event.
    #[must_use]
    pub(super) fn untold(&self) -> u64 {
        self.series.values().map(Series::untold).sum()
    }

    /// The Event is not there any more: it is made anew when the series goes on.
    pub(super) fn gone(&mut self, write: &Write, now: Time) {
        if let Some(series) = self.series.get_mut(&write.failure.key) {
            series.told = None;
            series.first = now;
            series.tried = now;
            series.count = 1;
        }
    }
}

impl Series {
    fn is_due(&self, now: Time) -> bool {
        match &self.told {
            None => true,
            Some(told) => self.count > told.count && now.since(told.at) >= AGAIN,
        }
    }

    /// Failures that are in no Event.
    fn untold(&self) -> u64 {
        let told = self.told.as_ref().map_or(0, |told| told.count);
        self.count.saturating_sub(told).into()
    }

    /// As other reporters name theirs: the object's name and a time. At most 253 bytes, as any name.
    fn name(&self) -> String {
        let pod = &self.failure.pod.name;
        let suffix = format!(".{:x}", self.first.0);
        let end = pod.floor_char_boundary(253 - suffix.len());
        format!("{}{suffix}", &pod[..end])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::Cause;
    use crate::events::failure::ObjectRef;

    fn failure(pod: &str, destination: &str) -> Failure {
        Failure {
            key: Key {
                pod: pod.into(),
                cause: Cause::PolicyIngress,
                destination: destination.into(),
            },
            pod: ObjectRef {
                kind: "Pod",
                namespace: "shop".into(),
                name: pod.into(),
                uid: Some(pod.into()),
            },
            related: None,
            note: String::new(),
        }
    }

    fn at(seconds: u64) -> Time {
        Time(1_000_000_000_000) + Duration::from_secs(seconds)
    }

    /// Writes what is due, and gives how often each was counted.
    fn write_all(book: &mut Book, now: Time) -> Vec<(bool, u32)> {
        let mut written = Vec::new();
        while let Some(write) = book.due(now) {
            written.push((write.exists, write.count));
            book.written(write, now);
        }
        written
    }

    #[test]
    fn the_same_failure_is_one_series_that_is_told_at_once_and_then_once_a_minute() {
        let mut book = Book::new();
        assert!(book.add(failure("cart", "api:80"), at(0)));
        assert_eq!(write_all(&mut book, at(0)), [(false, 1)]);
        for second in 1..=59 {
            assert!(book.add(failure("cart", "api:80"), at(second)));
            assert_eq!(write_all(&mut book, at(second)), []);
        }
        assert_eq!(book.untold(), 59);
        assert_eq!(write_all(&mut book, at(60)), [(true, 60)]);
        assert_eq!(book.untold(), 0);
        assert_eq!(write_all(&mut book, at(600)), [], "nothing new");
        assert_eq!((book.expire(at(659)), book.series.len()), (0, 1));
        assert_eq!((book.expire(at(660)), book.series.len()), (0, 0));
        assert!(book.add(failure("cart", "api:80"), at(700)));
        assert_eq!(
            write_all(&mut book, at(700)),
            [(false, 1)],
            "another series: the first was over"
        );
    }

    #[test]
    fn other_pods_and_destinations_are_other_series() {
        let mut book = Book::new();
        for (pod, destination) in [("cart", "api:80"), ("cart", "api:81"), ("web", "api:80")] {
            assert!(book.add(failure(pod, destination), at(0)));
        }
        assert_eq!(write_all(&mut book, at(0)).len(), 3);
    }

    #[test]
    fn one_pod_cannot_flood_and_others_are_still_told() {
        let mut book = Book::new();
        let admitted = (0..1000).filter(|port| book.add(failure("scanner", &format!("api:{port}")), at(0)));
        assert_eq!(admitted.count(), 10);
        assert!(book.add(failure("cart", "api:80"), at(0)));
        assert!(!book.add(failure("scanner", "api:5000"), at(59)));
        assert!(book.add(failure("scanner", "api:5001"), at(61)), "one a minute");
    }

    #[test]
    fn the_agent_writes_no_more_than_its_rate() {
        let mut book = Book::new();
        for pod in 0..100 {
            assert!(book.add(failure(&format!("pod{pod}"), "api:80"), at(0)));
        }
        assert_eq!(write_all(&mut book, at(0)).len(), 25);
        assert_eq!(write_all(&mut book, at(10)).len(), 10);
        let mut all = 35;
        for second in 11..100 {
            all += write_all(&mut book, at(second)).len();
        }
        assert_eq!(all, 100, "the others were told later");
    }

    #[test]
    fn what_was_not_written_stays_due() {
        let mut book = Book::new();
        book.add(failure("cart", "api:80"), at(0));
        let write = book.due(at(0)).expect("due");
        assert_eq!(
            book.due(at(1)),
            Some(write.clone()),
            "it was neither written nor forgotten"
        );
        book.written(write.clone(), at(1));
        book.add(failure("cart", "api:80"), at(70));
        let again = book.due(at(70)).expect("due");
        assert_eq!((again.exists, again.name.as_str()), (true, write.name.as_str()));
        book.gone(&again, at(70));
        let anew = book.due(at(71)).expect("due");
        assert!(!anew.exists && anew.name != write.name, "{anew:?}");
    }

    #[test]
    fn series_are_bounded() {
        let mut book = Book::new();
        let add = |book: &mut Book, from: usize, now| {
            let pods = from..from + 2000;
            pods.filter(|pod| book.add(failure(&format!("pod{pod}"), "api:80"), now))
                .count()
        };
        assert_eq!(add(&mut book, 0, at(0)), MAX_SERIES);
        assert_eq!(add(&mut book, 2000, at(10)), 0);
        assert_eq!(book.expire(at(700)), MAX_SERIES as u64, "over, and never told");
        assert_eq!(
            add(&mut book, 4000, at(700)),
            MAX_SERIES,
            "those that were over made room"
        );
    }

    #[test]
    fn what_cannot_be_written_keeps_no_other_back() {
        let mut book = Book::new();
        for (pod, second) in [("cart", 0), ("web", 1), ("cart", 2)] {
            book.add(failure(pod, "api:80"), at(second));
        }
        let due = |book: &mut Book, second| book.due(at(second)).expect("something is due");
        let cart = due(&mut book, 3);
        assert_eq!(&*cart.failure.pod.name, "cart");
        book.failed(&cart, at(3));
        let web = due(&mut book, 4);
        assert_eq!(&*web.failure.pod.name, "web", "the other's turn");
        book.written(web, at(4));
        let cart = due(&mut book, 5);
        assert_eq!((&*cart.failure.pod.name, cart.count), ("cart", 2), "it is tried again");
        assert_eq!(book.refused(&cart), 2);
        assert_eq!(book.due(at(6)), None);
        assert_eq!(book.untold(), 0);
    }

    #[test]
    fn a_long_name_has_room_for_its_suffix() {
        let mut book = Book::new();
        book.add(failure(&"x".repeat(253), "api:80"), at(0));
        assert_eq!(book.due(at(0)).map(|write| write.name.len()), Some(253));
    }
}
