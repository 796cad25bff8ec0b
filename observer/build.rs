//! Compiles the kernel programs and leaves the object for `src/probe/object.rs` to embed, or an empty stub with one warning
//! where no BPF toolchain answers. With `OBSERVER_REQUIRE_BPF=1`, as in CI and under xtask, a stub is an error.

use std::path::{Path, PathBuf};
use std::{env, fs};

use anyhow::{Context as _, Result, bail};
use bpf_toolchain::cargo::Verb;
use bpf_toolchain::{Missing, Toolchain, Version, cargo, detect};
use object::build::elf;

/// What the object is made of, relative to the workspace.
const SOURCES: &[&str] = &[
    "observer-ebpf/src",
    "observer-ebpf/Cargo.toml",
    "observer-common/src",
    "observer-common/Cargo.toml",
    "Cargo.toml",
    "Cargo.lock",
];

const REQUIRE: &str = "OBSERVER_REQUIRE_BPF";

fn main() -> Result<()> {
    let out = PathBuf::from(env::var_os("OUT_DIR").context("OUT_DIR is not set: run this through cargo")?);
    let root = workspace()?;
    for source in SOURCES {
        println!("cargo::rerun-if-changed={}", root.join(source).display());
    }
    let minimum = env::var("CARGO_PKG_RUST_VERSION")
        .ok()
        .and_then(|text| Version::parse(&text));
    let minimum = minimum.context("the package has no rust-version")?;

    let why = match bpf_toolchain::find(minimum) {
        Ok(toolchain) => {
            compile(&toolchain, &root, &out)?;
            String::new()
        }
        Err(missing) => {
            stub(&missing, &out)?;
            missing.to_string()
        }
    };
    println!("cargo::rustc-env=OBSERVER_BPF_STUB={why}");
    Ok(())
}

/// The folder above this package.
fn workspace() -> Result<PathBuf> {
    let package = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").context("CARGO_MANIFEST_DIR is not set")?);
    Ok(package
        .parent()
        .context("the package is not in a workspace")?
        .to_owned())
}

fn compile(toolchain: &Toolchain, root: &Path, out: &Path) -> Result<()> {
    println!("cargo::rerun-if-changed={}", toolchain.linker.path.display());
    let target = cargo::target_folder(out);
    let mut command = cargo::command(toolchain, Verb::Build, root, &target);
    let output = command
        .output()
        .with_context(|| format!("cannot run {}", toolchain.compiler.cargo().display()))?;
    if !output.status.success() {
        bail!(
            "the kernel programs do not compile:\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    let object = cargo::object(&target);
    let whole = fs::read(&object).with_context(|| format!("cannot read {}", object.display()))?;
    let small = without_debug(&whole).with_context(|| format!("cannot strip {}", object.display()))?;
    fs::write(out.join("observer.bpf.o"), small).with_context(|| format!("cannot write to {}", out.display()))
}

/// The object without DWARF, which nobody reads once the linker has made BTF of it: four fifths of its size.
fn without_debug(object: &[u8]) -> Result<Vec<u8>> {
    let mut builder = elf::Builder::read(object)?;
    for section in &mut builder.sections {
        let name = section.name.as_slice();
        section.delete = name.starts_with(b".debug") || name.starts_with(b".rel.debug");
    }
    builder.delete_orphans();
    // LLVM keeps the sections' names in the symbols' string table, and the writer wants a table for them.
    let names = builder.sections.add();
    names.name = b".shstrtab"[..].into();
    names.sh_type = object::elf::SHT_STRTAB;
    names.sh_addralign = 1;
    names.data = elf::SectionData::SectionString;
    let mut small = Vec::new();
    builder.write(&mut small)?;
    Ok(small)
}

/// Leaves an empty object, and watches the places where a toolchain would appear.
fn stub(missing: &Missing, out: &Path) -> Result<()> {
    println!("cargo::rerun-if-env-changed={REQUIRE}");
    let libraries = detect::compilers()
        .into_iter()
        .map(|compiler| compiler.sysroot.join("lib/rustlib"));
    for folder in libraries
        .chain(detect::cargo_bin())
        .chain(["/usr/bin".into()])
        .filter(|folder| folder.is_dir())
    {
        println!("cargo::rerun-if-changed={}", folder.display());
    }
    if env::var_os(REQUIRE).is_some_and(|value| value == "1") {
        bail!("{missing}; run `cargo xtask setup`, which installs what is missing");
    }
    println!(
        "cargo::warning=building without the kernel programs: {missing}. The observer will not be able to watch anything; \
         run `cargo xtask setup`, which installs what is missing, and build again."
    );
    fs::write(out.join("observer.bpf.o"), []).context("cannot write the stub")
}
