//! Golden texts: one case per cause, in every form.

use std::time::Duration;

use super::record;
use crate::attempt::{Origin, Outcome, Place, Segment, Stage};
use crate::diagnosis::Cause;
use crate::diagnosis::tests::build::{Build, FIRST};
use crate::endpoint::{HitPort, Identity, PerhapsVia, Unknown};
use crate::objects::{Name, Protocol};
use crate::policy::{Direction, Undecidable};
use crate::report::{Format, Look, Renderer, Summary, clean};

/// One attempt for each cause, in the order of the documentation, then the connected ones.
pub(crate) fn cases() -> Vec<(&'static str, Build)> {
    let new = Build::new;
    let service = |port, backends: &[(bool, bool)]| new().service(port, backends);
    let via = || service(80, &[(true, false)]).became();
    vec![
        ("not-enforced", new().denied(Direction::Ingress).connected()),
        ("app-not-listening", via().refused()),
        ("no-endpoints", service(80, &[]).rejected()),
        ("backend-not-ready", service(80, &[(false, false)]).rejected()),
        ("no-local-endpoint", service(80, &[(true, true)])),
        ("no-such-service-port", service(81, &[]).rejected()),
        ("unknown-service-address", new().unknown(Unknown::ServiceRange)),
        (
            "stale-address",
            new().ended().icmp(Outcome::Unreachable, (3, 1), (1, 3)),
        ),
        ("blocked-not-by-policy", via().dropped("NETFILTER_DROP", "nft_do_chain")),
        (
            "blocked-not-by-policy",
            new()
                .outcome(Outcome::Unreachable, None)
                .with(|all| all.attempt.reach = crate::attempt::Reach::NotSent)
                .dropped_at(
                    Place::Pod { ifindex: 10 },
                    Segment::Syn,
                    "NEIGH_FAILED",
                    "arp_error_report",
                ),
        ),
        ("policy-rejected", via().denied(Direction::Ingress).rejected()),
        (
            "policy-egress",
            via()
                .denied(Direction::Egress)
                .dropped("NETFILTER_DROP", "nft_do_chain"),
        ),
        ("policy-ingress", Build::v6().denied(Direction::Ingress).unobserved()),
        (
            "policy-both",
            new().denied(Direction::Egress).denied(Direction::Ingress),
        ),
        ("accept-queue-full", via().delivered().listener(129, 128)),
        ("unanswered", via().delivered()),
        (
            "answer-lost",
            via()
                .delivered()
                .outcome(Outcome::HalfOpen, Some(Origin::DestinationPod)),
        ),
        (
            "refused-by-unknown",
            new()
                .unobserved()
                .outcome(Outcome::Refused, Some(Origin::Unknown))
                .with(|all| {
                    all.destination.identity = Identity::External;
                    all.attempt.points[0].reset = Some(FIRST + Duration::from_millis(31));
                }),
        ),
        (
            "aborted-by-client",
            new()
                .outcome(Outcome::Aborted, None)
                .with(|all| all.attempt.points[0].aborted = Some(FIRST + Duration::from_millis(500))),
        ),
        (
            "undecidable",
            new()
                .open(Undecidable::HostNetwork)
                .dropped("NETFILTER_DROP", "nft_do_chain"),
        ),
        ("undecidable", new().denied(Direction::Ingress).delivered()),
        ("undecidable", new().open(Undecidable::HostNetwork).connected()),
        ("-", via().connected()),
        (
            "-",
            new().connected().with(|all| {
                all.perhaps_via = Some(PerhapsVia {
                    service: Name::new("immich", "immich"),
                    port: HitPort {
                        name: "http".into(),
                        port: 80,
                        protocol: Protocol::Tcp,
                    },
                });
            }),
        ),
    ]
}

fn plain() -> Look {
    Look {
        colour: false,
        zone: jiff::tz::TimeZone::UTC,
    }
}

fn render(format: Format, look: Look, builds: &[Build]) -> String {
    let mut renderer = Renderer::new(format, look);
    builds.iter().map(|build| renderer.record(&record(build))).collect()
}

