//! The BPF system calls that aya does not make: reading a table many entries at a time, taking an entry out, and asking
//! which programs run on an interface.
//!
//! Layouts and numbers are those of `union bpf_attr` and `enum bpf_cmd` (include/uapi/linux/bpf.h), which never change.

use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};

const MAP_LOOKUP_AND_DELETE_ELEM: i64 = 21;
const MAP_LOOKUP_BATCH: i64 = 24;
const PROG_GET_FD_BY_ID: i64 = 13;
const OBJ_GET_INFO_BY_FD: i64 = 15;
const PROG_QUERY: i64 = 16;
const TCX_INGRESS: u32 = 46;
const TCX_EGRESS: u32 = 47;

/// The most programs of one TCX hook (`BPF_MPROG_MAX`, include/linux/bpf_mprog.h).
const TCX_MAX: usize = 64;

#[repr(C)]
#[derive(Default)]
struct Batch {
    in_batch: u64,
    out_batch: u64,
    keys: u64,
    values: u64,
    count: u32,
    map_fd: u32,
    elem_flags: u64,
    flags: u64,
}

#[repr(C)]
#[derive(Default)]
struct Element {
    map_fd: u32,
    pad: u32,
    key: u64,
    value: u64,
    flags: u64,
}

#[repr(C)]
#[derive(Default)]
struct Query {
    target_ifindex: u32,
    attach_type: u32,
    query_flags: u32,
    attach_flags: u32,
    prog_ids: u64,
    count: u32,
    pad: u32,
    prog_attach_flags: u64,
    link_ids: u64,
    link_attach_flags: u64,
    revision: u64,
}

#[repr(C)]
#[derive(Default)]
struct ById {
    id: u32,
    next_id: u32,
    open_flags: u32,
    pad: u32,
}

#[repr(C)]
#[derive(Default)]
struct InfoByFd {
    fd: u32,
    len: u32,
    info: u64,
}

/// The beginning of `struct bpf_prog_info`, as far as it is of use.
#[repr(C)]
#[derive(Default)]
struct RawInfo {
    kind: u32,
    id: u32,
    tag: [u8; 8],
    lens: [u32; 2],
    instructions: [u64; 2],
    load_time: u64,
    uid: u32,
    map_count: u32,
    maps: u64,
    name: [u8; 16],
}

/// Reads a hash table of fixed-size entries in large pieces.
pub struct BatchReader<const K: usize, const V: usize> {
    keys: Vec<[u8; K]>,
    values: Vec<[u8; V]>,
}

impl<const K: usize, const V: usize> BatchReader<K, V> {
    /// With room for this many entries at once.
    #[must_use]
    pub fn new(room: usize) -> Self {
        Self {
            keys: vec![[0; K]; room],
            values: vec![[0; V]; room],
        }
    }

    /// Gives every entry to `each`. An entry that is there the whole time is given, one that comes or goes meanwhile may be.
    ///
    /// # Errors
    ///
    /// What the kernel says. It has the call since 5.6, before it had the ring that the programs need.
    pub fn read(&mut self, map: BorrowedFd<'_>, mut each: impl FnMut(&[u8; K], &[u8; V])) -> io::Result<()> {
        // Where to go on: the kernel writes a bucket's number here.
        let mut place = 0_u32;
        let mut first = true;
        loop {
            let mut attr = Batch {
                in_batch: if first { 0 } else { address(&raw mut place) },
                out_batch: address(&raw mut place),
                keys: address(self.keys.as_mut_ptr()),
                values: address(self.values.as_mut_ptr()),
                count: u32::try_from(self.keys.len()).unwrap_or(u32::MAX),
                map_fd: raw(map),
                ..Batch::default()
            };
            // SAFETY: the kernel writes at most `count` keys and values of the map's sizes, for which both vectors have room (the
            // caller's K and V are the map's, which aya compared when it made the typed map), and 4 bytes to `place`; all outlive the call.
            let result = unsafe { bpf(MAP_LOOKUP_BATCH, &mut attr) };
            let end = match &result {
                Ok(_) => false,
                Err(error) if error.raw_os_error() == Some(libc::ENOENT) => true,
                // A bucket with more entries than there is room for.
                Err(error) if error.raw_os_error() == Some(libc::ENOSPC) => {
                    let room = self.keys.len() * 2;
                    self.keys.resize(room, [0; K]);
                    self.values.resize(room, [0; V]);
                    if attr.count == 0 {
                        continue;
                    }
                    false
                }
                Err(_) => return result.map(drop),
            };
            for nth in 0..(attr.count as usize).min(self.keys.len()) {
                each(&self.keys[nth], &self.values[nth]);
            }
            if end {
                return Ok(());
            }
            first = false;
        }
    }
}

