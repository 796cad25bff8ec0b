//! The fuzz targets as plain functions, so that the engine and the replay of old crashes run the same code.
//!
//! A target takes any bytes and panics if something that must always hold does not. `cargo xtask fuzz` looks for such bytes;
//! what it finds is mended, named, and committed under `crashes/TARGET/`, where `tests/replay.rs` keeps it for ever.
#![forbid(unsafe_code)]

mod policies;

use observer::cluster::read_manifest;

/// A target: its name, and what to do with the bytes.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: &[Target] = &[("packet", packet), ("manifest", manifest)];

/// The packet parser and the handshake: what the kernel programs do with any frame.
///
/// # Panics
///
/// See [`observer_common::fuzz::frame`].
pub fn packet(bytes: &[u8]) {
    // What it is does not matter here, only that everything holds.
    let _ = observer_common::fuzz::frame(bytes);
}

/// The manifest reader: reads any file without a panic, the same each time; gives objects with names, or says what is wrong,
/// each in one line and within the file. Whatever it gave is linted, judged and patched.
///
/// # Panics
///
/// If one of these does not hold.
pub fn manifest(bytes: &[u8]) {
    // To YAML a lone carriage return ends a line as well.
    let most_lines = 1 + bytes.iter().filter(|byte| matches!(byte, b'\n' | b'\r')).count() as u64;
    match read_manifest(bytes) {
        Ok(objects) => {
            for object in &objects {
                assert!(!object.name().name.is_empty(), "an object without a name: {object:?}");
            }
            let again = read_manifest(bytes).map(|objects| format!("{objects:?}"));
            assert_eq!(again, Ok(format!("{objects:?}")), "read twice, and not the same");
            policies::hold(objects);
        }
        Err(errors) => {
            assert!(!errors.0.is_empty(), "refused without a reason");
            for problem in &errors.0 {
                let text = problem.to_string();
                assert!(!text.contains('\n'), "more than one line: {text:?}");
                assert!(
                    problem.line.is_none_or(|line| (1..=most_lines).contains(&line)),
                    "not in the file: {text}"
                );
            }
        }
    }
}
