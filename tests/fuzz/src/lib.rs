//! The fuzz targets as plain functions, so that the engine and the replay of old crashes run the same code.
//!
//! A target takes any bytes and panics if something that must always hold does not. `cargo xtask fuzz` looks for such bytes;
//! what it finds is mended, named, and committed under `crashes/TARGET/`, where `tests/replay.rs` keeps it for ever.
#![forbid(unsafe_code)]

use observer_common::packet::{self, Skip, What, flag};

/// A target: its name, and what to do with the bytes.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: &[Target] = &[("packet", packet)];

/// The packet parser: reads any frame without a panic; what it lets go at once is nothing that it would have told of; and
/// what it tells of is what its flags say.
///
/// # Panics
///
/// If one of these does not hold.
pub fn packet(bytes: &[u8]) {
    let parsed = packet::parse(bytes);
    if packet::leaves_at_once(bytes) {
        assert!(
            matches!(parsed, Err(Skip::Other | Skip::Unparsed)),
            "let go at once, and yet {parsed:?}"
        );
    }
    let Ok(segment) = parsed else { return };
    let has = |flags| segment.flags & flags == flags;
    match segment.what {
        What::Syn => assert!(has(flag::SYN) && !has(flag::ACK) && !has(flag::RST), "{segment:?}"),
        What::SynAck => assert!(has(flag::SYN | flag::ACK) && !has(flag::RST), "{segment:?}"),
        What::Reset => assert!(has(flag::RST), "{segment:?}"),
        What::Error => assert!(segment.icmp_type != 0 && segment.payload == 0, "{segment:?}"),
    }
}
