//! Any bytes as an envelope: none opens.
#![no_main]
use std::sync::LazyLock;

use countersign_core::Secret;
use countersign_seal::KeyRing;
use libfuzzer_sys::fuzz_target;

static RING: LazyLock<KeyRing> =
    LazyLock::new(|| KeyRing::from_bytes(Secret::new(vec![1; 32])).expect("32 bytes are a key"));

fuzz_target!(|bytes: &[u8]| {
    assert!(RING.open("tenant", "purpose", b"record", bytes).is_err());
});
