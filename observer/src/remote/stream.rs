//! One agent's stream: connects, asks, and takes it up again where it broke.

use std::time::Duration;

use observer_api::observer::ServerStatusRequest;
use observer_api::observer::observer_client::ObserverClient;
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;
use tonic::transport::ClientTlsConfig;

use super::dial::{Dialled, Way, dial};
use super::error::Refusal;
use super::merge::Input;
use super::reply::{self, Reply};
use super::request::{Ask, Resume};
use crate::objects::Str;
use crate::time::Time;

/// The pause before a connection is tried again: doubled each time.
const PAUSES: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(15));

/// A stream that broke is taken up again at so much before its latest record: an agent tells what it decides at one time in any order.
const OVERLAP: Duration = Duration::from_millis(500);

/// What happens on a stream.
#[derive(Debug)]
pub(super) enum Event {
    /// The agent answers.
    Opened,
    /// Which version it is.
    Version(String),
    /// It said something.
    Reply(Reply),
    /// It cannot be reached, or no longer; it is tried again if that may help.
    Failed(Refusal),
    /// It told everything that was asked for.
    Ended,
}

/// One agent's stream.
pub(super) struct Stream {
    /// What it is called here: its node, or its address.
    pub(super) name: Str,
    pub(super) way: Way,
    pub(super) tls: Option<ClientTlsConfig>,
    pub(super) ask: Ask,
    /// Where events go.
    pub(super) events: mpsc::Sender<(Str, Event)>,
    /// Whether more is wanted now.
    pub(super) wanted: watch::Receiver<bool>,
}

/// What an agent told, over all connections.
#[derive(Clone, Copy, Debug, Default)]
struct Told {
    /// Where to go on; `None`: at the beginning.
    resume: Option<Resume>,
    /// When the agent looked at the past that it is telling, by its clock; `None` when that is told.
    past: Option<Time>,
}

/// Nobody listens any more.
struct NobodyListens;

/// Why a stream ended.
enum End {
    Told,
    Refused(Refusal),
}

