//! Changes that were made beside the gateway, until one of its nodes has put them on record.

use countersign_core::Timestamp;

use crate::{Store, StoreError, keys::to_sql};

impl Store {
    /// Keeps what is to be recorded, by an id that sorts by time.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn note_unrecorded(&self, id: &str, said: &str) -> Result<(), StoreError> {
        let noted = sqlx::query("INSERT INTO unrecorded (id, said, held) VALUES ($1, $2, 0)");
        noted.bind(id).bind(said).execute(&self.pool).await?;
        Ok(())
    }

    /// Some of what is to be recorded, oldest first, by id; held until `until`, so that no other node takes it meanwhile.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn take_unrecorded(&self, now: Timestamp, until: Timestamp) -> Result<Vec<(String, String)>, StoreError> {
        let all: Vec<(String, String)> =
            sqlx::query_as("SELECT id, said FROM unrecorded WHERE held <= $1 ORDER BY id LIMIT 100")
                .bind(to_sql(now))
                .fetch_all(&self.pool)
                .await?;
        let mut taken = Vec::new();
        for (id, said) in all {
            let held = sqlx::query("UPDATE unrecorded SET held = $1 WHERE id = $2 AND held <= $3")
                .bind(to_sql(until))
                .bind(&id)
                .bind(to_sql(now))
                .execute(&self.pool)
                .await?;
            if held.rows_affected() == 1 {
                taken.push((id, said));
            }
        }
        Ok(taken)
    }

    /// It is on record now.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn recorded(&self, id: &str) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM unrecorded WHERE id = $1").bind(id).execute(&self.pool).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::both;

    #[tokio::test]
    async fn what_is_to_be_recorded_is_taken_by_one_and_comes_again_until_it_is() {
        let (stores, _folder) = both().await;
        for store in stores {
            for (id, said) in [("b", "second"), ("a", "first")] {
                store.note_unrecorded(id, said).await.unwrap();
            }
            let taken = store.take_unrecorded(Timestamp(5), Timestamp(9)).await.unwrap();
            let (first, second) = (("a".to_owned(), "first".to_owned()), ("b".to_owned(), "second".to_owned()));
            assert_eq!(taken, [first, second.clone()]);
            assert_eq!(store.take_unrecorded(Timestamp(8), Timestamp(20)).await.unwrap(), [], "held by another");
            store.recorded("a").await.unwrap();
            assert_eq!(store.take_unrecorded(Timestamp(9), Timestamp(20)).await.unwrap(), [second]);
        }
    }
}
