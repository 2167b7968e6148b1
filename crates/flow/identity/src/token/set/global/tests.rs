use countersign_core::Target;

use super::*;
use crate::{
    Identity,
    token::{
        Algorithm, Issuer,
        testing::{NOW, Object, Signer, URL, after, issuer, object, signer, stage},
    },
};

const ENDPOINT: &str = "https://gateway.example/global-token-revocation";
const ORG: &str = "https://bank.example";

/// `org` speaks for `bank`, whose own tokens may not ask.
fn ready() -> (Identity, &'static Signer) {
    let signer = signer(Algorithm::Es256);
    let org =
        Issuer { name: "org".into(), url: ORG.into(), audiences: vec![], speaks_for: Some("bank".into()), ..issuer() };
    let other = Issuer { name: "other".into(), url: "https://other.example".into(), ..issuer() };
    (stage(&[issuer(), org, other], &[signer]), signer)
}

fn revoker(issuer: &str) -> Option<Revoker> {
    let ours = || Revoker { endpoint: ENDPOINT.into(), client: "gateway".into() };
    matches!(issuer, "org" | "other").then(ours)
}

fn claims() -> Object {
    object()
        .with("iss", format!("{ORG:?}"))
        .with("sub", "\"gateway\"")
        .with("aud", format!("{ENDPOINT:?}"))
        .with("jti", "\"r-1\"")
        .with("iat", NOW.seconds().to_string())
        .with("nbf", (NOW.seconds() - 300).to_string())
        .with("exp", after(300).seconds().to_string())
}

fn token(signer: &Signer, typ: &str, claims: &Object) -> Vec<u8> {
    let header = signer.header().with("typ", format!("{typ:?}"));
    signer.token_of(header.text().as_bytes(), claims.text().as_bytes()).into_bytes()
}

fn principal(subject: &str) -> Target {
    Target::Principal("bank".into(), format!("bank/{subject}").into())
}

#[test]
fn an_issuer_that_may_ask_is_believed_until_its_token_ends() {
    let (identity, signer) = ready();
    let token = token(signer, TYPE, &claims());
    let read = |now| identity.tokens().revoker(&token, &revoker, now);
    let signal = read(after(60)).unwrap();
    assert_eq!((&*signal.issuer, &*signal.id, signal.ends), ("org", "r-1", after(300)));
    assert_eq!((signal.issued, signal.about.narrowest()), (after(60), vec![]), "until now, about nobody yet");
    assert_eq!(signal.events, [Event::TokensRevoked]);
    assert!(read(after(300)).unwrap_err().to_string().contains("too old"));
}

#[test]
fn no_other_token_asks() {
    let (identity, signer) = ready();
    let why = |token: &[u8]| identity.tokens().revoker(token, &revoker, NOW).unwrap_err().to_string();
    // Everything is right but the type: access, ID and logout tokens, events, and none at all.
    for typ in ["at+jwt", "JWT", "logout+jwt", "secevent+jwt", ""] {
        assert!(why(&token(signer, typ, &claims())).contains("another type"), "{typ}");
    }
    let untyped = signer.token_of(signer.header().text().as_bytes(), claims().text().as_bytes());
    assert!(why(untyped.as_bytes()).contains("another type"));
    let unsigned = signer.header().with("alg", "\"none\"").with("typ", format!("{TYPE:?}"));
    assert!(
        why(signer.token_of(unsigned.text().as_bytes(), claims().text().as_bytes()).as_bytes()).contains("no signed")
    );
    let forger = Signer::new(Algorithm::Es256, signer.kid);
    assert!(why(&token(&forger, TYPE, &claims())).contains("does not verify"));
    let second = |seconds: u64| seconds.to_string();
    for (claims, expected) in [
        (claims().with("iss", "\"https://evil.example\""), "invalid_issuer"),
        (claims().with("iss", format!("{URL:?}")), "invalid_issuer: no such events"),
        (claims().with("aud", format!("\"{ENDPOINT}/\"")), "invalid_audience"),
        (claims().with("aud", "\"https://gateway.example\""), "invalid_audience"),
        (claims().without("aud"), "invalid_audience"),
        (claims().with("sub", "\"notebook\""), "access_denied"),
        (claims().without("sub"), "invalid_request"),
        (claims().without("jti"), "invalid_request"),
        (claims().without("iat"), "invalid_request"),
        (claims().without("exp"), "invalid_request"),
        (claims().with("iat", second(after(60).seconds())), "invalid_request: it was issued in the future"),
        (claims().with("nbf", second(after(60).seconds())), "invalid_request: it is not valid yet"),
        (claims().with("exp", second(NOW.seconds())), "invalid_request: it is too old"),
        (claims().with("exp", second(after(3600).seconds())), "invalid_request: it lives too long"),
    ] {
        let said = why(&token(signer, TYPE, &claims));
        assert!(said.starts_with(expected), "{said}, expected {expected}");
    }
}

