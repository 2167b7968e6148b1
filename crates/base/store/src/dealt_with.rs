//! Up to where each node has dealt with the alerts that its log gives rise to.

use crate::{Store, StoreError};

impl Store {
    /// The first record of the log of `node` whose alerts may not have been dealt with; none where that was never kept.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Database`].
    pub async fn dealt_with(&self, node: &str) -> Result<Option<u64>, StoreError> {
        let record: Option<i64> = sqlx::query_scalar("SELECT record FROM dealt_with WHERE node = $1")
            .bind(node)
            .fetch_optional(&self.pool)
            .await?;
        let damaged = |_| StoreError::Damaged(format!("dealt_with {node}"));
        record.map(|record| u64::try_from(record).map_err(damaged)).transpose()
    }

    /// Keeps it.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn keep_dealt_with(&self, node: &str, record: u64) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO dealt_with (node, record) VALUES ($1, $2) \
             ON CONFLICT (node) DO UPDATE SET record = excluded.record",
        )
        .bind(node)
        .bind(i64::try_from(record).unwrap_or(i64::MAX))
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::tests::both;

    #[tokio::test]
    async fn each_node_has_come_somewhere() {
        let (stores, _folder) = both().await;
        for store in stores {
            assert_eq!(store.dealt_with("one").await.unwrap(), None);
            store.keep_dealt_with("one", 7).await.unwrap();
            store.keep_dealt_with("two", 3).await.unwrap();
            store.keep_dealt_with("one", 9).await.unwrap();
            assert_eq!(store.dealt_with("one").await.unwrap(), Some(9));
            assert_eq!(store.dealt_with("two").await.unwrap(), Some(3));
        }
    }
}