/// Takes an entry out of a hash table; what it held. `None` if it is gone already.
///
/// # Errors
///
/// What the kernel says; `ENOTSUPP` (524) or `EINVAL` where it cannot (before 5.14).
pub fn take<const K: usize, const V: usize>(map: BorrowedFd<'_>, key: &[u8; K]) -> io::Result<Option<[u8; V]>> {
    let mut value = [0; V];
    let mut attr = Element {
        map_fd: raw(map),
        key: address(key.as_ptr()),
        value: address(value.as_mut_ptr()),
        ..Element::default()
    };
    // SAFETY: the kernel reads K and writes V bytes, the map's sizes; both outlive the call.
    match unsafe { bpf(MAP_LOOKUP_AND_DELETE_ELEM, &mut attr) } {
        Ok(_) => Ok(Some(value)),
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Ids of the TCX programs on one side of an interface, in the order in which they run. Empty where the kernel has no TCX.
///
/// # Errors
///
/// What the kernel says, `ENODEV` if the interface is gone.
pub fn tcx_programs(ifindex: u32, egress: bool) -> io::Result<Vec<u32>> {
    let mut ids = [0_u32; TCX_MAX];
    let mut attr = Query {
        target_ifindex: ifindex,
        attach_type: if egress { TCX_EGRESS } else { TCX_INGRESS },
        prog_ids: address(ids.as_mut_ptr()),
        count: TCX_MAX as u32,
        ..Query::default()
    };
    // SAFETY: the kernel writes at most `count` ids, for which the array has room; it outlives the call.
    match unsafe { bpf(PROG_QUERY, &mut attr) } {
        Ok(_) => Ok(ids[..(attr.count as usize).min(TCX_MAX)].to_vec()),
        Err(error) if matches!(error.raw_os_error(), Some(libc::EINVAL | libc::ENOENT)) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Name and tag of a loaded program.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ProgramId {
    /// The first 15 bytes of its name; may be empty.
    pub name: String,
    /// A hash of its instructions.
    pub tag: [u8; 8],
}

/// What a program is.
///
/// # Errors
///
/// What the kernel says, `EPERM` without CAP_SYS_ADMIN.
pub fn program(id: u32) -> io::Result<ProgramId> {
    let mut attr = ById { id, ..ById::default() };
    // SAFETY: the call takes no pointers.
    let fd = unsafe { bpf(PROG_GET_FD_BY_ID, &mut attr) }?;
    // SAFETY: the kernel just made this descriptor for us, and nobody else has it.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    let mut info = RawInfo::default();
    let mut attr = InfoByFd {
        fd: raw(fd.as_fd()),
        len: size_of::<RawInfo>() as u32,
        info: address(&raw mut info),
    };
    // SAFETY: the kernel writes at most `len` bytes to `info`, and as all pointers in it are zero nothing elsewhere.
    unsafe { bpf(OBJ_GET_INFO_BY_FD, &mut attr) }?;
    let end = info.name.iter().position(|&byte| byte == 0).unwrap_or(info.name.len());
    Ok(ProgramId {
        name: String::from_utf8_lossy(&info.name[..end]).into_owned(),
        tag: info.tag,
    })
}

fn address<T>(pointer: *const T) -> u64 {
    pointer.expose_provenance() as u64
}

fn raw(fd: BorrowedFd<'_>) -> u32 {
    fd.as_raw_fd().cast_unsigned()
}

/// # Safety
///
/// Every pointer in `attr` must be good for what the command does with it.
unsafe fn bpf<T>(command: i64, attr: &mut T) -> io::Result<i32> {
    // SAFETY: the kernel reads and writes at most `size` bytes at `attr`, which is that long; the rest is the caller's promise.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, &raw mut *attr, size_of::<T>()) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    i32::try_from(result).map_err(io::Error::other)
}
