//! Indexes of registered texts as files: opened with the deployment's key, and read where they are asked.

use std::{
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use countersign_core::{Code, Secret};
use countersign_prints::{Index, Key, PARTS, Scratch, Source};
use countersign_seal::{KeyRing, SealError};

use crate::{cmd::Failure, root};

/// Opens the indexes that a configuration names.
pub(crate) fn open(files: &[PathBuf], ring: &KeyRing) -> anyhow::Result<Vec<Arc<Index>>> {
    if files.is_empty() {
        return Ok(Vec::new());
    }
    let keys = keys(ring)?;
    files.iter().map(|path| Ok(Arc::new(open_one(path, &keys)?))).collect()
}

fn open_one(path: &Path, keys: &[Key]) -> Result<Index, Failure> {
    let wrong = |e: &dyn std::fmt::Display| Failure {
        code: Code::ConfigInvalid,
        what: format!("`[guard] registered`: `{}`: {e}", path.display()),
        fix: "make it again with `countersign documents index`, with the state of this deployment",
    };
    let file = File::open(path).map_err(|e| wrong(&e))?;
    let len = file.metadata().map_err(|e| wrong(&e))?.len();
    Index::open(Box::new(Opened { file, len }), keys).map_err(|e| wrong(&e))
}

/// What new indexes are made with.
pub(crate) fn key(ring: &KeyRing) -> Result<Key, SealError> {
    Ok(Key::new(&Secret::new(ring.hasher(PURPOSE)?.hash(LABEL))))
}

/// What indexes may have been made with: a key of each root key, the newest first.
fn keys(ring: &KeyRing) -> Result<Vec<Key>, SealError> {
    Ok(ring.hasher(PURPOSE)?.hashes(LABEL).map(|key| Key::new(&Secret::new(key))).collect())
}

/// The root keys where they lie in the clear, which can be read without asking anybody.
pub(crate) fn clear_ring(state: &Path) -> Option<KeyRing> {
    KeyRing::from_bytes(Secret::new(fs::read(state.join(root::CLEAR)).ok()?)).ok()
}

/// A file that is read by place. It stays the one that was opened, whatever its name comes to stand for.
struct Opened {
    file: File,
    len: u64,
}

impl Source for Opened {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(into, at)
    }
}

/// Fingerprints that wait to be sorted, in files that have no name.
pub(crate) struct Heaps {
    files: Vec<(File, Vec<u8>)>,
}

impl Heaps {
    pub(crate) fn new(folder: &Path) -> io::Result<Self> {
        let files = (0..PARTS).map(|_| Ok((tempfile::tempfile_in(folder)?, Vec::new()))).collect::<io::Result<_>>()?;
        Ok(Self { files })
    }
}

impl Scratch for Heaps {
    fn put(&mut self, part: usize, bytes: &[u8]) -> io::Result<()> {
        let (file, waiting) = self.files.get_mut(part).ok_or(io::ErrorKind::InvalidInput)?;
        waiting.extend_from_slice(bytes);
        if waiting.len() >= AT_ONCE {
            file.write_all(waiting)?;
            waiting.clear();
        }
        Ok(())
    }

    fn take(&mut self, part: usize) -> io::Result<Vec<u8>> {
        let (file, waiting) = self.files.get_mut(part).ok_or(io::ErrorKind::InvalidInput)?;
        let mut all = Vec::new();
        file.seek(SeekFrom::Start(0))?;
        file.read_to_end(&mut all)?;
        all.append(waiting);
        file.set_len(0)?;
        Ok(all)
    }
}

const PURPOSE: &str = "registered-texts";
const LABEL: &[u8] = b"index/1";

/// Bytes of a heap that are written at once.
const AT_ONCE: usize = 16 << 10;
