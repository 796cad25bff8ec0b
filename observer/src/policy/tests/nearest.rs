//! What each rule lacks, in which order, and the change that is proposed; every change is tried.

use super::fixtures::{Cluster, container_port, dialled, egress, ingress, rule};
use crate::objects::{Change, Object, Protocol, Workload};
use crate::policy::decide::parties;
use crate::policy::matching::Scene;
use crate::policy::remedy::Remedy;
use crate::policy::worlds::sides;
use crate::policy::{Decision, Direction, LabelMiss, MeantService, NamedPort, Policies, Question, Unmet, first_rule};
use crate::time::Time;
use std::sync::Arc;

/// Checks the misses of the denied direction, nearest first: `POLICY#RULE: UNMET; UNMET => CHANGE`.
#[track_caller]
fn check(cluster: &Cluster, question: &Question, expected: &str) {
    let verdict = cluster.policies.judge(question);
    let direction = if verdict.egress.decision == Decision::Denied {
        &verdict.egress
    } else {
        &verdict.ingress
    };
    let told: Vec<String> = direction
        .nearest
        .iter()
        .map(|miss| {
            let unmet: Vec<String> = miss.unmet.iter().map(short).collect();
            let rule = &miss.rule;
            format!(
                "{}#{}: {} => {}",
                rule.policy.name,
                rule.number,
                unmet.join("; "),
                miss.change
            )
        })
        .collect();
    let expected: Vec<&str> = expected
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    assert_eq!(told, expected);
    remedies_work(&cluster.policies, question);
}

fn short(unmet: &Unmet) -> String {
    let label = |miss: &LabelMiss| {
        let close = miss.close.as_ref();
        let close = close.map_or_else(|| "-".into(), |c| format!("{:?} {}={}", c.how, c.key, c.value));
        format!("{} {} {close}", miss.unmet, miss.wanted.key)
    };
    match unmet {
        Unmet::PeerNamespace { miss, .. } => format!("namespace {}", label(miss)),
        Unmet::OtherNamespace { wanted, actual } => format!("{actual} is not {wanted}"),
        Unmet::PeerLabels(miss) => format!("labels {}", label(miss)),
        Unmet::Block {
            cidr, except, meant, ..
        } => {
            let except = except.map(|hole| format!(" except {hole}")).unwrap_or_default();
            let meant = match meant {
                Some(MeantService::Dialled) => " (service)",
                Some(MeantService::ApiServer) => " (API server)",
                None => "",
            };
            format!("block {cidr}{except}{meant}")
        }
        Unmet::NotAPod { .. } => "not a pod".into(),
        Unmet::Port {
            allowed,
            target,
            names_service_port,
            by_name,
            ..
        } => {
            let service = names_service_port
                .map(|port| format!(" (service {port})"))
                .unwrap_or_default();
            let name = match by_name {
                Some(NamedPort::Is(number)) => format!(" (is {number})"),
                Some(NamedPort::Missing) => " (no such name)".into(),
                None => String::new(),
            };
            format!("port {target} not {}{service}{name}", allowed.join(","))
        }
        Unmet::Denies { tier, .. } => format!("{tier} denies"),
        Unmet::Protocol { allowed, actual, .. } => format!("{actual} not {allowed}"),
    }
}

/// Every proposed change, made to its policy, turns the answer of the direction.
pub(crate) fn remedies_work(policies: &Policies, question: &Question) {
    for direction in [Direction::Egress, Direction::Ingress] {
        let (subject, peer) = parties(question, direction);
        let ends = [sides(subject, direction), sides(peer, direction)].map(|mut sides| sides.next().expect("a side"));
        let scene = Scene::new(policies, question, direction, question.at, ends);
        if scene.answers().decision() != Decision::Denied || scene.answers().differ() {
            continue;
        }
        for miss in scene.misses() {
            let remedied = Remedy::of(&scene, &miss).applied_to(miss.policy);
            let mut changed = Policies::default();
            for held in policies.spaces.values().flat_map(|space| &space.policies) {
                changed.apply(
                    &Change::Set(Object::NetworkPolicy(held.compiled.policy.clone())),
                    Time::BEGINNING,
                );
            }
            for (_, namespace) in policies.namespaces.iter_at(question.at) {
                changed.apply(&Change::Set(Object::Namespace(namespace.clone())), Time::BEGINNING);
            }
            changed.apply(&Change::Set(Object::NetworkPolicy(Arc::new(remedied))), Time::BEGINNING);
            let scene = Scene::new(&changed, question, direction, question.at, ends);
            assert_eq!(scene.answers().decision(), Decision::Allowed, "{:?}", miss.number);
        }
    }
}

