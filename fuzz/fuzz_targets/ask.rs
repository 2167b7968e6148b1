//! Any bytes as a request and as an answer.
#![no_main]

#[path = "../../crates/base/wire/tests/replay/ask.rs"]
mod replay;

libfuzzer_sys::fuzz_target!(|data: &[u8]| replay::check(data));
