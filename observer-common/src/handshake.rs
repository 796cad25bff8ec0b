//! What a packet does to the table of unfinished handshakes: pure, so that the host tests the decisions that the kernel takes.
//!
//! ```text
//!                     no entry                 entry, numbers fit          entry, they do not
//! SYN                 insert                   count, RETRANSMITTED        replace, SUPERSEDED
//! SYN-ACK             ANSWERED_AGAIN           remove, ANSWERED            ANSWERED_AGAIN
//! RST of the server   (try the client)         remove, RESET               ResetsOutside
//! RST of the client   nothing                  remove, ABORTED             ResetsOutside
//! ICMP error          IcmpUnmatched            remove, REJECTED            IcmpUnmatched
//! ```
//!
//! Why this does not call the following a refusal:
//!
//! - *A port that is reused while the server still holds the old connection* (TIME-WAIT or half-open): the server answers the SYN with a
//!   bare ACK for the old connection, which passes unseen; the client resets *that* with the sequence number it acknowledged. That RST comes from
//!   the client and its number is not of this handshake: outside. The client then sends the SYN again.
//! - *Simultaneous open*: both send SYN, then both SYN-ACK. Each SYN-ACK answers the other's SYN: two entries, both answered.
//! - *Fast Open*: the SYN carries data and the answer may acknowledge none, some or all of it.
//! - *RST after the answer*: the entry is gone with the SYN-ACK.
use crate::{
    abi::{Counter, Key, Pending, direction, kind},
    packet::{Segment, What, flag},
};

#[cfg(test)]
mod tests;

/// Which side of the handshake sent the packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Side {
    /// The one that sent the SYN.
    Client,
    /// The other one, or the path on its behalf.
    Server,
}

/// Which side sends such a packet. A RST may come from both; the server's is the one to try first.
#[inline(always)]
pub fn sent_by(what: What) -> Side {
    match what {
        What::Syn => Side::Client,
        What::SynAck | What::Reset | What::Error => Side::Server,
    }
}

/// The entry of the table that `segment` is about, if `side` sent it. `hook` is the direction of this packet.
#[inline(always)]
pub fn key(segment: &Segment, side: Side, ifindex: u32, hook: u8) -> Key {
    // A quoted packet is the client's own.
    let forward = matches!(side, Side::Client) || matches!(segment.what, What::Error);
    let (client, server, client_port, server_port) = if forward {
        (
            segment.source,
            segment.destination,
            segment.source_port,
            segment.destination_port,
        )
    } else {
        (
            segment.destination,
            segment.source,
            segment.destination_port,
            segment.source_port,
        )
    };
    let direction = if matches!(side, Side::Client) {
        hook
    } else if hook == direction::FROM_POD {
        direction::TO_POD
    } else {
        direction::FROM_POD
    };
    Key {
        client,
        server,
        ifindex,
        client_port,
        server_port,
        direction,
        pad: [0; 3],
    }
}

/// What to do with the table.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Table {
    /// Nothing.
    Keep,
    /// Put this where nothing is.
    Insert(Pending),
    /// Put this where the entry of the same handshake is.
    Update(Pending),
    /// Put this where the entry of another handshake is.
    Replace(Pending),
    /// Remove the entry.
    Remove,
}

/// What to do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Step {
    /// What to do with the table.
    pub table: Table,
    /// The [`kind`] of the event to emit; 0 for none.
    pub event: u8,
    /// What to count.
    pub count: Option<Counter>,
}

/// What the `segment`, sent by `side`, does to the entry of its [`key`]. `now` in nanoseconds.
#[inline(always)]
pub fn step(segment: &Segment, side: Side, pending: Option<&Pending>, now: u64) -> Step {
    match (segment.what, pending) {
        (What::Syn, None) => just(Table::Insert(first(segment, now)), 0),
        (What::Syn, Some(old)) if old.isn == segment.seq => {
            just(Table::Update(again(old, segment, now)), kind::RETRANSMITTED)
        }
        (What::Syn, Some(_)) => just(Table::Replace(first(segment, now)), kind::SUPERSEDED),
        (What::SynAck, Some(old)) if acknowledges(old, segment) => just(Table::Remove, kind::ANSWERED),
        (What::SynAck, _) => just(Table::Keep, kind::ANSWERED_AGAIN),
        (What::Reset, None) => just(Table::Keep, 0),
        (What::Reset, Some(old)) => match side {
            Side::Server if acknowledges(old, segment) => just(Table::Remove, kind::RESET),
            Side::Client if sent_within(old, segment) => just(Table::Remove, kind::ABORTED),
            _ => count(Counter::ResetsOutside),
        },
        (What::Error, Some(old)) if old.isn == segment.seq && may_be_syn(segment.flags) => {
            just(Table::Remove, kind::REJECTED)
        }
        (What::Error, _) => count(Counter::IcmpUnmatched),
    }
}

/// The initial sequence number of the client, as this packet alone tells it; 0 if it does not.
#[inline(always)]
pub fn isn(segment: &Segment) -> u32 {
    match segment.what {
        What::Syn | What::Error => segment.seq,
        What::SynAck | What::Reset if segment.flags & flag::ACK != 0 => segment.ack.wrapping_sub(1),
        What::SynAck | What::Reset => 0,
    }
}

/// RFC 9293, 3.10.7.3: in SYN-SENT an answer needs an acknowledgement of the SYN and of no more than was sent.
#[inline(always)]
fn acknowledges(pending: &Pending, segment: &Segment) -> bool {
    segment.flags & flag::ACK != 0 && segment.ack.wrapping_sub(pending.isn).wrapping_sub(1) <= pending.payload
}

/// Whether the client, having sent no more than the SYN, may use this sequence number.
#[inline(always)]
fn sent_within(pending: &Pending, segment: &Segment) -> bool {
    let offset = segment.seq.wrapping_sub(pending.isn);
    offset == 0 || offset.wrapping_sub(1) <= pending.payload
}

/// A quote that ends before the flags reads 0 here.
#[inline(always)]
fn may_be_syn(flags: u8) -> bool {
    flags == 0 || flags & (flag::SYN | flag::ACK | flag::RST | flag::FIN) == flag::SYN
}

#[inline(always)]
fn first(segment: &Segment, now: u64) -> Pending {
    Pending {
        first_ns: now,
        last_ns: now,
        isn: segment.seq,
        syns: 1,
        payload: segment.payload,
        pad: 0,
    }
}

#[inline(always)]
fn again(old: &Pending, segment: &Segment, now: u64) -> Pending {
    Pending {
        last_ns: now,
        syns: old.syns.saturating_add(1),
        payload: if segment.payload > old.payload {
            segment.payload
        } else {
            old.payload
        },
        ..*old
    }
}

#[inline(always)]
fn just(table: Table, event: u8) -> Step {
    Step {
        table,
        event,
        count: None,
    }
}

#[inline(always)]
fn count(counter: Counter) -> Step {
    Step {
        table: Table::Keep,
        event: 0,
        count: Some(counter),
    }
}
