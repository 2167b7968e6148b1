//! Copies the audit log to object storage, as it is published, and has checkpoints locked there.
//!
//! How far the copy has come is what its own checkpoint says, and it is kept nowhere else: a gateway that was killed goes on from there, and
//! writes again what it had written beyond. Requests pay nothing for it and never wait for it.
//!
//! Threat: whoever holds this machine and its keys rewrites the log or takes it away. The copy is somebody else's, and a locked checkpoint
//! is nobody's. A log that is not the one that was copied is not copied over it; that is an alarm.

mod place;

use std::{convert::Infallible, sync::Arc, time::Duration};

use anyhow::Context;
use countersign_audit::{
    Audit, Checkpoint,
    archive::{self, COPIED, Part},
    witness::WITNESSED,
};
use countersign_bucket::Mode;
use countersign_core::Timestamp;
use countersign_seal::Verifier;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

pub(crate) use place::{Anchor, Copied, Store};

use crate::{assemble::Assembly, clock, config::ServiceAt, state::State};

/// Where the log is copied to.
#[derive(Clone)]
pub(crate) struct Archive {
    pub(crate) at: ServiceAt,
    /// As the storage's own client is to be told it.
    pub(crate) endpoint: String,
    pub(crate) bucket: String,
    pub(crate) region: String,
    /// What stands before the names of the log's files.
    pub(crate) root: String,
    /// Fewer than a whole part are copied after this long.
    pub(crate) every: Duration,
    pub(crate) lock: Option<Lock>,
}

/// How checkpoints are locked.
#[derive(Clone)]
pub(crate) struct Lock {
    pub(crate) mode: Mode,
    /// For how long.
    pub(crate) days: Duration,
    /// How often.
    pub(crate) every: Duration,
}

/// Copies, until aborted; a configuration that is reloaded begins it anew.
pub(crate) async fn watch(assembly: &Arc<Assembly>) {
    loop {
        let archive = assembly.archive();
        let mut at_work = JoinSet::new();
        match &*archive {
            Some(archive) => drop(at_work.spawn(run(archive.clone(), assembly.clone()))),
            None => assembly.gateway().metrics().evidence().unarchived(),
        }
        while Arc::ptr_eq(&archive, &assembly.archive()) {
            sleep(LOOK).await;
        }
    }
}

/// How many records the copy has, as it says itself.
pub(crate) async fn copied(archive: &Archive, state: &State) -> anyhow::Result<u64> {
    Ok(checkpoint(&Store::open(archive).await?, state).await?.map_or(0, |copied| copied.size))
}

/// The copy's own checkpoint; none where nothing was copied yet.
async fn checkpoint(store: &Store, state: &State) -> anyhow::Result<Option<Checkpoint>> {
    let Some(note) = store.read(COPIED).await? else { return Ok(None) };
    let opened = Checkpoint::open(&note, state.node(), &state.ring().verifiers(state.node())?);
    opened.map(Some).context("what stands there is no checkpoint of this log; if it is nobody's, remove it")
}

async fn run(archive: Archive, assembly: Arc<Assembly>) {
    let mut past = Past::default();
    loop {
        let Err(error) = Work::begin(&archive, &assembly, &mut past).await;
        if !std::mem::replace(&mut past.failing, true) {
            let (bucket, error) = (&archive.bucket, format!("{error:#}"));
            tracing::error!(bucket, error, "the audit log is not copied to the archive");
        }
        sleep(AGAIN).await;
    }
}

/// What outlives a failure.
#[derive(Default)]
struct Past {
    /// Whether it was said that it fails.
    failing: bool,
    /// How many records are under the checkpoint that was locked last, and when. Not looked up there: whoever may write there could
    /// say that there is a newer one, and there would never be another.
    anchored: Option<(u64, Timestamp)>,
    /// When locking failed last.
    unlocked: Option<Instant>,
}

/// A copy that goes well.
struct Work<'a> {
    archive: &'a Archive,
    assembly: &'a Assembly,
    audit: Arc<Audit>,
    node: String,
    keys: Arc<[Verifier]>,
    store: Arc<Store>,
    /// What the copy holds.
    copied: Option<Checkpoint>,
    past: &'a mut Past,
}

