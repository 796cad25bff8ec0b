//! `bpf-linker`, and the LLVM inside it.
//!
//! It reads the compiler's bitcode, so its LLVM must be the compiler's or a later one (LLVM reads the bitcode of earlier
//! releases, never of later ones). It does not tell its LLVM's version, but the version is in the file: as the name of
//! the shared library it loads (`libLLVM.so.22.1`, `libLLVM-21.so.1`), or, with LLVM linked into it, as the signature that
//! LLVM writes into bitcode (`LLVM22.1.8`).

use std::path::PathBuf;

/// One installed `bpf-linker`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Linker {
    /// The program.
    pub path: PathBuf,
    /// The major version of its LLVM; none when the file does not show it.
    pub llvm: Option<u32>,
}

/// The major version of the LLVM that a program's file shows.
#[must_use]
pub fn llvm_in(program: &[u8]) -> Option<u32> {
    ["libLLVM.so.", "libLLVM-", "LLVM"].iter().find_map(|mark| {
        let mark = mark.as_bytes();
        program
            .windows(mark.len())
            .enumerate()
            .filter(|(_, window)| *window == mark)
            .find_map(|(at, _)| major(&program[at + mark.len()..]))
    })
}

/// The two digits before a dot at the beginning of `rest`, as in `22.1`.
fn major(rest: &[u8]) -> Option<u32> {
    match rest {
        [tens @ b'1'..=b'9', ones @ b'0'..=b'9', b'.', ..] => {
            Some(u32::from(tens - b'0') * 10 + u32::from(ones - b'0'))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_llvm_version_is_found_in_the_file() {
        let cases: &[(&str, Option<u32>)] = &[
            ("..libLLVM.so.22.1\0libgcc_s.so.1", Some(22)),
            ("..libLLVM-21.so.1\0", Some(21)),
            ("..BPF\0LLVM22.1.2-rust-1.95.0-stable\0", Some(22)),
            // A shared library's name wins over what help texts say.
            ("LLVM 23 builds\0LLVM23.x\0libLLVM.so.22.1", Some(22)),
            ("LLVM ERROR\0LLVMGetVersion\0LLVM22 builds", None),
            ("libLLVM", None),
            ("", None),
        ];
        for (file, expect) in cases {
            assert_eq!(llvm_in(file.as_bytes()), *expect, "{file:?}");
        }
    }
}
