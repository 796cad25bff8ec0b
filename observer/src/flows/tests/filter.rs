//! Which attempts a filter of the API wants: one table for every field.

use observer_api::flow::{
    DropReason, EventTypeFilter, FlowFilter, HttpHeader, IpVersion, NetworkInterface, TcpFlags, TrafficDirection,
    Verdict, Workload, flow_filter::Experimental,
};

use super::record;
use crate::diagnosis::tests::build::Build;
use crate::endpoint::Identity;
use crate::flows::{FlowFilters, Refused};
use crate::policy::Direction;
use crate::report::Record;

/// What is filtered: four attempts of pod homepage/homepage-7d9f-x2x4v.
fn records() -> [(&'static str, Record); 4] {
    let external = Build::new()
        .unobserved()
        .with(|all| all.destination.identity = Identity::External);
    [
        ("connected", record(&Build::new().connected())),
        (
            "denied",
            record(
                &Build::new()
                    .service(80, &[(true, false)])
                    .became()
                    .denied(Direction::Ingress),
            ),
        ),
        ("nobody", record(&Build::new().service(80, &[]).rejected())),
        ("external", record(&external)),
    ]
}

fn filters(whitelist: &[FlowFilter], blacklist: &[FlowFilter]) -> Result<FlowFilters, Refused> {
    FlowFilters::new(whitelist.to_vec(), blacklist.to_vec())
}

fn matched(filters: &FlowFilters) -> Vec<&'static str> {
    let wanted = records().into_iter().filter(|(_, record)| filters.matches(record));
    wanted.map(|(name, _)| name).collect()
}

const ALL: &[&str] = &["connected", "denied", "nobody", "external"];

fn text(values: &[&str]) -> Vec<String> {
    values.iter().map(|value| (*value).to_owned()).collect()
}

/// A filter with these fields.
macro_rules! filter {
    ($($field:ident: $value:expr),* $(,)?) => {
        FlowFilter { $($field: $value,)* ..FlowFilter::default() }
    };
}

