//! What budgets have spent, by each node's log.

use std::sync::Arc;

use countersign_core::Timestamp;

use crate::{Store, StoreError, keys::to_sql};

/// The figures of one log.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Figures {
    /// Index of the first record that they do not count; none where nothing was ever counted.
    pub next: Option<u64>,
    /// What each cell has spent.
    pub cells: Vec<(Arc<str>, i64)>,
}

/// A change of one cell.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Spent {
    /// The cell.
    pub cell: Arc<str>,
    /// What is added to it, or taken from it.
    pub amount: i64,
    /// When its window ends.
    pub ends: Timestamp,
}

impl Store {
    /// The figures of the log `log`.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Database`].
    pub async fn budgets(&self, log: &str) -> Result<Figures, StoreError> {
        let mut transaction = self.snapshot().await?;
        let next: Option<i64> = sqlx::query_scalar("SELECT next FROM budget_mark WHERE log = $1")
            .bind(log)
            .fetch_optional(&mut *transaction)
            .await?;
        let cells: Vec<(String, i64)> =
            sqlx::query_as("SELECT cell, spent FROM budget_cell WHERE log = $1 ORDER BY cell")
                .bind(log)
                .fetch_all(&mut *transaction)
                .await?;
        transaction.rollback().await?;
        let damaged = || StoreError::Damaged(log.to_owned());
        Ok(Figures {
            next: next.map(u64::try_from).transpose().map_err(|_| damaged())?,
            cells: cells.into_iter().map(|(cell, spent)| (cell.into(), spent)).collect(),
        })
    }

    /// Adds what the records of `log` from `from` up to, not including, `next` have spent, and forgets cells whose windows
    /// ended before `over`. Whoever has counted those records already changes nothing: false.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn add_spending(
        &self,
        log: &str,
        from: Option<u64>,
        next: u64,
        spent: &[Spent],
        over: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut transaction = self.change(PART).await?;
        let (from, next) = (from.map(to_index), to_index(next));
        let moved = match from {
            None => sqlx::query("INSERT INTO budget_mark (log, next) VALUES ($1, $2) ON CONFLICT DO NOTHING"),
            Some(_) => sqlx::query("UPDATE budget_mark SET next = $2 WHERE log = $1 AND next = $3"),
        };
        let moved = moved.bind(log).bind(next);
        let moved = if let Some(from) = from { moved.bind(from) } else { moved };
        if moved.execute(&mut *transaction).await?.rows_affected() == 0 {
            transaction.rollback().await?;
            return Ok(false);
        }
        for Spent { cell, amount, ends } in spent {
            sqlx::query(
                "INSERT INTO budget_cell (log, cell, spent, ends) VALUES ($1, $2, $3, $4) \
                 ON CONFLICT (log, cell) DO UPDATE SET spent = budget_cell.spent + $3",
            )
            .bind(log)
            .bind(&**cell)
            .bind(*amount)
            .bind(to_sql(*ends))
            .execute(&mut *transaction)
            .await?;
        }
        sqlx::query("DELETE FROM budget_cell WHERE log = $1 AND ends < $2")
            .bind(log)
            .bind(to_sql(over))
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(true)
    }
}

fn to_index(index: u64) -> i64 {
    i64::try_from(index).unwrap_or(i64::MAX)
}

/// The name under which changes to the figures are counted.
const PART: &str = "budgets";

#[cfg(test)]
mod tests {
    use countersign_testkit as testkit;

    use super::*;
    use crate::Postgres;

    fn spent(cell: &str, amount: i64) -> Spent {
        Spent { cell: cell.into(), amount, ends: Timestamp(if cell == "old" { 5 } else { 100 }) }
    }

    async fn records_are_counted_once(store: &Store) {
        assert_eq!(store.budgets("a").await.unwrap(), Figures::default());
        assert!(store.add_spending("a", None, 4, &[spent("x", 3), spent("old", 1)], Timestamp(0)).await.unwrap());
        assert!(!store.add_spending("a", None, 9, &[spent("x", 50)], Timestamp(0)).await.unwrap());
        assert!(!store.add_spending("a", Some(3), 9, &[spent("x", 50)], Timestamp(0)).await.unwrap());
        assert!(store.add_spending("a", Some(4), 9, &[spent("x", -1), spent("y", 7)], Timestamp(6)).await.unwrap());
        assert!(store.add_spending("b", None, 1, &[spent("x", 10)], Timestamp(0)).await.unwrap());
        let figures = store.budgets("a").await.unwrap();
        assert_eq!(figures, Figures { next: Some(9), cells: vec![("x".into(), 2), ("y".into(), 7)] });
        assert_eq!(store.budgets("b").await.unwrap().cells, [("x".into(), 10)]);
    }

    #[tokio::test]
    async fn records_are_counted_once_in_sqlite() {
        let folder = tempfile::tempdir().unwrap();
        records_are_counted_once(&Store::open(&folder.path().join("store.db")).await.unwrap()).await;
    }

    #[tokio::test]
    async fn records_are_counted_once_in_postgres() {
        let Some(server) = testkit::Postgres::shared() else { return };
        let to = Postgres { url: server.database(), password: None, ca: None };
        records_are_counted_once(&Store::connect(&to).await.unwrap()).await;
    }
}
