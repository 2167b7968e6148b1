//! A directory that counts what is asked of it, and how long that takes.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use countersign_audit::{Dir, DiskDir, Tail};
use serde_json::{Value, json};

/// One kind of thing that was asked.
#[derive(Default)]
struct Kind {
    times: AtomicU64,
    bytes: AtomicU64,
    micros: AtomicU64,
}

impl Kind {
    fn count<T>(&self, bytes: usize, what: impl FnOnce() -> T) -> T {
        let begun = Instant::now();
        let done = what();
        self.micros.fetch_add(begun.elapsed().as_micros() as u64, Ordering::Relaxed);
        self.times.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        done
    }

    fn told(&self) -> Value {
        let of = |number: &AtomicU64| number.load(Ordering::Relaxed);
        json!({ "times": of(&self.times), "bytes": of(&self.bytes), "us": of(&self.micros) })
    }
}

/// What was asked of a directory.
#[derive(Default)]
pub(crate) struct Counts {
    write: Kind,
    sync: Kind,
    lay: Kind,
    put: Kind,
    settle: Kind,
}

impl Counts {
    /// Times, bytes and microseconds by kind: writes to the journal and their syncs, tiles, checkpoints, and all tiles made durable.
    pub(crate) fn told(&self) -> Value {
        json!({
            "journal_writes": self.write.told(), "journal_syncs": self.sync.told(), "tiles": self.lay.told(),
            "checkpoints": self.put.told(), "settled": self.settle.told(),
        })
    }
}

pub(crate) struct Counted {
    pub(crate) inner: DiskDir,
    pub(crate) counts: Arc<Counts>,
}

impl Dir for Counted {
    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        self.inner.list(folder)
    }

    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        self.inner.read(path)
    }

    fn read_start(&self, path: &str, most: usize) -> io::Result<Vec<u8>> {
        self.inner.read_start(path, most)
    }

    fn append(&self, path: &str) -> io::Result<Box<dyn Tail>> {
        Ok(Box::new(CountedTail { inner: self.inner.append(path)?, counts: self.counts.clone() }))
    }

    fn put(&self, files: &[(String, Vec<u8>)]) -> io::Result<()> {
        self.counts.put.count(bytes(files), || self.inner.put(files))
    }

    fn lay(&self, files: &[(String, Vec<u8>)]) -> io::Result<()> {
        self.counts.lay.count(bytes(files), || self.inner.lay(files))
    }

    fn settle(&self) -> io::Result<()> {
        self.counts.settle.count(0, || self.inner.settle())
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        self.inner.remove(path)
    }
}

struct CountedTail {
    inner: Box<dyn Tail>,
    counts: Arc<Counts>,
}

impl Tail for CountedTail {
    fn len(&self) -> u64 {
        self.inner.len()
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.counts.write.count(bytes.len(), || self.inner.write(bytes))
    }

    fn sync(&mut self) -> io::Result<()> {
        self.counts.sync.count(0, || self.inner.sync())
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.inner.truncate(len)
    }
}

fn bytes(files: &[(String, Vec<u8>)]) -> usize {
    files.iter().map(|(_, bytes)| bytes.len()).sum()
}
