//! Whom each node has seen, in sketches that can be put together.

use crate::{Store, StoreError};

/// Whom a node has seen in half a day, as a sketch in words of whoever made it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Sketch {
    /// Halves of days since 1970.
    pub half: u64,
    /// The sketch.
    pub hashes: String,
}

impl Store {
    /// Keeps what `node` has seen in these halves of days, and gives what all nodes have seen in them. Older ones are not kept.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Database`].
    pub async fn share_crowd(&self, node: &str, sketches: &[Sketch]) -> Result<Vec<Sketch>, StoreError> {
        let oldest = sketches.iter().map(|sketch| sketch.half).min().unwrap_or(u64::MAX);
        let oldest = i64::try_from(oldest).unwrap_or(i64::MAX);
        let all: Vec<(i64, String)> = sqlx::query_as("SELECT half, hashes FROM playbook_crowd WHERE half >= $1")
            .bind(oldest)
            .fetch_all(&self.pool)
            .await?;
        let mut transaction = self.pool.begin().await?;
        sqlx::query("DELETE FROM playbook_crowd WHERE half < $1").bind(oldest).execute(&mut *transaction).await?;
        for Sketch { half, hashes } in sketches.iter().filter(|sketch| !sketch.hashes.is_empty()) {
            sqlx::query(
                "INSERT INTO playbook_crowd (node, half, hashes) VALUES ($1, $2, $3) \
                 ON CONFLICT (node, half) DO UPDATE SET hashes = excluded.hashes",
            )
            .bind(node)
            .bind(i64::try_from(*half).unwrap_or(i64::MAX))
            .bind(hashes)
            .execute(&mut *transaction)
            .await?;
        }
        transaction.commit().await?;
        let sketch = |(half, hashes): (i64, String)| {
            let half = u64::try_from(half).map_err(|_| StoreError::Damaged("playbook_crowd".to_owned()))?;
            Ok(Sketch { half, hashes })
        };
        all.into_iter().map(sketch).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::both;

    #[tokio::test]
    async fn nodes_know_whom_others_have_seen_lately() {
        let (stores, _folder) = both().await;
        for store in stores {
            let sketch = |half, hashes: &str| Sketch { half, hashes: hashes.into() };
            assert!(store.share_crowd("one", &[sketch(1, "a"), sketch(2, "")]).await.unwrap().is_empty());
            let seen = store.share_crowd("two", &[sketch(1, "b"), sketch(2, "c")]).await.unwrap();
            assert_eq!(seen, [sketch(1, "a")]);
            assert!(store.share_crowd("one", &[sketch(1, "d"), sketch(2, "")]).await.unwrap().len() == 3);
            let mut seen = store.share_crowd("three", &[sketch(1, ""), sketch(2, "")]).await.unwrap();
            seen.sort_by(|a, b| (a.half, &a.hashes).cmp(&(b.half, &b.hashes)));
            assert_eq!(seen, [sketch(1, "b"), sketch(1, "d"), sketch(2, "c")]);
            assert_eq!(store.share_crowd("one", &[sketch(2, ""), sketch(3, "")]).await.unwrap(), [sketch(2, "c")]);
            assert_eq!(store.share_crowd("one", &[sketch(3, ""), sketch(4, "")]).await.unwrap(), []);
            assert_eq!(store.share_crowd("one", &[sketch(1, "")]).await.unwrap(), [], "older ones are gone");
        }
    }
}