impl<'a> Work<'a> {
    /// Begins where the copy ends, and goes on until something goes wrong.
    async fn begin(archive: &'a Archive, assembly: &'a Assembly, past: &'a mut Past) -> anyhow::Result<Infallible> {
        let state = assembly.state();
        let store = Arc::new(Store::open(archive).await?);
        let (node, keys): (_, Arc<[_]>) = (state.node().to_owned(), state.ring().verifiers(state.node())?.into());
        let copied = checkpoint(&store, state).await?;
        let audit = assembly.gateway().stages().audit.clone();
        let mut work = Self { archive, assembly, audit, node, keys, store, copied, past };
        // Asked even where nothing is lacking: whether this is the log that was copied.
        let mut is_all = work.copy().await?;
        let mut since = Instant::now();
        if std::mem::take(&mut work.past.failing) {
            tracing::info!(bucket = archive.bucket, "the audit log is copied to the archive again");
        }
        loop {
            let size = work.audit.checkpoint().checkpoint.size;
            let behind = work.behind(size);
            if is_all && (behind == 0 || (since.elapsed() < archive.every && behind < archive::STEP)) {
                work.tell(size);
                work.lock().await;
                sleep(LOOK).await;
                continue;
            }
            is_all = work.copy().await?;
            since = Instant::now();
        }
    }

    /// Has a checkpoint locked where it is time. What goes wrong with that does not keep the copy from growing.
    async fn lock(&mut self) {
        if self.past.unlocked.is_some_and(|tried| tried.elapsed() < AGAIN) {
            return;
        }
        let bucket = &self.archive.bucket;
        match self.anchor().await {
            Ok(()) if self.past.unlocked.take().is_some() => tracing::info!(bucket, "checkpoints are locked again"),
            Ok(()) => {}
            Err(error) => {
                if self.past.unlocked.replace(Instant::now()).is_none() {
                    let error = format!("{error:#}");
                    tracing::error!(bucket, error, "no checkpoint of the audit log is locked in the archive");
                }
            }
        }
    }

    fn behind(&self, size: u64) -> u64 {
        size.saturating_sub(self.copied.as_ref().map_or(0, |copied| copied.size))
    }

    /// Copies the next part; whether that was all there is.
    async fn copy(&mut self) -> anyhow::Result<bool> {
        let (dir, node, keys) = (self.audit.dir().clone(), self.node.clone(), self.keys.clone());
        let copied = self.copied.clone();
        let part = tokio::task::spawn_blocking(move || Part::next(&*dir, &node, &keys, copied.as_ref())).await??;
        let Some(Part { files, checkpoint, note }) = part else { return Ok(true) };
        let mut files = files.into_iter();
        let mut writing = JoinSet::new();
        loop {
            while writing.len() < AT_ONCE
                && let Some((name, bytes)) = files.next()
            {
                let store = self.store.clone();
                writing.spawn(async move { store.write(&name, bytes.into()).await });
            }
            match writing.join_next().await {
                Some(written) => written??,
                None => break,
            }
        }
        let is_all = note.is_some();
        // What has no note of its own is less than a signed root speaks for, and follows from it.
        let note = match note {
            Some(note) => note,
            None => checkpoint.sign(&self.assembly.state().ring().signer(&self.node)?)?,
        };
        self.store.write(COPIED, note.into_bytes().into()).await?;
        self.copied = Some(checkpoint);
        self.tell(self.audit.checkpoint().checkpoint.size);
        Ok(is_all)
    }

    /// Has the newest checkpoint of the copy locked, where it is time: with the cosignatures of witnesses, if it has some.
    async fn anchor(&mut self) -> anyhow::Result<()> {
        let (Some(lock), Some(copied)) = (&self.archive.lock, &self.copied) else { return Ok(()) };
        let now = clock::now();
        let (before, at) = self.past.anchored.unwrap_or_default();
        if copied.size <= before || now.since(at) < lock.every {
            return Ok(());
        }
        let dir = self.audit.dir().clone();
        let witnessed = tokio::task::spawn_blocking(move || dir.read(WITNESSED)).await?.unwrap_or_default();
        let cosigned = Checkpoint::open(&witnessed, &self.node, &self.keys);
        let (checkpoint, note) = match cosigned {
            Ok(cosigned) if cosigned.size > before && cosigned.size <= copied.size => (cosigned, witnessed.into()),
            _ => {
                let note = self.store.read(COPIED).await?.context("the copy's checkpoint has gone")?;
                (Checkpoint::open(&note, &self.node, &self.keys)?, note)
            }
        };
        let until = Timestamp(now.0.saturating_add(u64::try_from(lock.days.as_micros()).unwrap_or(u64::MAX)));
        self.store.lock(&archive::anchor(&checkpoint), note, lock.mode, until).await?;
        self.past.anchored = Some((checkpoint.size, now));
        self.assembly.gateway().metrics().evidence().anchored(checkpoint.size, now);
        Ok(())
    }

    fn tell(&self, size: u64) {
        let copied = self.copied.as_ref().map_or(0, |copied| copied.size);
        self.assembly.gateway().metrics().evidence().archived(copied, size.saturating_sub(copied));
    }
}

const LOOK: Duration = Duration::from_millis(500);
/// After a failure.
const AGAIN: Duration = Duration::from_secs(5);
/// Files on their way at the same time.
const AT_ONCE: usize = 8;
