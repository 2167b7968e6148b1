//! Users and groups as a directory keeps them in step here.

use std::{collections::BTreeMap, sync::Arc};

use countersign_core::Timestamp;
use sqlx::{Any, Transaction};

use crate::{Revision, Store, StoreError, keys::to_sql};

/// A user as it is kept.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UserRecord {
    /// Public id: `usr_...`.
    pub id: Arc<str>,
    /// The tenant whose directory it is of.
    pub tenant: Arc<str>,
    /// The directory's own id, which tokens name their subject by.
    pub external_id: Option<String>,
    /// The name that the user signs in with.
    pub user_name: String,
    /// The user's name for people.
    pub display: Option<String>,
    /// Whether the user may use anything; yes where nothing was said.
    pub active: Option<bool>,
    /// When it was made.
    pub created: Timestamp,
    /// When it was changed last.
    pub modified: Timestamp,
    /// How often it was written.
    pub version: i64,
}

/// A group as it is kept.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct GroupRecord {
    /// Public id: `grp_...`.
    pub id: Arc<str>,
    /// The tenant whose directory it is of.
    pub tenant: Arc<str>,
    /// The directory's own id.
    pub external_id: Option<String>,
    /// The group's name.
    pub display: String,
    /// Ids of the users in it, sorted.
    pub members: Vec<Arc<str>>,
    /// When it was made.
    pub created: Timestamp,
    /// When it was changed last.
    pub modified: Timestamp,
    /// How often it was written.
    pub version: i64,
}

/// What the directory says of a subject of tokens.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MemberRecord {
    /// The tenant.
    pub tenant: Arc<str>,
    /// The directory's own id.
    pub external_id: Arc<str>,
    /// Whether the subject may use anything.
    pub active: bool,
    /// The groups it is in, each by the directory's own id, or where it has none by its name; sorted.
    pub groups: Vec<Arc<str>>,
}

/// What became of a write.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Written {
    /// It was done.
    Done,
    /// There is none of that id.
    Missing,
    /// It is of another version than the writer saw.
    Changed,
    /// Another has that name, or that id of the directory's.
    Taken,
    /// A member is no user of the tenant's.
    NoMember,
}

impl Store {
    /// The users of a tenant, oldest first.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Database`].
    pub async fn users(&self, tenant: &str) -> Result<Vec<UserRecord>, StoreError> {
        let rows: Vec<UserRow> = sqlx::query_as(USERS).bind(tenant).fetch_all(&self.pool).await?;
        rows.into_iter().map(user).collect()
    }

    /// One user of a tenant.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Database`].
    pub async fn user(&self, tenant: &str, id: &str) -> Result<Option<UserRecord>, StoreError> {
        let row: Option<UserRow> = sqlx::query_as(USER).bind(tenant).bind(id).fetch_optional(&self.pool).await?;
        row.map(user).transpose()
    }

    /// The user of a tenant who signs in with that name, in any case.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Database`].
    pub async fn user_named(&self, tenant: &str, name: &str) -> Result<Option<UserRecord>, StoreError> {
        let row: Option<UserRow> =
            sqlx::query_as(USER_NAMED).bind(tenant).bind(name.to_lowercase()).fetch_optional(&self.pool).await?;
        row.map(user).transpose()
    }

