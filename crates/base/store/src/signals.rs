//! Security events: which were taken in, and how far the receivers of our own have come.

use countersign_core::Timestamp;

use crate::{Store, StoreError, keys::to_sql};

impl Store {
    /// Whether an event, by a hash of its issuer and id, was taken in before.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn knows_signal(&self, event: &str) -> Result<bool, StoreError> {
        let until: Option<i64> = sqlx::query_scalar("SELECT until FROM signal_seen WHERE event = $1")
            .bind(event)
            .fetch_optional(&self.pool)
            .await?;
        Ok(until.is_some())
    }

    /// Takes note of an event that was taken in, until it could not be believed any more for its age; whether it had not been noted
    /// before. Those whose time is over at `now` are forgotten.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn note_signal(&self, event: &str, until: Timestamp, now: Timestamp) -> Result<bool, StoreError> {
        sqlx::query("DELETE FROM signal_seen WHERE until <= $1").bind(to_sql(now)).execute(&self.pool).await?;
        let noted = sqlx::query("INSERT INTO signal_seen (event, until) VALUES ($1, $2) ON CONFLICT DO NOTHING")
            .bind(event)
            .bind(to_sql(until))
            .execute(&self.pool)
            .await?;
        Ok(noted.rows_affected() == 1)
    }

    /// A signing key, sealed; none where none was kept.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn signing_key(&self, name: &str) -> Result<Option<String>, StoreError> {
        let key = sqlx::query_scalar("SELECT sealed FROM signing_key WHERE name = $1").bind(name);
        Ok(key.fetch_optional(&self.pool).await?)
    }

    /// Keeps a signing key, unless one of that name is kept.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn keep_signing_key(&self, name: &str, sealed: &str) -> Result<(), StoreError> {
        let kept = sqlx::query("INSERT INTO signing_key (name, sealed) VALUES ($1, $2) ON CONFLICT DO NOTHING");
        kept.bind(name).bind(sealed).execute(&self.pool).await?;
        Ok(())
    }

    /// Every signing key, sealed, by name.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn signing_keys(&self) -> Result<Vec<(String, String)>, StoreError> {
        Ok(sqlx::query_as("SELECT name, sealed FROM signing_key ORDER BY name").fetch_all(&self.pool).await?)
    }

    /// Puts a signing key that was sealed again in place of what it was; false where it is not so any more.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn reseal_signing_key(&self, name: &str, was: &str, becomes: &str) -> Result<bool, StoreError> {
        let resealed = sqlx::query("UPDATE signing_key SET sealed = $1 WHERE name = $2 AND sealed = $3");
        Ok(resealed.bind(becomes).bind(name).bind(was).execute(&self.pool).await?.rows_affected() == 1)
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
    async fn an_event_is_known_until_it_is_too_old() {
        let (stores, _folder) = both().await;
        for store in stores {
            assert!(!store.knows_signal("a").await.unwrap());
            for _ in 0..2 {
                store.note_signal("a", Timestamp(10), Timestamp(0)).await.unwrap();
            }
            assert!(store.knows_signal("a").await.unwrap() && !store.knows_signal("b").await.unwrap());
            store.note_signal("b", Timestamp(20), Timestamp(9)).await.unwrap();
            assert!(store.knows_signal("a").await.unwrap());
            store.note_signal("c", Timestamp(20), Timestamp(10)).await.unwrap();
            for sealed in ["first", "second"] {
                store.keep_signing_key("k", sealed).await.unwrap();
                assert_eq!(store.signing_key("k").await.unwrap().as_deref(), Some("first"), "all sign with one");
            }
            assert!(!store.reseal_signing_key("k", "second", "again").await.unwrap());
            assert!(store.reseal_signing_key("k", "first", "again").await.unwrap());
            assert_eq!(store.signing_keys().await.unwrap(), [("k".to_owned(), "again".to_owned())]);
            assert_eq!(store.signing_key("other").await.unwrap(), None);
            assert!(!store.knows_signal("a").await.unwrap() && store.knows_signal("b").await.unwrap());
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
