use countersign_core::Secret;
use countersign_seal::{KeyRing, Signer, Verifier};
use proptest::prelude::*;

use super::*;
use crate::{
    MemoryDir,
    audit::item,
    publisher::Edition,
    record::GivenUp,
    support::{ORIGIN, ring},
    tiles::Tiles,
};

/// A log that grows, with its tiles and checkpoints, and no journal.
struct Log {
    dir: MemoryDir,
    tiles: Tiles,
    signer: Signer,
    partial: Vec<String>,
}

impl Log {
    fn new() -> Self {
        let signer = ring().signer(ORIGIN).unwrap();
        Self { dir: MemoryDir::default(), tiles: Tiles::default(), signer, partial: Vec::new() }
    }

    fn of(size: u64) -> Self {
        let mut log = Self::new();
        log.grow(size, "entry");
        log
    }

    fn grow(&mut self, to: u64, word: &str) {
        for n in self.tiles.size()..to {
            let entry = format!("{word} {n}");
            self.tiles.push(leaf_hash(entry.as_bytes()), entry.as_bytes());
        }
        self.dir.put(&self.tiles.take_full()).unwrap();
        Edition::of(&self.tiles).publish(&self.dir, ORIGIN, &self.signer, &mut self.partial).unwrap();
    }

    fn checkpoint(&self) -> Checkpoint {
        Checkpoint { origin: ORIGIN.to_owned(), size: self.tiles.size(), root: self.tiles.root() }
    }

    /// Copies the next part, of which `torn` says after how many files it is broken off; whether something was copied whole.
    fn copy(&self, to: &MemoryDir, torn: Option<usize>) -> Result<bool, AuditError> {
        let copied = to.read(COPIED).ok().map(|note| Checkpoint::open(&note, ORIGIN, &verifiers()).unwrap());
        let Some(part) = Part::next(&self.dir, ORIGIN, &verifiers(), copied.as_ref())? else { return Ok(false) };
        let whole = torn.is_none_or(|torn| torn > part.files.len());
        to.put(part.files.get(..torn.unwrap_or(usize::MAX).min(part.files.len())).unwrap()).unwrap();
        if whole {
            let note = part.note.unwrap_or_else(|| part.checkpoint.sign(&self.signer).unwrap());
            to.put(&[(COPIED.to_owned(), note.into_bytes())]).unwrap();
        }
        Ok(whole)
    }

    fn copied(&self) -> MemoryDir {
        let to = MemoryDir::default();
        while self.copy(&to, None).unwrap() {}
        to
    }
}

fn verifiers() -> Vec<Verifier> {
    ring().verifiers(ORIGIN).unwrap()
}

fn checked(copy: &MemoryDir, anchors: &[Checkpoint], log: Option<&Log>) -> Report {
    let signer = ring().signer(ORIGIN).unwrap();
    let anchors: Vec<_> = anchors.iter().map(|a| (anchor(a), a.sign(&signer).unwrap().into_bytes())).collect();
    let log = log.map(|log| &log.dir as &dyn Dir);
    check(copy, &Against { origin: ORIGIN, keys: &verifiers(), anchors: &anchors, log })
}

