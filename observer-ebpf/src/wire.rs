//! What passes a pod's interface.
use core::{mem::MaybeUninit, ptr};

use aya_ebpf::{
    bindings::{BPF_EXIST, BPF_NOEXIST},
    helpers::bpf_ktime_get_ns,
    programs::TcContext,
};
use aya_log_ebpf::debug;
use observer_common::{
    abi::{Counter, Event, Interface, Key, Pending, kind},
    handshake::{self, Side, Table},
    packet::{self, Ip, Segment, What},
};

use crate::{
    bytes::{Linear, Whole},
    globals::SHARE,
    maps::{EXPIRED, HANDSHAKES, INTERFACES, count, emit},
    outcome,
};

/// Looks at one packet. `hook` is its direction.
#[inline(always)]
pub(crate) fn look(ctx: &TcContext, hook: u8) {
    if packet::leaves_at_once(&Linear { ctx, start: 0 }) {
        return;
    }
    let mut segment = Segment::default();
    if read_plain(ctx, 0, &mut segment) {
        return act(ctx, &segment, hook);
    }
    match parse(ctx, &mut segment) {
        outcome::FOUND => act(ctx, &segment, hook),
        outcome::FRAGMENT => count(Counter::Fragments),
        outcome::UNPARSED => {
            count(Counter::Unparsed);
            debug!(ctx, "unparsed packet of {} bytes, hook {}", ctx.len(), hook);
        }
        _ => {}
    }
}

/// A function of its own, as the next ones are: their frames take turns on the 512 bytes of stack.
#[inline(never)]
pub(crate) fn read_plain(ctx: &TcContext, start: u32, segment: &mut Segment) -> bool {
    packet::read_plain(&Linear { ctx, start }, segment)
}

/// `packet::parse` in two functions.
#[inline(always)]
fn parse(ctx: &TcContext, segment: &mut Segment) -> u32 {
    let mut ip = MaybeUninit::uninit();
    match locate(ctx, ip.as_mut_ptr()) {
        // SAFETY: written, as the outcome says.
        outcome::FOUND => read(ctx, unsafe { ip.assume_init_ref() }, segment),
        other => other,
    }
}

#[inline(never)]
fn locate(ctx: &TcContext, ip: *mut Ip) -> u32 {
    let located = packet::locate(&Whole(ctx)).map(|found| {
        // SAFETY: `parse` passes a place in its own frame.
        unsafe { ip.write(found) };
    });
    outcome::of(located)
}

#[inline(never)]
fn read(ctx: &TcContext, ip: &Ip, segment: &mut Segment) -> u32 {
    outcome::of(packet::read(&Whole(ctx), ip, segment))
}

/// Does what the packet means.
#[inline(always)]
pub(crate) fn act(ctx: &TcContext, segment: &Segment, hook: u8) {
    // SAFETY: reads a field of the context, which the verifier checks.
    let ifindex = unsafe { (*ctx.skb.skb).ifindex };
    // SAFETY: the helper has no preconditions.
    let now = unsafe { bpf_ktime_get_ns() };
    let interface = interface(ifindex);
    if !interface.is_null() {
        // SAFETY: an entry that is not preallocated lives until the program ends, even if user space removes it. Written by
        // several CPUs at once, each with a time that will do.
        unsafe { (&raw mut (*interface).seen_ns[usize::from(hook & 1)]).write_volatile(now) };
    }
    let at = At {
        ctx,
        segment,
        ifindex,
        hook,
        now,
        interface,
    };
    let side = handshake::sent_by(segment.what);
    if !at.apply(matches!(side, Side::Client)) && matches!(segment.what, What::Reset) {
        at.apply(true);
    }
}

/// A packet that may change a handshake, and where it was seen.
struct At<'a> {
    ctx: &'a TcContext,
    segment: &'a Segment,
    ifindex: u32,
    hook: u8,
    now: u64,
    /// Null if there is none.
    interface: *mut Interface,
}

