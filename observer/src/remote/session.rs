//! The loop: finds agents, keeps a stream to each, merges what they say, and gives it away in order.
//!
//! ```text
//! Finder ─→ Roster ─→ Stream, Stream … ─→ Merger ─→ Said ─→ bounded channel ─→ whoever shows it
//! ```
//!
//! A reader that does not keep up holds the loop, then the streams, then the agents: they count what they could not send.

use std::collections::BTreeMap;
use std::future::{Future, pending};
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use serde_json::{Map, Value, json};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};
use tonic::transport::ClientTlsConfig;

use super::address::Address;
use super::dial::{Forward, Way};
use super::error::Error;
use super::finder::{self, AGENT_NAMESPACE, Finder, Found};
use super::last::Last;
use super::merge::{Config, Counts, Input, Merger};
use super::reply::{Lost, Reply};
use super::request::Ask;
use super::roster::{AgentPod, Reached, Roster};
use super::stream::{Event, Stream};
use super::tls::Tls;
use crate::cluster::Access;
use crate::objects::Str;
use crate::report::{self, Record, Status};
use crate::time::Time;

/// So long the first statement of what is seen waits for agents that do not answer.
const FIRST_STATEMENT: Duration = Duration::from_secs(5);

/// Events that may wait for the loop.
const WAITING: usize = 1024;

/// Events that are taken at once.
const BATCH: usize = 256;

/// Where attempts come from.
#[derive(Clone, Debug)]
pub enum Place {
    /// One agent.
    Server {
        /// Where it listens.
        address: Address,
        /// How it is trusted.
        tls: Option<Tls>,
    },
    /// All agents of a cluster.
    Cluster {
        /// Which cluster.
        access: Access,
        /// The agents' namespace; `None`: [`AGENT_NAMESPACE`].
        namespace: Option<String>,
        /// How they are trusted.
        tls: Option<Tls>,
    },
}

/// What comes out.
#[derive(Debug)]
pub enum Said {
    /// An attempt.
    Record(Box<Record>),
    /// Something about an agent, or about all this: then its node is empty.
    Status(Status),
    /// Something of what an agent had to tell was lost.
    Lost {
        /// Its node.
        node: Str,
        /// Where, and how many.
        lost: Lost,
    },
    /// What did not simply pass; the last word.
    Counts(Counts),
}

/// The loop and what it owns.
pub struct Session {
    ask: Ask,
    tls: Option<ClientTlsConfig>,
    /// `None` for one agent alone.
    cluster: Option<Cluster>,
    /// Namespaces that are asked for and do not exist: perhaps yet, perhaps mistyped.
    absent: Vec<String>,
    roster: Roster,
    merger: Merger,
    streams: BTreeMap<Str, Running>,
    /// What streams are given to tell what happens.
    happens: mpsc::Sender<(Str, Event)>,
    events: mpsc::Receiver<(Str, Event)>,
    /// The last records of the past, while they are counted.
    last: Option<Last>,
    /// When this began: the merger's clock counts from here.
    begun: Instant,
    out: mpsc::Sender<Said>,
}

struct Cluster {
    finder: Finder,
    pods: Api<Pod>,
    namespace: String,
}

struct Running {
    task: JoinHandle<()>,
    /// It told everything that was asked for, or cannot: only where nothing is followed.
    told: bool,
    wanted: watch::Sender<bool>,
}

/// The reader has gone: nothing is left to do.
struct ReaderGone;

