//! Revocations: what is refused from now on, who said so, and why.

use std::sync::Arc;

use countersign_core::Timestamp;

use crate::{Revision, Store, StoreError, exists, keys::to_sql};

/// A revocation as it is kept.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RevocationRecord {
    /// Public id: `rev_...`; ids sort by time.
    pub id: Arc<str>,
    /// What is revoked, in the one text form of a target.
    pub target: Arc<str>,
    /// What was issued before this is refused; [`Timestamp::MAX`] for good.
    pub before: Timestamp,
    /// When everything it covers has ended by itself; it need not be kept in force any longer.
    pub until: Option<Timestamp>,
    /// When it was made.
    pub at: Timestamp,
    /// Who made it.
    pub by: Arc<str>,
    /// Why, in the words of who made it.
    pub reason: String,
    /// When and by whom it was lifted.
    pub lifted: Option<(Timestamp, Arc<str>)>,
}

impl Store {
    /// Adds a revocation. Who had seen everything until now has seen this one too, and `seen` says so.
    ///
    /// # Errors
    /// [`StoreError::Exists`], [`StoreError::Database`].
    pub async fn insert_revocation(&self, record: &RevocationRecord, seen: &mut Revision) -> Result<(), StoreError> {
        let mut transaction = self.change(PART).await?;
        sqlx::query(
            "INSERT INTO revocation (id, number, target, not_before, until, made_at, made_by, reason) \
             SELECT $1, number, $2, $3, $4, $5, $6, $7 FROM revision WHERE part = 'revocations'",
        )
        .bind(&*record.id)
        .bind(&*record.target)
        .bind(to_sql(record.before))
        .bind(record.until.map(to_sql))
        .bind(to_sql(record.at))
        .bind(&*record.by)
        .bind(&record.reason)
        .execute(&mut *transaction)
        .await
        .map_err(exists)?;
        let number: i64 = sqlx::query_scalar("SELECT number FROM revision WHERE part = $1")
            .bind(PART)
            .fetch_one(&mut *transaction)
            .await?;
        transaction.commit().await?;
        if seen.0 == number - 1 {
            *seen = Revision(number);
        }
        Ok(())
    }

    /// Lifts a revocation. None when there is none of that id, false beside the record when it was lifted before: then it
    /// keeps who lifted it first.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Database`].
    pub async fn lift_revocation(
        &self,
        id: &str,
        by: &str,
        now: Timestamp,
    ) -> Result<Option<(RevocationRecord, bool)>, StoreError> {
        let mut transaction = self.change(PART).await?;
        let lifted =
            sqlx::query("UPDATE revocation SET lifted_at = $1, lifted_by = $2 WHERE id = $3 AND lifted_at IS NULL")
                .bind(to_sql(now))
                .bind(by)
                .bind(id)
                .execute(&mut *transaction)
                .await?
                .rows_affected();
        let row: Option<Row> = sqlx::query_as(ONE).bind(id).fetch_optional(&mut *transaction).await?;
        if lifted == 0 {
            transaction.rollback().await?;
        } else {
            transaction.commit().await?;
        }
        row.map(|row| Ok((record(row)?, lifted > 0))).transpose()
    }

    /// The revocation of that id.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Database`].
    pub async fn revocation(&self, id: &str) -> Result<Option<RevocationRecord>, StoreError> {
        let row: Option<Row> = sqlx::query_as(ONE).bind(id).fetch_optional(&self.pool).await?;
        row.map(record).transpose()
    }

    /// Up to `limit` revocations that were made after the one numbered `after`, in the order in which they were made, each with its
    /// number.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Database`].
    pub async fn revocations_since(&self, after: i64, limit: u32) -> Result<Vec<(i64, RevocationRecord)>, StoreError> {
        let rows: Vec<Numbered> =
            sqlx::query_as(SINCE).bind(after).bind(i64::from(limit)).fetch_all(&self.pool).await?;
        let numbered = |row: Numbered| {
            let (number, id, target, before, until, at, by, reason, lifted_at, lifted_by) = row;
            Ok((number, record((id, target, before, until, at, by, reason, lifted_at, lifted_by))?))
        };
        rows.into_iter().map(numbered).collect()
    }

