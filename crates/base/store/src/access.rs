//! Cases of access for a purpose and a time, and the sessions opened on them.

use std::{collections::HashMap, sync::Arc, time::Duration};

use countersign_core::{
    Confirmation, Target, Timestamp,
    access::{Being, Case, Closed, Decision, Ending, Grant},
};
use data_encoding::HEXLOWER;
use sqlx::{Any, AnyConnection, Row as _, Transaction, any::AnyRow};

use crate::{
    Revision, Store, StoreError, exists,
    keys::{kind_of, to_sql},
};

/// A session as it is kept: everything but its credential.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SessionRecord {
    /// Public id: `ses_...`.
    pub id: Arc<str>,
    /// The case it was opened on.
    pub case: Arc<Case>,
    /// HMAC-SHA256 of the credential.
    pub hash: [u8; 32],
    /// The key it is bound to.
    pub bound: Confirmation,
    /// Who acts for the holder, the newest first.
    pub acts: Vec<Arc<str>>,
    /// All that revokes it, as it did the credentials that it was opened with.
    pub covering: Vec<Target>,
    /// When the older of those credentials was issued.
    pub issued: Timestamp,
    /// When it was opened.
    pub created: Timestamp,
    /// The first moment at which it is over.
    pub expires: Timestamp,
}

impl Store {
    /// Adds a case.
    ///
    /// # Errors
    /// [`StoreError::Exists`], [`StoreError::Database`].
    pub async fn insert_case(&self, case: &Case) -> Result<(), StoreError> {
        let mut transaction = self.change(PART).await?;
        sqlx::query(
            "INSERT INTO access_case (id, access, asker_tenant, asker, holder_tenant, holder, holder_kind, actor_tenant, actor, \
             purpose, span, asked, needed, glass) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
        )
        .bind(&*case.id)
        .bind(&*case.access)
        .bind(&*case.asker.tenant)
        .bind(&*case.asker.subject)
        .bind(&*case.holder.tenant)
        .bind(&*case.holder.subject)
        .bind(case.kind.as_str())
        .bind(case.actor.as_ref().map(|actor| actor.tenant.to_string()))
        .bind(case.actor.as_ref().map(|actor| actor.subject.to_string()))
        .bind(&case.purpose)
        .bind(i64::try_from(case.span.as_micros()).unwrap_or(i64::MAX))
        .bind(to_sql(case.asked))
        .bind(i64::from(case.needed))
        .bind(i64::from(case.glass))
        .execute(&mut *transaction)
        .await
        .map_err(exists)?;
        for (place, thing) in case.things.iter().enumerate() {
            name(&mut transaction, &case.id, "thing", place, thing).await?;
        }
        write_progress(&mut transaction, case, 0).await?;
        Ok(transaction.commit().await?)
    }

    /// The case of that id.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Database`].
    pub async fn case(&self, id: &str) -> Result<Option<Case>, StoreError> {
        let mut transaction = self.snapshot().await?;
        let case = read_case(&mut transaction, id).await?;
        transaction.rollback().await?;
        Ok(case)
    }

    /// Puts `after` in the place of `before`; false, and nothing is changed, when the case is not as `before` any more. What was asked
    /// for never changes, nor a word that was said.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Database`].
    pub async fn replace_case(&self, before: &Case, after: &Case) -> Result<bool, StoreError> {
        let mut transaction = self.change(PART).await?;
        if read_case(&mut transaction, &before.id).await?.as_ref() != Some(before) {
            transaction.rollback().await?;
            return Ok(false);
        }
        write_progress(&mut transaction, after, before.decisions.len()).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Up to `limit` cases, newest first, beginning below the id `below`; of one holder alone where one is named.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Database`].
    pub async fn cases(&self, of: Option<&Being>, below: Option<&str>, limit: u32) -> Result<Vec<Case>, StoreError> {
        let mut transaction = self.snapshot().await?;
        let ids: Vec<(String,)> = sqlx::query_as(
            "SELECT id FROM access_case WHERE id < $1 AND ($2 = 0 OR (holder_tenant = $3 AND holder = $4) \
             OR (asker_tenant = $3 AND asker = $4) OR (actor_tenant = $3 AND actor = $4)) ORDER BY id DESC LIMIT $5",
        )
        // Every id sorts below this one.
        .bind(below.unwrap_or("acc_~"))
        .bind(i64::from(of.is_some()))
        .bind(of.map_or("", |being| &being.tenant))
        .bind(of.map_or("", |being| &being.subject))
        .bind(i64::from(limit))
        .fetch_all(&mut *transaction)
        .await?;
        let cases = read_cases(&mut transaction, ids).await?;
        transaction.rollback().await?;
        Ok(cases)
    }

    /// The cases that were granted and not over at `from`, or after it, newest first.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Database`].
    pub async fn granted_since(&self, from: Timestamp) -> Result<Vec<Case>, StoreError> {
        let mut transaction = self.snapshot().await?;
        let ids: Vec<(String,)> = sqlx::query_as("SELECT id FROM access_case WHERE ends > $1 ORDER BY id DESC")
            .bind(to_sql(from))
            .fetch_all(&mut *transaction)
            .await?;
        let cases = read_cases(&mut transaction, ids).await?;
        transaction.rollback().await?;
        Ok(cases)
    }

