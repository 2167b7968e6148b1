//! The tree, and the thread that writes its tiles and signs checkpoints, off the path on which requests wait.
//!
//! The writer grows the tree by what it wrote: what is signed is what was acknowledged, not what the disk says by then.
//!
//! Tiles can be made again from the journal, so they are not synced one by one. INVARIANT: a journal file is begun only when
//! the tiles below its predecessor are settled. So whatever tile a crash took is made again, when the log is opened, from
//! the last two files.

use std::{
    io,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use countersign_seal::Signer;

use crate::{
    Dir,
    merkle::Hash,
    note::Checkpoint,
    tiles::{Laid, Tiles},
};

/// A signed checkpoint.
#[derive(Clone, Debug)]
pub struct Signed {
    /// What it says.
    pub checkpoint: Checkpoint,
    /// The signed note.
    pub note: String,
}

/// What writer and publisher share.
pub(crate) struct Publisher {
    inner: Mutex<Inner>,
    ready: Condvar,
    healthy: AtomicBool,
}

struct Inner {
    tiles: Tiles,
    signed: Arc<Signed>,
    /// Full tiles below this record are durable.
    settled: u64,
    /// The writer wants more to be.
    wanted: bool,
    closed: bool,
}

impl Publisher {
    /// Goes on with a tree whose last checkpoint is `signed` and whose full tiles below `settled` are durable.
    pub(crate) fn new(tiles: Tiles, signed: Signed, settled: u64) -> Self {
        let inner = Inner { tiles, signed: Arc::new(signed), settled, wanted: false, closed: false };
        Self { inner: Mutex::new(inner), ready: Condvar::new(), healthy: AtomicBool::new(true) }
    }

    /// Whether more may be written to the journal: the tiles must not fall behind without bound.
    pub(crate) fn has_room(&self) -> bool {
        self.lock().tiles.waiting() < MAX_BEHIND
    }

    pub(crate) fn healthy(&self) -> bool {
        self.healthy.load(Ordering::Acquire)
    }

    pub(crate) fn signed(&self) -> Arc<Signed> {
        self.lock().signed.clone()
    }

    /// Below which record full tiles are durable.
    pub(crate) fn settled(&self) -> u64 {
        self.lock().settled
    }

    /// Has what is written with the next tiles made durable.
    pub(crate) fn settle(&self) {
        self.lock().wanted = true;
    }

    /// Grows the tree by what is on record now.
    pub(crate) fn push<'a>(&self, entries: impl Iterator<Item = (Hash, &'a [u8])>) {
        let mut inner = self.lock();
        let before = (inner.is_published(), inner.tiles.waiting() >= EAGER);
        for (leaf, entry) in entries {
            inner.tiles.push(leaf, entry);
        }
        if before != (inner.is_published(), inner.tiles.waiting() >= EAGER) {
            drop(inner);
            self.ready.notify_one();
        }
    }

    /// No more will come; what has come is still published.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.ready.notify_all();
    }

    /// Runs until closed and published. `partial` are the paths of the last checkpoint's tiles that are not full.
    pub(crate) fn run(&self, dir: &dyn Dir, origin: &str, signer: &Signer, mut partial: Vec<String>) {
        let mut begun = None;
        loop {
            let mut inner = self.lock();
            while inner.is_published() && !inner.closed && self.healthy() {
                inner = self.ready.wait(inner).unwrap_or_else(PoisonError::into_inner);
            }
            let begun_at = *begun.get_or_insert_with(Instant::now);
            let patience = EVERY.saturating_sub(begun_at.elapsed());
            // A disk that failed is given time.
            let unready = |inner: &mut Inner| !inner.closed && (inner.tiles.waiting() < EAGER || !self.healthy());
            let (mut inner, _) =
                self.ready.wait_timeout_while(inner, patience, unready).unwrap_or_else(PoisonError::into_inner);
            let closed = inner.closed;
            let full = inner.tiles.take_full();
            let whole = closed || begun_at.elapsed() >= EVERY;
            let edition = whole.then(|| Edition::of(&inner.tiles));
            let (size, wanted) = (inner.tiles.size(), inner.wanted);
            drop(inner);

            let mut done = dir.lay(&full);
            if wanted {
                done = done.and_then(|()| dir.settle());
            }
            let signed = done.and_then(|()| edition.map(|e| e.publish(dir, origin, signer, &mut partial)).transpose());
            self.healthy.store(signed.is_ok(), Ordering::Release);
            let mut inner = self.lock();
            match signed {
                Ok(signed) => {
                    if wanted {
                        (inner.settled, inner.wanted) = (size, false);
                    }
                    if let Some(signed) = signed {
                        inner.signed = Arc::new(signed);
                        begun = None;
                    }
                }
                Err(_) => {
                    inner.tiles.put_back(full);
                    begun = Some(Instant::now());
                }
            }
            // A closing log that cannot be published is whole all the same: the journal has it, and opening it publishes.
            if closed {
                break;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn is_published(&self) -> bool {
        self.tiles.size() == self.signed.checkpoint.size
    }
}

/// What a checkpoint rests on besides full tiles.
pub(crate) struct Edition {
    partial: Vec<Laid>,
    size: u64,
    root: Hash,
}

impl Edition {
    pub(crate) fn of(tiles: &Tiles) -> Self {
        Self { partial: tiles.partial(), size: tiles.size(), root: tiles.root() }
    }

    /// Writes the tiles that are not full, then the checkpoint, then removes those of the checkpoint before, whose paths are
    /// in `partial`. All full tiles have been written.
    pub(crate) fn publish(
        self,
        dir: &dyn Dir,
        origin: &str,
        signer: &Signer,
        partial: &mut Vec<String>,
    ) -> io::Result<Signed> {
        dir.lay(&self.partial)?;
        let checkpoint = Checkpoint { origin: origin.to_owned(), size: self.size, root: self.root };
        let note = checkpoint.sign(signer).map_err(io::Error::other)?;
        dir.put(&[(CHECKPOINT.to_owned(), note.clone().into_bytes())])?;
        let paths = self.partial.into_iter().map(|(path, _)| path).collect();
        let before = std::mem::replace(partial, paths);
        for stale in before.iter().filter(|path| !partial.contains(path)) {
            // What stays is true still, and only in the way.
            let _ = dir.remove(stale);
        }
        Ok(Signed { checkpoint, note })
    }
}

/// Where the newest checkpoint stands.
pub(crate) const CHECKPOINT: &str = "checkpoint";
/// A checkpoint is signed this long after a record at the latest.
const EVERY: Duration = Duration::from_secs(1);
/// So many full tiles are written at once, of some 2,000 records.
pub(crate) const EAGER: usize = 16;
/// So many of some 64,000 records are kept in memory while they cannot be written.
const MAX_BEHIND: usize = 512;
