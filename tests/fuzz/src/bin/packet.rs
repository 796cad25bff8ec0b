//! The packet parser under the engine.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| observer_fuzz::packet(bytes));
