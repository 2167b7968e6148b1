use proptest::prelude::*;

use super::*;
use crate::gcm::{NONCE, TAG, nonce};

const HEADER: usize = 2 + SALT + NONCE;

fn of(roots: &[u8]) -> KeyRing {
    KeyRing::from_bytes(Secret::new(roots.iter().flat_map(|r| [*r; KEY]).collect())).unwrap()
}

#[test]
fn what_was_sealed_opens_only_as_it_was_sealed() {
    let ring = of(&[7]);
    let sealed = ring.seal("bank", "audit", b"req_1", &[b"hello"]).unwrap();
    assert_eq!(sealed.len(), HEADER + 5 + TAG);
    assert_eq!(ring.open("bank", "audit", b"req_1", &sealed).unwrap(), b"hello");
    for (tenant, purpose, aad) in [
        ("bank2", "audit", &b"req_1"[..]),
        ("ban", "kaudit", b"req_1"),
        ("bank", "book", b"req_1"),
        ("bank", "audit", b"req_2"),
        ("bank", "audit", b""),
    ] {
        assert_eq!(ring.open(tenant, purpose, aad, &sealed), Err(SealError::Damaged), "{tenant} {purpose}");
    }
    assert_eq!(of(&[8]).open("bank", "audit", b"req_1", &sealed), Err(SealError::Damaged));
}

#[test]
fn no_byte_can_be_changed_or_dropped() {
    let ring = of(&[7, 9]);
    let sealed = ring.seal("t", "p", b"a", &[b"some text"]).unwrap();
    for at in 0..sealed.len() {
        for bit in 0..8 {
            let mut other = sealed.clone();
            other[at] ^= 1 << bit;
            assert!(ring.open("t", "p", b"a", &other).is_err(), "byte {at} bit {bit}");
        }
        assert!(ring.open("t", "p", b"a", &sealed[..at]).is_err(), "cut at {at}");
    }
    let mut longer = sealed;
    longer.push(0);
    assert!(ring.open("t", "p", b"a", &longer).is_err());
}

#[test]
fn a_rotated_ring_opens_what_the_old_one_sealed_and_not_the_reverse() {
    let file = KeyRing::generate().unwrap();
    let old = KeyRing::from_bytes(file.clone()).unwrap();
    let new = KeyRing::from_bytes(KeyRing::rotate(&file).unwrap()).unwrap();
    assert_eq!((old.versions(), new.versions()), (1, 2));
    let before = old.seal("t", "p", b"", &[b"before"]).unwrap();
    let after = new.seal("t", "p", b"", &[b"after"]).unwrap();
    assert_eq!(new.open("t", "p", b"", &before).unwrap(), b"before");
    assert_eq!(old.open("t", "p", b"", &after), Err(SealError::UnknownRoot(2)));
    let hash = old.hasher("k").unwrap().hash(b"x");
    assert_ne!(new.hasher("k").unwrap().hash(b"x"), hash);
    assert_eq!(new.hasher("k").unwrap().hashes(b"x").nth(1), Some(hash));
    let signed = old.signer("log").unwrap().sign(b"m").unwrap();
    let verifiers = new.verifiers("log").unwrap();
    assert!(verifiers[0].verify(b"m", &signed).is_err());
    assert!(verifiers[1].verify(b"m", &signed).is_ok());
}

#[test]
fn a_ring_in_use_takes_further_keys_and_no_others() {
    let file = KeyRing::generate().unwrap();
    let ring = KeyRing::from_bytes(file.clone()).unwrap();
    let hasher = ring.hasher("k").unwrap();
    let (hash, before) = (hasher.hash(b"x"), ring.seal("t", "p", b"", &[b"before"]).unwrap());
    assert!(!ring.extend(&file).unwrap());
    for other in [KeyRing::generate().unwrap(), Secret::new(vec![1; 31]), Secret::new(vec![])] {
        assert!(matches!(ring.extend(&other), Err(SealError::RootKey(_))));
    }
    let longer = KeyRing::rotate(&file).unwrap();
    assert!(ring.extend(&longer).unwrap());
    assert!(matches!(ring.extend(&file), Err(SealError::RootKey(_))), "it never forgets one");
    let after = ring.seal("t", "p", b"", &[b"after"]).unwrap();
    assert_eq!((KeyRing::version_of(&before), KeyRing::version_of(&after)), (Ok(1), Ok(2)));
    assert_eq!(ring.open("t", "p", b"", &before).unwrap(), b"before");
    assert_eq!(KeyRing::from_bytes(longer).unwrap().open("t", "p", b"", &after).unwrap(), b"after");
    // What hashed before hashes by the new key, and still knows what was hashed by the old one.
    assert_ne!(hasher.hash(b"x"), hash);
    assert_eq!(hasher.hashes(b"x").nth(1), Some(hash));
}

