//! The loop that follows the API: one stream of events for each kind, the directory of what is served, and the clock, made
//! into updates.
//!
//! ```text
//! watchers ──┐
//! directory ─┼─→ Follower { for each kind a Table and a Line } ─→ settle.rs ─→ Update ─→ bounded channel
//! clock ─────┘
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::stream::{BoxStream, StreamExt as _};
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_stream::StreamMap;

use super::discover::{Answer, Discovery};
use super::kinds::Followed;
use super::line::Line;
use super::settle::Settled;
use super::table::Table;
use super::wire::Wire;
use super::words::{self, Why};
use super::{Health, Timing};
use crate::cluster::strings;
use crate::cluster::watch::Update;

/// Events that one update holds at the most.
const BATCH: usize = 1000;

/// Objects on a page, where the server does not do lists as streams: pages are held as a whole while they are read.
const PAGE: u32 = 100;

/// A stream of objects that brings nothing for so long before it is complete comes from a server that does not know of it.
const STREAM_SILENCE: std::time::Duration = std::time::Duration::from_secs(5);

/// How often strings that nobody uses are forgotten.
const SWEEP_EVERY: std::time::Duration = std::time::Duration::from_secs(60);

type Events = BoxStream<'static, watcher::Result<Event<Wire>>>;

/// What is known of a kind.
#[derive(Debug)]
pub(super) struct Kind {
    pub(super) table: Table,
    pub(super) line: Arc<Line>,
    /// Lists come as streams.
    streaming: bool,
    /// When something came of it last, or it was begun.
    progress: Instant,
    /// Why the last request brought nothing, until an event comes.
    pub(super) trouble: Option<(Why, String)>,
}

/// The loop and what it owns.
pub(super) struct Follower {
    client: Client,
    timing: Timing,
    kinds: BTreeMap<Followed, Kind>,
    events: StreamMap<Followed, Events>,
    discovery: Discovery,
    settled: Settled,
    updates: mpsc::Sender<Update>,
    health: watch::Sender<Health>,
}

impl Follower {
    pub(super) fn new(
        client: Client,
        timing: Timing,
        updates: mpsc::Sender<Update>,
        health: watch::Sender<Health>,
    ) -> Self {
        let discovery = Discovery::start(client.clone(), timing);
        let mut follower = Self {
            client,
            timing,
            kinds: BTreeMap::new(),
            events: StreamMap::new(),
            discovery,
            settled: Settled::new(timing.patience),
            updates,
            health,
        };
        for followed in Followed::always() {
            follower.begin(followed);
        }
        follower
    }

    /// Follows until nobody reads the updates any more.
    pub(super) async fn run(mut self) {
        let updates = self.updates.clone();
        let mut ticks = interval(self.timing.tick);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut swept = Instant::now();
        loop {
            let mut update = Update::default();
            tokio::select! {
                () = updates.closed() => return,
                Some((followed, event)) = self.events.next() => self.take(&followed, event, &mut update),
                Some(answer) = self.discovery.next() => self.look(answer, &mut update),
                _ = ticks.tick() => {
                    self.tick(&mut update);
                    self.tell_health();
                }
            }
            // What is ready belongs to the same update: an update costs its reader more than a change does.
            for _ in 1..BATCH {
                match self.events.next().now_or_never() {
                    Some(Some((followed, event))) => self.take(&followed, event, &mut update),
                    _ => break,
                }
            }
            self.settled.settle(&self.kinds, &mut update);
            if !update.is_empty() {
                self.tell_health();
                if self.updates.send(update).await.is_err() {
                    return;
                }
            }
            if swept.elapsed() >= SWEEP_EVERY {
                strings::sweep();
                swept = Instant::now();
            }
        }
    }

    fn begin(&mut self, followed: Followed) {
        let line = Line::new(self.discovery.away());
        let events = self.watch(&followed, &line, true);
        self.events.insert(followed.clone(), events);
        let kind = Kind {
            table: Table::new(followed.clone()),
            line,
            streaming: true,
            progress: Instant::now(),
            trouble: None,
        };
        self.kinds.insert(followed, kind);
    }

