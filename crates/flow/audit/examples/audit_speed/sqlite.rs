//! SQLite with a write-ahead log and a sync for each commit, handed the very records of the log that was written before it. It is
//! spared making and sealing them, and the tree, its signature and its witness.

use std::{error::Error, path::Path, sync::Arc, time::Instant};

use countersign_audit::{Dir as _, DiskDir};
use serde_json::json;
use sqlx::{
    AssertSqlSafe, Connection as _, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};
use tokio::sync::{mpsc, oneshot};

use crate::{Done, Load, cpu, cpu_since, log::micros, written};

/// An entry and the sealed text beside it.
pub(crate) type Pair = (Vec<u8>, Vec<u8>);

/// The first records of a log.
pub(crate) fn records(log: &Path) -> Result<Arc<Vec<Pair>>, Box<dyn Error>> {
    let dir = DiskDir::read_only(log)?;
    let bytes = dir.read(dir.list("journal")?.first().ok_or("there is no journal")?)?;
    let mut rest = bytes.as_slice();
    let mut records = Vec::new();
    // As `frame.rs` lays them out: a mark, two lengths, 36 bytes more.
    while let Some((header, after)) = rest.split_first_chunk::<44>() {
        let length =
            |at: usize| header.get(at..at + 4).and_then(|l| l.try_into().ok()).map_or(0, u32::from_be_bytes) as usize;
        let (Some((entry, after)), body) = (after.split_at_checked(length(4)), length(8)) else { break };
        let Some((body, after)) = after.split_at_checked(body).filter(|_| !entry.is_empty()) else { break };
        records.push((entry.to_vec(), body.to_vec()));
        rest = after;
    }
    if records.is_empty() { Err("the journal is empty".into()) } else { Ok(Arc::new(records)) }
}

pub(crate) fn run(place: &Path, load: Load, most: usize, records: &Arc<Vec<Pair>>) -> Result<Done, Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let options = SqliteConnectOptions::new()
            .filename(place.join("audit.db"))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full);
        let mut database = SqliteConnection::connect_with(&options).await?;
        sqlx::query("create table records (number integer primary key, entry blob not null, body blob not null)")
            .execute(&mut database)
            .await?;
        let (before, disk, begun) = (cpu(), written(), Instant::now());
        let (queue, waiting) = mpsc::channel(1 << 14);
        let writer = tokio::spawn(write(database, waiting, most, records.clone()));
        let produce = |task: u64| {
            let queue = queue.clone();
            async move {
                let mut waits = Vec::new();
                let mut number = task;
                while begun.elapsed() < load.time {
                    let (told, known) = oneshot::channel();
                    let before = Instant::now();
                    if queue.send((number, told)).await.is_err() || known.await.is_err() {
                        break;
                    }
                    waits.push(micros(before));
                    number += load.producers;
                }
                waits
            }
        };
        let tasks: Vec<_> = (0..load.producers).map(|task| tokio::spawn(produce(task))).collect();
        let mut waits = Vec::new();
        for task in tasks {
            waits.extend(task.await?);
        }
        let took = begun.elapsed();
        let (threads, written) = (cpu_since(&before), written() - disk);
        drop(queue);
        let commits = writer.await??;
        Ok(Done { records: waits.len() as u64, took, waits, threads, written, more: json!({ "commits": commits }) })
    })
}

type Asked = (u64, oneshot::Sender<()>);

/// Commits what waits, at most `most` at a time; gives how often.
async fn write(
    mut database: SqliteConnection,
    mut waiting: mpsc::Receiver<Asked>,
    most: usize,
    records: Arc<Vec<Pair>>,
) -> Result<u64, sqlx::Error> {
    let mut asked = Vec::new();
    let mut commits = 0;
    while waiting.recv_many(&mut asked, most).await > 0 {
        let mut all = database.begin().await?;
        let mut rest = asked.as_slice();
        while !rest.is_empty() {
            // Several rows a statement, of few lengths, so that each statement is made once.
            let rows = [64, 8, 1].into_iter().find(|rows| *rows <= rest.len()).unwrap_or(1);
            let (some, later) = rest.split_at(rows);
            let values = ["(?, ?, ?)"].repeat(rows).join(", ");
            let mut query = sqlx::query(AssertSqlSafe(format!("insert into records values {values}")));
            for (number, _) in some {
                let Some((entry, body)) = records.get(*number as usize % records.len()) else { break };
                query =
                    query.bind(i64::try_from(*number).unwrap_or_default()).bind(entry.as_slice()).bind(body.as_slice());
            }
            query.execute(&mut *all).await?;
            rest = later;
        }
        all.commit().await?;
        commits += 1;
        for (_, told) in asked.drain(..) {
            // Nobody may be waiting any more.
            let _ = told.send(());
        }
    }
    database.close().await?;
    Ok(commits)
}
