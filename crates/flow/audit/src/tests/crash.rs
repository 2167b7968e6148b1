//! Crashes at every change of the disk, disks that fill up, and syncs that fail.

use std::time::Duration;

use countersign_core::Code;

use crate::{
    Dir,
    audit::{Ready, item},
    frame,
    journal::Item,
    publisher::{Edition, Publisher},
    record::{Opened, Record},
    show,
    sim::Sim,
    support::{ORIGIN, clock, keys, open, outcome, ring, screened, verify},
    tiles::{Holds, Tile, WIDTH},
};

fn note(text: &str) -> Item {
    item(&Record::Opened(Opened { at: 1, origin: text.to_owned(), torn: None }), Vec::new()).unwrap()
}

/// One life of a gateway: records batches, signs now and then, rotates files often. Gives what it was told is on record.
fn live(sim: &Sim, seed: u64, life: u64) -> Vec<(u64, Vec<u8>)> {
    let mut told = Vec::new();
    let Ready { mut journal, mut tiles, mut settled, mut partial, .. } = match Ready::make(sim, &keys(), &*clock()) {
        Ok(ready) => ready,
        Err(cause) => {
            assert!(sim.crashed(), "seed {seed}, life {life}: a log that was whole does not open: {cause}");
            return told;
        }
    };
    // Some two batches: tiles are soon older than the last two files.
    journal.segment = 12_000;
    let signer = ring().signer(ORIGIN).unwrap();
    for step in 0..12_u64 {
        let shape = (seed + life + 3).wrapping_mul(step + 7);
        let items: Vec<_> = (0..shape % 80 + 1).map(|i| note(&format!("{life}-{step}-{i}"))).collect();
        let first = journal.next();
        let Ok(leaves) = journal.append(sim, settled, 0, items.iter()) else { break };
        for ((index, leaf), item) in (first..).zip(leaves).zip(items) {
            tiles.push(leaf, &item.entry);
            told.push((index, item.entry));
        }
        let done = sim.lay(&tiles.take_full()).and_then(|()| match shape % 6 {
            0 | 3 => Edition::of(&tiles).publish(sim, ORIGIN, &signer, &mut partial).map(drop),
            1 => sim.lay(&tiles.partial()),
            2 => sim.settle().map(|()| settled = tiles.size()),
            _ => Ok(()),
        });
        if done.is_err() {
            break;
        }
    }
    told
}

/// What the log holds, by index.
fn held(dir: &dyn Dir) -> Vec<Vec<u8>> {
    show::records(dir).unwrap().map(|r| item(&r.unwrap().record, Vec::new()).unwrap().entry).collect()
}

#[test]
fn no_crash_loses_what_was_acknowledged() {
    let (mut crashes, mut torn) = (0, 0);
    for seed in 0..4 {
        let calm = Sim::new(seed);
        live(&calm, seed, 0);
        for at in 1..=calm.changes() {
            let sim = Sim::new(seed * 1000 + at);
            sim.crash_at(at);
            let mut told = live(&sim, seed, 0);
            assert!(sim.crashed());
            crashes += 1;
            // A second life, which crashes too, and a third that ends well.
            let second = sim.after_crash();
            second.crash_at(at / 2 + 1);
            told.extend(live(&second, seed, 1));
            let third = if second.crashed() { second.after_crash() } else { second };
            told.extend(live(&third, seed, 2));
            drop(Ready::make(&third, &keys(), &*clock()).unwrap());

            let held = held(&third);
            for (index, entry) in told {
                assert_eq!(held.get(index as usize), Some(&entry), "seed {seed}, crash at {at}");
            }
            let report = verify(&third);
            assert!(report.is_whole(), "seed {seed}, crash at {at}: {:?}", report.damage);
            for shown in show::records(&third).unwrap() {
                if let Record::Opened(Opened { torn: Some(cut), .. }) = shown.unwrap().record {
                    assert!(cut.bytes > 0);
                    torn += 1;
                }
            }
        }
    }
    assert!(crashes > 300 && torn > 50, "{crashes} crashes, {torn} torn tails");
}

/// A log of several journal files, of which the tiles below the last but one are settled, and below which record they are.
fn long() -> (Sim, u64) {
    let sim = Sim::new(7);
    let Ready { mut journal, mut tiles, mut partial, .. } = Ready::make(&sim, &keys(), &*clock()).unwrap();
    journal.segment = 20_000;
    let signer = ring().signer(ORIGIN).unwrap();
    let mut settled = 0;
    for batch in 0..110 {
        let items: Vec<_> = (0..10).map(|i| note(&format!("{batch}-{i}"))).collect();
        for (leaf, item) in journal.append(&sim, settled, 0, items.iter()).unwrap().into_iter().zip(items) {
            tiles.push(leaf, &item.entry);
        }
        sim.lay(&tiles.take_full()).unwrap();
        if journal.waits(settled, 0) {
            sim.settle().unwrap();
            settled = tiles.size();
        }
    }
    Edition::of(&tiles).publish(&sim, ORIGIN, &signer, &mut partial).unwrap();
    assert!(verify(&sim).is_whole());
    let settled = crate::journal::settled(&sim).unwrap();
    assert!(settled > 256);
    (sim, settled)
}

