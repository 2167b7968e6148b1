//! Restraints: who is held back although their credential stands, who said so, why, and until when.

use std::sync::Arc;

use countersign_core::Timestamp;

use crate::{Revision, Store, StoreError, exists, keys::to_sql};

/// A restraint as it is kept.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RestraintRecord {
    /// Names the case: `qua_...`; ids sort by time.
    pub id: Arc<str>,
    /// Whom it is laid upon, in the one text form of a target.
    pub target: Arc<str>,
    /// How far, in the one text form of a measure.
    pub measure: Arc<str>,
    /// Since when.
    pub since: Timestamp,
    /// When it is over by itself.
    pub until: Timestamp,
    /// Who laid it: a principal, the command line, or a playbook.
    pub by: Arc<str>,
    /// Why.
    pub reason: String,
    /// The run of a playbook that laid it.
    pub run: Option<Arc<str>>,
    /// When it was released, by whom, and why.
    pub released: Option<(Timestamp, Arc<str>, String)>,
}

impl Store {
    /// Adds a restraint.
    ///
    /// # Errors
    /// [`StoreError::Exists`], [`StoreError::Database`].
    pub async fn insert_restraint(&self, record: &RestraintRecord) -> Result<(), StoreError> {
        let mut transaction = self.change(PART).await?;
        sqlx::query(
            "INSERT INTO restraint (id, target, measure, since, until, made_by, reason, run) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(&*record.id)
        .bind(&*record.target)
        .bind(&*record.measure)
        .bind(to_sql(record.since))
        .bind(to_sql(record.until))
        .bind(&*record.by)
        .bind(&record.reason)
        .bind(record.run.as_deref())
        .execute(&mut *transaction)
        .await
        .map_err(exists)?;
        Ok(transaction.commit().await?)
    }

    /// Releases a restraint; none when there is none of that id. One that was released keeps who did first, and why.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Database`].
    pub async fn release_restraint(
        &self,
        id: &str,
        by: &str,
        reason: &str,
        now: Timestamp,
    ) -> Result<Option<RestraintRecord>, StoreError> {
        let mut transaction = self.change(PART).await?;
        sqlx::query(
            "UPDATE restraint SET released_at = $1, released_by = $2, release_reason = $3 \
             WHERE id = $4 AND released_at IS NULL",
        )
        .bind(to_sql(now))
        .bind(by)
        .bind(reason)
        .bind(id)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        self.restraint(id).await
    }

    /// The restraint of that id.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Database`].
    pub async fn restraint(&self, id: &str) -> Result<Option<RestraintRecord>, StoreError> {
        let row: Option<Row> = sqlx::query_as(ONE).bind(id).fetch_optional(&self.pool).await?;
        row.map(record).transpose()
    }

    /// Up to `limit` restraints, those that are over included, newest first, beginning below the id `below`.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Database`].
    pub async fn restraints(&self, below: Option<&str>, limit: u32) -> Result<Vec<RestraintRecord>, StoreError> {
        let below = below.unwrap_or("qua_~");
        let rows: Vec<Row> = sqlx::query_as(PAGE).bind(below).bind(i64::from(limit)).fetch_all(&self.pool).await?;
        rows.into_iter().map(record).collect()
    }

    /// What a run of a playbook laid and nobody has released.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Database`].
    pub async fn restraints_of_run(&self, run: &str) -> Result<Vec<RestraintRecord>, StoreError> {
        let rows: Vec<Row> = sqlx::query_as(OF_RUN).bind(run).fetch_all(&self.pool).await?;
        rows.into_iter().map(record).collect()
    }

    /// All that is in force at `now`, if anything changed since `seen`. Until it has been read, `seen` stays as it was.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Database`].
    pub async fn restraints_if_changed(
        &self,
        seen: &mut Revision,
        now: Timestamp,
    ) -> Result<Option<Vec<RestraintRecord>>, StoreError> {
        let revision = self.revision(PART).await?;
        if *seen == revision {
            return Ok(None);
        }
        let rows: Vec<Row> = sqlx::query_as(IN_FORCE).bind(to_sql(now)).fetch_all(&self.pool).await?;
        let all = rows.into_iter().map(record).collect::<Result<_, _>>()?;
        *seen = revision;
        Ok(Some(all))
    }
}

type Row =
    (String, String, String, i64, i64, String, String, Option<String>, Option<i64>, Option<String>, Option<String>);

fn record(row: Row) -> Result<RestraintRecord, StoreError> {
    let (id, target, measure, since, until, by, reason, run, released_at, released_by, release_reason) = row;
    let time = |t: i64| u64::try_from(t).map(Timestamp).map_err(|_| StoreError::Damaged(id.clone()));
    Ok(RestraintRecord {
        target: target.into(),
        measure: measure.into(),
        since: time(since)?,
        until: time(until)?,
        by: by.into(),
        reason,
        run: run.map(Into::into),
        released: match (released_at, released_by, release_reason) {
            (Some(at), Some(by), Some(why)) => Some((time(at)?, by.into(), why)),
            (None, None, None) => None,
            _ => return Err(StoreError::Damaged(id)),
        },
        id: id.as_str().into(),
    })
}

const PART: &str = "restraints";
const ONE: &str = "SELECT id, target, measure, since, until, made_by, reason, run, released_at, released_by, release_reason \
                   FROM restraint WHERE id = $1";
const PAGE: &str = "SELECT id, target, measure, since, until, made_by, reason, run, released_at, released_by, release_reason \
                    FROM restraint WHERE id < $1 ORDER BY id DESC LIMIT $2";
const OF_RUN: &str = "SELECT id, target, measure, since, until, made_by, reason, run, released_at, released_by, release_reason \
                      FROM restraint WHERE run = $1 AND released_at IS NULL ORDER BY id";
const IN_FORCE: &str = "SELECT id, target, measure, since, until, made_by, reason, run, released_at, released_by, release_reason \
                        FROM restraint WHERE released_at IS NULL AND until > $1 ORDER BY id";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::both;

