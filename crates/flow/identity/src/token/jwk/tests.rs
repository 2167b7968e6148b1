use proptest::prelude::*;

use super::{
    super::testing::{Object, set, set_of, signer},
    *,
};

fn lease() -> Arc<Lease> {
    Arc::new(Lease::new(None))
}

fn read_all(set: &str) -> Result<(Vec<Key>, Vec<RefusedKey>), SetError> {
    read(set.as_bytes(), &Algorithm::ALL, ("sig", false), &|issuer| issuer == "us", &lease())
}

/// What becomes of a set of one key: the key, nothing, or a refusal.
fn one(key: &Object) -> Result<bool, KeyError> {
    let (keys, mut refused) = read_all(&set_of(&[key.text()])).unwrap();
    match refused.pop() {
        Some(refused) => Err(refused.why),
        None => Ok(keys.len() == 1),
    }
}

fn quoted(bytes: &[u8]) -> String {
    format!("\"{}\"", BASE64URL_NOPAD.encode(bytes))
}

#[test]
fn every_kind_of_key_verifies_under_its_algorithm_and_no_other() {
    for own in Algorithm::ALL {
        let signer = signer(own);
        let (keys, refused) = read_all(&set(&[signer])).unwrap();
        assert_eq!((keys.len(), refused.len()), (1, 0), "{own:?}");
        let signature = signer.sign(b"message");
        for algorithm in Algorithm::ALL {
            assert_eq!(keys[0].verifies(algorithm, b"message", &signature), algorithm == own, "{own:?} {algorithm:?}");
        }
        assert!(!keys[0].verifies(own, b"massage", &signature));
        for length in [0, 1, signature.len() - 1] {
            assert!(!keys[0].verifies(own, b"message", &signature[..length]));
        }
        assert!(!keys[0].verifies(own, b"message", &[&signature[..], &[0]].concat()));
        assert!(!keys[0].verifies(own, b"message", &[&[0], &signature[..]].concat()));
    }
}

#[test]
fn a_key_without_alg_is_for_what_the_issuer_uses() {
    let (own, other) = (signer(Algorithm::Rs256), signer(Algorithm::Es256));
    let bare = [own.jwk().without("alg").text(), other.jwk().without("alg").text()];
    let read =
        |allowed: &[Algorithm]| read(set_of(&bare).as_bytes(), allowed, ("sig", false), &|_| true, &lease()).unwrap().0;
    let keys = read(&[Algorithm::Rs256]);
    assert_eq!(keys.len(), 1, "what no algorithm of the issuer uses is passed over");
    let signature = own.sign(b"m");
    assert!(keys[0].verifies(Algorithm::Rs256, b"m", &signature));
    assert!(
        !keys[0].verifies(Algorithm::Rs384, b"m", &signature) && !keys[0].verifies(Algorithm::Ps256, b"m", &signature)
    );
    assert!(read(&[Algorithm::EdDsa]).is_empty());
}

#[test]
fn secrets_are_not_taken_from_a_published_set() {
    let oct = r#"{"kty":"oct","kid":"s","k":"AAAA","alg":"HS256"}"#;
    let good = signer(Algorithm::Es256);
    let (keys, refused) = read_all(&set_of(&[oct.to_owned(), good.jwk().text()])).unwrap();
    assert_eq!(keys.len(), 1, "the others of the set stand");
    assert_eq!(refused, [RefusedKey { name: "s".into(), why: KeyError::Symmetric }]);
    for name in PRIVATE {
        for value in ["\"AAAA\"", "null", "\"\"", "[]"] {
            assert_eq!(one(&good.jwk().with(name, value)), Err(KeyError::Private), "{name}");
        }
    }
}

#[test]
fn what_is_meant_for_something_else_is_passed_over() {
    let good = || signer(Algorithm::Es256).jwk();
    for (name, value, taken) in [
        ("use", "\"sig\"", true),
        ("use", "\"enc\"", false),
        ("use", "\"SIG\"", false),
        ("key_ops", "[\"verify\"]", true),
        ("key_ops", "[\"sign\",\"verify\"]", true),
        ("key_ops", "[\"sign, verify\"]", false),
        ("key_ops", "[\"encrypt\"]", false),
        ("key_ops", "[]", false),
        ("kty", "\"AKP\"", false),
        ("kty", "\"ec\"", false),
        ("crv", "\"secp256k1\"", false),
        ("x5c", "[\"AAAA\"]", true),
        ("issuer", "\"us\"", true),
    ] {
        assert_eq!(one(&good().with(name, value)), Ok(taken), "{name} {value}");
    }
    assert_eq!(one(&good().with("use", "\"enc\"").with("key_ops", "[\"verify\"]")), Ok(false), "both have to let it");
    assert_eq!(one(&signer(Algorithm::EdDsa).jwk().with("crv", "\"X25519\"").without("alg")), Ok(false));
    assert_eq!(one(&signer(Algorithm::EdDsa).jwk().with("crv", "\"P-256\"")), Ok(false), "a curve belongs to its kind");
}

