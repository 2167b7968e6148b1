use std::{
    ops::Range as Span,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use countersign_core::{Timestamp, life::Stamps};

use super::*;
use crate::{
    Audit, MemoryDir, Outcome,
    proof::{Growth, Trust},
    sim::Sim,
    support::{ORIGIN, keys, outcome, ring, verify},
    tiles::read_bundle,
};

const DAY: u64 = 86_400_000_000;
/// Records of a day: one that opens the log, and requests.
const EACH: u64 = 300;

/// The log of some days, each of which is a file.
fn lived(dir: impl Dir + Clone + 'static, days: Span<u64>) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        for day in days {
            let audit = open(dir.clone(), day * DAY);
            for n in 1..EACH {
                let at = Timestamp(day * DAY + n);
                drop(audit.settle(Outcome { at, subject: format!("u-{day}").into(), ..outcome(n, 0, "the answer") }));
            }
            audit.close().await;
        }
    });
}

fn open(dir: impl Dir + 'static, now: u64) -> Audit {
    let now = Arc::new(AtomicU64::new(now));
    let clock = Arc::new(move || Timestamp(now.load(Ordering::Relaxed)));
    Audit::open(Stamps::issue().intend, Arc::new(dir), keys(), clock).unwrap()
}

/// Puts on record that `ranges` are given up; gives the index.
fn record(dir: impl Dir + Clone + 'static, day: u64, ranges: &[Range]) -> u64 {
    let earlier = given_up(&dir).unwrap().map(|(_, given)| given.ever).unwrap_or_default();
    let (now, ever) = planned(&earlier, ranges);
    let given = GivenUp { at: day * DAY, keep_days: 2, before: day * DAY - 2 * DAY, holds: Vec::new(), now, ever };
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
        let audit = open(dir, day * DAY);
        let index = audit.given_up(given).await.unwrap();
        audit.close().await;
        index
    })
}

fn due_before(dir: &dyn Dir, day: u64) -> Due {
    due(dir, day * DAY, u64::MAX, &|_| false).unwrap()
}

/// Six days, of which the first three are given up.
fn given() -> (MemoryDir, u64) {
    let dir = MemoryDir::default();
    lived(dir.clone(), 1..7);
    let index = record(dir.clone(), 7, &due_before(&dir, 4).ranges);
    carry_out(&dir, index).unwrap();
    (dir, index)
}

#[test]
fn what_is_old_is_given_up_and_the_log_still_verifies() {
    let dir = MemoryDir::default();
    lived(dir.clone(), 1..7);
    let remembered = dir.read("checkpoint").unwrap();
    assert_eq!(due_before(&dir, 4), Due { ranges: vec![[0, 3 * EACH]], held: 0, damaged: 0 });
    let index = record(dir.clone(), 7, &[[0, 3 * EACH]]);
    carry_out(&dir, index).unwrap();
    assert_eq!(segments(&dir).unwrap()[0].0, 3 * EACH);

    let report = verify(&dir);
    assert!(report.is_whole(), "{:?}", report.damage);
    assert_eq!((report.given_up, report.held), (3 * EACH, 3 * EACH + 2));
    let (at, giving) = report.giving.unwrap();
    assert_eq!((at, giving.keep_days, giving.ever), (index, 2, vec![[0, 3 * EACH]]));

    // Not a word of what was given up is left, but for the bundle that the next day has a part in.
    for path in dir.list("").unwrap() {
        let bytes = dir.read(&path).unwrap();
        let said = |day: u64| bytes.windows(4).filter(|w| *w == format!("\"u-{day}").as_bytes().split_at(4).0).count();
        assert_eq!((said(1), said(2)), (0, 0), "{path}");
        assert!(said(3) == 0 || path == "tile/entries/003", "{path}");
    }
    let edge = dir.read("tile/entries/003").unwrap();
    assert_eq!(read_bundle(&edge).unwrap().len() as u64, WIDTH);

    // What stays can be proved, and that the log only grew.
    let keys = ring().verifiers(ORIGIN).unwrap();
    for kept in [3 * EACH, 4 * EACH, index] {
        let trust = Trust { origin: ORIGIN, keys: &keys, witnesses: &[] };
        Proof::of(&dir, kept).unwrap().verify(&trust).unwrap();
    }
    assert!(Proof::of(&dir, 0).is_err());
    let remembered = crate::Checkpoint::open(&remembered, ORIGIN, &keys).unwrap();
    Growth::of(&dir, remembered.size).unwrap().verify(&remembered, &keys).unwrap();
    assert_eq!([kept_from(&dir, 0), kept_from(&dir, 1000)].map(Result::unwrap), [3 * EACH, 1000]);

    // It goes on, and the next time names both; the first record of it may go then.
    lived(dir.clone(), 8..12);
    assert!(verify(&dir).is_whole());
    let index = record(dir.clone(), 12, &due_before(&dir, 9).ranges);
    carry_out(&dir, index).unwrap();
    let report = verify(&dir);
    assert!(report.is_whole(), "{:?}", report.damage);
    assert!(report.given_up > 6 * EACH && report.giving.unwrap().1.ever.len() == 1);
}

