//! The maps, and the counting.
use aya_ebpf::{
    bindings::BPF_F_NO_PREALLOC,
    macros::map,
    maps::{HashMap, PerCpuArray, RingBuf},
};
use observer_common::abi::{COUNTERS as COUNTERS_LEN, Counter, Event, HANDSHAKES_DEFAULT, Interface, Key, Pending};

/// Unfinished handshakes. The tc programs write and remove what is finished; user space removes what is too old. Full: the SYN
/// is not recorded, `LostFull` counts it. Preallocated, so that a SYN flood allocates nothing: 65536 entries are 9 MB.
#[map]
pub(crate) static HANDSHAKES: HashMap<Key, Pending> = HashMap::with_max_entries(HANDSHAKES_DEFAULT, 0);

/// State changes and drops for user space, which reads them. Full: the event is lost, `LostEvents` counts it.
#[map]
pub(crate) static EVENTS: RingBuf = RingBuf::with_byte_size(1 << 20, 0);

/// By `Counter`. The programs add, nobody removes.
#[map]
pub(crate) static COUNTERS: PerCpuArray<u64> = PerCpuArray::with_max_entries(COUNTERS_LEN, 0);

/// By interface index: how much of the table the interface uses, and which hooks saw a packet. The tc programs write; user space
/// removes the entry of an interface that is gone. Full: SYNs of further interfaces are not recorded, `LostShare` counts them. Not
/// preallocated: an entry that user space removes lives on until no program holds it.
#[map]
pub(crate) static INTERFACES: HashMap<u32, Interface> = HashMap::with_max_entries(8192, BPF_F_NO_PREALLOC);

/// By interface index: how many entries of `HANDSHAKES` user space removed. Only user space writes. Full: user space cannot give back
/// an interface's share, so its size is that of `INTERFACES`.
#[map]
pub(crate) static EXPIRED: HashMap<u32, u64> = HashMap::with_max_entries(8192, BPF_F_NO_PREALLOC);

/// By inode number: the network namespaces whose drops are told. Only user space writes.
#[map]
pub(crate) static NETNS: HashMap<u32, u8> = HashMap::with_max_entries(8192, BPF_F_NO_PREALLOC);

/// Adds one to a counter.
#[inline(always)]
pub(crate) fn count(counter: Counter) {
    if let Some(value) = COUNTERS.get_ptr_mut(counter as u32) {
        // SAFETY: a value of a per-CPU array lives as long as the program, and is this CPU's own.
        unsafe { *value += 1 };
    }
}

/// Emits an event, or counts its loss.
#[inline(always)]
pub(crate) fn emit(event: impl FnOnce() -> Event) {
    if let Some(mut entry) = EVENTS.reserve::<Event>(0) {
        entry.write(event());
        entry.submit(0);
    } else {
        count(Counter::LostEvents);
    }
}
