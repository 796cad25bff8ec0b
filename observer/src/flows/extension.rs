//! What a flow has no field for: the record, in the two forms in which clients can take it.
//!
//! Clients that decode an extension without knowing its type fail, as `hubble observe -o json` does. So the record goes as the
//! well-known `google.protobuf.Struct`, unless a client has shown that it knows our types by sending one.

use observer_api::attempt::v1::{Aside, Attempt, CaughtUp, Fact, NearestMiss, Owner, Stage, aside::Said};
use observer_api::flow::Flow;
use prost::Message;
use prost_types::{Any, ListValue, Struct, Value, value::Kind};

use super::is_provisional;
use super::told::{is_revision, timestamp};
use crate::attempt::Origin;
use crate::diagnosis::{Cause, Confidence};
use crate::remote::merge::Sighting;
use crate::report::{self, DirectionRecord, Record, Status};

const ATTEMPT: &str = "type.googleapis.com/attempt.v1.Attempt";
const ASIDE: &str = "type.googleapis.com/attempt.v1.Aside";
const STRUCT: &str = "type.googleapis.com/google.protobuf.Struct";

/// The name of the message of our filters, as it ends an extension's type.
pub const FILTER: &str = "attempt.v1.Filter";

/// The extension for a client that knows our types.
#[must_use]
pub fn attempt(record: &Record) -> Any {
    let word = |code: Option<&'static str>| code.unwrap_or_default().to_owned();
    let stage = match (is_provisional(record), is_revision(record)) {
        (true, _) => Stage::Provisional,
        (_, true) => Stage::Revision,
        _ => Stage::Final,
    };
    let attempt = Attempt {
        record: json(record),
        id: record.id.clone(),
        stage: stage as i32,
        outcome: record.outcome.code().to_owned(),
        origin: word(record.origin.map(Origin::code)),
        reach: record.reach.code().to_owned(),
        cause: word(record.cause.map(Cause::code)),
        confidence: word(record.confidence.map(Confidence::code)),
        decision: record.verdict.decision.code().to_owned(),
        nearest_misses: misses(&record.verdict.egress)
            .chain(misses(&record.verdict.ingress))
            .collect(),
        advice: record.advice.clone().unwrap_or_default(),
        evidence: record.evidence.iter().map(fact).collect(),
        syns: record.syns,
        handshake_us: record.handshake_us,
    };
    Any {
        type_url: ATTEMPT.to_owned(),
        value: attempt.encode_to_vec(),
    }
}

/// The extension for every other client.
#[must_use]
pub fn any_client(record: &Record) -> Any {
    let value = match serde_json::to_value(record) {
        Ok(serde_json::Value::Object(fields)) => structure(fields).encode_to_vec(),
        // A record is an object, and has no keys that are no strings.
        _ => Vec::new(),
    };
    Any {
        type_url: STRUCT.to_owned(),
        value,
    }
}

/// A flow that is none: what the agent says of itself.
#[must_use]
pub fn status(status: &Status) -> Flow {
    aside(Said::Status(status.json().trim_end().into()))
}

/// A flow that is none: the past has been told.
#[must_use]
pub fn caught_up() -> Flow {
    aside(Said::CaughtUp(CaughtUp {}))
}

/// A flow that is none: an attempt that is left out and that another node's record may be joined to. `None` where the record cannot
/// own another: its source was not observed here, or its destination was.
#[must_use]
pub fn owner(record: &Record) -> Option<Flow> {
    let seen = Sighting::of(record, record.node.clone());
    if !record.source_observed || seen.saw_destination || is_revision(record) {
        return None;
    }
    Some(aside(Said::Owner(Owner {
        id: seen.id,
        isn: seen.isn,
        time: Some(timestamp(seen.first)),
        client: seen.client.to_string(),
        server: seen.server.to_string(),
        backend: seen.backend.map(|backend| backend.to_string()).unwrap_or_default(),
        translated: seen.translated,
    })))
}

fn aside(said: Said) -> Flow {
    let aside = Aside { said: Some(said) };
    Flow {
        extensions: Some(Any {
            type_url: ASIDE.to_owned(),
            value: aside.encode_to_vec(),
        }),
        ..Flow::default()
    }
}

fn json(record: &Record) -> Vec<u8> {
    // As `any_client` says, it cannot fail.
    serde_json::to_vec(record).unwrap_or_default()
}

fn misses(direction: &DirectionRecord) -> impl Iterator<Item = NearestMiss> {
    direction.nearest.iter().map(|miss| NearestMiss {
        policy: miss.rule.policy.clone(),
        direction: miss.rule.direction.to_string(),
        rule: miss.rule.number,
        unmet: miss.unmet.iter().map(fact).collect(),
        change: miss.change.clone(),
    })
}

fn fact(fact: &report::Fact) -> Fact {
    Fact {
        kind: fact.kind.to_string(),
        text: fact.text.clone(),
    }
}

fn structure(fields: serde_json::Map<String, serde_json::Value>) -> Struct {
    Struct {
        fields: fields.into_iter().map(|(key, value)| (key, of_json(value))).collect(),
    }
}

/// Numbers become floating point, as in JSON itself; the record's are exact in it.
fn of_json(value: serde_json::Value) -> Value {
    let kind = match value {
        serde_json::Value::Null => Kind::NullValue(0),
        serde_json::Value::Bool(value) => Kind::BoolValue(value),
        serde_json::Value::Number(value) => Kind::NumberValue(value.as_f64().unwrap_or_default()),
        serde_json::Value::String(value) => Kind::StringValue(value),
        serde_json::Value::Array(values) => Kind::ListValue(ListValue {
            values: values.into_iter().map(of_json).collect(),
        }),
        serde_json::Value::Object(fields) => Kind::StructValue(structure(fields)),
    };
    Value { kind: Some(kind) }
}
