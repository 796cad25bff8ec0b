//! The alert rules: of the operator's form, about metrics that exist, with the advice that `observer explain` gives.

use std::collections::{BTreeMap, BTreeSet};

use observer::diagnosis::pages;
use serde::Deserialize;

use super::*;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Groups {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    name: String,
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    alert: String,
    expr: String,
    #[serde(rename = "for")]
    lasting: Option<String>,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
}

fn rules() -> Vec<Rule> {
    let objects = chart().render(RELEASE, &everything()).expect("objects");
    let object = objects.iter().find(|object| object.json["kind"] == "PrometheusRule");
    let Groups { groups } = Groups::deserialize(&object.expect("a rule").json["spec"]).expect("groups");
    let names: BTreeSet<_> = groups.iter().map(|group| &group.name).collect();
    assert_eq!(names.len(), groups.len());
    groups.into_iter().flat_map(|group| group.rules).collect()
}

#[test]
fn rules_ask_for_metrics_that_exist() {
    for rule in rules() {
        let faults = promql::faults(&rule.expr);
        assert!(faults.is_empty(), "{}: {faults:?}", rule.alert);
    }
}

#[test]
fn rules_say_what_a_reader_needs() {
    for rule in rules() {
        assert!(rule.alert.starts_with("Observer"), "{}", rule.alert);
        assert!(
            ["critical", "warning"].contains(&rule.labels["severity"].as_str()),
            "{}",
            rule.alert
        );
        for part in ["summary", "description"] {
            assert!(rule.annotations.contains_key(part), "{} has no {part}", rule.alert);
        }
        if let Some(lasting) = rule.lasting {
            assert!(lasting.ends_with('m'), "{}: {lasting}", rule.alert);
        }
        // Labels that the text names have to survive the aggregation.
        let by = rule
            .expr
            .split("by (")
            .nth(1)
            .and_then(|rest| rest.split(')').next())
            .unwrap_or("node");
        for text in rule.annotations.values() {
            for named in text.split("$labels.").skip(1) {
                let label: String = named.chars().take_while(char::is_ascii_alphabetic).collect();
                assert!(
                    by.split(", ").any(|kept| kept == label),
                    "{}: $labels.{label}",
                    rule.alert
                );
            }
        }
    }
}

#[test]
fn advice_is_what_explain_says() {
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut explained = 0;
    for rule in rules() {
        let Some(code) = rule.annotations.get("explain") else {
            continue;
        };
        let page = pages::find(code)
            .first()
            .map(|page| words(&page.to_string()))
            .unwrap_or_default();
        let action = words(&rule.annotations["action"]);
        assert!(page.contains(&action), "{}: {action}\nis not in\n{page}", rule.alert);
        explained += 1;
    }
    assert!(explained > 0);
}

/// Codes that queries compare `cause` and `outcome` with.
#[test]
fn rules_name_codes_that_exist() {
    for rule in rules() {
        for label in ["cause", "outcome"] {
            for value in rule
                .expr
                .split(label)
                .skip(1)
                .filter_map(|rest| rest.split('"').nth(1).filter(|_| rest.starts_with(['=', '!'])))
            {
                for code in value.split('|') {
                    let known = pages::all().any(|page| match code.strip_suffix(".*") {
                        Some(beginning) => page.code.starts_with(beginning),
                        None => page.code == code,
                    });
                    assert!(known, "{}: {code}", rule.alert);
                }
            }
        }
    }
}
