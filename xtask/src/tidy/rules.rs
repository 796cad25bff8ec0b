//! The rules. Pure: a path and a text in, what is broken out.

use super::source;

/// The longest that a Rust file may be, in lines; one that is longer holds two things.
const LONGEST_FILE: usize = 500;

/// The longest that the map of the architecture may be, in lines, so that it is read.
const LONGEST_MAP: usize = 250;

/// Where time and the world are arguments.
const PURE: &[&str] = &[
    "observer/src/attempt/",
    "observer/src/coverage.rs",
    "observer/src/diagnosis/",
    "observer/src/endpoint/",
    "observer/src/engine",
    "observer/src/filter/",
    "observer/src/flows/",
    "observer/src/objects/",
    "observer/src/policy/",
    "observer/src/recent.rs",
    "observer/src/remote/merge/",
    "observer/src/report/",
    "observer/src/why/",
    "observer/src/world.rs",
];

/// What pure code does not name: the path itself and all below it; `*` stands for any end of the last segment.
const IMPURE: &[&str] = &[
    "tokio",
    "kube",
    "k8s_openapi",
    "aya",
    "std::fs",
    "std::net::Tcp*",
    "Instant::now",
    "SystemTime::now",
];

/// The only places where `unsafe` is allowed.
const UNSAFE: &[&str] = &["observer/src/probe/", "observer-ebpf/"];

/// What would tie the repository to one person's machine or to one mirror. In pieces, so that this file keeps the rule.
const PLACES: &[&str] = &[
    concat!("/", "root/"),
    concat!("/", "home/"),
    concat!("/", "work/"),
    concat!("index.", "crates.io"),
    concat!("static.", "crates.io"),
    concat!("deb.", "debian.org"),
    concat!("archive.", "ubuntu.com"),
    concat!("artifact", "ory"),
];

/// What is broken in one file.
pub(super) fn check(path: &str, text: &str) -> Vec<String> {
    let mut broken = Vec::new();
    let lines = text.lines().count();
    if path.ends_with(".rs") {
        if !text.starts_with("//!") {
            broken.push("a file opens with `//!`: what it owns, what it does not".to_owned());
        }
        if lines > LONGEST_FILE {
            broken.push(format!("{lines} lines: a file past {LONGEST_FILE} holds two things"));
        }
        broken.extend(check_code(path, &source::code(text)));
    }
    if path == "ARCHITECTURE.md" && lines > LONGEST_MAP {
        broken.push(format!("{lines} lines: the map has at most {LONGEST_MAP}"));
    }
    let places = PLACES.iter().filter(|place| text.contains(**place));
    broken.extend(places.map(|place| format!("names {place}, which is one machine's or one mirror's")));
    broken
}

fn check_code(path: &str, code: &str) -> Vec<String> {
    let within = |places: &[&str]| places.iter().any(|place| path.starts_with(place));
    let named = source::paths(code);
    let mut broken = Vec::new();
    if !within(UNSAFE) && named.iter().any(|name| name == "unsafe") {
        broken.push(format!("`unsafe` is allowed only in {}", UNSAFE.join(" and ")));
    }
    if within(PURE) {
        let mut impure: Vec<_> = named.iter().filter(|name| is_impure(name)).collect();
        impure.sort();
        impure.dedup();
        broken.extend(
            impure
                .into_iter()
                .map(|name| format!("pure code names {name}; pass in what it would give")),
        );
    }
    broken
}

fn is_impure(name: &str) -> bool {
    let segments: Vec<&str> = name.split("::").collect();
    IMPURE.iter().any(|rule| {
        let rule: Vec<&str> = rule.split("::").collect();
        if rule[1..] == ["now"] {
            return segments.ends_with(&rule);
        }
        // A single word is a module only with something behind it: a variable may well be called `kube`.
        let single = rule.len() == 1 && segments.len() == 1;
        let glob = rule.len() > 1 && segments.last() == Some(&"*") && rule.starts_with(&segments[..segments.len() - 1]);
        glob || !single
            && segments.len() >= rule.len()
            && rule.iter().zip(&segments).all(|(rule, name)| {
                rule.strip_suffix('*')
                    .map_or(rule == name, |beginning| name.starts_with(beginning))
            })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many rules a file breaks.
    #[track_caller]
    fn breaks(path: &str, text: &str, expect: &str) {
        let broken = check(path, text);
        assert!(
            broken.len() == 1 && broken[0].contains(expect),
            "{path}: {expect:?} expected of {text:?}, found {broken:?}"
        );
    }

    #[track_caller]
    fn keeps(path: &str, text: &str) {
        assert_eq!(check(path, text), Vec::<String>::new(), "{path}: {text:?}");
    }

    #[test]
    fn pure_code_names_nothing_of_the_world() {
        for text in [
            "use tokio::time;",
            "use kube::{Api};",
            "use k8s_openapi::api::core::v1::Pod;",
            "use aya::Ebpf;",
            "use std::fs;",
            "use std::{fmt, fs::File};",
            "use std::net::{IpAddr, TcpStream};",
            "use std::net::*;",
            "let x = std::fs::read(path);",
            "let t = Instant::now();",
            "let t = std::time::SystemTime::now();",
            "type T = tokio::sync::Mutex<u8>;",
        ] {
            for path in [
                "observer/src/policy/a.rs",
                "observer/src/attempt/x/y.rs",
                "observer/src/world.rs",
            ] {
                breaks(path, &format!("//! A.\n{text}\n"), "pure code names");
            }
            keeps("observer/src/cluster/a.rs", &format!("//! A.\n{text}\n"));
        }
    }

    #[test]
    fn pure_code_may_talk_of_the_world_and_use_what_is_like_it() {
        for text in [
            "// unlike tokio::time, std::fs",
            "let s = \"use kube::Api\";",
            "use std::net::{IpAddr, SocketAddr};",
            "use std::time::Duration;",
            "let kube = 1;",
            "use crate::fs::x;",
            "use std::fmt::*;",
            "fn now(now: Instant) {}",
        ] {
            keeps("observer/src/policy/a.rs", &format!("//! A.\n{text}\n"));
        }
    }

    #[test]
    fn unsafe_has_its_places() {
        let text = "//! A.\nfn f() { unsafe { g() } }\n";
        breaks("observer/src/cli/a.rs", text, "`unsafe`");
        breaks("tests/src/lab/a.rs", text, "`unsafe`");
        keeps("observer/src/probe/a.rs", text);
        keeps("observer-ebpf/src/main.rs", text);
        keeps(
            "observer/src/cli/a.rs",
            "//! Nothing unsafe.\n#![forbid(unsafe_code)]\n",
        );
    }

    #[test]
    fn files_have_a_header_and_an_end() {
        breaks("xtask/src/a.rs", "fn f() {}\n", "opens with");
        let lines = |n| "//! A.\n".repeat(n);
        keeps("xtask/src/a.rs", &lines(500));
        breaks("xtask/src/a.rs", &lines(501), "501 lines");
        keeps("ARCHITECTURE.md", &"x\n".repeat(250));
        breaks("ARCHITECTURE.md", &"x\n".repeat(251), "251 lines");
        keeps("README.md", &"x\n".repeat(251));
    }

    #[test]
    fn nothing_ties_the_repository_to_a_machine() {
        for place in PLACES {
            breaks("README.md", &format!("see {place}x"), place);
        }
        keeps("README.md", "see target/release/observer and /usr/bin/cargo");
    }
}
