//! The whole way of a token, through the stage as the gateway uses it.

mod life;
mod threats;
mod wycheproof;

use countersign_core::{
    Claims, Lease,
    principal::{Method, PrincipalKind},
};
use futures_util::FutureExt;
use proptest::prelude::*;

use super::{testing::*, *};
use crate::Presented;

#[test]
fn a_token_says_who_asks_under_every_algorithm() {
    let identity = stage(&[issuer()], &SIGNERS.iter().collect::<Vec<_>>());
    for signer in &*SIGNERS {
        let principal = ask(&identity, &signer.token(&claims()), NOW).unwrap();
        assert_eq!((&*principal.tenant, &*principal.subject), ("bank", "bank/u-4711"), "{:?}", signer.algorithm);
        assert_eq!((principal.kind, principal.method), (PrincipalKind::Person, Method::AccessToken));
    }
}

#[test]
fn the_claims_are_handed_on() {
    let signer = signer(Algorithm::EdDsa);
    let rule = RoleRule { claim: RoleClaim::Role, value: "Teller".into(), role: "teller".into() };
    let identity = stage(&[Issuer { roles: vec![rule], extra: vec!["dept".into()], ..issuer() }], &[signer]);
    let claims = claims()
        .with("roles", "[\"Teller\",\"Other\"]")
        .with("groups", "[\"g\"]")
        .with("acr", "\"2\"")
        .with("amr", "[\"pwd\",\"mfa\"]")
        .with("auth_time", (NOW.seconds() - 60).to_string())
        .with("sid", "\"s-1\"")
        .with("dept", "{\"no\":7}");
    let principal = ask(&identity, &signer.token(&claims), NOW).unwrap();
    assert_eq!((&*principal.roles, &*principal.scopes), (&["teller".into()][..], &["model:small".into()][..]));
    assert_eq!(&*principal.credential, "token:bank/u-4711", "a fresh token is the same account");
    let found = principal.claims.as_deref().unwrap();
    assert_eq!(
        *found,
        Claims {
            issuer: "bank".into(),
            subject: "u-4711".into(),
            client: Some("notebook".into()),
            scopes: vec!["ask".into(), "model:small".into()],
            roles: vec!["Teller".into(), "Other".into()],
            groups: countersign_core::Groups::Listed(vec!["g".into()]),
            acr: Some("2".into()),
            amr: vec!["pwd".into(), "mfa".into()],
            auth_time: Some(Timestamp(NOW.0 / 1_000_000 * 1_000_000 - 60_000_000)),
            id: Some("t-1".into()),
            session: Some("s-1".into()),
            confirmation: None,
            acts: Vec::new(),
            issued: NOW,
            expires: after(600),
            extra: vec![("dept".into(), "{\"no\":7}".into())],
        }
    );
}

#[test]
fn keys_and_tokens_do_not_get_in_each_others_way() {
    let signer = signer(Algorithm::EdDsa);
    let identity = stage(&[issuer()], &[signer]);
    let token = signer.token(&claims());
    let value = format!("Bearer {token}");
    let at = |presented: &Presented<'_>| {
        let id = countersign_core::RequestId::new(NOW, [0; 10]);
        let identified = identity.identify(id, NOW, countersign_core::life::Peer::default(), presented);
        identified.now_or_never().unwrap().map(drop).map_err(|r| r.code)
    };
    let bearer = Presented { authorization: Some(value.as_bytes()), ..Presented::default() };
    assert_eq!(at(&bearer), Ok(()));
    let both = |key| Presented { api_key: Some(key), ..bearer };
    assert_eq!(at(&both(token.as_bytes())), Ok(()), "the same twice is one");
    assert_eq!(at(&both(b"csk_other")), Err(Code::BadCredential));
    let as_key = Presented { api_key: Some(token.as_bytes()), ..Presented::default() };
    assert_eq!(at(&as_key), Err(Code::BadCredential), "the header for keys takes keys");
    for scheme in ["bearer", "BEARER"] {
        let value = format!("{scheme} {token}");
        assert_eq!(at(&Presented { authorization: Some(value.as_bytes()), ..Presented::default() }), Ok(()));
    }
    for value in
        [format!("DPoP{token}"), format!("Bearer  {token}"), format!("Bearer {token} "), format!("Basic {token}")]
    {
        let presented = Presented { authorization: Some(value.as_bytes()), ..Presented::default() };
        assert_eq!(at(&presented), Err(Code::BadCredential), "{}", &value[..8]);
    }
    for neither in ["a.b", "a.b.c.d", "a.b.c.d.e", "...."] {
        assert_eq!(why(&identity, neither, NOW).1, "the credential is neither an API key nor an access token");
    }
    // While the store cannot be read, nobody can say which tokens were revoked.
    identity.suspend();
    assert_eq!(at(&bearer), Err(Code::OutOfTouch));
}

