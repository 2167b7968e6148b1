//! Any bytes as JSON.
#![no_main]

#[path = "../../crates/base/wire/tests/replay/json.rs"]
mod replay;

libfuzzer_sys::fuzz_target!(|data: &[u8]| replay::check(data));
