use proptest::prelude::*;

use super::{super::testing::unsigned, *};

const HEADER: &str = r#"{"alg":"ES256","kid":"k","typ":"at+jwt"}"#;

fn read(text: &str) -> Result<(), JwsError> {
    Jws::read(text.as_bytes()).map(drop)
}

fn with_header(header: &str) -> Result<(), JwsError> {
    read(&format!("{}.AAAA", unsigned(header.as_bytes(), b"{}")))
}

#[test]
fn a_token_is_taken_apart() {
    let signed = unsigned(HEADER.as_bytes(), b"payload");
    let text = format!("{signed}.AQID");
    let jws = Jws::read(text.as_bytes()).unwrap();
    assert_eq!((jws.algorithm(), jws.kid(), jws.typ()), (Algorithm::Es256, Some("k"), Some("at+jwt")));
    assert_eq!((jws.payload(), jws.signature(), jws.signed()), (&b"payload"[..], &[1, 2, 3][..], signed.as_bytes()));
    let shown = format!("{jws:?}");
    assert!(!shown.contains("payload") && !shown.contains("112") && !shown.contains("[1, 2"), "{shown}");
}

#[test]
fn there_are_three_parts_and_no_other_number() {
    for text in ["", "a", "a.b", "a.b.c.d", "a.b.c.", ".a.b.c", "a.b.c.d.e", "....", "eyJhbGciOiJFUzI1NiJ9"] {
        assert_eq!(read(text), Err(JwsError::Parts), "{text}");
    }
    assert_eq!(read(".."), Err(JwsError::Header));
    assert_eq!(read(&"a".repeat(MAX_TOKEN + 1)), Err(JwsError::TooLong));
}

#[test]
fn a_token_has_one_spelling() {
    let signed = unsigned(HEADER.as_bytes(), b"{}");
    assert_eq!(read(&format!("{signed}.AQ")), Ok(()));
    // Padding, spare bits that are set, the other alphabet, white space, NUL, lengths that no bytes have.
    for signature in ["AQ==", "AR", "A+/A", "AQ ", " AQ", "AQ\n", "AQ\r\n", "A\0Q", "A", "AQI=", "AQJ", "%41Q", "ÄÖ"]
    {
        assert_eq!(read(&format!("{signed}.{signature}")), Err(JwsError::Base64), "{signature:?}");
        assert_eq!(read(&format!("{signature}.e30.AQ")), Err(JwsError::Base64), "{signature:?}");
        assert_eq!(read(&format!("eyJ9.{signature}.AQ")), Err(JwsError::Base64), "{signature:?}");
    }
    for json in [format!("{{\"payload\":\"e30\",\"protected\":\"{}\",\"signature\":\"AQ\"}}", "e30"), "{}.{}.{}".into()]
    {
        assert!(read(&json).is_err(), "{json}");
    }
}

#[test]
fn the_header_is_one_object_and_says_each_thing_once() {
    for header in ["", "null", "[]", "\"alg\"", "{\"alg\":\"ES256\"} ", " {\"alg\":\"ES256\"}"] {
        let whole = header.trim() == header && header.starts_with('{');
        assert_eq!(with_header(header).is_ok(), whole || header.contains("ES256"), "{header}");
    }
    for header in [
        "{\"alg\":\"ES256\"}{}",
        "{\"alg\":\"ES256\",\"alg\":\"ES256\"}",
        "{\"alg\":\"ES256\",\"\\u0061lg\":\"RS256\"}",
        "{\"alg\":\"ES256\",\"kid\":\"a\",\"kid\":\"b\"}",
        "{\"alg\":\"ES256\",\"jwk\":{\"kty\":\"EC\",\"kty\":\"EC\"}}",
        "\u{feff}{\"alg\":\"ES256\"}",
        "{'alg':'ES256'}",
        "{\"alg\":\"ES256\",}",
        "{\"alg\":\"ES256\"",
        "{\"alg\":\"ES256\" /* */}",
    ] {
        assert_eq!(with_header(header), Err(JwsError::Header), "{header}");
    }
    let deep = format!("{{\"alg\":\"ES256\",\"x\":{}{}}}", "[".repeat(3000), "]".repeat(3000));
    assert_eq!(with_header(&deep), Err(JwsError::Header));
    let wide = format!("{{\"alg\":\"ES256\",\"x\":[{}0]}}", "0,".repeat(1000));
    assert_eq!(with_header(&wide), Err(JwsError::Header));
    let bad = unsigned(b"{\"alg\":\"ES256\",\"kid\":\"\xff\"}", b"{}");
    assert_eq!(read(&format!("{bad}.AQ")), Err(JwsError::Header));
}

