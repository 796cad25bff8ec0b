//! What is counted, and that scrapers can read it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::metrics::MetricType;

use super::{ALL, Metrics};
use crate::agent::{Figures, Held, NodeCoverage, Output, Table};
use crate::attempt::{Origin, Outcome, Stage};
use crate::cluster;
use crate::coverage::{PodCoverage, Unobserved, Why};
use crate::diagnosis::diagnose;
use crate::diagnosis::tests::build::Build;
use crate::endpoint::{Identity, Unknown};
use crate::engine::Diagnosed;
use crate::flows::Limits;
use crate::objects::{Kind, Name, Pod, Str};
use crate::policy::Direction;
use crate::probe::coverage::{Code, Coverage, Degraded};
use crate::serve::hub::Hub;
use crate::time::Time;

/// Of an agent that has seen nothing.
fn new() -> Metrics {
    let limits = Limits::of(100, Duration::from_secs(900));
    Metrics::new(Hub::new("node-a".into(), limits, None), Some(Arc::default()))
}

fn attempt(build: Build) -> Output {
    Output::Attempt(Box::new(Diagnosed {
        diagnosis: diagnose(&build.0),
        assessment: build.0,
    }))
}

/// Samples that are not zero and whose names have one of these beginnings.
fn samples(metrics: &Metrics, beginnings: &[&str]) -> Vec<String> {
    let text = metrics.text();
    let wanted = |line: &&str| beginnings.iter().any(|beginning| line.starts_with(beginning)) && !line.ends_with(" 0");
    text.lines().filter(wanted).map(str::to_owned).collect()
}

/// What these attempts are counted as, beside the histogram.
#[track_caller]
fn check(builds: impl IntoIterator<Item = Build>, expect: &[&str]) {
    let metrics = new();
    for build in builds {
        metrics.take(&attempt(build));
    }
    let beginnings = [
        "observer_attempts",
        "observer_dns",
        "observer_cross",
        "observer_enforcement",
    ];
    let mut counted = samples(&metrics, &beginnings);
    counted.sort();
    assert_eq!(counted, expect);
}

/// Changes the pod that dials.
fn source(build: Build, change: impl FnOnce(&mut Pod)) -> Build {
    build.with(|all| {
        if let Identity::Pod(pod) = &mut all.source.identity {
            change(Arc::make_mut(pod));
        }
    })
}

#[test]
fn an_attempt_counts_out_of_one_namespace_and_into_another() {
    check(
        [Build::new().connected(), Build::new().connected()],
        &[
            r#"observer_attempts_total{direction="egress",namespace="homepage",outcome="connected",cause="none"} 2"#,
            r#"observer_attempts_total{direction="ingress",namespace="immich",outcome="connected",cause="none"} 2"#,
            r#"observer_cross_namespace_attempts_total{namespace="homepage",outcome="connected"} 2"#,
        ],
    );
}

#[test]
fn within_a_namespace_nothing_crosses() {
    check(
        [source(Build::new().refused(), |pod| {
            pod.name = Name::new("immich", "other");
        })],
        &[
            r#"observer_attempts_total{direction="egress",namespace="immich",outcome="refused",cause="app-not-listening"} 1"#,
            r#"observer_attempts_total{direction="ingress",namespace="immich",outcome="refused",cause="app-not-listening"} 1"#,
        ],
    );
}

#[test]
fn only_what_is_final_counts() {
    let stage = |stage| Build::new().with(|all| all.attempt.stage = stage);
    check([stage(Stage::Provisional)], &[]);
    check([stage(Stage::Revision)], &["observer_attempts_revised_total 1"]);
}

