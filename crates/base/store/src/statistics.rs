//! Statistics that were told, and who was told them.

use countersign_core::Timestamp;

use crate::{Store, StoreError, keys::to_sql};

/// Counts of one day of one node, with their noise.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Released {
    /// Days since 1970.
    pub day: u32,
    /// The node.
    pub node: String,
    /// How much they tell of one principal, in thousandths.
    pub epsilon: u32,
    /// The counts, in words of whoever made them.
    pub counts: String,
}

impl Store {
    /// What was told of a day.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Database`].
    pub async fn released(&self, day: u32, node: &str) -> Result<Option<Released>, StoreError> {
        let row: Option<(i64, String)> =
            sqlx::query_as("SELECT epsilon, counts FROM released WHERE day = $1 AND node = $2")
                .bind(i64::from(day))
                .bind(node)
                .fetch_optional(&self.pool)
                .await?;
        let Some((epsilon, counts)) = row else { return Ok(None) };
        let epsilon = u32::try_from(epsilon).map_err(|_| StoreError::Damaged(format!("released {day}")))?;
        Ok(Some(Released { day, node: node.to_owned(), epsilon, counts }))
    }

    /// Keeps what is told of a day, unless something was kept already, which stands.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn keep_released(&self, released: &Released) -> Result<(), StoreError> {
        sqlx::query("INSERT INTO released (day, node, epsilon, counts) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING")
            .bind(i64::from(released.day))
            .bind(&released.node)
            .bind(i64::from(released.epsilon))
            .bind(&released.counts)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Notes that somebody is told of a day, unless they have been told more than `most` thousandths since `since`, with this.
    /// What they were told before is no news. Gives what they have been told since then in all; none where it would be too much.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Database`].
    pub async fn note_reading(
        &self,
        reader: &str,
        of: &Released,
        now: Timestamp,
        since: Timestamp,
        most: u32,
    ) -> Result<Option<u32>, StoreError> {
        let mut all = self.pool.begin().await?;
        // Of two readings of one reader the second waits here for the first.
        sqlx::query("INSERT INTO reader (name) VALUES ($1) ON CONFLICT (name) DO UPDATE SET name = excluded.name")
            .bind(reader)
            .execute(&mut *all)
            .await?;
        let known = sqlx::query(
            "INSERT INTO reading (reader, day, node, epsilon, at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
        )
        .bind(reader)
        .bind(i64::from(of.day))
        .bind(&of.node)
        .bind(i64::from(of.epsilon))
        .bind(to_sql(now))
        .execute(&mut *all)
        .await?
        .rows_affected()
            == 0;
        let (told,): (i64,) = sqlx::query_as(
            "SELECT CAST(COALESCE(SUM(epsilon), 0) AS BIGINT) FROM reading WHERE reader = $1 AND at >= $2",
        )
        .bind(reader)
        .bind(to_sql(since))
        .fetch_one(&mut *all)
        .await?;
        let told = u32::try_from(told).map_err(|_| StoreError::Damaged(format!("readings of {reader}")))?;
        if !known && told > most {
            all.rollback().await?;
            return Ok(None);
        }
        all.commit().await?;
        Ok(Some(told))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::both;

    fn day(day: u32) -> Released {
        Released { day, node: "n".into(), epsilon: 500, counts: format!("[{day}]") }
    }

    #[tokio::test]
    async fn a_day_is_told_as_it_was_told_first() {
        let (stores, _folder) = both().await;
        for store in stores {
            assert_eq!(store.released(1, "n").await.unwrap(), None);
            store.keep_released(&day(1)).await.unwrap();
            store.keep_released(&Released { counts: "[]".into(), ..day(1) }).await.unwrap();
            assert_eq!(store.released(1, "n").await.unwrap(), Some(day(1)));
            assert_eq!(store.released(1, "other").await.unwrap(), None);
        }
    }

    #[tokio::test]
    async fn a_reader_is_told_so_much_in_a_time() {
        let (stores, _folder) = both().await;
        for store in stores {
            let read = async |who, of, now, since| {
                store.note_reading(who, &day(of), Timestamp(now), Timestamp(since), 1000).await.unwrap()
            };
            assert_eq!(read("ann", 1, 10, 0).await, Some(500));
            assert_eq!(read("ann", 1, 11, 0).await, Some(500), "the same again is no news");
            assert_eq!(read("ann", 2, 12, 0).await, Some(1000));
            assert_eq!(read("ann", 3, 13, 0).await, None);
            assert_eq!(read("ann", 2, 14, 0).await, Some(1000), "what was told is told again");
            assert_eq!(read("bob", 3, 15, 0).await, Some(500));
            assert_eq!(read("ann", 3, 16, 11).await, Some(1000), "time has gone by");
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn many_readings_at_once_are_no_more_than_one_after_another() {
        let (stores, _folder) = both().await;
        for store in stores {
            let readings = (0..8).map(|of| {
                let store = store.clone();
                tokio::spawn(async move {
                    store.note_reading("ann", &day(of), Timestamp(10), Timestamp(0), 1000).await.unwrap()
                })
            });
            let mut told = 0;
            for reading in readings.collect::<Vec<_>>() {
                told += usize::from(reading.await.unwrap().is_some());
            }
            assert_eq!(told, 2);
        }
    }
}
