//! Proofs of inclusion and of growth, as anyone may hand them in.
#![no_main]

use countersign_audit::proof::{Growth, Proof, Trust};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(proof) = Proof::read(bytes) {
        assert_eq!(proof.to_string().as_bytes(), bytes);
        // Nothing that no key has signed may be believed.
        assert!(proof.verify(&Trust { origin: "example.com/node-1", keys: &[], witnesses: &[] }).is_err());
    }
    if let Ok(growth) = Growth::read(bytes) {
        assert_eq!(growth.to_string().as_bytes(), bytes);
    }
});
