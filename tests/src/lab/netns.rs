//! A named network namespace that goes away when dropped.

use std::fs::File;
use std::path::PathBuf;
use std::thread;

use anyhow::{Context as _, Result, anyhow};
use nix::sched::{CloneFlags, setns};

use super::shell;

/// A network namespace under `/run/netns`, where container runtimes keep theirs.
#[derive(Debug)]
pub struct NetNs {
    name: String,
    handle: File,
}

impl NetNs {
    /// Makes the namespace and brings its loopback up.
    pub fn new(name: &str) -> Result<Self> {
        shell::run("ip", &["netns", "add", name], "")?;
        let handle = File::open(PathBuf::from("/run/netns").join(name))
            .with_context(|| format!("opening the namespace {name} just made"))?;
        let namespace = Self {
            name: name.to_owned(),
            handle,
        };
        namespace.ip("link set lo up")?;
        Ok(namespace)
    }

    /// The name that `ip netns` knows it by.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs `work` on a thread of its own inside the namespace. Sockets made there stay there.
    ///
    /// # Panics
    /// Where `work` does, or where the kernel refuses to enter (no root).
    pub fn enter<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        thread::scope(|scope| {
            let worker = scope.spawn(|| {
                setns(&self.handle, CloneFlags::CLONE_NEWNET)
                    .unwrap_or_else(|error| panic!("cannot enter the namespace {}: {error}", self.name));
                work()
            });
            worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Runs one of the system's tools inside the namespace and returns its output.
    pub fn run(&self, program: &str, arguments: &[&str], input: &str) -> Result<String> {
        self.enter(|| shell::run(program, arguments, input))
            .with_context(|| format!("in namespace {}", self.name))
    }

    /// Runs lines of `ip` commands (without the word `ip`), all or nothing up to the first that fails.
    pub fn ip(&self, lines: &str) -> Result<()> {
        self.run("ip", &["-batch", "-"], lines).map(drop)
    }

    /// Runs an nft script, which is applied as one transaction.
    pub fn nft(&self, script: &str) -> Result<String> {
        self.run("nft", &["-a", "-e", "-f", "-"], script)
    }

    /// Sets sysctls below `/proc/sys/net`, such as `("ipv4/ip_forward", "1")`.
    pub fn sysctl(&self, settings: &[(&str, &str)]) -> Result<()> {
        self.enter(|| {
            settings.iter().try_for_each(|(key, value)| {
                std::fs::write(PathBuf::from("/proc/sys/net").join(key), value)
                    .map_err(|error| anyhow!("setting net/{key} to {value}: {error}"))
            })
        })
        .with_context(|| format!("in namespace {}", self.name))
    }
}

/// Removes namespaces of labs whose program was killed before it could.
///
/// A lab's namespaces are called `obs-<process id>-…`; those of running programs are left alone.
pub(super) fn sweep() {
    let Ok(entries) = std::fs::read_dir("/run/netns") else {
        return;
    };
    for name in entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()) {
        let owner = name
            .strip_prefix("obs-")
            .and_then(|rest| rest.split('-').next()?.parse::<u32>().ok());
        if owner.is_some_and(|owner| !PathBuf::from(format!("/proc/{owner}")).exists()) {
            // Another lab may be sweeping, too.
            let _ = shell::run("ip", &["netns", "del", &name], "");
        }
    }
}

impl Drop for NetNs {
    fn drop(&mut self) {
        if let Err(error) = shell::run("ip", &["netns", "del", &self.name], "") {
            eprintln!("could not remove the namespace {}: {error:#}", self.name);
        }
    }
}
