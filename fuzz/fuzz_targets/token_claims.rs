//! Any bytes as the claims of a token whose signature is good, for an issuer of each profile: refused, or about one subject of
//! that issuer, for a time.
#![no_main]
use std::{sync::LazyLock, time::Duration};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use countersign_core::{
    RequestId, Secret, Timestamp,
    life::{Peer, Stamps},
};
use countersign_identity::{
    Identity, Outside, Presented,
    token::{Algorithm, Issuer, KeyRules, Profile, RoleClaim, RoleRule},
};
use countersign_seal::KeyRing;
use data_encoding::BASE64URL_NOPAD;
use futures_util::FutureExt;
use libfuzzer_sys::fuzz_target;

const NOW: Timestamp = Timestamp(1_795_342_530_000_000);
const ISSUERS: [(&str, &str, Profile); 4] = [
    ("bank", "https://id.bank.example/oauth2", Profile::Rfc9068),
    ("entra", "https://login.microsoftonline.com/5f2b8a3e-0c4d-4e6f-8a9b-1c2d3e4f5a6b/v2.0", Profile::Entra),
    ("entra-1", "https://sts.windows.net/5f2b8a3e-0c4d-4e6f-8a9b-1c2d3e4f5a6b/", Profile::Entra),
    ("okta", "https://bank.okta.example/oauth2/x", Profile::Okta),
];

static PAIR: LazyLock<Ed25519KeyPair> =
    LazyLock::new(|| Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("32 bytes are a seed"));

static IDENTITY: LazyLock<Identity> = LazyLock::new(|| {
    let ring = KeyRing::from_bytes(Secret::new(vec![1; 32])).expect("32 bytes are a key");
    let identity =
        Identity::new(Stamps::issue().identify, &ring, vec![], Outside::default()).expect("a ring has hashers");
    let issuers = ISSUERS.map(|(name, url, profile)| Issuer {
        name: name.into(),
        url: url.into(),
        tenant: name.into(),
        tenants: None,
        audiences: vec!["https://gateway.example".into()],
        algorithms: vec![Algorithm::EdDsa],
        profile,
        roles: vec![RoleRule { claim: RoleClaim::Group, value: "g".into(), role: "r".into() }],
        extra: vec!["sub".into(), "x".into()],
        leeway: Duration::from_secs(5),
        max_lifetime: Duration::from_secs(7200),
        keys: KeyRules::default(),
        introspection: None,
        speaks_for: None,
    });
    identity.tokens().set_issuers(issuers.into()).expect("the issuers will do");
    let x = BASE64URL_NOPAD.encode(PAIR.public_key().as_ref());
    let set = format!("{{\"keys\":[{{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"k\",\"x\":\"{x}\"}}]}}");
    for (name, ..) in ISSUERS {
        identity.tokens().fetched(name, set.as_bytes(), NOW).expect("the set is one");
    }
    identity
});

fuzz_target!(|payload: &[u8]| {
    let header = BASE64URL_NOPAD.encode(br#"{"alg":"EdDSA","kid":"k","typ":"at+jwt"}"#);
    let signed = format!("{header}.{}", BASE64URL_NOPAD.encode(payload));
    let signature = BASE64URL_NOPAD.encode(PAIR.sign(signed.as_bytes()).as_ref());
    let value = format!("Bearer {signed}.{signature}");
    let presented = Presented { authorization: Some(value.as_bytes()), ..Presented::default() };
    if let Ok(identified) = IDENTITY
        .identify(RequestId::new(NOW, [0; 10]), NOW, Peer::default(), &presented)
        .now_or_never()
        .expect("nothing is waited for")
    {
        let principal = identified.principal();
        let claims = principal.claims.as_deref().expect("a token has claims");
        assert_eq!(
            (&*principal.tenant, &*principal.subject),
            (&*claims.issuer, &*format!("{}/{}", claims.issuer, claims.subject))
        );
        assert!(principal.lease.stands(NOW) && !principal.lease.stands(claims.expires));
        assert!(claims.expires.since(claims.issued) <= Duration::from_secs(7200));
        assert!(claims.confirmation.is_none(), "nothing was proved");
    }
});
