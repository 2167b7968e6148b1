use countersign_core::Secret;
use countersign_seal::KeyRing;

use super::*;
use crate::{
    MemoryDir,
    proof::{Proof, Trust},
    support::{ORIGIN, open, outcome, ring, screened},
};

const NAME: &str = "example.com/node-2/witness";
const NOW: Timestamp = Timestamp(1_700_000_000_000_000);

fn own() -> KeyRing {
    KeyRing::from_bytes(Secret::new(vec![9; 32])).unwrap()
}

fn witness(memory: &MemoryDir) -> Witness {
    let known = Known { origin: ORIGIN.to_owned(), keys: ring().verifiers(ORIGIN).unwrap() };
    Witness::new(
        NAME.to_owned(),
        own().signer(NAME).unwrap(),
        vec![known],
        Arc::new(Memory::new(Arc::new(memory.clone()))),
    )
}

fn cosigner() -> Cosigner {
    Cosigner::read(&Cosigner::new(NAME.to_owned(), own().verifiers(NAME).unwrap().remove(0)).text()).unwrap()
}

fn grow(dir: &MemoryDir, requests: std::ops::Range<u64>, say: &str) {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
        let audit = open(dir.clone()).unwrap();
        for n in requests {
            let intended = audit.intend(screened(n, say)).await.unwrap();
            drop(audit.settle(outcome(n, intended.record(), say)));
        }
        audit.close().await;
    });
}

fn ask(witness: &Witness, dir: &MemoryDir, old: u64) -> Result<String, Objection> {
    witness.add_checkpoint(Growth::of(dir, old).unwrap().to_string().as_bytes(), NOW)
}

#[test]
fn a_witness_cosigns_what_only_grows_and_proofs_carry_it() {
    let (dir, memory) = (MemoryDir::default(), MemoryDir::default());
    grow(&dir, 0..100, "x");
    let mut old = 0;
    for round in 1..4 {
        let line = ask(&witness(&memory), &dir, old).unwrap();
        let note = String::from_utf8(dir.read("checkpoint").unwrap()).unwrap();
        assert_eq!(cosigner().line(&note, &line), Some(line.trim_end()));
        let note = witnessed(&note, [line.trim_end()]);
        assert_eq!(cosigner().when(note.as_bytes()).unwrap(), NOW.seconds());
        dir.put(&[(WITNESSED.to_owned(), note.into_bytes())]).unwrap();
        old = Checkpoint::peek(&dir.read("checkpoint").unwrap()).unwrap().size;
        // What follows is under no cosigned checkpoint yet, and what came before goes on resting on one.
        grow(&dir, round * 100..(round + 1) * 100, "x");
        let keys = ring().verifiers(ORIGIN).unwrap();
        let trust = Trust { origin: ORIGIN, keys: &keys, witnesses: &[cosigner()] };
        let read = |index| Proof::read(Proof::of(&dir, index).unwrap().to_string().as_bytes()).unwrap();
        assert_eq!(read(5).verify(&trust).unwrap().cosigned, [NOW.seconds()]);
        assert!(matches!(read(old + 3).verify(&trust), Err(NotProved::NoWitness(_))));
        let against = crate::verify::Against { origin: ORIGIN, keys: &keys, data: None, remembered: None };
        assert!(crate::verify::verify(&dir, &against).is_whole());
    }
}

#[test]
fn a_witness_never_goes_back_and_never_says_yes_to_two_histories() {
    let (dir, memory) = (MemoryDir::default(), MemoryDir::default());
    grow(&dir, 0..50, "x");
    let shorter = Growth::of(&dir, 0).unwrap();
    ask(&witness(&memory), &dir, 0).unwrap();
    assert!(matches!(ask(&witness(&memory), &dir, 0), Err(Objection::Conflict(101))), "after a restart, too");
    grow(&dir, 50..90, "x");
    ask(&witness(&memory), &dir, 101).unwrap();
    let size = Checkpoint::peek(&dir.read("checkpoint").unwrap()).unwrap().size;
    let back = Growth { old: 101, ..shorter };
    assert!(
        matches!(witness(&memory).add_checkpoint(back.to_string().as_bytes(), NOW), Err(Objection::Conflict(n)) if n == size)
    );

    // The holder of the key writes another history of the same length, and a longer one.
    let other = MemoryDir::default();
    grow(&other, 0..50, "y");
    grow(&other, 50..90, "y");
    assert!(matches!(ask(&witness(&memory), &other, size), Err(Objection::Conflict(n)) if n == size));
    grow(&other, 90..200, "y");
    assert!(matches!(ask(&witness(&memory), &other, size), Err(Objection::Inconsistent)));
    assert!(matches!(ask(&witness(&memory), &other, 0), Err(Objection::Conflict(n)) if n == size));
    // And what the log itself says that was rewritten is found against what was cosigned.
    let cosigned = memory.read(&place(ORIGIN)).unwrap();
    other.put(&[(WITNESSED.to_owned(), cosigned)]).unwrap();
    let keys = ring().verifiers(ORIGIN).unwrap();
    let against = crate::verify::Against { origin: ORIGIN, keys: &keys, data: None, remembered: None };
    assert!(!crate::verify::verify(&other, &against).is_whole());
}

#[test]
fn a_witness_that_cannot_remember_does_not_cosign() {
    let (dir, memory) = (MemoryDir::default(), MemoryDir::default());
    grow(&dir, 0..5, "x");
    memory.put(&[(place(ORIGIN), b"damaged".to_vec())]).unwrap();
    assert!(matches!(ask(&witness(&memory), &dir, 0), Err(Objection::Memory(_))));
    assert_eq!(memory.read(&place(ORIGIN)).unwrap(), b"damaged", "and what it had is left as it is");
}

#[test]
fn strangers_and_forgeries_are_not_cosigned() {
    let (dir, memory) = (MemoryDir::default(), MemoryDir::default());
    grow(&dir, 0..5, "x");
    let text = Growth::of(&dir, 0).unwrap().to_string();
    let say = |body: &str| witness(&memory).add_checkpoint(body.as_bytes(), NOW).err();
    assert!(matches!(say(&text.replace(ORIGIN, "example.com/node-9")), Some(Objection::Unknown)));
    assert!(matches!(say(&text.replace("\n11\n", "\n12\n")), Some(Objection::Unsigned)));
    assert!(matches!(say(&text.replace("old 0", "old 00")), Some(Objection::Form)));
    assert!(matches!(say(&text.replace("old 0", "old 12")), Some(Objection::Form)));
    assert!(matches!(say(""), Some(Objection::Form)));
    let mut known = witness(&memory);
    known.logs[0].keys.clear();
    assert!(matches!(known.add_checkpoint(text.as_bytes(), NOW), Err(Objection::Unsigned)));
    assert!(memory.list("").unwrap().is_empty(), "nothing of it was kept");
}

#[test]
fn what_a_witness_did_not_say_is_not_taken_for_its_word() {
    let (dir, memory) = (MemoryDir::default(), MemoryDir::default());
    grow(&dir, 0..5, "x");
    let line = ask(&witness(&memory), &dir, 0).unwrap();
    let note = String::from_utf8(dir.read("checkpoint").unwrap()).unwrap();
    let other = Cosigner::new("example.com/node-3/witness".to_owned(), own().verifiers(NAME).unwrap().remove(0));
    assert_eq!(other.line(&note, &line), None);
    let grown = MemoryDir::default();
    grow(&grown, 0..6, "x");
    let newer = String::from_utf8(grown.read("checkpoint").unwrap()).unwrap();
    assert_eq!(cosigner().line(&newer, &line), None, "a cosignature is of one checkpoint");
}
