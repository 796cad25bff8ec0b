//! The small grammars, by tables of what the API server takes and refuses.

use super::super::syntax::{cidr, dns_label, dns_subdomain, ip, label_key, label_value, port, port_name, protocol};

#[track_caller]
fn check(what: fn(&str) -> Result<(), String>, right: &[&str], wrong: &[&str]) {
    for text in right {
        assert_eq!(what(text), Ok(()), "{text}");
    }
    for text in wrong {
        assert!(what(text).is_err(), "{text}");
    }
}

#[test]
fn names() {
    let long = "a".repeat(63);
    let longer = "a".repeat(64);
    check(
        dns_label,
        &["a", "a-b", "1", "0a", &long],
        &["", "-a", "a-", "A", "a.b", "a_b", "ä", &longer],
    );
    let subdomain = ["a"; 127].join(".");
    check(
        dns_subdomain,
        &["a", "a.b", "a-b.c1", &subdomain, &longer],
        &[
            "",
            ".",
            "a.",
            ".a",
            "a..b",
            "a.-b",
            "A.b",
            "a/b",
            &format!("{subdomain}.b"),
        ],
    );
    check(
        port_name,
        &["http", "a", "1a", "a-b-1", "abcdefghijklmno"],
        &["", "80", "-a", "a-", "a--b", "A", "a_b", "abcdefghijklmnop", "8-0"],
    );
}

#[test]
fn labels() {
    let name = "a".repeat(63);
    check(
        label_key,
        &[
            "app",
            "App",
            "a_b.c-d",
            "a.b/c",
            "app.kubernetes.io/name",
            &name,
            &format!("a.b/{name}"),
        ],
        &["", "/a", "a/", "a/b/c", "A.b/c", "_a", "a_", "a b", &format!("{name}a")],
    );
    check(
        label_value,
        &["", "a", "A.b_c-1", &name],
        &["-a", "a-", "a b", "a/b", "$a", &format!("{name}a")],
    );
}

#[test]
fn ports_and_protocols() {
    for (number, want) in [(0, None), (1, Some(1)), (65535, Some(65535)), (65536, None), (-1, None)] {
        assert_eq!(port(number).ok(), want, "{number}");
    }
    assert!(protocol(None).is_ok_and(|p| p.to_string() == "TCP"));
    for name in ["TCP", "UDP", "SCTP"] {
        assert!(protocol(Some(name)).is_ok_and(|p| p.to_string() == name));
    }
    for wrong in ["", "tcp", "ICMP"] {
        assert!(protocol(Some(wrong)).is_err(), "{wrong}");
    }
}

/// Text, what is read, and whether with a warning.
type Case = (&'static str, Option<&'static str>, bool);

#[test]
fn addresses() {
    let cases: [Case; 10] = [
        ("10.0.0.1", Some("10.0.0.1"), false),
        ("fd00::1", Some("fd00::1"), false),
        ("FD00::1", Some("fd00::1"), false),
        ("010.000.0.08", Some("10.0.0.8"), true),
        ("::ffff:10.0.0.1", Some("10.0.0.1"), true),
        ("10.0.0", None, false),
        ("10.0.0.256", None, false),
        ("10.0.0.1/32", None, false),
        ("fe80::1%eth0", None, false),
        ("", None, false),
    ];
    for (text, want, warns) in cases {
        let read = ip(text).ok();
        assert_eq!(read.as_ref().map(|ip| ip.value.to_string()).as_deref(), want, "{text}");
        assert_eq!(read.is_some_and(|ip| ip.warning.is_some()), warns, "{text}");
    }
}

#[test]
fn blocks() {
    let cases: [Case; 16] = [
        ("10.0.0.0/8", Some("10.0.0.0/8"), false),
        ("0.0.0.0/0", Some("0.0.0.0/0"), false),
        ("10.0.0.1/32", Some("10.0.0.1/32"), false),
        ("fd00::/8", Some("fd00::/8"), false),
        ("::/0", Some("::/0"), false),
        ("FD00:0::/16", Some("fd00::/16"), false),
        ("10.1.2.3/8", Some("10.0.0.0/8"), true),
        ("fd00::1/64", Some("fd00::/64"), true),
        ("001.002.003.000/24", Some("1.2.3.0/24"), true),
        ("10.0.0.0/33", None, false),
        ("fd00::/129", None, false),
        ("10.0.0.0", None, false),
        ("10.0.0.0/", None, false),
        ("10.0.0.0/+8", None, false),
        ("10.0.0.0/255.0.0.0", None, false),
        ("::ffff:10.0.0.0/104", None, false),
    ];
    for (text, want, warns) in cases {
        let read = cidr(text).ok();
        assert_eq!(
            read.as_ref().map(|cidr| cidr.value.to_string()).as_deref(),
            want,
            "{text}"
        );
        assert_eq!(read.is_some_and(|cidr| cidr.warning.is_some()), warns, "{text}");
    }
}
