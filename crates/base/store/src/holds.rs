//! Legal holds: what must neither be given up for its age nor forgotten, until two people have said that it may.
//!
//! To add one, or to release it, counts as a change of the data keys. So whoever destroys keys and had looked at the holds before has to look again.

use std::sync::Arc;

use countersign_core::Timestamp;

use crate::{Store, StoreError, data_keys::PART, exists, keys::to_sql};

/// A hold as it is kept.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HoldRecord {
    /// Its id, `hol_...`; ids sort by time.
    pub id: Arc<str>,
    /// Whose records: of a tenant, or of all.
    pub tenant: Option<Arc<str>>,
    /// Of one in the tenant, or of all in it.
    pub subject: Option<Arc<str>>,
    /// From when on; from the beginning where nothing is said.
    pub from: Option<Timestamp>,
    /// Until when; what comes in future, too, where nothing is said.
    pub until: Option<Timestamp>,
    /// Why.
    pub reason: String,
    /// Who added it.
    pub by: Arc<str>,
    /// When.
    pub at: Timestamp,
    /// Who asked last that it be released, when and why.
    pub asked: Option<(Timestamp, Arc<str>, String)>,
    /// Who agreed, and when. It is in force until then.
    pub released: Option<(Timestamp, Arc<str>)>,
}

