//! Any bytes as an issuer's key set: read or refused, the same each time, and never more keys than a set may have.
#![no_main]
use std::time::Duration;

use countersign_core::Timestamp;
use countersign_identity::{
    Tokens,
    token::{Algorithm, Issuer, KeyRules, MAX_KEYS, Profile},
};
use libfuzzer_sys::fuzz_target;

const NOW: Timestamp = Timestamp(1_795_342_530_000_000);

fuzz_target!(|bytes: &[u8]| {
    let tokens = Tokens::default();
    let issuer = Issuer {
        name: "bank".into(),
        url: "https://id.bank.example/oauth2".into(),
        tenant: "bank".into(),
        tenants: None,
        audiences: vec!["https://gateway.example".into()],
        algorithms: Algorithm::ALL.into(),
        profile: Profile::Rfc9068,
        roles: vec![],
        extra: vec![],
        leeway: Duration::from_secs(5),
        max_lifetime: Duration::from_secs(7200),
        keys: KeyRules::default(),
        introspection: None,
        speaks_for: None,
    };
    tokens.set_issuers(vec![issuer]).expect("the issuer will do");
    match tokens.fetched("bank", bytes, NOW) {
        Ok(first) => {
            assert!(first.new + first.refused.len() <= 2 * MAX_KEYS);
            let again = tokens.fetched("bank", bytes, NOW).expect("it was one before");
            assert_eq!((again.new, again.kept, again.gone), (0, first.new, 0));
            assert_eq!(again.refused, first.refused);
        }
        Err(_) => assert!(!tokens.status(NOW)[0].usable, "junk confirms nothing"),
    }
});
