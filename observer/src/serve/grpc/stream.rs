//! The answer to GetFlows: the past, then what comes, one message at a time and only when the client takes it.
//!
//! Of the past it keeps where it is, not what it is: a client that pauses there holds no record, and loses what the ring gives up.

use std::collections::VecDeque;
use std::time::Duration;
use std::vec;

use futures_util::stream::{self, Stream};
use observer_api::flow::{Flow, LostEvent, LostEventSource};
use observer_api::observer::GetFlowsResponse;
use observer_api::observer::get_flows_response::ResponseTypes;
use observer_api::relay::{NodeState, NodeStatusEvent};
use tokio::sync::OwnedSemaphorePermit;
use tonic::Status;

use super::asked::Asked;
use crate::flows::{self, Place, Placed, Query, Take, extension};
use crate::objects::Str;
use crate::report::Record;
use crate::serve::hub::{Hub, Message, Next, Past, Reader, now};
use crate::time::Time;

/// What two nodes saw of one attempt is decided at most so far apart.
const JOINED_WITHIN: Duration = Duration::from_secs(30);

/// A client's stream.
struct Told {
    hub: Hub,
    node: Str,
    asked: Asked,
    /// To be told before anything else.
    first: VecDeque<Result<GetFlowsResponse, Status>>,
    past: vec::IntoIter<Place>,
    /// What comes; `None` where it is not asked for, and after the end.
    live: Option<Reader>,
    /// The past was not told to its end.
    in_the_past: bool,
    _place: OwnedSemaphorePermit,
}

/// What is told to a client, until it ends.
pub(super) fn tell(
    hub: &Hub,
    asked: Asked,
    place: OwnedSemaphorePermit,
) -> impl Stream<Item = Result<GetFlowsResponse, Status>> + use<> {
    let (Past { records, coverage }, live) = hub.read();
    let node = hub.node().clone();
    let mut first = VecDeque::new();
    first.push_back(Ok(connected(&node)));
    if asked.asides {
        let statuses = coverage.iter().map(|status| extension::status(status));
        first.extend(
            statuses
                .chain(owners(&asked, &records))
                .map(|flow| Ok(response(&node, now(), flow))),
        );
    }
    let past = asked.query.choose(records, |record| asked.wants(record));
    let past: Vec<Place> = past.into_iter().map(|placed| placed.place).collect();
    let told = Told {
        hub: hub.clone(),
        node,
        first,
        past: past.into_iter(),
        live: asked.follow.then_some(live),
        in_the_past: true,
        asked,
        _place: place,
    };
    stream::unfold(told, |mut told| async { told.next().await.map(|next| (next, told)) })
}

/// The owners that the filters leave out of the past. Where none of it is asked for, what comes may still belong to those of the last
/// moments.
fn owners(asked: &Asked, records: &[Placed]) -> Vec<Flow> {
    let mut query = Query {
        provisional: true,
        ..asked.query
    };
    if query.take == Take::Last(0) {
        query.decided_since = Some(now() - JOINED_WITHIN);
    }
    let left_out = records
        .iter()
        .map(|placed| &*placed.record)
        .filter(|record| query.covers(record) && !asked.wants(record));
    left_out.filter_map(extension::owner).collect()
}

impl Told {
    async fn next(&mut self) -> Option<Result<GetFlowsResponse, Status>> {
        if let Some(first) = self.first.pop_front() {
            return Some(first);
        }
        if let Some(past) = self.past() {
            return Some(Ok(past));
        }
        if std::mem::take(&mut self.in_the_past) && self.asked.asides {
            return Some(Ok(response(&self.node, now(), extension::caught_up())));
        }
        loop {
            let next = self.live.as_mut()?.next().await;
            if let Some(told) = self.live(next) {
                return Some(told);
            }
        }
    }

    /// The next of the past; what the ring gave up meanwhile is counted before it.
    fn past(&mut self) -> Option<GetFlowsResponse> {
        let mut lost = 0;
        let mut found = None;
        while found.is_none() {
            let Some(place) = self.past.next() else { break };
            found = self.hub.again(&place).filter(|record| self.asked.wants(record));
            // What was not decided then is not lost: when it is, that comes.
            lost += u64::from(found.is_none() && matches!(place, Place::Decided(_)));
        }
        let told = found.map(|record| self.record(&record));
        if lost == 0 {
            return told;
        }
        self.hub.lose(lost);
        self.first.extend(told.map(Ok));
        Some(self.lost(LostEventSource::HubbleRingBuffer, lost))
    }

    /// What is told of something new; `None`: nothing.
    fn live(&mut self, next: Next) -> Option<Result<GetFlowsResponse, Status>> {
        match next {
            Next::Lagged(count) => Some(Ok(self.lost(LostEventSource::HubbleRingBuffer, count))),
            // Without a number there was at least something.
            Next::Message(Message::KernelLost(count)) => Some(Ok(
                self.lost(LostEventSource::PerfEventRingBuffer, count.unwrap_or_default())
            )),
            Next::Message(Message::Record(record)) => {
                if !self.asked.wants(&record) {
                    let owner = extension::owner(&record).filter(|_| self.asked.asides)?;
                    return Some(Ok(response(&self.node, record.time, owner)));
                }
                self.asked.query.covers(&record).then(|| Ok(self.record(&record)))
            }
            Next::Message(Message::Status(status)) => {
                let flow = self.asked.asides.then(|| extension::status(&status))?;
                Some(Ok(response(&self.node, now(), flow)))
            }
            Next::Message(Message::Stopped) => {
                self.live = None;
                let text = format!("the agent on {} stops: connect again in a moment", self.node);
                self.first.push_back(Err(Status::unavailable(text.clone())));
                Some(Ok(node_status(&self.node, NodeState::NodeGone, text)))
            }
        }
    }

    fn record(&self, record: &Record) -> GetFlowsResponse {
        let mut flow = flows::flow(record, &self.asked.mask);
        if self.asked.mask.wants("extensions") {
            flow.extensions = Some(match self.asked.ours {
                true => extension::attempt(record),
                false => extension::any_client(record),
            });
        }
        response(&self.node, record.time, flow)
    }

    fn lost(&self, source: LostEventSource, count: u64) -> GetFlowsResponse {
        let lost = LostEvent {
            source: source as i32,
            num_events_lost: count,
            ..LostEvent::default()
        };
        of(&self.node, now(), ResponseTypes::LostEvents(lost))
    }
}

fn connected(node: &Str) -> GetFlowsResponse {
    node_status(node, NodeState::NodeConnected, String::new())
}

fn node_status(node: &Str, state: NodeState, message: String) -> GetFlowsResponse {
    let status = NodeStatusEvent {
        state_change: state as i32,
        node_names: vec![node.to_string()],
        message,
    };
    of(node, now(), ResponseTypes::NodeStatus(status))
}

fn response(node: &Str, time: Time, flow: Flow) -> GetFlowsResponse {
    of(node, time, ResponseTypes::Flow(Box::new(flow)))
}

fn of(node: &Str, time: Time, what: ResponseTypes) -> GetFlowsResponse {
    GetFlowsResponse {
        node_name: node.to_string(),
        time: Some(flows::timestamp(time)),
        response_types: Some(what),
    }
}
