//! What to do next, from what is there and what was tried in vain. Pure: every case is a row of a table in the tests.

use bpf_toolchain::{Compiler, Missing, Toolchain, Version, choose};

use super::machine::{COMPILER_PACKAGES, DOWNLOAD_PACKAGES, Machine, linker_packages};
use super::step::{LINKER_LLVMS, Privilege, Step};

/// What to do next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Nothing is missing.
    Ready(Toolchain),
    /// This, then look again.
    Do(Step),
    /// We can do no more; what is missing, and the commands to type.
    Stuck(String),
}

/// Whether nothing is missing.
pub(super) fn complete(machine: &Machine) -> bool {
    machine.absent.is_empty() && choose(&machine.compilers, &machine.linkers, machine.minimum).is_ok()
}

/// The next step on the way to a machine that builds and tests everything. Steps in `failed` are not tried again.
pub(super) fn next(machine: &Machine, failed: &[Step]) -> Next {
    let missing;
    let ways = if machine.absent.is_empty() {
        match choose(&machine.compilers, &machine.linkers, machine.minimum) {
            Ok(toolchain) => return Next::Ready(toolchain),
            Err(error) => {
                missing = error.to_string();
                match error {
                    Missing::Library { .. } => ways_to_a_library(machine),
                    Missing::Linker { llvm } | Missing::LinkerTooOld { llvm, .. } => ways_to_a_linker(machine, llvm),
                }
            }
        }
    } else {
        let list: Vec<_> = machine
            .absent
            .iter()
            .map(|p| format!("{} ({})", p.name, p.purpose))
            .collect();
        missing = format!("not installed: {}", list.join(", "));
        let mut names: Vec<String> = machine
            .absent
            .iter()
            .map(|program| program.package.to_owned())
            .collect();
        names.dedup();
        vec![Step::Packages(names)]
    };

    let possible = |step: &&Step| match step {
        Step::Packages(_) => machine.packages.is_some() && machine.privilege != Privilege::Nobody,
        _ => true,
    };
    match ways.iter().filter(|step| !failed.contains(step)).find(possible) {
        Some(step) => Next::Do(step.clone()),
        None => Next::Stuck(stuck(machine, &missing, &ways)),
    }
}

/// How to get a compiler with its library's source: the user's own, then the distribution's.
fn ways_to_a_library(machine: &Machine) -> Vec<Step> {
    let own = machine
        .compilers
        .iter()
        .filter(|compiler| compiler.rustup && compiler.version >= machine.minimum);
    let own = own.filter(|_| machine.rustup);
    let component = own.map(|compiler| Step::Component {
        name: "rust-src",
        toolchain: compiler.toolchain_name(),
    });

    let recent = |package: &str| {
        let version = machine.packages.as_ref().and_then(|offered| offered.get(package));
        version
            .and_then(|version| debian_version(version))
            .is_some_and(|version| version >= machine.minimum)
    };
    let packages = COMPILER_PACKAGES.iter().filter(|(compiler, _)| recent(compiler));
    let packages = packages.map(|(_, names)| Step::Packages(names.iter().copied().map(str::to_owned).collect()));
    component.take(1).chain(packages).collect()
}

/// How to get a linker for a compiler with this LLVM: built with the distribution's LLVM of that version, else the
/// authors' release.
fn ways_to_a_linker(machine: &Machine, llvm: u32) -> Vec<Step> {
    let offered = |package: &str| {
        machine
            .packages
            .as_ref()
            .is_some_and(|packages| packages.contains_key(package))
    };
    let mut ways = Vec::new();
    if LINKER_LLVMS.contains(&llvm) {
        if machine.llvms.contains(&llvm) {
            ways.push(Step::BuildLinker { llvm });
        } else if linker_packages(llvm).iter().all(|package| offered(package)) {
            ways.push(Step::Packages(linker_packages(llvm)));
        }
    }
    if ["x86_64", "aarch64"].contains(&machine.architecture) {
        let download = Step::DownloadLinker {
            architecture: machine.architecture.to_owned(),
        };
        let tools = Step::Packages(DOWNLOAD_PACKAGES.iter().copied().map(str::to_owned).collect());
        ways.extend((!machine.can_download).then_some(tools));
        ways.push(download);
    }
    ways
}

/// How to get the linter of an installed compiler.
pub(super) fn clippy(compiler: &Compiler) -> Step {
    if compiler.rustup {
        return Step::Component {
            name: "clippy",
            toolchain: compiler.toolchain_name(),
        };
    }
    Step::Packages(vec!["rust-web-clippy".to_owned()])
}

/// The upstream part of a Debian version, such as `1.96.0+dfsg1-1~deb12u2`.
fn debian_version(text: &str) -> Option<Version> {
    let upstream = text.rsplit(':').next()?;
    Version::parse(upstream.split(['+', '~', '-']).next()?)
}

/// What to tell a user whom we cannot help any further.
fn stuck(machine: &Machine, missing: &str, ways: &[Step]) -> String {
    let mut text = format!("{missing}.\n");
    match (machine.packages.is_some(), machine.privilege) {
        (false, _) => text.push_str("This is neither Debian nor Ubuntu, so nothing more can be installed from here.\n"),
        (true, Privilege::Nobody) => {
            text.push_str("Packages cannot be installed: you are not root, and there is no sudo.\n");
        }
        (true, _) => {}
    }
    if ways.is_empty() {
        text.push_str(
            "Needed: a Rust toolchain with its library's source (`rustup component add rust-src`), and bpf-linker.\n",
        );
    } else {
        text.push_str("One of these would do; type it and run `cargo xtask setup` again:\n");
        for command in ways.iter().flat_map(|step| step.commands(machine.privilege)) {
            text.push_str(&format!("    {command}\n"));
        }
    }
    text
}

#[cfg(test)]
mod tests;
