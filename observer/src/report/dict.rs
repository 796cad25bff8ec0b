//! `-o dict`: everything that is known of an attempt, a key and a value on each line.

use std::fmt::Write as _;

use super::names;
use super::paint::{self, Look};
use super::record::{DirectionRecord, Record};

/// The longest key.
const KEY_WIDTH: usize = 12;

/// The block, with a separator before it unless it is the first.
pub(super) fn entry(record: &Record, look: &Look, first: bool) -> String {
    let mut block = Block(String::new());
    if !first {
        block.0.push_str("------------\n");
    }
    block.put("TIME", &record.time.to_string());
    block.put("ID", &record.id);
    block.put("NODE", &record.node);
    block.put(
        "SOURCE",
        &format!(
            "{} ({}:{})",
            names::source(record),
            record.source.ip,
            record.source.port
        ),
    );
    let to = &record.destination;
    block.put(
        "DESTINATION",
        &format!("{} ({}:{})", names::destination(to), to.party.ip, to.party.port),
    );
    block.paint(
        "OUTCOME",
        &look.paint(paint::outcome(record.outcome), record.outcome.code()),
    );
    block.put("ORIGIN", record.origin.map_or("-", |origin| origin.code()));
    block.put("REACH", record.reach.code());
    block.put("WIRE", &record.wire);
    block.put("EGRESS", &direction(&record.verdict.egress));
    block.put("INGRESS", &direction(&record.verdict.ingress));
    if let (Some(cause), Some(confidence)) = (record.cause, record.confidence) {
        block.paint("CAUSE", &look.paint(paint::cause(cause), cause.code()));
        block.paint(
            "CONFIDENCE",
            &look.paint(paint::confidence(confidence), confidence.code()),
        );
    }
    for reason in &record.reasons {
        block.put("REASON", reason);
    }
    if let Some(advice) = &record.advice {
        block.put("ADVICE", advice);
    }
    for fact in &record.evidence {
        block.put("EVIDENCE", &format!("{}: {}", fact.kind, fact.text));
    }
    block.0
}

struct Block(String);

impl Block {
    fn put(&mut self, key: &str, value: &str) {
        self.paint(key, &paint::clean(value));
    }

    /// A value that was cleaned and painted before.
    fn paint(&mut self, key: &str, value: &str) {
        let _ = writeln!(self.0, "{key:>KEY_WIDTH$}: {value}");
    }
}

fn direction(verdict: &DirectionRecord) -> String {
    let code = verdict.decision.code();
    match (&verdict.rule, &verdict.undecidable, verdict.policies.as_slice()) {
        (Some(rule), _, _) => format!("{code} by rule {} of {}", rule.number, rule.policy),
        (None, Some(reason), _) => format!("{code} ({reason})"),
        (None, None, []) => code.into(),
        (None, None, policies) => format!("{code} by {}", policies.join(", ")),
    }
}