    /// Writes a user: a new one of version 1, or one in place of the version before.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn write_user(&self, user: &UserRecord) -> Result<Written, StoreError> {
        let mut transaction = self.change(PART).await?;
        let sql = if user.version == 1 { INSERT_USER } else { UPDATE_USER };
        let written = sqlx::query(sql)
            .bind(&*user.id)
            .bind(&*user.tenant)
            .bind(user.external_id.as_deref())
            .bind(&user.user_name)
            .bind(user.user_name.to_lowercase())
            .bind(user.display.as_deref())
            .bind(user.active.map(i64::from))
            .bind(to_sql(user.created))
            .bind(to_sql(user.modified))
            .bind(user.version)
            .execute(&mut *transaction)
            .await;
        let there = "SELECT COUNT(*) FROM directory_user WHERE tenant = $1 AND id = $2 AND gone IS NULL";
        conclude(transaction, written, there, &user.tenant, &user.id).await
    }

    /// Deletes a user: the names are forgotten. What is kept is the directory's id, whose principal stays shut out until the directory
    /// makes it anew.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn delete_user(
        &self,
        tenant: &str,
        id: &str,
        version: i64,
        now: Timestamp,
    ) -> Result<Written, StoreError> {
        let mut transaction = self.change(PART).await?;
        let written = sqlx::query(
            "UPDATE directory_user SET gone = $1, user_name = '', name_key = '', display = NULL \
             WHERE tenant = $2 AND id = $3 AND version = $4 AND gone IS NULL",
        )
        .bind(to_sql(now))
        .bind(tenant)
        .bind(id)
        .bind(version)
        .execute(&mut *transaction)
        .await;
        if matches!(&written, Ok(done) if done.rows_affected() == 1) {
            let members = sqlx::query("DELETE FROM directory_member WHERE user_id = $1").bind(id);
            members.execute(&mut *transaction).await?;
        }
        let there = "SELECT COUNT(*) FROM directory_user WHERE tenant = $1 AND id = $2 AND gone IS NULL";
        conclude(transaction, written, there, tenant, id).await
    }

    /// The groups of a tenant, oldest first.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Database`].
    pub async fn groups(&self, tenant: &str) -> Result<Vec<GroupRecord>, StoreError> {
        let mut snapshot = self.snapshot().await?;
        let rows: Vec<GroupRow> = sqlx::query_as(GROUPS).bind(tenant).fetch_all(&mut *snapshot).await?;
        let members: Vec<(String, String)> = sqlx::query_as(MEMBERS).bind(tenant).fetch_all(&mut *snapshot).await?;
        let mut by_group: BTreeMap<String, Vec<Arc<str>>> = BTreeMap::new();
        for (group, member) in members {
            by_group.entry(group).or_default().push(member.into());
        }
        rows.into_iter()
            .map(|row| {
                let members = by_group.remove(&row.0).unwrap_or_default();
                group(row, members)
            })
            .collect()
    }

    /// One group of a tenant.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Database`].
    pub async fn group(&self, tenant: &str, id: &str) -> Result<Option<GroupRecord>, StoreError> {
        let mut snapshot = self.snapshot().await?;
        let row: Option<GroupRow> = sqlx::query_as(GROUP).bind(tenant).bind(id).fetch_optional(&mut *snapshot).await?;
        let Some(row) = row else { return Ok(None) };
        let members: Vec<String> =
            sqlx::query_scalar("SELECT user_id FROM directory_member WHERE group_id = $1 ORDER BY user_id")
                .bind(id)
                .fetch_all(&mut *snapshot)
                .await?;
        group(row, members.into_iter().map(Into::into).collect()).map(Some)
    }

    /// Writes a group: a new one of version 1, or one in place of the version before. Its members are users of the tenant.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn write_group(&self, group: &GroupRecord) -> Result<Written, StoreError> {
        let mut transaction = self.change(PART).await?;
        let sql = if group.version == 1 { INSERT_GROUP } else { UPDATE_GROUP };
        let written = sqlx::query(sql)
            .bind(&*group.id)
            .bind(&*group.tenant)
            .bind(group.external_id.as_deref())
            .bind(&group.display)
            .bind(to_sql(group.created))
            .bind(to_sql(group.modified))
            .bind(group.version)
            .execute(&mut *transaction)
            .await;
        if matches!(&written, Ok(done) if done.rows_affected() == 1) {
            let before = sqlx::query("DELETE FROM directory_member WHERE group_id = $1").bind(&*group.id);
            before.execute(&mut *transaction).await?;
            for member in &group.members {
                let added = sqlx::query(
                    "INSERT INTO directory_member (group_id, user_id) \
                     SELECT $1, id FROM directory_user WHERE tenant = $2 AND id = $3 AND gone IS NULL",
                )
                .bind(&*group.id)
                .bind(&*group.tenant)
                .bind(&**member)
                .execute(&mut *transaction)
                .await?;
                if added.rows_affected() != 1 {
                    transaction.rollback().await?;
                    return Ok(Written::NoMember);
                }
            }
        }
        let there = "SELECT COUNT(*) FROM directory_group WHERE tenant = $1 AND id = $2";
        conclude(transaction, written, there, &group.tenant, &group.id).await
    }

    /// Deletes a group.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn delete_group(&self, tenant: &str, id: &str, version: i64) -> Result<Written, StoreError> {
        let mut transaction = self.change(PART).await?;
        let there = "SELECT COUNT(*) FROM directory_group WHERE tenant = $1 AND id = $2";
        let of = "SELECT COUNT(*) FROM directory_group WHERE tenant = $1 AND id = $2 AND version = $3";
        let ours: i64 = sqlx::query_scalar(of).bind(tenant).bind(id).bind(version).fetch_one(&mut *transaction).await?;
        if ours == 1 {
            let members = sqlx::query("DELETE FROM directory_member WHERE group_id = $1").bind(id);
            members.execute(&mut *transaction).await?;
        }
        let written = sqlx::query("DELETE FROM directory_group WHERE tenant = $1 AND id = $2 AND version = $3")
            .bind(tenant)
            .bind(id)
            .bind(version)
            .execute(&mut *transaction)
            .await;
        conclude(transaction, written, there, tenant, id).await
    }

    /// What the directories say of subjects of tokens, if anything changed since `seen`. A subject that was deleted and made anew is
    /// as the new one says. Until it has been read, `seen` stays as it was.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn directory_if_changed(&self, seen: &mut Revision) -> Result<Option<Vec<MemberRecord>>, StoreError> {
        let revision = self.revision(PART).await?;
        if *seen == revision {
            return Ok(None);
        }
        let mut snapshot = self.snapshot().await?;
        let subjects: Vec<(String, String, i64)> = sqlx::query_as(SUBJECTS).fetch_all(&mut *snapshot).await?;
        let groups: Vec<(String, String, String)> = sqlx::query_as(GROUPS_OF).fetch_all(&mut *snapshot).await?;
        let mut members: BTreeMap<(String, String), MemberRecord> = BTreeMap::new();
        for (tenant, external_id, active) in subjects {
            let record = MemberRecord {
                tenant: tenant.as_str().into(),
                external_id: external_id.as_str().into(),
                active: active != 0,
                groups: Vec::new(),
            };
            members.insert((tenant, external_id), record);
        }
        for (tenant, external_id, group) in groups {
            if let Some(member) = members.get_mut(&(tenant, external_id)) {
                member.groups.push(group.into());
            }
        }
        *seen = revision;
        Ok(Some(members.into_values().collect()))
    }
}

