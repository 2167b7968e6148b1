//! Signed notes and the text form of public keys.
#![no_main]

use countersign_audit::{Checkpoint, note};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = Checkpoint::peek(bytes);
    // Nothing that no key has signed may be believed.
    assert!(Checkpoint::open(bytes, "example.com/node-1", &[]).is_err());
    if let Some((name, key)) = std::str::from_utf8(bytes).ok().and_then(|text| note::read_key(text).ok()) {
        assert_eq!(note::key_text(&name, &key).as_bytes(), bytes);
    }
});
