//! What an agent says, read.

use observer_api::attempt::v1::aside::Said as Aside;
use observer_api::attempt::v1::{self as attempt};
use observer_api::flow::LostEventSource;
use observer_api::observer::GetFlowsResponse;
use observer_api::observer::get_flows_response::ResponseTypes;
use observer_api::relay::NodeState;
use prost::Message as _;
use prost_types::{Any, Timestamp};

use super::error::Refusal;
use super::merge::{Input, Sighting};
use crate::objects::Str;
use crate::report::{Record, Status};
use crate::time::Time;

/// What an agent says.
#[derive(Debug)]
pub(super) enum Reply {
    /// For the merger.
    Input(Input),
    /// About the agent itself.
    Status(Box<Status>),
    /// Something is not told.
    Lost(Lost),
    /// Something that this version cannot read: why.
    Unreadable(String),
    /// Nothing that matters here.
    Nothing,
}

/// What was lost of what an agent had to tell.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Lost {
    /// Events, between the kernel and the agent: how many, where the agent may tell that.
    Events(Option<u64>),
    /// So many messages, between the agent and here: they were not read in time.
    Messages(u64),
}

/// Of an attempt only the record: what else there is says the same.
#[derive(Clone, PartialEq, prost::Message)]
struct OnlyRecord {
    #[prost(bytes = "vec", tag = "1")]
    record: Vec<u8>,
}

/// Reads what the agent of `node` said.
///
/// # Errors
///
/// It says good-bye, or it is no agent.
pub(super) fn read(response: GetFlowsResponse, node: &Str) -> Result<Reply, Refusal> {
    match response.response_types {
        Some(ResponseTypes::Flow(flow)) => {
            let extension = flow.extensions.ok_or(Refusal::NotAnAgent)?;
            Ok(read_extension(&extension, response.time, node)?
                .unwrap_or_else(|error| Reply::Unreadable(error.to_string())))
        }
        Some(ResponseTypes::LostEvents(lost)) => Ok(Reply::Lost(match (lost.source(), lost.num_events_lost) {
            (LostEventSource::HubbleRingBuffer, count) => Lost::Messages(count),
            // There was at least something.
            (_, 0) => Lost::Events(None),
            (_, count) => Lost::Events(Some(count)),
        })),
        Some(ResponseTypes::NodeStatus(status)) if status.state_change() == NodeState::NodeGone => {
            Err(Refusal::Stopped)
        }
        Some(ResponseTypes::NodeStatus(_)) | None => Ok(Reply::Nothing),
    }
}

type Read = Result<Reply, Box<dyn std::error::Error>>;

fn read_extension(extension: &Any, time: Option<Timestamp>, node: &Str) -> Result<Read, Refusal> {
    let kind = extension.type_url.rsplit('/').next().unwrap_or_default();
    match kind {
        "attempt.v1.Attempt" => Ok(read_attempt(extension, node)),
        "attempt.v1.Aside" => Ok(read_aside(extension, time, node)),
        _ => Err(Refusal::NotAnAgent),
    }
}

fn read_attempt(extension: &Any, node: &Str) -> Read {
    let attempt = OnlyRecord::decode(extension.value.as_slice())?;
    let record: Record = serde_json::from_slice(&attempt.record)?;
    Ok(Reply::Input(Input::Record(node.clone(), Box::new(record))))
}

fn read_aside(extension: &Any, time: Option<Timestamp>, node: &Str) -> Read {
    let aside = attempt::Aside::decode(extension.value.as_slice())?;
    Ok(match aside.said {
        Some(Aside::Owner(owner)) => Reply::Input(Input::Owner(sighting(owner, node)?)),
        Some(Aside::Status(json)) => Reply::Status(Box::new(serde_json::from_slice(&json)?)),
        Some(Aside::CaughtUp(_)) => Reply::Input(Input::CaughtUp(node.clone(), at(time))),
        None => Reply::Nothing,
    })
}

fn sighting(owner: attempt::Owner, node: &Str) -> Result<Sighting, std::net::AddrParseError> {
    Ok(Sighting {
        node: node.clone(),
        id: owner.id,
        isn: owner.isn,
        first: at(owner.time),
        client: owner.client.parse()?,
        server: owner.server.parse()?,
        backend: if owner.backend.is_empty() {
            None
        } else {
            Some(owner.backend.parse()?)
        },
        translated: owner.translated,
        saw_destination: false,
    })
}

/// The beginning where there is none: then nothing is concluded from it.
pub(super) fn at(time: Option<Timestamp>) -> Time {
    let time = time.unwrap_or_default();
    let seconds = u64::try_from(time.seconds).unwrap_or_default();
    let nanoseconds = u64::try_from(time.nanos).unwrap_or_default();
    Time(seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds))
}

#[cfg(test)]
mod tests {
    use observer_api::flow::LostEvent;

    use super::*;

    #[test]
    fn what_was_lost_and_where() {
        let lost = |source: LostEventSource, count| {
            let lost = LostEvent {
                source: source as i32,
                num_events_lost: count,
                ..LostEvent::default()
            };
            let response = GetFlowsResponse {
                response_types: Some(ResponseTypes::LostEvents(lost)),
                ..GetFlowsResponse::default()
            };
            match read(response, &"a".into()) {
                Ok(Reply::Lost(lost)) => lost,
                other => panic!("{other:?}"),
            }
        };
        let (kernel, reader) = (LostEventSource::PerfEventRingBuffer, LostEventSource::HubbleRingBuffer);
        assert_eq!(lost(kernel, 7), Lost::Events(Some(7)));
        assert_eq!(lost(kernel, 0), Lost::Events(None), "the agent may not say how many");
        assert_eq!(lost(reader, 7), Lost::Messages(7));
    }
}
