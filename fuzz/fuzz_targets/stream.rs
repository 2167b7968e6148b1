//! Any bytes as a streamed answer.
#![no_main]

#[path = "../../crates/base/wire/tests/replay/stream.rs"]
mod replay;

libfuzzer_sys::fuzz_target!(|data: &[u8]| replay::check(data));