    /// How many cases of a holder still have to be reviewed.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn unreviewed(&self, holder: &Being) -> Result<usize, StoreError> {
        let count: i64 = sqlx::query_scalar(
            "SELECT COUNT(*) FROM access_case c WHERE c.glass = 1 AND c.holder_tenant = $1 AND c.holder = $2 AND NOT EXISTS \
             (SELECT 1 FROM access_word w WHERE w.case_id = c.id AND w.sort = 'review')",
        )
        .bind(&*holder.tenant)
        .bind(&*holder.subject)
        .fetch_one(&self.pool)
        .await?;
        Ok(usize::try_from(count).unwrap_or(usize::MAX))
    }

    /// How many cases still have to be reviewed.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn unreviewed_cases(&self) -> Result<usize, StoreError> {
        let count: i64 = sqlx::query_scalar(
            "SELECT COUNT(*) FROM access_case c WHERE c.glass = 1 AND NOT EXISTS \
             (SELECT 1 FROM access_word w WHERE w.case_id = c.id AND w.sort = 'review')",
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(usize::try_from(count).unwrap_or(usize::MAX))
    }

    /// Adds a session.
    ///
    /// # Errors
    /// [`StoreError::Exists`], [`StoreError::Database`].
    pub async fn insert_session(&self, session: &SessionRecord) -> Result<(), StoreError> {
        let mut transaction = self.change(PART).await?;
        sqlx::query(
            "INSERT INTO access_session (id, case_id, hash, bound, issued, created, expires) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(&*session.id)
        .bind(&*session.case.id)
        .bind(HEXLOWER.encode(&session.hash))
        .bind(session.bound.to_string())
        .bind(to_sql(session.issued))
        .bind(to_sql(session.created))
        .bind(to_sql(session.expires))
        .execute(&mut *transaction)
        .await
        .map_err(exists)?;
        let acts = session.acts.iter().map(|act| ("act", act.to_string()));
        let covering = session.covering.iter().map(|target| ("covering", target.to_string()));
        for (place, (sort, name)) in acts.chain(covering).enumerate() {
            sqlx::query("INSERT INTO access_session_name (session_id, sort, place, name) VALUES ($1, $2, $3, $4)")
                .bind(&*session.id)
                .bind(sort)
                .bind(number(place))
                .bind(name)
                .execute(&mut *transaction)
                .await?;
        }
        Ok(transaction.commit().await?)
    }

    /// The sessions that are not over at `now` and whose case is not closed, if anything changed since `seen`. Until they have been
    /// read, `seen` stays as it was.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Database`].
    pub async fn sessions_if_changed(
        &self,
        seen: &mut Revision,
        now: Timestamp,
    ) -> Result<Option<Vec<SessionRecord>>, StoreError> {
        let revision = self.revision(PART).await?;
        if *seen == revision {
            return Ok(None);
        }
        let mut transaction = self.snapshot().await?;
        let rows = sqlx::query(
            "SELECT s.id, s.case_id, s.hash, s.bound, s.issued, s.created, s.expires FROM access_session s \
             JOIN access_case c ON c.id = s.case_id \
             WHERE s.ended IS NULL AND s.expires > $1 AND c.closed_at IS NULL AND c.ends > $1 ORDER BY s.id",
        )
        .bind(to_sql(now))
        .fetch_all(&mut *transaction)
        .await?;
        let mut cases: HashMap<String, Arc<Case>> = HashMap::new();
        let mut sessions = Vec::with_capacity(rows.len());
        for row in rows {
            let id: String = row.try_get("case_id")?;
            let case = match cases.get(&id) {
                Some(case) => case.clone(),
                None => {
                    let case =
                        read_case(&mut transaction, &id).await?.ok_or_else(|| StoreError::Damaged(id.clone()))?;
                    cases.entry(id).or_insert_with(|| Arc::new(case)).clone()
                }
            };
            sessions.push(read_session(&mut transaction, &row, case).await?);
        }
        transaction.rollback().await?;
        *seen = revision;
        Ok(Some(sessions))
    }

    /// Marks what is over at `now` as over for good, so that a clock that is set back brings nothing to life again; how many there
    /// were.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn end_sessions(&self, now: Timestamp) -> Result<u64, StoreError> {
        let mut transaction = self.change(PART).await?;
        let ended = sqlx::query("UPDATE access_session SET ended = $1 WHERE ended IS NULL AND expires <= $1")
            .bind(to_sql(now))
            .execute(&mut *transaction)
            .await?
            .rows_affected();
        if ended == 0 {
            transaction.rollback().await?;
        } else {
            transaction.commit().await?;
        }
        Ok(ended)
    }
}

