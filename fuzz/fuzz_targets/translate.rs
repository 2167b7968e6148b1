//! A body or a stream of one provider's API, translated to another's.
#![no_main]

#[path = "../../crates/base/wire/tests/replay/translate.rs"]
mod replay;

libfuzzer_sys::fuzz_target!(|data: &[u8]| replay::check(data));