#[test]
fn what_is_malformed_is_named() {
    let (ec, rsa, ed) = (signer(Algorithm::Es256), signer(Algorithm::Rs256), signer(Algorithm::EdDsa));
    let member = |name| Err(KeyError::Member(name));
    for name in ["kty", "kid", "crv", "x", "y"] {
        assert_eq!(one(&ec.jwk().without(name)), member(name));
        for value in ["7", "null", "[]", "{}"] {
            assert_eq!(one(&ec.jwk().with(name, value)), member(name), "{name} {value}");
        }
    }
    for name in ["n", "e"] {
        assert_eq!(one(&rsa.jwk().without(name)), member(name));
        for value in ["\"\"", "\"A\"", "\"AQ==\"", "\"AB\"", "\"+AAA\"", "\"AQAB \"", "65537"] {
            assert_eq!(one(&rsa.jwk().with(name, value)), member(name), "{name} {value}");
        }
    }
    for (name, value) in [
        ("kid", "\"\""),
        ("use", "1"),
        ("use", "[\"sig\"]"),
        ("key_ops", "\"verify\""),
        ("key_ops", "[\"verify\",\"verify\"]"),
        ("key_ops", "[1]"),
        ("alg", "null"),
        ("issuer", "{}"),
    ] {
        assert_eq!(one(&ec.jwk().with(name, value)), member(name), "{name} {value}");
    }
    assert_eq!(one(&ec.jwk().with("kid", format!("{:?}", "k".repeat(257)))), member("kid"));
    assert_eq!(one(&ec.jwk().with("issuer", "\"them\"")), Err(KeyError::Issuer));
    for alg in ["ES384", "RS256", "ES521", "ES224", "HS256", "none", "es256", ""] {
        assert_eq!(one(&ec.jwk().with("alg", format!("{alg:?}"))), Err(KeyError::Algorithm), "{alg}");
    }
    assert_eq!(one(&ed.jwk().with("x", quoted(&[1; 31]))), member("x"));
    let (_, refused) = read_all("{\"keys\":[7,null,[],{\"kid\":\"a b\\u001b[31m\"}]}").unwrap();
    let names: Vec<_> = refused.iter().map(|refused| &*refused.name).collect();
    assert_eq!(names, ["#0", "#1", "#2", "ab[31m"], "a name in a log holds nothing that steers a terminal");
}

#[test]
fn weak_and_impossible_keys_are_refused() {
    let rsa = |n: Vec<u8>, e: &[u8]| one(&signer(Algorithm::Rs256).jwk().with("n", quoted(&n)).with("e", quoted(e)));
    let modulus = |bytes: usize, top: u8| {
        let mut n = vec![0xa5; bytes];
        (n[0], n[bytes - 1]) = (top, 0x5b);
        n
    };
    let good = [1, 0, 1];
    assert_eq!(rsa(modulus(256, 0x80), &good), Ok(true));
    assert_eq!(rsa(modulus(1024, 0xff), &good), Ok(true));
    for n in [modulus(128, 0xff), modulus(255, 0xff), modulus(256, 0x7f), modulus(1025, 1), modulus(2048, 0xff)] {
        assert_eq!(rsa(n, &good), Err(KeyError::Size));
    }
    assert_eq!(rsa([&[0][..], &modulus(256, 0x80)].concat(), &good), Err(KeyError::Member("n")));
    let mut even = modulus(256, 0x80);
    even[255] = 0x5a;
    assert_eq!(rsa(even, &good), Err(KeyError::Unsound));
    for e in [&[1][..], &[3], &[17], &[1, 0, 0], &[0xff, 0xff], &[2, 0, 0, 0, 1], &[1; 9], &[0xff; 256]] {
        assert_eq!(rsa(modulus(256, 0x80), e), Err(KeyError::Unsound), "{e:?}");
    }
    for e in [&[0][..], &[0, 1, 0, 1]] {
        assert_eq!(rsa(modulus(256, 0x80), e), Err(KeyError::Member("e")), "{e:?}");
    }
    for algorithm in [Algorithm::Es256, Algorithm::Es384, Algorithm::Es512] {
        let length = match algorithm {
            Algorithm::Es256 => 32,
            Algorithm::Es384 => 48,
            _ => 66,
        };
        let key = || signer(algorithm).jwk();
        // Zero, one, all bits: on none of the curves.
        for byte in [0, 1, 0xff] {
            let off = key().with("x", quoted(&vec![byte; length])).with("y", quoted(&vec![byte; length]));
            assert_eq!(one(&off), Err(KeyError::NotAKey), "{algorithm:?} {byte}");
        }
        for other in [0, 1, length - 1, length + 1] {
            assert_eq!(one(&key().with("x", quoted(&vec![1; other]))), Err(KeyError::Member("x")));
            assert_eq!(one(&key().with("y", quoted(&vec![1; other]))), Err(KeyError::Member("y")));
        }
    }
}

