//! Values: what the schema takes and refuses, and where each goes.

use super::*;

fn schema() -> jsonschema::Validator {
    let text = fs::read_to_string(folder().join("values.schema.json")).expect("the schema");
    let schema: Json = serde_json::from_str(&text).expect("JSON");
    jsonschema::validator_for(&schema).expect("a schema")
}

/// Defaults with values laid over them.
fn with(values: &Json) -> Json {
    let mut all = chart().values;
    merge(&mut all, values, "").expect("values of the chart");
    all
}

#[test]
fn the_schema_takes_the_defaults_and_everything() {
    let schema = schema();
    for values in [json!({}), everything()] {
        let wrong: Vec<String> = schema
            .iter_errors(&with(&values))
            .map(|error| error.to_string())
            .collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }
}

#[test]
fn the_schema_describes_every_value() {
    fn compare(schema: &Json, values: &Json, at: &str) {
        let Some(properties) = schema.get("properties").and_then(Json::as_object) else {
            return;
        };
        let values = values.as_object().unwrap_or_else(|| panic!("{at} is no map"));
        for key in values.keys() {
            assert!(properties.contains_key(key), "{at}{key} is not in the schema");
        }
        for (key, schema) in properties.iter().filter(|(key, _)| *key != "global") {
            assert!(schema["description"].is_string(), "{at}{key} has no description");
            let value = values.get(key).unwrap_or_else(|| panic!("{at}{key} has no default"));
            compare(schema, value, &format!("{at}{key}."));
        }
    }
    let text = fs::read_to_string(folder().join("values.schema.json")).expect("the schema");
    compare(&serde_json::from_str(&text).expect("JSON"), &chart().values, "");
}

#[test]
fn the_schema_refuses_what_would_do_nothing_or_harm() {
    let schema = schema();
    for wrong in [
        json!({"image": {"pullPolicy": "Sometimes"}}),
        json!({"image": {"digest": "latest"}}),
        json!({"metrics": {"port": 0}}),
        json!({"metrics": {"servicemonitor": {"enabled": true}}}),
        json!({"restrictNamespaces": "shop"}),
        json!({"restrictNamespaces": ["Shop,web"]}),
        json!({"recent": {"age": "15 minutes"}}),
        json!({"log": {"level": "loud"}}),
        json!({"tls": {"enabled": true}}),
        json!({"netnsPaths": ["run/netns"]}),
        json!({"podLabels": {"a": 1}}),
    ] {
        assert!(!schema.is_valid(&with(&wrong)), "{wrong}");
    }
}

/// What a value changes: at a path of the object of a kind.
#[track_caller]
fn check(values: &Json, kind: &str, pointer: &str, expect: &Json) {
    let objects = chart().render(RELEASE, values).expect("objects");
    let object = objects.iter().find(|object| object.json["kind"] == kind).expect(kind);
    assert_eq!(object.json.pointer(pointer), Some(expect), "{values}: {kind}{pointer}");
}

#[test]
fn values_go_where_they_belong() {
    const POD: &str = "/spec/template/spec";
    let pod = |values: Json, pointer: &str, expect: Json| {
        check(&values, "DaemonSet", &format!("{POD}{pointer}"), &expect);
    };
    pod(
        json!({}),
        "/containers/0/image",
        json!(format!("localhost/observer:{}", env!("CARGO_PKG_VERSION"))),
    );
    pod(
        json!({"image": {"tag": "7"}}),
        "/containers/0/image",
        json!("localhost/observer:7"),
    );
    let digest = format!("sha256:{}", "0".repeat(64));
    pod(
        json!({"image": {"digest": digest}}),
        "/containers/0/image",
        json!(format!("localhost/observer@{digest}")),
    );
    pod(
        json!({"tolerations": [{"key": "x"}]}),
        "/tolerations",
        json!([{"key": "x"}]),
    );
    pod(json!({}), "/tolerations", json!([{"operator": "Exists"}]));
    pod(json!({"nodeSelector": {"a": "b"}}), "/nodeSelector/a", json!("b"));
    pod(
        json!({"resources": {"limits": {"memory": "1Gi"}}}),
        "/containers/0/resources/limits/memory",
        json!("1Gi"),
    );
    pod(json!({"priorityClassName": "p"}), "/priorityClassName", json!("p"));
    pod(
        json!({"serviceAccount": {"create": false}}),
        "/serviceAccountName",
        json!("default"),
    );
    pod(json!({"fullnameOverride": "eye"}), "/serviceAccountName", json!("eye"));
    check(
        &json!({"fullnameOverride": "eye"}),
        "DaemonSet",
        "/metadata/name",
        &json!("eye"),
    );
    check(
        &json!({"nameOverride": "eye"}),
        "DaemonSet",
        "/metadata/name",
        &json!("observer-eye"),
    );
    check(
        &json!({"namespaceOverride": "eyes"}),
        "DaemonSet",
        "/metadata/namespace",
        &json!("eyes"),
    );
    check(
        &json!({"namespaceOverride": "eyes"}),
        "ClusterRoleBinding",
        "/subjects/0/namespace",
        &json!("eyes"),
    );
    check(
        &json!({"updateStrategy": {"type": "OnDelete", "rollingUpdate": null}}),
        "DaemonSet",
        "/spec/updateStrategy",
        &json!({"type": "OnDelete"}),
    );
    check(
        &everything(),
        "ConfigMap",
        "/metadata/labels/grafana_dashboard",
        &json!("1"),
    );
    check(&everything(), "ConfigMap", "/metadata/namespace", &json!("monitoring"));
    check(
        &everything(),
        "ServiceMonitor",
        "/metadata/labels/release",
        &json!("prometheus"),
    );
}

#[test]
fn a_release_of_another_name_keeps_apart() {
    let release = Release {
        name: "second",
        namespace: "elsewhere",
        service: "Helm",
    };
    for object in chart().render(release, &everything()).expect("objects") {
        let kind = object.json["kind"].as_str().expect("a kind");
        let expect = match kind {
            "Namespace" => "elsewhere",
            "ConfigMap" => "second-observer-dashboard",
            _ => "second-observer",
        };
        assert_eq!(object.json["metadata"]["name"], expect, "{kind}");
    }
}

#[test]
fn tls_without_a_secret_says_what_to_give() {
    let error = chart()
        .render(RELEASE, &json!({"tls": {"enabled": true}}))
        .expect_err("no Secret");
    assert!(error.to_string().contains("tls.existingSecret"), "{error:#}");
    assert!(
        chart().render(RELEASE, &json!({"immage": {}})).is_err(),
        "no such value"
    );
}
