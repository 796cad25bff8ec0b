//! Command lines against records.

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};

use super::Filters;
use crate::diagnosis::diagnose;
use crate::diagnosis::tests::build::Build;
use crate::filter::Filter;
use crate::policy::Direction;
use crate::report::Record;

/// As a verb uses it, beside other arguments.
#[derive(Debug, Parser)]
struct Tail {
    #[command(flatten)]
    filter: Filters,
    #[arg(short, long)]
    output: Option<String>,
    #[arg(short, long)]
    follow: bool,
}

fn parse(line: &str) -> Result<Filter, clap::Error> {
    let words = std::iter::once("tail").chain(line.split_whitespace());
    Tail::try_parse_from(words).map(|tail| tail.filter.0)
}

fn record(build: &Build) -> Record {
    Record::new(&build.0, &diagnose(&build.0), &"node-a".into())
}

/// homepage/homepage-7d9f-x2x4v (10.0.0.1) → svc immich/immich:80 (10.96.0.10) → immich/immich-server-0:2283 (10.0.0.2),
/// timeout, policy-egress, confirmed, by homepage/allow-egress.
fn denied() -> Record {
    record(
        &Build::new()
            .service(80, &[(true, false)])
            .became()
            .denied(Direction::Egress)
            .dropped("NETFILTER_DROP", "nft_do_chain"),
    )
}

#[test]
fn each_flag() {
    let record = denied();
    let cases = [
        ("", true),
        ("-n homepage", true),
        ("--namespace immich", true),
        ("-n other", false),
        ("-n home", false),
        ("--pod homepage", true),
        ("--pod homepage/home", true),
        ("--pod immich/", true),
        ("--pod immich/homepage", false),
        ("--from-pod homepage", true),
        ("--from-pod immich-server", false),
        ("--to-pod immich-server-0", true),
        ("--to-pod immich/immich-server-0-x", false),
        ("--label app=homepage", true),
        ("-l app=immich-server", true),
        ("--label app=homepage,tier!=db", true),
        ("--label app=homepage,app=immich-server", false),
        ("--label app=homepage --label app=other", true),
        ("--label !app", false),
        ("--ip 10.0.0.1", true),
        ("--ip 10.96.0.10", true),
        ("--ip 10.0.0.2", true),
        ("--ip 10.0.0.2/31", true),
        ("--ip 10.0.0.99/24", true),
        ("--ip 10.1.0.0/16", false),
        ("--ip fd00::/8", false),
        ("--port 80", true),
        ("--port 2283", true),
        ("--port 40000", false),
        ("--service immich", true),
        ("--service immich/immich", true),
        ("--service immich/immi", false),
        ("--service homepage/immich", false),
        ("--outcome timeout", true),
        ("--outcome refused", false),
        ("--cause policy-egress", true),
        ("--cause policy-ingress", false),
        ("--confidence confirmed", true),
        ("--confidence possible", false),
        ("--policy allow-egress", true),
        ("--policy homepage/allow-egress", true),
        ("--policy immich/allow-egress", false),
        ("--protocol tcp", true),
    ];
    for (line, expect) in cases {
        let filter = parse(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        assert_eq!(filter.matches(&record), expect, "{line}");
        assert_eq!(filter.is_empty(), line.is_empty(), "{line}");
    }
}

#[test]
fn values_are_alternatives_and_flags_must_all_hold() {
    let record = denied();
    let cases = [
        ("--port 443 --port 80", true),
        ("--port 443,80", true),
        ("--port 443,8080", false),
        ("--port 80 --outcome refused", false),
        ("--port 80 --outcome refused,timeout", true),
        ("--pod homepage --pod other", true),
    ];
    for (line, expect) in cases {
        assert_eq!(parse(line).expect(line).matches(&record), expect, "{line}");
    }
}

#[test]
fn not_turns_the_next_filter_and_only_that() {
    let record = denied();
    let cases = [
        ("--not --port 80", false),
        ("--not --port 443", true),
        ("--not --port 443 --port 80", true),
        ("--port 80 --not --port 443", true),
        ("--port 443 --not --port 80", false),
        ("--not --port 443 --outcome timeout", true),
        ("--not --port 443 --outcome refused", false),
        ("--outcome timeout --not --port 80", false),
        ("--not --port 443,80", false),
        ("--not --port 443 --not --port 80", false),
        ("--not --port 443 --not --outcome timeout", false),
        ("--not --port 443 --not --outcome refused", true),
        ("--not --not --port 443", true),
        ("--not --protocol tcp", false),
        ("--not -o json -f --port 80", false),
        ("-f --not -o json --port 443", true),
    ];
    for (line, expect) in cases {
        assert_eq!(parse(line).expect(line).matches(&record), expect, "{line}");
    }
}

#[test]
fn a_connected_attempt_has_no_cause_to_match() {
    let record = record(&Build::new().connected());
    assert!(!parse("--cause policy-egress").expect("a filter").matches(&record));
    assert!(parse("--not --cause policy-egress").expect("a filter").matches(&record));
}

#[test]
fn wrong_values_are_refused_and_what_is_possible_is_said() {
    let cases = [
        (
            "--outcome timed-out",
            ErrorKind::InvalidValue,
            "possible values: connected, refused",
        ),
        ("--cause nonsense", ErrorKind::InvalidValue, "policy-egress"),
        (
            "--confidence sure",
            ErrorKind::InvalidValue,
            "confirmed, probable, possible",
        ),
        ("--protocol udp", ErrorKind::InvalidValue, "[possible values: tcp]"),
        ("--port 0", ErrorKind::ValueValidation, "from 1 to 65535"),
        ("--port http", ErrorKind::ValueValidation, "http"),
        ("--ip 10.0.0.300", ErrorKind::ValueValidation, "not an address"),
        ("--ip 10.0.0.0/33", ErrorKind::ValueValidation, "10.0.0.0/8"),
        (
            "--label =web",
            ErrorKind::ValueValidation,
            "a label selector is written as",
        ),
        ("--pod a/b/c", ErrorKind::ValueValidation, "NAMESPACE/NAME"),
        ("--pod /b", ErrorKind::ValueValidation, "a namespace is missing"),
        ("-n a/b", ErrorKind::ValueValidation, "no `/`"),
        ("--not", ErrorKind::MissingRequiredArgument, "none follows"),
        ("--port 80 --not", ErrorKind::MissingRequiredArgument, "none follows"),
    ];
    for (line, kind, says) in cases {
        let error = parse(line).expect_err(line);
        assert_eq!(error.kind(), kind, "{line}: {error}");
        assert!(error.to_string().contains(says), "{line}: {error}");
    }
}

#[test]
fn the_help_keeps_filters_apart() {
    let help = Tail::command().render_help().to_string();
    let filters = help.split("Filters:").nth(1).expect("a heading");
    assert!(filters.contains("--outcome") && !filters.contains("--output"), "{help}");
}
