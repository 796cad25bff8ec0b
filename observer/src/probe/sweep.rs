//! The table of unfinished handshakes, read from user space: SYNs that never got a second packet are found here, and entries
//! that are too old are removed.
//!
//! ```text
//! inserted == finished (kernel side) + expired (here) + present        of the whole table, and of each interface
//! ```
//!
//! An empty table costs two system calls (under 2 µs): the counters tell that it is empty. Else about 0.1 ms for walking the buckets and
//! 0.3 µs an entry; `cargo test -p observer-tests --release --test probe_table -- --ignored --nocapture` prints it.

use std::collections::{HashMap, HashSet};
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};

use aya::maps::{Map, MapData, MapError};
use aya::sys::SyscallError;
use observer_common::abi::{Counter, Interface, Key, Pending};
use zerocopy::{FromBytes as _, IntoBytes as _};

use super::counters::Reader;
use super::syscall::{self, BatchReader};

const KEY: usize = size_of::<Key>();
const PENDING: usize = size_of::<Pending>();
const INTERFACE: usize = size_of::<Interface>();

/// How many entries are read at once.
const BATCH: usize = 512;

/// An entry is removed so long after its first SYN, in nanoseconds: kernels give up after 127 s (`tcp_syn_retries` 6).
pub const EXPIRE_AFTER: u64 = 130_000_000_000;

/// The maps as aya knows them: of bytes.
type Handshakes = aya::maps::HashMap<MapData, [u8; KEY], [u8; PENDING]>;
type Interfaces = aya::maps::HashMap<MapData, u32, [u8; INTERFACE]>;
type Expired = aya::maps::HashMap<MapData, u32, u64>;

/// Reads and cleans the table.
pub struct Table {
    handshakes: Handshakes,
    /// The same map, for the calls that aya does not make.
    fd: OwnedFd,
    /// How many entries it may have.
    capacity: u64,
    interfaces: Interfaces,
    expired: Expired,
    reader: BatchReader<KEY, PENDING>,
    /// What was told of each entry: ISN and SYNs, and in which sweep it was last seen.
    told: HashMap<Key, Told>,
    sweep: u64,
    /// How many entries were removed, by interface.
    removed: HashMap<u32, u64>,
    removed_in_all: u64,
    /// Interfaces that are gone; their entries go with the next sweep.
    gone: HashSet<u32>,
}

#[derive(Clone, Copy, Debug)]
struct Told {
    isn: u32,
    syns: u32,
    sweep: u64,
}

impl Table {
    /// Of the maps `HANDSHAKES`, `INTERFACES` and `EXPIRED`.
    ///
    /// # Errors
    ///
    /// If they are not what the ABI says.
    pub fn new(handshakes: Map, interfaces: Map, expired: Map) -> Result<Self, MapError> {
        let (fd, capacity) = match &handshakes {
            Map::HashMap(data) => (
                data.fd().as_fd().try_clone_to_owned()?,
                u64::from(data.info()?.max_entries()),
            ),
            _ => {
                return Err(MapError::InvalidName {
                    name: "HANDSHAKES".to_owned(),
                });
            }
        };
        Ok(Self {
            handshakes: handshakes.try_into()?,
            fd,
            capacity,
            interfaces: interfaces.try_into()?,
            expired: expired.try_into()?,
            reader: BatchReader::new(BATCH),
            told: HashMap::new(),
            sweep: 0,
            removed: HashMap::new(),
            removed_in_all: 0,
            gone: HashSet::new(),
        })
    }

    /// Gives every entry that was not told with this SYN count yet to `tell`, and removes what is too old at `now`
    /// (monotonic nanoseconds).
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn sweep(&mut self, counters: &Reader, now: u64, mut tell: impl FnMut(&Key, &Pending)) -> Result<(), MapError> {
        // In this order: an entry that comes meanwhile makes the table look fuller, never emptier.
        let finished = counters.one(Counter::Finished)?;
        let inserted = counters.one(Counter::Inserted)?;
        if inserted <= finished.saturating_add(self.removed_in_all) && self.gone.is_empty() {
            self.told.clear();
            return Ok(());
        }
        self.sweep += 1;
        let mut old = Vec::new();
        {
            let (told, gone, sweep) = (&mut self.told, &self.gone, self.sweep);
            let mut each = |key: &[u8; KEY], value: &[u8; PENDING]| {
                let (Ok(key), Ok(pending)) = (Key::read_from_bytes(key), Pending::read_from_bytes(value)) else {
                    return;
                };
                if gone.contains(&key.ifindex) || is_old(&pending, now) {
                    old.push((key, pending));
                    return;
                }
                let new = Told {
                    isn: pending.isn,
                    syns: pending.syns,
                    sweep,
                };
                let before = told.insert(key, new);
                if before.is_none_or(|before| (before.isn, before.syns) != (new.isn, new.syns)) {
                    tell(&key, &pending);
                }
            };
            self.reader.read(self.fd.as_fd(), &mut each).map_err(batch_failed)?;
        }
        self.told.retain(|_, told| told.sweep == self.sweep);
        for (key, pending) in old {
            self.remove(&key, &pending)?;
        }
        self.forget_gone();
        Ok(())
    }

