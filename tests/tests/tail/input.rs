//! Bad input: what is wrong, where, and what to do; exit code 2; all of it at once.

use observer_tests::lab::{Finished, Lab, Tail, Topology, kernel_tests};
use std::path::Path;

use super::SOON;

/// What a tail with these arguments says before it ends.
fn refused(lab: &Lab, tail: Tail) -> Finished {
    tail.spawn(lab.node())
        .expect("a tail")
        .finish(SOON)
        .expect("an end by itself")
}

#[test]
fn every_invalid_object_is_named_with_file_document_and_field() {
    if kernel_tests().is_err() {
        return;
    }
    let lab = Lab::new(Topology::Routed).expect("a lab");
    lab.manifests()
        .write(
            "policies.yaml",
            "
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { namespace: shop, name: fine }
spec: { podSelector: {} }
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { namespace: shop, name: bad-block }
spec: { podSelector: {}, ingress: [{ from: [{ ipBlock: { cidr: 10.0.0.0/33 } }] }] }
",
        )
        .expect("a file");
    lab.manifests()
        .write(
            "selector.yaml",
            "
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { namespace: shop, name: bad-selector }
spec: { podSelector: { matchExpressions: [{ key: app, operator: Like, values: [x] }] } }
",
        )
        .expect("a file");
    let ended = refused(&lab, Tail::json().arg("--manifests").arg(lab.manifests().path()));
    assert_eq!(ended.code(), 2, "{:?}", ended.errors);
    let line = |words: &[&str]| {
        ended
            .errors
            .iter()
            .any(|line| words.iter().all(|word| line.contains(word)))
    };
    let said = ended.errors.join("\n");
    assert!(
        line(&["policies.yaml"]) && line(&["cidr"]) && line(&["10.0.0.0/33"]),
        "{said}"
    );
    assert!(line(&["selector.yaml"]) && line(&["operator"]), "{said}");
    // The second document of the first file.
    assert!(
        said.contains("document 2") || said.contains("policies.yaml:2") || said.contains("#2"),
        "{said}"
    );
}

#[test]
fn what_cannot_be_read_is_said() {
    if kernel_tests().is_err() {
        return;
    }
    let lab = Lab::new(Topology::Routed).expect("a lab");
    let missing = Path::new("/nonexistent/manifests");
    let cases: Vec<(Tail, &[&str])> = vec![
        (
            Tail::json().arg("--manifests").arg(missing),
            &["/nonexistent/manifests"],
        ),
        (Tail::json().args(["--timeout", "soon"]), &["--timeout", "soon"]),
        (Tail::json().args(["--outcome", "broken"]), &["--outcome", "broken"]),
        (Tail::json().args(["--ip", "10.0.0.0/99"]), &["--ip", "10.0.0.0/99"]),
        (
            Tail::json().args(["--interface", "cali404"]),
            &["no interface cali404", "ip link"],
        ),
    ];
    for (tail, words) in cases {
        let ended = refused(&lab, tail);
        let said = ended.errors.join("\n");
        assert_eq!(ended.code(), 2, "{said}");
        assert!(words.iter().all(|word| said.contains(word)), "{words:?} in {said}");
    }
    // A broken document.
    lab.manifests()
        .write("broken.yaml", "kind: [unclosed\n")
        .expect("a file");
    let ended = refused(&lab, Tail::json().arg("--manifests").arg(lab.manifests().path()));
    assert_eq!(ended.code(), 2, "{:?}", ended.errors);
    assert!(
        ended.errors.iter().any(|line| line.contains("broken.yaml")),
        "{:?}",
        ended.errors
    );
}

#[test]
fn two_running_pods_with_one_address_are_refused() {
    if kernel_tests().is_err() {
        return;
    }
    let lab = Lab::new(Topology::Routed).expect("a lab");
    let pod = |name: &str| {
        format!(
            "
apiVersion: v1
kind: Pod
metadata: {{ namespace: shop, name: {name} }}
spec: {{ containers: [{{ name: app, image: app }}] }}
status: {{ phase: Running, podIPs: [{{ ip: 10.9.8.7 }}] }}
"
        )
    };
    lab.manifests()
        .write("pods.yaml", &format!("{}---{}", pod("first"), pod("second")))
        .expect("a file");
    let ended = refused(&lab, Tail::json().arg("--manifests").arg(lab.manifests().path()));
    let said = ended.errors.join("\n");
    assert_eq!(ended.code(), 2, "{said}");
    for word in ["pods.yaml", "10.9.8.7", "shop/first", "shop/second"] {
        assert!(said.contains(word), "{word} in {said}");
    }
}
