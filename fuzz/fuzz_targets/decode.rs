//! Any text, decoded: bounded, and every view leads back to whole characters.
#![no_main]

#[path = "../../crates/flow/guard/tests/replay/screen.rs"]
#[expect(dead_code, reason = "each target makes one of the checks")]
mod replay;

libfuzzer_sys::fuzz_target!(|data: &[u8]| replay::decode(data));
