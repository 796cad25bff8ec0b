//! Why it cannot be told: what is open, and what the wire shows all the same.

use super::policies::also_denied;
use crate::diagnosis::facts::Facts;
use crate::diagnosis::{wire, words};
use crate::policy::Undecidable;

/// Why it cannot be told, and what the wire shows.
pub(super) fn undecidable(facts: Facts<'_>, row: Option<u8>) -> Vec<String> {
    let verdict = &facts.all.verdict;
    let mut reasons = Vec::new();
    let open = [&verdict.egress, &verdict.ingress]
        .into_iter()
        .filter_map(|direction| direction.undecidable.as_ref());
    if !facts.denied() {
        for reason in open {
            let words = open_answer(reason);
            if !reasons.contains(&words) {
                reasons.push(words);
            }
        }
    }
    if facts.denied() {
        reasons.push(also_denied(facts));
        reasons.push(match row {
            Some(_) => {
                "but the SYN was delivered and nothing came back, which a policy behind the observed hook and a \
                        silent application do alike"
                    .into()
            }
            None => "but the wire shows something that a policy alone does not explain".into(),
        });
    }
    if reasons.is_empty() {
        reasons.push("the wire shows something that no known cause explains".into());
    }
    reasons.push(format!("on the wire: {}", wire::clause(&facts.all.attempt)));
    if let Some(drop) = facts.drop().or_else(|| facts.answer_drop()) {
        reasons.push(words::drop(drop));
    }
    reasons
}

/// An open answer of the policies, as a clause.
pub(crate) fn open_answer(reason: &Undecidable) -> String {
    let words: &str = match reason {
        Undecidable::NotSynced => "the cluster's objects were not loaded yet",
        Undecidable::HostNetwork => {
            "a hostNetwork pod may be meant, and whether policies hold for those is up to the CNI"
        }
        Undecidable::SourceRewritten => {
            "a node's address may stand in for the source's on the way, and the policies answer differently for the two"
        }
        Undecidable::NamedPort => "a rule names its port, and what that name means at this destination is not known",
        Undecidable::PeerUnknown => "nobody can be named for an address, and the policies depend on who it is",
        Undecidable::BackendUnknown => "which backend was chosen is not known, and the policies treat them differently",
        Undecidable::NoTarget => "the Service has no backend to judge",
        Undecidable::Changing => "policies, pods or namespaces changed just then, and the answer changed with them",
        Undecidable::ObjectsInDoubt { source } => {
            return format!("{source} cannot be read, and it may concern this");
        }
        Undecidable::ForeignPolicy { policy } => {
            return format!("{policy} may select the pod too, and the CNI's own policies are not judged");
        }
        Undecidable::NoAddress => "a pod has no address yet, and the policies ask for one",
        Undecidable::DomainName => "a rule names domains, and which addresses these have for the pod is not known",
        Undecidable::EqualPriority => {
            "cluster-wide policies of one priority answer differently, and which of them comes first is not defined"
        }
        Undecidable::NoObjects => "nothing is known of the cluster's objects",
    };
    words.into()
}