    /// The interface is gone: its entries go with the next sweep.
    pub fn interface_gone(&mut self, ifindex: u32) {
        self.gone.insert(ifindex);
    }

    /// The interface is observed (again): its entries stay.
    pub fn interface_here(&mut self, ifindex: u32) {
        self.gone.remove(&ifindex);
    }

    /// Entries, and how many there may be. An entry that comes or goes meanwhile may be counted.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn fill(&self, counters: &Reader) -> Result<(u64, u64), MapError> {
        let finished = counters.one(Counter::Finished)?;
        let inserted = counters.one(Counter::Inserted)?;
        let present = inserted.saturating_sub(finished.saturating_add(self.removed_in_all));
        Ok((present, self.capacity))
    }

    /// How many entries were removed because they were too old or their interface went.
    #[must_use]
    pub fn expired(&self) -> u64 {
        self.removed_in_all
    }

    /// How many entries there are now. Costs as much as reading them.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn present(&self) -> Result<u64, MapError> {
        let mut count = 0;
        for key in self.handshakes.keys() {
            key?;
            count += 1;
        }
        Ok(count)
    }

    /// When the last packet passed each hook of an interface, in monotonic nanoseconds; zero for never.
    #[must_use]
    pub fn seen(&self, ifindex: u32) -> [u64; 2] {
        self.interfaces
            .get(&ifindex, 0)
            .ok()
            .and_then(|bytes| Interface::read_from_bytes(&bytes).ok())
            .map_or([0; 2], |interface| interface.seen_ns)
    }

    /// Takes the entry out. If it is another handshake by now, that is put back.
    fn remove(&mut self, key: &Key, expected: &Pending) -> Result<(), MapError> {
        let Ok(bytes) = <[u8; KEY]>::try_from(key.as_bytes()) else {
            return Ok(());
        };
        let taken = match syscall::take::<KEY, PENDING>(self.fd.as_fd(), &bytes) {
            Ok(taken) => taken,
            // Before 5.14 a hash cannot do it in one step.
            Err(_) => match self.handshakes.remove(&bytes) {
                Ok(()) => Some([0; PENDING]),
                Err(MapError::KeyNotFound) => None,
                Err(error) => return Err(error),
            },
        };
        let Some(value) = taken else { return Ok(()) };
        if let Ok(found) = Pending::read_from_bytes(&value)
            && found.syns > 0
            && found.isn != expected.isn
            && !self.gone.contains(&key.ifindex)
            && self.handshakes.insert(bytes, value, NOEXIST).is_ok()
        {
            return Ok(());
        }
        self.removed_in_all += 1;
        let removed = self.removed.entry(key.ifindex).or_default();
        *removed += 1;
        self.expired.insert(key.ifindex, *removed, 0)
    }

    /// Everything that is kept of interfaces that are gone.
    fn forget_gone(&mut self) {
        for ifindex in self.gone.drain() {
            // Either may never have been made.
            let _ = self.interfaces.remove(&ifindex);
            let _ = self.expired.remove(&ifindex);
            self.removed.remove(&ifindex);
        }
    }
}

/// `BPF_NOEXIST` (bpf.h).
const NOEXIST: u64 = 1;

fn batch_failed(io_error: io::Error) -> MapError {
    MapError::SyscallError(SyscallError {
        call: "bpf_map_lookup_batch",
        io_error,
    })
}

fn is_old(pending: &Pending, now: u64) -> bool {
    now.saturating_sub(pending.first_ns) > EXPIRE_AFTER
}