#[test]
fn whatever_tile_a_crash_took_is_made_again() {
    let (whole, settled) = long();
    let paths = whole.list("tile").unwrap();
    let mut again = 0;
    for path in &paths {
        let tile = Tile::parse(path).unwrap();
        let first = match tile.holds {
            Holds::Entries | Holds::Hashes(0) => tile.number * WIDTH,
            // Of the whole log's width.
            Holds::Hashes(_) => settled,
        };
        let bytes = whole.read(path).unwrap();
        let zeros = vec![0; bytes.len()];
        for found in [None, Some(&bytes[..0]), Some(&bytes[..bytes.len() / 2]), Some(&zeros)] {
            let sim = whole.copy();
            match found {
                None => sim.remove(path).unwrap(),
                Some(found) => sim.put(&[(path.clone(), found.to_vec())]).unwrap(),
            }
            assert_eq!(verify(&sim).damage[0].file, *path);
            let opened = Ready::make(&sim, &keys(), &*clock());
            if first + WIDTH > settled {
                drop(opened.unwrap());
                assert!(verify(&sim).is_whole(), "{path}: {:?}", verify(&sim).damage);
                again += 1;
            } else {
                // What was durable is no crash's to take: the log does not open on it, or goes on and still names it.
                assert!(opened.is_err() || verify(&sim).damage[0].file == *path, "{path}");
            }
        }
    }
    assert!(again >= 20 && again < paths.len() * 4, "{again} of {}", paths.len() * 4);
}

#[test]
fn all_unsettled_tiles_may_be_gone_at_once() {
    let (whole, settled) = long();
    let sim = whole.copy();
    for path in whole.list("tile").unwrap() {
        let tile = Tile::parse(&path).unwrap();
        if !matches!(tile.holds, Holds::Entries | Holds::Hashes(0)) || (tile.number + 1) * WIDTH > settled {
            sim.remove(&path).unwrap();
        }
    }
    let size = verify(&whole).held;
    drop(Ready::make(&sim, &keys(), &*clock()).unwrap());
    assert!(verify(&sim).is_whole());
    assert_eq!(verify(&sim).held, size + 1);
}

#[test]
fn a_log_whose_records_do_not_lead_to_what_was_signed_does_not_open() {
    let (whole, _) = long();
    // Forged within the last two files, with a fitting frame.
    let path = whole.list("journal").unwrap().pop().unwrap();
    let bytes = whole.read(&path).unwrap();
    let frame = frame::decode(&bytes).unwrap();
    let entry = String::from_utf8(frame.entry.to_vec()).unwrap().replace("origin\":\"", "origin\":\"x").into_bytes();
    let mut forged = Vec::new();
    frame::encode(&mut forged, frame.index, frame.first, &entry, frame.body, &frame.body_hash);
    forged.extend_from_slice(&bytes[frame.len..]);
    whole.put(&[(path, forged)]).unwrap();
    assert!(matches!(Ready::make(&whole, &keys(), &*clock()), Err(crate::AuditError::Damaged { .. })));
}

#[test]
fn a_journal_file_is_begun_only_over_settled_tiles() {
    let sim = Sim::new(1);
    let mut journal = Ready::make(&sim, &keys(), &*clock()).unwrap().journal;
    journal.segment = 1;
    let mut append = |settled| {
        let asks = journal.waits(settled, 0);
        journal.append(&sim, settled, 0, [note("x")].iter()).unwrap();
        (asks, sim.list("journal").unwrap().len())
    };
    // The first file's predecessor is none; the second has the first.
    assert_eq!(append(0), (false, 2));
    assert_eq!([append(0), append(0)], [(true, 2), (true, 2)]);
    assert_eq!(append(1), (false, 3));
    assert_eq!([append(1), append(3), append(4)], [(true, 3), (true, 3), (false, 4)]);
}

