//! The manifest reader under the engine.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| observer_fuzz::manifest(bytes));