#[test]
fn each_field_matches_by_one_of_its_values() {
    let workload = |kind: &str, name: &str| Workload {
        kind: kind.into(),
        name: name.into(),
    };
    let interface = |name: &str| NetworkInterface {
        index: 0,
        name: name.into(),
    };
    let event = |r#type, sub_type: Option<i32>| EventTypeFilter {
        r#type,
        match_sub_type: sub_type.is_some(),
        sub_type: sub_type.unwrap_or_default(),
    };
    let syn = TcpFlags {
        syn: true,
        ..TcpFlags::default()
    };
    let id = records()[1].1.id.clone();
    let cases: Vec<(FlowFilter, &[&str])> = vec![
        (FlowFilter::default(), ALL),
        (filter!(uuid: vec![id]), ALL),
        (filter!(uuid: text(&["7"])), &[]),
        (filter!(source_ip: text(&["10.0.0.1"])), ALL),
        (filter!(source_ip: text(&["10.0.0.2"])), &[]),
        (
            filter!(destination_ip: text(&["10.96.0.10", "fd00::/8"])),
            &["denied", "nobody"],
        ),
        (
            filter!(destination_ip: text(&["10.0.0.0/24"])),
            &["connected", "denied", "external"],
        ),
        (filter!(source_ip_xlated: text(&["10.0.0.0/8"])), &[]),
        (filter!(source_pod: text(&["homepage/homepage-"])), ALL),
        (filter!(source_pod: text(&["homepage/"])), ALL),
        (filter!(source_pod: text(&["/homepage"])), ALL),
        // Without a namespace it is `default`.
        (filter!(source_pod: text(&["homepage"])), &[]),
        (
            filter!(destination_pod: text(&["immich/immich-server"])),
            &["connected", "denied"],
        ),
        (
            filter!(destination_pod: text(&["immich/"])),
            &["connected", "denied", "nobody"],
        ),
        (
            filter!(destination_pod: text(&["/"])),
            &["connected", "denied", "nobody"],
        ),
        (filter!(destination_pod: text(&["immich/server"])), &[]),
        (filter!(source_label: text(&["app=homepage"])), ALL),
        (filter!(source_label: text(&["k8s:app in (homepage,web)"])), ALL),
        (filter!(source_label: text(&["any:app!=homepage"])), &[]),
        (filter!(source_label: text(&["container:app=homepage"])), &[]),
        (
            filter!(source_label: text(&["k8s:io.kubernetes.pod.namespace=homepage"])),
            ALL,
        ),
        (filter!(destination_label: text(&["reserved:world"])), &["external"]),
        (
            filter!(destination_label: text(&["!reserved:world", "x=y"])),
            &["connected", "denied", "nobody"],
        ),
        (
            filter!(destination_service: text(&["immich/imm"])),
            &["denied", "nobody"],
        ),
        (filter!(destination_service: text(&["immich"])), &[]),
        (filter!(source_workload: vec![workload("Deployment", "homepage")]), ALL),
        (filter!(source_workload: vec![workload("DaemonSet", "homepage")]), &[]),
        (
            filter!(destination_workload: vec![workload("", "immich-server")]),
            &["connected", "denied"],
        ),
        (
            filter!(traffic_direction: vec![TrafficDirection::Ingress as i32]),
            &["denied"],
        ),
        (filter!(verdict: vec![Verdict::Forwarded as i32]), &["connected"]),
        (
            filter!(verdict: vec![Verdict::Dropped as i32, Verdict::Audit as i32]),
            &["denied", "nobody", "external"],
        ),
        (
            filter!(drop_reason_desc: vec![DropReason::PolicyDenied as i32]),
            &["denied"],
        ),
        (
            filter!(drop_reason_desc: vec![DropReason::Unknown as i32]),
            &["external"],
        ),
        (filter!(interface: vec![interface("veth1")]), ALL),
        (filter!(interface: vec![interface("eth0")]), &[]),
        // A drop without a number is one too.
        (
            filter!(event_type: vec![event(1, None)]),
            &["denied", "nobody", "external"],
        ),
        (filter!(event_type: vec![event(1, Some(133))]), &["denied"]),
        (filter!(event_type: vec![event(4, None)]), &["connected", "external"]),
        (
            filter!(event_type: vec![event(4, Some(0)), event(129, None)]),
            &["connected"],
        ),
        (filter!(event_type: vec![event(0, None)]), ALL),
        (filter!(protocol: text(&["TCP", "udp"])), ALL),
        (filter!(source_port: text(&["40000"])), ALL),
        (filter!(destination_port: text(&["80"])), &["denied", "nobody"]),
        (
            filter!(destination_port: text(&["2283"])),
            &["connected", "denied", "external"],
        ),
        (filter!(reply: vec![false]), ALL),
        (filter!(source_identity: vec![0]), ALL),
        (filter!(destination_identity: vec![2, 12345]), &["external"]),
        (filter!(tcp_flags: vec![syn]), ALL),
        (filter!(node_name: text(&["node-*"])), ALL),
        (filter!(node_name: text(&["other"])), &[]),
        (filter!(ip_version: vec![IpVersion::IPv4 as i32]), ALL),
        (filter!(ip_version: vec![IpVersion::IPv6 as i32]), &[]),
    ];
    for (filter, expect) in cases {
        let read = filters(std::slice::from_ref(&filter), &[]).unwrap_or_else(|error| panic!("{filter:?}: {error}"));
        assert_eq!(matched(&read), expect, "{filter:?}");
        let all_but: Vec<_> = ALL.iter().copied().filter(|name| !expect.contains(name)).collect();
        let read = filters(&[], std::slice::from_ref(&filter)).unwrap_or_else(|error| panic!("{filter:?}: {error}"));
        assert_eq!(matched(&read), all_but, "not {filter:?}");
    }
}

#[test]
fn fields_must_all_hold_filters_are_alternatives_and_the_blacklist_wins() {
    let to_pod = filter!(destination_pod: text(&["immich/immich-"]));
    let dropped = filter!(verdict: vec![Verdict::Dropped as i32]);
    let both = filter!(destination_pod: text(&["immich/immich-"]), verdict: vec![Verdict::Dropped as i32]);
    let check = |whitelist: &[&FlowFilter], blacklist: &[&FlowFilter], expect: &[&str]| {
        let owned = |list: &[&FlowFilter]| list.iter().copied().cloned().collect::<Vec<_>>();
        let read = filters(&owned(whitelist), &owned(blacklist)).expect("filters");
        assert_eq!(matched(&read), expect);
    };
    check(&[&both], &[], &["denied"]);
    check(&[&to_pod, &dropped], &[], ALL);
    check(&[&to_pod], &[&dropped], &["connected"]);
    check(&[], &[&to_pod, &dropped], &[]);
    check(&[], &[], ALL);
}

