//! Loads the kernel programs: sets what they must know of this kernel and what the user chose, and says what is missing.
//!
//! Missing parts degrade, each with a sentence; only what makes watching impossible is an error.

use std::collections::HashMap;
use std::io;

use aya::programs::{BtfTracePoint, ProgramError, SchedClassifier};
use aya::{Btf as AyaBtf, Ebpf, EbpfError, EbpfLoader};
use object::{Object as _, ObjectSection as _, ObjectSymbol as _};
use observer_common::abi;

use super::btf::Btf;
use super::coverage::{Code, Degraded};
use super::object::{NoPrograms, OBJECT};
use super::with_causes;
use crate::objects::Str;

/// The tc programs, by direction.
pub const FROM_POD: &str = "from_pod";
/// See [`FROM_POD`].
pub const TO_POD: &str = "to_pod";

/// Drops of these reasons are no drops of an attempt: a flooded bridge frame at a bystander, and a copy for a packet socket.
const IGNORED: &[&str] = &["OTHERHOST", "PACKET_SOCK_ERROR"];

/// The prefix of the names in the kernel's enum.
const REASON: &str = "SKB_DROP_REASON_";

/// Why nothing can be watched.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Built without programs.
    #[error(transparent)]
    NoPrograms(#[from] NoPrograms),
    /// The object is damaged, or was built by another version.
    #[error(
        "the kernel programs in this binary do not fit it ({0}): build the observer again with `cargo xtask build --release`"
    )]
    Mismatch(String),
    /// The kernel refuses.
    #[error(
        "loading BPF programs is not permitted: run as root, or grant CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON \
         (in a container also a seccomp profile that allows bpf())"
    )]
    NotPermitted,
    /// The kernel cannot.
    #[error("this kernel cannot run the program {program} (Linux 5.15 or later is needed): {why}")]
    Program {
        /// Which one.
        program: &'static str,
        /// Why, with the verifier's words.
        why: String,
    },
    /// Maps cannot be created.
    #[error("cannot create the kernel side's tables: {0}")]
    Object(String),
    /// A map is not what it should be.
    #[error("cannot use the table {map}: {why}")]
    Map {
        /// Its name.
        map: &'static str,
        /// Why.
        why: String,
    },
}

/// What the user may choose.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// Unfinished handshakes on the node.
    pub handshakes: u32,
    /// Of these, the most of one interface.
    pub share: u32,
}

impl Default for Sizes {
    fn default() -> Self {
        Self {
            handshakes: abi::HANDSHAKES_DEFAULT,
            share: abi::SHARE_DEFAULT,
        }
    }
}

/// The loaded programs, and what is known of the kernel.
pub struct Loaded {
    /// Programs and maps. Nothing is attached but the tracepoint.
    pub ebpf: Ebpf,
    /// Names of the drop reasons.
    pub reasons: HashMap<u32, Str>,
    /// What is missing.
    pub degraded: Vec<Degraded>,
}