#[test]
fn an_issuer_names_its_own_people_or_those_that_it_speaks_for() {
    let (identity, _) = ready();
    let whom = |issuer: &str, subject: &str| {
        let body = format!(r#"{{"sub_id":{subject}}}"#);
        identity.tokens().revoked(issuer, body.as_bytes()).map_err(|error| error.to_string())
    };
    let of = |iss: &str| format!(r#"{{"format":"iss_sub","iss":"{iss}","sub":"u-1"}}"#);
    let known = |subject| Whom::Known(About { principals: vec![principal(subject)], ..About::default() });
    assert_eq!(whom("org", &of(ORG)).unwrap(), known("u-1"));
    assert_eq!(whom("org", &of(URL)).unwrap(), known("u-1"));
    assert_eq!(whom("bank", &of(URL)).unwrap(), known("u-1"));
    assert_eq!(whom("org", r#"{"format":"opaque","id":"u-2"}"#).unwrap(), known("u-2"));
    let mailed =
        Whom::Mailed { issuer: "bank".into(), tenants: vec!["bank".into()], address: "alice@bank.example".into() };
    assert_eq!(whom("org", r#"{"format":"email","email":"alice@bank.example"}"#).unwrap(), mailed);
    for (issuer, other) in [("org", "https://other.example"), ("bank", ORG), ("other", URL), ("other", ORG)] {
        assert!(whom(issuer, &of(other)).unwrap_err().starts_with("access_denied"), "{issuer} {other}");
    }
    for bad in [
        r#"{"format":"iss_sub","iss":"https://bank.example","sub":"alice@bank.example"}"#,
        r#"{"format":"iss_sub","iss":"https://bank.example"}"#,
        r#"{"format":"phone_number","phone_number":"+1"}"#,
        r#"{"format":"account","uri":"acct:a@bank.example"}"#,
        r#"{"format":"email"}"#,
        r#"{"format":"email","email":7}"#,
        r#"{"id":"u-1"}"#,
        r#""u-1""#,
        "[]",
    ] {
        assert!(whom("org", bad).unwrap_err().starts_with("invalid_request"), "{bad}");
    }
    for bad in ["", "{}", "[]", r#"{"sub_id":{"format":"opaque","id":"a"},"sub_id":{"format":"opaque","id":"b"}}"#] {
        assert!(identity.tokens().revoked("org", bad.as_bytes()).is_err(), "{bad}");
    }
}

#[test]
fn access_tokens_of_an_issuer_that_speaks_for_another_open_nothing() {
    let (identity, signer) = ready();
    let access = claims().with("client_id", "\"gateway\"").with("aud", "\"https://gateway.example\"");
    for audience in ["https://gateway.example", ENDPOINT] {
        let access = access.clone().with("aud", format!("{audience:?}")).with("iss", format!("{ORG:?}"));
        let access = String::from_utf8(token(signer, "at+jwt", &access)).unwrap();
        let refusal = crate::token::testing::ask(&identity, &access, NOW).unwrap_err();
        assert!(refusal.reason.contains("vouches for nobody"), "{refusal:?}");
    }
    let open = String::from_utf8(token(signer, "at+jwt", &access.with("iss", format!("{URL:?}")))).unwrap();
    crate::token::testing::ask(&identity, &open, NOW).unwrap();
}
