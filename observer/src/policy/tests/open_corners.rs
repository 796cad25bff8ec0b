//! What the specification leaves open, or nobody knows: undecidable where it matters, decided where it does not.

use std::sync::Arc;

use super::fixtures::{Cluster, container_port, dialled, egress, ingress, rule, said};
use crate::objects::{Change, Object, Pod, Protocol, Scope, Subjects};
use crate::policy::{Caveat, Config, Decision, Policies, Undecidable, combine};
use crate::time::Time;

fn two() -> Cluster {
    Cluster::new()
        .namespace("x", "")
        .namespace("y", "")
        .pod("x/a", "app=a")
        .pod("y/b", "app=b")
}

fn host(pod: &mut Pod) {
    pod.host_network = true;
}

#[test]
fn without_objects_nothing_is_decided() {
    let cluster = two();
    let question = cluster.question("x/a", "y/b", "TCP 80", false);
    let nothing = Policies::new(Config::default());
    assert_eq!(said(&nothing, &question), "no-objects, no-objects");
}

#[test]
fn an_unknown_peer_matters_only_where_pods_are_selected() {
    two()
        .policy(ingress(
            "x/labels",
            "app=a",
            &[rule(&["ns"], &["TCP 80"]), rule(&[], &["TCP 81"])],
        ))
        .policy(ingress("y/none", "", &[]))
        .policy(egress("y/none-out", "", &[]))
        .check(
            "unknown -> x/a : TCP 80 = peer-unknown, peer-unknown
             unknown -> x/a : TCP 81 = peer-unknown, allowed
             unknown -> x/a : TCP 82 = peer-unknown, denied
             unknown -> y/b : TCP 80 = peer-unknown, denied
             y/b -> unknown : TCP 80 = denied, peer-unknown
             x/a -> unknown : TCP 80 = open, peer-unknown",
        );
}

#[test]
fn an_unknown_subject_matters_only_where_some_pod_may_be_denied() {
    two().check("unknown -> x/a : TCP 80 = n/a, open");
    two()
        .policy(egress("x/all", "", &[rule(&[], &[])]))
        .policy(egress("x/deny", "app=a", &[]))
        .check("unknown -> y/b : TCP 80 = n/a, open");
    two()
        .policy(egress("x/some", "app=a", &[rule(&[], &[])]))
        .policy(egress("x/deny", "app=other", &[]))
        .check("unknown -> y/b : TCP 80 = peer-unknown, open");
}

#[test]
fn a_named_port_on_an_unknown_destination_matters_where_the_rest_matches() {
    two()
        .policy(egress(
            "x/out",
            "",
            &[rule(&["block 10.0.0.200/32"], &["TCP http", "TCP 443"])],
        ))
        .check("x/a -> unknown : TCP 443 = allowed, n/a");
    let cluster = two().policy(egress("x/out", "", &[rule(&["block 10.0.0.200/32"], &["TCP http"])]));
    cluster.check(
        "x/a -> unknown : TCP 80 = named-port, n/a
         x/a -> unknown : UDP 80 = denied, n/a",
    );
}

#[test]
fn a_node_that_cannot_be_named_may_be_the_pods_own() {
    two()
        .policy(ingress("x/in", "", &[]))
        .policy(ingress(
            "y/in",
            "",
            &[rule(&["block 192.168.0.1/32", "block fd99::1/128"], &[])],
        ))
        .check(
            "node ? -> x/a : TCP 80 = n/a, peer-unknown
             node ? -> y/b : TCP 80 = n/a, allowed",
        );
}