#[test]
fn a_data_key_seals_no_more_than_its_share() {
    let mut ring = of(&[1]);
    ring.envelopes_per_key = 3;
    let sealed: Vec<_> = (0..10).map(|_| ring.seal("t", "p", b"", &[b"x"]).unwrap()).collect();
    let salt = |i: usize| parse(&sealed[i]).unwrap().1.salt.to_vec();
    let mut salts: Vec<_> = (0..10).map(salt).collect();
    salts.dedup();
    assert_eq!(salts.len(), 4);
    assert!(sealed.iter().all(|s| ring.open("t", "p", b"", s).unwrap() == b"x"));
    // Each restart draws fresh salts, so two processes with the same root never share a data key.
    assert_ne!(of(&[1]).seal("t", "p", b"", &[b"x"]).unwrap()[2..18], sealed[9][2..18]);
}

#[test]
fn forged_envelopes_leave_no_trace_in_the_cache() {
    let ring = of(&[1]);
    let mut forged = ring.seal("t", "p", b"", &[b"x"]).unwrap();
    for i in 0..100 {
        forged[5] = i;
        let _ = ring.open("t", "p", b"", &forged);
    }
    assert!(ring.opening.lock().unwrap().len() <= 1);
}

#[test]
fn the_cache_of_tenants_is_bounded_and_losing_it_loses_nothing() {
    let ring = of(&[1]);
    let first = ring.seal("0", "p", b"", &[b"x"]).unwrap();
    for tenant in 1..=CACHED_KEYS {
        ring.seal(&tenant.to_string(), "p", b"", &[b"x"]).unwrap();
    }
    assert!(ring.sealing.read().unwrap().len() <= CACHED_KEYS);
    assert_eq!(ring.open("0", "p", b"", &first).unwrap(), b"x");
}

#[test]
fn a_key_file_is_whole_keys_that_differ_and_are_not_zero() {
    for bad in [vec![], vec![1; 31], vec![1; 33], vec![1; 64], vec![0; 32], [[1; 32], [0; 32]].concat()] {
        let length = bad.len();
        assert!(matches!(KeyRing::from_bytes(Secret::new(bad)), Err(SealError::RootKey(_))), "{length}");
    }
    let full: Vec<u8> = (0..255).flat_map(|i| [i + 1; 32]).collect();
    assert!(KeyRing::from_bytes(Secret::new(full.clone())).is_ok());
    assert!(matches!(KeyRing::rotate(&Secret::new(full)), Err(SealError::RootKey(_))));
}

#[test]
fn keys_for_different_ends_differ() {
    let ring = of(&[1]);
    let root = ring.root(1).unwrap();
    let root = root.expose();
    let labels: [&[&str]; 5] = [&["a", "b"], &["ab", ""], &["ab"], &["a", "", "b"], &["", "ab"]];
    let keys: Vec<[u8; KEY]> = labels.iter().map(|l| *derive::key(root, &[], l).unwrap().expose()).collect();
    for (i, key) in keys.iter().enumerate() {
        assert!(!keys[..i].contains(key), "{:?}", labels[i]);
    }
    assert_ne!(ring.hasher("a").unwrap().hash(b""), ring.hasher("b").unwrap().hash(b""));
    assert_ne!(ring.signer("a").unwrap().public_key(), ring.signer("b").unwrap().public_key());
}

#[test]
fn nothing_shows_a_key() {
    let ring = of(&[0xab]);
    let shown = format!("{ring:?} {:?} {:?}", ring.hasher("x").unwrap(), ring.signer("x").unwrap());
    let seed = derive::key(ring.root(1).unwrap().expose(), &[], &["ed25519", "x"]).unwrap();
    assert!(!shown.contains("171, 171") && !shown.contains(&format!("{:?}", &seed.expose()[..4])));
}

#[test]
fn no_key_sees_a_nonce_twice() {
    let mut ring = of(&[1]);
    ring.envelopes_per_key = 50;
    let seen = Mutex::new(std::collections::HashSet::new());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for i in 0..200_u32 {
                    // The same text for the same record, over and over: nothing but the count can tell the nonces apart.
                    let sealed = ring.seal("t", "p", b"record", &[b"x"]).unwrap();
                    assert_eq!(ring.open("t", "p", b"record", &sealed).unwrap(), b"x", "{i}");
                    assert!(seen.lock().unwrap().insert(sealed[..HEADER].to_vec()));
                }
            });
        }
    });
    // A restart counts from the beginning, and under another key.
    for _ in 0..100 {
        assert!(seen.lock().unwrap().insert(of(&[1]).seal("t", "p", b"record", &[b"x"]).unwrap()[..HEADER].to_vec()));
    }
    assert_eq!(seen.into_inner().unwrap().len(), 900);
}

/// What a machine that was copied while it ran would do: both copies have the key and its count.
#[test]
fn two_copies_of_a_ring_part_at_the_next_record() {
    assert_ne!(nonce(7, b"req_1"), nonce(7, b"req_2"));
    assert_ne!(nonce(7, b"req_1"), nonce(8, b"req_1"));
}

