use countersign_core::Secret;
use countersign_seal::KeyRing;
use proptest::prelude::*;

use super::*;

const ORIGIN: &str = "example.com/node-1";

fn ring(byte: u8) -> KeyRing {
    KeyRing::from_bytes(Secret::new(vec![byte; 32])).unwrap()
}

fn checkpoint() -> Checkpoint {
    Checkpoint { origin: ORIGIN.to_owned(), size: 20_852_163, root: [7; 32] }
}

#[test]
fn round_trip_and_key_text() {
    let ring = ring(1);
    let note = checkpoint().sign(&ring.signer(ORIGIN).unwrap()).unwrap();
    let keys = ring.verifiers(ORIGIN).unwrap();
    assert_eq!(Checkpoint::open(note.as_bytes(), ORIGIN, &keys).unwrap(), checkpoint());
    let (name, key) = read_key(&key_text(ORIGIN, &keys[0])).unwrap();
    assert_eq!((name.as_str(), key.public_key()), (ORIGIN, keys[0].public_key()));
}

/// The example key and signature of the C2SP signed-note page hold under other code than ours; this one is from Go's
/// `golang.org/x/mod/sumdb/note` documentation.
#[test]
fn a_key_and_note_made_elsewhere() {
    let (name, key) = read_key("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW").unwrap();
    assert_eq!(name, "PeterNeumann");
    let text = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
    let line = "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=";
    let bytes = BASE64.decode(line.as_bytes()).unwrap();
    assert_eq!(bytes[..4], key_id(&name, ED25519, &key.public_key()));
    key.verify(text.as_bytes(), &bytes[4..]).unwrap();
}

#[test]
fn what_cannot_be_believed() {
    let (ours, theirs) = (ring(1), ring(2));
    let keys = ours.verifiers(ORIGIN).unwrap();
    let open = |note: &str| Checkpoint::open(note.as_bytes(), ORIGIN, &keys).unwrap_err();
    let good = checkpoint().sign(&ours.signer(ORIGIN).unwrap()).unwrap();
    assert_eq!(open(&checkpoint().sign(&theirs.signer(ORIGIN).unwrap()).unwrap()), BadNote::Unsigned);
    let other = Checkpoint { origin: "example.com/node-2".to_owned(), ..checkpoint() };
    assert_eq!(open(&other.sign(&ours.signer("example.com/node-2").unwrap()).unwrap()), BadNote::Origin);
    assert_eq!(open(&good.replace("20852163", "20852162")), BadNote::Forged);
    assert_eq!(open(&good.replace("20852163", "020852163")), BadNote::Form);
    assert_eq!(open(&good.replace("\n\n", "\n")), BadNote::Form);
    assert_eq!(open(""), BadNote::Form);
}

#[test]
fn a_key_of_an_older_root_still_verifies() {
    let old = Secret::new(vec![1; 32]);
    let note = checkpoint().sign(&KeyRing::from_bytes(old.clone()).unwrap().signer(ORIGIN).unwrap()).unwrap();
    let new = KeyRing::from_bytes(KeyRing::rotate(&old).unwrap()).unwrap();
    assert_eq!(Checkpoint::open(note.as_bytes(), ORIGIN, &new.verifiers(ORIGIN).unwrap()).unwrap(), checkpoint());
}

proptest! {
    #[test]
    fn no_byte_can_be_changed(at in any::<prop::sample::Index>(), mask in 1_u8..) {
        let ring = ring(1);
        let mut note = checkpoint().sign(&ring.signer(ORIGIN).unwrap()).unwrap().into_bytes();
        let at = at.index(note.len());
        note[at] ^= mask;
        prop_assert!(Checkpoint::open(&note, ORIGIN, &ring.verifiers(ORIGIN).unwrap()).is_err());
    }

    #[test]
    fn never_panics(note in "[a-z0-9+/=\n \u{2014}]{0,200}") {
        let _ = Checkpoint::peek(note.as_bytes());
        let _ = read_key(&note);
    }
}
