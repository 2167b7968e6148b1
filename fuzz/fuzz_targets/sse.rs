//! Any bytes as a stream of events.
#![no_main]

#[path = "../../crates/base/wire/tests/replay/sse.rs"]
mod replay;

libfuzzer_sys::fuzz_target!(|data: &[u8]| replay::check(data));
