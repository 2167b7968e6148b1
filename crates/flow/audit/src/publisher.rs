//! The thread that grows the tree, writes its tiles and signs checkpoints, off the path on which requests wait.
//!
//! It is handed what the writer wrote, in memory: what it signs is what was acknowledged, not what the disk says by then.

use std::{
    io,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use countersign_seal::Signer;

use crate::{Dir, merkle::Hash, note::Checkpoint, tiles::Tiles};

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
    entries: Vec<(Hash, Vec<u8>)>,
    closed: bool,
    signed: Arc<Signed>,
}

impl Publisher {
    pub(crate) fn new(signed: Signed) -> Self {
        let inner = Inner { entries: Vec::new(), closed: false, signed: Arc::new(signed) };
        Self { inner: Mutex::new(inner), ready: Condvar::new(), healthy: AtomicBool::new(true) }
    }

    /// Whether more may be written to the journal: the tree must not fall behind without bound.
    pub(crate) fn has_room(&self) -> bool {
        self.healthy() || self.lock().entries.len() < MAX_BEHIND
    }

    pub(crate) fn healthy(&self) -> bool {
        self.healthy.load(Ordering::Acquire)
    }

    pub(crate) fn signed(&self) -> Arc<Signed> {
        self.lock().signed.clone()
    }

    pub(crate) fn push(&self, entries: impl Iterator<Item = (Hash, Vec<u8>)>) {
        let mut inner = self.lock();
        let before = inner.entries.len();
        inner.entries.extend(entries);
        if before == 0 || (before < EAGER && inner.entries.len() >= EAGER) {
            drop(inner);
            self.ready.notify_one();
        }
    }

    /// No more will come; what has come is still published.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.ready.notify_all();
    }

    /// Runs until closed and published.
    pub(crate) fn run(&self, dir: &dyn Dir, mut tiles: Tiles, origin: &str, signer: &Signer) {
        loop {
            let (entries, closed) = self.take();
            for (leaf, entry) in entries {
                tiles.push(leaf, &entry);
            }
            if tiles.size() > self.signed().checkpoint.size {
                let published = publish(dir, &mut tiles, origin, signer);
                self.healthy.store(published.is_ok(), Ordering::Release);
                if let Ok(signed) = published {
                    self.lock().signed = Arc::new(signed);
                }
            }
            // A closing log that cannot be published is whole all the same: the journal has it, and opening it publishes.
            if closed {
                break;
            }
        }
    }

    /// Waits until there is something, and then a moment for more. Takes nothing while what it took before is not published.
    fn take(&self) -> (Vec<(Hash, Vec<u8>)>, bool) {
        let mut inner = self.lock();
        while inner.entries.is_empty() && !inner.closed && self.healthy() {
            inner = self.ready.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
        let unready = |inner: &mut Inner| !inner.closed && (inner.entries.len() < EAGER || !self.healthy());
        let (mut inner, _) =
            self.ready.wait_timeout_while(inner, EVERY, unready).unwrap_or_else(PoisonError::into_inner);
        let entries = if self.healthy() || inner.closed { std::mem::take(&mut inner.entries) } else { Vec::new() };
        (entries, inner.closed)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes the tiles, then the checkpoint that rests on them, then removes those that nothing rests on any more.
pub(crate) fn publish(dir: &dyn Dir, tiles: &mut Tiles, origin: &str, signer: &Signer) -> io::Result<Signed> {
    let stale = tiles.write(dir)?;
    let checkpoint = Checkpoint { origin: origin.to_owned(), size: tiles.size(), root: tiles.root() };
    let note = checkpoint.sign(signer).map_err(io::Error::other)?;
    dir.put(&[(CHECKPOINT.to_owned(), note.clone().into_bytes())])?;
    for path in stale {
        // What stays is true still, and only in the way.
        let _ = dir.remove(&path);
    }
    Ok(Signed { checkpoint, note })
}

/// Where the newest checkpoint stands.
pub(crate) const CHECKPOINT: &str = "checkpoint";
/// A checkpoint is signed this long after a record at the latest, or after so many records.
const EVERY: Duration = Duration::from_secs(1);
const EAGER: usize = 8192;
const MAX_BEHIND: usize = 65_536;