/// Commits a write that changed one row, and finds out why it changed none.
async fn conclude(
    mut transaction: Transaction<'static, Any>,
    written: Result<sqlx::any::AnyQueryResult, sqlx::Error>,
    there: &'static str,
    tenant: &str,
    id: &str,
) -> Result<Written, StoreError> {
    match written {
        Ok(done) if done.rows_affected() == 1 => {
            transaction.commit().await?;
            Ok(Written::Done)
        }
        Ok(_) => {
            let found: i64 = sqlx::query_scalar(there).bind(tenant).bind(id).fetch_one(&mut *transaction).await?;
            transaction.rollback().await?;
            Ok(if found == 0 { Written::Missing } else { Written::Changed })
        }
        Err(error) if error.as_database_error().is_some_and(|e| e.is_unique_violation()) => {
            transaction.rollback().await?;
            Ok(Written::Taken)
        }
        Err(error) => Err(error.into()),
    }
}

type UserRow = (String, String, Option<String>, String, Option<String>, Option<i64>, i64, i64, i64);
type GroupRow = (String, String, Option<String>, String, i64, i64, i64);

fn user(row: UserRow) -> Result<UserRecord, StoreError> {
    let (id, tenant, external_id, user_name, display, active, created, modified, version) = row;
    Ok(UserRecord {
        created: time(&id, created)?,
        modified: time(&id, modified)?,
        id: id.into(),
        tenant: tenant.into(),
        external_id,
        user_name,
        display,
        active: active.map(|active| active != 0),
        version,
    })
}

