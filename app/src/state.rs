//! The state directory: root keys, key store, sealed secrets and audit log, private to the user that runs the gateway.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::Context;
use countersign_core::{Code, Secret};
use countersign_identity::key;
use countersign_seal::{DataKeyRow, DataKeys, KeyHasher, KeyRing, Scope, SecretBook};
use countersign_store::{Postgres, Revision, SealedSeed, Store};
use tokio::time::timeout;

use crate::{
    cli::WithConfig,
    cmd::Failure,
    config::{self, Home, Keks, Key, StoreAt},
    files, holds,
    root::{self, Root, Stamp},
};

/// An open state directory.
pub(crate) struct State {
    home: Home,
    /// What protects the root keys now: a reload may change it.
    keks: Mutex<Option<Keks>>,
    /// When the root keys were written that the ring began with.
    stamp: Option<Stamp>,
    ring: Arc<KeyRing>,
    data: Arc<DataKeys>,
    store: Store,
}

impl State {
    /// Opens the state of a configuration, reading no more of the configuration than where it is; makes what is missing.
    pub(crate) async fn of(args: &WithConfig) -> anyhow::Result<Self> {
        Self::open(&config::place(&args.config).map_err(crate::cmd::Problems)?).await
    }

    /// As [`State::of`], for commands that only look: a state that is not there is not made.
    pub(crate) async fn existing(args: &WithConfig) -> anyhow::Result<Self> {
        let home = config::place(&args.config).map_err(crate::cmd::Problems)?;
        if !Self::is_there(&home.dir) {
            return Err(unusable(
                format!("there is no state in `{}`", home.dir.display()),
                "it begins with the first key or start",
            ));
        }
        Self::open(&home).await
    }

    /// Whether there is anything to open.
    pub(crate) fn is_there(dir: &Path) -> bool {
        FILES.iter().any(|name| dir.join(name).exists())
    }

    /// Opens a state directory, making what is missing.
    pub(crate) async fn open(home: &Home) -> anyhow::Result<Self> {
        let Home { dir, store: at, .. } = home;
        let mode = files::private_folder(dir).map_err(|e| {
            unusable(format!("`{}` cannot be made: {e}", dir.display()), "check the path and its permissions")
        })?;
        if mode & OTHERS != 0 {
            return Err(unusable(format!("`{}` is open to others (mode {mode:o})", dir.display()), "chmod 700 it"));
        }
        // Looked at before the root keys, which are made first: whoever makes them meanwhile is not mistaken for a loss.
        let begun = Self::is_there(dir);
        let stamp = root::stamp(dir);
        let Root { bytes, beside, .. } = root::open(home, begun).await?;
        if beside {
            tracing::warn!("a root key in the clear lies beside the wrapped ones; run `countersign keys wrap`");
        }
        let ring = KeyRing::from_bytes(bytes)
            .map_err(|e| unusable(format!("the root keys in `{}`: {e}", dir.display()), root::RESTORE))?;
        let ring = Arc::new(ring);
        let store = match at {
            StoreAt::File => Store::open(&dir.join(STORE)).await.map_err(|e| {
                unusable(
                    format!("the key store cannot be opened: {e}"),
                    "check the state directory's permissions and free space",
                )
            })?,
            StoreAt::Postgres { postgres, password } => connect(postgres, password.as_ref(), dir, &ring).await?,
        };
        let data = Arc::new(data_keys(&ring, &store).await?);
        Ok(Self { home: home.clone(), keks: Mutex::new(home.keks.clone()), stamp, ring, data, store })
    }

    /// Where it is.
    pub(crate) fn dir(&self) -> &Path {
        &self.home.dir
    }

    /// Takes in the root keys that were added since `seen`, if the file was written since.
    pub(crate) async fn refresh_ring(&self, seen: &mut Option<Stamp>) -> anyhow::Result<()> {
        let now = root::stamp(&self.home.dir);
        if now != *seen {
            let keks = self.keks.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if self.ring.extend(&root::read(&Home { keks, ..self.home.clone() }).await?.bytes)? {
                tracing::info!(version = self.ring.versions(), "another root version seals from now on");
            }
            *seen = now;
        }
        Ok(())
    }

