//! From what the kernel side writes to what the tracker is told: the border, crossed once. Pure but for the names of kernel
//! functions, which are looked up on first sight.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use observer_common::abi::{Event, Key, Pending, direction, kind};

use super::symbols::Symbols;
use crate::attempt::{Direction, Drop, Icmp, Observation, PendingSyn, Place, Seen, Segment, Sighting};
use crate::objects::Str;
use crate::time::Time;

const SYN: u8 = 2;
const RST: u8 = 4;
const ACK: u8 = 16;

/// Turns the kernel's monotonic times into times of the day, by an offset that is fixed while the process runs.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    offset: u64,
}

impl Clock {
    /// Reads both clocks.
    #[must_use]
    pub fn read() -> Self {
        let unix = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default();
        let unix = u64::try_from(unix.as_nanos()).unwrap_or(u64::MAX);
        Self {
            offset: unix.saturating_sub(monotonic()),
        }
    }

    /// How far the time of day is from what this clock tells: it was set since, or the machine slept.
    #[must_use]
    pub fn off(self) -> Duration {
        Duration::from_nanos(Self::read().offset.abs_diff(self.offset))
    }

    /// The time of day of a monotonic time.
    #[must_use]
    pub fn time(self, nanoseconds: u64) -> Time {
        Time(self.offset.saturating_add(nanoseconds))
    }

    /// Now, on the same scale as every observation.
    #[must_use]
    pub fn now(self) -> Time {
        self.time(monotonic())
    }
}

/// `CLOCK_MONOTONIC` in nanoseconds, as `bpf_ktime_get_ns` reads it.
#[must_use]
pub fn monotonic() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel writes to `now`, which outlives the call. It cannot fail for this clock.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
    u64::try_from(now.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(now.tv_nsec).unwrap_or(0)
}

/// What must be known to read events.
#[derive(Debug)]
pub struct Converter {
    /// Times.
    pub clock: Clock,
    /// The node's network namespace, by inode.
    pub node: u32,
    /// The interface that leads to each pod's namespace.
    pub pods: HashMap<u32, u32>,
    /// Names of drop reasons.
    pub reasons: HashMap<u32, Str>,
    /// Names of kernel functions.
    pub symbols: Symbols,
}

impl Converter {
    /// An event as an observation. `None` for a drop in a namespace that is not observed any more, and for a kind that this version
    /// does not know.
    pub fn observation(&mut self, event: &Event) -> Option<Observation> {
        if event.kind == kind::DROPPED {
            return self.drop(event).map(Observation::Drop);
        }
        let mut pending = self.pending(&event.pending);
        let what = match event.kind {
            kind::ANSWERED => Seen::Answered,
            kind::ANSWERED_AGAIN => Seen::AnsweredAgain,
            kind::RESET => Seen::Reset {
                ttl: event.ttl,
                seq: event.seq,
            },
            kind::ABORTED => Seen::Aborted,
            kind::REJECTED => Seen::Icmp(Icmp {
                from: address(event.sender),
                kind: event.icmp_type,
                code: event.icmp_code,
                quoted_ttl: event.quoted_ttl,
            }),
            kind::RETRANSMITTED => {
                // The event has the entry as it was before this SYN.
                if let Some(pending) = &mut pending {
                    pending.last = self.clock.time(event.time_ns);
                    pending.syns = pending.syns.saturating_add(1);
                }
                Seen::Pending
            }
            kind::SUPERSEDED => Seen::Superseded,
            unknown => {
                tracing::warn!(kind = unknown, "the kernel side tells of something unknown");
                return None;
            }
        };
        Some(Observation::Sighting(Sighting {
            at: self.clock.time(event.time_ns),
            pending,
            what,
            ..self.sighting(&event.key, &event.pending)
        }))
    }

    /// An entry of the table as an observation.
    #[must_use]
    pub fn sighting(&self, key: &Key, pending: &Pending) -> Sighting {
        Sighting {
            ifindex: key.ifindex,
            direction: if key.direction == direction::FROM_POD {
                Direction::FromPod
            } else {
                Direction::ToPod
            },
            client: SocketAddr::new(address(key.client), key.client_port),
            server: SocketAddr::new(address(key.server), key.server_port),
            isn: pending.isn,
            at: self.clock.time(pending.last_ns),
            pending: self.pending(pending),
            what: Seen::Pending,
        }
    }

    fn pending(&self, pending: &Pending) -> Option<PendingSyn> {
        (pending.syns > 0).then(|| PendingSyn {
            first: self.clock.time(pending.first_ns),
            last: self.clock.time(pending.last_ns),
            syns: pending.syns,
        })
    }

    fn drop(&mut self, event: &Event) -> Option<Drop> {
        let place = if event.netns == self.node {
            Place::Node
        } else {
            Place::Pod {
                ifindex: *self.pods.get(&event.netns)?,
            }
        };
        let segment = match event.flags {
            flags if flags & RST != 0 => Segment::Rst,
            flags if flags & (SYN | ACK) == SYN | ACK => Segment::SynAck,
            _ => Segment::Syn,
        };
        Some(Drop {
            at: self.clock.time(event.time_ns),
            place,
            segment,
            client: SocketAddr::new(address(event.key.client), event.key.client_port),
            server: SocketAddr::new(address(event.key.server), event.key.server_port),
            isn: event.pending.isn,
            reason: self.reason(event.reason),
            function: self.symbols.function(event.location),
        })
    }

    fn reason(&self, number: u32) -> Option<Str> {
        if number == u32::MAX {
            return None;
        }
        // Modules have reasons of their own, whose names are in their own types.
        Some(
            self.reasons
                .get(&number)
                .cloned()
                .unwrap_or_else(|| Str::from(format!("reason {number:#x}"))),
        )
    }
}

/// An address of the ABI: 16 bytes, IPv4 as IPv4-mapped.
fn address(bytes: [u8; 16]) -> IpAddr {
    Ipv6Addr::from(bytes).to_canonical()
}

#[cfg(test)]
mod tests;