/// A client in `home`, a server in `immich` that listens on 2283.
fn homepage() -> Cluster {
    Cluster::new()
        .namespace("home", "team=front")
        .namespace("immich", "team=photos")
        .pod("home/page", "app=homepage,pod-template-hash=1")
        .pod_with("immich/server", "app.kubernetes.io/name=server,release=immich", |pod| {
            pod.ports = vec![container_port("http", 2283, Protocol::Tcp)];
            pod.workload = Some(Workload {
                kind: "Deployment".into(),
                name: "immich".into(),
            });
        })
}

fn ask(cluster: &Cluster) -> Question {
    cluster.question("home/page", "immich/server", "TCP 2283", false)
}

#[test]
fn the_port_of_the_service_instead_of_the_target_port() {
    let cluster = homepage().policy(egress(
        "home/allow-egress",
        "",
        &[rule(&["ns team=photos"], &["TCP 80"])],
    ));
    check(
        &cluster,
        &dialled(ask(&cluster), "10.96.0.7:80"),
        "allow-egress#1: port 2283 not 80 (service 80) => add TCP 2283 to rule 1 of home/allow-egress",
    );
    check(
        &cluster,
        &ask(&cluster),
        "allow-egress#1: port 2283 not 80 => add TCP 2283 to rule 1 of home/allow-egress",
    );
}

#[test]
fn fewest_unmet_requirements_first_then_the_closest_labels() {
    let cluster = homepage().policy(egress(
        "home/p",
        "",
        &[
            rule(&["pods app=x"], &["TCP 80"]),
            rule(&["ns / pods app.kubernetes.io/name=other"], &["TCP 2283"]),
            rule(&["ns / pods app.kubernetes.io/name=Server"], &["TCP 2283"]),
            rule(&["ns / pods app.kubernetes.io/name=servre"], &["TCP 2283"]),
            rule(&["ns / pods app=server"], &["TCP 2283"]),
            rule(&["block 192.168.0.0/16"], &[]),
            rule(&["block 10.0.0.0/8 except 10.0.0.0/24"], &[]),
        ],
    ));
    check(
        &cluster,
        &ask(&cluster),
        "p#3: labels 1 app.kubernetes.io/name OtherCase app.kubernetes.io/name=server => change the label app.kubernetes.io/name=server of the pods of Deployment immich/immich to app.kubernetes.io/name=Server, or add pods app.kubernetes.io/name=server in namespace immich to the peers of rule 3 of home/p, whichever is meant
         p#4: labels 1 app.kubernetes.io/name Typo app.kubernetes.io/name=server => change the label app.kubernetes.io/name=server of the pods of Deployment immich/immich to app.kubernetes.io/name=servre, or add pods app.kubernetes.io/name=server in namespace immich to the peers of rule 4 of home/p, whichever is meant
         p#7: block 10.0.0.0/8 except 10.0.0.0/24 => add pods app.kubernetes.io/name=server in namespace immich to the peers of rule 7 of home/p, which is for every port
         p#5: labels 1 app OtherKey app.kubernetes.io/name=server => change the label app.kubernetes.io/name=server of the pods of Deployment immich/immich to app=server, or add pods app.kubernetes.io/name=server in namespace immich to the peers of rule 5 of home/p, whichever is meant
         p#2: labels 1 app.kubernetes.io/name OtherValue app.kubernetes.io/name=server => add pods app.kubernetes.io/name=server in namespace immich to the peers of rule 2 of home/p
         p#6: block 192.168.0.0/16 => add pods app.kubernetes.io/name=server in namespace immich to the peers of rule 6 of home/p, which is for every port
         p#1: immich is not home; labels 1 app -; port 2283 not 80 => add an egress rule to home/p that allows TCP 2283 to pods app.kubernetes.io/name=server in namespace immich",
    );
}

#[test]
fn a_label_under_the_key_that_shares_more_words_is_closer() {
    let cluster = Cluster::new()
        .pod("x/client", "aa=web,app=web,release=web")
        .pod("x/server", "")
        .policy(ingress(
            "x/p",
            "",
            &[rule(&["pods app.kubernetes.io/name=web, tier=1"], &[])],
        ));
    check(
        &cluster,
        &cluster.question("x/client", "x/server", "TCP 80", false),
        "p#1: labels 2 app.kubernetes.io/name OtherKey app=web => add pods app=web in namespace x to the peers of rule 1 of x/p, which is for every port",
    );
}

