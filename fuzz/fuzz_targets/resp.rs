//! Any bytes as replies of a Redis server.
#![no_main]

#[path = "../../crates/base/cluster/tests/replay/mod.rs"]
mod replay;

libfuzzer_sys::fuzz_target!(|data: &[u8]| replay::check(data));
