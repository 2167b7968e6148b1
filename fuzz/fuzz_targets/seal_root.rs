//! Any bytes as wrapped root keys, and as what key services answer: read or refused, and what is read writes and reads the same.
#![no_main]
use countersign_core::Secret;
use countersign_seal::kek::{AwsKms, Credentials, Service, VaultTransit, WrappedRoot};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(root) = WrappedRoot::parse(bytes) {
        assert_eq!(WrappedRoot::parse(&root.to_bytes()).expect("what was written reads"), root);
    }
    let credentials = Credentials { id: String::new(), secret: Secret::new(String::new()), token: None };
    let aws = AwsKms { key_id: String::new(), region: String::new(), host: String::new(), credentials };
    let vault = VaultTransit { mount: String::new(), key: String::new(), token: Secret::new(String::new()) };
    let services: [&dyn Service; 2] = [&aws, &vault];
    for service in services {
        let _ = (service.wrapped(bytes), service.unwrapped(bytes));
    }
});
