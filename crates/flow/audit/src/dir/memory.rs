//! A directory in memory: for the self-test, and for whoever wants no record kept.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{Dir, Tail};

/// A directory in memory. Clones share it.
#[derive(Clone, Default)]
pub struct MemoryDir {
    files: Arc<Mutex<Files>>,
}

type Files = BTreeMap<String, Vec<u8>>;

impl MemoryDir {
    fn files(&self) -> MutexGuard<'_, Files> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Dir for MemoryDir {
    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        let below = |path: &&String| folder.is_empty() || path.strip_prefix(folder).is_some_and(|r| r.starts_with('/'));
        Ok(self.files().keys().filter(below).cloned().collect())
    }

    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        self.files().get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn append(&self, path: &str) -> io::Result<Box<dyn Tail>> {
        let len = self.files().entry(path.to_owned()).or_default().len() as u64;
        Ok(Box::new(MemoryTail { dir: self.clone(), path: path.to_owned(), len }))
    }

    fn put(&self, files: &[(String, Vec<u8>)]) -> io::Result<()> {
        self.files().extend(files.iter().cloned());
        Ok(())
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        self.files().remove(path);
        Ok(())
    }
}

struct MemoryTail {
    dir: MemoryDir,
    path: String,
    len: u64,
}

impl Tail for MemoryTail {
    fn len(&self) -> u64 {
        self.len
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.dir.files().entry(self.path.clone()).or_default().extend_from_slice(bytes);
        self.len += bytes.len() as u64;
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.dir.files().entry(self.path.clone()).or_default().truncate(usize::try_from(len).unwrap_or(usize::MAX));
        self.len = len;
        Ok(())
    }
}
