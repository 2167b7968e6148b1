use std::collections::BTreeMap;

use super::*;
use crate::{
    Identity,
    token::{
        Algorithm, Tenants,
        testing::{NOW, Object, Signer, URL, after, issuer, object, signer, stage},
    },
};

fn audiences(name: &str) -> Vec<String> {
    if name == "bank" { vec!["https://gateway.example/ssf".into()] } else { Vec::new() }
}

const REVOKED: &str = r#"{"https://schemas.openid.net/secevent/caep/event-type/session-revoked":{}}"#;

fn caep(name: &str, members: &str) -> String {
    format!(r#"{{"{CAEP}{name}":{members}}}"#)
}

fn alice() -> String {
    format!(r#"{{"format":"iss_sub","iss":"{URL}","sub":"u-4711"}}"#)
}

/// The claims of an event about Alice.
fn said(events: &str) -> Object {
    object()
        .with("iss", format!("{URL:?}"))
        .with("aud", "\"https://gateway.example/ssf\"")
        .with("iat", NOW.seconds().to_string())
        .with("jti", "\"e-1\"")
        .with("sub_id", alice())
        .with("events", events)
}

fn set(signer: &Signer, typ: &str, claims: &Object) -> Vec<u8> {
    let header = signer.header().with("typ", format!("{typ:?}"));
    signer.token_of(header.text().as_bytes(), claims.text().as_bytes()).into_bytes()
}

fn ready() -> (Identity, &'static Signer) {
    let signer = signer(Algorithm::Es256);
    let other = Issuer { name: "other".into(), url: "https://other.example".into(), ..issuer() };
    (stage(&[issuer(), other], &[signer]), signer)
}

fn read(claims: &Object) -> Result<Signal, String> {
    let (identity, signer) = ready();
    let token = set(signer, "secevent+jwt", claims);
    identity.tokens().signal(&token, &audiences, NOW).map_err(|error| error.to_string())
}

fn principal(subject: &str) -> Target {
    Target::Principal("bank".into(), format!("bank/{subject}").into())
}

#[test]
fn each_event_is_read_as_what_it_says() {
    let cases = [
        (caep("session-revoked", "{}"), Event::SessionRevoked),
        (caep("token-claims-change", r#"{"claims":{"role":"x"}}"#), Event::ClaimsChanged),
        (
            caep("credential-change", r#"{"credential_type":"password","change_type":"revoke"}"#),
            Event::CredentialChanged,
        ),
        (caep("credential-change", r#"{"credential_type":"x509","change_type":"create"}"#), Event::Other),
        (caep("device-compliance-change", r#"{"current_status":"not-compliant"}"#), Event::Compliance(false)),
        (caep("device-compliance-change", r#"{"current_status":"compliant"}"#), Event::Compliance(true)),
        (
            caep("assurance-level-change", r#"{"current_level":"nist-aal1","change_direction":"decrease"}"#),
            Event::Assurance { level: "nist-aal1".into(), fell: true },
        ),
        (
            caep("assurance-level-change", r#"{"current_level":"nist-aal2","change_direction":"increase"}"#),
            Event::Assurance { level: "nist-aal2".into(), fell: false },
        ),
        (caep("risk-level-change", r#"{"current_level":"HIGH","principal":"USER"}"#), Event::Risk("high")),
        (caep("session-established", "{}"), Event::Other),
    ];
    for (events, event) in cases {
        let signal = read(&said(&events)).unwrap();
        assert_eq!(signal.events, std::slice::from_ref(&event), "{events}");
        if event != Event::Other {
            assert_eq!(signal.about.principals, [principal("u-4711")], "{events}");
        }
        assert_eq!(
            (&*signal.issuer, &*signal.id, signal.issued),
            ("bank", "e-1", Timestamp(NOW.seconds() * 1_000_000))
        );
    }
    let hello = format!(r#"{{"{VERIFICATION}":{{"state":"x"}}}}"#);
    let opaque = r#"{"format":"opaque","id":"stream 1"}"#;
    assert_eq!(read(&said(&hello).with("sub_id", opaque)).unwrap().events, [Event::Verification]);
    for bad in [
        caep("credential-change", "{}"),
        caep("credential-change", r#"{"change_type":"vanish"}"#),
        caep("risk-level-change", r#"{"current_level":"fine"}"#),
        caep("device-compliance-change", r#"{"current_status":1}"#),
        caep("session-revoked", "[]"),
        "{}".into(),
        "[]".into(),
    ] {
        assert!(read(&said(&bad)).unwrap_err().starts_with("invalid_request"), "{bad}");
    }
}

#[test]
fn whom_it_is_about_is_known_or_it_is_refused() {
    let session = Target::Session("bank".into(), "s-1".into());
    let about = |subject: &str| read(&said(REVOKED).with("sub_id", subject)).map(|signal| signal.about.narrowest());
    assert_eq!(about(r#"{"format":"opaque","id":"u-1"}"#).unwrap(), [principal("u-1")]);
    let complex = |members: &str| format!(r#"{{"format":"complex",{members}}}"#);
    let (user, sid) = (format!("\"user\":{}", alice()), r#""session":{"format":"opaque","id":"s-1"}"#);
    assert_eq!(about(&complex(&user)).unwrap(), [principal("u-4711")]);
    assert_eq!(about(&complex(&format!("{user},{sid}"))).unwrap(), std::slice::from_ref(&session));
    assert_eq!(about(&complex(sid)).unwrap(), [session]);
    let device = r#""device":{"format":"opaque","id":"d"}"#;
    assert_eq!(about(&complex(&format!("{user},{device}"))).unwrap(), [principal("u-4711")]);
    let tenant = r#""tenant":{"format":"opaque","id":"t"}"#;
    assert_eq!(about(&complex(tenant)).unwrap(), [Target::Issuer("bank".into())]);
    let app = r#""application":{"format":"opaque","id":"notebook"}"#;
    assert_eq!(about(&complex(app)).unwrap(), [Target::Client("bank".into(), "notebook".into())]);
    // As drafts had it: within the event.
    let within = caep("session-revoked", &format!(r#"{{"subject":{}}}"#, alice()));
    assert_eq!(read(&said(&within).without("sub_id")).unwrap().about.principals, [principal("u-4711")]);
    for bad in [
        r#"{"format":"email","email":"alice@bank.example"}"#,
        r#"{"format":"account","uri":"acct:alice@bank.example"}"#,
        r#"{"format":"phone_number","phone_number":"+12065550100"}"#,
        r#"{"format":"opaque","id":"alice@bank.example"}"#,
        r#"{"format":"iss_sub","iss":"https://other.example","sub":"u-1"}"#,
        r#"{"format":"iss_sub","sub":"u-1"}"#,
        r#"{"format":"aliases","identifiers":[]}"#,
        r#"{"id":"u-1"}"#,
        r#""u-1""#,
        &complex(device),
        &complex(&format!("{tenant},{device}")),
        r#"{"format":"complex"}"#,
    ] {
        let code = if bad.contains("iss_sub") { "access_denied" } else { "invalid_request" };
        assert!(about(bad).unwrap_err().starts_with(code), "{bad}");
    }
    assert!(read(&said(REVOKED).without("sub_id")).is_err());
}

#[test]
fn in_an_issuer_of_many_tenants_somebody_is_meant_in_each() {
    let signer = signer(Algorithm::Es256);
    let by_value = BTreeMap::from([("a".into(), "red".into()), ("b".into(), "blue".into())]);
    let issuer = Issuer { tenants: Some(Tenants { claim: "org".into(), by_value }), ..issuer() };
    let identity = stage(&[issuer], &[signer]);
    let signal = identity.tokens().signal(&set(signer, "secevent+jwt", &said(REVOKED)), &audiences, NOW).unwrap();
    let of = |tenant: &str| Target::Principal(tenant.into(), "bank/u-4711".into());
    assert_eq!(signal.about.narrowest(), [of("red"), of("blue")]);
}

#[test]
fn what_is_no_event_of_this_issuer_for_us_is_refused() {
    let (identity, signer) = ready();
    let stranger = signer_of_nobody();
    let why = |token: &[u8], now| identity.tokens().signal(token, &audiences, now).unwrap_err().to_string();
    let good = said(REVOKED);
    let cases: [(Vec<u8>, Timestamp, &str); 14] = [
        (set(signer, "at+jwt", &good), NOW, "invalid_request: it is a token of another type"),
        (set(signer, "logout+jwt", &good), NOW, "invalid_request: it is a token of another type"),
        (set(signer, "JWT", &good), NOW, "invalid_request: it is a token of another type"),
        (set(&stranger, "secevent+jwt", &good), NOW, "invalid_key: its signature does not verify"),
        (set(signer, "secevent+jwt", &good.clone().with("iss", "\"https://evil.example\"")), NOW, "invalid_issuer"),
        (set(signer, "secevent+jwt", &good.clone().with("iss", "\"https://other.example\"")), NOW, "invalid_issuer"),
        (
            set(signer, "secevent+jwt", &good.clone().with("aud", "\"https://gateway.example\"")),
            NOW,
            "invalid_audience",
        ),
        (set(signer, "secevent+jwt", &good.clone().without("aud")), NOW, "invalid_audience"),
        (
            set(signer, "secevent+jwt", &good.clone().with("exp", after(60).seconds().to_string())),
            NOW,
            "invalid_request",
        ),
        (set(signer, "secevent+jwt", &good.clone().with("sub", "\"u-4711\"")), NOW, "invalid_request"),
        (set(signer, "secevent+jwt", &good.clone().without("iat")), NOW, "invalid_request"),
        (set(signer, "secevent+jwt", &good.clone().without("jti")), NOW, "invalid_request"),
        (
            set(signer, "secevent+jwt", &good.clone().with("iat", after(60).seconds().to_string())),
            NOW,
            "invalid_request",
        ),
        (
            set(signer, "secevent+jwt", &good.clone().with("iat", (NOW.seconds() - 86_400).to_string())),
            NOW,
            "invalid_request: it is too old",
        ),
    ];
    for (token, now, expected) in cases {
        let said = why(&token, now);
        assert!(said.starts_with(expected), "{said}, expected {expected}");
    }
    assert!(identity.tokens().signal(&set(signer, "application/secevent+JWT", &good), &audiences, NOW).is_ok());
    let several = good.with("aud", r#"["x","https://gateway.example/ssf"]"#);
    assert!(identity.tokens().signal(&set(signer, "secevent+jwt", &several), &audiences, NOW).is_ok());
}

/// A key pair that calls itself as the issuer's does.
fn signer_of_nobody() -> Signer {
    Signer::new(Algorithm::Es256, signer(Algorithm::Es256).kid)
}

#[test]
fn without_the_issuers_keys_an_event_may_come_again() {
    let (identity, signer) = ready();
    let later = after(3 * 3600);
    let fresh = said(REVOKED).with("iat", later.seconds().to_string());
    let error = identity.tokens().signal(&set(signer, "secevent+jwt", &fresh), &audiences, later).unwrap_err();
    assert!(matches!(error, SignalError::Later(_)), "{error}");
}

fn logged_out() -> Object {
    said(&format!(r#"{{"{LOGOUT}":{{}}}}"#))
        .without("sub_id")
        .with("exp", after(120).seconds().to_string())
        .with("sid", "\"s-1\"")
}

#[test]
fn a_logout_token_ends_a_session_or_all_of_somebodys() {
    let (identity, signer) = ready();
    let read = |claims: &Object, now| {
        identity.tokens().logout(&set(signer, "logout+jwt", claims), &audiences, now).map_err(|e| e.to_string())
    };
    let session = Target::Session("bank".into(), "s-1".into());
    let signal = read(&logged_out(), NOW).unwrap();
    assert_eq!((signal.about.narrowest(), signal.ends), (vec![session], after(120)));
    let all = logged_out().without("sid").with("sub", "\"u-1\"");
    assert_eq!(read(&all, NOW).unwrap().about.narrowest(), [principal("u-1")]);
    for bad in [
        logged_out().with("nonce", "\"n\""),
        logged_out().without("sid"),
        logged_out().without("exp"),
        logged_out().with("events", "{}"),
        logged_out().with("events", format!(r#"{{"{LOGOUT}":[]}}"#)),
        logged_out().without("sid").with("sub", "\"alice@bank.example\""),
    ] {
        assert!(read(&bad, NOW).is_err(), "{}", bad.text());
    }
    assert!(read(&logged_out(), after(120)).unwrap_err().contains("too old"));
    let token = set(signer, "secevent+jwt", &logged_out());
    assert!(identity.tokens().logout(&token, &audiences, NOW).is_err());
}

#[test]
fn the_fuzz_corpus_of_events_passes() {
    let (identity, signer) = ready();
    let folder = format!("{}/../../../fuzz/corpus/signal", env!("CARGO_MANIFEST_DIR"));
    let mut taken = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let payload = std::fs::read(file.unwrap().path()).unwrap();
        for typ in ["secevent+jwt", "logout+jwt"] {
            let header = signer.header().with("typ", format!("{typ:?}"));
            let token = signer.token_of(header.text().as_bytes(), &payload);
            let read = identity.tokens().signal(token.as_bytes(), &audiences, NOW);
            let read = read.or_else(|_| identity.tokens().logout(token.as_bytes(), &audiences, NOW));
            taken += usize::from(read.is_ok());
        }
    }
    assert!(taken >= 5, "{taken}");
}

#[test]
fn the_fuzz_corpus_of_revocations_passes() {
    let (identity, signer) = ready();
    let folder = format!("{}/../../../fuzz/corpus/signal", env!("CARGO_MANIFEST_DIR"));
    let own = |_: &str| {
        Some(Revoker { endpoint: "https://gateway.example/global-token-revocation".into(), client: "gateway".into() })
    };
    let (mut asked, mut named) = (0, 0);
    for file in std::fs::read_dir(folder).unwrap() {
        let payload = std::fs::read(file.unwrap().path()).unwrap();
        let header = signer.header().with("typ", "\"global-token-revocation+jwt\"");
        let token = signer.token_of(header.text().as_bytes(), &payload);
        asked += usize::from(identity.tokens().revoker(token.as_bytes(), &own, NOW).is_ok());
        named += usize::from(identity.tokens().revoked("bank", &payload).is_ok());
    }
    assert!(asked >= 1 && named >= 2, "{asked} {named}");
}
