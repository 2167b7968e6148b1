//! How far the exports of audit logs have come.

use crate::{Store, StoreError};

impl Store {
    /// Below which record of a node's log the receiver of an export has taken everything; zero for one that was never heard of.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn exported(&self, name: &str, node: &str) -> Result<u64, StoreError> {
        let next: Option<i64> = sqlx::query_scalar("SELECT next FROM export_cursor WHERE name = $1 AND node = $2")
            .bind(name)
            .bind(node)
            .fetch_optional(&self.pool)
            .await?;
        Ok(next.and_then(|next| u64::try_from(next).ok()).unwrap_or_default())
    }

    /// Keeps that everything from `from` up to, not including, `until` was taken; false where it does not stand at `from` any more.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn advance_export(&self, name: &str, node: &str, from: u64, until: u64) -> Result<bool, StoreError> {
        self.know(name, node).await?;
        let advanced = sqlx::query("UPDATE export_cursor SET next = $1 WHERE name = $2 AND node = $3 AND next = $4")
            .bind(whole(until))
            .bind(name)
            .bind(node)
            .bind(whole(from))
            .execute(&self.pool)
            .await?;
        Ok(advanced.rows_affected() == 1)
    }

    /// Has an export begin at a record, whatever was taken.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn replay_export(&self, name: &str, node: &str, from: u64) -> Result<(), StoreError> {
        self.know(name, node).await?;
        let set = sqlx::query("UPDATE export_cursor SET next = $1 WHERE name = $2 AND node = $3");
        set.bind(whole(from)).bind(name).bind(node).execute(&self.pool).await?;
        Ok(())
    }

    async fn know(&self, name: &str, node: &str) -> Result<(), StoreError> {
        let known =
            sqlx::query("INSERT INTO export_cursor (name, node, next) VALUES ($1, $2, 0) ON CONFLICT DO NOTHING");
        known.bind(name).bind(node).execute(&self.pool).await?;
        Ok(())
    }
}

fn whole(index: u64) -> i64 {
    i64::try_from(index).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use crate::tests::both;

    #[tokio::test]
    async fn what_was_taken_is_kept_by_export_and_node_and_only_from_where_it_stands() {
        let (stores, _folder) = both().await;
        for store in stores {
            assert_eq!(store.exported("siem", "a").await.unwrap(), 0);
            assert!(store.advance_export("siem", "a", 0, 5).await.unwrap());
            assert!(!store.advance_export("siem", "a", 0, 9).await.unwrap(), "another has come further");
            assert!(store.advance_export("siem", "a", 5, 9).await.unwrap());
            assert_eq!(store.exported("siem", "b").await.unwrap(), 0);
            assert_eq!(store.exported("other", "a").await.unwrap(), 0);
            store.replay_export("siem", "a", 2).await.unwrap();
            assert_eq!(store.exported("siem", "a").await.unwrap(), 2);
            assert!(!store.advance_export("siem", "a", 9, 12).await.unwrap(), "it is to come again");
        }
    }
}
