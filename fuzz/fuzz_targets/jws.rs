//! Any bytes as an access token: taken apart or refused, spelt in one way only, and nobody's.
#![no_main]
use std::{sync::LazyLock, time::Duration};

use countersign_core::{
    RequestId, Secret, Timestamp,
    life::{Peer, Stamps},
};
use countersign_identity::{
    Identity, Outside, Presented,
    token::{Algorithm, Issuer, Jws, KeyRules, Profile},
};
use countersign_seal::KeyRing;
use data_encoding::BASE64URL_NOPAD;
use futures_util::FutureExt;
use libfuzzer_sys::fuzz_target;

const NOW: Timestamp = Timestamp(1_795_342_530_000_000);
const KEYS: &[u8] =
    br#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"EdDSA","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

static IDENTITY: LazyLock<Identity> = LazyLock::new(|| {
    let ring = KeyRing::from_bytes(Secret::new(vec![1; 32])).expect("32 bytes are a key");
    let identity =
        Identity::new(Stamps::issue().identify, &ring, vec![], Outside::default()).expect("a ring has hashers");
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
    identity.tokens().set_issuers(vec![issuer]).expect("the issuer will do");
    identity.tokens().fetched("bank", KEYS, NOW).expect("the set is one");
    identity
});

fuzz_target!(|bytes: &[u8]| {
    if let Ok(jws) = Jws::read(bytes) {
        let signature = BASE64URL_NOPAD.encode(jws.signature());
        assert_eq!([jws.signed(), b".", signature.as_bytes()].concat(), bytes, "one spelling");
        assert!(jws.signed().ends_with(BASE64URL_NOPAD.encode(jws.payload()).as_bytes()));
    }
    let value = [b"Bearer ", bytes].concat();
    let presented = Presented { authorization: Some(&value), ..Presented::default() };
    let id = RequestId::new(NOW, [0; 10]);
    assert!(
        IDENTITY.identify(id, NOW, Peer::default(), &presented).now_or_never().expect("nothing is waited for").is_err(),
        "nobody signed it"
    );
});