#[test]
fn what_cannot_be_answered_is_refused_by_name() {
    let header = HttpHeader {
        key: "a".into(),
        value: "b".into(),
    };
    let cel = Some(Experimental {
        cel_expression: text(&["true"]),
    });
    let some = || text(&["x"]);
    let cases = [
        ("source_fqdn", filter!(source_fqdn: some())),
        ("destination_fqdn", filter!(destination_fqdn: some())),
        ("source_cluster_name", filter!(source_cluster_name: some())),
        ("destination_cluster_name", filter!(destination_cluster_name: some())),
        ("http_status_code", filter!(http_status_code: some())),
        ("http_method", filter!(http_method: some())),
        ("http_path", filter!(http_path: some())),
        ("http_url", filter!(http_url: some())),
        ("http_header", filter!(http_header: vec![header])),
        ("dns_query", filter!(dns_query: some())),
        ("node_labels", filter!(node_labels: some())),
        ("trace_id", filter!(trace_id: some())),
        ("ip_trace_id", filter!(ip_trace_id: vec![7])),
        ("encrypted", filter!(encrypted: vec![false])),
        ("experimental.cel_expression", filter!(experimental: cel)),
    ];
    for (field, filter) in cases {
        for (whitelist, blacklist) in [(vec![filter.clone()], vec![]), (vec![], vec![filter.clone()])] {
            match filters(&whitelist, &blacklist) {
                Err(Refused::Unanswerable { field: named, .. }) => assert_eq!(named, field),
                other => panic!("{field}: {other:?}"),
            }
        }
    }
    let cases = [
        ("source_ip", filter!(source_ip: text(&["10.0.0.300"]))),
        ("destination_ip", filter!(destination_ip: text(&["10.0.0.0/33"]))),
        ("source_pod", filter!(source_pod: text(&[""]))),
        ("destination_port", filter!(destination_port: text(&["http"]))),
        ("source_port", filter!(source_port: text(&["65536"]))),
        ("source_label", filter!(source_label: text(&["app in"]))),
        ("node_name", filter!(node_name: text(&[""]))),
        ("protocol", filter!(protocol: text(&["tpc"]))),
    ];
    for (field, filter) in cases {
        match filters(&[filter], &[]) {
            Err(Refused::Invalid { field: named, .. }) => assert_eq!(named, field),
            other => panic!("{field}: {other:?}"),
        }
    }
}

#[test]
fn what_nothing_can_match_is_refused_unless_it_is_one_of_several_or_left_out() {
    let rst = TcpFlags {
        rst: true,
        ..TcpFlags::default()
    };
    let event = EventTypeFilter {
        r#type: 129,
        ..EventTypeFilter::default()
    };
    let cases = [
        ("protocol", filter!(protocol: text(&["udp", "http"]))),
        ("event_type", filter!(event_type: vec![event])),
        ("source_identity", filter!(source_identity: vec![12345])),
        ("source_service", filter!(source_service: text(&["immich/immich"]))),
        ("reply", filter!(reply: vec![true])),
        ("tcp_flags", filter!(tcp_flags: vec![rst])),
        ("ip_version", filter!(ip_version: vec![0])),
    ];
    for (field, filter) in cases {
        match filters(std::slice::from_ref(&filter), &[]) {
            Err(Refused::Never { field: named, .. }) => assert_eq!(named, field),
            other => panic!("{field}: {other:?}"),
        }
        let other = filter!(destination_service: text(&["immich/immich"]));
        let read = filters(&[filter.clone(), other], &[]).expect(field);
        assert_eq!(
            matched(&read),
            ["denied", "nobody"],
            "{field}: as `--service` asks for either side"
        );
        assert_eq!(matched(&filters(&[], &[filter]).expect(field)), ALL, "{field}");
    }
}
