//! Values as they travel: read, shown, and read again.

use super::{Clause, Flag, Unreadable};

/// Something for every flag.
const VALUES: [(Flag, &[&str]); 13] = [
    (Flag::Namespace, &["homepage"]),
    (Flag::Pod, &["homepage", "homepage/home", "immich/"]),
    (Flag::FromPod, &["homepage/home"]),
    (Flag::ToPod, &["immich/immich-server-0"]),
    (Flag::Label, &["app=web,tier in (a,b)", "!app"]),
    (Flag::Ip, &["10.0.0.1/32", "10.0.0.99/24", "fd00::/8"]),
    (Flag::Port, &["80", "65535"]),
    (Flag::Service, &["immich/immich"]),
    (Flag::Outcome, &["timeout", "half-open"]),
    (Flag::Cause, &["policy-egress"]),
    (Flag::Confidence, &["possible"]),
    (Flag::Policy, &["allow-egress"]),
    (Flag::Protocol, &["tcp"]),
];

#[test]
fn a_clause_reads_back_from_what_it_shows() {
    assert_eq!(VALUES.map(|(flag, _)| flag), Flag::ALL);
    for (flag, values) in VALUES {
        let clause = Clause::read(flag.name(), true, values.iter().copied()).expect("a clause");
        let shown: Vec<String> = clause.any_of.iter().map(ToString::to_string).collect();
        assert_eq!(shown, values, "{flag}");
        assert_eq!((clause.flag, clause.not), (flag, true));
    }
    let address = Clause::read("ip", false, ["10.0.0.1"]);
    assert_eq!(address, Clause::read("ip", false, ["10.0.0.1/32"]));
}

#[test]
fn what_cannot_be_read_is_named() {
    assert_eq!(
        Clause::read("mood", false, ["good"]),
        Err(Unreadable::Flag("mood".into()))
    );
    for (flag, value) in [
        ("port", "0"),
        ("outcome", "ended"),
        ("pod", "a/b/c"),
        ("ip", "10.0.0.300"),
        ("protocol", "udp"),
    ] {
        let error = Clause::read(flag, false, [value]).expect_err(flag).to_string();
        assert!(
            error.starts_with(&format!("`{value}` is no value for --{flag}: ")),
            "{error}"
        );
    }
}
