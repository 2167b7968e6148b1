use proptest::prelude::*;

use super::*;
use crate::{
    Dir, MemoryDir, find,
    support::{ORIGIN, id, open, outcome, ring, screened},
};

fn log(requests: u64) -> MemoryDir {
    let dir = MemoryDir::default();
    grow(&dir, 0..requests);
    dir
}

fn grow(dir: &MemoryDir, requests: std::ops::Range<u64>) {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
        let audit = open(dir.clone()).unwrap();
        for n in requests {
            let intended = audit.intend(screened(n, "a prompt")).await.unwrap();
            drop(audit.settle(outcome(n, intended.record(), "an answer")));
        }
        audit.close().await;
    });
}

fn verified(text: &str) -> Result<Proved, NotProved> {
    let keys = ring().verifiers(ORIGIN).unwrap();
    Proof::read(text.as_bytes())?.verify(&Trust { origin: ORIGIN, keys: &keys, witnesses: &[] })
}

#[test]
fn every_record_of_a_request_is_proved_by_a_file_that_stands_alone() {
    let dir = log(300);
    for n in [0, 1, 127, 128, 299] {
        let found = find(&dir, id(n)).unwrap();
        assert_eq!(found.len(), 2);
        for shown in found {
            let text = Proof::of(&dir, shown.index).unwrap().to_string();
            let proved = verified(&text).unwrap();
            assert_eq!(proved.entry.record, shown.record);
            assert_eq!(proved.checkpoint.size, 601);
        }
    }
    assert!(Proof::of(&dir, 601).is_err(), "what no checkpoint covers is not proved");
}

#[test]
fn growth_is_proved_from_every_size_to_the_newest() {
    let dir = log(140);
    let older = Checkpoint::peek(&dir.read("checkpoint").unwrap()).unwrap();
    grow(&dir, 140..400);
    let keys = ring().verifiers(ORIGIN).unwrap();
    let text = Growth::of(&dir, older.size).unwrap().to_string();
    let newer = Growth::read(text.as_bytes()).unwrap().verify(&older, &keys).unwrap();
    assert_eq!((older.size, newer.size), (281, 802));
    let forged = Checkpoint { root: [1; 32], ..older.clone() };
    assert!(Growth::read(text.as_bytes()).unwrap().verify(&forged, &keys).is_err(), "another history");
    let shorter = Checkpoint { size: 280, ..older };
    assert!(Growth::read(text.as_bytes()).unwrap().verify(&shorter, &keys).is_err(), "another size");
    for old in 0..=802 {
        assert!(Growth::of(&dir, old).is_ok(), "{old}");
    }
    assert!(Growth::of(&dir, 803).is_err(), "a log that was cut has no proof");
}

proptest! {
    /// Whatever is changed about a proof, it proves nothing any more, or what it proved before.
    #[test]
    fn no_byte_of_a_proof_can_be_changed(at in any::<prop::sample::Index>(), bit in 0_u8..7) {
        static TEXT: std::sync::LazyLock<String> = std::sync::LazyLock::new(|| Proof::of(&log(140), 77).unwrap().to_string());
        let before = verified(&TEXT).unwrap();
        let mut bytes = TEXT.clone().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        if let Ok(after) = std::str::from_utf8(&bytes).map_err(|_| NotProved::Form).and_then(verified) {
            // Only a second signature line would leave it as it is.
            prop_assert_eq!((after.entry, after.checkpoint), (before.entry, before.checkpoint));
        }
    }
}

#[test]
fn a_proof_of_another_log_or_of_nobody_is_none() {
    let text = Proof::of(&log(3), 2).unwrap().to_string();
    let keys = ring().verifiers("example.com/node-2").unwrap();
    for (origin, keys) in [("example.com/node-2", &keys[..]), (ORIGIN, &keys), (ORIGIN, &[])] {
        let proof = Proof::read(text.as_bytes()).unwrap();
        assert!(proof.verify(&Trust { origin, keys, witnesses: &[] }).is_err());
    }
}
