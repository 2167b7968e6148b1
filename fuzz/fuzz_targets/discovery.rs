//! Any bytes as an issuer's metadata: what leads to a key set names our issuer.
#![no_main]
use countersign_identity::discovery;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    const ISSUER: &str = "https://id.example";
    if discovery::read(bytes, ISSUER).is_ok() {
        let value: serde_json::Value = serde_json::from_slice(bytes).expect("what we read is JSON");
        assert_eq!(value["issuer"], ISSUER);
        assert!(value["jwks_uri"].is_string());
    }
    if discovery::introspection(bytes, ISSUER).is_ok() {
        let value: serde_json::Value = serde_json::from_slice(bytes).expect("what we read is JSON");
        assert_eq!(value["issuer"], ISSUER);
        assert!(value["introspection_endpoint"].is_string());
    }
});
