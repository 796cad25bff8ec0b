//! What is advised where a cluster-wide policy denies: done as the sentence says, the attempt is allowed.

use std::sync::Arc;

use super::cluster_text::accept;
use crate::objects::{Change, ClusterPolicy, Object};
use crate::policy::{Decision, Direction, Policies, Question, Unmet};

/// Policies, and before which rule of each something is to be put, from 1.
type Places = Vec<(usize, String)>;

/// `put a rule before rule 2 of x and rule 1 of y that accepts TCP 80 from pods a=x in namespace n`: where, and what, as
/// `accept` reads it.
fn read(advice: &str) -> (Places, String, String) {
    let advice = advice
        .strip_suffix(crate::policy::tiers::OR_NETWORK_POLICY)
        .unwrap_or(advice);
    let advice = advice.strip_prefix("put a rule before ").expect(advice);
    let (places, accepted) = advice.split_once(" that accepts ").expect(advice);
    let places = places.split(" and ").map(|place| {
        let (number, policy) = place
            .strip_prefix("rule ")
            .and_then(|place| place.split_once(" of "))
            .expect(advice);
        (number.parse().expect(advice), policy.to_owned())
    });
    let [protocol, port, _, peer] = accepted.splitn(4, ' ').collect::<Vec<_>>()[..] else {
        panic!("{advice}")
    };
    let peer = match peer.split_once(" in namespace ") {
        None => peer.replace("network ", "block "),
        Some((pods, namespace)) => {
            let pods = pods.strip_prefix("pods ").map(|labels| format!(" / pods {labels}"));
            format!("ns kubernetes.io/metadata.name={namespace}{}", pods.unwrap_or_default())
        }
    };
    (places.collect(), peer, format!("{protocol} {port}"))
}

/// Follows the advice for each direction that a cluster-wide policy denies.
pub(super) fn advice_helps(policies: &mut Policies, tiers: &[Arc<ClusterPolicy>], question: &mut Question) {
    let verdict = policies.judge(question);
    for (direction, said) in [
        (Direction::Egress, &verdict.egress),
        (Direction::Ingress, &verdict.ingress),
    ] {
        let denies = |unmet: &Unmet| matches!(unmet, Unmet::Denies { .. });
        let [miss] = &said.nearest[..] else { continue };
        if !miss.unmet.iter().any(denies) || miss.change.starts_with("replace the newer fields") {
            continue;
        }
        let (places, peer, port) = read(&miss.change);
        let (mut mended, mut as_before) = (Vec::new(), Vec::new());
        for (number, name) in places {
            let denying = tiers.iter().find(|policy| *policy.name == *name).expect("it is there");
            as_before.push(denying.clone());
            let mut policy = ClusterPolicy::clone(denying);
            let rules = match direction {
                Direction::Egress => &mut policy.egress,
                Direction::Ingress => &mut policy.ingress,
            };
            rules.insert(number - 1, accept(&[&peer], &[&port]));
            mended.push(Arc::new(policy));
        }
        let mut put = |all: Vec<Arc<ClusterPolicy>>| {
            for policy in all {
                policies.apply(&Change::Set(Object::ClusterPolicy(policy)), question.at);
            }
            // When it is in force everywhere.
            question.at = question.at + policies.config.window;
            policies.prune(question.at);
            policies.decide(question)
        };
        let decided = put(mended);
        let decided = match direction {
            Direction::Egress => decided.egress,
            Direction::Ingress => decided.ingress,
        };
        assert_eq!(decided.decision, Decision::Allowed, "{direction}: {}", miss.change);
        put(as_before);
    }
}
