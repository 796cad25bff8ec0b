//! Where the loop's outputs become records, and from where every client gets them.
//!
//! ```text
//! Output ─→ Hub ─→ Ring               the recent past
//!              └─→ broadcast ─→ Reader, Reader …   each as fast as its client; who lags is told how much it lost
//! ```
//!
//! Publishing never waits for a client. A record is built once and shared. Where only some namespaces are shown, what does not
//! touch them ends here: it is in no ring, no stream and no count.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::broadcast::{Receiver, Sender, error::RecvError};
use tokio::sync::watch;

use super::said::said;
use crate::agent::Output;
use crate::flows::{Counters, Limits, Place, Placed, Ring, namespaces, touches};
use crate::objects::Str;
use crate::report::{Record, Status};
use crate::time::Time;

/// How many messages a client may lag behind. What the slowest has not read is held for it, in the ring or not any more.
const LAG: usize = 2048;

/// Over which time the rate of flows is measured.
const RATE_OVER: Duration = Duration::from_secs(60);

/// Where records go. Copies share everything.
#[derive(Clone, Debug)]
pub struct Hub {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    node: Str,
    /// Only attempts that touch one of these are shown; `None`: all.
    shown: Option<BTreeSet<Str>>,
    started: Instant,
    recent: Mutex<Recent>,
    live: Sender<Message>,
    /// Changed under the lock of `recent`.
    stopped: watch::Sender<bool>,
    /// Messages that readers were too slow for.
    lagged: Arc<AtomicU64>,
}

/// Changed and read together, so that what a new reader gets of the past and what it gets live neither overlap nor leave a gap.
/// The lock is held for a push, or for copying the ring's references; never for a client.
#[derive(Debug)]
struct Recent {
    ring: Ring,
    /// The last statement of what is observed.
    coverage: Option<Arc<Status>>,
}

/// What a reader is told.
#[derive(Clone, Debug)]
pub enum Message {
    /// An attempt.
    Record(Arc<Record>),
    /// Something about the agent.
    Status(Arc<Status>),
    /// Events were lost between kernel and agent: how many, or `None` where that would tell of namespaces that are not shown.
    KernelLost(Option<u64>),
    /// The agent stops. Nothing follows.
    Stopped,
}

/// What a reader gets next.
#[derive(Clone, Debug)]
pub enum Next {
    /// What was told.
    Message(Message),
    /// So many messages were not read in time.
    Lagged(u64),
}

/// A client's place in the stream.
#[derive(Debug)]
pub struct Reader {
    /// `None` after the stop.
    live: Option<Receiver<Message>>,
    lagged: Arc<AtomicU64>,
}

/// What was known when a reader began.
#[derive(Debug)]
pub struct Past {
    /// What the ring holds.
    pub records: Vec<Placed>,
    /// What is observed.
    pub coverage: Option<Arc<Status>>,
}

/// How full the ring is, and since when.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fill {
    /// Records held.
    pub held: usize,
    /// What it may hold.
    pub limits: Limits,
    /// What went in and what was given up.
    pub counters: Counters,
    /// Records a second, over the last minute.
    pub rate: f64,
    /// Since the start.
    pub uptime: Duration,
}