impl Session {
    /// Finds the agents and begins to ask them.
    ///
    /// # Errors
    ///
    /// No cluster, no agents, no right to see them, or TLS files that cannot be read.
    pub async fn start(place: Place, ask: Ask) -> Result<(Self, mpsc::Receiver<Said>), Error> {
        let (out, said) = mpsc::channel(WAITING);
        let (happens, events) = mpsc::channel(WAITING);
        let config = match place {
            Place::Server { .. } => Config::ONE,
            Place::Cluster { .. } => Config::CLUSTER,
        };
        let mut session = Self {
            last: ask.last.map(Last::new),
            ask,
            tls: None,
            cluster: None,
            absent: Vec::new(),
            roster: Roster::default(),
            merger: Merger::new(config),
            streams: BTreeMap::new(),
            happens,
            events,
            begun: Instant::now(),
            out,
        };
        match place {
            Place::Server { address, tls } => {
                session.tls = tls.as_ref().map(Tls::load).transpose()?;
                let name: Str = address.to_string().into();
                session.roster.reached(&name, Reached::Trying);
                session.follow(name, Way::Server(address));
            }
            Place::Cluster { access, namespace, tls } => {
                session.tls = tls.as_ref().map(Tls::load).transpose()?;
                let client = access.client().await?;
                let namespace = namespace.unwrap_or_else(|| AGENT_NAMESPACE.into());
                let (finder, agents, nodes) = Finder::start(&client, &namespace).await?;
                session.absent = finder::absent(&client, session.ask.filter.namespaces()).await;
                let pods = Api::namespaced(client, &namespace);
                session.cluster = Some(Cluster {
                    finder,
                    pods,
                    namespace,
                });
                if let Some(nodes) = nodes {
                    session.roster.nodes(nodes);
                }
                session.agents(agents);
            }
        }
        Ok((session, said))
    }

    /// Runs until everything was told, `stop` is ready, or the reader has gone; then says what was held.
    ///
    /// # Errors
    ///
    /// No agent can be reached, or, where nothing is followed, not all of them.
    pub async fn run(mut self, stop: impl Future<Output = ()>) -> Result<(), Error> {
        let ended = tokio::select! {
            ended = self.all() => ended,
            () = stop => Ok(Ok(())),
        };
        for running in self.streams.values() {
            running.task.abort();
        }
        let Ok(told) = ended else {
            return Ok(());
        };
        if let Err(error) = &told
            && !matches!(error, Error::Incomplete(_))
        {
            // There is nothing to sum up.
            return told;
        }
        let mut held = self.merger.finish();
        held.retain(|record| self.ask.filter.matches(record));
        if let Some(last) = self.last.take() {
            held = held.into_iter().fold(last, Last::push).records.into();
        }
        let counts = self.merger.counts();
        for record in held {
            if self.say(Said::Record(Box::new(record))).await.is_err() {
                return told;
            }
        }
        // Nobody is left to tell that nobody is left.
        let _ = self.say(Said::Counts(counts)).await;
        told
    }

    async fn all(&mut self) -> Result<Result<(), Error>, ReaderGone> {
        if self.cluster.is_some() && !self.roster.knows_nodes() {
            let text = "the nodes may not be listed: which of them have no agent is not known";
            self.tell(report::Event::Warning, text, Map::new()).await?;
        }
        for name in std::mem::take(&mut self.absent) {
            let text = format!("there is no namespace {name} in this cluster");
            self.tell(report::Event::Warning, &text, Map::new()).await?;
        }
        let state_by = self.begun + FIRST_STATEMENT;
        let mut events = Vec::with_capacity(BATCH);
        loop {
            if let Err(error) = self.state(Instant::now() >= state_by).await? {
                return Ok(Err(error));
            }
            if self.streams.values().all(|running| running.told) && !self.ask.follow {
                return Ok(self.complete());
            }
            let due = self
                .merger
                .due(self.now())
                .map(|due| self.begun + due.since(Time::BEGINNING));
            let first_statement = self.roster.stated().is_none().then_some(state_by);
            let wake = [due, first_statement].into_iter().flatten().min();
            tokio::select! {
                count = self.events.recv_many(&mut events, BATCH) => {
                    debug_assert!(count > 0, "this loop holds a sender");
                    for (node, event) in events.drain(..) {
                        if let Some(fatal) = self.happened(node, event).await? {
                            return Ok(Err(fatal));
                        }
                    }
                }
                found = next_found(self.cluster.as_mut()) => self.found(found).await?,
                () = sleep_or_never(wake) => {}
                // Else a broken pipe would wait for traffic that may never come.
                () = self.out.closed() => return Err(ReaderGone),
            }
            self.give().await?;
        }
    }

