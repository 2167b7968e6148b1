//! Gives up records that are older than the configuration keeps, once a day, except what a legal hold covers and what an export, the
//! archive or the budgets have not taken yet.
//!
//! It is on record and under a signed checkpoint before anything is removed. Holds are read again in between: one that was added since is
//! heeded, and what was announced is then left for the next day.

use std::time::Duration;

use anyhow::Context;
use countersign_audit::{
    AuditError, Dir,
    keep::{self, Due},
    record::GivenUp,
};
use countersign_core::Timestamp;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use crate::{archive, assemble::Assembly, clock, holds};

/// Looks once a day, until aborted.
pub(crate) async fn watch(assembly: &Assembly) {
    let mut tick = interval(EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        if let Err(error) = look(assembly, clock::now()).await {
            tracing::error!(error = format!("{error:#}"), "old records are not given up; tried again within a day");
        }
    }
}

/// Gives up what is due; how many records that were.
pub(crate) async fn look(assembly: &Assembly, now: Timestamp) -> anyhow::Result<u64> {
    let audit = assembly.gateway().stages().audit.clone();
    let earlier = beside(&audit, |dir| {
        let earlier = keep::given_up(dir)?;
        // A crash may have come in the middle; and its proof is to be by the newest checkpoint, with the newest key.
        if let Some((index, _)) = &earlier {
            keep::carry_out(dir, *index)?;
        }
        Ok(earlier.map(|(_, given)| given.ever).unwrap_or_default())
    });
    let earlier = earlier.await?;
    let Some(days) = assembly.keep_days() else { return Ok(0) };
    let before = now.0.saturating_sub(u64::from(days) * DAY);
    let store = assembly.state().store();
    let (stand, below) = (store.holds_in_force().await?, taken(assembly).await?);
    let ids = stand.iter().map(|hold| hold.id.clone()).collect::<Vec<_>>();
    let Due { ranges, held, damaged } = beside(&audit, move |dir| {
        keep::due(dir, before, below, &|record| stand.iter().any(|h| holds::covers(h, record)))
    })
    .await?;
    if damaged > 0 {
        tracing::error!(
            files = damaged,
            "old files of the audit log are damaged and stay; run `countersign audit verify`"
        );
    }
    let (due, ever) = keep::planned(&earlier, &ranges);
    if due.is_empty() {
        return Ok(0);
    }
    let records = due.iter().map(|[from, until]| until - from).sum();
    let given = GivenUp {
        at: now.0,
        keep_days: u64::from(days),
        before,
        holds: ids.iter().take(MOST_HOLDS).cloned().collect(),
        now: due,
        ever,
    };
    let index = audit.given_up(given).await.map_err(|refusal| anyhow::anyhow!("{}", refusal.reason))?;
    let patience = Instant::now() + PATIENCE;
    while audit.checkpoint().checkpoint.size <= index {
        anyhow::ensure!(Instant::now() < patience, "no checkpoint was signed over the record of it");
        sleep(PAUSE).await;
    }
    let stand: Vec<_> = store.holds_in_force().await?.into_iter().map(|hold| hold.id).collect();
    anyhow::ensure!(stand.iter().all(|id| ids.contains(id)), "a hold was added meanwhile");
    beside(&audit, move |dir| keep::carry_out(dir, index)).await?;
    tracing::info!(records, record = index, held_files = held, "old records were given up");
    Ok(records)
}

/// Below which record everything has been signed, exported, counted and archived.
async fn taken(assembly: &Assembly) -> anyhow::Result<u64> {
    let (state, audit) = (assembly.state(), &assembly.gateway().stages().audit);
    let mut below = audit.checkpoint().checkpoint.size;
    below = below.min(state.store().budgets(state.node()).await?.next.unwrap_or_default());
    for (export, _) in assembly.exports().iter() {
        below = below.min(state.store().exported(&export.name, state.node()).await?);
    }
    // What is asked is the archive itself: it may have been put back to what it was.
    if let Some(archive) = &*assembly.archive() {
        below = below.min(archive::copied(archive, state).await?);
    }
    Ok(below)
}

async fn beside<T: Send + 'static>(
    audit: &countersign_audit::Audit,
    work: impl FnOnce(&dyn Dir) -> Result<T, AuditError> + Send + 'static,
) -> anyhow::Result<T> {
    let dir = audit.dir().clone();
    tokio::task::spawn_blocking(move || work(&*dir)).await?.context("the audit log's files")
}

const EVERY: Duration = Duration::from_hours(24);
/// In microseconds.
const DAY: u64 = 86_400 * 1_000_000;
const MOST_HOLDS: usize = 64;
/// For a checkpoint, which is signed each second.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests;