#[test]
fn every_candidate_on_a_node_must_agree() {
    two()
        .pod_with("x/h1", "app=h1", host)
        .pod_with("x/h2", "app=h2", host)
        .policy(ingress(
            "y/named",
            "",
            &[rule(
                &["ns / pods app in (h1 h2)", "block 192.168.0.1/32", "block fd99::1/128"],
                &[],
            )],
        ))
        .policy(ingress("x/labels", "app=a", &[rule(&["pods app=h1"], &[])]))
        .check(
            "node n2 x/h1 x/h2 -> y/b : TCP 80 = n/a, allowed
             node n2 x/h1 x/h2 -> x/a : TCP 80 = n/a, host-network
             node n2 x/h2 -> x/a : TCP 80 = n/a, denied
             node n1 x/h1 x/h2 -> x/a : TCP 80 = n/a, allowed",
        );
}

#[test]
fn a_host_network_pod_that_is_named_is_a_candidate_of_its_node() {
    two()
        .pod_with("x/host", "app=host", |pod| {
            pod.host_network = true;
            pod.node = Some("n2".into());
        })
        .policy(ingress("x/labels", "app=a", &[rule(&["pods app=host"], &[])]))
        .check(
            "x/host -> x/a : TCP 80 = n/a, host-network
             x/host -> y/b : TCP 80 = n/a, open",
        );
}

#[test]
fn a_rewritten_source_is_judged_as_pod_and_as_node() {
    let cluster = |peers: &[&str]| {
        two()
            .pod_with("y/far", "app=far", |pod| pod.node = Some("n2".into()))
            .policy(egress("x/out", "", &[rule(&["ns"], &[])]))
            .policy(ingress("y/in", "", &[rule(peers, &[])]))
    };
    // The node is the destination's own, and so allowed.
    cluster(&["ns kubernetes.io/metadata.name=x"]).check("rewritten x/a -> y/b : TCP 80 = allowed, allowed");
    cluster(&["pods"]).check("rewritten x/a -> y/b : TCP 80 = allowed, source-rewritten");
    cluster(&["ns kubernetes.io/metadata.name=x"]).check("rewritten x/a -> y/far : TCP 80 = allowed, source-rewritten");
    cluster(&["pods"]).check("rewritten x/a -> y/far : TCP 80 = allowed, denied");
    // As the pod it has the pod's address, as the node the node's.
    cluster(&["block 10.0.0.1/32", "block fd00::1/128"])
        .check("rewritten x/a -> y/far : TCP 80 = allowed, source-rewritten");
    cluster(&["block 192.168.0.1/32", "block fd99::1/128"])
        .check("rewritten x/a -> y/far : TCP 80 = allowed, source-rewritten");
}

#[test]
fn a_file_in_doubt_leaves_open_what_it_may_concern() {
    let mut cluster = two();
    let at = Time(1_000_000_000_000);
    let doubt = |scope| Change::Doubt {
        source: "p.yaml".into(),
        scope,
    };
    let before = cluster.question("x/a", "y/b", "TCP 80", false);
    let mut later = before.clone();
    later.at = Time(at.0 + 10);
    let from_outside = cluster.question("1.2.3.4", "y/b", "TCP 80", false);
    cluster
        .policies
        .apply(&doubt(Scope::Namespaces(vec!["x".into()])), Time(at.0 + 1));
    assert_eq!(said(&cluster.policies, &before), "open, open");
    assert_eq!(said(&cluster.policies, &later), "objects-in-doubt, objects-in-doubt");
    assert_eq!(
        cluster.policies.judge(&later).egress.undecidable,
        Some(Undecidable::ObjectsInDoubt {
            source: "p.yaml".into()
        })
    );
    let mut outside_later = from_outside;
    outside_later.at = later.at;
    assert_eq!(said(&cluster.policies, &outside_later), "n/a, open");
    cluster.policies.apply(&doubt(Scope::Everything), Time(at.0 + 5));
    assert_eq!(
        said(&cluster.policies, &outside_later),
        "objects-in-doubt, objects-in-doubt"
    );
    cluster.policies.apply(
        &Change::Clear {
            source: "p.yaml".into(),
        },
        Time(at.0 + 20),
    );
    let mut cleared = later.clone();
    cleared.at = Time(at.0 + 20);
    assert_eq!(said(&cluster.policies, &cleared), "open, open");
    assert_eq!(said(&cluster.policies, &later), "objects-in-doubt, objects-in-doubt");
}

