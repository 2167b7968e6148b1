use countersign_seal::KeyRing;
use proptest::prelude::*;

use super::*;

fn hasher(root: u8) -> KeyHasher {
    KeyRing::from_bytes(Secret::new(vec![root; 32])).unwrap().hasher(PURPOSE).unwrap()
}

fn new() -> NewKey {
    NewKey {
        tenant: "bank".into(),
        subject: "teller-7".into(),
        kind: PrincipalKind::Person,
        roles: vec!["b".into(), "a".into(), "b".into()],
        scopes: vec!["model:meta-llama/Llama-3.1:8b".into(), "format:chat".into()],
        expires: Some(Timestamp(20)),
        now: Timestamp(10),
        note: "für den Schalter".into(),
    }
}

#[test]
fn a_key_is_well_formed_and_its_record_does_not_hold_it() {
    let (key, record) = create(&hasher(1), new()).unwrap();
    let text = key.expose();
    assert_eq!(text.len(), LENGTH);
    assert!(is_well_formed(text.as_bytes()));
    assert_eq!(record.hash, hasher(1).hash(text.as_bytes()));
    assert_ne!(record.hash, hasher(2).hash(text.as_bytes()), "another ring's hash is another");
    assert!(record.id.starts_with("key_") && record.id.len() == 20);
    assert_eq!(record.roles, ["a".into(), "b".into()]);
    assert_eq!((record.created, record.expires, record.revoked_at), (Timestamp(10), Some(Timestamp(20)), None));
    assert!(!format!("{key:?} {record:?}").contains(&text[4..20]));
}

#[test]
fn no_key_is_made_twice() {
    let keys: std::collections::HashSet<String> =
        (0..200).map(|_| create(&hasher(1), new()).unwrap().0.expose().clone()).collect();
    assert_eq!(keys.len(), 200);
}

#[test]
fn one_wrong_character_is_refused() {
    let (key, _) = create(&hasher(1), new()).unwrap();
    let text = key.expose().as_bytes();
    for at in 0..text.len() {
        for c in [b'A', b'B', b'-', b'_', b'z', b'0', b' ', b'\n', 0, 0xff, b'=', b'+', b'/'] {
            let mut other = text.to_vec();
            other[at] = c;
            assert_eq!(is_well_formed(&other), other == text, "{at} {c}");
        }
        assert!(!is_well_formed(&text[..at]), "cut at {at}");
        if at + 1 < text.len() && text[at] != text[at + 1] {
            let mut other = text.to_vec();
            other.swap(at, at + 1);
            assert!(!is_well_formed(&other), "swapped at {at}");
        }
    }
    for other in [[text, b"A"].concat(), [b" ", text].concat(), text.to_ascii_uppercase(), Vec::new()] {
        assert!(!is_well_formed(&other));
    }
}

#[test]
fn a_key_has_one_spelling() {
    // 43 characters hold 258 bits; with the two spare ones set and the checksum made to fit, it is still no key.
    let mut text = format!("{PREFIX}{}", BASE64URL_NOPAD.encode(&[0; 32])).into_bytes();
    assert!(is_well_formed(&[&text[..], &checksum(&text)].concat()));
    *text.last_mut().unwrap() = b'B';
    assert!(!is_well_formed(&[&text[..], &checksum(&text)].concat()));
}

#[test]
fn the_form_is_as_documented() {
    // Anyone can check a key with nothing but SHA-256: printf csk_AAA...A | sha256sum.
    let text = format!("{PREFIX}{}", BASE64URL_NOPAD.encode(&[0; 32]));
    let sum = checksum(text.as_bytes());
    let bits = BASE64URL_NOPAD.decode(&[&sum[..], b"AA"].concat()).unwrap();
    assert_eq!(bits[..4], digest(&SHA256, text.as_bytes()).as_ref()[..4]);
}

#[test]
fn what_will_not_do_is_named() {
    let hasher = hasher(1);
    let refused = |change: fn(&mut NewKey)| {
        let mut key = new();
        change(&mut key);
        create(&hasher, key).unwrap_err()
    };
    assert_eq!(refused(|k| k.tenant = "".into()), NewKeyError::Name("tenant"));
    assert_eq!(refused(|k| k.subject = "ann@bank.example".into()), NewKeyError::Name("subject"));
    assert_eq!(refused(|k| k.subject = "x".repeat(129).into()), NewKeyError::Name("subject"));
    assert_eq!(refused(|k| k.roles = vec!["a\"b".into()]), NewKeyError::Name("role"));
    for scope in ["", "model", "model:", "model:a b", "format:telnet", "role:admin", "chat"] {
        let key = NewKey { scopes: vec![scope.into()], ..new() };
        assert_eq!(create(&hasher, key).unwrap_err(), NewKeyError::Scope(scope.into()));
    }
    assert_eq!(refused(|k| k.expires = Some(k.now)), NewKeyError::Expired);
    assert_eq!(refused(|k| k.note = "a\u{1b}[31m".into()), NewKeyError::Note);
    assert_eq!(refused(|k| k.note = "x".repeat(257)), NewKeyError::Note);
}

proptest! {
    #[test]
    fn any_256_bits_make_a_key(bits: [u8; 32]) {
        let text = format!("{PREFIX}{}", BASE64URL_NOPAD.encode(&bits)).into_bytes();
        prop_assert!(is_well_formed(&[&text[..], &checksum(&text)].concat()));
    }

    #[test]
    fn any_other_text_does_not(text in "csk_[A-Za-z0-9_-]{49}") {
        prop_assert!(!is_well_formed(text.as_bytes()));
    }

    #[test]
    fn any_bytes_are_taken(text: Vec<u8>) {
        prop_assert!(!is_well_formed(&text));
    }
}
