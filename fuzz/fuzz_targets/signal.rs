//! Any bytes as the claims of a security event, a logout token or a token that asks for a global revocation, with a good signature, and as
//! the body of the last: refused, or about one of that issuer's own.
#![no_main]
use std::{sync::LazyLock, time::Duration};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use countersign_core::{Target, Timestamp};
use countersign_identity::{
    Tokens,
    token::{Algorithm, Issuer, KeyRules, Profile, Revoker, Whom},
};
use data_encoding::BASE64URL_NOPAD;
use libfuzzer_sys::fuzz_target;

const NOW: Timestamp = Timestamp(1_795_342_530_000_000);

static PAIR: LazyLock<Ed25519KeyPair> =
    LazyLock::new(|| Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("32 bytes are a seed"));

static TOKENS: LazyLock<Tokens> = LazyLock::new(|| {
    let tokens = Tokens::default();
    let issuer = Issuer {
        name: "bank".into(),
        url: "https://id.bank.example/oauth2".into(),
        tenant: "bank".into(),
        tenants: None,
        audiences: vec!["https://gateway.example".into()],
        algorithms: vec![Algorithm::EdDsa],
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
    let x = BASE64URL_NOPAD.encode(PAIR.public_key().as_ref());
    let set = format!("{{\"keys\":[{{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"k\",\"x\":\"{x}\"}}]}}");
    tokens.fetched("bank", set.as_bytes(), NOW).expect("the set is one");
    tokens
});

fuzz_target!(|payload: &[u8]| {
    let audiences = |_: &str| vec!["https://gateway.example/ssf".to_owned()];
    let own = |_: &str| {
        Some(Revoker { endpoint: "https://gateway.example/global-token-revocation".into(), client: "gateway".into() })
    };
    if let Ok(Whom::Known(about)) = TOKENS.revoked("bank", payload) {
        about.narrowest().iter().for_each(ours);
    }
    for typ in ["secevent+jwt", "logout+jwt", "global-token-revocation+jwt"] {
        let header = BASE64URL_NOPAD.encode(format!(r#"{{"alg":"EdDSA","kid":"k","typ":"{typ}"}}"#).as_bytes());
        let signed = format!("{header}.{}", BASE64URL_NOPAD.encode(payload));
        let token = format!("{signed}.{}", BASE64URL_NOPAD.encode(PAIR.sign(signed.as_bytes()).as_ref()));
        let read = match typ {
            "logout+jwt" => TOKENS.logout(token.as_bytes(), &audiences, NOW),
            "secevent+jwt" => TOKENS.signal(token.as_bytes(), &audiences, NOW),
            _ => TOKENS.revoker(token.as_bytes(), &own, NOW),
        };
        let Ok(signal) = read else { continue };
        assert!(signal.ends > NOW && !signal.events.is_empty());
        signal.about.narrowest().iter().for_each(ours);
    }
});

/// Whoever it is about is the issuer's, and has one text.
fn ours(target: &Target) {
    let ours = match target {
        Target::Principal(tenant, subject) => &**tenant == "bank" && subject.starts_with("bank/"),
        Target::Session(issuer, _) | Target::Client(issuer, _) | Target::Issuer(issuer) => &**issuer == "bank",
        _ => false,
    };
    assert!(ours, "{target} is not of the issuer");
    assert_eq!(target.to_string().parse::<Target>().as_ref(), Ok(target), "it has one text");
}
