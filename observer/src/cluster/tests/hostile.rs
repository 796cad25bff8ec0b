//! Any bytes end in objects or problems, soon.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::super::read_manifest;

const POLICY: &str = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: a}\nspec:\n  podSelector: {matchLabels: {a: b}}\n  ingress:\n  - from: [{ipBlock: {cidr: 10.0.0.0/8}}]\n    ports: [{port: 80, endPort: 90}]\n";

#[track_caller]
fn refused(text: &str) -> String {
    read_manifest(text.as_bytes()).unwrap_err().to_string()
}

#[test]
fn anchors_that_multiply_are_refused() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..20 {
        let inner = vec![format!("*a{}", level - 1); 10].join(", ");
        writeln!(bomb, "a{level}: &a{level} [{inner}]").unwrap();
    }
    let said = refused(&bomb);
    assert!(said.contains("this is no valid YAML"), "{said}");
}

#[test]
fn deep_nesting_is_refused() {
    assert!(refused(&"[".repeat(100_000)).contains("no valid YAML"));
    assert!(refused(&format!("{{\"a\":{}", "[".repeat(100_000))).contains("no valid JSON"));
    assert!(refused(&"- ".repeat(10_000)).contains("no valid YAML"));
}

#[test]
fn odd_bytes_are_refused() {
    for bytes in [
        &b"\xff\xfe\x00"[..],
        b"\0\0\0\0",
        b"kind: \xc3\x28\n",
        b"{\"a\": \"\xff\"}",
    ] {
        assert!(read_manifest(bytes).is_err(), "{bytes:?}");
    }
    assert_eq!(read_manifest(b"\xef\xbb\xbf# a byte order mark\n").unwrap(), []);
}

proptest! {
    #[test]
    fn any_bytes_end(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ended = read_manifest(&bytes);
    }

    #[test]
    fn a_policy_with_a_hole_or_a_slip_ends(at in 0..POLICY.len(), cut in 0..20_usize, put in "[\\[\\]{}:,&*!|>'\"\\-a0 \n]{0,4}") {
        let end = (at + cut).min(POLICY.len());
        let _ended = read_manifest([&POLICY[..at], &put, &POLICY[end..]].concat().as_bytes());
    }
}