#[test]
fn tiles_are_settled_when_the_writer_asks() {
    let sim = Sim::new(1);
    let Ready { tiles, signed, settled, partial, .. } = Ready::make(&sim, &keys(), &*clock()).unwrap();
    let publisher = Publisher::new(tiles, signed, settled);
    let signer = ring().signer(ORIGIN).unwrap();
    let grow = |by: u8| publisher.push((0..by).map(|i| ([i; 32], &b"entry"[..])));
    publisher.close();
    for (wanted, fails, expected) in [(false, false, 0), (true, true, 0), (true, false, 601)] {
        grow(200);
        if wanted {
            publisher.settle();
        }
        sim.syncs_fail(fails);
        publisher.run(&sim, ORIGIN, &signer, partial.clone());
        assert_eq!((publisher.settled(), publisher.healthy()), (expected, !fails));
    }
    assert_eq!(publisher.signed().checkpoint.size, 601);
}

#[test]
fn tiles_that_cannot_be_written_are_not_kept_without_bound() {
    let sim = Sim::new(1);
    let Ready { tiles, signed, settled, partial, .. } = Ready::make(&sim, &keys(), &*clock()).unwrap();
    let publisher = Publisher::new(tiles, signed, settled);
    publisher.push((0..60_000).map(|_| ([7; 32], &b"entry"[..])));
    assert!(publisher.has_room());
    publisher.push((0..6_000).map(|_| ([7; 32], &b"entry"[..])));
    assert!(!publisher.has_room());
    // They are written when they can be, the failed ones first.
    let signer = ring().signer(ORIGIN).unwrap();
    publisher.close();
    for (room, expected) in [(sim.used() + 100_000, 1), (usize::MAX, 66_001)] {
        sim.capacity(Some(room));
        publisher.run(&sim, ORIGIN, &signer, partial.clone());
        assert_eq!((publisher.signed().checkpoint.size, publisher.has_room()), (expected, expected > 1));
    }
    assert_eq!(sim.list("tile/entries").unwrap().len(), 66_001 / 256 + 1);
}

#[test]
fn damage_before_the_last_batch_is_no_torn_tail() {
    let sim = Sim::new(1);
    live(&sim, 3, 0);
    let journal = sim.list("journal").unwrap().pop().unwrap();
    let mut bytes = sim.read(&journal).unwrap();
    bytes[50] ^= 1;
    sim.put(&[(journal, bytes)]).unwrap();
    assert!(matches!(Ready::make(&sim, &keys(), &*clock()), Err(crate::AuditError::Damaged { .. })));
}

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(test);
}

#[test]
fn a_full_disk_refuses_and_recovers() {
    run(async {
        let sim = Sim::new(1);
        let audit = open(sim.clone()).unwrap();
        let first = audit.intend(screened(1, "x")).await.unwrap();
        sim.capacity(Some(sim.used() + 300));
        for n in 2..6 {
            let refusal = audit.intend(screened(n, &"y".repeat(400))).await.err().unwrap();
            assert_eq!(refusal.code, Code::AuditFailed);
            assert!(!audit.healthy());
        }
        // The outcome of what had left is not lost, though it cannot be written now.
        assert!(audit.settle(outcome(1, first.record(), "z")).await.is_err());
        sim.capacity(None);
        let after = audit.intend(screened(6, "x")).await.unwrap();
        audit.close().await;

        let report = verify(&sim);
        assert!(report.is_whole() && report.unsigned == 0, "{:?}", report.damage);
        let records: Vec<_> = show::records(&sim).unwrap().map(|r| r.unwrap().record).collect();
        let Record::Gap(gap) = &records[2] else { panic!("{records:?}") };
        assert_eq!((gap.refused, gap.outcomes), (4, 0));
        assert!(matches!(&records[3], Record::Outcome(o) if o.intent == first.record()));
        assert_eq!((after.record(), records.len()), (4, 5));
    });
}

#[test]
fn a_failed_sync_ends_the_log_until_it_is_opened_again() {
    run(async {
        let sim = Sim::new(1);
        let audit = open(sim.clone()).unwrap();
        audit.intend(screened(1, "x")).await.unwrap();
        sim.syncs_fail(true);
        assert_eq!(audit.intend(screened(2, "x")).await.err().unwrap().code, Code::AuditFailed);
        sim.syncs_fail(false);
        assert_eq!(audit.intend(screened(3, "x")).await.err().unwrap().code, Code::AuditFailed);
        assert!(!audit.healthy());
        audit.close().await;
        drop(audit);

        let audit = open(sim.clone()).unwrap();
        audit.intend(screened(4, "x")).await.unwrap();
        audit.close().await;
        assert!(verify(&sim).is_whole());
    });
}

#[test]
fn whoever_waits_when_the_machine_goes_down_is_refused() {
    run(async {
        let sim = Sim::new(1);
        let audit = open(sim.clone()).unwrap();
        sim.crash_at(sim.changes() + 2);
        let wait = tokio::time::timeout(Duration::from_secs(60), audit.intend(screened(1, "x")));
        assert_eq!(wait.await.unwrap().err().unwrap().code, Code::AuditFailed);
    });
}