#[test]
fn a_policy_that_is_not_evaluated_leaves_its_scope_open() {
    let mut cluster = two();
    let at = Time(1_000);
    let policy = || "CiliumNetworkPolicy x/p".into();
    let mut question = cluster.question("x/a", "y/b", "TCP 8080", false);
    let mut from_outside = cluster.question("1.2.3.4", "y/b", "TCP 8080", false);
    (question.at, from_outside.at) = (at, at);
    let foreign = |scope| Change::Foreign {
        policy: policy(),
        scope,
    };
    let subjects = |namespace: Option<&str>, app: &str, ingress, egress| {
        let pods = vec![super::fixtures::selector(app)];
        let namespace = namespace.map(Into::into);
        Scope::Subjects(Subjects {
            namespace,
            pods,
            ingress,
            egress,
        })
    };
    for (scope, expect) in [
        // The policies of x say nothing of what reaches a pod of y.
        (subjects(Some("x"), "", true, true), "foreign-policy, open"),
        (subjects(Some("y"), "", true, true), "open, foreign-policy"),
        (subjects(None, "", true, true), "foreign-policy, foreign-policy"),
        (subjects(Some("x"), "app=a", true, true), "foreign-policy, open"),
        (subjects(Some("x"), "app=other", true, true), "open, open"),
        (subjects(None, "app=b", true, true), "open, foreign-policy"),
        (subjects(None, "", true, false), "open, foreign-policy"),
        (subjects(None, "", false, true), "foreign-policy, open"),
    ] {
        cluster.policies.apply(&foreign(scope.clone()), Time(500));
        assert_eq!(said(&cluster.policies, &question), expect, "{scope:?}");
    }
    cluster
        .policies
        .apply(&foreign(subjects(Some("x"), "", true, true)), Time(500));
    assert_eq!(said(&cluster.policies, &from_outside), "n/a, open");
    cluster.policies.apply(&foreign(Scope::Everything), Time(600));
    assert_eq!(said(&cluster.policies, &from_outside), "n/a, foreign-policy");
    cluster
        .policies
        .apply(&Change::ForeignGone { policy: policy() }, Time(700));
    assert_eq!(said(&cluster.policies, &question), "open, open");
}

#[test]
fn a_block_that_holds_only_the_service_address_is_a_caveat() {
    let cluster = two().policy(egress("x/out", "", &[rule(&["block 10.96.0.0/16"], &[])]));
    let question = cluster.question("x/a", "y/b", "TCP 8080", false);
    assert_eq!(cluster.policies.judge(&question).caveats, []);
    let verdict = cluster.policies.judge(&dialled(question, "10.96.0.1:80"));
    assert_eq!(verdict.egress.decision, Decision::Denied);
    assert_eq!(verdict.caveats, [Caveat::BlockOnService]);
}

#[test]
fn a_hairpin_through_a_service_is_a_caveat_where_no_rule_allows_it() {
    let cluster = two().policy(ingress("x/in", "", &[]));
    let question = cluster.question("x/a", "x/a", "TCP 8080", false);
    assert_eq!(cluster.policies.judge(&question).caveats, []);
    let verdict = cluster.policies.judge(&dialled(question.clone(), "10.96.0.1:80"));
    assert_eq!(verdict.decision, Decision::Allowed);
    assert_eq!(verdict.ingress.rule, None);
    assert_eq!(verdict.caveats, [Caveat::Hairpin]);
    let allowed = cluster.policy(ingress("x/self", "", &[rule(&["pods"], &[])]));
    assert_eq!(allowed.policies.judge(&dialled(question, "10.96.0.1:80")).caveats, []);
}

