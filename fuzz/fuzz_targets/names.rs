//! Any text: names lie within it, and where it is cut changes none of them.
#![no_main]

#[path = "../../crates/base/names/tests/replay/mod.rs"]
mod replay;

libfuzzer_sys::fuzz_target!(|data: &[u8]| replay::tag(data));
