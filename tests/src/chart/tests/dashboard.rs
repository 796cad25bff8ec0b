//! The dashboard: every query of every panel, and the form that Grafana wants.

use std::collections::BTreeSet;

use super::*;

fn dashboard() -> Json {
    let objects = chart().render(RELEASE, &everything()).expect("objects");
    let map = objects
        .iter()
        .find(|object| object.json["kind"] == "ConfigMap")
        .expect("a ConfigMap");
    serde_json::from_str(map.json["data"]["observer.json"].as_str().expect("a file")).expect("JSON")
}

/// Variables with something that they may stand for.
fn filled(query: &str) -> String {
    query
        .replace("$__rate_interval", "5m")
        .replace("$__range", "1h")
        .replace("$direction", "egress")
        .replace("$namespace", ".*")
        .replace("$node", ".*")
}

#[test]
fn panels_ask_for_metrics_that_exist() {
    let dashboard = dashboard();
    let panels = dashboard["panels"].as_array().expect("panels");
    let queries = panels
        .iter()
        .flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    let mut asked = 0;
    for query in queries.map(|target| target["expr"].as_str().expect("a query")) {
        let query = filled(query);
        assert!(!query.contains('$'), "an unknown variable in {query}");
        let faults = promql::faults(&query);
        assert!(faults.is_empty(), "{query}: {faults:?}");
        asked += 1;
    }
    assert!(asked >= panels.len() / 2);
}

#[test]
fn variables_ask_for_labels_that_exist() {
    for variable in dashboard()["templating"]["list"].as_array().expect("variables") {
        let Some(query) = variable["query"]["query"].as_str() else {
            continue;
        };
        let inner = query
            .strip_prefix("label_values(")
            .and_then(|rest| rest.strip_suffix(')'))
            .expect(query);
        let (series, label) = inner.split_once(", ").expect(query);
        let faults = promql::faults(&format!("sum by ({label}) ({series})"));
        assert!(faults.is_empty(), "{query}: {faults:?}");
    }
}

#[test]
fn panels_have_their_own_place_and_number() {
    let dashboard = dashboard();
    let mut numbers = BTreeSet::new();
    let mut taken = BTreeSet::new();
    for panel in dashboard["panels"].as_array().expect("panels") {
        assert!(numbers.insert(panel["id"].as_u64().expect("a number")), "{panel}");
        let at = |key: &str| panel["gridPos"][key].as_u64().expect("a place");
        assert!(at("x") + at("w") <= 24, "{panel}");
        for x in at("x")..at("x") + at("w") {
            for y in at("y")..at("y") + at("h") {
                assert!(taken.insert((x, y)), "{} lies on another", panel["title"]);
            }
        }
    }
}
