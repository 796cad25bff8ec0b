//! What must hold for any bytes: the body of the fuzz target, and of property tests.
use crate::{
    abi::{Pending, direction},
    handshake::{self, Side},
    packet::{self, Segment, Skip, What, flag},
};

/// Reads a frame in both ways that the kernel does, and lets it meet a handshake.
///
/// # Panics
///
/// If the two ways disagree, if a packet of interest would be let go, or if anything behind them panics.
pub fn frame(bytes: &[u8]) -> Result<Segment, Skip> {
    let parsed = packet::parse(bytes);
    let mut plain = Segment::default();
    if packet::read_plain(bytes, &mut plain) {
        assert_eq!(parsed, Ok(plain), "the direct way reads something else");
    }
    if packet::leaves_at_once(bytes) {
        assert!(parsed.is_err(), "would be let go: {parsed:?}");
    }
    if let Ok(segment) = &parsed {
        says_what_its_flags_say(segment);
        meets(segment);
    }
    for v6 in [false, true] {
        if packet::read_tcp(bytes, v6, &mut plain).is_ok() {
            meets(&plain);
        }
    }
    parsed
}

fn says_what_its_flags_say(segment: &Segment) {
    let has = |flags| segment.flags & flags == flags;
    match segment.what {
        What::Syn => assert!(has(flag::SYN) && !has(flag::ACK) && !has(flag::RST), "{segment:?}"),
        What::SynAck => assert!(has(flag::SYN | flag::ACK) && !has(flag::RST), "{segment:?}"),
        What::Reset => assert!(has(flag::RST), "{segment:?}"),
        What::Error => assert!(segment.icmp_type != 0 && segment.payload == 0, "{segment:?}"),
    }
}

/// A packet from each side meets no entry, and one that it may fit. What it changes is never both kept and removed.
fn meets(segment: &Segment) {
    let isn = handshake::isn(segment);
    for side in [Side::Client, Side::Server] {
        let key = handshake::key(segment, side, 1, direction::FROM_POD);
        assert_eq!(key.pad, [0; 3], "the pad is part of what the map hashes");
        for pending in [
            None,
            Some(Pending {
                isn,
                syns: u32::MAX,
                payload: u32::MAX,
                ..Pending::default()
            }),
        ] {
            let step = handshake::step(segment, side, pending.as_ref(), 1);
            let needs_entry = !matches!(step.table, handshake::Table::Keep | handshake::Table::Insert(_));
            assert!(
                pending.is_some() || !needs_entry,
                "changes an entry that is not there: {step:?}"
            );
        }
    }
}