    /// Up to `limit` revocations, lifted ones included, newest first, beginning below the id `below`.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Database`].
    pub async fn revocations(&self, below: Option<&str>, limit: u32) -> Result<Vec<RevocationRecord>, StoreError> {
        let rows: Vec<Row> = sqlx::query_as(PAGE)
            // Every id sorts below this one.
            .bind(below.unwrap_or("rev_~"))
            .bind(i64::from(limit))
            .fetch_all(&self.pool)
            .await?;
        rows.into_iter().map(record).collect()
    }

    /// What is revoked at `now`, each target once with the latest moment before which its credentials are refused, if anything
    /// changed since `seen`. Until it has been read, `seen` stays as it was.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Database`].
    pub async fn revocations_if_changed(
        &self,
        seen: &mut Revision,
        now: Timestamp,
    ) -> Result<Option<Vec<(String, Timestamp)>>, StoreError> {
        let revision = self.revision(PART).await?;
        if *seen == revision {
            return Ok(None);
        }
        let rows: Vec<(String, i64)> = sqlx::query_as(IN_FORCE).bind(to_sql(now)).fetch_all(&self.pool).await?;
        let in_force = rows.into_iter().map(|(target, at)| Ok((target.clone(), before(at).ok_or(target)?)));
        let in_force = in_force.collect::<Result<_, _>>().map_err(StoreError::Damaged)?;
        *seen = revision;
        Ok(Some(in_force))
    }
}

type Row = (String, String, i64, Option<i64>, i64, String, String, Option<i64>, Option<String>);

/// The same, with its number before it.
type Numbered = (i64, String, String, i64, Option<i64>, i64, String, String, Option<i64>, Option<String>);

fn record(row: Row) -> Result<RevocationRecord, StoreError> {
    let (id, target, before, until, at, by, reason, lifted_at, lifted_by) = row;
    let damaged = || StoreError::Damaged(id.clone());
    let time = |t: i64| u64::try_from(t).map(Timestamp).map_err(|_| damaged());
    Ok(RevocationRecord {
        target: target.into(),
        before: self::before(before).ok_or_else(damaged)?,
        until: until.map(time).transpose()?,
        at: time(at)?,
        by: by.into(),
        reason,
        lifted: match (lifted_at, lifted_by) {
            (Some(at), Some(by)) => Some((time(at)?, by.into())),
            (None, None) => None,
            _ => return Err(damaged()),
        },
        id: id.as_str().into(),
    })
}

/// The end of time is the end of time on either side.
fn before(at: i64) -> Option<Timestamp> {
    if at == i64::MAX { Some(Timestamp::MAX) } else { u64::try_from(at).ok().map(Timestamp) }
}

/// The name under which changes to the revocations are counted.
const PART: &str = "revocations";
const ONE: &str = "SELECT id, target, not_before, until, made_at, made_by, reason, lifted_at, lifted_by \
                   FROM revocation WHERE id = $1";
const PAGE: &str = "SELECT id, target, not_before, until, made_at, made_by, reason, lifted_at, lifted_by \
                    FROM revocation WHERE id < $1 ORDER BY id DESC LIMIT $2";
const SINCE: &str = "SELECT number, id, target, not_before, until, made_at, made_by, reason, lifted_at, lifted_by \
                     FROM revocation WHERE number > $1 ORDER BY number LIMIT $2";
const IN_FORCE: &str = "SELECT target, MAX(not_before) FROM revocation \
                        WHERE lifted_at IS NULL AND (until IS NULL OR until > $1) GROUP BY target ORDER BY target";

#[cfg(test)]
mod tests;
