//! The answer to a query: a verdict for every source and destination, and what they make together.

use std::net::IpAddr;

use super::aims::{Aim, Pair};
use super::hints::hints;
use super::resolve::{Error, plan};
use super::target::Query;
use crate::diagnosis::words;
use crate::policy::{Caveat, Decision, Question, Undecidable, Verdict, combine, combine_open};
use crate::world::World;

/// What the policies say of a query.
#[derive(Clone, Debug)]
pub struct Answer {
    /// One for every source and destination that was meant; only the first where all are answered alike. Never empty.
    pub each: Vec<Judged>,
    /// How many were meant.
    pub pairs: usize,
    /// What the reader should know, a clause each.
    pub notes: Vec<String>,
}

/// The verdict of one source and one destination.
#[derive(Clone, Debug)]
pub struct Judged {
    /// Who connects.
    pub source: String,
    /// To whom, with port and protocol.
    pub destination: String,
    /// What the policies say.
    pub verdict: Verdict,
    /// What was asked; `None` for a Service without a backend.
    pub question: Option<Question>,
    /// Of a Service with several backends, each of them; only the first where all are answered alike.
    pub backends: Vec<Judged>,
}

impl Answer {
    /// Denied if any is, else undecidable if any is, else allowed.
    #[must_use]
    pub fn decision(&self) -> Decision {
        self.telling().verdict.decision
    }

    /// The verdict that stands for all: the first of those that weigh most.
    #[must_use]
    pub fn telling(&self) -> &Judged {
        let mut telling = &self.each[0];
        for judged in &self.each[1..] {
            if weight(judged.verdict.decision) > weight(telling.verdict.decision) {
                telling = judged;
            }
        }
        telling
    }

    /// Whether all say the same in both directions.
    #[must_use]
    pub fn agrees(&self) -> bool {
        let first = said(&self.each[0].verdict);
        self.each.iter().all(|judged| said(&judged.verdict) == first)
    }
}

impl Judged {
    /// Whether the backends, if there are several, say the same.
    #[must_use]
    pub fn backends_agree(&self) -> bool {
        let first = said(&self.verdict);
        self.backends.iter().all(|backend| said(&backend.verdict) == first)
    }
}

fn said(verdict: &Verdict) -> [Decision; 3] {
    [verdict.decision, verdict.egress.decision, verdict.ingress.decision]
}

fn weight(decision: Decision) -> u8 {
    match decision {
        Decision::NotApplicable | Decision::NotIsolated | Decision::Allowed => 0,
        Decision::Undecidable => 1,
        Decision::Denied => 2,
    }
}

/// Answers a query.
///
/// # Errors
/// A name that nobody has, or a port that is not clear.
pub fn ask(world: &World, query: &Query) -> Result<Answer, Error> {
    let mut plan = plan(world, query)?;
    let mut notes = plan.notes;
    let pairs = plan.pairs.len();
    // An explanation costs twenty times what an answer does, and one tells for all that are alike.
    let mut caveats = Vec::new();
    if alike(world, &plan.pairs) {
        caveats = all_caveats(world, &plan.pairs);
        plan.pairs.truncate(1);
        for pair in &mut plan.pairs {
            pair.aims.truncate(1);
            pair.other_family.clear();
        }
    }
    let each: Vec<Judged> = plan
        .pairs
        .into_iter()
        .map(|pair| judge_pair(world, pair, &mut notes))
        .collect();
    let answer = Answer {
        each,
        pairs,
        notes: Vec::new(),
    };
    // What another reading would turn for others only is said of those.
    let told = &answer.each[0].verdict.caveats;
    for (caveat, who) in caveats.iter().filter(|(caveat, _)| !told.contains(caveat)) {
        notes.push(format!("{who}: {}", words::caveat(*caveat)));
    }
    notes.extend(hints(world, answer.telling()));
    Ok(Answer { notes, ..answer })
}

