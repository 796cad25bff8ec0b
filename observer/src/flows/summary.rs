//! An attempt in a few words: what `hubble observe` prints in parentheses at the end of its line.

use super::is_provisional;
use super::told::is_revision;
use crate::attempt::Outcome;
use crate::diagnosis::Cause;
use crate::policy::Decision;
use crate::report::Record;

/// More policies than this are only counted.
const POLICIES_SHOWN: usize = 3;

/// Outcome, cause, confidence, the policies that deny it, and the Service that was dialled.
pub(super) fn line(record: &Record) -> String {
    let mut text = record.outcome.code().to_owned();
    if let (Outcome::Connected, Some(micros)) = (record.outcome, record.handshake_us) {
        text.push_str(&format!(" in {}.{:03} ms", micros / 1000, micros % 1000));
    }
    if is_provisional(record) {
        text.push_str(" so far");
    }
    if is_revision(record) {
        text.push_str(", corrected");
    }
    if let (Some(cause), Some(confidence)) = (record.cause, record.confidence) {
        text.push_str(&format!(": {}", cause.code()));
        if cause != Cause::Undecidable {
            text.push_str(&format!(", {}", confidence.code()));
        }
    }
    let names = denying(record);
    if !names.is_empty() {
        let shown = names.len().min(POLICIES_SHOWN);
        text.push_str(&format!(", denied by {}", names[..shown].join(", ")));
        if names.len() > shown {
            text.push_str(&format!(" and {} more", names.len() - shown));
        }
    }
    if let Some(service) = &record.destination.service {
        text.push_str(&format!(
            "; svc {}/{}:{}",
            service.namespace, service.name, service.port
        ));
    }
    text
}

/// The policies that deny the attempt: those whose rules came nearest to allowing it first, each once.
fn denying(record: &Record) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    let denied = [&record.verdict.egress, &record.verdict.ingress];
    for direction in denied
        .into_iter()
        .filter(|direction| direction.decision == Decision::Denied)
    {
        let nearest = direction.nearest.iter().map(|miss| miss.rule.policy.as_str());
        for name in nearest.chain(direction.policies.iter().map(String::as_str)) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    names
}
