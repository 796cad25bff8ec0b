//! One verdict from those of every backend that a Service may have chosen.

use super::decide::both;
use super::explain::sort_changes;
use super::{Decision, DirectionVerdict, Undecidable, Verdict};

/// One verdict from several possible ones; none: there is no backend to judge.
#[must_use]
pub fn combine(verdicts: impl IntoIterator<Item = Verdict>) -> Verdict {
    combine_open(verdicts, &Undecidable::BackendUnknown).unwrap_or_else(|| Verdict::undecidable(Undecidable::NoTarget))
}

/// One verdict from several possible ones, open for `reason` where they differ; `None` of none.
#[must_use]
pub fn combine_open(verdicts: impl IntoIterator<Item = Verdict>, reason: &Undecidable) -> Option<Verdict> {
    verdicts.into_iter().reduce(|mut all, next| {
        all.egress = either(all.egress, next.egress, reason);
        all.ingress = either(all.ingress, next.ingress, reason);
        all.decision = both(all.egress.decision, all.ingress.decision);
        all.caveats.extend(next.caveats);
        all.caveats.sort_unstable();
        all.caveats.dedup();
        all.changes.extend(next.changes);
        sort_changes(&mut all.changes);
        all
    })
}

/// The first where both agree on whether it is denied.
fn either(mut first: DirectionVerdict, second: DirectionVerdict, reason: &Undecidable) -> DirectionVerdict {
    let class = |decision| match decision {
        Decision::Denied => 0,
        Decision::Undecidable => 1,
        Decision::NotApplicable | Decision::NotIsolated | Decision::Allowed => 2,
    };
    if class(first.decision) == class(second.decision) {
        return first;
    }
    first.policies.extend(second.policies);
    first.policies.sort_unstable();
    first.policies.dedup();
    DirectionVerdict {
        decision: Decision::Undecidable,
        undecidable: Some(reason.clone()),
        policies: first.policies,
        rule: None,
        nearest: Vec::new(),
        farther: 0,
    }
}