#[test]
fn what_is_gone_without_a_record_is_damage() {
    let (dir, _) = given();
    let files = segments(&dir).unwrap();
    for (start, path) in &files {
        let bytes = dir.read(path).unwrap();
        dir.remove(path).unwrap();
        let report = verify(&dir);
        assert_eq!(report.first(), Some(*start), "{path}: {:?}", report.damage);
        dir.put(&[(path.clone(), bytes)]).unwrap();
    }
    for path in dir.list("tile").unwrap() {
        let bytes = dir.read(&path).unwrap();
        dir.remove(&path).unwrap();
        assert!(verify(&dir).damage.iter().any(|d| d.file == path), "{path}");
        dir.put(&[(path, bytes)]).unwrap();
    }
    let proof = dir.read(GIVEN_UP).unwrap();
    dir.remove(GIVEN_UP).unwrap();
    let report = verify(&dir);
    assert_eq!((report.first(), report.damage.count()), (Some(0), 3 * EACH + 3), "and three bundles");
    dir.put(&[(GIVEN_UP.to_owned(), proof)]).unwrap();
    assert!(verify(&dir).is_whole());
}

#[test]
fn no_proof_but_the_right_one_excuses_what_is_gone() {
    let (dir, index) = given();
    let right = dir.read(GIVEN_UP).unwrap();
    let refused = |what: &str, proof: Vec<u8>| {
        dir.put(&[(GIVEN_UP.to_owned(), proof)]).unwrap();
        assert!(!verify(&dir).is_whole(), "{what}");
    };
    for at in (0..right.len()).step_by(23) {
        let mut turned = right.clone();
        turned[at] ^= 1;
        refused("a bit is turned", turned);
    }
    refused("of another record", Proof::of(&dir, index - 1).unwrap().to_string().into_bytes());
    // One that names more, over the same hashes.
    let mut forged = Proof::of(&dir, index).unwrap();
    let entry = String::from_utf8(forged.entry).unwrap();
    forged.entry = entry.replace("[0,900]", "[0,901]").into_bytes();
    refused("with a wider range", forged.to_string().into_bytes());
    // Of another history under the same key: its record is not in this log.
    let other = MemoryDir::default();
    lived(other.clone(), 1..8);
    let elsewhere = record(other.clone(), 8, &[[0, 4 * EACH]]);
    refused("of another log", Proof::of(&other, elsewhere).unwrap().to_string().into_bytes());

    // An older one does not excuse what a newer one does.
    dir.put(&[(GIVEN_UP.to_owned(), right.clone())]).unwrap();
    lived(dir.clone(), 8..12);
    let index = record(dir.clone(), 12, &due_before(&dir, 6).ranges);
    carry_out(&dir, index).unwrap();
    assert!(verify(&dir).is_whole());
    dir.put(&[(GIVEN_UP.to_owned(), right)]).unwrap();
    let report = verify(&dir);
    assert!(report.damage.iter().any(|d| d.record == Some(3 * EACH)), "{:?}", report.damage);
}

#[test]
fn what_is_held_stays_and_what_is_around_it_goes() {
    let dir = MemoryDir::default();
    lived(dir.clone(), 1..8);
    let held = |record: &Record| matches!(record, Record::Outcome(o) if &*o.subject == "u-2" && o.at == 2 * DAY + 7);
    let found = due(&dir, 5 * DAY, u64::MAX, &held).unwrap();
    assert_eq!(found, Due { ranges: vec![[0, EACH], [2 * EACH, 4 * EACH]], held: 1, damaged: 0 });
    let index = record(dir.clone(), 8, &found.ranges);
    carry_out(&dir, index).unwrap();
    let report = verify(&dir);
    assert!(report.is_whole(), "{:?}", report.damage);
    assert_eq!((report.given_up, report.held), (3 * EACH, 4 * EACH + 2));
    assert_eq!(kept_from(&dir, 5).unwrap(), EACH);
    assert_eq!(kept_from(&dir, EACH).unwrap(), EACH);
    assert_eq!(kept_from(&dir, 2 * EACH).unwrap(), 4 * EACH);

    // Once it is released it goes as well, and the ranges are one.
    let index = record(dir.clone(), 9, &due_before(&dir, 5).ranges);
    carry_out(&dir, index).unwrap();
    let report = verify(&dir);
    assert!(report.is_whole(), "{:?}", report.damage);
    assert_eq!(report.giving.unwrap().1.ever, [[0, 4 * EACH]]);
}

