//! An answer as a person reads it, in the words of the tail.

use super::ask::{Answer, Judged};
use crate::diagnosis::{misses, open_answer, words};
use crate::policy::{Decision, Direction, DirectionVerdict, PolicyChangeKind, first_rule};
use crate::report::clean;

/// So many misses of one direction are shown; JSON has all.
const MISSES_SHOWN: usize = 3;

/// The whole text, with a final line end.
#[must_use]
pub fn text(answer: &Answer) -> String {
    let mut lines = Vec::new();
    if answer.agrees() && answer.pairs > 1 {
        let first = &answer.each[0];
        lines.push(format!(
            "{}: the same for all {} pairs of pods, such as",
            answer.decision().code(),
            answer.pairs
        ));
        judged(first, &mut lines);
    } else {
        for one in &answer.each {
            judged(one, &mut lines);
        }
    }
    lines.extend(answer.notes.iter().map(|note| format!("  note     {note}")));
    let mut text = String::new();
    for line in lines {
        text.push_str(&clean(&line));
        text.push('\n');
    }
    text
}

fn judged(one: &Judged, lines: &mut Vec<String>) {
    lines.push(format!(
        "{} → {}: {}",
        one.source,
        one.destination,
        one.verdict.decision.code()
    ));
    if !one.backends_agree() {
        lines.push("  its backends are answered differently".into());
        let mut inner = Vec::new();
        for backend in &one.backends {
            judged(backend, &mut inner);
        }
        lines.extend(inner.into_iter().map(|line| format!("  {line}")));
        return;
    }
    for (way, verdict) in [
        (Direction::Egress, &one.verdict.egress),
        (Direction::Ingress, &one.verdict.ingress),
    ] {
        direction(one, way, verdict, lines);
    }
    for caveat in &one.verdict.caveats {
        lines.push(format!("  caveat   {}", words::caveat(*caveat)));
    }
    if let Some(question) = &one.question {
        for change in &one.verdict.changes {
            let what = match change.what {
                PolicyChangeKind::Created => "created",
                PolicyChangeKind::Changed => "changed",
                PolicyChangeKind::Deleted => "deleted",
            };
            let ago = words::span(question.at.since(change.at));
            lines.push(format!("  change   policy {} was {what} {ago} before", change.policy));
        }
    }
}

fn direction(one: &Judged, way: Direction, verdict: &DirectionVerdict, lines: &mut Vec<String>) {
    let policies = words::list(&verdict.policies, 4);
    let said = match (verdict.decision, &verdict.undecidable, &verdict.rule) {
        (Decision::NotApplicable, _, _) => "not-applicable: no pod on that side".into(),
        (Decision::NotIsolated, _, _) => "not-isolated: no policy selects the pod for this direction".into(),
        (Decision::Allowed, _, Some(rule)) => format!("allowed by rule {} of {}", rule.number, rule.policy),
        (Decision::Allowed, _, None) => "allowed: a pod may always talk to itself and to its own node".into(),
        (Decision::Undecidable, Some(reason), _) => format!("undecidable ({}): {}", reason.code(), open_answer(reason)),
        (Decision::Undecidable, None, _) => "undecidable".into(),
        (Decision::Denied, _, Some(rule)) => format!("denied by rule {} of {}", rule.number, rule.policy),
        (Decision::Denied, _, None) => {
            let isolate = if verdict.policies.len() == 1 {
                "isolates"
            } else {
                "isolate"
            };
            let no_rule = match verdict.nearest.is_empty() {
                true => format!("there is no {way} rule"),
                false => format!("no {way} rule matches"),
            };
            format!("denied: {policies} {isolate} it, and {no_rule}")
        }
    };
    lines.push(format!("  {:<8} {said}", way.to_string()));
    if verdict.decision != Decision::Denied {
        return;
    }
    let mut told = Vec::new();
    for miss in verdict.nearest.iter().take(MISSES_SHOWN) {
        lines.push(format!("           {}", misses::near_miss(miss, false)));
        // Rules that are far off are all mended by the same new one.
        if !told.contains(&&miss.change) {
            lines.push(format!("             to allow it: {}", miss.change));
            told.push(&miss.change);
        }
    }
    if let Some(more) = verdict.nearest.len().checked_sub(MISSES_SHOWN).filter(|more| *more > 0) {
        let s = if more == 1 { "" } else { "s" };
        let are = if more == 1 { "is" } else { "are" };
        lines.push(format!(
            "           and {more} more rule{s} that {are} farther off (-o json shows all)"
        ));
    }
    if verdict.nearest.is_empty()
        && let (Some(policy), Some(question)) = (verdict.policies.first(), &one.question)
    {
        lines.push(format!(
            "             to allow it: {}",
            first_rule(policy, way, question)
        ));
    }
}
