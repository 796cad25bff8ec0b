//! When an attempt is told of, and the records that are.

use super::config::Config;
use super::decide::{self, Conclusion, Context};
use super::leg::Leg;
use super::open::{Open, Phase, Ripe};
use super::table::Serial;
use super::tracker::Tracker;
use super::types::{Attempt, Icmp, Outcome, Stage, Surroundings};
use crate::time::Time;

/// What to do with an attempt now.
enum Step {
    /// Look again then.
    Wait(Time),
    /// Wait for a sweep at `witness` or later, but no longer than until `patience`.
    Sweep { witness: Time, patience: Time },
    /// Tell how it would end now.
    Provisional,
    /// Tell how it ended. Whether absence was witnessed.
    Decide { witnessed: bool },
    /// Remember it until then.
    Remember(Time),
    /// Let go of it.
    Forget,
}

impl Tracker {
    /// Tells what there is to tell of an attempt, and notes when to look at it again.
    pub(super) fn step<S: Surroundings>(&mut self, serial: Serial, surroundings: &S, out: &mut Vec<Attempt>) {
        self.unschedule(serial);
        while let Some(open) = self.table.get(serial) {
            match next(open, &self.config, self.now, self.swept) {
                Step::Wait(at) => return self.wake(serial, at),
                Step::Sweep { witness, patience } => {
                    self.waiting.insert((witness, serial));
                    if let Some(open) = self.table.get_mut(serial) {
                        open.waits = Some(witness);
                    }
                    return self.wake(serial, patience);
                }
                Step::Provisional => self.provisional(serial, surroundings, out),
                Step::Decide { witnessed } => self.decide(serial, witnessed, surroundings, out),
                Step::Remember(until) => {
                    if let Some(open) = self.table.get_mut(serial) {
                        open.forgets = Some(until);
                        self.forgets.insert((until, serial));
                    }
                    return;
                }
                Step::Forget => {
                    // All that the kernel may still tell of it began before it was last told of.
                    let touched = self.table.get(serial).map(|open| open.touched);
                    self.forget(serial);
                    self.horizon = self.horizon.max(touched);
                    return;
                }
            }
        }
    }

    /// Decides at the end what can be decided.
    pub(super) fn close<S: Surroundings>(&mut self, serial: Serial, surroundings: &S, out: &mut Vec<Attempt>) {
        let Some(open) = self.table.get(serial) else {
            return;
        };
        if let Phase::Running { .. } = open.phase {
            let ripe = open.ripe(&self.config);
            if ripe.answered || self.now >= ripe.at {
                let witnessed = self.swept >= ripe.witness;
                self.decide(serial, witnessed, surroundings, out);
            } else {
                self.counters.unfinished += 1;
            }
        }
    }

    fn wake(&mut self, serial: Serial, at: Time) {
        if let Some(open) = self.table.get_mut(serial) {
            open.wakes = Some(at);
            self.wakes.insert((at, serial));
        }
    }

    fn unschedule(&mut self, serial: Serial) {
        if let Some(open) = self.table.get_mut(serial) {
            if let Some(at) = open.wakes.take() {
                self.wakes.remove(&(at, serial));
            }
            if let Some(at) = open.waits.take() {
                self.waiting.remove(&(at, serial));
            }
            if let Some(at) = open.forgets.take() {
                self.forgets.remove(&(at, serial));
            }
        }
    }

    fn provisional<S: Surroundings>(&mut self, serial: Serial, surroundings: &S, out: &mut Vec<Attempt>) {
        self.table.name(serial, self.horizon);
        if let Some(open) = self.table.get_mut(serial) {
            open.phase = Phase::Running { told: true };
            open.bind(&self.bindings);
        }
        let Some(open) = self.table.get(serial) else {
            return;
        };
        // The sweeps until now tell what had become of the first SYN.
        let witnessed = self.swept >= open.first + self.config.linger;
        let conclusion = self.conclude(open, witnessed, surroundings);
        if let Some(mut attempt) = self.record(open, &conclusion, Stage::Provisional) {
            self.edges.fill(&mut attempt);
            out.push(attempt);
        }
    }

    /// Gives the final record, or the revision where a late answer changes it.
    fn decide<S: Surroundings>(&mut self, serial: Serial, witnessed: bool, surroundings: &S, out: &mut Vec<Attempt>) {
        self.table.name(serial, self.horizon);
        if let Some(open) = self.table.get_mut(serial) {
            open.bind(&self.bindings);
        }
        let Some(open) = self.table.get(serial) else {
            return;
        };
        if !witnessed && open.rests_on_absence() {
            self.counters.unwitnessed += 1;
        }
        let conclusion = self.conclude(open, witnessed, surroundings);
        let decided = Phase::Decided {
            outcome: conclusion.outcome,
            late: None,
            revised: !matches!(open.phase, Phase::Running { .. }),
        };
        let (stage, phase) = match open.phase {
            Phase::Running { .. } => (Stage::Final, decided),
            Phase::Decided { outcome, .. } if outcome != conclusion.outcome => (Stage::Revision, decided),
            // An answer that says the same again.
            Phase::Decided { outcome, revised, .. } => {
                let phase = Phase::Decided {
                    outcome,
                    late: None,
                    revised,
                };
                if let Some(open) = self.table.get_mut(serial) {
                    open.phase = phase;
                }
                return;
            }
        };
        let untold = matches!(open.phase, Phase::Running { told: false });
        if untold && open.answer_may_be_hidden() && conclusion.outcome == Outcome::Timeout {
            // As likely connected: it is remembered, and nothing is said of it.
            self.counters.hidden += 1;
            let outcome = conclusion.outcome;
            let (late, revised) = (None, true);
            self.remember(serial, Phase::Decided { outcome, late, revised });
            return;
        }
        let reject = reject(open, &conclusion);
        if let Some(mut attempt) = self.record(open, &conclusion, stage) {
            self.edges.record(&mut attempt, reject);
            out.push(attempt);
        }
        if stage == Stage::Final {
            self.remember(serial, phase);
        } else if let Some(open) = self.table.get_mut(serial) {
            open.phase = phase;
        }
        if conclusion.outcome == Outcome::Connected
            && let Some(open) = self.table.get_mut(serial)
        {
            open.shrink();
        }
    }

