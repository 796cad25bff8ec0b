//! "What is there" against "what to do", row by row.

use std::collections::BTreeMap;

use bpf_toolchain::{Compiler, Linker};

use super::super::machine::Program;
use super::*;

const NIGHTLY: &str = "nightly-x86_64-unknown-linux-gnu";

fn rustup(name: &str, minor: u32, has_source: bool) -> Compiler {
    let version = Version {
        major: 1,
        minor,
        patch: 0,
    };
    let sysroot = format!("/opt/user/.rustup/toolchains/{name}").into();
    Compiler {
        sysroot,
        version,
        llvm: 22,
        has_source,
        rustup: true,
    }
}

fn debian(minor: u32) -> Compiler {
    let version = Version {
        major: 1,
        minor,
        patch: 0,
    };
    Compiler {
        sysroot: "/usr".into(),
        version,
        llvm: 22,
        has_source: true,
        rustup: false,
    }
}

fn linker(llvm: u32) -> Linker {
    Linker {
        path: "/opt/user/.cargo/bin/bpf-linker".into(),
        llvm: Some(llvm),
    }
}

fn offers(packages: &[(&str, &str)]) -> Option<BTreeMap<String, String>> {
    Some(
        packages
            .iter()
            .map(|(name, version)| ((*name).to_owned(), (*version).to_owned()))
            .collect(),
    )
}

/// Debian 12, as the fresh machine that it is.
fn bookworm() -> Option<BTreeMap<String, String>> {
    offers(&[
        ("rustc", "1.63.0+dfsg1-2"),
        ("rustc-web", "1.96.0+dfsg1-1~deb12u2"),
        ("llvm-22-dev", "1:22.1.8-1~deb12u1"),
        ("libpolly-22-dev", "1:22.1.8-1~deb12u1"),
        ("libzstd-dev", "1.5.4+dfsg2-5"),
        ("zlib1g-dev", "1:1.2.13.dfsg-1"),
        ("libxml2-dev", "2.9.14+dfsg-1.3~deb12u2"),
    ])
}

/// Ubuntu 24.04: an older compiler under the plain name, and no recent LLVM.
fn noble() -> Option<BTreeMap<String, String>> {
    offers(&[
        ("rustc", "1.75.0+dfsg0ubuntu1-0ubuntu7"),
        ("libzstd-dev", "1.5.5"),
        ("zlib1g-dev", "1:1.3"),
        ("curl", "8.5.0"),
    ])
}

/// A user with rustup's stable and root; the programs are there, the BPF toolchain is not.
fn machine() -> Machine {
    Machine {
        compilers: vec![rustup("stable", 95, false)],
        linkers: Vec::new(),
        minimum: Version {
            major: 1,
            minor: 95,
            patch: 0,
        },
        absent: Vec::new(),
        rustup: true,
        privilege: Privilege::Root,
        llvms: Vec::new(),
        can_download: true,
        architecture: "x86_64",
        packages: bookworm(),
    }
}

fn packages(names: &[&str]) -> Step {
    Step::Packages(names.iter().copied().map(str::to_owned).collect())
}

fn source(toolchain: &str) -> Step {
    Step::Component {
        name: "rust-src",
        toolchain: toolchain.to_owned(),
    }
}

fn download() -> Step {
    Step::DownloadLinker {
        architecture: "x86_64".to_owned(),
    }
}

#[track_caller]
fn does(machine: &Machine, failed: &[Step], expect: &Step) {
    assert_eq!(next(machine, failed), Next::Do(expect.clone()));
    assert!(!complete(machine));
}

#[track_caller]
fn is_stuck(machine: &Machine, failed: &[Step], expect: &[&str]) {
    let Next::Stuck(text) = next(machine, failed) else {
        panic!("not stuck: {:?}", next(machine, failed))
    };
    for words in expect {
        assert!(text.contains(words), "{words:?} is not in {text}");
    }
}

#[test]
fn ready_when_nothing_is_missing() {
    let machine = Machine {
        compilers: vec![rustup("stable", 95, true)],
        linkers: vec![linker(22)],
        ..machine()
    };
    assert!(complete(&machine));
    assert!(matches!(next(&machine, &[]), Next::Ready(_)));
}

#[test]
fn programs_come_first_and_a_package_is_named_once() {
    let program = |name, package| Program {
        name,
        package,
        purpose: "is needed",
    };
    let absent = vec![
        program("cc", "gcc"),
        program("ip", "iproute2"),
        program("tc", "iproute2"),
    ];
    let machine = Machine { absent, ..machine() };
    does(&machine, &[], &packages(&["gcc", "iproute2"]));
    is_stuck(
        &machine,
        &[packages(&["gcc", "iproute2"])],
        &["cc (is needed)", "apt-get install", "gcc iproute2"],
    );
}