impl At<'_> {
    /// Does what the packet means if that side sent it. Says whether there was an entry.
    #[inline(never)]
    fn apply(&self, by_client: bool) -> bool {
        let side = if by_client { Side::Client } else { Side::Server };
        let key = handshake::key(self.segment, side, self.ifindex, self.hook);
        if matches!(self.segment.what, What::Syn)
            && let Table::Insert(new) = handshake::step(self.segment, side, None, self.now).table
        {
            // Most SYNs are the first of their tuple: putting them there spares the look-up.
            return match self.insert(&key, &new) {
                Ok(()) => false,
                Err(lost) => self.change(side, &key, lost),
            };
        }
        self.change(side, &key, None)
    }

    /// Does what the packet means to the entry that is there, if one is. Says whether there was one.
    #[inline(always)]
    fn change(&self, side: Side, key: &Key, lost: Option<Counter>) -> bool {
        // SAFETY: copied at once. If user space removes the entry at this moment and the slot is used again, the copy may be of another
        // handshake: its ISN then does not fit, and the packet is treated as one without an entry.
        let Some(pending) = unsafe { HANDSHAKES.get(key) }.copied() else {
            return self.without_entry(side, key, lost);
        };
        let step = handshake::step(self.segment, side, Some(&pending), self.now);
        if let Some(counter) = step.count {
            count(counter);
        }
        match step.table {
            Table::Keep | Table::Insert(_) => {}
            // Fails if the entry was removed at this moment: then the event still tells of this SYN.
            Table::Update(new) => {
                let _ = HANDSHAKES.insert(key, new, u64::from(BPF_EXIST));
            }
            Table::Replace(new) => {
                self.remove(key);
                if let Err(Some(lost)) = self.insert(key, &new) {
                    count(lost);
                }
            }
            Table::Remove => {
                if !self.remove(key) {
                    // Another CPU, or user space, was first; what it found is told by it.
                    return true;
                }
            }
        }
        if step.event != 0 {
            self.emit(step.event, key, Some(&pending));
        }
        true
    }

    #[inline(always)]
    fn without_entry(&self, side: Side, key: &Key, lost: Option<Counter>) -> bool {
        if let Some(lost) = lost {
            count(lost);
        }
        let step = handshake::step(self.segment, side, None, self.now);
        if let Some(counter) = step.count {
            count(counter);
        }
        if step.event != 0 {
            self.emit(step.event, key, None);
        }
        false
    }

    /// Puts a handshake where nothing is. If that fails: what to count, unless there is an entry with this key.
    #[inline(always)]
    fn insert(&self, key: &Key, new: &Pending) -> Result<(), Option<Counter>> {
        let interface = self.interface;
        if interface.is_null() {
            return Err(Some(Counter::LostShare));
        }
        // SAFETY: as above; a count that is one behind lets one SYN more through.
        let used = unsafe { (*interface).inserted.wrapping_sub((*interface).finished) };
        let share = u64::from(SHARE.load());
        // Only an interface that seems to have used up its share costs the second look-up.
        if used >= share {
            // SAFETY: read at once; entries are not preallocated.
            let expired = unsafe { EXPIRED.get(self.ifindex) }.copied().unwrap_or(0);
            if used.saturating_sub(expired) >= share {
                return Err(Some(Counter::LostShare));
            }
        }
        match HANDSHAKES.insert(key, new, u64::from(BPF_NOEXIST)) {
            Ok(()) => {
                count(Counter::Inserted);
                // SAFETY: as above.
                unsafe { add_one(&raw mut (*interface).inserted) };
                Ok(())
            }
            Err(EEXIST) => Err(None),
            Err(_) => Err(Some(Counter::LostFull)),
        }
    }

    /// Says whether it was there: exactly one of those who remove it at the same time counts it.
    #[inline(always)]
    fn remove(&self, key: &Key) -> bool {
        let removed = HANDSHAKES.remove(key).is_ok();
        if removed {
            count(Counter::Finished);
            if !self.interface.is_null() {
                // SAFETY: see `act`.
                unsafe { add_one(&raw mut (*self.interface).finished) };
            }
        }
        removed
    }

    #[inline(always)]
    fn emit(&self, event: u8, key: &Key, pending: Option<&Pending>) {
        debug!(
            self.ctx,
            "event {} at interface {}, hook {}", event, self.ifindex, self.hook
        );
        let segment = self.segment;
        emit(|| Event {
            time_ns: self.now,
            key: *key,
            pending: match pending {
                // An answer that does not fit the entry tells of another handshake.
                Some(old) if event != kind::ANSWERED_AGAIN => *old,
                _ => Pending {
                    isn: handshake::isn(segment),
                    ..Pending::default()
                },
            },
            sender: segment.sender,
            location: 0,
            reason: 0,
            netns: 0,
            seq: segment.seq,
            ack: segment.ack,
            kind: event,
            flags: segment.flags,
            icmp_type: segment.icmp_type,
            icmp_code: segment.icmp_code,
            ttl: segment.ttl,
            quoted_ttl: segment.quoted_ttl,
            backward: 0,
            pad: [0; 5],
        });
    }
}

/// `errno` of a key that is there already.
const EEXIST: i32 = -17;

/// The entry of an interface, made if need be; null if there is no room.
#[inline(always)]
fn interface(ifindex: u32) -> *mut Interface {
    if let Some(found) = INTERFACES.get_ptr_mut(ifindex) {
        return found;
    }
    // Fails if another CPU made it meanwhile, which is as good.
    let _ = INTERFACES.insert(ifindex, Interface::default(), u64::from(BPF_NOEXIST));
    INTERFACES.get_ptr_mut(ifindex).unwrap_or(ptr::null_mut())
}

/// # Safety
///
/// `value` points into a map entry.
#[inline(always)]
unsafe fn add_one(value: *mut u64) {
    // The core library has no atomic addition for a target without compare-and-swap; the instruction is as old as eBPF.
    // SAFETY: one atomic addition to an aligned `u64` that the caller vouches for.
    unsafe {
        core::arch::asm!("lock *(u64 *)({at} + 0) += {one}", at = in(reg) value, one = in(reg) 1u64, options(nostack));
    };
}