impl Store {
    /// Adds a hold, which is in force when this returns.
    ///
    /// # Errors
    /// [`StoreError::Exists`], [`StoreError::Database`].
    pub async fn insert_hold(&self, record: &HoldRecord) -> Result<(), StoreError> {
        let mut transaction = self.change(PART).await?;
        sqlx::query(
            "INSERT INTO hold (id, tenant, subject, since_at, until_at, reason, made_by, made_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(&*record.id)
        .bind(record.tenant.as_deref())
        .bind(record.subject.as_deref())
        .bind(record.from.map(to_sql))
        .bind(record.until.map(to_sql))
        .bind(&record.reason)
        .bind(&*record.by)
        .bind(to_sql(record.at))
        .execute(&mut *transaction)
        .await
        .map_err(exists)?;
        Ok(transaction.commit().await?)
    }

    /// Asks that a hold be released, or releases it where somebody else has asked since `lapsed`; none when there is none of that id.
    /// One that is released stays as it is.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Database`].
    pub async fn release_hold(
        &self,
        id: &str,
        by: &str,
        reason: &str,
        now: Timestamp,
        lapsed: Timestamp,
    ) -> Result<Option<HoldRecord>, StoreError> {
        let mut transaction = self.change(PART).await?;
        let row: Option<Row> = sqlx::query_as(ONE).bind(id).fetch_optional(&mut *transaction).await?;
        let Some(before) = row.map(record).transpose()? else { return Ok(None) };
        let after = before.released_by(by, reason, now, lapsed);
        sqlx::query(
            "UPDATE hold SET asked_at = $1, asked_by = $2, asked_reason = $3, released_at = $4, released_by = $5 \
             WHERE id = $6",
        )
        .bind(after.asked.as_ref().map(|(at, ..)| to_sql(*at)))
        .bind(after.asked.as_ref().map(|(_, by, _)| &**by))
        .bind(after.asked.as_ref().map(|(.., why)| why.as_str()))
        .bind(after.released.as_ref().map(|(at, _)| to_sql(*at)))
        .bind(after.released.as_ref().map(|(_, by)| &**by))
        .bind(id)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(Some(after))
    }

    /// The hold of that id.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Database`].
    pub async fn hold(&self, id: &str) -> Result<Option<HoldRecord>, StoreError> {
        let row: Option<Row> = sqlx::query_as(ONE).bind(id).fetch_optional(&self.pool).await?;
        row.map(record).transpose()
    }

    /// Up to `limit` holds, those that were released included, newest first, beginning below the id `below`.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Database`].
    pub async fn holds(&self, below: Option<&str>, limit: u32) -> Result<Vec<HoldRecord>, StoreError> {
        let below = below.unwrap_or("hol_~");
        let rows: Vec<Row> = sqlx::query_as(PAGE).bind(below).bind(i64::from(limit)).fetch_all(&self.pool).await?;
        rows.into_iter().map(record).collect()
    }

    /// All that are in force, oldest first.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Database`].
    pub async fn holds_in_force(&self) -> Result<Vec<HoldRecord>, StoreError> {
        let rows: Vec<Row> = sqlx::query_as(IN_FORCE).fetch_all(&self.pool).await?;
        rows.into_iter().map(record).collect()
    }
}

impl HoldRecord {
    /// What becomes of it when somebody wants it released: it takes two, and the second within the time since `lapsed`.
    #[must_use]
    pub fn released_by(&self, by: &str, reason: &str, now: Timestamp, lapsed: Timestamp) -> Self {
        let mut after = self.clone();
        match (&self.released, &self.asked) {
            (Some(_), _) => {}
            (None, Some((at, first, _))) if *at >= lapsed && **first != *by => after.released = Some((now, by.into())),
            (None, _) => after.asked = Some((now, by.into(), reason.to_owned())),
        }
        after
    }
}

type Row = (
    String,
    Option<String>,
    Option<String>,
    Option<i64>,
    Option<i64>,
    String,
    String,
    i64,
    Option<i64>,
    Option<String>,
    Option<String>,
    Option<i64>,
    Option<String>,
);

fn record(row: Row) -> Result<HoldRecord, StoreError> {
    let (id, tenant, subject, from, until, reason, by, at, asked_at, asked_by, why, released_at, released_by) = row;
    let time = |t: i64| u64::try_from(t).map(Timestamp).map_err(|_| StoreError::Damaged(id.clone()));
    Ok(HoldRecord {
        tenant: tenant.map(Into::into),
        subject: subject.map(Into::into),
        from: from.map(time).transpose()?,
        until: until.map(time).transpose()?,
        reason,
        by: by.into(),
        at: time(at)?,
        asked: match (asked_at, asked_by, why) {
            (Some(at), Some(by), Some(why)) => Some((time(at)?, by.into(), why)),
            (None, None, None) => None,
            _ => return Err(StoreError::Damaged(id)),
        },
        released: match (released_at, released_by) {
            (Some(at), Some(by)) => Some((time(at)?, by.into())),
            (None, None) => None,
            _ => return Err(StoreError::Damaged(id)),
        },
        id: id.as_str().into(),
    })
}

const ONE: &str = "SELECT id, tenant, subject, since_at, until_at, reason, made_by, made_at, asked_at, asked_by, asked_reason, \
                   released_at, released_by FROM hold WHERE id = $1";
const PAGE: &str = "SELECT id, tenant, subject, since_at, until_at, reason, made_by, made_at, asked_at, asked_by, asked_reason, \
                    released_at, released_by FROM hold WHERE id < $1 ORDER BY id DESC LIMIT $2";
const IN_FORCE: &str = "SELECT id, tenant, subject, since_at, until_at, reason, made_by, made_at, asked_at, asked_by, asked_reason, \
                        released_at, released_by FROM hold WHERE released_at IS NULL ORDER BY id";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Revision, tests::both};

    fn hold(id: &str) -> HoldRecord {
        HoldRecord {
            id: id.into(),
            tenant: Some("bank".into()),
            subject: None,
            from: Some(Timestamp(3)),
            until: None,
            reason: "case 4711".into(),
            by: "bank/ann".into(),
            at: Timestamp(5),
            asked: None,
            released: None,
        }
    }

    #[tokio::test]
    async fn a_hold_stands_until_two_have_said_that_it_may_go() {
        let (stores, _folder) = both().await;
        for store in stores {
            let (one, two) = (hold("hol_1"), HoldRecord { tenant: None, from: None, ..hold("hol_2") });
            store.insert_hold(&one).await.unwrap();
            store.insert_hold(&two).await.unwrap();
            assert!(matches!(store.insert_hold(&two).await, Err(StoreError::Exists)));
            assert_eq!(store.holds_in_force().await.unwrap(), [one.clone(), two.clone()]);
            assert_eq!(store.holds(None, 1).await.unwrap(), [two]);
            assert_eq!(*store.holds(Some("hol_2"), 9).await.unwrap(), *std::slice::from_ref(&one));

            let release = |by, now| store.release_hold("hol_1", by, "over", Timestamp(now), Timestamp(now - 10));
            let asked = |at, by: &str| Some((Timestamp(at), by.into(), "over".to_owned()));
            let first = release("bank/ann", 20).await.unwrap().unwrap();
            assert_eq!((first.asked, first.released), (asked(20, "bank/ann"), None));
            let again = release("bank/ann", 21).await.unwrap().unwrap();
            assert_eq!((again.asked, again.released), (asked(21, "bank/ann"), None), "one and the same");
            let late = release("bank/ben", 32).await.unwrap().unwrap();
            assert_eq!((late.asked, late.released), (asked(32, "bank/ben"), None), "the first has lapsed");
            assert_eq!(store.holds_in_force().await.unwrap().len(), 2);
            let second = release("bank/ann", 33).await.unwrap().unwrap();
            assert_eq!(second.released, Some((Timestamp(33), "bank/ann".into())));
            assert_eq!(store.hold("hol_1").await.unwrap(), Some(second.clone()));
            assert_eq!(release("bank/eve", 40).await.unwrap(), Some(second), "it stays as it is");
            assert_eq!(store.holds_in_force().await.unwrap().len(), 1);
            assert_eq!(store.release_hold("hol_3", "x", "y", Timestamp(9), Timestamp(0)).await.unwrap(), None);
        }
    }

    #[tokio::test]
    async fn who_destroys_keys_sees_a_hold_that_was_added_meanwhile() {
        let (stores, _folder) = both().await;
        for store in stores {
            let mut seen = Revision::default();
            store.data_keys_if_changed(&mut seen).await.unwrap();
            assert!(store.holds_in_force().await.unwrap().is_empty());
            store.insert_hold(&hold("hol_1")).await.unwrap();
            assert!(!store.replace_data_keys(seen, &["a".into()], &[]).await.unwrap());
            store.data_keys_if_changed(&mut seen).await.unwrap();
            assert!(store.replace_data_keys(seen, &["a".into()], &[]).await.unwrap());
        }
    }
}