    /// Has the root keys unwrapped by these from now on, when they are read again.
    pub(crate) fn unwrap_by(&self, keks: Option<Keks>) {
        *self.keks.lock().unwrap_or_else(PoisonError::into_inner) = keks;
    }

    /// When the root keys were written that the ring began with.
    pub(crate) const fn stamp(&self) -> Option<Stamp> {
        self.stamp
    }

    /// The key ring.
    pub(crate) const fn ring(&self) -> &Arc<KeyRing> {
        &self.ring
    }

    /// The keys of tenants, persons and conversations.
    pub(crate) const fn data(&self) -> &Arc<DataKeys> {
        &self.data
    }

    /// Puts in force the data keys that the store has now, if they changed.
    pub(crate) async fn refresh_data(&self, seen: &mut Revision) -> anyhow::Result<()> {
        let mut now = *seen;
        if let Some(seeds) = self.store.data_keys_if_changed(&mut now).await? {
            self.data.load(&self.ring, &rows(seeds)).context("the data keys cannot be unsealed")?;
        }
        *seen = now;
        Ok(())
    }

    /// Destroys the keys of `scope`, for good. Afterwards nobody can read what was sealed under them, here at once and on other
    /// nodes when they look.
    ///
    /// # Errors
    /// [`Failure`] with [`Code::OnHold`] where a legal hold covers what would be forgotten.
    pub(crate) async fn forget(&self, scope: &Scope<'_>) -> anyhow::Result<()> {
        loop {
            let mut seen = Revision::default();
            self.refresh_data(&mut seen).await?;
            // Read after the revision: a hold that is added from now on has the keys stay as they are, and this begins again.
            self.may_forget(scope).await?;
            let forgetting = self.data.forget(&self.ring, scope)?;
            let come: Vec<_> = forgetting.come.into_iter().map(|row| (row.place, row.sealed)).collect();
            // Somebody else may have had somebody forgotten meanwhile.
            if self.store.replace_data_keys(seen, &forgetting.gone, &come).await? {
                break;
            }
        }
        self.refresh_data(&mut Revision::default()).await?;
        self.store.scrub_data_keys().await?;
        Ok(())
    }

    /// Whether no legal hold covers what would be forgotten.
    ///
    /// # Errors
    /// [`Failure`] with [`Code::OnHold`]; others where the store cannot be read.
    pub(crate) async fn may_forget(&self, scope: &Scope<'_>) -> anyhow::Result<()> {
        let stand = self.store.holds_in_force().await?;
        match stand.iter().find(|hold| holds::stops(hold, scope)) {
            None => Ok(()),
            Some(hold) => Err(Failure {
                code: Code::OnHold,
                what: format!("`{}` holds {}: {}", hold.id, holds::said_of(hold), hold.reason),
                fix: "two people release a hold: docs/how-to/retention.md",
            }
            .into()),
        }
    }

    /// The node's name, which is its audit log's.
    pub(crate) fn node(&self) -> &str {
        &self.home.node
    }

    /// The store of keys.
    pub(crate) const fn store(&self) -> &Store {
        &self.store
    }

    /// The directory of the audit log.
    pub(crate) fn audit_dir(&self) -> PathBuf {
        self.home.dir.join(AUDIT)
    }

    /// What API keys are hashed with.
    pub(crate) fn hasher(&self) -> anyhow::Result<KeyHasher> {
        Ok(self.ring.hasher(key::PURPOSE)?)
    }

    /// A password, unsealed where it is sealed.
    pub(crate) fn secret(&self, key: &Key) -> anyhow::Result<Secret<String>> {
        unsealed(key, &self.home.dir, &self.ring)
    }

    /// The sealed secrets; none yet when there is no file.
    pub(crate) fn secrets(&self) -> anyhow::Result<SecretBook> {
        secrets(&self.home.dir)
    }

