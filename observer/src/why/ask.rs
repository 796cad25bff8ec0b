//! The answer to a query: a verdict for every source and destination, and what they make together.

use super::hints::hints;
use super::resolve::{Aim, Error, Pair, plan};
use super::target::Query;
use crate::policy::{Decision, Question, Undecidable, Verdict, combine, combine_open};
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
    if alike(world, &plan.pairs) {
        plan.pairs.truncate(1);
        plan.pairs.iter_mut().for_each(|pair| pair.aims.truncate(1));
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
    notes.extend(hints(answer.telling()));
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
    // A Service without a backend has no question, and an answer of its own.
    pairs.iter().all(|pair| pair.backends > 0)
        && std::iter::once(second)
            .chain(questions)
            .all(|question| said(question) == expected)
}

fn judge_pair(world: &World, pair: Pair, notes: &mut Vec<String>) -> Judged {
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
    Judged {
        verdict: combine(backends.iter().map(|backend| backend.verdict.clone())),
        source: pair.source,
        destination: pair.destination,
        question: backends.first().and_then(|backend| backend.question.clone()),
        backends,
    }
}

fn judge_aim(world: &World, source: &str, aim: Aim, notes: &mut Vec<String>) -> Judged {
    let policies = world.policies();
    let verdicts = aim.questions.iter().map(|question| policies.judge(question));
    let verdict =
        combine_open(verdicts, &Undecidable::NoAddress).unwrap_or_else(|| Verdict::undecidable(Undecidable::NoTarget));
    if let Some(other) = &aim.other_family {
        let decision = policies.decide(other).decision();
        if decision != verdict.decision {
            let family = if other.source.address.is_ipv6() { "IPv6" } else { "IPv4" };
            notes.push(format!("over {family}, {source} → {} is {}", aim.name, decision.code()));
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
