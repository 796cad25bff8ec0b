//! Cluster-wide policies: what is read, and what is refused.

use crate::cluster::read_manifest;
use crate::objects::{Action, ClusterPolicy, ClusterPort, Object, Protocol, Tier};

fn newer(rule: &str) -> String {
    format!(
        "--- {{apiVersion: policy.networking.k8s.io/v1alpha2, kind: ClusterNetworkPolicy, metadata: {{name: p}},
          spec: {{tier: Admin, priority: 5, subject: {{namespaces: {{}}}}, egress: [{rule}]}}}}"
    )
}

fn older(rule: &str) -> String {
    format!(
        "--- {{apiVersion: policy.networking.k8s.io/v1alpha1, kind: BaselineAdminNetworkPolicy, metadata: {{name: default}},
          spec: {{subject: {{namespaces: {{}}}}, egress: [{rule}]}}}}"
    )
}

#[track_caller]
fn read(text: &str) -> ClusterPolicy {
    match read_manifest(text.replace('\n', " ").as_bytes())
        .expect(text)
        .as_slice()
    {
        [Object::ClusterPolicy(policy)] => (**policy).clone(),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn refused(text: &str, wanted: &str) {
    let error = read_manifest(text.replace('\n', " ").as_bytes())
        .expect_err(text)
        .to_string();
    assert!(error.contains(wanted), "{error}");
}

#[test]
fn all_forms_of_ports_are_read() {
    let policy = read(&newer(
        "{name: r, action: Accept, to: [{namespaces: {}}], protocols: [{tcp: {}}, {udp: {destinationPort: {number: 53}}},
         {sctp: {destinationPort: {range: {start: 1, end: 2}}}}, {destinationNamedPort: web}]}",
    ));
    assert_eq!((policy.tier, policy.priority), (Tier::Admin, Some(5)));
    assert_eq!(
        policy.egress[0].ports,
        [
            ClusterPort::All(Protocol::Tcp),
            ClusterPort::Range(Protocol::Udp, 53, 53),
            ClusterPort::Range(Protocol::Sctp, 1, 2),
            ClusterPort::Named("web".into()),
        ]
    );
    let policy = read(&older(
        "{action: Allow, to: [{namespaces: {}}], ports: [{portNumber: {port: 80}}, {portRange: {protocol: UDP, start: 1, end: 9}},
         {namedPort: web}]}",
    ));
    assert_eq!((policy.tier, policy.priority), (Tier::Baseline, None));
    assert_eq!(policy.egress[0].action, Action::Accept);
    assert_eq!(
        policy.egress[0].ports,
        [
            ClusterPort::Range(Protocol::Tcp, 80, 80),
            ClusterPort::Range(Protocol::Udp, 1, 9),
            ClusterPort::Named("web".into()),
        ]
    );
}

#[test]
fn what_the_definitions_refuse_is_refused() {
    for (rule, wanted) in [
        ("{action: Accept, to: []}", "spec.egress[0].to: at least one element"),
        (
            "{action: Accept, to: [{}]}",
            "spec.egress[0].to[0]: a peer needs a field",
        ),
        ("{action: Allow, to: [{nodes: {}}]}", "use Accept, Deny or Pass"),
        (
            "{action: Deny, to: [{nodes: {}, namespaces: {}}]}",
            "a peer has one field",
        ),
        (
            "{action: Deny, to: [{fqdn: a.b}]}",
            "spec.egress[0].to[0].fqdn: there is no such field",
        ),
        (
            "{action: Deny, to: [{networks: [10.0.0.0/33]}]}",
            "spec.egress[0].to[0].networks[0]",
        ),
        ("{action: Accept, to: [{domainNames: [org]}]}", "is no domain name"),
        (
            "{action: Deny, to: [{nodes: {}}], ports: [{namedPort: a}]}",
            "spec.egress[0].ports: there is no such field",
        ),
        (
            "{action: Deny, to: [{nodes: {}}], protocols: [{destinationNamedPort: a}]}",
            "only pods have named ports",
        ),
        (
            "{action: Deny, to: [{nodes: {}}], protocols: [{tcp: {destinationPort: {range: {start: 5, end: 5}}}}]}",
            "a range ends after its start",
        ),
    ] {
        refused(&newer(rule), wanted);
    }
    for (rule, wanted) in [
        ("{action: Pass, to: [{nodes: {}}]}", "use Allow or Deny"),
        (
            "{action: Allow, to: [{domainNames: [a.org]}]}",
            "domainNames: there is no such field",
        ),
    ] {
        refused(&older(rule), wanted);
    }
    refused(
        &newer("").replace("priority: 5", "priority: 1001"),
        "1001 is no priority",
    );
    refused(&newer("").replace("tier: Admin, ", ""), "a tier is needed");
    refused(&older("").replace("name: default", "name: other"), "is called default");
}

#[test]
fn what_a_newer_api_server_has_taken_fails_closed() {
    let text = newer("{action: Deny, to: [{namespaces: {}}, {fqdn: a.b}]}");
    let policy = read(&text.replace("{name: p}", "{name: p, uid: u, resourceVersion: '1'}"));
    assert!(policy.egress[0].fails_closed);
}