impl From<Refusal> for End {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl Stream {
    /// Runs until everything was told, or for ever.
    pub(super) async fn run(mut self) {
        let mut pause = PAUSES.0;
        let mut told = Told::default();
        loop {
            let before = told;
            let Ok(end) = self.once(&mut told).await else {
                return;
            };
            let again = match end {
                End::Told if !self.ask.follow => return drop(self.say(Event::Ended).await),
                End::Told => Refusal::Stopped,
                End::Refused(refusal) => refusal,
            };
            if told.resume != before.resume {
                pause = PAUSES.0;
            }
            // Where nothing is followed a stream that broke is not made whole by asking again: half of it was told.
            let hopeless = !self.ask.follow;
            if !again.may_pass() {
                pause = PAUSES.1;
            }
            if self.say(Event::Failed(again)).await.is_err() || hopeless {
                return;
            }
            sleep(pause).await;
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    async fn say(&self, event: Event) -> Result<(), NobodyListens> {
        let said = self.events.send((self.name.clone(), event)).await;
        said.map_err(|_| NobodyListens)
    }

    /// One connection.
    async fn once(&mut self, told: &mut Told) -> Result<End, NobodyListens> {
        let mut dialled = match dial(&self.way, self.tls.as_ref()).await {
            Ok(dialled) => dialled,
            Err(refusal) => return Ok(refusal.into()),
        };
        let mut client = ObserverClient::new(dialled.channel.clone());
        let request = self.ask.request(told.resume());
        let mut flows = match client.get_flows(request).await {
            Ok(flows) => flows.into_inner(),
            Err(status) => return Ok(refused(&mut dialled, &status, false, self.tls.is_some()).await),
        };
        self.say(Event::Opened).await?;
        // Its version matters for people only: that it does not say it is no failure.
        if let Ok(status) = client.server_status(ServerStatusRequest {}).await {
            self.say(Event::Version(status.into_inner().version)).await?;
        }
        let mut silent = true;
        loop {
            // Its sender lives as long as the session.
            if self.wanted.wait_for(|wanted| *wanted).await.is_err() {
                return Err(NobodyListens);
            }
            let response = match flows.message().await {
                Ok(Some(response)) => response,
                Ok(None) => return Ok(End::Told),
                Err(status) => return Ok(refused(&mut dialled, &status, true, self.tls.is_some()).await),
            };
            if std::mem::take(&mut silent) {
                told.past = Some(reply::at(response.time));
            }
            match reply::read(response, &self.name) {
                Ok(Reply::Nothing) => {}
                Ok(reply) => {
                    told.take(&reply);
                    self.say(Event::Reply(reply)).await?;
                }
                Err(refusal) => return Ok(refusal.into()),
            }
        }
    }
}

impl Told {
    fn take(&mut self, reply: &Reply) {
        match reply {
            Reply::Input(Input::Record(_, record)) => {
                let live = self
                    .resume
                    .map_or(record.decided, |resume| resume.decided.max(record.decided));
                self.resume = Some(match self.past {
                    // It comes by first SYN. What was decided after it was looked at is not among it, whenever it began.
                    Some(looked) => Resume {
                        decided: looked,
                        first: Some(record.time),
                    },
                    None => Resume {
                        decided: live,
                        first: None,
                    },
                });
            }
            Reply::Input(Input::CaughtUp(_, at)) => {
                let decided = self.past.take().unwrap_or(Time::BEGINNING).max(*at);
                self.resume = Some(Resume { decided, first: None });
            }
            _ => {}
        }
    }

    fn resume(&self) -> Option<Resume> {
        self.resume.map(|Resume { decided, first }| Resume {
            decided: decided - OVERLAP,
            first,
        })
    }
}

async fn refused(dialled: &mut Dialled, status: &tonic::Status, begun: bool, tls: bool) -> End {
    let said = dialled.last_words().await;
    Refusal::of_status(status, begun, tls).with_last_words(said).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::diagnose;
    use crate::diagnosis::tests::build::{Build, FIRST};
    use crate::report::Record;

    fn at(seconds: u64) -> Time {
        FIRST + Duration::from_secs(seconds)
    }

    /// An attempt that began at this second and was decided at that.
    fn attempt(began: u64, decided: u64) -> Reply {
        let Build(assessment) = Build::new().with(|all| {
            all.attempt.first = at(began);
            all.attempt.decided = at(decided);
        });
        let record = Record::new(&assessment, &diagnose(&assessment), &"a".into());
        Reply::Input(Input::Record("a".into(), Box::new(record)))
    }

    fn caught_up(seconds: u64) -> Reply {
        Reply::Input(Input::CaughtUp("a".into(), at(seconds)))
    }

    /// Where it goes on after these replies on a connection that began at second 100.
    fn resume(replies: &[Reply]) -> Option<Resume> {
        let mut told = Told {
            resume: None,
            past: Some(at(100)),
        };
        replies.iter().for_each(|reply| told.take(reply));
        told.resume()
    }

    #[test]
    fn a_stream_goes_on_where_it_broke() {
        let decided = |seconds, first| {
            let decided = at(seconds) - OVERLAP;
            Some(Resume { decided, first })
        };
        let cases: [(&str, &[Reply], Option<Resume>); 5] = [
            ("nothing was told", &[], None),
            (
                "in the past",
                &[attempt(10, 90), attempt(20, 21)],
                decided(100, Some(at(20))),
            ),
            ("after the past", &[attempt(10, 90), caught_up(101)], decided(101, None)),
            (
                "in what happens",
                &[attempt(10, 90), caught_up(101), attempt(95, 105), attempt(102, 103)],
                decided(105, None),
            ),
            ("nothing is known of its clock", &[caught_up(0)], decided(100, None)),
        ];
        for (what, replies, expect) in cases {
            assert_eq!(resume(replies), expect, "{what}");
        }
    }
}
