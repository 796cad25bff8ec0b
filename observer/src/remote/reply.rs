//! What an agent says, read.

use observer_api::attempt::v1::aside::Said as Aside;
use observer_api::attempt::v1::{self as attempt};
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
    /// Events were lost: so many are not told.
    Lost(u64),
    /// Something that this version cannot read: why.
    Unreadable(String),
    /// Nothing that matters here.
    Nothing,
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
        Some(ResponseTypes::LostEvents(lost)) => Ok(Reply::Lost(lost.num_events_lost)),
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