#[test]
fn what_the_peer_must_not_have_is_no_slip() {
    let cluster = Cluster::new()
        .pod("x/client", "legacy=yes,pod-template-hash=7")
        .pod("y/client", "pod-template-hash=7")
        .pod("x/server", "")
        .policy(ingress("x/p", "", &[rule(&["ns / pods !legacy, tier"], &[])]));
    check(
        &cluster,
        &cluster.question("x/client", "x/server", "TCP 80", false),
        "p#1: labels 2 legacy - => add pods legacy=yes in namespace x to the peers of rule 1 of x/p, which is for every port",
    );
    check(
        &cluster,
        &cluster.question("y/client", "x/server", "TCP 80", false),
        "p#1: labels 1 tier - => add all pods in namespace y to the peers of rule 1 of x/p, which is for every port",
    );
}

#[test]
fn the_namespace_lacks_a_label_or_is_another() {
    let cluster = homepage()
        .policy(ingress("immich/by-label", "", &[rule(&["ns team=frnt"], &[])]))
        .policy(ingress("immich/own", "", &[rule(&["pods app=homepage"], &[])]))
        .policy(ingress(
            "immich/two",
            "",
            &[rule(&["ns team=frnt / pods app=page"], &[])],
        ));
    check(&cluster, &ask(&cluster), "by-label#1: namespace 1 team Typo team=front => change the label team=front of namespace home to team=frnt, or add pods app=homepage in namespace home to the peers of rule 1 of immich/by-label, which is for every port, whichever is meant
         own#1: home is not immich => add pods app=homepage in namespace home to the peers of rule 1 of immich/own, which is for every port
         two#1: namespace 1 team Typo team=front; labels 1 app OtherValue app=homepage => add pods app=homepage in namespace home to the peers of rule 1 of immich/two, which is for every port");
}

#[test]
fn tcp_where_only_udp_is_allowed() {
    let cluster = homepage().policy(egress(
        "home/dns",
        "",
        &[
            rule(&["ns kube-system"], &["UDP 53"]),
            rule(&[], &["UDP 53", "TCP 443", "TCP 8000-8080"]),
        ],
    ));
    check(
        &cluster,
        &cluster.question("home/page", "1.2.3.4", "TCP 53", false),
        "dns#2: TCP not UDP => add TCP 53 to rule 2 of home/dns, which is for everybody
         dns#1: not a pod; TCP not UDP => add an egress rule to home/dns that allows TCP 53 to ipBlock 1.2.3.4/32",
    );
    check(
        &cluster,
        &cluster.question("home/page", "1.2.3.4", "TCP 80", false),
        "dns#2: port 80 not 443,8000-8080 => add TCP 80 to rule 2 of home/dns, which is for everybody
         dns#1: not a pod; TCP not UDP; port 80 not 53 => add an egress rule to home/dns that allows TCP 80 to ipBlock 1.2.3.4/32",
    );
    check(
        &cluster,
        &cluster.question("home/page", "1.2.3.4", "SCTP 9", false),
        "dns#2: SCTP not UDP; port 9 not 53 => add SCTP 9 to rule 2 of home/dns, which is for everybody
         dns#1: not a pod; SCTP not UDP; port 9 not 53 => add an egress rule to home/dns that allows SCTP 9 to ipBlock 1.2.3.4/32",
    );
}

#[test]
fn the_cluster_address_of_the_api_server_in_a_block() {
    let cluster = homepage().policy(egress(
        "home/api",
        "",
        &[
            rule(&["block 10.96.0.1/32"], &["TCP 443"]),
            rule(&["block 192.168.9.0/24", "block 192.168.0.128/25"], &["TCP 6443"]),
        ],
    ));
    check(
        &cluster,
        &dialled(cluster.question("home/page", "node n2", "TCP 6443", false), "10.96.0.1:443"),
        "api#2: block 192.168.0.128/25 => add ipBlock 192.168.0.1/32 to the peers of rule 2 of home/api
         api#1: block 10.96.0.1/32 (service); port 6443 not 443 (service 443) => add an egress rule to home/api that allows TCP 6443 to ipBlock 192.168.0.1/32",
    );
}

#[test]
fn the_service_of_the_api_server_is_known_by_its_name() {
    let mut cluster = homepage().policy(egress(
        "home/api",
        "",
        &[
            rule(&["block 10.96.0.0/12"], &["TCP 6443"]),
            rule(&["block 10.96.0.1/32"], &["TCP 6443"]),
        ],
    ));
    let service = "---\n{apiVersion: v1, kind: Service, metadata: {name: kubernetes, namespace: default}, spec: {clusterIP: 10.96.0.1, ports: [{port: 443}]}}";
    for object in crate::cluster::read_manifest(service.as_bytes()).expect("a Service") {
        cluster.set(object, Time::BEGINNING);
    }
    let direct = cluster.question("home/page", "node n2", "TCP 6443", false);
    check(
        &cluster,
        &dialled(direct.clone(), "10.96.0.1:443"),
        "api#1: block 10.96.0.0/12 (API server) => add ipBlock 192.168.0.1/32 to the peers of rule 1 of home/api
         api#2: block 10.96.0.1/32 (API server) => add ipBlock 192.168.0.1/32 to the peers of rule 2 of home/api",
    );
    // Asked for by the node's address a wide block says nothing of the API server.
    check(
        &cluster,
        &direct,
        "api#2: block 10.96.0.1/32 (API server) => add ipBlock 192.168.0.1/32 to the peers of rule 2 of home/api
         api#1: block 10.96.0.0/12 => add ipBlock 192.168.0.1/32 to the peers of rule 1 of home/api",
    );
    cluster.policies.apply(
        &Change::Remove(
            crate::objects::Kind::Service,
            super::fixtures::name("default/kubernetes"),
        ),
        Time::BEGINNING,
    );
    check(
        &cluster,
        &direct,
        "api#1: block 10.96.0.0/12 => add ipBlock 192.168.0.1/32 to the peers of rule 1 of home/api
         api#2: block 10.96.0.1/32 => add ipBlock 192.168.0.1/32 to the peers of rule 2 of home/api",
    );
}

#[test]
fn a_named_port_that_the_destination_lacks_or_has_elsewhere() {
    let cluster = homepage().policy(ingress("immich/p", "", &[rule(&[], &["TCP web"])]));
    check(
        &cluster,
        &ask(&cluster),
        "p#1: port 2283 not web (no such name) => add TCP 2283 to rule 1 of immich/p, which is for everybody",
    );
    let cluster = homepage().policy(ingress("immich/p", "", &[rule(&[], &["TCP http"])]));
    check(
        &cluster,
        &cluster.question("home/page", "immich/server", "TCP 80", false),
        "p#1: port 80 not http (is 2283) => add TCP 80 to rule 1 of immich/p, which is for everybody",
    );
}

#[test]
fn a_namespace_without_the_label_may_be_given_it() {
    let cluster = homepage()
        .policy(ingress("immich/p", "", &[rule(&["ns purpose=web"], &[])]))
        .policy(ingress(
            "immich/q",
            "",
            &[rule(&["ns kubernetes.io/metadata.name=web"], &[])],
        ));
    check(
        &cluster,
        &ask(&cluster),
        "q#1: namespace 1 kubernetes.io/metadata.name OtherValue kubernetes.io/metadata.name=home => add pods app=homepage in namespace home to the peers of rule 1 of immich/q, which is for every port
         p#1: namespace 1 purpose - => label namespace home with purpose=web, or add pods app=homepage in namespace home to the peers of rule 1 of immich/p, which is for every port, whichever is meant",
    );
}

#[test]
fn policies_without_rules_have_no_near_miss_but_a_first_rule() {
    let cluster = homepage().policy(egress("home/default-deny", "", &[]));
    let question = ask(&cluster);
    check(&cluster, &question, "");
    let verdict = cluster.policies.judge(&question);
    assert_eq!(
        first_rule(&verdict.egress.policies[0], Direction::Egress, &question),
        "add an egress rule to home/default-deny that allows TCP 2283 to pods app.kubernetes.io/name=server in namespace immich"
    );
    let own = super::fixtures::name("immich/deny");
    assert_eq!(
        first_rule(
            &own,
            Direction::Ingress,
            &cluster.question("1.2.3.4", "immich/server", "TCP 80", false)
        ),
        "add an ingress rule to immich/deny that allows TCP 80 from ipBlock 1.2.3.4/32"
    );
}
