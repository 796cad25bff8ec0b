//! What the chart gives: of the API's types without a field too many, and with no right too many.

use std::collections::BTreeMap;

use clap::Parser as _;
use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Service, ServiceAccount};
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding};
use observer::cli::Cli;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::*;

/// Reads an object as a type, and wants every field to be one of the type's.
#[track_caller]
fn strictly<T: DeserializeOwned>(object: &Object) -> T {
    let mut unknown = Vec::new();
    let read = serde_ignored::deserialize(&object.json, |path| unknown.push(path.to_string()));
    let read = read.unwrap_or_else(|error| panic!("{}: {error}", object.template));
    assert!(unknown.is_empty(), "{}: no such field: {unknown:?}", object.template);
    read
}

fn render(values: &Json) -> Vec<Object> {
    chart().render(RELEASE, values).expect("objects")
}

#[track_caller]
fn one<'a>(objects: &'a [Object], kind: &str) -> &'a Object {
    let mut of_kind = objects.iter().filter(|object| object.json["kind"] == kind);
    let object = of_kind.next().unwrap_or_else(|| panic!("no {kind}"));
    assert!(of_kind.next().is_none(), "several {kind}");
    object
}

/// What the Prometheus operator's types have of what the chart uses.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[expect(dead_code, reason = "only whether it can be read matters")]
struct ServiceMonitorSpec {
    selector: k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector,
    namespace_selector: BTreeMap<String, Vec<String>>,
    job_label: String,
    endpoints: Vec<Endpoint>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[expect(dead_code, reason = "only whether it can be read matters")]
struct Endpoint {
    port: String,
    honor_labels: bool,
    interval: String,
    scrape_timeout: Option<String>,
    relabelings: Vec<Relabeling>,
    #[serde(default)]
    metric_relabelings: Vec<Relabeling>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[expect(dead_code, reason = "only whether it can be read matters")]
struct Relabeling {
    action: Option<String>,
    source_labels: Option<Vec<String>>,
    target_label: Option<String>,
    regex: Option<String>,
    replacement: Option<String>,
}

#[test]
fn objects_are_of_the_api_s_types() {
    for values in [json!({}), everything()] {
        for object in render(&values) {
            match object.json["kind"].as_str().expect("a kind") {
                "Namespace" => drop(strictly::<Namespace>(&object)),
                "ServiceAccount" => drop(strictly::<ServiceAccount>(&object)),
                "ClusterRole" => drop(strictly::<ClusterRole>(&object)),
                "ClusterRoleBinding" => drop(strictly::<ClusterRoleBinding>(&object)),
                "Service" => drop(strictly::<Service>(&object)),
                "ConfigMap" => drop(strictly::<ConfigMap>(&object)),
                "DaemonSet" => drop(strictly::<DaemonSet>(&object)),
                "ServiceMonitor" => {
                    ServiceMonitorSpec::deserialize(&object.json["spec"]).expect("a ServiceMonitor");
                }
                // Its groups are read in `alerts`.
                "PrometheusRule" => assert!(object.json["spec"]["groups"].is_array()),
                kind => panic!("a test has to be written for {kind}"),
            }
        }
    }
}

#[test]
fn what_is_off_by_default_is_not_there() {
    let kinds = |values: &Json| -> Vec<String> {
        let kind = |object: &Object| object.json["kind"].as_str().expect("a kind").to_owned();
        render(values).iter().map(kind).collect()
    };
    let few = [
        "ServiceAccount",
        "ClusterRole",
        "ClusterRoleBinding",
        "Service",
        "DaemonSet",
    ];
    assert_eq!(kinds(&json!({})), few);
    let all = kinds(&everything());
    assert_eq!(all[0], "Namespace", "what others live in comes first");
    for kind in ["ConfigMap", "ServiceMonitor", "PrometheusRule"] {
        assert!(all.iter().any(|other| other == kind), "{kind}");
    }
    let none = json!({"rbac": {"create": false}, "serviceAccount": {"create": false}});
    assert_eq!(kinds(&none), ["Service", "DaemonSet"]);
}

#[test]
fn agents_may_read_and_nothing_else() {
    for (values, writes) in [(json!({}), 0), (everything(), 1)] {
        let role: ClusterRole = strictly(one(&render(&values), "ClusterRole"));
        let rules = role.rules.expect("rules");
        let writing: Vec<_> = rules
            .iter()
            .filter(|rule| rule.verbs != ["get", "list", "watch"])
            .collect();
        assert_eq!(writing.len(), writes, "{writing:?}");
        for rule in writing {
            assert_eq!(rule.resources.as_deref(), Some(&["events".to_owned()][..]));
            assert_eq!(rule.verbs, ["create", "patch"]);
        }
        for rule in &rules {
            let named = rule
                .api_groups
                .iter()
                .chain(&rule.resources)
                .flatten()
                .chain(&rule.verbs);
            assert!(named.into_iter().all(|name| name != "*"), "{rule:?}");
        }
    }
}

#[test]
fn agents_are_not_privileged() {
    for (values, capabilities) in [
        (json!({}), &["BPF", "NET_ADMIN", "PERFMON", "SYSLOG"][..]),
        (everything(), &["BPF", "NET_ADMIN", "PERFMON", "SYS_ADMIN", "SYSLOG"]),
    ] {
        let set: DaemonSet = strictly(one(&render(&values), "DaemonSet"));
        let pod = set.spec.expect("a spec").template.spec.expect("a pod");
        assert_eq!((pod.host_network, pod.host_pid, pod.host_ipc), (Some(true), None, None));
        let profile = pod.security_context.and_then(|context| context.seccomp_profile);
        assert_eq!(profile.expect("a profile").type_, "RuntimeDefault");
        let context = pod.containers[0].security_context.clone().expect("a context");
        assert_eq!(context.privileged, None);
        assert_eq!(context.allow_privilege_escalation, Some(false));
        assert_eq!(context.read_only_root_filesystem, Some(true));
        let granted = context.capabilities.expect("capabilities");
        assert_eq!(granted.drop.as_deref(), Some(&["ALL".to_owned()][..]));
        assert_eq!(granted.add.expect("capabilities"), capabilities);
        for mount in pod.containers[0].volume_mounts.iter().flatten() {
            assert_eq!(mount.read_only, Some(true), "{mount:?}");
        }
    }
}

#[test]
fn clients_find_the_agents() {
    let set: DaemonSet = strictly(one(&render(&everything()), "DaemonSet"));
    let template = set.spec.expect("a spec").template;
    let labels = template.metadata.expect("metadata").labels.expect("labels");
    assert_eq!(labels["app.kubernetes.io/name"], "observer");
    assert_eq!(labels["app.kubernetes.io/component"], "agent");
    let ports = template.spec.expect("a pod").containers[0]
        .ports
        .clone()
        .expect("ports");
    assert!(
        ports.iter().any(|port| port.name.as_deref() == Some("grpc")),
        "{ports:?}"
    );
}

#[test]
fn the_agent_takes_what_the_chart_gives_it() {
    for values in [json!({}), everything()] {
        let set: DaemonSet = strictly(one(&render(&values), "DaemonSet"));
        let containers = set.spec.expect("a spec").template.spec.expect("a pod").containers;
        let arguments = containers[0].args.clone().expect("arguments");
        let line = ["observer".to_owned()].into_iter().chain(arguments);
        if let Err(error) = Cli::try_parse_from(line) {
            panic!("{error}");
        }
    }
}