#[test]
fn a_copy_grows_with_the_log_and_is_whole_after_every_part() {
    let (mut log, copy) = (Log::new(), MemoryDir::default());
    let mut anchors = Vec::new();
    for size in [1, 2, 255, 256, 257, 511, 700, 4_095, 4_097, 9_000, 65_536, 66_001] {
        log.grow(size, "entry");
        while log.copy(&copy, None).unwrap() {
            if anchors.len() > 12 {
                continue;
            }
            let report = checked(&copy, &anchors, None);
            assert!(report.is_whole(), "{size}: {:?}", report.damage);
            assert_eq!(report.anchors as usize, anchors.len());
            anchors.push(report.checkpoint.unwrap());
        }
        let report = checked(&copy, &anchors, Some(&log));
        assert!(report.is_whole(), "{size}: {:?}", report.damage);
        assert_eq!(report.checkpoint, Some(log.checkpoint()));
        assert_eq!(report.log, Some(size));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Whatever part is broken off, and wherever, what stands is whole, and it goes on from there.
    #[test]
    fn a_copy_that_is_broken_off_goes_on(steps in prop::collection::vec((1_u64..6_000, 0_usize..60), 1..8)) {
        let (mut log, copy) = (Log::new(), MemoryDir::default());
        let mut size = 0;
        for (more, torn) in steps {
            size += more;
            log.grow(size, "entry");
            let _ = log.copy(&copy, Some(torn)).unwrap();
            if copy.read(COPIED).is_ok() {
                prop_assert!(checked(&copy, &[], Some(&log)).is_whole());
            }
        }
        while log.copy(&copy, None).unwrap() {}
        let report = checked(&copy, &[], Some(&log));
        prop_assert!(report.is_whole(), "{:?}", report.damage);
        prop_assert_eq!(report.checkpoint, Some(log.checkpoint()));
    }
}

#[test]
fn whatever_is_changed_in_a_copy_is_found_and_named() {
    for size in [300, 66_000] {
        let log = Log::of(size);
        let copy = log.copied();
        let files = copy.list("").unwrap();
        let current = |file: &&String| !file.contains(".p/") || log.dir.read(file).is_ok();
        // Each file once; of a long log's, every so many.
        for (n, file) in files.iter().filter(current).enumerate().filter(|(n, _)| size < 1_000 || n % 131 == 0) {
            let bytes = copy.read(file).unwrap();
            for change in 0..3 {
                let mut changed = bytes.clone();
                let at = (n * 7919) % bytes.len();
                match change {
                    0 => changed[at] ^= 1 << (n % 8),
                    1 => changed.truncate(at),
                    _ => copy.remove(file).unwrap(),
                }
                if change < 2 {
                    copy.put(&[(file.clone(), changed)]).unwrap();
                }
                let report = checked(&copy, &[], Some(&log));
                let named = report.damage.iter().any(|damage| damage.file == *file);
                assert!(named, "{file}, {change}: {:?}", report.damage);
                if let Some(Tile { holds: Holds::Entries | Holds::Hashes(0), number, width }) = Tile::parse(file) {
                    let first = report.first().unwrap();
                    assert!((number * WIDTH..number * WIDTH + width).contains(&first), "{file}: {:?}", report.damage);
                }
            }
            copy.put(&[(file.clone(), bytes)]).unwrap();
        }
        assert!(checked(&copy, &[], Some(&log)).is_whole());
    }
}

/// Whoever holds the key writes another history over the copy, tiles, entries and checkpoint.
#[test]
fn a_copy_rewritten_with_the_key_is_found_by_an_anchor_and_beside_the_log() {
    let mut log = Log::of(500);
    let anchored = log.checkpoint();
    log.grow(900, "entry");
    let mut other = Log::of(400);
    other.grow(900, "another");
    let copy = other.copied();
    assert!(checked(&copy, &[], None).is_whole(), "alone, it is right");
    let report = checked(&copy, std::slice::from_ref(&anchored), None);
    assert_eq!(report.damage.first().unwrap().file, anchor(&anchored));
    let report = checked(&copy, &[], Some(&log));
    assert_eq!(report.first(), Some(400));
    assert_eq!(report.damage.count(), 500);
    // And the other way round: the log was rewritten, the copy stands.
    let copy = log.copied();
    let report = checked(&copy, &[anchored], Some(&other));
    assert_eq!((report.first(), report.anchors), (Some(400), 1));
    assert!(report.damage.iter().all(|damage| damage.file == "the log"), "{:?}", report.damage);
    // Neither is copied over the other.
    assert!(other.copy(&log.copied(), None).unwrap_err().to_string().contains("not those"));
}

#[test]
fn a_copy_or_a_log_that_was_cut_is_found() {
    let (mut log, mut long) = (Log::of(500), Log::of(500));
    let older = log.copied();
    log.grow(900, "entry");
    long.grow(900, "entry");
    let anchored = log.checkpoint();
    // An older copy is put in place of the newer one.
    let report = checked(&older, std::slice::from_ref(&anchored), Some(&log));
    assert!(report.damage.iter().any(|damage| damage.what.contains("the copy was cut")), "{:?}", report.damage);
    // An older log is.
    let short = Log::of(500);
    let report = checked(&log.copied(), &[], Some(&short));
    assert_eq!(report.first(), Some(500));
    let report = checked(&older, &[anchored], Some(&short));
    assert!(report.damage.iter().any(|damage| damage.file == "the log"), "{:?}", report.damage);
    assert!(short.copy(&long.copied(), None).unwrap_err().to_string().contains("it was cut"));
}

/// What the disk says is not copied by itself, and the gateway's key does not sign it.
#[test]
fn what_no_signed_root_speaks_for_is_not_copied() {
    let log = Log::of(5_000);
    for file in log.dir.list("tile").unwrap() {
        let tile = Tile::parse(&file).unwrap();
        if tile.number > 0 && tile.number < 19 && tile.width == WIDTH && !tile.number.is_multiple_of(6) {
            continue;
        }
        let bytes = log.dir.read(&file).unwrap();
        let mut changed = bytes.clone();
        *changed.last_mut().unwrap() ^= 1;
        log.dir.put(&[(file.clone(), changed)]).unwrap();
        let copy = MemoryDir::default();
        let refused = std::iter::repeat_with(|| log.copy(&copy, None)).take(3).any(|copied| copied.is_err());
        assert!(refused, "{file}");
        log.dir.put(&[(file, bytes)]).unwrap();
    }
    // A checkpoint with the right tiles under it, signed by somebody else.
    let stranger = KeyRing::from_bytes(Secret::new(vec![6; 32])).unwrap().signer(ORIGIN).unwrap();
    log.dir.put(&[(COPIED.to_owned(), log.checkpoint().sign(&stranger).unwrap().into_bytes())]).unwrap();
    assert!(matches!(log.copy(&MemoryDir::default(), None), Err(AuditError::Checkpoint(_))));
}

#[test]
fn an_anchor_nobody_known_signed_is_no_anchor() {
    let log = Log::of(300);
    let stranger = KeyRing::from_bytes(Secret::new(vec![6; 32])).unwrap().signer(ORIGIN).unwrap();
    let note = log.checkpoint().sign(&stranger).unwrap().into_bytes();
    let anchors = [(anchor(&log.checkpoint()), note), ("anchor/rubbish".to_owned(), b"rubbish".to_vec())];
    let against = Against { origin: ORIGIN, keys: &verifiers(), anchors: &anchors, log: None };
    let report = check(&log.copied(), &against);
    assert_eq!((report.anchors, report.damage.count()), (0, 2));
}

/// What the log gave up before it was copied is not missing; what it gave up afterwards stays in the copy.
#[test]
fn what_was_given_up_on_record_is_not_damage() {
    let mut log = Log::of(700);
    let early = log.copied();
    let given =
        GivenUp { at: 9, keep_days: 30, before: 5, holds: Vec::new(), now: vec![[0, 512]], ever: vec![[0, 512]] };
    let entry = item(&Record::GivenUp(given), Vec::new()).unwrap().entry;
    log.tiles.push(leaf_hash(&entry), &entry);
    log.grow(900, "entry");
    let proof = Proof::of(&log.dir, 700).unwrap().to_string().into_bytes();
    let bundles = ["tile/entries/000", "tile/entries/001"];
    bundles.iter().for_each(|bundle| log.dir.remove(bundle).unwrap());
    assert!(log.copy(&MemoryDir::default(), None).is_err(), "nothing on record says that they are to be gone");
    log.dir.put(&[(GIVEN_UP.to_owned(), proof.clone())]).unwrap();

    let late = log.copied();
    let report = checked(&late, &[], Some(&log));
    assert!(report.is_whole(), "{:?}", report.damage);
    assert_eq!(report.lacking, 2);
    late.remove(GIVEN_UP).unwrap();
    assert_eq!(checked(&late, &[], Some(&log)).damage.count(), 2);
    late.put(&[(GIVEN_UP.to_owned(), proof)]).unwrap();
    late.remove("tile/entries/002").unwrap();
    assert_eq!(checked(&late, &[], Some(&log)).first(), Some(512));

    while log.copy(&early, None).unwrap() {}
    let report = checked(&early, &[], Some(&log));
    assert!(report.is_whole() && report.lacking == 0, "{:?}", report.damage);
    assert!(bundles.iter().all(|bundle| early.read(bundle).is_ok()));
}