#[test]
fn what_would_change_the_reading_is_refused_and_keys_in_the_header_are_passed_over() {
    for (name, value) in [
        ("crit", "[\"exp\"]"),
        ("crit", "[]"),
        ("b64", "false"),
        ("b64", "true"),
        ("zip", "\"DEF\""),
        ("enc", "\"A128GCM\""),
    ] {
        let header = format!("{{\"alg\":\"ES256\",{name:?}:{value}}}");
        assert_eq!(with_header(&header), Err(JwsError::Member(name)), "{header}");
    }
    for (name, value) in [
        ("jwk", "{\"kty\":\"EC\"}"),
        ("jku", "\"https://evil.example/keys\""),
        ("x5u", "\"https://evil.example/chain\""),
        ("x5c", "[\"AAAA\"]"),
        ("x5t", "\"AAAA\""),
    ] {
        assert_eq!(with_header(&format!("{{\"alg\":\"ES256\",{name:?}:{value}}}")), Ok(()));
    }
    for name in ["kid", "typ"] {
        for value in ["1", "null", "[\"k\"]", "{}", &format!("{:?}", "k".repeat(257))] {
            let header = format!("{{\"alg\":\"ES256\",{name:?}:{value}}}");
            assert_eq!(with_header(&header), Err(JwsError::Member(name)), "{header}");
        }
    }
}

#[test]
fn no_spelling_of_none_and_no_symmetric_algorithm_is_one() {
    let mut names: Vec<String> =
        ["", "HS256", "HS384", "HS512", "hs256", "rs256", "Es256", "EdDsa", "ES256K", "RS1", "dir"]
            .map(Into::into)
            .into();
    // Every case spelling of none.
    names.extend((0..16_u8).map(|bits| {
        let upper = |(at, c): (usize, char)| if bits >> at & 1 == 1 { c.to_ascii_uppercase() } else { c };
        "none".chars().enumerate().map(upper).collect()
    }));
    names.extend(["none ", " none", "none\\u0000", "ES256\\u0000", "ES256 ", "n\\u014fne", "ＥＳ256"].map(Into::into));
    for name in names {
        let header = format!("{{\"alg\":\"{name}\"}}");
        assert_eq!(with_header(&header), Err(JwsError::Algorithm), "{header}");
        let without = format!("{}.", unsigned(header.as_bytes(), b"{}"));
        assert_eq!(read(&without), Err(JwsError::Algorithm), "{header}");
    }
    for header in ["{}", "{\"ALG\":\"ES256\"}"] {
        assert_eq!(with_header(header), Err(JwsError::Algorithm), "{header}");
    }
    for value in ["null", "256", "[\"ES256\"]", "{\"ES256\":1}", "true"] {
        assert_eq!(with_header(&format!("{{\"alg\":{value}}}")), Err(JwsError::Member("alg")), "{value}");
    }
    for algorithm in Algorithm::ALL {
        assert_eq!(with_header(&format!("{{\"alg\":\"{}\"}}", algorithm.as_str())), Ok(()));
        assert_eq!(with_header(&format!("{{\"a\\u006cg\":\"{}\"}}", algorithm.as_str())), Ok(()), "escapes are JSON");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_taken_or_refused(bytes: Vec<u8>) {
        let _ = Jws::read(&bytes);
    }

    #[test]
    fn any_payload_and_signature_come_back(payload: Vec<u8>, signature: Vec<u8>) {
        let text = format!("{}.{}", unsigned(HEADER.as_bytes(), &payload), BASE64URL_NOPAD.encode(&signature));
        let jws = Jws::read(text.as_bytes()).unwrap();
        prop_assert_eq!((jws.payload(), jws.signature()), (&payload[..], &signature[..]));
    }

    #[test]
    fn no_other_text_is_the_same_token(payload in prop::collection::vec(any::<u8>(), 0..40), at: prop::sample::Index, c: u8) {
        let text = format!("{}.{}", unsigned(HEADER.as_bytes(), &payload), "AQIDBA").into_bytes();
        let mut other = text.clone();
        let at = at.index(text.len());
        other[at] = c;
        if let (Ok(jws), true) = (Jws::read(&other), other != text) {
            let original = Jws::read(&text).unwrap();
            let differs = jws.payload() != original.payload() || jws.signature() != original.signature();
            prop_assert!(differs || jws.signed() != original.signed());
        }
    }
}
