//! Names of kernel functions by address, from `/proc/kallsyms`.
//!
//! The file has some hundred thousand lines, and packets die in a few dozen places: each new place reads the file once, and
//! only the answer is kept. Without CAP_SYSLOG (or with `kernel.kptr_restrict` 2) every address reads as zero. Who may see them is
//! decided when the file is opened (`kallsyms_open`, kernel/kallsyms.c), so it stays open: the capability can be dropped.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek as _};

use crate::objects::Str;

const KALLSYMS: &str = "/proc/kallsyms";
/// The most places that are remembered. Programs of a JIT come and go; what is more than this is a leak.
const MAX_PLACES: usize = 4096;

/// Resolves addresses.
#[derive(Debug, Default)]
pub struct Symbols {
    known: HashMap<u64, Option<Str>>,
    /// The file; `None` where the kernel hides addresses.
    file: Option<File>,
}

impl Symbols {
    /// Tries whether the kernel shows addresses to this process.
    #[must_use]
    pub fn new() -> Self {
        let file = File::open(KALLSYMS).ok();
        Self {
            known: HashMap::new(),
            file: file.filter(|file| shows_addresses(BufReader::new(file)).unwrap_or(false)),
        }
    }

    /// The kernel hides addresses: nothing can be resolved.
    #[must_use]
    pub fn are_hidden(&self) -> bool {
        self.file.is_none()
    }

    /// The function that an address lies in.
    pub fn function(&mut self, address: u64) -> Option<Str> {
        let file = self.file.as_mut().filter(|_| address != 0)?;
        if let Some(known) = self.known.get(&address) {
            return known.clone();
        }
        let found = file
            .rewind()
            .and_then(|()| find(BufReader::with_capacity(64 * 1024, file), address))
            .ok()
            .flatten()
            .map(Str::from);
        if self.known.len() < MAX_PLACES {
            self.known.insert(address, found.clone());
        }
        found
    }
}

/// An address other than zero is in the first line of code already, if in any.
fn shows_addresses(mut lines: impl BufRead) -> io::Result<bool> {
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line)? > 0 {
        if parse(&line).is_some_and(|(address, _)| address > 0) {
            return Ok(true);
        }
        line.clear();
    }
    Ok(false)
}

/// The code symbol with the highest address that is not above the one asked for. Lines are not sorted.
fn find(mut lines: impl BufRead, address: u64) -> io::Result<Option<String>> {
    let mut best: Option<(u64, String)> = None;
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line)? > 0 {
        if let Some((at, name)) = parse(&line)
            && at <= address
            && best.as_ref().is_none_or(|(known, _)| at > *known)
        {
            best = Some((at, name.to_owned()));
        }
        line.clear();
    }
    Ok(best.map(|(_, name)| name))
}

/// `ffffffff81000000 T _stext [module]`: address and name of a code symbol.
fn parse(line: &[u8]) -> Option<(u64, &str)> {
    let mut words = std::str::from_utf8(line).ok()?.split_ascii_whitespace();
    let address = u64::from_str_radix(words.next()?, 16).ok()?;
    let code = matches!(words.next()?, "t" | "T" | "w" | "W");
    let name = words.next()?;
    // The compiler's splits of a function are that function to whoever reads it.
    let name = name.split_once('.').map_or(name, |(name, _)| name);
    code.then_some((address, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "\
0000000000000000 A fixed_percpu_data
ffffffff81000000 T _stext
ffffffff81a00100 t nf_hook_slow
ffffffff81a00080 T ip_rcv
ffffffff81a00200 D some_data
ffffffffc0001000 t nft_do_chain.constprop.0\t[nf_tables]
";

    #[test]
    fn the_function_around_an_address() {
        let check = |address, expect: Option<&str>| {
            let found = find(FILE.as_bytes(), address).expect("readable");
            assert_eq!(found.as_deref(), expect, "{address:x}");
        };
        check(0xffff_ffff_81a0_0100, Some("nf_hook_slow"));
        check(0xffff_ffff_81a0_0250, Some("nf_hook_slow"));
        check(0xffff_ffff_81a0_00ff, Some("ip_rcv"));
        check(0xffff_ffff_c000_1010, Some("nft_do_chain"));
        check(0x1000, None);
    }

    #[test]
    fn hidden_addresses_are_noticed() {
        let zeros = "0000000000000000 T _stext\n0000000000000000 t ip_rcv\n";
        assert!(!shows_addresses(zeros.as_bytes()).expect("readable"));
        assert!(shows_addresses(FILE.as_bytes()).expect("readable"));
    }

    #[test]
    fn garbage_is_skipped() {
        let garbage: &[u8] = b"\xff\xfe\n\nzz T x\nffffffff81000000\nffffffff81000000 T";
        assert_eq!(find(garbage, u64::MAX).expect("readable"), None);
    }
}
