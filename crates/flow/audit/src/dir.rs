//! Where a log lives: one directory, seen through a trait so that every write and every sync can be made to fail.
//!
//! INVARIANT: what `sync`, `put` or `settle` reported as done survives a crash; nothing else is relied upon.

use std::io;

mod disk;
mod memory;

pub use disk::DiskDir;
pub use memory::MemoryDir;

/// A directory of a log. Paths are relative, with `/` between folders.
pub trait Dir: Send + Sync {
    /// Paths of all files below `folder` (at any depth), sorted; none when there is no such folder.
    ///
    /// # Errors
    /// When a folder cannot be read.
    fn list(&self, folder: &str) -> io::Result<Vec<String>>;

    /// The whole of a file.
    ///
    /// # Errors
    /// `NotFound` when there is none; otherwise when it cannot be read.
    fn read(&self, path: &str) -> io::Result<Vec<u8>>;

    /// As [`Dir::read`], into a buffer that is used again and again: its memory costs as much as reading does.
    ///
    /// # Errors
    /// As [`Dir::read`].
    fn read_into(&self, path: &str, buffer: &mut Vec<u8>) -> io::Result<()> {
        *buffer = self.read(path)?;
        Ok(())
    }

    /// The first bytes of a file, `most` of them where it has as many.
    ///
    /// # Errors
    /// As [`Dir::read`].
    fn read_start(&self, path: &str, most: usize) -> io::Result<Vec<u8>> {
        let mut bytes = self.read(path)?;
        bytes.truncate(most);
        Ok(bytes)
    }

    /// Opens a file for appending, creating it durably (its name survives a crash) when there is none.
    ///
    /// # Errors
    /// When it cannot be opened or created.
    fn append(&self, path: &str) -> io::Result<Box<dyn Tail>>;

    /// Writes whole files. Each is replaced at once or not at all, and all are durable when this returns.
    ///
    /// # Errors
    /// When any could not be written; some may have been replaced.
    fn put(&self, files: &[(String, Vec<u8>)]) -> io::Result<()>;

    /// Writes whole files, as readers see them each replaced at once or not at all. Until [`Dir::settle`], a crash may leave
    /// any of them as it was, cut short, with zeros in it, or gone: this is for what can be made again.
    ///
    /// # Errors
    /// When any could not be written; some may have been replaced.
    fn lay(&self, files: &[(String, Vec<u8>)]) -> io::Result<()> {
        self.put(files)
    }

    /// Makes durable all that was laid.
    ///
    /// # Errors
    /// When that is not known to have happened.
    fn settle(&self) -> io::Result<()> {
        Ok(())
    }

    /// Removes a file. A crash may bring it back.
    ///
    /// # Errors
    /// When there is such a file and it cannot be removed.
    fn remove(&self, path: &str) -> io::Result<()>;
}

/// The growing end of one file.
pub trait Tail: Send {
    /// How long the file is, in bytes.
    fn len(&self) -> u64;

    /// Whether the file is empty.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends bytes. Not durable before `sync`. Zeros may stand after them, as long as the file is open or after a crash.
    ///
    /// # Errors
    /// When not all were written. Some may have been; `truncate` takes them back.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Makes all that was written durable.
    ///
    /// # Errors
    /// When that is not known to have happened. What was written since the last sync may or may not be there, and a second
    /// sync that succeeds proves nothing.
    fn sync(&mut self) -> io::Result<()>;

    /// Cuts the file to `len` bytes. Not durable before `sync`.
    ///
    /// # Errors
    /// When it could not be cut.
    fn truncate(&mut self, len: u64) -> io::Result<()>;
}
