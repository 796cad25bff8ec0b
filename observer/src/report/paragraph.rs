//! An attempt in a few sentences of one line, for places that have no columns.

use super::compact::{REASONS_SHOWN, sentences};
use super::names;
use super::paint::clean;
use super::record::Record;

/// As `-o compact`, without the time and who dialled: where to, how it ended, why, and what to do.
#[must_use]
pub fn paragraph(record: &Record) -> String {
    let mut text = format!(
        "{} to {}: {}.",
        record.outcome.code(),
        names::destination(&record.destination),
        record.wire
    );
    if let (Some(cause), Some(confidence)) = (record.cause, record.confidence) {
        let reasons = sentences(&record.reasons[..record.reasons.len().min(REASONS_SHOWN)]);
        text.push_str(&format!(" {}, {}: {reasons}", cause.code(), confidence.code()));
    }
    if let Some(advice) = &record.advice {
        text.push(' ');
        text.push_str(advice);
    }
    clean(&text).into_owned()
}
