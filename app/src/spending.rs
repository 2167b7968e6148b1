//! Keeps what budgets have spent through restarts and crashes: figures in the store, and the audit log for what came after them.
//!
//! INVARIANT: no figure is written before the records that it counts are on disk, and the store takes figures and the index of the
//! next record in one transaction. So at any moment the figures and the records after them add up to all that left.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::Context;
use countersign_audit::{Audit, Dir, Spending};
use countersign_core::{Code, Timestamp};
use countersign_policy::budget::{Book, ends};
use countersign_store::{Figures, Spent, Store};
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::{clock, cmd::Failure};

/// The figures of this node's log.
pub(crate) struct Accounts {
    store: Store,
    log: String,
    opened: u64,
    /// On record, and not in the store yet.
    waiting: Mutex<Spending>,
}

impl Accounts {
    /// Adds up what the store knows and what the log says after that, before the first request.
    pub(crate) async fn restore(store: Store, log: &str, dir: &dyn Dir, audit: &Audit) -> anyhow::Result<(Self, Book)> {
        let opened = audit.spending().from;
        let Figures { next, mut cells } = store.budgets(log).await?;
        if next.is_some_and(|next| next > opened) {
            return Err(Failure {
                code: Code::StateUnusable,
                what: format!("the audit log `{log}` is shorter than what budgets have counted of it"),
                fix: "restore the audit log; without it, what was spent is not known",
            }
            .into());
        }
        let missed = Spending::between(dir, next.unwrap_or(opened), opened)
            .context("what budgets have spent cannot be read from the audit log")?;
        let spent = changes(&missed);
        store.add_spending(log, next, opened, &spent, over()).await?;
        cells.extend(missed.amounts);
        let mut sums = std::collections::BTreeMap::<Arc<str>, i64>::new();
        for (cell, amount) in cells {
            *sums.entry(cell).or_default() += amount;
        }
        // Less than nothing would be room that nobody gave.
        let book = Book::with(sums.into_iter().map(|(cell, spent)| (cell, u64::try_from(spent).unwrap_or_default())));
        let waiting = Spending { from: opened, next: opened, ..Spending::default() };
        Ok((Self { store, log: log.to_owned(), opened, waiting: Mutex::new(waiting) }, book))
    }

    /// Index of the record that the log was opened with: no two lives of a node have the same.
    pub(crate) const fn opened(&self) -> u64 {
        self.opened
    }

    /// Writes figures down every second, until aborted.
    pub(crate) async fn watch(&self, audit: &Audit) {
        let mut tick = interval(EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            if let Err(error) = self.write(audit).await {
                // Nothing is lost: the log has it, and the next time is as good.
                tracing::warn!(error = format!("{error:#}"), "figures of budgets are not written down yet");
            }
        }
    }

    /// Writes down what has been put on record since. One at a time.
    pub(crate) async fn write(&self, audit: &Audit) -> anyhow::Result<()> {
        let spending = {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.append(audit.spending());
            waiting.clone()
        };
        if spending.amounts.is_empty() && spending.next - spending.from < QUIET {
            return Ok(());
        }
        let spent = changes(&spending);
        let write = self.store.add_spending(&self.log, Some(spending.from), spending.next, &spent, over());
        let written = timeout(PATIENCE, write).await.context("the store does not answer")??;
        // A commit whose answer was lost has counted them all the same.
        if !written && self.store.budgets(&self.log).await?.next != Some(spending.next) {
            anyhow::bail!("another process counts the records of the log `{}`", self.log);
        }
        *self.waiting.lock().unwrap_or_else(PoisonError::into_inner) =
            Spending { from: spending.next, next: spending.next, ..Spending::default() };
        Ok(())
    }
}

fn changes(spending: &Spending) -> Vec<Spent> {
    let spent = |(cell, amount): (&Arc<str>, &i64)| Spent { cell: cell.clone(), amount: *amount, ends: ends(cell) };
    spending.amounts.iter().map(spent).collect()
}

/// Windows that ended before this are of interest to nobody.
fn over() -> Timestamp {
    Timestamp(clock::now().0.saturating_sub(KEPT))
}

const EVERY: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(5);
/// Records without charges after which the index is written all the same, so that a start need not read them again.
const QUIET: u64 = 100_000;
/// In microseconds.
const KEPT: u64 = 40 * 86_400 * 1_000_000;