    fn watch(&self, followed: &Followed, line: &Arc<Line>, streaming: bool) -> Events {
        let api: Api<Wire> = Api::all_with(line.client(&self.client), &followed.api());
        let config = watcher::Config::default();
        let config = if streaming {
            config.streaming_lists()
        } else {
            config.page_size(PAGE)
        };
        watcher(api, config).default_backoff().boxed()
    }

    /// Lists a kind anew; with pages, if this server does not do lists as streams.
    fn list_anew(&mut self, followed: &Followed, streaming: bool) {
        let Some(kind) = self.kinds.get_mut(followed) else {
            return;
        };
        kind.streaming = streaming;
        kind.progress = Instant::now();
        let line = kind.line.clone();
        let events = self.watch(followed, &line, streaming);
        self.events.insert(followed.clone(), events);
    }

    fn take(&mut self, followed: &Followed, event: watcher::Result<Event<Wire>>, update: &mut Update) {
        let Some(kind) = self.kinds.get_mut(followed) else {
            return;
        };
        match event {
            Ok(event) => {
                kind.progress = Instant::now();
                if !matches!(event, Event::Init) {
                    kind.trouble = None;
                }
                let told = kind.table.take(event);
                update.messages.extend(told.messages);
                if self.settled.is_synced() {
                    update.changes.extend(told.changes);
                }
            }
            Err(error) => {
                let why = words::why(&error);
                match why {
                    // A watcher lists anew by itself, but not where the request for a watch is what is answered so.
                    Why::TooOld => {
                        let streaming = kind.streaming;
                        if matches!(error, watcher::Error::WatchStartFailed(_)) {
                            self.list_anew(followed, streaming);
                        }
                        return;
                    }
                    Why::NoStreams if kind.streaming => return self.list_anew(followed, false),
                    Why::NotServed | Why::Trouble => self.discovery.look_sooner(),
                    _ => {}
                }
                kind.trouble = Some((why, words::reason(&error)));
            }
        }
    }

    /// Follows what is served now, and only that.
    fn look(&mut self, answer: Answer, update: &mut Update) {
        if let Ok(directory) = &answer {
            let silent = |followed: &Followed| directory.silent.iter().any(|(group, _)| *group == followed.group);
            let gone = |followed: &Followed| {
                !followed.is_always_served() && !directory.served.contains(followed) && !silent(followed)
            };
            let gone: Vec<_> = self.kinds.keys().filter(|followed| gone(followed)).cloned().collect();
            for followed in gone {
                self.end(&followed, update);
            }
            for followed in &directory.served {
                if !self.kinds.contains_key(followed) {
                    self.begin(followed.clone());
                    self.settled.appeared(followed, update);
                }
            }
        }
        if self.settled.looked(answer, update) {
            // The server was away: watches may be dead without knowing it.
            self.kinds.values().for_each(|kind| kind.line.hang_up());
        }
    }

    /// The kind is no longer served.
    fn end(&mut self, followed: &Followed, update: &mut Update) {
        self.events.remove(followed);
        if let Some(mut kind) = self.kinds.remove(followed) {
            let told = kind.table.clear();
            if self.settled.is_synced() {
                update.changes.extend(told.changes);
            }
            self.settled.gone(followed, kind.line.requests(), update);
        }
    }

    fn tick(&mut self, update: &mut Update) {
        for kind in self.kinds.values_mut() {
            // An open watch brings nothing while nothing changes, and is all that was wanted.
            if kind.table.is_listed() && kind.line.down().is_none() {
                kind.trouble = None;
            }
        }
        let stuck = |kind: &Kind| {
            let begun = kind.streaming && !kind.table.is_listed() && kind.line.down().is_none();
            begun && kind.progress.elapsed() >= STREAM_SILENCE
        };
        let stuck: Vec<_> = self
            .kinds
            .iter()
            .filter(|(_, kind)| stuck(kind))
            .map(|(followed, _)| followed.clone())
            .collect();
        for followed in stuck {
            self.list_anew(&followed, false);
        }
        self.settled.look_at_lines(&self.kinds, update);
    }

    fn tell_health(&self) {
        let health = self.settled.health(&self.kinds);
        // Nobody may ask.
        self.health.send_replace(health);
    }
}
