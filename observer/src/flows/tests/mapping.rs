//! Records as flows: goldens, and the table of the documentation.

use observer_api::flow::{DropReason, Verdict};

use super::record;
use crate::attempt::{Direction as Way, Outcome, Stage};
use crate::diagnosis::Cause;
use crate::diagnosis::tests::build::Build;
use crate::endpoint::Identity;
use crate::flows::{Mask, flow, verdict};
use crate::objects::Name;
use crate::policy::{Direction, RuleId};
use crate::report::Record;
use crate::report::tests::cases;

const PAGE: &str = include_str!("../../../../docs/hubble.md");

/// What a client prints of a flow, the reason by number and name.
fn told(record: &Record) -> String {
    let flow = flow(record, &Mask::default());
    let event = flow.event_type.unwrap_or_default();
    format!(
        "{:?} {:?} {:?} type {}:{} {:?} ({})",
        flow.verdict(),
        flow.drop_reason_desc(),
        flow.traffic_direction(),
        event.r#type,
        event.sub_type,
        flow.trace_observation_point(),
        flow.summary,
    )
}

#[test]
fn each_cause_as_clients_read_it() {
    let told: Vec<String> = cases()
        .iter()
        .map(|(cause, build)| format!("{cause}: {}", told(&record(build))))
        .collect();
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn a_whole_flow() {
    let build = Build::new()
        .service(80, &[(true, false)])
        .became()
        .denied(Direction::Egress)
        .dropped("NETFILTER_DROP", "nft_do_chain");
    let mut flow = flow(&record(&build), &Mask::default());
    let emitter = flow.emitter.as_mut().expect("ours");
    assert_eq!(std::mem::take(&mut emitter.version), env!("CARGO_PKG_VERSION"));
    insta::assert_debug_snapshot!(flow);
}

/// The row of the documentation: a cause, its verdict and its reason.
fn row(cause: Option<Cause>, outcome: Outcome, witnessed: bool) -> String {
    let mut record = record(&Build::new().dropped("NETFILTER_DROP", "nft_do_chain"));
    if !witnessed {
        record.drop = None;
    }
    (record.cause, record.outcome) = (cause, outcome);
    let verdict = verdict::verdict(&record).as_str_name();
    match verdict::reason(&record) {
        DropReason::Unknown => format!("`{verdict}` |  |"),
        reason => format!("`{verdict}` | `{}` |", reason.as_str_name()),
    }
}

#[test]
fn the_table_of_the_documentation_is_what_is_told() {
    let mut rows: Vec<String> = vec![format!(
        "| none: it connected | {}",
        row(None, Outcome::Connected, false)
    )];
    for cause in Cause::ALL.into_iter().filter(|cause| *cause != Cause::Undecidable) {
        rows.push(format!(
            "| `{}` | {}",
            cause.code(),
            row(Some(cause), Outcome::Timeout, false)
        ));
    }
    let open = |outcome, witnessed| row(Some(Cause::Undecidable), outcome, witnessed);
    rows.extend([
        format!("| `undecidable`, `connected` | {}", open(Outcome::Connected, false)),
        format!(
            "| `undecidable`, `rejected` or `unreachable` | {}",
            open(Outcome::Rejected, false)
        ),
        format!(
            "| `undecidable`, `timeout`, and a drop was witnessed | {}",
            open(Outcome::Timeout, true)
        ),
        format!("| `undecidable`, anything else | {}", open(Outcome::Timeout, false)),
    ]);
    assert_eq!(open(Outcome::Rejected, false), open(Outcome::Unreachable, false));
    for outcome in [Outcome::Refused, Outcome::HalfOpen, Outcome::Aborted] {
        assert_eq!(open(outcome, true), open(Outcome::Timeout, false), "{outcome:?}");
    }
    for row in rows {
        assert!(PAGE.contains(&row), "docs/hubble.md lacks\n{row}");
    }
}

#[test]
fn a_drop_is_named_where_cilium_has_a_name_for_it() {
    let check = |reason: &str, function: &str, expect: DropReason| {
        let mut record = record(&Build::new().dropped(reason, function));
        record.cause = Some(Cause::BlockedNotByPolicy);
        assert_eq!(verdict::reason(&record), expect, "{reason} {function}");
        let named = expect != DropReason::Unknown;
        assert_eq!(
            verdict::event(&record).r#type == verdict::DROP,
            named,
            "{reason} {function}"
        );
    };
    check("NEIGH_FAILED", "arp_error_report", DropReason::UnknownL3TargetAddress);
    check("NOT_SPECIFIED", "arp_error_report", DropReason::UnknownL3TargetAddress);
    check("IP_INNOROUTES", "ip_rcv_finish_core", DropReason::FibLookupFailed);
    check("IP_RPFILTER", "ip_rcv_finish_core", DropReason::InvalidSourceIp);
    check("NETFILTER_DROP", "nft_do_chain", DropReason::Unknown);
}

#[test]
fn the_network_connected_it_or_nobody_says_so() {
    for outcome in Outcome::ALL {
        for cause in Cause::ALL.into_iter().map(Some).chain([None]) {
            let mut record = record(&Build::new());
            (record.outcome, record.cause) = (outcome, cause);
            let verdict = verdict::verdict(&record);
            let label = format!("{outcome:?} {cause:?}");
            if verdict == Verdict::Forwarded {
                assert_eq!(outcome, Outcome::Connected, "{label}");
            }
            assert_eq!(verdict == Verdict::Audit, cause == Some(Cause::NotEnforced), "{label}");
            let policy = cause.is_some_and(|cause| cause.code().starts_with("policy-"));
            let denied = verdict::reason(&record) == DropReason::PolicyDenied;
            assert_eq!(denied, policy && outcome != Outcome::Connected, "{label}");
        }
    }
}

#[test]
fn what_may_still_change_has_no_verdict_and_a_correction_says_so() {
    let at = |stage| record(&Build::new().refused().with(|all| all.attempt.stage = stage));
    let provisional = flow(&at(Stage::Provisional), &Mask::default());
    assert_eq!(provisional.verdict(), Verdict::Traced);
    assert!(
        provisional.summary.starts_with("refused so far"),
        "{}",
        provisional.summary
    );
    let revision = flow(&at(Stage::Revision), &Mask::default());
    assert_eq!(revision.verdict(), Verdict::Error);
    assert!(
        revision.summary.starts_with("refused, corrected"),
        "{}",
        revision.summary
    );
    assert_eq!(revision.uuid, flow(&at(Stage::Final), &Mask::default()).uuid);
}

#[test]
fn policies_that_allow_and_deny_are_named_by_direction() {
    let flow = |build: Build| flow(&record(&build), &Mask::default());
    let denied = flow(Build::new().denied(Direction::Ingress));
    assert!(denied.egress_denied_by.is_empty() && denied.ingress_allowed_by.is_empty());
    let [policy] = denied.ingress_denied_by.as_slice() else {
        panic!("{:?}", denied.ingress_denied_by)
    };
    assert_eq!(
        (policy.namespace.as_str(), policy.kind.as_str()),
        ("immich", "NetworkPolicy")
    );
    let allowed = flow(Build::new().connected().with(|all| {
        all.verdict.egress.decision = crate::policy::Decision::Allowed;
        all.verdict.egress.rule = Some(RuleId {
            policy: Name::new("", "cluster-wide"),
            direction: Direction::Egress,
            number: 1,
        });
    }));
    let [policy] = allowed.egress_allowed_by.as_slice() else {
        panic!("{:?}", allowed.egress_allowed_by)
    };
    assert_eq!(
        (policy.name.as_str(), policy.namespace.as_str(), policy.kind.as_str()),
        ("cluster-wide", "", "")
    );
}

#[test]
fn ends_that_are_no_pods_have_reserved_identities_or_none() {
    let node = |name: Option<&str>| Identity::Node {
        node: name.map(Into::into),
        own: false,
        candidates: Vec::new(),
    };
    let cases = [
        (node(Some("node-a")), 1, "reserved:host"),
        (node(Some("node-b")), 6, "reserved:remote-node"),
        (node(None), 0, ""),
        (Identity::External, 2, "reserved:world"),
    ];
    for (identity, number, label) in cases {
        let named = format!("{identity:?}");
        let flow = flow(
            &record(&Build::new().with(|all| all.destination.identity = identity)),
            &Mask::default(),
        );
        let endpoint = flow.destination.expect("an endpoint");
        assert_eq!(endpoint.identity, number, "{named}");
        assert_eq!(endpoint.labels.join(","), label, "{named}");
        assert_eq!((endpoint.namespace, endpoint.pod_name), Default::default(), "{named}");
    }
}

#[test]
fn a_rewritten_source_is_told_where_it_was_seen() {
    let build = Build::new().connected().with(|all| {
        for point in all
            .attempt
            .points
            .iter_mut()
            .filter(|point| point.direction == Way::ToPod)
        {
            point.client = "192.0.2.1:38857".parse().expect("an address");
            point.bound = true;
        }
    });
    let flow = flow(&record(&build), &Mask::default());
    let ip = flow.ip.expect("addresses");
    assert_eq!(
        (ip.source.as_str(), ip.source_xlated.as_str()),
        ("10.0.0.1", "192.0.2.1")
    );
}
