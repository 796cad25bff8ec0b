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
use super::request::Ask;
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
        let mut told = None;
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
            if told != before {
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

    /// One connection. `told` is until when the agent told everything.
    async fn once(&mut self, told: &mut Option<Time>) -> Result<End, NobodyListens> {
        let mut dialled = match dial(&self.way, self.tls.as_ref()).await {
            Ok(dialled) => dialled,
            Err(refusal) => return Ok(refusal.into()),
        };
        let mut client = ObserverClient::new(dialled.channel.clone());
        let request = self.ask.request(told.map(|told| told - OVERLAP));
        let mut flows = match client.get_flows(request).await {
            Ok(flows) => flows.into_inner(),
            Err(status) => return Ok(refused(&mut dialled, &status, false, self.tls.is_some()).await),
        };
        self.say(Event::Opened).await?;
        // Its version matters for people only: that it does not say it is no failure.
        if let Ok(status) = client.server_status(ServerStatusRequest {}).await {
            self.say(Event::Version(status.into_inner().version)).await?;
        }
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
            match reply::read(response, &self.name) {
                Ok(Reply::Nothing) => {}
                Ok(reply) => {
                    *told = (*told).max(until(&reply));
                    self.say(Event::Reply(reply)).await?;
                }
                Err(refusal) => return Ok(refusal.into()),
            }
        }
    }
}

/// Until when the agent told everything, if the reply says so.
fn until(reply: &Reply) -> Option<Time> {
    match reply {
        Reply::Input(Input::Record(_, record)) => Some(record.decided),
        Reply::Input(Input::CaughtUp(_, at)) => Some(*at).filter(|at| *at > Time::BEGINNING),
        _ => None,
    }
}

async fn refused(dialled: &mut Dialled, status: &tonic::Status, begun: bool, tls: bool) -> End {
    let said = dialled.last_words().await;
    Refusal::of_status(status, begun, tls).with_last_words(said).into()
}
