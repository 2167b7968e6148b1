//! Any bytes as a body whose model is given the provider's name.
#![no_main]

#[path = "../../crates/flow/provider/src/model.rs"]
mod model;
#[path = "../../crates/flow/provider/src/model/replay.rs"]
mod replay;

use model::{is_plain, rename};

libfuzzer_sys::fuzz_target!(|data: &[u8]| replay::check(data));