#[test]
fn the_users_own_toolchain_gets_its_source_first() {
    does(&machine(), &[], &source("stable"));
    let with_debian = Machine {
        compilers: vec![rustup("stable", 95, false), debian(96)],
        linkers: vec![linker(22)],
        ..machine()
    };
    assert!(
        matches!(next(&with_debian, &[]), Next::Ready(t) if t.compiler == debian(96)),
        "what is there is used as it is"
    );
}

#[test]
fn where_rustup_cannot_add_it_the_distributions_compiler_is_installed() {
    let web = packages(&["cargo-web", "rustc-web", "rust-web-src", "rust-web-clippy"]);
    does(&machine(), &[source("stable")], &web);
    does(
        &Machine {
            rustup: false,
            ..machine()
        },
        &[],
        &web,
    );
    is_stuck(
        &machine(),
        &[source("stable"), web],
        &["source of its core library", "rustup component add rust-src"],
    );
}

#[test]
fn a_toolchain_that_is_too_old_gets_no_source() {
    let machine = Machine {
        compilers: vec![rustup("stable", 94, false), rustup(NIGHTLY, 97, false)],
        ..machine()
    };
    does(&machine, &[], &source(NIGHTLY));
}

#[test]
fn a_distributions_compiler_that_is_too_old_is_not_installed() {
    let machine = Machine {
        packages: noble(),
        ..machine()
    };
    does(&machine, &[], &source("stable"));
    is_stuck(
        &machine,
        &[source("stable")],
        &["1.95.0", "rustup component add rust-src --toolchain stable"],
    );
}

#[test]
fn the_linker_is_built_where_the_distribution_has_its_llvm() {
    let machine = Machine {
        compilers: vec![rustup("stable", 95, true)],
        ..machine()
    };
    let llvm = packages(&[
        "llvm-22-dev",
        "libpolly-22-dev",
        "libzstd-dev",
        "zlib1g-dev",
        "libxml2-dev",
    ]);
    does(&machine, &[], &llvm);
    does(
        &Machine {
            llvms: vec![22],
            ..machine.clone()
        },
        &[],
        &Step::BuildLinker { llvm: 22 },
    );
    does(
        &Machine {
            llvms: vec![22],
            ..machine.clone()
        },
        &[Step::BuildLinker { llvm: 22 }],
        &download(),
    );
    does(&machine, std::slice::from_ref(&llvm), &download());
    does(
        &Machine {
            linkers: vec![linker(21)],
            ..machine
        },
        &[],
        &llvm,
    );
}

#[test]
fn elsewhere_the_released_linker_is_downloaded() {
    let ubuntu = Machine {
        compilers: vec![rustup("stable", 95, true)],
        packages: noble(),
        ..machine()
    };
    does(&ubuntu, &[], &download());
    let tools = packages(&["ca-certificates", "curl", "zstd"]);
    does(
        &Machine {
            can_download: false,
            ..ubuntu.clone()
        },
        &[],
        &tools,
    );
    is_stuck(&ubuntu, &[download()], &["no bpf-linker", "releases/download", "| tar"]);
    let exotic = Machine {
        architecture: "riscv64",
        ..ubuntu
    };
    is_stuck(&exotic, &[], &["no bpf-linker", "rust-src", "bpf-linker"]);
}

#[test]
fn without_root_the_commands_to_type_are_named() {
    let nobody = Machine {
        privilege: Privilege::Nobody,
        ..machine()
    };
    does(&nobody, &[], &source("stable"));
    is_stuck(
        &nobody,
        &[source("stable")],
        &[
            "not root",
            "sudo env DEBIAN_FRONTEND=noninteractive apt-get install",
            "rustc-web",
        ],
    );
}

#[test]
fn elsewhere_than_on_debian_the_commands_to_type_are_named() {
    let absent = vec![Program {
        name: "nft",
        package: "nftables",
        purpose: "enforces policies in the lab",
    }];
    let machine = Machine {
        packages: None,
        absent,
        ..machine()
    };
    is_stuck(
        &machine,
        &[],
        &["neither Debian nor Ubuntu", "nft (enforces policies in the lab)"],
    );
}

#[test]
fn debian_versions_are_read() {
    let cases = [
        ("1.96.0+dfsg1-1~deb12u2", Some("1.96.0")),
        ("2:1.95.1-3", Some("1.95.1")),
        ("1.100~rc1", Some("1.100.0")),
        ("x", None),
    ];
    for (text, expect) in cases {
        assert_eq!(
            debian_version(text).map(|version| version.to_string()).as_deref(),
            expect,
            "{text}"
        );
    }
}

#[test]
fn the_linter_comes_from_where_the_compiler_came() {
    assert_eq!(
        clippy(&rustup("stable", 95, true)),
        Step::Component {
            name: "clippy",
            toolchain: "stable".to_owned()
        }
    );
    assert_eq!(clippy(&debian(96)), packages(&["rust-web-clippy"]));
}
