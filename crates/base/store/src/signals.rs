//! Security events: which were taken in, and how far the receivers of our own have come.

use countersign_core::Timestamp;

use crate::{Store, StoreError, keys::to_sql};

impl Store {
    /// Takes note of an event by a hash of its issuer and id, until it could not be believed any more for its age; whether it is
    /// new.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn note_signal(&self, event: &str, until: Timestamp, now: Timestamp) -> Result<bool, StoreError> {
        sqlx::query("DELETE FROM signal_seen WHERE until <= $1").bind(to_sql(now)).execute(&self.pool).await?;
        let new = sqlx::query("INSERT INTO signal_seen (event, until) VALUES ($1, $2) ON CONFLICT DO NOTHING")
            .bind(event)
            .bind(to_sql(until))
            .execute(&self.pool)
            .await?;
        Ok(new.rows_affected() == 1)
    }

    /// Takes the note back: what the event asked for could not be done, and it may come again.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn forget_signal(&self, event: &str) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM signal_seen WHERE event = $1").bind(event).execute(&self.pool).await?;
        Ok(())
    }

    /// The number of the last revocation that a receiver has acknowledged. One that was not known begins with what is made from now
    /// on.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn receiver(&self, name: &str) -> Result<i64, StoreError> {
        if let Some(done) = self.done(name).await? {
            return Ok(done);
        }
        sqlx::query(
            "INSERT INTO signal_receiver (name, done, held) \
             SELECT $1, number, 0 FROM revision WHERE part = 'revocations' ON CONFLICT DO NOTHING",
        )
        .bind(name)
        .execute(&self.pool)
        .await?;
        self.done(name).await?.ok_or_else(|| sqlx::Error::RowNotFound.into())
    }

    async fn done(&self, name: &str) -> Result<Option<i64>, StoreError> {
        let done = sqlx::query_scalar("SELECT done FROM signal_receiver WHERE name = $1").bind(name);
        Ok(done.fetch_optional(&self.pool).await?)
    }

    /// Holds a receiver until `until`, so that no other node delivers to it; false when another does.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn hold_receiver(&self, name: &str, now: Timestamp, until: Timestamp) -> Result<bool, StoreError> {
        let held = sqlx::query("UPDATE signal_receiver SET held = $1 WHERE name = $2 AND held <= $3")
            .bind(to_sql(until))
            .bind(name)
            .bind(to_sql(now))
            .execute(&self.pool)
            .await?;
        Ok(held.rows_affected() == 1)
    }

    /// A receiver has acknowledged everything up to the revocation numbered `done`. It never goes back.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn acknowledged(&self, name: &str, done: i64) -> Result<(), StoreError> {
        sqlx::query("UPDATE signal_receiver SET done = $1 WHERE name = $2 AND done < $1")
            .bind(done)
            .bind(name)
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::both;

    #[tokio::test]
    async fn an_event_is_new_once_until_it_is_too_old_or_taken_back() {
        let (stores, _folder) = both().await;
        for store in stores {
            let note = async |event, now| store.note_signal(event, Timestamp(now + 10), Timestamp(now)).await.unwrap();
            assert!(note("a", 0).await && !note("a", 9).await && note("b", 9).await);
            assert!(note("a", 10).await, "its first time is over");
            store.forget_signal("b").await.unwrap();
            assert!(note("b", 11).await);
        }
    }

    #[tokio::test]
    async fn a_receiver_is_held_by_one_and_never_goes_back() {
        let (stores, _folder) = both().await;
        for store in stores {
            let begun = store.receiver("okta").await.unwrap();
            assert!(store.hold_receiver("okta", Timestamp(5), Timestamp(9)).await.unwrap());
            assert!(!store.hold_receiver("okta", Timestamp(8), Timestamp(20)).await.unwrap());
            assert!(store.hold_receiver("okta", Timestamp(9), Timestamp(20)).await.unwrap());
            store.acknowledged("okta", begun + 4).await.unwrap();
            store.acknowledged("okta", begun + 2).await.unwrap();
            assert_eq!(store.receiver("okta").await.unwrap(), begun + 4);
            assert!(!store.hold_receiver("nobody", Timestamp(5), Timestamp(9)).await.unwrap());
        }
    }
}