#[test]
fn without_issuers_every_token_is_refused() {
    let identity = stage(&[], &[]);
    let (code, reason) = why(&identity, &signer(Algorithm::EdDsa).token(&claims()), NOW);
    assert_eq!((code, &*reason), (Code::BadCredential, "the token is of no issuer that is known"));
}

#[test]
fn the_fuzz_corpus_passes() {
    let signer = signer(Algorithm::EdDsa);
    let named = |name: &str, url: &str, profile| Issuer { name: name.into(), url: url.into(), profile, ..issuer() };
    let entra = |prefix: &str, suffix: &str| format!("https://{prefix}/{TENANT}/{suffix}");
    let issuers = [
        issuer(),
        named("entra", &entra("login.microsoftonline.com", "v2.0"), Profile::Entra),
        named("entra-1", &entra("sts.windows.net", ""), Profile::Entra),
        named("okta", "https://bank.okta.example/oauth2/x", Profile::Okta),
    ];
    let identity = stage(&issuers, &[signer]);
    let files = |folder: &str| {
        let folder = format!("{}/../../../fuzz/corpus/{folder}", env!("CARGO_MANIFEST_DIR"));
        let read =
            |file: std::fs::DirEntry| (file.file_name().into_string().unwrap(), std::fs::read(file.path()).unwrap());
        std::fs::read_dir(folder).unwrap().map(|file| read(file.unwrap())).collect::<Vec<_>>()
    };
    for (name, token) in files("jws") {
        let _ = Jws::read(&token);
        assert!(identity.tokens().principal(&token, NOW).is_err(), "{name}");
    }
    for (name, set) in files("jwks") {
        let tokens = Tokens::default();
        tokens.set_issuers(vec![issuer()]).unwrap();
        if let Ok(first) = tokens.fetched("bank", &set, NOW) {
            let again = tokens.fetched("bank", &set, NOW).unwrap();
            assert_eq!((again.new, again.kept, again.gone), (0, first.new, 0), "{name}");
        }
    }
    let mut taken = Vec::new();
    for (name, payload) in files("token_claims") {
        let token = signer.token_of(signer.header().text().as_bytes(), &payload);
        taken.extend(identity.tokens().principal(token.as_bytes(), NOW).map(|_| name));
    }
    for name in ["aud_array", "entra1", "entra2", "good", "okta"] {
        assert!(taken.iter().any(|taken| taken == name), "{name}");
    }
}

proptest! {
    #[test]
    fn no_claims_that_are_not_the_issuers_pass(payload: Vec<u8>, text: String) {
        let signer = signer(Algorithm::EdDsa);
        let identity = stage(&[issuer()], &[signer]);
        let header = signer.header().text();
        prop_assert!(ask(&identity, &signer.token_of(header.as_bytes(), &payload), NOW).is_err());
        prop_assert!(ask(&identity, &signer.token_of(header.as_bytes(), text.as_bytes()), NOW).is_err());
        let token = signer.token(&claims().with("sub", format!("{text:?}")));
        if let Ok(principal) = ask(&identity, &token, NOW) {
            prop_assert_eq!(&*principal.subject, &format!("bank/{text}"));
        }
    }

    #[test]
    fn no_changed_byte_passes(at: prop::sample::Index, bit in 0..8_u8) {
        for algorithm in [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256] {
            let signer = signer(algorithm);
            let identity = stage(&[issuer()], &[signer]);
            let token = signer.token(&claims());
            ask(&identity, &token, NOW).unwrap();
            let mut other = token.clone().into_bytes();
            other[at.index(token.len())] ^= 1 << bit;
            prop_assert!(identity.tokens().principal(&other, NOW).is_err());
            ask(&identity, &token, NOW).unwrap();
        }
    }
}

#[test]
fn who_acts_for_the_bearer_is_told_the_newest_first_and_bounded() {
    let signer = signer(Algorithm::Es256);
    let identity = stage(&[issuer()], &[signer]);
    let acts = |act: &str| {
        ask(&identity, &signer.token(&claims().with("act", act)), NOW)
            .map(|who| who.claims.as_ref().unwrap().acts.iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    assert_eq!(acts(r#"{"sub":"robot"}"#).unwrap(), ["bank/bank/robot"]);
    let chain = format!(r#"{{"sub":"robot","iss":{URL:?},"act":{{"sub":"tool","iss":"https://other.example"}}}}"#);
    assert_eq!(acts(&chain).unwrap(), ["bank/bank/robot", "bank/https://other.example/tool"]);
    let deep = |n: usize| (0..n).fold("{\"sub\":\"a\"}".to_owned(), |act, _| format!(r#"{{"sub":"a","act":{act}}}"#));
    assert_eq!(acts(&deep(7)).unwrap().len(), 8);
    for bad in ["\"robot\"", "[]", "{}", "null", r#"{"sub":""}"#, r#"{"sub":7}"#, r#"{"sub":"a","act":[]}"#, &deep(8)] {
        assert_eq!(acts(bad).unwrap_err().code, Code::BadCredential, "{bad}");
    }
}
