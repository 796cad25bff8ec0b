//! A Rust compiler: what it says of itself, and whether the source of its core library lies beside it.

use std::fmt;
use std::path::PathBuf;

/// A compiler's version, such as 1.95.0; the pre-release suffix is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// The first number.
    pub major: u32,
    /// The second number.
    pub minor: u32,
    /// The third number.
    pub patch: u32,
}

impl Version {
    /// Reads `1.95`, `1.95.0` or `1.97.0-nightly`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let release = text.trim().split('-').next()?;
        let mut numbers = release.split('.').map(str::parse);
        let major = numbers.next()?.ok()?;
        let minor = numbers.next()?.ok()?;
        let patch = numbers.next().unwrap_or(Ok(0)).ok()?;
        Some(Self { major, minor, patch })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// One installed compiler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compiler {
    /// Where its `bin/` and `lib/rustlib/` are.
    pub sysroot: PathBuf,
    /// Its version.
    pub version: Version,
    /// The major version of the LLVM it was built with.
    pub llvm: u32,
    /// Whether the source of its core library is installed.
    pub has_source: bool,
    /// Whether rustup manages it, so that `rustup component add rust-src` can mend a missing library.
    pub rustup: bool,
}

impl Compiler {
    /// The compiler itself.
    #[must_use]
    pub fn rustc(&self) -> PathBuf {
        self.sysroot.join("bin/rustc")
    }

    /// The cargo that came with it. Another version's cargo may not know this version's library.
    #[must_use]
    pub fn cargo(&self) -> PathBuf {
        self.sysroot.join("bin/cargo")
    }

    /// What rustup calls it.
    #[must_use]
    pub fn toolchain_name(&self) -> String {
        self.sysroot
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    }

    /// The linter that came with it, if it is installed. Another version's cannot read this version's library.
    #[must_use]
    pub fn clippy(&self) -> PathBuf {
        self.sysroot.join("bin/cargo-clippy")
    }
}

/// Version and LLVM major version from the answer to `rustc --version --verbose`.
#[must_use]
pub fn parse_verbose_version(answer: &str) -> Option<(Version, u32)> {
    let field = |name: &str| answer.lines().find_map(|line| line.strip_prefix(name));
    let version = Version::parse(field("release:")?)?;
    let llvm = field("LLVM version:")?.trim().split('.').next()?.parse().ok()?;
    Some((version, llvm))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_and_ordered() {
        let version = |text| Version::parse(text).expect("a version");
        assert_eq!(version("1.95"), version("1.95.0"));
        assert_eq!(version("1.97.0-nightly").to_string(), "1.97.0");
        assert!(version("1.100.0") > version("1.95.1"));
        for wrong in ["", "1", "one.two", "1.x.0", "1.2.x"] {
            assert_eq!(Version::parse(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn the_verbose_version_is_read() {
        let answer = "rustc 1.96.0 (ac68faa20 2026-05-25) (built from a source tarball)\nbinary: rustc\n\
                      host: x86_64-unknown-linux-gnu\nrelease: 1.96.0\nLLVM version: 22.1.8\n";
        assert_eq!(
            parse_verbose_version(answer),
            Some((
                Version {
                    major: 1,
                    minor: 96,
                    patch: 0
                },
                22
            ))
        );
        assert_eq!(parse_verbose_version("release: 1.96.0\n"), None);
        assert_eq!(parse_verbose_version("rustc 1.63.0\n"), None);
    }
}
