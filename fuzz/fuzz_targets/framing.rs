//! Any bytes from a connection: framed before the server as the server frames them, however they are cut.
#![no_main]

#[path = "../../crates/flow/gateway/src/listener/strict/framing.rs"]
mod framing;
#[path = "../../crates/flow/gateway/src/listener/strict/framing/replay.rs"]
mod replay;

use framing::{Framing, State};

libfuzzer_sys::fuzz_target!(|data: &[u8]| replay::check(data));
