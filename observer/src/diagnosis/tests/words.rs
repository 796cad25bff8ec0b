//! How a diagnosis reads.

use super::build::Build;
use crate::diagnosis::diagnose;
use crate::policy::Direction;

#[test]
fn a_policy_reads_as_policy_nearest_rule_and_change() {
    let diagnosis = diagnose(
        &Build::new()
            .denied(Direction::Egress)
            .dropped("NETFILTER_DROP", "nft_do_chain")
            .0,
    );
    assert_eq!(
        diagnosis.reasons,
        [
            "homepage/allow-egress isolates egress",
            "nearest: rule 1 allows this peer, but only TCP 80; the target port is 2283",
            "the SYN never reached the destination's interface, which is known to work, and a filter of the node dropped it",
        ]
    );
    assert_eq!(
        diagnosis.advice.as_deref(),
        Some("To allow it: add TCP 2283 to rule 1 of homepage/allow-egress.")
    );
}

#[test]
fn evidence_tells_the_way_of_the_packet() {
    let diagnosis = diagnose(
        &Build::new()
            .service(80, &[(true, false)])
            .became()
            .denied(Direction::Ingress)
            .dropped("NETFILTER_DROP", "nft_do_chain")
            .0,
    );
    let lines: Vec<String> = diagnosis
        .evidence
        .iter()
        .map(|fact| format!("{}: {}", fact.kind, fact.text))
        .collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn a_policy_without_rules_gets_its_first_one() {
    let built = Build::new()
        .service(80, &[(false, false), (true, false)])
        .denied(Direction::Egress)
        .with(|all| all.verdict.egress.nearest.clear());
    let diagnosis = diagnose(&built.0);
    assert_eq!(diagnosis.reasons[1], "there is no egress rule at all");
    assert_eq!(
        diagnosis.advice.as_deref(),
        Some(
            "To allow it: add an egress rule to homepage/allow-egress that allows TCP 2283 to pods app=immich-server in namespace immich."
        )
    );
}
