//! Any text as an answer: what a stream releases and reports is what the whole answer does, however it is cut.
#![no_main]

#[path = "../../crates/flow/guard/tests/replay/watch.rs"]
mod replay;

libfuzzer_sys::fuzz_target!(|data: &[u8]| replay::check(data));