#[test]
fn a_kid_names_one_key() {
    let (one, other) = (signer(Algorithm::Es256), signer(Algorithm::EdDsa));
    let as_k = |signer: &super::super::testing::Signer| signer.jwk().with("kid", "\"k\"").text();
    let (keys, refused) = read_all(&set_of(&[as_k(one), as_k(one)])).unwrap();
    assert_eq!((keys.len(), refused.len()), (1, 0), "a twin is the same key");
    let third = signer(Algorithm::Rs256).jwk().text();
    for order in [[as_k(one), third.clone(), as_k(other)], [as_k(other), as_k(one), third]] {
        let (keys, refused) = read_all(&set_of(&order)).unwrap();
        assert_eq!((keys.len(), &*keys[0].kid), (1, "RS256"), "neither of the two is accepted");
        assert_eq!(refused, [RefusedKey { name: "k".into(), why: KeyError::Ambiguous }]);
    }
}

#[test]
fn what_is_no_set_is_none() {
    let malformed = Err(SetError::Malformed);
    for text in [
        "",
        "{}",
        "[]",
        "null",
        "{\"keys\":{}}",
        "{\"keys\":null}",
        "{\"keys\":\"\"}",
        "{\"keys\":[],\"keys\":[]}",
        "{\"Keys\":[]}",
        "{\"keys\":[]",
        "{\"keys\":[]}x",
        "<html>service unavailable</html>",
        "{\"keys\":[{\"kid\":\"a\",\"kid\":\"b\"}]}",
        &format!("{{\"keys\":{}{}}}", "[".repeat(9000), "]".repeat(9000)),
    ] {
        assert_eq!(read_all(text).map(|_| ()), malformed, "{}", &text[..text.len().min(60)]);
    }
    assert_eq!(read_all("{\"keys\":[]}").map(|(keys, _)| keys.len()), Ok(0));
    assert_eq!(read_all(&" ".repeat(MAX_SET + 1)).map(|_| ()), Err(SetError::TooLarge));
    let many = set_of(&vec!["{}"; MAX_KEYS + 1]);
    assert_eq!(read_all(&many).map(|_| ()), Err(SetError::TooMany));
}

#[test]
fn a_modulus_of_the_broken_generator_is_recognised() {
    // A power of 65537 is one modulo every prime, as the generator's moduli are; and it is easily made.
    let mut power = vec![1_u8];
    for _ in 0..128 {
        let (shifted, mut carry) = ([&power[..], &[0, 0]].concat(), 0_u16);
        let sum = shifted.iter().rev().zip(power.iter().rev().chain([0; 2].iter())).map(|(a, b)| {
            let sum = u16::from(*a) + u16::from(*b) + carry;
            carry = sum >> 8;
            sum as u8
        });
        let mut sum: Vec<_> = sum.collect();
        sum.extend((carry > 0).then_some(carry as u8));
        power = sum.into_iter().rev().collect();
    }
    assert_eq!(power.len(), 257, "2049 bits");
    let key = |n: &[u8]| one(&signer(Algorithm::Rs256).jwk().with("n", quoted(n)));
    assert_eq!(key(&power), Err(KeyError::Roca));
    power[256] ^= 2;
    assert_eq!(key(&power), Ok(true), "its neighbour is not one");
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text: String) {
        let _ = read_all(&text);
        let _ = read_all(&format!("{{\"keys\":[{text}]}}"));
        let _ = read_all(&set_of(&[signer(Algorithm::Rs256).jwk().with("n", format!("{text:?}")).text()]));
    }

    #[test]
    fn any_key_of_ten_thousand_bits_or_less_is_read_or_refused(n in prop::collection::vec(any::<u8>(), 0..1250), e in prop::collection::vec(any::<u8>(), 0..10)) {
        let _ = one(&signer(Algorithm::Ps256).jwk().with("n", quoted(&n)).with("e", quoted(&e)));
    }

    #[test]
    fn any_point_is_on_its_curve_or_refused(x: [u8; 32], y: [u8; 32]) {
        prop_assert_eq!(one(&signer(Algorithm::Es256).jwk().with("x", quoted(&x)).with("y", quoted(&y))), Err(KeyError::NotAKey));
    }
}
