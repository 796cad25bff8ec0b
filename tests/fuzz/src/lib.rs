//! The fuzz targets as plain functions, so that the engine and the replay of old crashes run the same code.
//!
//! A target takes any bytes and panics if something that must always hold does not. `cargo xtask fuzz` looks for such bytes;
//! what it finds is mended, named, and committed under `crashes/TARGET/`, where `tests/replay.rs` keeps it for ever.
#![forbid(unsafe_code)]

/// A target: its name, and what to do with the bytes.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: &[Target] = &[("packet", packet)];

/// The packet parser and the handshake: what the kernel programs do with any frame.
///
/// # Panics
///
/// See [`observer_common::fuzz::frame`].
pub fn packet(bytes: &[u8]) {
    // What it is does not matter here, only that everything holds.
    let _ = observer_common::fuzz::frame(bytes);
}
