use std::sync::Arc;

use countersign_core::{
    Charge,
    charge::{Ending, Line, Unit},
};

use super::*;
use crate::{
    Audit, MemoryDir,
    sim::Sim,
    support::{self, open, outcome},
};

fn charge(n: u64) -> Arc<Charge> {
    let line = |cell: &str, unit, amount| Line { cell: cell.into(), unit, amount, limit: u64::MAX };
    let lines = vec![line("all@1/requests", Unit::Requests, 1), line("day@1/tokens", Unit::Tokens, 100 + n)];
    Arc::new(Charge { lines, ..Charge::default() })
}

/// Requests that end in one way or another, or not at all. Gives how many intents were acknowledged.
async fn live(audit: &Audit, requests: std::ops::Range<u64>, mut between: impl FnMut(&Audit)) -> i64 {
    let mut acknowledged = 0;
    for n in requests {
        let charge = charge(n);
        let Ok(intended) = audit.intend(support::charged(n, charge.clone())).await else { break };
        acknowledged += 1;
        let ending = match n % 4 {
            0 => Ending::Unknown,
            1 => Ending::Stayed,
            2 => Ending::Used { input: n, output: 2 * n },
            _ => {
                between(audit);
                continue;
            }
        };
        let ended = audit.settle(crate::Outcome { back: charge.back(ending), ..outcome(n, intended.record(), "a") });
        if n % 3 == 0 && ended.await.is_err() {
            break;
        }
        between(audit);
    }
    acknowledged
}

#[tokio::test]
async fn what_is_counted_as_it_happens_is_what_the_records_tell() {
    let dir = MemoryDir::default();
    let audit = open(dir.clone()).unwrap();
    let first = audit.spending();
    let mut seen = first.clone();
    live(&audit, 0..40, |audit| {
        let more = audit.spending();
        assert_eq!(more.from, seen.next);
        seen.append(more);
    })
    .await;
    audit.close().await;
    seen.append(audit.spending());
    let told = Spending::between(&dir, first.from, seen.next).unwrap();
    assert_eq!(told, seen);
    let requests = told.amounts.get("all@1/requests").copied();
    assert_eq!(requests, Some(30), "of 40, the ten that never left cost nothing");
    assert_eq!(told, Spending::between(&dir, 0, seen.next).map(|all| Spending { from: first.from, ..all }).unwrap());
}

#[tokio::test]
async fn missing_and_damaged_records_are_no_figures() {
    let dir = MemoryDir::default();
    let audit = open(dir.clone()).unwrap();
    live(&audit, 0..8, |_| {}).await;
    audit.close().await;
    let next = audit.spending().next;
    assert!(Spending::between(&dir, 0, next + 1).is_err());
    assert_eq!(Spending::between(&dir, next, next).unwrap().amounts, Amounts::new());
    let path = dir.list("journal").unwrap().remove(0);
    let mut bytes = dir.read(&path).unwrap();
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    dir.put(&[(path, bytes)]).unwrap();
    assert!(Spending::between(&dir, 0, next).is_err());
}

/// Whoever keeps figures with the record that they count up to, and dies at any moment, has them whole again.
#[tokio::test]
async fn no_crash_loses_or_doubles_what_was_spent() {
    let calm = Sim::new(1);
    let audit = open(calm.clone()).unwrap();
    live(&audit, 0..24, |_| {}).await;
    audit.close().await;
    let mut crashes = 0;
    for at in 1..=calm.changes() {
        let sim = Sim::new(at);
        sim.crash_at(at);
        // What is kept elsewhere: written now and then, all at once.
        let mut kept = Spending::default();
        let mut acknowledged = 0;
        if let Ok(audit) = open(sim.clone()) {
            let (mut waiting, mut turn) = (audit.spending(), 0);
            kept.append(Spending::between(&sim, 0, waiting.from).unwrap_or_default());
            acknowledged = live(&audit, 0..24, |audit| {
                turn += 1;
                waiting.append(audit.spending());
                if turn % 3 == at % 3 && kept.next == waiting.from {
                    let next = waiting.next;
                    kept.append(std::mem::replace(&mut waiting, Spending { from: next, next, ..Spending::default() }));
                }
            })
            .await;
        }
        crashes += u64::from(sim.crashed());
        let after = sim.after_crash();
        let Ok(audit) = open(after.clone()) else { panic!("{at}: a log that was whole does not open") };
        let next = audit.spending().from;
        assert!(kept.next <= next, "{at}: figures know of records that are gone");
        kept.append(Spending::between(&after, kept.next, next).unwrap());
        let told = Spending::between(&after, 0, next).unwrap();
        assert_eq!(kept.amounts, told.amounts, "{at}");
        // Every request that may have left is charged, for one of its budgets whatever became of it.
        let intents =
            crate::show::records(&after).unwrap().filter(|r| matches!(r.as_ref().unwrap().record, Record::Intent(_)));
        assert!(i64::try_from(intents.count()).unwrap() >= acknowledged, "{at}");
    }
    assert!(crashes > 10, "{crashes}");
}

#[tokio::test]
async fn the_records_tell_what_became_of_each_request() {
    let dir = MemoryDir::default();
    let audit = open(dir.clone()).unwrap();
    live(&audit, 0..8, |_| {}).await;
    audit.close().await;
    let endings = endings(&dir, 0, audit.spending().next).unwrap();
    let of = |n| endings.get(&support::id(n));
    assert_eq!(of(3), Some(&None), "it left, and nobody knows more");
    assert_eq!(of(0), Some(&None), "all that was set aside counts as used");
    assert_eq!(of(1), Some(&Some(charge(1).back(Ending::Stayed).into_iter().collect())));
    assert_eq!(of(2).unwrap().as_ref().unwrap().get("all@1/requests"), None);
    assert_eq!(of(99), None);
}