#[test]
fn one_agent_counts_an_attempt() {
    let at_destination = || Build::new().connected().with(|all| all.attempt.source_observed = false);
    let other_node = |pod: &mut Pod| pod.node = Some("node-b".into());
    check(
        [source(at_destination(), other_node)],
        &["observer_attempts_elsewhere_total 1"],
    );
    // Nobody else will: the pod is here, and its interface is not observed.
    check(
        [at_destination()],
        &[
            r#"observer_attempts_total{direction="egress",namespace="homepage",outcome="connected",cause="none"} 1"#,
            r#"observer_attempts_total{direction="ingress",namespace="immich",outcome="connected",cause="none"} 1"#,
            r#"observer_cross_namespace_attempts_total{namespace="homepage",outcome="connected"} 1"#,
        ],
    );
    check(
        [at_destination().with(|all| all.source.identity = Identity::External)],
        &[r#"observer_attempts_total{direction="ingress",namespace="immich",outcome="connected",cause="none"} 1"#],
    );
}

#[test]
fn what_cannot_be_named_still_counts() {
    check(
        [Build::new().connected().with(|all| {
            all.source.identity = Identity::Unknown(Unknown::NoObjects);
            all.destination.identity = Identity::External;
        })],
        &[r#"observer_attempts_total{direction="egress",namespace="_unknown",outcome="connected",cause="none"} 1"#],
    );
}

#[test]
fn dns_is_what_was_dialled_at_port_53() {
    check(
        [Build::new()
            .with(|all| {
                all.attempt.server.set_port(53);
                all.destination.address.set_port(53);
                all.destination.identity = Identity::External;
            })
            .outcome(Outcome::Unreachable, Some(Origin::Path))],
        &[
            r#"observer_attempts_total{direction="egress",namespace="homepage",outcome="unreachable",cause="blocked-not-by-policy"} 1"#,
            r#"observer_dns_attempts_total{namespace="homepage",outcome="unreachable"} 1"#,
        ],
    );
}

#[test]
fn a_gap_counts_from_the_third_in_a_row_on() {
    let gap = |times| {
        Build::new()
            .connected()
            .denied(Direction::Ingress)
            .with(|all| all.answered_although_denied = times)
    };
    let metrics = new();
    for times in 1..=4 {
        metrics.take(&attempt(gap(times)));
    }
    assert_eq!(
        samples(&metrics, &["observer_enforcement"]),
        [r#"observer_enforcement_gap_attempts_total{namespace="immich",policy="allow-ingress",direction="ingress"} 2"#]
    );
}

#[test]
fn the_handshake_is_that_of_the_client() {
    let metrics = new();
    metrics.take(&attempt(Build::new().connected()));
    metrics.take(&attempt(
        Build::new().connected().with(|all| all.attempt.source_observed = false),
    ));
    metrics.take(&attempt(Build::new()));
    let samples = samples(&metrics, &["observer_handshake"]);
    assert!(
        samples.contains(&"observer_handshake_duration_seconds_count 1".to_owned()),
        "{samples:?}"
    );
    assert!(
        samples.contains(&r#"observer_handshake_duration_seconds_bucket{le="0.0005"} 1"#.to_owned()),
        "{samples:?}"
    );
}

#[test]
fn namespaces_beyond_the_bound_count_as_other_until_one_is_silent() {
    let metrics = new();
    let take = |namespace: String, later: Duration| {
        let build = source(Build::new().connected(), |pod| pod.name = Name::new(namespace, "pod"));
        metrics.take(&attempt(build.with(|all| {
            all.attempt.decided = all.attempt.decided + later;
            all.destination.identity = Identity::External;
        })));
    };
    let told = |namespace: &str| {
        let series = format!(r#"observer_attempts_total{{direction="egress",namespace="{namespace}""#);
        samples(&metrics, &[&series]).pop()
    };
    for number in 0..130 {
        take(format!("ns{number}"), Duration::ZERO);
    }
    assert!(told("ns127").is_some() && told("ns128").is_none());
    assert!(told("_other").is_some_and(|line| line.ends_with(" 2")));
    take("ns0".into(), Duration::from_secs(3000));
    take("late".into(), Duration::from_secs(3700));
    assert!(
        told("late").is_some() && told("ns1").is_none(),
        "a silent one made room"
    );
    assert!(
        told("ns0").is_some_and(|line| line.ends_with(" 2")),
        "not one that was heard of"
    );
}

fn figures() -> Figures {
    Figures {
        at: Time(2_000_000_000),
        clock_off: Duration::ZERO,
        swept: Time(1_500_000_000),
        counters: BTreeMap::from([("events_lost_ring_full", 3), ("handshakes_inserted", 9)]),
        tables: vec![Table {
            name: "handshakes",
            used: 5,
            capacity: 65536,
        }],
        ring: (96, 1 << 20),
        conntrack: Some((7, 100)),
        api: Some(cluster::Health {
            synced: true,
            current: Some(Time(1_000_000_000)),
            refused: 2,
            requests: 12,
            ..cluster::Health::default()
        }),
        held: Arc::new(Held {
            objects: BTreeMap::from([(Kind::Pod, 12), (Kind::NetworkPolicy, 3)]),
            policies: BTreeMap::from([("shop".into(), 2), ("blog".into(), 1)]),
        }),
        policies_changed: vec![Some("shop".into()), None, Some("shop".into())],
    }
}

fn coverage() -> NodeCoverage {
    NodeCoverage {
        interfaces: Coverage {
            degraded: vec![Degraded {
                code: Code::NoTcx,
                what: String::new(),
                lost: String::new(),
                fix: String::new(),
            }],
            ..Coverage::default()
        },
        pods: PodCoverage {
            observed: Vec::new(),
            unobserved: vec![Unobserved {
                pod: "shop/api".into(),
                why: Why::NoAddress,
            }],
        },
    }
}

/// Of an agent that has something to say in most families.
fn busy() -> Metrics {
    let metrics = new();
    metrics.take(&attempt(Build::new().connected()));
    metrics.take(&attempt(Build::new().connected().denied(Direction::Egress).with(
        |all| {
            all.answered_although_denied = 3;
            all.attempt.server.set_port(53);
        },
    )));
    metrics.take(&Output::Figures(Box::new(figures())));
    metrics.take(&Output::Coverage(Box::new(coverage())));
    metrics
}

#[test]
fn figures_are_told() {
    let metrics = busy();
    for line in [
        r#"observer_policies{namespace="blog"} 1.0"#,
        r#"observer_policies_changed_total{namespace="shop"} 2"#,
        r#"observer_policies_changed_total{namespace="_cluster"} 1"#,
        r#"observer_objects{kind="Pod"} 12.0"#,
        r#"observer_node_pods{state="no-address"} 1.0"#,
        r#"observer_degraded{code="no-tcx"} 1.0"#,
        r#"observer_lost_total{kind="events_lost_ring_full"} 3"#,
        r#"observer_counted_total{kind="handshakes_inserted"} 9"#,
        r#"observer_table_entries{table="handshakes"} 5.0"#,
        r#"observer_ring_waiting_bytes 96.0"#,
        r#"observer_conntrack_capacity 100.0"#,
        r#"observer_api_synced 1.0"#,
        r#"observer_api_refused_objects 2.0"#,
        r#"observer_api_requests_total 12"#,
        // As old as the test's clock makes it.
        "observer_api_view_age_seconds ",
        r#"observer_last_sweep_timestamp_seconds 1.5"#,
    ] {
        assert_eq!(samples(&metrics, &[line]).len(), 1, "{line} in\n{}", metrics.text());
    }
    let unchanged = r#"observer_policies_changed_total{namespace="blog"} 0"#;
    assert!(metrics.text().contains(unchanged), "{}", metrics.text());
}

/// A sample's name, labels without `le`, and value.
fn parse(line: &str) -> (&str, Vec<&str>, f64) {
    let (series, value) = line.rsplit_once(' ').expect("a value");
    let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
    let labels = labels.strip_suffix('}').expect("closed");
    let names = labels.split(',').filter(|label| !label.is_empty());
    let names = names.map(|label| label.split_once('=').expect("a label").0);
    (
        name,
        names.filter(|name| *name != "le").collect(),
        value.parse().expect("a number"),
    )
}

/// The rules of OpenMetrics that parsers hold exporters to, and our table.
#[test]
fn every_family_of_the_table_is_exposed_and_no_other() {
    for metrics in [new(), busy()] {
        let text = metrics.text();
        let body = text.strip_suffix("# EOF\n").expect("an end");
        let mut families = Vec::new();
        let mut seen = BTreeSet::new();
        for line in body.lines() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                families.push(help.split_once(' ').expect("a help").0);
            } else if let Some(kind) = line.strip_prefix("# TYPE ") {
                let (name, kind) = kind.split_once(' ').expect("a type");
                assert_eq!(families.last(), Some(&name), "the type follows the help");
                let metric = ALL.iter().find(|metric| metric.name == name).expect("in the table");
                assert_eq!(metric.kind.as_str(), kind, "{name}");
            } else {
                let (name, labels, value) = parse(line);
                let family = families.last().expect("a family before its samples");
                let metric = ALL.iter().find(|metric| metric.name == *family).expect("in the table");
                assert!(metric.series().any(|series| series == name), "{line} in {family}");
                assert_eq!(labels, metric.labels, "{line}");
                assert!(value.is_finite(), "{line}");
                assert!(!matches!(metric.kind, MetricType::Counter) || value >= 0.0, "{line}");
                assert!(seen.insert(line.rsplit_once(' ').expect("a value").0), "twice: {line}");
            }
        }
        let table: Vec<&str> = ALL.iter().map(|metric| metric.name).collect();
        assert_eq!(families, table);
    }
}

#[test]
fn policies_of_too_many_namespaces_are_summed() {
    let metrics = new();
    let policies: BTreeMap<Str, usize> = (0..200)
        .map(|number| (format!("ns{number:03}").into(), number))
        .collect();
    let sum: usize = policies.values().sum();
    metrics.take(&Output::Figures(Box::new(Figures {
        held: Arc::new(Held {
            policies,
            ..Held::default()
        }),
        ..Figures::default()
    })));
    let samples = samples(&metrics, &["observer_policies{"]);
    assert_eq!(samples.len(), 129);
    let total: f64 = samples.iter().map(|line| parse(line).2).sum();
    assert_eq!(total, sum as f64);
    assert!(
        samples.iter().any(|line| line.contains("ns199")),
        "those with most are kept apart"
    );
}
