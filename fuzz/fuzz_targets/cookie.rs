//! A browser's cookies, as any request may bring them: the console's is found once, or refused.
#![no_main]

#[path = "../../crates/flow/gateway/src/cookie.rs"]
mod cookie;
#[path = "../../crates/flow/gateway/src/cookie/replay.rs"]
mod replay;

use cookie::{NAME, find};

libfuzzer_sys::fuzz_target!(|data: &[u8]| replay::check(data));