    /// Gives what may be given, and lets streams go on or wait.
    async fn give(&mut self) -> Result<(), ReaderGone> {
        let now = self.now();
        let mut taken = self.merger.take(now);
        taken.retain(|record| self.ask.filter.matches(record));
        for record in taken {
            match self.last.take() {
                Some(last) => self.last = Some(last.push(record)),
                None => self.say(Said::Record(Box::new(record))).await?,
            }
        }
        for (node, running) in &self.streams {
            let wants = self.merger.wants(node);
            running
                .wanted
                .send_if_modified(|wanted| std::mem::replace(wanted, wants) != wants);
        }
        // With a follower the last records of the past are known when no node tells its past any more.
        if self.ask.follow
            && !self.roster.is_trying()
            && !self.merger.in_the_past()
            && let Some(last) = self.last.take()
        {
            for record in last.records {
                self.say(Said::Record(Box::new(record))).await?;
            }
        }
        Ok(())
    }

    async fn found(&mut self, found: Found) -> Result<(), ReaderGone> {
        match found {
            Found::Pods(pods) => self.agents(pods),
            Found::Nodes(nodes) => self.roster.nodes(nodes),
            Found::Trouble(text) => {
                let text = format!("agents that come and go are not seen now: {text}");
                self.tell(report::Event::Warning, &text, Map::new()).await?;
            }
            Found::Well => {
                let text = "agents that come and go are seen again";
                self.tell(report::Event::Warning, text, Map::new()).await?;
            }
        }
        Ok(())
    }

    fn agents(&mut self, pods: Vec<AgentPod>) {
        let (come, gone) = self.roster.pods(pods);
        for node in gone {
            self.leave(&node);
        }
        let Some(cluster) = &self.cluster else {
            return;
        };
        let ways: Vec<(Str, Way)> = come
            .into_iter()
            .map(|agent| {
                let forward = Forward {
                    pods: cluster.pods.clone(),
                    namespace: cluster.namespace.clone(),
                    name: agent.name.to_string(),
                    port: agent.port,
                };
                (agent.node, Way::Pod(Box::new(forward)))
            })
            .collect();
        for (node, way) in ways {
            self.follow(node, way);
        }
    }

    fn follow(&mut self, name: Str, way: Way) {
        let (wanted, wants) = watch::channel(true);
        let stream = Stream {
            name: name.clone(),
            way,
            tls: self.tls.clone(),
            ask: self.ask.clone(),
            events: self.happens.clone(),
            wanted: wants,
        };
        self.merger.input(Input::Opened(name.clone()), self.now());
        let task = tokio::spawn(stream.run());
        let told = false;
        self.streams.insert(name, Running { task, told, wanted });
    }

    fn leave(&mut self, node: &Str) {
        if let Some(running) = self.streams.remove(node) {
            running.task.abort();
        }
        self.merger.input(Input::Closed(node.clone()), self.now());
    }

