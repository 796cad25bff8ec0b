//! Looks at this machine for compilers and linkers. What cannot be run or read is not there.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::compiler::{self, Compiler};
use crate::linker::{self, Linker};

/// Where rustup and `cargo install` put programs; `cargo` may have been started by its path, with this not on `PATH`.
#[must_use]
pub fn cargo_bin() -> Option<PathBuf> {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| env::var_os("HOME").map(|home| Path::new(&home).join(".cargo")))?;
    Some(home.join("bin"))
}

/// The compilers of this machine: the one that is compiling now (or would), then the others on `PATH`, which is where a
/// distribution's is. Each once.
#[must_use]
pub fn compilers() -> Vec<Compiler> {
    let current = env::var_os("RUSTC").map(PathBuf::from);
    let mut found: Vec<Compiler> = Vec::new();
    for rustc in current.into_iter().chain(programs("rustc")) {
        if let Some(compiler) = inspect_compiler(&rustc)
            && found.iter().all(|other| other.sysroot != compiler.sysroot)
        {
            found.push(compiler);
        }
    }
    found
}

/// The `bpf-linker`s of this machine, in the order of `PATH`.
#[must_use]
pub fn linkers() -> Vec<Linker> {
    programs("bpf-linker")
        .into_iter()
        .filter_map(|path| {
            let llvm = linker::llvm_in(&fs::read(&path).ok()?);
            // One whose shared LLVM was removed cannot start.
            answer(&path, &["--version"])?;
            Some(Linker { path, llvm })
        })
        .collect()
}

/// Every place to look for a program: `PATH`, `cargo install`'s folder, and the folders of a system whose `PATH` is bare.
fn programs(name: &str) -> Vec<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut found: Vec<PathBuf> = Vec::new();
    for folder in env::split_paths(&path)
        .chain(cargo_bin())
        .chain(["/usr/local/bin".into(), "/usr/bin".into()])
    {
        let program = folder.join(name);
        if program.is_file() && !found.contains(&program) {
            found.push(program);
        }
    }
    found
}

/// Asks one compiler.
fn inspect_compiler(rustc: &Path) -> Option<Compiler> {
    let (version, llvm) = compiler::parse_verbose_version(&answer(rustc, &["--version", "--verbose"])?)?;
    let sysroot = PathBuf::from(answer(rustc, &["--print", "sysroot"])?.trim());
    let has_source = sysroot.join("lib/rustlib/src/rust/library/core/src/lib.rs").is_file();
    let rustup = sysroot.parent().and_then(Path::file_name) == Some(OsStr::new("toolchains"));
    let compiler = Compiler {
        sysroot,
        version,
        llvm,
        has_source,
        rustup,
    };
    (compiler.rustc().is_file() && compiler.cargo().is_file()).then_some(compiler)
}

/// What a program prints, if it succeeds.
fn answer(program: &Path, arguments: &[&str]) -> Option<String> {
    let mut command = Command::new(program);
    // Cargo points this to the running toolchain's libraries, among them an LLVM that another compiler must not load.
    command.args(arguments).env_remove("LD_LIBRARY_PATH");
    let output = command.output().ok().filter(|output| output.status.success())?;
    String::from_utf8(output.stdout).ok()
}