fn builds() -> Vec<Build> {
    cases().into_iter().map(|(_, build)| build).collect()
}

#[test]
fn every_cause_has_a_case_and_every_case_its_cause() {
    for (expect, build) in cases() {
        let cause = record(&build).cause.map_or("-", |cause| cause.code());
        assert_eq!(cause, expect);
    }
    for cause in Cause::ALL {
        assert!(
            cases().iter().any(|(code, _)| *code == cause.code()),
            "{}",
            cause.code()
        );
    }
}

#[test]
fn compact() {
    insta::assert_snapshot!(render(Format::Compact, plain(), &builds()));
}

#[test]
fn table() {
    insta::assert_snapshot!(render(Format::Table, plain(), &builds()));
}

#[test]
fn dict() {
    let builds: Vec<Build> = builds().into_iter().skip(10).take(2).collect();
    insta::assert_snapshot!(render(Format::Dict, plain(), &builds));
}

#[test]
fn an_attempt_that_connected_is_one_line_and_no_other_is_more_than_three() {
    for (label, build) in cases() {
        let text = render(Format::Compact, plain(), std::slice::from_ref(&build));
        let lines = text.lines().count();
        match (label, build.0.attempt.outcome) {
            ("-" | "undecidable", Outcome::Connected) => assert_eq!(lines, 1, "{text}"),
            _ => assert!((2..=3).contains(&lines), "{text}"),
        }
    }
}

#[test]
fn a_revision_says_that_it_corrects() {
    let build = Build::new().connected().with(|all| all.attempt.stage = Stage::Revision);
    let text = render(Format::Compact, plain(), std::slice::from_ref(&build));
    assert!(text.ends_with(" (corrected)\n"), "{text}");
}

#[test]
fn colours_change_nothing_but_colour() {
    let colour = Look {
        colour: true,
        ..plain()
    };
    for format in [Format::Compact, Format::Table, Format::Dict] {
        let painted = render(format, colour.clone(), &builds());
        assert!(painted.contains('\u{1b}'));
        let stripped = anstream::adapter::strip_str(&painted).to_string();
        assert_eq!(stripped, render(format, plain(), &builds()));
    }
    assert_eq!(
        render(Format::Json, colour, &builds()),
        render(Format::Json, plain(), &builds())
    );
}

#[test]
fn no_control_character_is_printed() {
    let hostile = Build::new().with(|all| {
        all.source.identity = Identity::Node {
            node: Some("a\u{1b}[2Jb\n\u{202e}c\u{9b}".into()),
            own: false,
            candidates: Vec::new(),
        };
    });
    for format in [Format::Compact, Format::Table, Format::Dict, Format::Json] {
        let text = render(format, plain(), std::slice::from_ref(&hostile));
        let bad = |c: char| c.is_control() && c != '\n';
        assert!(!text.contains(bad), "{format:?}: {text:?}");
        assert!(!text.contains('\u{202e}'), "{format:?}: {text:?}");
    }
    let json: serde_json::Value = serde_json::from_str(&render(Format::Json, plain(), &[hostile])).expect("JSON");
    assert_eq!(json["source"]["name"], "a\u{1b}[2Jb\n\u{202e}c\u{9b}");
    assert_eq!(clean("a\u{1b}b\u{202e}"), "a\\u{1b}b\\u{202e}");
    assert_eq!(clean("grün → ok"), "grün → ok");
}

#[test]
fn the_summary_counts_finals() {
    let mut summary = Summary::default();
    assert_eq!(summary.to_string(), "0 attempts\nno events lost");
    for build in builds() {
        summary.add(&record(&build));
        summary.add(&record(
            &build.clone().with(|all| all.attempt.stage = Stage::Provisional),
        ));
    }
    summary.add(&record(
        &Build::new().connected().with(|all| all.attempt.stage = Stage::Revision),
    ));
    summary.add_lost(Some(7));
    assert_eq!(summary.attempts(), builds().len() as u64);
    insta::assert_snapshot!(summary.to_string());
    insta::assert_json_snapshot!(summary.fields());
}
