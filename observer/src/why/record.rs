//! Answers as JSON. Fields are documented for users in `docs/json.md`, which a test holds against what is written here.

use serde::Serialize;

use super::ask::{Answer, Judged};
use crate::diagnosis::words;
use crate::report::{SCHEMA, VerdictRecord};

/// An answer.
#[derive(Clone, Debug, Serialize)]
pub struct AnswerRecord {
    /// [`SCHEMA`].
    pub schema: u32,
    /// `answer`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// What the policies say, as in the tail's records.
    pub verdict: VerdictRecord,
    /// Where several pods or backends are answered differently: each of them.
    pub each: Vec<EachRecord>,
    /// What the reader should know.
    pub notes: Vec<String>,
}

/// The answer for one source and one destination.
#[derive(Clone, Debug, Serialize)]
pub struct EachRecord {
    /// Who connects.
    pub source: String,
    /// To whom, with port and protocol.
    pub destination: String,
    /// What the policies say.
    pub verdict: VerdictRecord,
}

/// A query that cannot be answered.
#[derive(Clone, Debug, Serialize)]
pub struct ErrorRecord {
    /// [`SCHEMA`].
    pub schema: u32,
    /// `answer`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// What is wrong with it.
    pub error: String,
}

impl AnswerRecord {
    /// What JSON says of an answer.
    #[must_use]
    pub fn new(answer: &Answer) -> Self {
        let telling = answer.telling();
        let differs = !answer.agrees() || !answer.each.iter().all(Judged::backends_agree);
        let each = if differs {
            answer.each.iter().flat_map(parts).map(EachRecord::new).collect()
        } else {
            Vec::new()
        };
        let caveats = telling
            .verdict
            .caveats
            .iter()
            .map(|caveat| words::caveat(*caveat).into_owned());
        Self {
            schema: SCHEMA,
            kind: "answer",
            verdict: VerdictRecord::new(&telling.verdict),
            each,
            notes: answer.notes.iter().cloned().chain(caveats).collect(),
        }
    }

    /// One line.
    #[must_use]
    pub fn line(&self) -> String {
        crate::report::line(self)
    }
}

/// The backends where they differ, else itself.
fn parts(judged: &Judged) -> &[Judged] {
    if judged.backends_agree() {
        std::slice::from_ref(judged)
    } else {
        &judged.backends
    }
}

impl EachRecord {
    fn new(judged: &Judged) -> Self {
        Self {
            source: judged.source.clone(),
            destination: judged.destination.clone(),
            verdict: VerdictRecord::new(&judged.verdict),
        }
    }
}

impl ErrorRecord {
    /// What JSON says of a query that cannot be answered.
    #[must_use]
    pub fn new(error: &dyn std::fmt::Display) -> Self {
        Self {
            schema: SCHEMA,
            kind: "answer",
            error: error.to_string(),
        }
    }

    /// One line.
    #[must_use]
    pub fn line(&self) -> String {
        crate::report::line(self)
    }
}