    /// Changes the sealed secrets, all or nothing. Another process that changes them meanwhile waits.
    pub(crate) fn change_secrets(
        &self,
        change: impl FnOnce(&mut SecretBook) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        // Let go when the directory is closed.
        let turn = File::open(&self.home.dir)?;
        turn.lock().context("the state directory cannot be locked")?;
        let mut book = self.secrets()?;
        change(&mut book)?;
        files::replace(&self.home.dir.join(SECRETS), &book.to_bytes(), 0o600)
    }
}

/// Opens the store in a database, with the password that may be sealed here.
async fn connect(postgres: &Postgres, password: Option<&Key>, dir: &Path, ring: &KeyRing) -> anyhow::Result<Store> {
    let password = password.map(|key| unsealed(key, dir, ring)).transpose()?;
    let connecting = timeout(CONNECT, Store::connect(&Postgres { password, ..postgres.clone() })).await;
    // What the database says of a failed log-in names the user and no secret.
    let why = match connecting {
        Ok(Ok(store)) => return Ok(store),
        Ok(Err(e)) => format!("{:#}", anyhow::Error::from(e)),
        Err(_) => "it does not answer".into(),
    };
    Err(unusable(format!("the store in PostgreSQL cannot be used: {why}"), "see docs/how-to/cluster.md"))
}

/// A password, unsealed where it is sealed.
fn unsealed(key: &Key, dir: &Path, ring: &KeyRing) -> anyhow::Result<Secret<String>> {
    match key {
        Key::Known(password) => Ok(password.clone()),
        Key::Sealed(name) => secrets(dir)?
            .get(ring, name)
            .map_err(|e| unusable(format!("a sealed password: {e}"), "see `countersign secret set NAME`")),
    }
}

/// Reads the data keys, or makes those that a deployment begins with.
async fn data_keys(ring: &KeyRing, store: &Store) -> anyhow::Result<DataKeys> {
    let mut seeds = store.data_keys().await?;
    if seeds.is_empty() {
        let begin: Vec<_> = DataKeys::begin(ring)?.into_iter().map(|row| (row.place, row.sealed)).collect();
        store.begin_data_keys(&begin).await?;
        seeds = store.data_keys().await?;
    }
    DataKeys::open(ring, &rows(seeds)).map_err(|e| {
        unusable(
            format!("the data keys in the store: {e}"),
            "use the root key that they were sealed with; see docs/how-to/keys.md",
        )
    })
}

fn rows(seeds: Vec<SealedSeed>) -> Vec<DataKeyRow> {
    seeds.into_iter().map(|(place, sealed)| DataKeyRow { place, sealed }).collect()
}

/// The sealed secrets of a state directory.
fn secrets(dir: &Path) -> anyhow::Result<SecretBook> {
    let path = dir.join(SECRETS);
    match fs::read(&path) {
        Ok(bytes) => SecretBook::parse(&bytes).map_err(|e| {
            unusable(format!("`{}` is damaged: {e}", path.display()), "restore it from a backup, or remove it")
        }),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(SecretBook::default()),
        Err(e) => Err(unusable(format!("`{}` cannot be read: {e}", path.display()), "check its permissions")),
    }
}

/// The state cannot be used.
pub(crate) fn unusable(what: String, fix: &'static str) -> anyhow::Error {
    Failure { code: Code::StateUnusable, what, fix }.into()
}

/// How long a database may take to be connected to.
const CONNECT: Duration = Duration::from_secs(10);

const STORE: &str = "countersign.db";
const SECRETS: &str = "secrets.json";
const AUDIT: &str = "audit";

/// All that a state directory holds. The root keys are made first.
const FILES: [&str; 5] = [root::CLEAR, root::WRAPPED, STORE, SECRETS, AUDIT];

/// Permissions of everyone but the owner.
const OTHERS: u32 = 0o077;

#[cfg(test)]
mod tests;