fn group(row: GroupRow, members: Vec<Arc<str>>) -> Result<GroupRecord, StoreError> {
    let (id, tenant, external_id, display, created, modified, version) = row;
    Ok(GroupRecord {
        created: time(&id, created)?,
        modified: time(&id, modified)?,
        id: id.into(),
        tenant: tenant.into(),
        external_id,
        display,
        members,
        version,
    })
}

fn time(id: &str, at: i64) -> Result<Timestamp, StoreError> {
    u64::try_from(at).map(Timestamp).map_err(|_| StoreError::Damaged(id.to_owned()))
}

/// The name under which changes to directories are counted.
const PART: &str = "directory";
const USERS: &str = "SELECT id, tenant, external_id, user_name, display, active, created, modified, version \
                     FROM directory_user WHERE tenant = $1 AND gone IS NULL ORDER BY id";
const USER: &str = "SELECT id, tenant, external_id, user_name, display, active, created, modified, version \
                    FROM directory_user WHERE tenant = $1 AND id = $2 AND gone IS NULL";
const USER_NAMED: &str = "SELECT id, tenant, external_id, user_name, display, active, created, modified, version \
                          FROM directory_user WHERE tenant = $1 AND name_key = $2 AND gone IS NULL";
const INSERT_USER: &str = "INSERT INTO directory_user \
     (id, tenant, external_id, user_name, name_key, display, active, created, modified, version) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
const UPDATE_USER: &str = "UPDATE directory_user SET external_id = $3, user_name = $4, name_key = $5, display = $6, active = $7, \
     created = $8, modified = $9, version = $10 WHERE id = $1 AND tenant = $2 AND version = $10 - 1 AND gone IS NULL";
const GROUPS: &str = "SELECT id, tenant, external_id, display, created, modified, version \
                      FROM directory_group WHERE tenant = $1 ORDER BY id";
const GROUP: &str = "SELECT id, tenant, external_id, display, created, modified, version \
                     FROM directory_group WHERE tenant = $1 AND id = $2";
const MEMBERS: &str = "SELECT m.group_id, m.user_id FROM directory_member m JOIN directory_group g ON g.id = m.group_id \
                       WHERE g.tenant = $1 ORDER BY m.group_id, m.user_id";
const INSERT_GROUP: &str = "INSERT INTO directory_group (id, tenant, external_id, display, created, modified, version) \
                            VALUES ($1, $2, $3, $4, $5, $6, $7)";
const UPDATE_GROUP: &str = "UPDATE directory_group SET external_id = $3, display = $4, created = $5, modified = $6, version = $7 \
                            WHERE id = $1 AND tenant = $2 AND version = $7 - 1";
/// Who is there goes before who is gone under the same id.
const SUBJECTS: &str = "SELECT tenant, external_id, MAX(CASE WHEN gone IS NULL AND COALESCE(active, 1) = 1 THEN 1 ELSE 0 END) \
                        FROM directory_user WHERE external_id IS NOT NULL GROUP BY tenant, external_id";
const GROUPS_OF: &str = "SELECT u.tenant, u.external_id, COALESCE(g.external_id, g.display) AS name \
                         FROM directory_member m JOIN directory_user u ON u.id = m.user_id JOIN directory_group g ON g.id = m.group_id \
                         WHERE u.external_id IS NOT NULL AND u.gone IS NULL ORDER BY u.tenant, u.external_id, name";

#[cfg(test)]
mod tests;
