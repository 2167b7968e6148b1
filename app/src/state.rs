//! The state directory: root key, key store, sealed secrets and audit log, private to the user that runs the gateway.

use std::{
    fs,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context;
use countersign_core::{Code, Secret};
use countersign_identity::key;
use countersign_seal::{KeyHasher, KeyRing, SecretBook};
use countersign_store::Store;

use crate::{
    cli::WithConfig,
    cmd::{Failure, init::write_new},
    config,
};

/// An open state directory.
pub(crate) struct State {
    dir: PathBuf,
    node: String,
    ring: Arc<KeyRing>,
    store: Store,
}

impl State {
    /// Opens the state of a configuration, reading no more of the configuration than where it is.
    pub(crate) async fn of(args: &WithConfig) -> anyhow::Result<Self> {
        let (dir, node) = config::place(&args.config).map_err(crate::cmd::Problems)?;
        Self::open(&dir, &node).await
    }

    /// Opens a state directory, making what is missing.
    pub(crate) async fn open(dir: &Path, node: &str) -> anyhow::Result<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|e| {
            unusable(format!("`{}` cannot be made: {e}", dir.display()), "check the path and its permissions")
        })?;
        let ring = Arc::new(ring(&dir.join("root.key"))?);
        let store = Store::open(&dir.join("countersign.db")).await.map_err(|e| {
            unusable(
                format!("the key store cannot be opened: {e}"),
                "check the state directory's permissions and free space",
            )
        })?;
        Ok(Self { dir: dir.into(), node: node.into(), ring, store })
    }

    /// The key ring.
    pub(crate) const fn ring(&self) -> &Arc<KeyRing> {
        &self.ring
    }

    /// The node's name, which is its audit log's.
    pub(crate) fn node(&self) -> &str {
        &self.node
    }

    /// The store of keys.
    pub(crate) const fn store(&self) -> &Store {
        &self.store
    }

    /// The directory of the audit log.
    pub(crate) fn audit_dir(&self) -> PathBuf {
        self.dir.join("audit")
    }

    /// What API keys are hashed with.
    pub(crate) fn hasher(&self) -> anyhow::Result<KeyHasher> {
        Ok(self.ring.hasher(key::PURPOSE)?)
    }

    /// The sealed secrets; none yet when there is no file.
    pub(crate) fn secrets(&self) -> anyhow::Result<SecretBook> {
        let path = self.dir.join(SECRETS);
        match fs::read(&path) {
            Ok(bytes) => Ok(SecretBook::parse(&bytes).with_context(|| format!("`{}` is damaged", path.display()))?),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(SecretBook::default()),
            Err(e) => Err(unusable(format!("`{}` cannot be read: {e}", path.display()), "check its permissions")),
        }
    }

    /// Writes the sealed secrets, all or nothing.
    pub(crate) fn keep_secrets(&self, book: &SecretBook) -> anyhow::Result<()> {
        let new = self.dir.join("secrets.new");
        let _ = fs::remove_file(&new);
        write_new(&new, &book.to_bytes(), 0o600)?;
        Ok(fs::rename(new, self.dir.join(SECRETS))?)
    }
}

/// Reads the root key, or makes one where there is no state yet.
fn ring(path: &Path) -> anyhow::Result<KeyRing> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            let fresh = KeyRing::generate()?;
            write_new(path, fresh.expose(), 0o600)?;
            return Ok(KeyRing::from_bytes(fresh)?);
        }
        Err(e) => return Err(unusable(format!("`{}` cannot be read: {e}", path.display()), "check its permissions")),
    };
    let mode = fs::metadata(path)?.permissions().mode();
    if mode & 0o077 != 0 {
        let what = format!("`{}` can be read by others (mode {:o})", path.display(), mode & 0o777);
        return Err(unusable(what, "chmod 600 it, and replace it if others may have read it"));
    }
    KeyRing::from_bytes(Secret::new(bytes)).map_err(|e| {
        unusable(
            format!("`{}` is no root key: {e}", path.display()),
            "restore it from a backup; without it sealed data cannot be opened",
        )
    })
}

fn unusable(what: String, fix: &'static str) -> anyhow::Error {
    Failure { code: Code::StateUnusable, what, fix }.into()
}

const SECRETS: &str = "secrets.json";
