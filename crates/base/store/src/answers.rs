//! Answers to requests that came with an idempotency key.

use countersign_core::Timestamp;

use crate::{Store, StoreError, keys::to_sql};

/// What is known of an idempotency key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Claim {
    /// Nothing until now; it is this request's from here on.
    Fresh,
    /// It came with another request.
    OfAnother,
    /// It came with this request, which is not over or broke off.
    Begun,
    /// It came with this request, which got this status and body.
    Answered(u16, String),
}

impl Store {
    /// Claims the idempotency key whose hash is `asked` for the request whose hash is `request`. Keys that were claimed before
    /// `forgotten` are forgotten.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Database`].
    pub async fn claim_answer(
        &self,
        asked: &str,
        request: &str,
        now: Timestamp,
        forgotten: Timestamp,
    ) -> Result<Claim, StoreError> {
        sqlx::query("DELETE FROM answer WHERE at < $1").bind(to_sql(forgotten)).execute(&self.pool).await?;
        // One statement, so that of two who come at once one alone finds the key free.
        let fresh = sqlx::query("INSERT INTO answer (asked, request, at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING")
            .bind(asked)
            .bind(request)
            .bind(to_sql(now))
            .execute(&self.pool)
            .await?;
        if fresh.rows_affected() == 1 {
            return Ok(Claim::Fresh);
        }
        let row: Option<(String, Option<i64>, Option<String>)> =
            sqlx::query_as("SELECT request, status, body FROM answer WHERE asked = $1")
                .bind(asked)
                .fetch_optional(&self.pool)
                .await?;
        match row {
            Some((first, ..)) if first != request => Ok(Claim::OfAnother),
            Some((_, Some(status), Some(body))) => {
                let status = u16::try_from(status).map_err(|_| StoreError::Damaged(asked.to_owned()))?;
                Ok(Claim::Answered(status, body))
            }
            // Or it was forgotten a moment ago, which the next attempt finds out.
            _ => Ok(Claim::Begun),
        }
    }

    /// Keeps the answer to a request that claimed its key. It must hold no secret.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn keep_answer(&self, asked: &str, status: u16, body: &str) -> Result<(), StoreError> {
        sqlx::query("UPDATE answer SET status = $1, body = $2 WHERE asked = $3")
            .bind(i64::from(status))
            .bind(body)
            .bind(asked)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Gives a claimed key back: its request was refused, and may be repeated.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn forget_answer(&self, asked: &str) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM answer WHERE asked = $1 AND status IS NULL").bind(asked).execute(&self.pool).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::both;

    #[tokio::test]
    async fn a_key_is_one_requests_until_it_is_forgotten() {
        let (stores, _folder) = both().await;
        for store in stores {
            let claim =
                async |request, now| store.claim_answer("k", request, Timestamp(now), Timestamp(now - 10)).await;
            assert_eq!(claim("one", 10).await.unwrap(), Claim::Fresh);
            assert_eq!(claim("one", 11).await.unwrap(), Claim::Begun);
            assert_eq!(claim("other", 11).await.unwrap(), Claim::OfAnother);
            store.keep_answer("k", 201, "{}").await.unwrap();
            assert_eq!(claim("one", 12).await.unwrap(), Claim::Answered(201, "{}".into()));
            store.forget_answer("k").await.unwrap();
            assert_eq!(claim("other", 20).await.unwrap(), Claim::OfAnother, "what was answered is not given back");
            assert_eq!(claim("other", 21).await.unwrap(), Claim::Fresh);
            store.forget_answer("k").await.unwrap();
            assert_eq!(claim("one", 22).await.unwrap(), Claim::Fresh);
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn of_many_at_once_one_finds_the_key_free() {
        let (stores, _folder) = both().await;
        for store in stores {
            let claims = (0..8).map(|_| {
                let store = store.clone();
                tokio::spawn(async move { store.claim_answer("k", "r", Timestamp(10), Timestamp(0)).await.unwrap() })
            });
            let mut fresh = 0;
            for claim in claims.collect::<Vec<_>>() {
                fresh += usize::from(claim.await.unwrap() == Claim::Fresh);
            }
            assert_eq!(fresh, 1);
        }
    }
}
