//! `-o compact`: one line for an attempt that went well, three at most for any other.

use anstyle::Style;

use super::names;
use super::paint::{self, Look};
use super::record::{Record, RecordType};
use crate::attempt::Outcome;
use crate::diagnosis::Cause;

/// The longest outcome.
const OUTCOME_WIDTH: usize = 11;
/// Under the endpoints: time of day, outcome and the spaces between begin here.
const INDENT: &str = "              ";
/// The first reasons carry the cause; `dict` and JSON tell all.
pub(super) const REASONS_SHOWN: usize = 2;

/// The entry, with a final line end.
pub(super) fn entry(record: &Record, look: &Look) -> String {
    let mut text = format!(
        "{}  {} {} → {}   {}",
        super::time_of_day(record.time, look),
        look.cell(paint::outcome(record.outcome), record.outcome.code(), OUTCOME_WIDTH),
        paint::clean(&names::source(record)),
        paint::clean(&names::destination(&record.destination)),
        paint::clean(&record.wire),
    );
    if record.kind == RecordType::Revision {
        text.push_str(" (corrected)");
    }
    let (Some(cause), Some(confidence)) = (record.cause, record.confidence) else {
        text.push('\n');
        return text;
    };
    let label = look.paint(paint::cause(cause), cause.code());
    // That it connected is all that matters then; the cause is only that the policies' answer is open.
    if record.outcome == Outcome::Connected && cause == Cause::Undecidable {
        text.push_str(&format!("   {}\n", look.paint(Style::new().dimmed(), &open(record))));
        return text;
    }
    let sure = match cause {
        Cause::Undecidable => String::new(),
        _ => format!(", {}", look.paint(paint::confidence(confidence), confidence.code())),
    };
    let reasons = sentences(&record.reasons[..record.reasons.len().min(REASONS_SHOWN)]);
    text.push_str(&format!("\n{INDENT}{label}{sure}: {}\n", paint::clean(&reasons)));
    if let Some(advice) = &record.advice {
        text.push_str(&format!("{INDENT}{}\n", paint::clean(advice)));
    }
    text
}

/// `policies: undecidable (host-network)`.
fn open(record: &Record) -> String {
    let verdict = &record.verdict;
    let mut codes: Vec<&str> = [&verdict.egress, &verdict.ingress]
        .into_iter()
        .filter_map(|direction| direction.undecidable.as_deref())
        .collect();
    codes.dedup();
    format!("policies: undecidable ({})", codes.join(", "))
}

/// Clauses as sentences. A clause that begins with a name keeps its first letter.
pub(super) fn sentences(clauses: &[String]) -> String {
    let mut text = String::new();
    for (index, clause) in clauses.iter().enumerate() {
        let first = clause.split(' ').next().unwrap_or_default();
        let is_word = first
            .trim_end_matches([':', ','])
            .chars()
            .all(|c| c.is_ascii_lowercase());
        let mut chars = clause.chars();
        match chars.next() {
            Some(letter) if index > 0 && is_word => {
                text.push(' ');
                text.push(letter.to_ascii_uppercase());
                text.push_str(chars.as_str());
            }
            _ => {
                if index > 0 {
                    text.push(' ');
                }
                text.push_str(clause);
            }
        }
        text.push('.');
    }
    text
}
