//! What issuers said of principals beside their credentials.

use countersign_core::Timestamp;

use crate::{Revision, Store, StoreError, keys::to_sql};

/// One thing that was said of a principal.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StandingRecord {
    /// The principal's tenant.
    pub tenant: String,
    /// Its subject there.
    pub subject: String,
    /// What it is about, as in `risk`.
    pub what: String,
    /// What was said.
    pub value: String,
}

impl Store {
    /// Keeps what was said at `said`; false, and nothing is changed, when something newer was said before.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn set_standing(&self, standing: &StandingRecord, said: Timestamp) -> Result<bool, StoreError> {
        let mut transaction = self.change(PART).await?;
        let set = sqlx::query(
            "INSERT INTO standing (tenant, subject, what, value, said) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (tenant, subject, what) DO UPDATE SET value = excluded.value, said = excluded.said \
             WHERE standing.said <= excluded.said",
        )
        .bind(&standing.tenant)
        .bind(&standing.subject)
        .bind(&standing.what)
        .bind(&standing.value)
        .bind(to_sql(said))
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(set.rows_affected() == 1)
    }

    /// All that is known, if any of it changed since `seen`. Until it has been read, `seen` stays as it was.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn standings_if_changed(&self, seen: &mut Revision) -> Result<Option<Vec<StandingRecord>>, StoreError> {
        let revision = self.revision(PART).await?;
        if *seen == revision {
            return Ok(None);
        }
        let rows: Vec<(String, String, String, String)> =
            sqlx::query_as("SELECT tenant, subject, what, value FROM standing ORDER BY tenant, subject, what")
                .fetch_all(&self.pool)
                .await?;
        *seen = revision;
        let record = |(tenant, subject, what, value)| StandingRecord { tenant, subject, what, value };
        Ok(Some(rows.into_iter().map(record).collect()))
    }
}

const PART: &str = "standings";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::both;

    #[tokio::test]
    async fn what_was_said_last_counts_in_whatever_order_it_comes() {
        let (stores, _folder) = both().await;
        for store in stores {
            let mut seen = Revision::default();
            assert_eq!(store.standings_if_changed(&mut seen).await.unwrap(), Some(vec![]));
            let said = |what: &str, value: &str| StandingRecord {
                tenant: "bank".into(),
                subject: "okta/u".into(),
                what: what.into(),
                value: value.into(),
            };
            assert!(store.set_standing(&said("risk", "high"), Timestamp(10)).await.unwrap());
            assert!(!store.set_standing(&said("risk", "low"), Timestamp(9)).await.unwrap());
            assert!(store.set_standing(&said("compliant", "no"), Timestamp(5)).await.unwrap());
            let all = [said("compliant", "no"), said("risk", "high")];
            assert_eq!(store.standings_if_changed(&mut seen).await.unwrap().as_deref(), Some(&all[..]));
            assert_eq!(store.standings_if_changed(&mut seen).await.unwrap(), None);
            assert!(store.set_standing(&said("risk", "low"), Timestamp(11)).await.unwrap());
            assert_eq!(store.standings_if_changed(&mut seen).await.unwrap().unwrap()[1], said("risk", "low"));
        }
    }
}
