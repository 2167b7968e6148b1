use countersign_wire::json::Doc;
use proptest::prelude::*;

use super::{
    super::testing::{NOW, Object, URL, after, claims, issuer},
    *,
};

fn with<T>(claims: &Object, act: impl FnOnce(Value<'_>) -> T) -> T {
    let text = claims.text();
    act(Doc::read(text.as_bytes(), &LIMITS).unwrap().root())
}

fn checked(claims: &Object, now: Timestamp) -> Result<Span, Fault> {
    with(claims, |claims| check(claims, &issuer(), now))
}

fn refused(claims: &Object) -> &'static str {
    match checked(claims, NOW) {
        Err(Fault::Bad(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_token_for_us_in_its_time_is_taken() {
    let span = checked(&claims(), NOW).unwrap();
    assert_eq!((span.issued, span.ends), (Timestamp(NOW.0), after(600)));
    assert_eq!(span.begins, Timestamp(NOW.0 - 5_000_000));
}

#[test]
fn the_issuer_is_compared_byte_by_byte() {
    for iss in [
        format!("{URL}/"),
        URL.to_uppercase(),
        URL.replace("https", "http"),
        format!("{URL}\\u0000"),
        format!(" {URL}"),
        URL.replace("id.bank", "id.b%61nk"),
        URL.replace("bank.example", "bank.example."),
        URL[..URL.len() - 1].into(),
        String::new(),
    ] {
        assert_eq!(refused(&claims().with("iss", format!("\"{iss}\""))), "the token is of another issuer", "{iss}");
    }
    for iss in ["null", "7", "[\"https://id.bank.example/oauth2\"]", "{}"] {
        assert_eq!(refused(&claims().with("iss", iss)), "the token is of another issuer");
    }
    assert_eq!(refused(&claims().without("iss")), "the token is of another issuer");
    assert!(checked(&claims().with("iss", format!("\"\\u0068{}\"", &URL[1..])), NOW).is_ok(), "escapes are JSON");
}

#[test]
fn one_of_the_audiences_is_ours_to_the_letter() {
    for aud in ["[\"https://gateway.example\"]", "[\"x\",\"https://gateway.example\"]", "\"https://gateway.example\""] {
        assert!(checked(&claims().with("aud", aud), NOW).is_ok(), "{aud}");
    }
    for aud in ["\"https://gateway.example/\"", "\"gateway.example\"", "\"\"", "\"*\"", "[]", "[\"x\",\"y\"]"] {
        assert_eq!(refused(&claims().with("aud", aud)), "the token is for another audience", "{aud}");
    }
    let malformed = "the token's audience is malformed";
    for aud in [
        "null",
        "true",
        "{\"https://gateway.example\":1}",
        "[\"https://gateway.example\",7]",
        "[[\"https://gateway.example\"]]",
    ] {
        assert_eq!(refused(&claims().with("aud", aud)), malformed, "{aud}");
    }
    assert_eq!(refused(&claims().without("aud")), malformed);
}

#[test]
fn time_has_no_gaps() {
    let at = |name, offset: i64| claims().with(name, (NOW.seconds() as i64 + offset).to_string());
    assert_eq!(checked(&claims(), after(599)), checked(&claims(), NOW));
    for late in [600, 601, 1_000_000] {
        assert_eq!(checked(&claims(), after(late)), Err(Fault::Expired), "no leeway at the end");
    }
    assert_eq!(checked(&claims(), Timestamp(after(600).0 - 1)), checked(&claims(), NOW));
    for (name, ahead, ok) in
        [("nbf", 5, true), ("nbf", 6, false), ("iat", 5, true), ("iat", 6, false), ("nbf", -900, true)]
    {
        assert_eq!(checked(&at(name, ahead), NOW).is_ok(), ok, "{name} {ahead}");
    }
    assert_eq!(refused(&at("nbf", 6)), "the token is not valid yet");
    assert_eq!(refused(&at("iat", -6601)), "the token lives longer than its issuer's tokens may");
    assert!(checked(&at("iat", -6600), NOW).is_ok());
    assert_eq!(refused(&at("exp", 7201)), "the token lives longer than its issuer's tokens may");
    for past in [0, -1] {
        assert_eq!(refused(&at("exp", past)), "the token ends before it begins");
    }
    assert_eq!(refused(&claims().without("exp")), "the token does not say when it ends");
    assert_eq!(refused(&claims().without("iat")), "the token does not say when it was issued");
    for name in ["exp", "iat", "nbf"] {
        for value in [
            "null",
            "\"1795342600\"",
            "-1",
            "1795342600.5",
            "1.8e9",
            "[]",
            "true",
            "253402300800",
            "18446744073709551616",
        ] {
            assert_eq!(refused(&claims().with(name, value)), "a moment in the token is malformed", "{name} {value}");
        }
    }
}

#[test]
fn an_id_token_opens_nothing() {
    for name in OF_ID_TOKENS {
        for value in ["\"x\"", "null", "false"] {
            assert_eq!(refused(&claims().with(name, value)), "the token is an ID token", "{name}");
        }
    }
}

#[test]
fn a_subject_is_an_id_and_no_address() {
    let of = |value: &str| with(&claims().with("sub", value), |claims| subject(claims, "sub"));
    for good in ["\"u\"", "\"auth0|4711\"", "\"00u1Ab-_\"", "\"spiffe://bank/x\"", "\"client@clients\"", "\"\\u0041\""]
    {
        assert!(of(good).is_ok(), "{good}");
    }
    let long = format!("{:?}", "u".repeat(257));
    for bad in [
        "\"\"",
        "null",
        "4711",
        "[\"u\"]",
        "\"ann@bank.example\"",
        "\"@bank.example\"",
        "\"a b\"",
        "\"u\\u0000\"",
        "\"u\\n\"",
        "\"ünter\"",
        "\"u\\u202e\"",
        &long,
    ] {
        assert!(of(bad).is_err(), "{bad}");
    }
    assert!(with(&claims().without("sub"), |claims| subject(claims, "sub")).is_err());
}

#[test]
fn lists_and_words_have_one_shape() {
    let words_of = |value: &str| with(&claims().with("scope", value), |claims| words(claims, "scope"));
    assert_eq!(words_of("\"a b:c\""), Ok(Some(vec!["a".into(), "b:c".into()])));
    assert_eq!((words_of("\"\""), with(&claims(), |c| words(c, "scp"))), (Ok(Some(vec![])), Ok(None)));
    for bad in ["\" a\"", "\"a \"", "\"a  b\"", "\"a\\tb\"", "\"a\\u00a0b\"", "[\"a\"]", "null", "7", "\"ä\""] {
        assert!(words_of(bad).is_err(), "{bad}");
    }
    let list_of = |value: &str| with(&claims().with("roles", value), |claims| list(claims, "roles"));
    assert_eq!(list_of("[\"a b\",\"Köche\"]"), Ok(vec!["a b".into(), "Köche".into()]));
    assert_eq!((list_of("[]"), with(&claims(), |c| list(c, "roles"))), (Ok(vec![]), Ok(vec![])));
    for bad in ["\"a\"", "[7]", "[\"\"]", "[null]", "[[\"a\"]]", "[\"a\\u0000\"]", "{\"a\":1}", "null"] {
        assert!(list_of(bad).is_err(), "{bad}");
    }
}

#[test]
fn a_binding_is_understood_or_the_token_is_refused() {
    let hash = BASE64URL_NOPAD.encode(&[7; 32]);
    let of = |value: String| with(&claims().with("cnf", value), confirmation);
    assert_eq!(of(format!("{{\"x5t#S256\":\"{hash}\"}}")), Ok(Some(Confirmation::Certificate([7; 32]))));
    assert_eq!(of(format!("{{\"jkt\":\"{hash}\"}}")), Ok(Some(Confirmation::Key([7; 32]))));
    assert_eq!(with(&claims(), confirmation), Ok(None));
    for bad in [
        "{}".into(),
        "null".into(),
        format!("\"{hash}\""),
        format!("{{\"x5t\":\"{hash}\"}}"),
        "{\"jwk\":{}}".into(),
        format!("{{\"x5t#S256\":\"{}\"}}", &hash[1..]),
        format!("{{\"x5t#S256\":\"{hash}=\"}}"),
        format!("{{\"x5t#S256\":\"{hash}\",\"jkt\":\"{hash}\"}}"),
        format!("{{\"jkt\":[\"{hash}\"]}}"),
    ] {
        assert!(of(bad.clone()).is_err(), "{bad}");
    }
}

#[test]
fn further_claims_are_handed_on_as_json() {
    let claims = claims().with("a", "\"x\\\"y\"").with("b", "{ \"c\" : [1, true] }").with("c", "null");
    let names = ["a".into(), "b".into(), "none".into(), "c".into()];
    let found = with(&claims, |claims| extra(claims, &names));
    let found: Vec<_> = found.iter().map(|(name, value)| (&**name, &**value)).collect();
    assert_eq!(found, [("a", "\"x\\\"y\""), ("b", "{ \"c\" : [1, true] }"), ("c", "null")]);
}

proptest! {
    #[test]
    fn a_token_is_taken_within_its_time_only(iat in 0..10_000_u64, life in 0..10_000_u64, nbf in 0..10_000_u64, now in 0..20_000_u64) {
        let claims = claims()
            .with("iat", (NOW.seconds() + iat).to_string())
            .with("exp", (NOW.seconds() + iat + life).to_string())
            .with("nbf", (NOW.seconds() + nbf).to_string());
        let expected = (1..=7200).contains(&life) && now < iat + life && now + 5 >= iat.max(nbf);
        prop_assert_eq!(checked(&claims, after(now)).is_ok(), expected);
    }
}
