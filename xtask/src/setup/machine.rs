//! What is there: the only part of setup that looks.

use std::collections::BTreeMap;
use std::env;
use std::path::Path;

use bpf_toolchain::{Compiler, Linker, Version, detect};

use super::step::{LINKER_LLVMS, Privilege};
use crate::shell;

/// A program that has to be there, and the package of Debian and Ubuntu that has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Program {
    /// Its name.
    pub(super) name: &'static str,
    /// The package.
    pub(super) package: &'static str,
    /// What it is for.
    pub(super) purpose: &'static str,
}

/// What the build and the tests call.
const PROGRAMS: &[Program] = &[
    Program {
        name: "cc",
        package: "gcc",
        purpose: "links every Rust program",
    },
    Program {
        name: "c++",
        package: "g++",
        purpose: "builds the fuzzing engine and links bpf-linker",
    },
    Program {
        name: "ip",
        package: "iproute2",
        purpose: "lays the lab's network",
    },
    Program {
        name: "tc",
        package: "iproute2",
        purpose: "attaches foreign filters in kernel tests",
    },
    Program {
        name: "nft",
        package: "nftables",
        purpose: "enforces policies in the lab",
    },
];

/// The packages that have a compiler with its library's source, by the package whose version is the compiler's.
pub(super) const COMPILER_PACKAGES: &[(&str, &[&str])] = &[
    (
        "rustc-web",
        &["cargo-web", "rustc-web", "rust-web-src", "rust-web-clippy"],
    ),
    ("rustc", &["cargo", "rustc", "rust-src", "rust-clippy"]),
];

/// What the plan decides on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Machine {
    /// The compilers, the preferred one first.
    pub(super) compilers: Vec<Compiler>,
    /// The linkers.
    pub(super) linkers: Vec<Linker>,
    /// The oldest compiler that will do.
    pub(super) minimum: Version,
    /// Programs that are not there.
    pub(super) absent: Vec<Program>,
    /// Whether rustup answers.
    pub(super) rustup: bool,
    /// Whether packages can be installed.
    pub(super) privilege: Privilege,
    /// The LLVMs whose libraries and headers are installed.
    pub(super) llvms: Vec<u32>,
    /// Whether there is what downloading and unpacking takes.
    pub(super) can_download: bool,
    /// In Rust's words.
    pub(super) architecture: &'static str,
    /// What apt offers: package and version. None where there is no apt, or nobody has asked yet.
    pub(super) packages: Option<BTreeMap<String, String>>,
}

impl Machine {
    /// The same, before apt was asked.
    pub(super) fn without_packages(&self) -> Self {
        Self {
            packages: None,
            ..self.clone()
        }
    }
}

/// Looks at everything that is quick to see.
pub(super) fn inspect() -> Machine {
    let privilege = match (shell::is_root(), shell::on_path("sudo")) {
        (true, _) => Privilege::Root,
        (false, true) => Privilege::Sudo,
        (false, false) => Privilege::Nobody,
    };
    let shared_llvm = |llvm: &u32| {
        Path::new("/usr/lib")
            .join(format!("llvm-{llvm}/include/llvm-c/Core.h"))
            .is_file()
    };
    Machine {
        compilers: detect::compilers(),
        linkers: detect::linkers(),
        minimum: Version::parse(env!("CARGO_PKG_RUST_VERSION")).expect("the manifest has a rust-version"),
        absent: PROGRAMS
            .iter()
            .filter(|program| !shell::on_path(program.name))
            .copied()
            .collect(),
        rustup: shell::on_path("rustup"),
        privilege,
        llvms: LINKER_LLVMS.iter().copied().filter(shared_llvm).collect(),
        can_download: ["curl", "tar", "zstd"].iter().all(|name| shell::on_path(name)),
        architecture: env::consts::ARCH,
        packages: None,
    }
}

/// Asks apt what it offers of the packages that setup may want. Its lists are fetched first if there are none.
pub(super) fn packages(machine: &Machine) -> Option<BTreeMap<String, String>> {
    if !shell::on_path("apt-get") {
        return None;
    }
    let mut names: Vec<String> = PROGRAMS.iter().map(|program| program.package.to_owned()).collect();
    names.extend(
        COMPILER_PACKAGES
            .iter()
            .flat_map(|(_, names)| names.iter().copied().map(str::to_owned)),
    );
    names.extend(LINKER_LLVMS.iter().flat_map(|&llvm| linker_packages(llvm)));
    names.extend(DOWNLOAD_PACKAGES.iter().copied().map(str::to_owned));

    let offered = policy(&names);
    if !offered.is_empty() || machine.privilege == Privilege::Nobody {
        return Some(offered);
    }
    let update = if machine.privilege == Privilege::Root {
        "apt-get update"
    } else {
        "sudo apt-get update"
    };
    println!("+ {update}");
    let fetched = std::process::Command::new("sh")
        .args(["-c", update])
        .status()
        .is_ok_and(|status| status.success());
    Some(if fetched { policy(&names) } else { offered })
}

/// What building `bpf-linker` with a distribution's LLVM needs.
pub(super) fn linker_packages(llvm: u32) -> Vec<String> {
    let versioned = [format!("llvm-{llvm}-dev"), format!("libpolly-{llvm}-dev")];
    versioned
        .into_iter()
        .chain(["libzstd-dev", "zlib1g-dev", "libxml2-dev"].map(str::to_owned))
        .collect()
}

/// What downloading the released `bpf-linker` needs.
pub(super) const DOWNLOAD_PACKAGES: &[&str] = &["ca-certificates", "curl", "zstd"];

fn policy(names: &[String]) -> BTreeMap<String, String> {
    let mut arguments = vec!["policy"];
    arguments.extend(names.iter().map(String::as_str));
    shell::output("apt-cache", &arguments)
        .map(|answer| parse_policy(&answer))
        .unwrap_or_default()
}

/// Package and candidate version from what `apt-cache policy` prints.
fn parse_policy(answer: &str) -> BTreeMap<String, String> {
    let mut offered = BTreeMap::new();
    let mut package = "";
    for line in answer.lines() {
        if let Some(name) = line.strip_suffix(':').filter(|_| !line.starts_with(' ')) {
            package = name;
        } else if let Some(version) = line
            .trim()
            .strip_prefix("Candidate: ")
            .filter(|version| *version != "(none)")
        {
            offered.insert(package.to_owned(), version.to_owned());
        }
    }
    offered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_apt_offers_is_read() {
        let answer = "rustc-web:\n  Installed: (none)\n  Candidate: 1.96.0+dfsg1-1~deb12u2\n  Version table:\n     \
                      1.96.0+dfsg1-1~deb12u2 500\nllvm-23-dev:\n  Installed: (none)\n  Candidate: (none)\n  Version table:\n";
        let offered = parse_policy(answer);
        assert_eq!(
            offered.get("rustc-web").map(String::as_str),
            Some("1.96.0+dfsg1-1~deb12u2")
        );
        assert_eq!(offered.len(), 1);
    }
}
