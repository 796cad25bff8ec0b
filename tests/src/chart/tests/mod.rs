//! The chart against the API's types, its schema, the agent's own flags and metrics, and what is committed.

mod alerts;
mod dashboard;
mod objects;
mod promql;
mod values;

use serde_json::{Value as Json, json};

use super::*;

const RELEASE: Release<'static> = Release {
    name: "observer",
    namespace: "observer",
    service: "Helm",
};

fn chart() -> Chart {
    Chart::read(&folder()).expect("the chart")
}

/// Values with everything switched on that is off by default.
fn everything() -> Json {
    json!({
        "image": {"repository": "example.org/observer", "tag": "1.2.3", "pullPolicy": "Always"},
        "imagePullSecrets": [{"name": "pull"}],
        "createNamespace": true,
        "commonLabels": {"team": "network"},
        "podAnnotations": {"example.org/a": "1"},
        "podLabels": {"example.org/b": "true"},
        "serviceAccount": {"annotations": {"example.org/c": "2"}},
        "priorityClassName": "system-node-critical",
        "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
            {"matchExpressions": [{"key": "type", "operator": "NotIn", "values": ["virtual"]}]}]}}},
        "extraArgs": ["--attach=clsact"],
        "extraEnv": [{"name": "RUST_BACKTRACE", "value": "1"}],
        "tls": {"enabled": true, "existingSecret": "observer-tls"},
        "restrictNamespaces": ["shop", "web"],
        "events": {"enabled": true},
        "propagationWindow": "5s",
        "listeningSockets": {"enabled": true},
        "netnsPaths": ["/run/netns", "/var/run/docker/netns"],
        "seLinuxOptions": {"type": "spc_t"},
        "metrics": {
            "service": {"annotations": {"example.org/d": "3"}},
            "serviceMonitor": {
                "enabled": true, "labels": {"release": "prometheus"}, "scrapeTimeout": "10s",
                "relabelings": [{"targetLabel": "cluster", "replacement": "one"}],
                "metricRelabelings": [{"action": "drop", "sourceLabels": ["kind"], "regex": "x"}],
            },
        },
        "dashboards": {"enabled": true, "namespace": "monitoring", "annotations": {"folder": "network"}},
        "prometheusRule": {"enabled": true, "labels": {"release": "prometheus"}},
    })
}

#[test]
fn generated_manifests_are_what_is_committed() {
    for file in generated(&chart()).expect("the generated files") {
        let committed = fs::read_to_string(&file.path).unwrap_or_default();
        assert!(
            committed == file.text,
            "{} is not what the chart gives: run `cargo xtask chart`",
            file.path.display()
        );
    }
}

#[test]
fn versions_are_the_workspace_s() {
    let chart = chart();
    for key in ["version", "appVersion"] {
        assert_eq!(chart.metadata[key], env!("CARGO_PKG_VERSION"), "{key}");
    }
}

#[test]
fn notes_say_how_to_go_on() {
    let notes = chart().notes(RELEASE, &json!({})).expect("notes");
    assert!(notes.contains("observer tail --agent-namespace observer"), "{notes}");
    assert!(notes.contains("127.0.0.1:4245"), "{notes}");
    assert!(notes.contains("accept-queue-full is probable at most"), "{notes}");
    let notes = chart().notes(RELEASE, &everything()).expect("notes");
    assert!(
        notes.contains("--outcome connected --tls-ca ca.crt --tls-cert"),
        "{notes}"
    );
    assert!(notes.contains("only attempts that touch shop, web."), "{notes}");
    assert!(!notes.contains("accept-queue-full"), "{notes}");
}