impl Hub {
    /// A hub for what `node` observes. If `shown` is given, only attempts that touch one of these namespaces get through.
    #[must_use]
    pub fn new(node: Str, limits: Limits, shown: Option<BTreeSet<Str>>) -> Self {
        let recent = Recent {
            ring: Ring::new(limits),
            coverage: None,
        };
        let shared = Shared {
            node,
            shown,
            started: Instant::now(),
            recent: Mutex::new(recent),
            live: Sender::new(LAG),
            stopped: watch::Sender::new(false),
            lagged: Arc::default(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Tells everybody. Never waits for anybody.
    pub fn publish(&self, output: &Output) {
        let now = now();
        let message = self.message(output, now);
        let mut recent = self.recent();
        match &message {
            Some(Message::Record(record)) => recent.ring.push(record.clone()),
            Some(Message::Status(status)) if matches!(output, Output::Coverage(_)) => {
                recent.coverage = Some(status.clone());
            }
            _ => {}
        }
        recent.ring.expire(now);
        if let Some(message) = message {
            // Fails if nobody listens.
            let _ = self.shared.live.send(message);
        }
    }

    /// What clients are told of an output, if anything.
    fn message(&self, output: &Output, now: Time) -> Option<Message> {
        let Shared { node, shown, .. } = &*self.shared;
        let shown = shown.as_ref();
        match output {
            Output::Attempt(diagnosed) => {
                let record = Record::new(&diagnosed.assessment, &diagnosed.diagnosis, node);
                let hidden = shown.is_some_and(|shown| !touches(&record, shown));
                (!hidden).then(|| Message::Record(Arc::new(record)))
            }
            Output::Lost(count) => Some(Message::KernelLost(shown.is_none().then_some(*count))),
            other => said(other, node, shown, now).map(|status| Message::Status(Arc::new(status))),
        }
    }

    /// Ends every stream, those that begin later too.
    pub fn stop(&self) {
        let _recent = self.recent();
        self.shared.stopped.send_replace(true);
        let _ = self.shared.live.send(Message::Stopped);
    }

    /// What is held of the past, and a place in what comes.
    #[must_use]
    pub fn read(&self) -> (Past, Reader) {
        let mut recent = self.recent();
        recent.ring.expire(now());
        let past = Past {
            records: recent.ring.placed(),
            coverage: recent.coverage.clone(),
        };
        let live = self.shared.live.subscribe();
        let reader = Reader {
            live: (!*self.shared.stopped.borrow()).then_some(live),
            lagged: self.shared.lagged.clone(),
        };
        (past, reader)
    }

    /// A record of the past, if the ring still holds it.
    #[must_use]
    pub fn again(&self, place: &Place) -> Option<Arc<Record>> {
        self.recent().ring.at(place)
    }

    /// Counts what a reader of the past came too late for.
    pub fn lose(&self, messages: u64) {
        self.shared.lagged.fetch_add(messages, Ordering::Relaxed);
    }

    /// Ready when the agent stops.
    pub async fn stopped(&self) {
        // Fails only without a sender, which is in `self`.
        let _ = self.shared.stopped.subscribe().wait_for(|stopped| *stopped).await;
    }

    /// The namespaces of recent attempts, of those that are shown.
    #[must_use]
    pub fn namespaces(&self) -> BTreeSet<Str> {
        let records = self.recent().ring.records();
        let all = records.iter().flat_map(|record| namespaces(record));
        let shown = |name: &&Str| self.shared.shown.as_ref().is_none_or(|shown| shown.contains(*name));
        all.filter(shown).cloned().collect()
    }

    /// How full the ring is.
    #[must_use]
    pub fn fill(&self) -> Fill {
        let now = now();
        let mut recent = self.recent();
        recent.ring.expire(now);
        let ring = &recent.ring;
        let uptime = self.shared.started.elapsed();
        let over = RATE_OVER.min(uptime).max(Duration::from_secs(1));
        Fill {
            held: ring.len(),
            limits: ring.limits(),
            counters: ring.counters(),
            rate: ring.decided_since(now - over) as f64 / over.as_secs_f64(),
            uptime,
        }
    }

    /// The node that is observed.
    #[must_use]
    pub fn node(&self) -> &Str {
        &self.shared.node
    }

    /// How many readers there are.
    #[must_use]
    pub fn readers(&self) -> usize {
        self.shared.live.receiver_count()
    }

    /// How many messages readers were too slow for, all together.
    #[must_use]
    pub fn lagged(&self) -> u64 {
        self.shared.lagged.load(Ordering::Relaxed)
    }

    fn recent(&self) -> MutexGuard<'_, Recent> {
        self.shared.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reader {
    /// The next message, when there is one.
    pub async fn next(&mut self) -> Next {
        let Some(live) = &mut self.live else {
            return Next::Message(Message::Stopped);
        };
        match live.recv().await {
            Ok(message) => Next::Message(message),
            Err(RecvError::Lagged(count)) => {
                self.lagged.fetch_add(count, Ordering::Relaxed);
                Next::Lagged(count)
            }
            Err(RecvError::Closed) => Next::Message(Message::Stopped),
        }
    }
}

/// The clock, read where the world is: what goes into the ring is told the time.
pub(crate) fn now() -> Time {
    let now = jiff::Timestamp::now().as_nanosecond();
    Time(u64::try_from(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attempt::Stage;
    use crate::diagnosis::diagnose;
    use crate::diagnosis::tests::build::Build;
    use crate::engine::Diagnosed;

    const LIMITS: Limits = Limits::of(100, Duration::from_secs(900));

    /// A final record of an attempt from `homepage` to `immich`, just now.
    fn attempt(nth: u32) -> Output {
        let Build(assessment) = Build::new().with(|all| {
            all.attempt.id.nth = nth;
            all.attempt.stage = Stage::Final;
            all.attempt.first = now();
            all.attempt.decided = now();
        });
        let diagnosis = diagnose(&assessment);
        Output::Attempt(Box::new(Diagnosed { assessment, diagnosis }))
    }

    fn hub(shown: Option<&[&str]>) -> Hub {
        let shown = shown.map(|names| names.iter().map(|name| Str::from(*name)).collect());
        Hub::new("node-a".into(), LIMITS, shown)
    }

    fn past(hub: &Hub) -> usize {
        hub.read().0.records.len()
    }

    #[tokio::test]
    async fn a_reader_gets_the_past_and_then_what_comes_without_gap_or_overlap() {
        let hub = hub(None);
        hub.publish(&attempt(0));
        let (past, mut reader) = hub.read();
        hub.publish(&attempt(1));
        let Next::Message(Message::Record(live)) = reader.next().await else {
            panic!("a record comes")
        };
        assert_eq!(past.records.len(), 1);
        assert_ne!(past.records[0].record.id, live.id);
        assert_eq!(hub.fill().counters.seen, 2);
    }

    #[tokio::test]
    async fn who_does_not_read_in_time_is_told_how_much_it_lost_and_holds_nobody() {
        let hub = hub(None);
        let (_, mut slow) = hub.read();
        for nth in 0..5000 {
            hub.publish(&attempt(nth));
        }
        hub.stop();
        let (mut got, mut lost) = (0, 0);
        loop {
            match slow.next().await {
                Next::Message(Message::Record(_)) => got += 1,
                Next::Message(Message::Stopped) => break,
                Next::Lagged(count) => lost += count,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(
            (lost + got, lost),
            (5000, 2953),
            "with the stop it lags by {LAG} and one more"
        );
        assert_eq!(hub.lagged(), lost);
    }

    #[tokio::test]
    async fn what_touches_no_namespace_that_is_shown_is_nowhere() {
        for (shown, expect) in [
            (None, 1),
            (Some(&["immich"][..]), 1),
            (Some(&["homepage"]), 1),
            (Some(&["shop"]), 0),
        ] {
            let hub = hub(shown);
            hub.publish(&attempt(0));
            hub.publish(&Output::Warning("shop/web is odd".into()));
            hub.publish(&Output::Lost(7));
            assert_eq!(past(&hub), expect, "{shown:?}");
            assert_eq!(hub.fill().counters.seen, expect as u64, "{shown:?}");
        }
        assert_eq!(hub(Some(&["shop"])).namespaces().len(), 0);
        let both = hub(None);
        both.publish(&attempt(0));
        assert_eq!(both.namespaces().len(), 2);
        let one = hub(Some(&["immich"]));
        one.publish(&attempt(0));
        assert_eq!(Vec::from_iter(one.namespaces()), ["immich".into()]);
        let (_, mut reader) = one.read();
        one.publish(&Output::Warning("shop/web is odd".into()));
        one.publish(&Output::Lost(7));
        let next = reader.next().await;
        assert!(
            matches!(next, Next::Message(Message::KernelLost(None))),
            "neither the warning nor the number: {next:?}"
        );
    }

    #[tokio::test]
    async fn after_the_stop_a_stream_ends_at_once() {
        let hub = hub(None);
        hub.stop();
        let (_, mut reader) = hub.read();
        assert!(matches!(reader.next().await, Next::Message(Message::Stopped)));
    }
}