/// Whether there are several questions, and every one of every pair has the same answer in both directions.
fn alike(world: &World, pairs: &[Pair]) -> bool {
    let said = |question: &Question| {
        let decided = world.policies().decide(question);
        (decided.egress.decision, decided.ingress.decision)
    };
    let mut questions = pairs.iter().flat_map(Pair::questions);
    let (Some(first), Some(second)) = (questions.next(), questions.next()) else {
        return false;
    };
    let expected = said(first);
    // A Service without a backend has no question, and an answer of its own; where a node may stand in for the source, there is more
    // to ask.
    let plain = |pair: &Pair| pair.backends > 0 && pair.aims.iter().all(|aim| aim.entry.is_none());
    pairs.iter().all(plain)
        && std::iter::once(second)
            .chain(questions)
            .all(|question| said(question) == expected)
}

/// Every caveat that some answer has, with the first that has it.
fn all_caveats(world: &World, pairs: &[Pair]) -> Vec<(Caveat, String)> {
    let mut found: Vec<(Caveat, String)> = Vec::new();
    for pair in pairs {
        for aim in &pair.aims {
            for caveat in aim
                .questions
                .iter()
                .flat_map(|question| world.policies().caveats(question))
            {
                if !found.iter().any(|(known, _)| *known == caveat) {
                    found.push((caveat, format!("{} → {}", pair.source, aim.name)));
                }
            }
        }
    }
    found
}

fn judge_pair(world: &World, mut pair: Pair, notes: &mut Vec<String>) -> Judged {
    let other_family = std::mem::take(&mut pair.other_family);
    let judged = judge_one_family(world, pair, notes);
    if let Some(question) = other_family.first().and_then(|aim| aim.questions.first()) {
        let family = family(question);
        // What there is to say of these pods was said.
        let each = other_family
            .into_iter()
            .map(|aim| judge_aim(world, &judged.source, aim, &mut Vec::new()).verdict);
        let over_it = combine(each).decision;
        if over_it != judged.verdict.decision {
            notes.push(differing(family, &judged.source, &judged.destination, over_it));
        }
    }
    judged
}

fn judge_one_family(world: &World, pair: Pair, notes: &mut Vec<String>) -> Judged {
    let mut backends: Vec<Judged> = pair
        .aims
        .into_iter()
        .map(|aim| judge_aim(world, &pair.source, aim, notes))
        .collect();
    if pair.backends == 1
        && let Some(only) = backends.pop()
    {
        return Judged {
            // A Service that leads to one pod only is shown with it.
            destination: if only.destination == pair.destination {
                only.destination
            } else {
                format!("{} ({})", only.destination, pair.destination)
            },
            ..only
        };
    }
    let verdicts = backends.iter().map(|backend| backend.verdict.clone());
    Judged {
        verdict: combine_open(verdicts, &Undecidable::BackendUnknown)
            .unwrap_or_else(|| Verdict::undecidable(pair.nowhere)),
        source: pair.source,
        destination: pair.destination,
        question: backends.first().and_then(|backend| backend.question.clone()),
        backends,
    }
}

fn judge_aim(world: &World, source: &str, aim: Aim, notes: &mut Vec<String>) -> Judged {
    let verdict = combine_open(
        aim.questions
            .iter()
            .map(|question| world.judge_by(question, question.at, aim.entry)),
        &Undecidable::NoAddress,
    )
    .unwrap_or_else(|| Verdict::undecidable(Undecidable::NoTarget));
    if let Some(other) = &aim.other_family {
        let decision = world.policies().decide(other).decision();
        if decision != verdict.decision {
            notes.push(differing(family(other), source, &aim.name, decision));
        }
    }
    Judged {
        source: source.to_owned(),
        destination: aim.name,
        verdict,
        question: aim.questions.into_iter().next(),
        backends: Vec::new(),
    }
}

/// The address family of a question.
fn family(question: &Question) -> &'static str {
    match question.destination.address {
        IpAddr::V4(_) => "IPv4",
        IpAddr::V6(_) => "IPv6",
    }
}

fn differing(family: &str, source: &str, destination: &str, decision: Decision) -> String {
    format!("over {family}, {source} → {destination} is {}", decision.code())
}
