//! Crashes at every change of the disk, disks that fill up, and syncs that fail.

use std::time::Duration;

use countersign_core::Code;

use crate::{
    Dir, Keys,
    audit::{Ready, item},
    journal::Item,
    publisher::Edition,
    record::{Opened, Record},
    show,
    sim::Sim,
    support::{ORIGIN, clock, open, outcome, ring, screened, verify},
};

fn keys() -> Keys {
    Keys { ring: ring(), origin: ORIGIN.to_owned() }
}

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
    // Some four batches.
    journal.segment = 12_000;
    let signer = ring().signer(ORIGIN).unwrap();
    for step in 0..12_u64 {
        let shape = (seed + life).wrapping_mul(step + 7);
        let items: Vec<_> = (0..shape % 40 + 1).map(|i| note(&format!("{life}-{step}-{i}"))).collect();
        let first = journal.next();
        let Ok(leaves) = journal.append(sim, settled, items.iter()) else { break };
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
    for seed in 0..8 {
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