/// Writes what can change about a case: its grant, its end, and the words beyond the `known` first decisions.
async fn write_progress(transaction: &mut Transaction<'_, Any>, case: &Case, known: usize) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE access_case SET begins = $1, ends = $2, closed_how = $3, closed_tenant = $4, closed_by = $5, closed_at = $6 \
         WHERE id = $7",
    )
    .bind(case.grant.as_ref().map(|grant| to_sql(grant.begins)))
    .bind(case.grant.as_ref().map(|grant| to_sql(grant.ends)))
    .bind(case.closed.as_ref().map(|closed| closed.how.as_str()))
    .bind(case.closed.as_ref().map(|closed| closed.by.tenant.to_string()))
    .bind(case.closed.as_ref().map(|closed| closed.by.subject.to_string()))
    .bind(case.closed.as_ref().map(|closed| to_sql(closed.at)))
    .bind(&*case.id)
    .execute(&mut **transaction)
    .await?;
    sqlx::query("DELETE FROM access_name WHERE case_id = $1 AND sort = 'role'")
        .bind(&*case.id)
        .execute(&mut **transaction)
        .await?;
    for (place, role) in case.grant.iter().flat_map(|grant| &grant.roles).enumerate() {
        name(transaction, &case.id, "role", place, role).await?;
    }
    for (place, decision) in case.decisions.iter().enumerate().skip(known) {
        word(transaction, &case.id, "decision", place, decision).await?;
    }
    if let Some(review) = &case.review {
        sqlx::query("DELETE FROM access_word WHERE case_id = $1 AND sort = 'review'")
            .bind(&*case.id)
            .execute(&mut **transaction)
            .await?;
        word(transaction, &case.id, "review", 0, review).await?;
    }
    Ok(())
}

async fn name(
    transaction: &mut Transaction<'_, Any>,
    case: &str,
    sort: &'static str,
    place: usize,
    name: &str,
) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO access_name (case_id, sort, place, name) VALUES ($1, $2, $3, $4)")
        .bind(case)
        .bind(sort)
        .bind(number(place))
        .bind(name)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

