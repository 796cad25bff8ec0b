//! Which compiler and linker build the kernel programs, from what is installed. Pure.

use std::fmt;

use crate::{Compiler, Linker, Version};

/// A compiler and a linker that fit each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Toolchain {
    /// Compiles, and has its library's source.
    pub compiler: Compiler,
    /// Links what the compiler wrote.
    pub linker: Linker,
}

/// Why the kernel programs cannot be built here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    /// No compiler is new enough and has the source of its core library.
    Library {
        /// The oldest version that will do.
        minimum: Version,
    },
    /// There is a compiler, but no `bpf-linker` at all.
    Linker {
        /// The LLVM it needs, or a later one.
        llvm: u32,
    },
    /// Every `bpf-linker` has an earlier LLVM than every compiler that could be used.
    LinkerTooOld {
        /// The latest LLVM of an installed linker.
        found: u32,
        /// The LLVM it needs, or a later one.
        llvm: u32,
    },
}

impl std::error::Error for Missing {}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Library { minimum } => {
                write!(
                    f,
                    "no Rust compiler from {minimum} on has the source of its core library"
                )
            }
            Self::Linker { llvm } => write!(f, "no bpf-linker is installed (one with LLVM {llvm} is needed)"),
            Self::LinkerTooOld { found, llvm } => {
                write!(
                    f,
                    "bpf-linker has LLVM {found}, which cannot read what the compiler's LLVM {llvm} writes"
                )
            }
        }
    }
}

/// Takes the first compiler for which a linker fits, in the order given; for one compiler, a linker with the very same
/// LLVM before one with a later LLVM, and one whose LLVM cannot be told last.
///
/// # Errors
///
/// What is missing, seen from the first compiler that could be used.
pub fn choose(compilers: &[Compiler], linkers: &[Linker], minimum: Version) -> Result<Toolchain, Missing> {
    let usable: Vec<&Compiler> = compilers
        .iter()
        .filter(|c| c.has_source && c.version >= minimum)
        .collect();
    let Some(first) = usable.first() else {
        return Err(Missing::Library { minimum });
    };
    let pair = usable
        .iter()
        .find_map(|&compiler| Some((compiler, fitting(linkers, compiler.llvm)?)));
    match pair {
        Some((compiler, linker)) => Ok(Toolchain {
            compiler: compiler.clone(),
            linker: linker.clone(),
        }),
        None => Err(match linkers.iter().filter_map(|l| l.llvm).max() {
            Some(found) => Missing::LinkerTooOld {
                found,
                llvm: first.llvm,
            },
            None => Missing::Linker { llvm: first.llvm },
        }),
    }
}

/// The linker that fits a compiler with this LLVM best.
fn fitting(linkers: &[Linker], llvm: u32) -> Option<&Linker> {
    linkers
        .iter()
        .filter(|linker| linker.llvm.is_none_or(|its| its >= llvm))
        .min_by_key(|linker| linker.llvm.unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINIMUM: Version = Version {
        major: 1,
        minor: 95,
        patch: 0,
    };

    fn compiler(name: &str, minor: u32, llvm: u32, has_source: bool) -> Compiler {
        let version = Version {
            major: 1,
            minor,
            patch: 0,
        };
        Compiler {
            sysroot: name.into(),
            version,
            llvm,
            has_source,
            rustup: false,
        }
    }

    fn linker(name: &str, llvm: Option<u32>) -> Linker {
        Linker {
            path: name.into(),
            llvm,
        }
    }

    /// The sysroot and the linker chosen, or what is missing.
    #[track_caller]
    fn check(compilers: &[Compiler], linkers: &[Linker], expect: Result<(&str, &str), Missing>) {
        let chosen = choose(compilers, linkers, MINIMUM);
        let names = chosen.map(|t| {
            (
                t.compiler.sysroot.display().to_string(),
                t.linker.path.display().to_string(),
            )
        });
        assert_eq!(names, expect.map(|(c, l)| (c.to_owned(), l.to_owned())));
    }

    #[test]
    fn the_first_compiler_with_its_library_is_taken() {
        let rustup = |has_source| compiler("rustup", 95, 22, has_source);
        let debian = compiler("/usr", 96, 22, true);
        let linkers = [linker("a", Some(22))];
        check(&[rustup(true), debian.clone()], &linkers, Ok(("rustup", "a")));
        check(&[rustup(false), debian], &linkers, Ok(("/usr", "a")));
        check(&[rustup(false)], &linkers, Err(Missing::Library { minimum: MINIMUM }));
        check(&[], &linkers, Err(Missing::Library { minimum: MINIMUM }));
    }

    #[test]
    fn a_compiler_that_is_too_old_is_passed_over() {
        let linkers = [linker("a", Some(22))];
        let old = compiler("/usr", 94, 21, true);
        check(
            std::slice::from_ref(&old),
            &linkers,
            Err(Missing::Library { minimum: MINIMUM }),
        );
        check(&[old, compiler("rustup", 95, 22, true)], &linkers, Ok(("rustup", "a")));
    }

    #[test]
    fn the_linker_must_read_what_the_compiler_writes() {
        let compilers = [compiler("rustup", 95, 22, true)];
        let case = |linkers: &[Linker], expect| check(&compilers, linkers, expect);
        case(&[], Err(Missing::Linker { llvm: 22 }));
        case(
            &[linker("old", Some(21))],
            Err(Missing::LinkerTooOld { found: 21, llvm: 22 }),
        );
        case(&[linker("new", Some(23))], Ok(("rustup", "new")));
        case(
            &[linker("new", Some(23)), linker("same", Some(22))],
            Ok(("rustup", "same")),
        );
        case(&[linker("silent", None)], Ok(("rustup", "silent")));
        case(
            &[linker("silent", None), linker("new", Some(23))],
            Ok(("rustup", "new")),
        );
    }

    #[test]
    fn a_later_compiler_is_taken_where_only_its_linker_is_there() {
        let compilers = [compiler("nightly", 99, 23, true), compiler("/usr", 96, 22, true)];
        check(&compilers, &[linker("a", Some(22))], Ok(("/usr", "a")));
    }
}