#[test]
fn backends_that_differ_leave_it_open() {
    let cluster = two()
        .pod_with("y/c", "app=c", |pod| {
            pod.ports = vec![container_port("http", 8080, Protocol::Tcp)];
        })
        .policy(ingress("y/b", "app=b", &[]));
    let to = |pod: &str| cluster.question("x/a", pod, "TCP 8080", false);
    let policies = &cluster.policies;
    let either = |pods: &[&str]| combine(pods.iter().map(|pod| policies.judge(&to(pod))));
    assert_eq!(either(&["y/b"]), policies.judge(&to("y/b")));
    let mixed = either(&["y/b", "y/c"]);
    assert_eq!(mixed.decision, Decision::Undecidable);
    assert_eq!(mixed.egress.decision, Decision::NotIsolated);
    assert_eq!(mixed.ingress.undecidable, Some(Undecidable::BackendUnknown));
    assert_eq!(mixed.ingress.policies.len(), 1);
    let none = either(&[]);
    assert_eq!(none.egress.undecidable, Some(Undecidable::NoTarget));
    assert_eq!(none.decision, Decision::Undecidable);
    let same = either(&["y/c", "y/c"]);
    assert_eq!(same.decision, Decision::Allowed);
}

#[test]
fn a_pod_that_is_in_no_object_is_judged_by_the_question() {
    let mut cluster = two().policy(ingress("x/in", "app=new", &[]));
    let mut pod = (*cluster.find("x/a")).clone();
    pod.name = super::fixtures::name("x/new");
    pod.labels = super::fixtures::labels("app=new");
    cluster.pods.push(Arc::new(pod));
    cluster.check("y/b -> x/new : TCP 80 = open, denied");
    let object = Object::Pod(cluster.find("x/new"));
    cluster.set(object, Time(5));
    cluster.check("y/b -> x/new : TCP 80 = open, denied");
}

#[test]
fn addresses_in_doubt_leave_open_whoever_is_no_known_pod() {
    let mut cluster = two();
    let doubt = Change::Doubt {
        source: "services".into(),
        scope: Scope::Addresses(vec![]),
    };
    cluster.policies.apply(&doubt, Time(500));
    let ask = |from: &str, to: &str| {
        let mut question = cluster.question(from, to, "TCP 80", false);
        question.at = Time(1_000);
        question
    };
    assert_eq!(said(&cluster.policies, &ask("x/a", "y/b")), "open, open");
    let outside = "objects-in-doubt, objects-in-doubt";
    assert_eq!(said(&cluster.policies, &ask("1.2.3.4", "y/b")), outside);
    assert_eq!(said(&cluster.policies, &ask("x/a", "1.2.3.4")), outside);
    let mut through_service = ask("x/a", "y/b");
    through_service.dialled = Some(([10, 96, 0, 1], 80).into());
    assert_eq!(said(&cluster.policies, &through_service), outside);
    let mut cluster = two();
    let doubt = Change::Doubt {
        source: "Pod x/c".into(),
        scope: Scope::Addresses(vec!["x".into()]),
    };
    cluster.policies.apply(&doubt, Time(500));
    assert_eq!(said(&cluster.policies, &ask("x/a", "y/b")), outside);
    assert_eq!(said(&cluster.policies, &ask("y/b", "y/b")), "open, open");
}

#[test]
fn before_the_first_full_list_nothing_is_decided() {
    let cluster = two();
    let mut question = cluster.question("x/a", "y/b", "TCP 80", false);
    question.at = Time(1_000);
    let mut waiting = Policies::new(Config::default());
    waiting.apply(&Change::Unsynced, Time::BEGINNING);
    assert_eq!(said(&waiting, &question), "not-synced, not-synced");
    let mut cluster = two();
    cluster.policies.apply(&Change::Unsynced, Time::BEGINNING);
    cluster.policies.apply(&Change::Synced, Time(2_000));
    assert_eq!(said(&cluster.policies, &question), "not-synced, not-synced");
    question.at = Time(2_000);
    assert_eq!(said(&cluster.policies, &question), "open, open");
}