async fn word(
    transaction: &mut Transaction<'_, Any>,
    case: &str,
    sort: &'static str,
    place: usize,
    said: &Decision,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO access_word (case_id, sort, place, tenant, subject, yes, at, note) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(case)
    .bind(sort)
    .bind(number(place))
    .bind(&*said.by.tenant)
    .bind(&*said.by.subject)
    .bind(i64::from(said.yes))
    .bind(to_sql(said.at))
    .bind(&said.note)
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

async fn read_cases(connection: &mut AnyConnection, ids: Vec<(String,)>) -> Result<Vec<Case>, StoreError> {
    let mut cases = Vec::with_capacity(ids.len());
    for (id,) in ids {
        cases.extend(read_case(connection, &id).await?);
    }
    Ok(cases)
}

async fn read_case(connection: &mut AnyConnection, id: &str) -> Result<Option<Case>, StoreError> {
    let row = sqlx::query("SELECT * FROM access_case WHERE id = $1").bind(id).fetch_optional(&mut *connection).await?;
    let Some(row) = row else { return Ok(None) };
    let names: Vec<(String, String)> =
        sqlx::query_as("SELECT sort, name FROM access_name WHERE case_id = $1 ORDER BY sort, place")
            .bind(id)
            .fetch_all(&mut *connection)
            .await?;
    let words = sqlx::query(
        "SELECT sort, tenant, subject, yes, at, note FROM access_word WHERE case_id = $1 ORDER BY sort, place",
    )
    .bind(id)
    .fetch_all(&mut *connection)
    .await?;
    let damaged = || StoreError::Damaged(id.to_owned());
    let time = |t: i64| u64::try_from(t).map(Timestamp).map_err(|_| damaged());
    let being = |tenant: &str, subject: &str| -> Result<Option<Being>, StoreError> {
        match (row.try_get::<Option<String>, _>(tenant)?, row.try_get::<Option<String>, _>(subject)?) {
            (Some(tenant), Some(subject)) => Ok(Some(Being { tenant: tenant.into(), subject: subject.into() })),
            (None, None) => Ok(None),
            _ => Err(damaged()),
        }
    };
    let names_of = |wanted| names.iter().filter(move |(sort, _)| sort == wanted).map(|(_, name)| Arc::from(&**name));
    let mut said: HashMap<String, Vec<Decision>> = HashMap::new();
    for word in &words {
        let by = Being {
            tenant: word.try_get::<String, _>("tenant")?.into(),
            subject: word.try_get::<String, _>("subject")?.into(),
        };
        let decision = Decision {
            by,
            yes: word.try_get::<i64, _>("yes")? == 1,
            at: time(word.try_get("at")?)?,
            note: word.try_get("note")?,
        };
        said.entry(word.try_get("sort")?).or_default().push(decision);
    }
    let closed = match (row.try_get::<Option<String>, _>("closed_how")?, row.try_get::<Option<i64>, _>("closed_at")?) {
        (Some(how), Some(at)) => Some(Closed {
            how: Ending::ALL.into_iter().find(|ending| ending.as_str() == how).ok_or_else(damaged)?,
            by: being("closed_tenant", "closed_by")?.ok_or_else(damaged)?,
            at: time(at)?,
        }),
        (None, None) => None,
        _ => return Err(damaged()),
    };
    let grant = match (row.try_get::<Option<i64>, _>("begins")?, row.try_get::<Option<i64>, _>("ends")?) {
        (Some(begins), Some(ends)) => {
            Some(Grant { roles: names_of("role").collect(), begins: time(begins)?, ends: time(ends)? })
        }
        (None, None) => None,
        _ => return Err(damaged()),
    };
    Ok(Some(Case {
        access: row.try_get::<String, _>("access")?.into(),
        asker: being("asker_tenant", "asker")?.ok_or_else(damaged)?,
        holder: being("holder_tenant", "holder")?.ok_or_else(damaged)?,
        kind: kind_of(&row.try_get::<String, _>("holder_kind")?).ok_or_else(damaged)?,
        actor: being("actor_tenant", "actor")?,
        things: names_of("thing").collect(),
        purpose: row.try_get("purpose")?,
        span: u64::try_from(row.try_get::<i64, _>("span")?).map(Duration::from_micros).map_err(|_| damaged())?,
        asked: time(row.try_get("asked")?)?,
        needed: u32::try_from(row.try_get::<i64, _>("needed")?).map_err(|_| damaged())?,
        decisions: said.remove("decision").unwrap_or_default(),
        glass: row.try_get::<i64, _>("glass")? == 1,
        grant,
        closed,
        review: said.remove("review").and_then(|mut reviews| reviews.pop()),
        id: id.into(),
    }))
}

async fn read_session(
    connection: &mut AnyConnection,
    row: &AnyRow,
    case: Arc<Case>,
) -> Result<SessionRecord, StoreError> {
    let id: String = row.try_get("id")?;
    let damaged = || StoreError::Damaged(id.clone());
    let time = |name: &str| -> Result<Timestamp, StoreError> {
        u64::try_from(row.try_get::<i64, _>(name)?).map(Timestamp).map_err(|_| damaged())
    };
    let names: Vec<(String, String)> =
        sqlx::query_as("SELECT sort, name FROM access_session_name WHERE session_id = $1 ORDER BY place")
            .bind(&id)
            .fetch_all(connection)
            .await?;
    let names_of = |wanted| names.iter().filter(move |(sort, _)| sort == wanted).map(|(_, name)| &**name);
    Ok(SessionRecord {
        case,
        hash: hash(row.try_get("hash")?).ok_or_else(damaged)?,
        bound: bound_of(row.try_get("bound")?).ok_or_else(damaged)?,
        acts: names_of("act").map(Arc::from).collect(),
        covering: names_of("covering").map(str::parse).collect::<Result<_, _>>().map_err(|_| damaged())?,
        issued: time("issued")?,
        created: time("created")?,
        expires: time("expires")?,
        id: id.as_str().into(),
    })
}

fn bound_of(text: String) -> Option<Confirmation> {
    match text.split_once(':')? {
        ("x5t#S256", hex) => hash(hex.to_owned()).map(Confirmation::Certificate),
        ("jkt", hex) => hash(hex.to_owned()).map(Confirmation::Key),
        _ => None,
    }
}

fn hash(hex: String) -> Option<[u8; 32]> {
    HEXLOWER.decode(hex.as_bytes()).ok()?.try_into().ok()
}

fn number(place: usize) -> i64 {
    i64::try_from(place).unwrap_or(i64::MAX)
}

/// The name under which changes to cases and sessions are counted.
const PART: &str = "access";

#[cfg(test)]
mod tests;
