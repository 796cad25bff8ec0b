//! What this process uses, from `/proc/self`, under the names that Prometheus' own client libraries use.

use std::fs;

use nix::unistd::{SysconfVar, sysconf};

/// What does not change, and where the rest is read.
#[derive(Debug)]
pub(super) struct Process {
    /// The running kernel's release.
    pub(super) kernel: String,
    ticks_per_second: f64,
    page_bytes: u64,
    /// When the node booted, in seconds since 1970.
    booted: Option<f64>,
}

/// What is used now.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Usage {
    pub(super) cpu_seconds: f64,
    pub(super) resident_bytes: u64,
    pub(super) virtual_bytes: u64,
    pub(super) threads: u64,
    pub(super) started_seconds: Option<f64>,
    pub(super) open_files: Option<usize>,
    pub(super) max_files: Option<u64>,
}

impl Process {
    pub(super) fn new() -> Self {
        let conf = |variable| sysconf(variable).ok().flatten();
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let boot = fs::read_to_string("/proc/stat").unwrap_or_default();
        Self {
            kernel: kernel.trim().to_owned(),
            ticks_per_second: conf(SysconfVar::CLK_TCK).map_or(100.0, |ticks| ticks as f64),
            page_bytes: conf(SysconfVar::PAGE_SIZE)
                .and_then(|bytes| u64::try_from(bytes).ok())
                .unwrap_or(4096),
            booted: boot
                .lines()
                .find_map(|line| line.strip_prefix("btime ")?.trim().parse().ok()),
        }
    }

    /// `None` where `/proc` cannot be read.
    pub(super) fn usage(&self) -> Option<Usage> {
        let mut usage = self.parse(&fs::read_to_string("/proc/self/stat").ok()?)?;
        // The folder's own descriptor is among them.
        usage.open_files = fs::read_dir("/proc/self/fd")
            .ok()
            .map(|files| files.count().saturating_sub(1));
        let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
        usage.max_files = limits.lines().find_map(|line| {
            line.strip_prefix("Max open files")?
                .split_whitespace()
                .next()?
                .parse()
                .ok()
        });
        Some(usage)
    }

    /// Reads `/proc/<pid>/stat` (`man 5 proc_pid_stat`), whose second field may hold anything in parentheses.
    fn parse(&self, stat: &str) -> Option<Usage> {
        let (_, rest) = stat.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        // The first of them is the third of the file.
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        let seconds = |ticks: u64| ticks as f64 / self.ticks_per_second;
        Some(Usage {
            cpu_seconds: seconds(field(14)? + field(15)?),
            threads: field(20)?,
            started_seconds: self.booted.and_then(|booted| Some(booted + seconds(field(22)?))),
            virtual_bytes: field(23)?,
            resident_bytes: field(24)? * self.page_bytes,
            ..Usage::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_kernel_is_read() {
        let process = Process {
            kernel: String::new(),
            ticks_per_second: 100.0,
            page_bytes: 4096,
            booted: Some(1000.0),
        };
        let line =
            "42 (a (b) c) S 1 42 42 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 7 0 1234 8192000 300 18446744073709551615";
        assert_eq!(
            process.parse(line),
            Some(Usage {
                cpu_seconds: 3.0,
                resident_bytes: 300 * 4096,
                virtual_bytes: 8_192_000,
                threads: 7,
                started_seconds: Some(1012.34),
                open_files: None,
                max_files: None,
            })
        );
        assert_eq!(process.parse("42 (cut"), None);
        assert_eq!(process.parse("42 (cut) S 1"), None);
    }

    #[test]
    fn this_process_is_alive() {
        let usage = Process::new().usage().expect("/proc");
        assert!(usage.resident_bytes > 0 && usage.threads > 0, "{usage:?}");
        assert!(usage.open_files < usage.max_files.map(|max| max as usize), "{usage:?}");
        assert!(
            usage.started_seconds.is_some_and(|at| at > 1_000_000_000.0),
            "{usage:?}"
        );
    }
}
