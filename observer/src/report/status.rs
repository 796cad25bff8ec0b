//! Records about the observer itself: coverage, warnings, losses.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::record::{RecordType, SCHEMA};
use crate::objects::Str;
use crate::time::Time;

/// What a status record is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// The observer began.
    Started,
    /// What is observed, and what is not; again whenever that changes.
    Coverage,
    /// Something is missing, and the observer goes on without it.
    Warning,
    /// Events or table entries were lost.
    Lost,
    /// What was counted so far that could not be used.
    Counters,
    /// The objects were read, or read again.
    Objects,
    /// Which nodes' agents are heard, and which not; from a tail of several nodes.
    Nodes,
    /// The last record: attempts by outcome and cause, and losses.
    Summary,
}

/// A record of `type` `status`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Status {
    schema: u32,
    #[serde(rename = "type")]
    kind: RecordType,
    time: Time,
    node: Str,
    event: Event,
    text: String,
    fields: Map<String, Value>,
}

impl Status {
    /// `text` is a sentence for people; `fields` say the same for programs, as each event needs it.
    #[must_use]
    pub fn new(time: Time, node: &Str, event: Event, text: impl Into<String>, fields: Map<String, Value>) -> Self {
        Self {
            schema: SCHEMA,
            kind: RecordType::Status,
            time,
            node: node.clone(),
            event,
            text: text.into(),
            fields,
        }
    }

    /// What it is about.
    #[must_use]
    pub fn event(&self) -> Event {
        self.event
    }

    /// Whose it is.
    #[must_use]
    pub fn node(&self) -> &Str {
        &self.node
    }

    /// The sentence, without control characters.
    #[must_use]
    pub fn text(&self) -> String {
        super::paint::clean(&self.text).into_owned()
    }

    /// The strings of a field that is a list of them.
    pub fn list(&self, field: &str) -> impl Iterator<Item = &str> {
        let list = self.fields.get(field).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_str)
    }

    /// One JSON object on one line.
    #[must_use]
    pub fn json(&self) -> String {
        super::line(self)
    }
}
