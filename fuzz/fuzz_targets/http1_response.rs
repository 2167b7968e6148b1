//! An HTTP/1.1 response, whole and in pieces.
#![no_main]

#[path = "../../crates/base/http1/tests/replay/mod.rs"]
mod replay;

libfuzzer_sys::fuzz_target!(|data: &[u8]| replay::check(data));
