//! Records of API keys.

use std::{collections::HashMap, fmt, sync::Arc};

use crate::{Store, StoreError, exists};
use countersign_core::{Timestamp, principal::PrincipalKind};
use data_encoding::HEXLOWER;

/// An API key as it is kept: everything but the key.
#[derive(Clone, Eq, PartialEq)]
pub struct KeyRecord {
    /// Public id, as in logs and audit records: `key_...`.
    pub id: Arc<str>,
    /// HMAC-SHA256 of the key.
    pub hash: [u8; 32],
    /// The tenant the key's requests live under.
    pub tenant: Arc<str>,
    /// Whose key it is.
    pub subject: Arc<str>,
    /// What kind of being that is.
    pub kind: PrincipalKind,
    /// Names of roles, sorted and without doubles once stored.
    pub roles: Vec<Arc<str>>,
    /// What the key is restricted to, sorted and without doubles once stored.
    pub scopes: Vec<Arc<str>>,
    /// When it was made.
    pub created: Timestamp,
    /// When it ends by itself.
    pub expires: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// What it is for, in its maker's words.
    pub note: String,
}

impl Store {
    /// Every key, revoked and expired ones included, oldest first.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Database`].
    pub async fn keys(&self) -> Result<Vec<KeyRecord>, StoreError> {
        let mut transaction = self.snapshot().await?;
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT id, hash, tenant, subject, kind, created, expires, revoked_at, note FROM api_key ORDER BY created, id",
        )
        .fetch_all(&mut *transaction)
        .await?;
        let grants: Vec<(String, String, String)> =
            sqlx::query_as("SELECT key_id, kind, name FROM api_key_grant ORDER BY key_id, kind, name")
                .fetch_all(&mut *transaction)
                .await?;
        transaction.rollback().await?;

        let mut by_key: HashMap<String, Grants> = HashMap::new();
        for (key, kind, name) in grants {
            let (roles, scopes) = by_key.entry(key).or_default();
            match kind.as_str() {
                "role" => roles.push(name.into()),
                // Taken for a scope, an unknown grant can only restrict.
                _ => scopes.push(name.into()),
            }
        }
        rows.into_iter()
            .map(|row| {
                let (roles, scopes) = by_key.remove(&row.0).unwrap_or_default();
                record(row, roles, scopes)
            })
            .collect()
    }

    /// Adds a key.
    ///
    /// # Errors
    /// [`StoreError::Exists`], [`StoreError::Database`].
    pub async fn insert_key(&self, key: &KeyRecord) -> Result<(), StoreError> {
        let mut transaction = self.change(PART).await?;
        sqlx::query(
            "INSERT INTO api_key (id, hash, tenant, subject, kind, created, expires, revoked_at, note) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(&*key.id)
        .bind(HEXLOWER.encode(&key.hash))
        .bind(&*key.tenant)
        .bind(&*key.subject)
        .bind(key.kind.as_str())
        .bind(to_sql(key.created))
        .bind(key.expires.map(to_sql))
        .bind(key.revoked_at.map(to_sql))
        .bind(&key.note)
        .execute(&mut *transaction)
        .await
        .map_err(exists)?;
        for (kind, names) in [("role", &key.roles), ("scope", &key.scopes)] {
            let mut names = names.clone();
            names.sort();
            names.dedup();
            for name in names {
                sqlx::query("INSERT INTO api_key_grant (key_id, kind, name) VALUES ($1, $2, $3)")
                    .bind(&*key.id)
                    .bind(kind)
                    .bind(&*name)
                    .execute(&mut *transaction)
                    .await?;
            }
        }
        Ok(transaction.commit().await?)
    }

    /// Revokes a key; whether it stood until now. Once revoked it keeps the time of the first revocation.
    ///
    /// # Errors
    /// [`StoreError::NoSuchKey`], [`StoreError::Database`].
    pub async fn revoke_key(&self, id: &str, now: Timestamp) -> Result<bool, StoreError> {
        let mut transaction = self.change(PART).await?;
        let revoked: Option<Option<i64>> = sqlx::query_scalar("SELECT revoked_at FROM api_key WHERE id = $1")
            .bind(id)
            .fetch_optional(&mut *transaction)
            .await?;
        match revoked {
            None => Err(StoreError::NoSuchKey),
            Some(Some(_)) => Ok(false),
            Some(None) => {
                sqlx::query("UPDATE api_key SET revoked_at = $1 WHERE id = $2")
                    .bind(to_sql(now))
                    .bind(id)
                    .execute(&mut *transaction)
                    .await?;
                transaction.commit().await?;
                Ok(true)
            }
        }
    }
}

impl fmt::Debug for KeyRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRecord")
            .field("id", &self.id)
            .field("tenant", &self.tenant)
            .field("subject", &self.subject)
            .field("revoked_at", &self.revoked_at)
            .finish_non_exhaustive()
    }
}

/// The name under which changes to the keys are counted.
pub(crate) const PART: &str = "keys";

/// Roles and scopes.
type Grants = (Vec<Arc<str>>, Vec<Arc<str>>);

type Row = (String, String, String, String, String, i64, Option<i64>, Option<i64>, String);

fn record(row: Row, roles: Vec<Arc<str>>, scopes: Vec<Arc<str>>) -> Result<KeyRecord, StoreError> {
    let (id, hash, tenant, subject, kind, created, expires, revoked_at, note) = row;
    let damaged = || StoreError::Damaged(id.clone());
    let time = |t: i64| u64::try_from(t).map(Timestamp).map_err(|_| damaged());
    Ok(KeyRecord {
        hash: HEXLOWER.decode(hash.as_bytes()).ok().and_then(|h| h.try_into().ok()).ok_or_else(damaged)?,
        tenant: tenant.into(),
        subject: subject.into(),
        kind: kind_of(&kind).ok_or_else(damaged)?,
        roles,
        scopes,
        created: time(created)?,
        expires: expires.map(time).transpose()?,
        revoked_at: revoked_at.map(time).transpose()?,
        note,
        id: id.as_str().into(),
    })
}

pub(crate) fn kind_of(name: &str) -> Option<PrincipalKind> {
    [PrincipalKind::Person, PrincipalKind::Service, PrincipalKind::Agent].into_iter().find(|kind| kind.as_str() == name)
}

/// Times past the year 294246 are that year's.
pub(crate) fn to_sql(time: Timestamp) -> i64 {
    i64::try_from(time.0).unwrap_or(i64::MAX)
}