    /// Something happened on a stream; gives what ends everything.
    async fn happened(&mut self, node: Str, event: Event) -> Result<Option<Error>, ReaderGone> {
        // What it said before it was left is no more wanted.
        let Some(running) = self.streams.get_mut(&node) else {
            return Ok(None);
        };
        running.told = matches!(event, Event::Ended | Event::Failed(_)) && !self.ask.follow;
        let now = self.now();
        match event {
            Event::Opened => {
                self.merger.input(Input::Opened(node.clone()), now);
                self.roster.reached(&node, Reached::Yes);
            }
            Event::Version(version) => {
                const OWN: &str = env!("CARGO_PKG_VERSION");
                if !version
                    .split_whitespace()
                    .any(|word| word.trim_start_matches('v') == OWN)
                {
                    let text = format!(
                        "its agent is of version {version}, this is {OWN}: what only one of them knows is left out"
                    );
                    self.tell_of(&node, report::Event::Warning, &text, Map::new()).await?;
                }
            }
            Event::Reply(Reply::Input(input)) => self.merger.input(input, now),
            Event::Reply(Reply::Status(status)) => self.say(Said::Status(*status)).await?,
            Event::Reply(Reply::Lost(lost)) => self.say(Said::Lost { node, lost }).await?,
            Event::Reply(Reply::Unreadable(why)) => {
                let text = format!("an attempt is left out that this version cannot read: {why}");
                self.tell_of(&node, report::Event::Warning, &text, Map::new()).await?;
            }
            Event::Reply(Reply::Nothing) => {}
            Event::Failed(refusal) => {
                self.merger.input(Input::Closed(node.clone()), now);
                let first = self.cluster.is_none() && self.roster.is_trying();
                self.roster.reached(&node, Reached::No(refusal.to_string()));
                if first || self.cluster.is_none() && !refusal.may_pass() {
                    return Ok(Some(Error::Server {
                        address: node.to_string(),
                        refusal,
                    }));
                }
            }
            Event::Ended => self.merger.input(Input::Closed(node), now),
        }
        Ok(None)
    }

    /// States which nodes are seen, if that has changed and is known: at first when every agent has answered or `now_or_never`.
    async fn state(&mut self, now_or_never: bool) -> Result<Result<(), Error>, ReaderGone> {
        let before = self.roster.stated().cloned();
        if before.is_none() && self.roster.is_trying() && !now_or_never {
            return Ok(Ok(()));
        }
        let Some(statement) = self.roster.statement() else {
            return Ok(Ok(()));
        };
        if before.is_none() && statement.seen.is_empty() && !self.roster.is_trying() && self.cluster.is_some() {
            return Ok(Err(Error::NoneReached(statement.text(None)[1..].join("; "))));
        }
        // One agent is seen, or that is the error.
        if self.cluster.is_some() || before.is_some() {
            let lines = statement.text(before.as_ref());
            let fields = json!({ "seen": statement.seen, "unseen": statement.unseen });
            self.tell(report::Event::Nodes, &lines.join("; "), fields_of(fields))
                .await?;
        }
        Ok(Ok(()))
    }

    /// Whether everything was told that was asked for.
    fn complete(&self) -> Result<(), Error> {
        let failed = |(node, why): (&Str, &String)| format!("node {node}: {why}");
        let unseen: Vec<String> = self.roster.failed().map(failed).collect();
        if unseen.is_empty() {
            Ok(())
        } else {
            Err(Error::Incomplete(unseen.join("; ")))
        }
    }

    async fn tell(&self, event: report::Event, text: &str, fields: Map<String, Value>) -> Result<(), ReaderGone> {
        self.tell_of(&"".into(), event, text, fields).await
    }

    async fn tell_of(
        &self,
        node: &Str,
        event: report::Event,
        text: &str,
        fields: Map<String, Value>,
    ) -> Result<(), ReaderGone> {
        self.say(Said::Status(Status::new(today(), node, event, text, fields)))
            .await
    }

    async fn say(&self, said: Said) -> Result<(), ReaderGone> {
        self.out.send(said).await.map_err(|_| ReaderGone)
    }

    /// By the merger's clock, which never goes back.
    fn now(&self) -> Time {
        Time::BEGINNING + self.begun.elapsed()
    }
}

fn fields_of(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

fn today() -> Time {
    Time(u64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap_or_default())
}

async fn next_found(cluster: Option<&mut Cluster>) -> Found {
    match cluster {
        Some(cluster) => cluster.finder.next().await,
        None => pending().await,
    }
}

async fn sleep_or_never(until: Option<Instant>) {
    match until {
        Some(until) => sleep_until(until).await,
        None => pending().await,
    }
}