#[test]
fn damage_is_not_swept_away() {
    let dir = MemoryDir::default();
    lived(dir.clone(), 1..7);
    let (_, path) = segments(&dir).unwrap().swap_remove(1);
    let mut bytes = dir.read(&path).unwrap();
    bytes[5000] ^= 1;
    dir.put(&[(path, bytes)]).unwrap();
    let found = due_before(&dir, 4);
    assert_eq!(found, Due { ranges: vec![[0, EACH], [2 * EACH, 3 * EACH]], held: 0, damaged: 1 });
}

#[test]
fn what_is_young_in_use_or_not_yet_taken_stays() {
    let dir = MemoryDir::default();
    lived(dir.clone(), 1..7);
    assert_eq!(due_before(&dir, 1), Due::default());
    // One record of the third day is not old enough yet.
    assert_eq!(due(&dir, 3 * DAY + EACH - 1, u64::MAX, &|_| false).unwrap().ranges, [[0, 2 * EACH]]);
    assert_eq!(due(&dir, 3 * DAY + EACH, u64::MAX, &|_| false).unwrap().ranges, [[0, 3 * EACH]]);
    // Somebody has taken all below 599.
    assert_eq!(due(&dir, 9 * DAY, 599, &|_| false).unwrap().ranges, [[0, EACH]]);
    // Opening the log needs the last two files, and the bundle that they begin in.
    assert_eq!(due_before(&dir, 90).ranges, [[0, 3 * EACH]]);
}

#[test]
fn a_crash_at_any_step_leaves_a_log_that_verifies() {
    let before = Sim::new(1);
    lived(before.clone(), 1..7);
    let index = record(before.clone(), 7, &[[0, 3 * EACH]]);
    before.settle().unwrap();
    let (mut at, mut over) = (1, false);
    while !over {
        let sim = before.after_crash();
        sim.crash_at(sim.changes() + at);
        over = carry_out(&sim, index).is_ok() && !sim.crashed();
        let after = sim.after_crash();
        let report = verify(&after);
        assert!(report.is_whole(), "at change {at}: {:?}", report.damage);
        carry_out(&after, index).unwrap();
        assert_eq!(segments(&after).unwrap()[0].0, 3 * EACH, "at change {at}");
        lived(after.clone(), 8..9);
        assert!(verify(&after).is_whole(), "at change {at}");
        at += 1;
    }
    assert!(at > 6, "{at}");
}

#[test]
fn no_record_gives_up_more_than_fits_into_it() {
    let holes: Vec<Range> = (0..2000).map(|n| [2 * n, 2 * n + 1]).collect();
    let (now, ever) = planned(&[], &holes);
    assert_eq!((now.len(), ever.len()), (MOST, MOST));
    let wide = u64::MAX - 1;
    let given = GivenUp {
        at: wide,
        keep_days: wide,
        before: wide,
        holds: vec!["hol_00000000000000000000000000".into(); 64],
        now: vec![[wide, wide]; MOST],
        ever: vec![[wide, wide]; MOST],
    };
    let entry = serde_json::to_vec(&Entry { v: 1, record: Record::GivenUp(given) }).unwrap();
    assert!(entry.len() < crate::frame::MAX_ENTRY, "{}", entry.len());
    // What closes a gap always fits.
    let (now, ever) = planned(&ever, &[[1, 2]]);
    assert_eq!((now.len(), ever.len()), (1, MOST - 1));
}

#[test]
fn what_was_never_given_up_is_not_taken_for_it() {
    let dir = MemoryDir::default();
    lived(dir.clone(), 1..3);
    assert_eq!(given_up(&dir).unwrap(), None);
    assert!(carry_out(&dir, 1).is_err(), "an outcome gives nothing up");
    assert!(dir.list("").unwrap().iter().all(|path| path != GIVEN_UP));
    assert_eq!(kept_from(&dir, 7).unwrap(), 7);
    dir.put(&[(GIVEN_UP.to_owned(), b"nonsense".to_vec())]).unwrap();
    assert!(given_up(&dir).is_err() && kept_from(&dir, 7).is_err() && !verify(&dir).is_whole());
}