    fn laid(id: &str, until: u64) -> RestraintRecord {
        RestraintRecord {
            id: id.into(),
            target: "principal:bank/alice".into(),
            measure: "quarantine".into(),
            since: Timestamp(5),
            until: Timestamp(until),
            by: "playbook:canary-tripped".into(),
            reason: "a canary came out".into(),
            run: Some("run_1".into()),
            released: None,
        }
    }

    #[tokio::test]
    async fn a_restraint_is_in_force_until_it_is_over_or_released() {
        let (stores, _folder) = both().await;
        for store in stores {
            let mut seen = Revision::default();
            assert_eq!(store.restraints_if_changed(&mut seen, Timestamp(6)).await.unwrap(), Some(vec![]));
            let (one, two) = (laid("qua_1", 10), laid("qua_2", 20));
            store.insert_restraint(&one).await.unwrap();
            store.insert_restraint(&two).await.unwrap();
            assert!(matches!(store.insert_restraint(&two).await, Err(StoreError::Exists)));
            let now = store.restraints_if_changed(&mut seen, Timestamp(6)).await.unwrap().unwrap();
            assert_eq!(now, [one.clone(), two.clone()]);
            assert_eq!(store.restraints_if_changed(&mut seen, Timestamp(6)).await.unwrap(), None);
            let later = store.restraints_if_changed(&mut Revision::default(), Timestamp(10)).await.unwrap();
            assert_eq!(later, Some(vec![two.clone()]));
            assert_eq!(store.restraints(None, 9).await.unwrap(), [two.clone(), one]);

            let by = |by: &str| Some((Timestamp(7), by.into(), "looked at".to_owned()));
            let released = store.release_restraint("qua_2", "bank/ann", "looked at", Timestamp(7)).await.unwrap();
            assert_eq!(released, Some(RestraintRecord { released: by("bank/ann"), ..two }));
            let again = store.release_restraint("qua_2", "bank/ben", "me too", Timestamp(8)).await.unwrap();
            assert_eq!(again.unwrap().released, by("bank/ann"), "the first keeps it");
            assert_eq!(store.release_restraint("qua_3", "x", "y", Timestamp(8)).await.unwrap(), None);
            assert_eq!(store.restraints_of_run("run_1").await.unwrap().len(), 1);
            assert_eq!(store.restraints_if_changed(&mut seen, Timestamp(8)).await.unwrap().unwrap().len(), 1);
        }
    }
}
