//! The durable state of a deployment: API keys and session credentials as records and hashes, access granted for a time,
//! revocations, restraints, runs of playbooks, and what keeps changes and signals from being
//! made twice, in SQLite or PostgreSQL.
//!
//! It never sees a key or any other secret, decides nothing about who may do what, and is never asked while a request waits.
//!
//! Several processes may have the store open at once: a running gateway polls [`Store::keys_if_changed`] and so notices what the
//! command line did in another, or another node did.
//!
//! Every statement holds for both databases: parameters are `$1`, columns are TEXT or BIGINT, times are microseconds since 1970.
//! Each part of the store (the keys, say) has a row in `revision`. A change begins with `Store::change`, which raises that
//! number and so waits for whoever else is changing that part; readers who poll the number miss nothing.

mod access;
mod answers;
mod budgets;
mod crowd;
mod data_keys;
mod dealt_with;
mod directory;
mod exports;
mod holds;
mod keys;
mod postgres;
mod restraints;
mod revocations;
mod runs;
mod signals;
mod sqlite;
mod standings;
mod statistics;
mod unrecorded;

use std::{fmt, io, path::Path, time::Duration};

use sqlx::{
    Any, AnyPool, SqlSafeStr, Transaction,
    any::{AnyConnectOptions, AnyPoolOptions},
    migrate::{MigrateError, Migration, MigrationType, Migrator},
};

pub use access::SessionRecord;
pub use answers::Claim;
pub use budgets::{Figures, Spent};
pub use crowd::Sketch;
pub use data_keys::SealedSeed;
pub use directory::{GroupRecord, MemberRecord, UserRecord, Written};
pub use holds::HoldRecord;
pub use keys::KeyRecord;
pub use postgres::Postgres;
pub use restraints::RestraintRecord;
pub use revocations::RevocationRecord;
pub use runs::{Begun, RunRecord, StepRecord, Vote};
pub use standings::StandingRecord;
pub use statistics::Released;

/// The store.
#[derive(Clone)]
pub struct Store {
    pool: AnyPool,
    /// How a transaction begins that sees one moment throughout.
    snapshot: &'static str,
    /// What takes the rest of what was taken out off the disk.
    scrub: &'static [&'static str],
    /// Nodes share it.
    shared: bool,
}

/// How much of the store someone has seen. Starts before everything.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Revision(i64);