    /// Keeps a decided attempt, and lets go of the oldest if there are too many.
    fn remember(&mut self, serial: Serial, phase: Phase) {
        if let Some(open) = self.table.get_mut(serial) {
            open.phase = phase;
            open.fit();
            open.remembered = Some(open.first);
            self.remembered.insert((open.first, serial));
        }
        while self.remembered.len() > self.config.max_remembered
            && let Some(&(_, oldest)) = self.remembered.first()
        {
            self.counters.forgotten += 1;
            self.forget(oldest);
        }
    }

    fn forget(&mut self, serial: Serial) {
        self.unschedule(serial);
        let Some(open) = self.table.remove(serial) else {
            return;
        };
        if let Some(first) = open.remembered {
            self.remembered.remove(&(first, serial));
        }
        let told = open.id.map(|id| Time(id.first));
        self.horizon = self.horizon.max(told);
    }

    fn conclude<S: Surroundings>(&self, open: &Open, witnessed: bool, surroundings: &S) -> Conclusion {
        let context = Context {
            bindings: &self.bindings,
            surroundings,
            witnessed: witnessed && !self.table.crowded(open.isn),
            lost: self.lost_during(open),
        };
        decide::conclude(open, &context)
    }

    /// A loss is noticed a while after it happened, never before.
    fn lost_during(&self, open: &Open) -> bool {
        self.lost.is_some_and(|at| at >= open.first)
    }

    fn record(&self, open: &Open, conclusion: &Conclusion, stage: Stage) -> Option<Attempt> {
        let source = open.source();
        let (client, server) = open
            .dialled()
            .or_else(|| open.sink().map(|leg| (leg.facts.client, leg.facts.server)))
            .or(open.stopped)?;
        let handshake = source
            .or(open.sink())
            // Behind a blind hook an answer is seen without its SYN.
            .filter(|leg| conclusion.outcome == Outcome::Connected && leg.facts.syns > 0)
            .and_then(|leg| Some(leg.facts.answered?.since(leg.facts.first)));
        Some(Attempt {
            id: open.id?,
            stage,
            isn: open.isn,
            first: open.first,
            decided: self.now,
            client,
            server,
            source_observed: open.dialled().is_some(),
            backend: conclusion.backend,
            rewritten: conclusion.rewritten,
            outcome: conclusion.outcome,
            origin: conclusion.origin,
            reach: conclusion.reach,
            syns: open.syns(),
            handshake,
            points: decide::points(open),
            drops: decide::evidence(open, conclusion, server, &self.bindings),
            destination: conclusion.destination,
            answered_by_destination: conclusion.answered_by_destination,
            absence_witnessed: conclusion.absence_witnessed,
            listener: open.listener,
            lost: self.lost_during(open),
            recent_reject: None,
            recent_success: None,
        })
    }
}

fn next(open: &Open, config: &Config, now: Time, swept: Time) -> Step {
    match open.phase {
        Phase::Running { told } => {
            let ripe = open.ripe(config);
            let provisional = open.first + config.provisional;
            if now >= ripe.at {
                decision(open, ripe, config, now, swept)
            } else if told || !open.silent() || provisional >= ripe.at {
                Step::Wait(ripe.at)
            } else if now >= provisional {
                Step::Provisional
            } else {
                Step::Wait(provisional)
            }
        }
        Phase::Decided {
            late: Some(_),
            revised: false,
            ..
        } => {
            let ripe = open.ripe(config);
            if now >= ripe.at {
                decision(open, ripe, config, now, swept)
            } else {
                Step::Wait(ripe.at)
            }
        }
        Phase::Decided { .. } => {
            let forget = open.forget(config);
            if now >= forget {
                Step::Forget
            } else {
                Step::Remember(forget)
            }
        }
    }
}

fn decision(open: &Open, ripe: Ripe, config: &Config, now: Time, swept: Time) -> Step {
    let patience = ripe.at + config.patience;
    if swept >= ripe.witness || !open.rests_on_absence() {
        Step::Decide { witnessed: true }
    } else if now >= patience {
        Step::Decide { witnessed: false }
    } else {
        Step::Sweep {
            witness: ripe.witness,
            patience,
        }
    }
}

/// The filter's answer, if it was one: with its ICMP error, or a RST.
fn reject(open: &Open, conclusion: &Conclusion) -> Option<Option<Icmp>> {
    (conclusion.outcome == Outcome::Rejected).then(|| open.source().or(open.sink()).and_then(Leg::icmp))
}