#[test]
fn the_fuzz_corpus_passes() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../fuzz/corpus/seal_envelope");
    for file in std::fs::read_dir(folder).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(of(&[1]).open("tenant", "purpose", b"record", &bytes).is_err());
    }
}

proptest! {
    #[test]
    fn any_bytes_round_trip(tenant in ".{0,20}", aad: Vec<u8>, plain: Vec<u8>) {
        let ring = of(&[3, 4]);
        let sealed = ring.seal(&tenant, "p", &aad, &[&plain]).unwrap();
        prop_assert_eq!(ring.open(&tenant, "p", &aad, &sealed).unwrap(), plain);
    }

    #[test]
    fn any_other_bytes_do_not_open(bytes: Vec<u8>) {
        prop_assert!(of(&[3]).open("t", "p", b"", &bytes).is_err());
    }
}

mod wycheproof {
    //! The primitives as this crate calls them, against Project Wycheproof's vectors.

    use data_encoding::HEXLOWER;
    use serde_json::Value;

    use super::*;

    #[test]
    fn aes_gcm() {
        let ran = each("aes_gcm_test.json", |group, test| {
            if (group["keySize"].as_u64(), group["ivSize"].as_u64(), group["tagSize"].as_u64())
                != (Some(256), Some(96), Some(128))
            {
                return None;
            }
            let key = gcm::key(&hex(test, "key")).unwrap();
            let nonce = hex(test, "iv").try_into().unwrap();
            let (aad, msg) = (hex(test, "aad"), hex(test, "msg"));
            let sealed = [hex(test, "ct"), hex(test, "tag")].concat();
            let opened = gcm::open(&key, nonce, &aad, &sealed);
            if valid(test) {
                let mut text = msg.clone();
                let tag = gcm::seal(&key, nonce, &aad, &mut text).unwrap();
                assert_eq!([text, tag.to_vec()].concat(), sealed);
            }
            Some(opened.is_ok_and(|plain| plain == msg))
        });
        assert!(ran.is_none_or(|n| n >= 60), "{ran:?}");
    }

    #[test]
    fn hkdf() {
        let ran = each("hkdf_sha256_test.json", |_, test| {
            let mut out = vec![0; usize::try_from(test["size"].as_u64().unwrap()).unwrap()];
            let (salt, secret, info) = (hex(test, "salt"), hex(test, "ikm"), hex(test, "info"));
            let derived = derive::hkdf_sha256(&salt, &secret, &info, &mut out);
            Some(derived.is_ok() && out == hex(test, "okm"))
        });
        assert!(ran.is_none_or(|n| n == 86), "{ran:?}");
    }

    #[test]
    fn hmac() {
        let ran = each("hmac_sha256_test.json", |group, test| {
            let mac = hash::hmac_sha256(&hash::hmac_key(&hex(test, "key")), &hex(test, "msg"));
            let length = usize::try_from(group["tagSize"].as_u64().unwrap()).unwrap() / 8;
            Some(mac[..length] == hex(test, "tag"))
        });
        assert!(ran.is_none_or(|n| n == 174), "{ran:?}");
    }

    #[test]
    fn ed25519() {
        let ran = each("ed25519_test.json", |group, test| {
            let key = Verifier::new(hex(&group["publicKey"], "pk").try_into().unwrap());
            Some(key.is_ok_and(|key| key.verify(&hex(test, "msg"), &hex(test, "sig")).is_ok()))
        });
        assert!(ran.is_none_or(|n| n >= 150), "{ran:?}");
    }

    /// Runs `check` on each test and holds its answer against the expected one. Gives the number of tests that ran.
    #[expect(clippy::print_stderr, reason = "a skipped check says so loudly")]
    fn each(file: &str, check: impl Fn(&Value, &Value) -> Option<bool>) -> Option<usize> {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../../shared/vectors/wycheproof/");
        let Ok(text) = std::fs::read(format!("{root}{file}")) else {
            assert!(std::env::var("CI").as_deref() != Ok("true"), "{file} is absent from ../shared/vectors/wycheproof");
            eprintln!("SKIPPED: {file} is absent from ../shared/vectors/wycheproof");
            return None;
        };
        let all: Value = serde_json::from_slice(&text).unwrap();
        let mut ran = 0;
        for group in all["testGroups"].as_array().unwrap() {
            for test in group["tests"].as_array().unwrap() {
                let Some(passed) = check(group, test) else { continue };
                ran += 1;
                assert_eq!(passed, valid(test), "{file} {}", test["tcId"]);
            }
        }
        Some(ran)
    }

    fn valid(test: &Value) -> bool {
        test["result"] == "valid"
    }

    fn hex(test: &Value, field: &str) -> Vec<u8> {
        HEXLOWER.decode(test[field].as_str().unwrap().as_bytes()).unwrap()
    }
}