/// Why the store could not be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file cannot be created.
    #[error("the store's file cannot be created")]
    Create(#[source] io::Error),
    /// A newer release has changed the tables; this one must not touch them.
    #[error("the store was written by a newer release")]
    Newer,
    /// The tables could not be brought up to date.
    #[error("the store's tables could not be brought up to date")]
    Migrate(#[source] Box<MigrateError>),
    /// A key of that id or with that hash is there already.
    #[error("the key exists already")]
    Exists,
    /// No key has that id.
    #[error("no key has that id")]
    NoSuchKey,
    /// A row holds what no release writes.
    #[error("the record `{0}` is damaged")]
    Damaged(String),
    /// The address of the database cannot be used.
    #[error("the store's address cannot be used: {0}")]
    Address(&'static str),
    /// Others kept using what was to be taken off the disk; worth another try.
    #[error("the store is busy")]
    Busy,
    /// The database failed; worth another try when it was busy, away or out of space.
    #[error("the store failed")]
    Database(#[from] sqlx::Error),
}

impl Store {
    /// Opens the store at `path`, which is created, readable by its owner alone, when it is absent; brings its tables up to date.
    ///
    /// # Errors
    /// [`StoreError::Create`], [`StoreError::Newer`], [`StoreError::Migrate`], [`StoreError::Database`].
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        let file = sqlite::File::lock(path).await.map_err(StoreError::Create)?;
        // One connection is one thread; the store has little to do.
        let store = Self::with(file.options()?, 1, sqlite::SETTINGS, "BEGIN", sqlite::SCRUB, false).await?;
        // A crash may have come before the last thing that was destroyed was off the disk.
        sqlx::raw_sql(sqlite::CUT).execute(&store.pool).await?;
        Ok(store)
    }

    /// Opens the store in a PostgreSQL database, which must be there; brings its tables up to date.
    ///
    /// # Errors
    /// [`StoreError::Address`], [`StoreError::Newer`], [`StoreError::Migrate`], [`StoreError::Database`].
    pub async fn connect(to: &Postgres) -> Result<Self, StoreError> {
        let snapshot = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
        Self::with(to.options()?, postgres::CONNECTIONS, postgres::SETTINGS, snapshot, postgres::SCRUB, true).await
    }

    async fn with(
        options: AnyConnectOptions,
        connections: u32,
        settings: &'static [&'static str],
        snapshot: &'static str,
        scrub: &'static [&'static str],
        shared: bool,
    ) -> Result<Self, StoreError> {
        let pool = AnyPoolOptions::new()
            .max_connections(connections)
            .idle_timeout(None)
            .max_lifetime(None)
            .acquire_timeout(BUSY)
            .after_connect(move |connection, _| {
                Box::pin(async move {
                    for setting in settings {
                        sqlx::raw_sql(*setting).execute(&mut *connection).await?;
                    }
                    Ok(())
                })
            })
            .connect_with(options)
            .await?;
        let sorted: i64 = sqlx::query_scalar(SORTED).fetch_one(&pool).await?;
        if sorted == 0 {
            return Err(StoreError::Address("the database sorts text by a language; create it with LC_COLLATE 'C'"));
        }
        migrate(&pool).await?;
        Ok(Self { pool, snapshot, scrub, shared })
    }

    /// Whether other nodes may use it at the same time.
    #[must_use]
    pub const fn is_shared(&self) -> bool {
        self.shared
    }

    /// The keys, if they changed since `seen`. Until they have been read, `seen` stays as it was, so that a failure half-way
    /// loses no change; a change in between is seen twice and never missed.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Database`].
    pub async fn keys_if_changed(&self, seen: &mut Revision) -> Result<Option<Vec<KeyRecord>>, StoreError> {
        let now = self.revision(keys::PART).await?;
        if now == *seen {
            return Ok(None);
        }
        let keys = self.keys().await?;
        *seen = now;
        Ok(Some(keys))
    }

    /// Closes the store; SQLite folds its log into the file.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// How often `part` has changed. Read it before what it counts: then a change in between is seen twice and never missed.
    pub(crate) async fn revision(&self, part: &'static str) -> Result<Revision, StoreError> {
        let number: i64 =
            sqlx::query_scalar("SELECT number FROM revision WHERE part = $1").bind(part).fetch_one(&self.pool).await?;
        Ok(Revision(number))
    }

    /// Begins a change to `part`; dropped without `commit`, it has changed nothing. To raise the number first takes the lock
    /// that makes writers of one part wait for each other, on both databases: what is read afterwards stays true.
    pub(crate) async fn change(&self, part: &'static str) -> Result<Transaction<'static, Any>, StoreError> {
        let mut transaction = self.pool.begin().await?;
        let raised = sqlx::query("UPDATE revision SET number = number + 1 WHERE part = $1")
            .bind(part)
            .execute(&mut *transaction)
            .await?;
        if raised.rows_affected() == 1 { Ok(transaction) } else { Err(sqlx::Error::RowNotFound.into()) }
    }

    /// Begins to read several tables as they were at one moment.
    pub(crate) async fn snapshot(&self) -> Result<Transaction<'static, Any>, StoreError> {
        Ok(self.pool.begin_with(self.snapshot).await?)
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The pool knows the password.
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

/// What is there twice is said to be there.
pub(crate) fn exists(error: sqlx::Error) -> StoreError {
    match error.as_database_error() {
        Some(database) if database.is_unique_violation() => StoreError::Exists,
        _ => error.into(),
    }
}

async fn migrate(pool: &AnyPool) -> Result<(), StoreError> {
    match Migrator::with_migrations(migrations()).run(pool).await {
        Ok(()) => Ok(()),
        Err(MigrateError::VersionMissing(_) | MigrateError::VersionTooNew(..)) => Err(StoreError::Newer),
        Err(e) => Err(StoreError::Migrate(Box::new(e))),
    }
}

/// Every change to the tables there ever was, oldest first. One that a release has shipped is never edited.
fn migrations() -> Vec<Migration> {
    let up = |version, name: &'static str, sql: &'static str| {
        Migration::new(version, name.into(), MigrationType::Simple, SqlSafeStr::into_sql_str(sql), false)
    };
    vec![
        up(1, "api keys", include_str!("../migrations/0001_api_keys.sql")),
        up(2, "revocations", include_str!("../migrations/0002_revocations.sql")),
        up(3, "budgets", include_str!("../migrations/0003_budgets.sql")),
        up(4, "access", include_str!("../migrations/0004_access.sql")),
        up(5, "directory", include_str!("../migrations/0005_directory.sql")),
        up(6, "answers", include_str!("../migrations/0006_answers.sql")),
        up(7, "signals", include_str!("../migrations/0007_signals.sql")),
        up(8, "data keys", include_str!("../migrations/0008_data_keys.sql")),
        up(9, "signing keys", include_str!("../migrations/0009_signing_keys.sql")),
        up(10, "unrecorded", include_str!("../migrations/0010_unrecorded.sql")),
        up(11, "restraints", include_str!("../migrations/0011_restraints.sql")),
        up(12, "exports", include_str!("../migrations/0012_exports.sql")),
        up(13, "statistics", include_str!("../migrations/0013_statistics.sql")),
        up(14, "crowd", include_str!("../migrations/0014_crowd.sql")),
        up(15, "holds", include_str!("../migrations/0015_holds.sql")),
        up(16, "alerts dealt with", include_str!("../migrations/0016_alerts_dealt_with.sql")),
    ]
}

/// Whether text is sorted by its bytes, as ids that sort by time need it.
const SORTED: &str = "SELECT CAST(CASE WHEN 'a_~' > 'a_b' AND 'a' > 'B' THEN 1 ELSE 0 END AS BIGINT)";
/// How long a connection may be waited for.
const BUSY: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests;
