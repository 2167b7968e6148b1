//! The store in a file of SQLite.

use std::{fs, io, path::Path};

use sqlx::{ConnectOptions, any::AnyConnectOptions, sqlite::SqliteConnectOptions};

use crate::StoreError;

/// A store's file, held against others who open it at the same moment.
///
/// Held until the tables are there: SQLite itself does not wait for another who makes the same new store.
pub(crate) struct File<'a> {
    path: &'a Path,
    _lock: fs::File,
}

impl<'a> File<'a> {
    pub(crate) async fn lock(path: &'a Path) -> io::Result<Self> {
        let lock = tokio::task::spawn_blocking({
            let path = path.to_owned();
            move || create(&path)
        });
        Ok(Self { path, _lock: lock.await.map_err(io::Error::other).flatten()? })
    }

    pub(crate) fn options(&self) -> Result<AnyConnectOptions, StoreError> {
        sqlx::any::install_default_drivers();
        // By way of its own options, which know how a path is written in an address.
        let address = SqliteConnectOptions::new().filename(self.path).to_url_lossy();
        Ok(AnyConnectOptions::from_url(&address)?)
    }
}

/// What survives a power cut, then what keeps one process waiting for another's write, then memory in KiB.
pub(crate) const SETTINGS: &[&str] = &[
    "PRAGMA busy_timeout = 5000",
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA trusted_schema = OFF",
    "PRAGMA cache_size = -256",
    // What is deleted is overwritten: it may be a key that somebody wants destroyed.
    "PRAGMA secure_delete = ON",
];

/// Writes the file anew, for pages that were split keep copies of rows that moved; then folds the log of what was written into it,
/// and cuts that to nothing.
pub(crate) const SCRUB: &[&str] = &["VACUUM", CUT];
/// The second half of it alone.
pub(crate) const CUT: &str = "PRAGMA wal_checkpoint(TRUNCATE)";

/// Makes the file before SQLite does, which would let others read it, and waits for whoever else is opening the store.
fn create(path: &Path) -> io::Result<fs::File> {
    let mut options = fs::File::options();
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