/// What the running kernel's types say.
#[derive(Default)]
struct Kernel {
    offsets: Vec<(&'static str, u32)>,
    reasons: HashMap<u32, Str>,
    /// The name of the program that fits the tracepoint.
    tracepoint: Option<&'static str>,
}

/// Loads and verifies everything, and attaches the tracepoint. `log` is aya's level: 0 off, 1 error … 5 trace.
///
/// # Errors
///
/// [`LoadError`].
pub fn load(sizes: Sizes, log: u8) -> Result<Loaded, LoadError> {
    let bytes = OBJECT.programs()?;
    check_abi(bytes)?;

    let mut degraded = Vec::new();
    let kernel = Btf::of_running_kernel()
        .map_err(|error| no_drops(Code::NoBtf, &error))
        .and_then(|btf| kernel(&btf, &mut degraded))
        .unwrap_or_else(|missing| {
            degraded.push(missing);
            Kernel::default()
        });

    let mut ignored = [u32::MAX; abi::IGNORED_REASONS_LEN];
    let numbers = kernel
        .reasons
        .iter()
        .filter(|(_, name)| IGNORED.contains(&&***name))
        .map(|(&number, _)| number);
    for (place, number) in ignored.iter_mut().zip(numbers) {
        *place = number;
    }

    let types = kernel.tracepoint.and_then(|_| AyaBtf::from_sys_fs().ok());
    let mut loader = EbpfLoader::new();
    loader
        .btf(types.as_ref())
        .override_global(abi::SHARE, &sizes.share, true)
        .override_global(abi::IGNORED_REASONS, &ignored, true)
        .override_global(aya_log::LEVEL, &log, false)
        .map_max_entries("HANDSHAKES", sizes.handshakes);
    for (global, offset) in &kernel.offsets {
        loader.override_global(global, offset, true);
    }
    let mut ebpf = loader.load(bytes).map_err(refused)?;
    drop(loader);

    for name in [FROM_POD, TO_POD] {
        let program: &mut SchedClassifier = ebpf
            .program_mut(name)
            .and_then(|program| program.try_into().ok())
            .ok_or_else(|| LoadError::Mismatch(format!("no program {name}")))?;
        program.load().map_err(|error| refused_program(name, error))?;
    }
    if let (Some(name), Some(types)) = (kernel.tracepoint, &types)
        && let Err(error) = attach_tracepoint(&mut ebpf, name, types)
    {
        degraded.push(no_drops(Code::NoTracepoint, &error));
    }
    drop(types);
    give_back_memory();

    Ok(Loaded {
        ebpf,
        reasons: kernel.reasons,
        degraded,
    })
}

/// The object must speak of the same structs as this binary.
fn check_abi(bytes: &[u8]) -> Result<(), LoadError> {
    let damaged = |error: object::Error| LoadError::Mismatch(error.to_string());
    let file = object::File::parse(bytes).map_err(damaged)?;
    let symbol = file
        .symbols()
        .find(|symbol| symbol.name() == Ok("OBSERVER_ABI"))
        .ok_or_else(|| LoadError::Mismatch("they say no version".to_owned()))?;
    let section = symbol
        .section_index()
        .ok_or_else(|| LoadError::Mismatch("their version has no place".to_owned()))?;
    let section = file.section_by_index(section).map_err(damaged)?;
    let version = section
        .data_range(symbol.address(), 4)
        .map_err(damaged)?
        .and_then(|bytes| bytes.try_into().ok())
        .map(u32::from_ne_bytes)
        .ok_or_else(|| LoadError::Mismatch("their version cannot be read".to_owned()))?;
    if version == abi::ABI_VERSION {
        Ok(())
    } else {
        Err(LoadError::Mismatch(format!(
            "they have version {version}, not {}",
            abi::ABI_VERSION
        )))
    }
}

/// What the `kfree_skb` programs must know; `Err` is what is lost without it.
fn kernel(btf: &Btf, degraded: &mut Vec<Degraded>) -> Result<Kernel, Degraded> {
    let mut found = Kernel::default();
    let parameters = btf
        .tracepoint("kfree_skb")
        .map_err(|error| no_drops(Code::NoTracepoint, &error))?;
    found.tracepoint = Some(if parameters.get(3) == Some(&"skb_drop_reason") {
        "kfree_skb"
    } else {
        degraded.push(Degraded {
            code: Code::NoReason,
            what: "this kernel's kfree_skb has no drop reason (it has since 5.17)".to_owned(),
            lost: "drops are told by kernel function only".to_owned(),
            fix: "use Linux 5.17 or later".to_owned(),
        });
        "kfree_skb_no_reason"
    });
    for wanted in &abi::OFFSETS {
        let member = btf
            .member(wanted.of, wanted.path)
            .map_err(|error| no_drops(Code::NoBtf, &error))?;
        if member.size != wanted.size {
            return Err(no_drops(
                Code::NoBtf,
                &format!("{}.{} has {} bytes", wanted.of, wanted.path, member.size),
            ));
        }
        found.offsets.push((wanted.global, member.offset));
    }
    // Older kernels have no such enum, and then no reason either.
    if let Ok(names) = btf.enumerators("skb_drop_reason") {
        found.reasons = names
            .into_iter()
            .map(|(number, name)| (number, Str::from(name.strip_prefix(REASON).unwrap_or(name))))
            .collect();
    }
    Ok(found)
}

fn attach_tracepoint(ebpf: &mut Ebpf, name: &str, types: &AyaBtf) -> Result<(), Box<dyn std::error::Error>> {
    let program: &mut BtfTracePoint = ebpf
        .program_mut(name)
        .ok_or_else(|| format!("no program {name}"))?
        .try_into()?;
    program.load("kfree_skb", types)?;
    program.attach()?;
    Ok(())
}

fn no_drops(code: Code, why: &dyn std::fmt::Display) -> Degraded {
    Degraded {
        code,
        what: format!("packets that the kernel drops cannot be observed: {why}"),
        lost: "no drop reasons, and no attempts that die inside the pod; policy causes are at most probable".to_owned(),
        fix: match code {
            Code::NoBtf => "use a kernel with CONFIG_DEBUG_INFO_BTF, and mount /sys",
            _ => "grant CAP_PERFMON or CAP_SYS_ADMIN, and use Linux 5.11 or later",
        }
        .to_owned(),
    }
}

fn refused(error: EbpfError) -> LoadError {
    if is_permission(&error) {
        LoadError::NotPermitted
    } else {
        LoadError::Object(with_causes(&error))
    }
}

fn refused_program(program: &'static str, error: ProgramError) -> LoadError {
    // Without CAP_PERFMON the verifier refuses what it lets pass otherwise (env->allow_ptr_leaks, kernel/bpf/verifier.c).
    if is_permission(&error) || !may_trace() {
        LoadError::NotPermitted
    } else {
        LoadError::Program {
            program,
            why: with_causes(&error),
        }
    }
}

/// The process has CAP_PERFMON or CAP_SYS_ADMIN (bits 38 and 21, capability.h), or it cannot be told.
fn may_trace() -> bool {
    let Ok(status) = std::fs::read_to_string("/proc/thread-self/status") else {
        return true;
    };
    status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok())
        .is_none_or(|effective| effective & (1 << 38 | 1 << 21) != 0)
}

/// Somewhere in the chain the kernel said EPERM. A verifier's refusal is EACCES.
fn is_permission(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return error.raw_os_error() == Some(libc::EPERM);
        }
        next = error.source();
    }
    false
}

/// Before 5.11 maps count against this limit. It may not be ours to raise, and need not.
pub fn raise_memory_limit() {
    let unlimited = libc::rlimit {
        rlim_cur: libc::RLIM_INFINITY,
        rlim_max: libc::RLIM_INFINITY,
    };
    // SAFETY: the kernel reads `unlimited`, which outlives the call.
    let result = unsafe { libc::setrlimit(libc::RLIMIT_MEMLOCK, &raw const unlimited) };
    if result != 0 {
        tracing::debug!(error = %io::Error::last_os_error(), "the memory lock limit stays");
    }
}

/// The types of the kernel were some tens of megabytes in small pieces, which the allocator would keep.
fn give_back_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: malloc_trim takes no pointer and may be called at any time by any thread.
    unsafe {
        libc::malloc_trim(0);
    }
}
