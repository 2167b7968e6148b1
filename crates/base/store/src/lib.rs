//! The durable state of a deployment: API keys as records and hashes, in SQLite.
//!
//! It never sees a key or any other secret, decides nothing about who may do what, and is never asked while a request waits.
//!
//! Several processes may have the store open at once: a running gateway polls [`Store::keys_if_changed`] and so notices what the
//! command line did in another.

mod keys;
mod revocations;

use std::{fs::File, io, path::Path, time::Duration};

use sqlx::{
    SqlSafeStr, SqlitePool,
    migrate::{MigrateError, Migration, MigrationType, Migrator},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

pub use keys::KeyRecord;
pub use revocations::{FOR_GOOD, RevocationRecord};

/// The store.
#[derive(Clone, Debug)]
pub struct Store {
    pool: SqlitePool,
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
    /// SQLite failed; worth another try when it was busy or the disk was full.
    #[error("the store failed")]
    Database(#[from] sqlx::Error),
}

impl Store {
    /// Opens the store at `path`, which is created, readable by its owner alone, when it is absent; brings its tables up to date.
    ///
    /// # Errors
    /// [`StoreError::Create`], [`StoreError::Newer`], [`StoreError::Migrate`], [`StoreError::Database`].
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        // Held until the tables are there: SQLite itself does not wait for another who makes the same new store.
        let lock = tokio::task::spawn_blocking({
            let path = path.to_owned();
            move || create(&path)
        });
        let _lock = lock.await.map_err(io::Error::other).flatten().map_err(StoreError::Create)?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY)
            .pragma("cache_size", CACHE)
            .pragma("trusted_schema", "OFF");
        // One connection is one thread; the store has little to do.
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .acquire_timeout(BUSY)
            .connect_with(options)
            .await?;
        migrate(&pool).await?;
        Ok(Self { pool })
    }

    /// Whether the keys changed since `seen`, which is brought up to date. Whoever reads the keys afterwards must not lose
    /// the answer when that fails; [`Store::keys_if_changed`] does not.
    ///
    /// # Errors
    /// [`StoreError::Database`]; `seen` stays as it was.
    pub async fn changed(&self, seen: &mut Revision) -> Result<bool, StoreError> {
        let number: i64 =
            sqlx::query_scalar("SELECT number FROM revision WHERE part = 'keys'").fetch_one(&self.pool).await?;
        let now = Revision(number);
        Ok(std::mem::replace(seen, now) != now)
    }

    /// The keys, if they changed since `seen`. Until they have been read, `seen` stays as it was, so that a failure half-way
    /// loses no change; a change in between is seen twice and never missed.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Database`].
    pub async fn keys_if_changed(&self, seen: &mut Revision) -> Result<Option<Vec<KeyRecord>>, StoreError> {
        let mut now = *seen;
        if !self.changed(&mut now).await? {
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
}

async fn migrate(pool: &SqlitePool) -> Result<(), StoreError> {
    match Migrator::with_migrations(migrations()).run(pool).await {
        Ok(()) => Ok(()),
        Err(MigrateError::VersionMissing(_) | MigrateError::VersionTooNew(..)) => Err(StoreError::Newer),
        Err(e) => Err(StoreError::Migrate(Box::new(e))),
    }
}

/// Makes the file before SQLite does, which would let others read it, and waits for whoever else is opening the store.
fn create(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut beside = path.as_os_str().to_owned();
    beside.push(".lock");
    let lock = options.clone().create(true).truncate(false).open(beside)?;
    lock.lock()?;
    // Only when it is new: to close a file that SQLite has open elsewhere in this process would drop SQLite's locks on it.
    match options.create_new(true).open(path) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => Err(e),
        _ => Ok(lock),
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
    ]
}

/// How long one process waits for another's write.
const BUSY: Duration = Duration::from_secs(5);
/// Of pages kept in memory; negative is in KiB.
const CACHE: &str = "-256";

#[cfg(test)]
mod tests;
