//! The growing end of a file on disk: whole blocks, past the page cache, over zeros that were written ahead.
//!
//! A write past the page cache costs about half of what a write through it and its writing back cost, and leaves the cache to
//! others. A sync that need not record a new length costs the disk half as much and takes a fraction of the time, hence the
//! zeros. Where a file system cannot do without its cache, the same writes go through it.

use std::{fs::File, io, os::unix::fs::FileExt as _};

use super::Tail;

pub(super) struct DiskTail {
    file: File,
    /// Where the records end.
    len: u64,
    /// Where the zeros end.
    reserved: u64,
    /// Begins with what the records' last block holds.
    block: Blocks,
    zeros: Blocks,
}

impl DiskTail {
    pub(super) fn open(file: File) -> io::Result<Self> {
        let len = file.metadata()?.len();
        let mut tail = Self { file, len, reserved: len, block: Blocks::new(BLOCK), zeros: Blocks::new(0) };
        tail.read_last()?;
        Ok(tail)
    }

    /// Where the last block begins, and how many bytes of it are records.
    const fn last(&self) -> (u64, usize) {
        let begun = self.len % BLOCK as u64;
        // INVARIANT: less than a block.
        (self.len - begun, begun as usize)
    }

    fn read_last(&mut self) -> io::Result<()> {
        let (start, begun) = self.last();
        past_the_cache(&self.file, false);
        self.file.read_exact_at(self.block.bytes(begun), start)?;
        past_the_cache(&self.file, true);
        Ok(())
    }
}

impl Tail for DiskTail {
    fn len(&self) -> u64 {
        self.len
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let (start, begun) = self.last();
        let end = begun + bytes.len();
        let blocks = self.block.grow(end.next_multiple_of(BLOCK), begun);
        blocks[begun..end].copy_from_slice(bytes);
        blocks[end..].fill(0);
        write_blocks(&self.file, blocks, start)?;
        blocks.copy_within(end - end % BLOCK..end, 0);
        let written = start + blocks.len() as u64;
        self.block.shrink();
        self.len += bytes.len() as u64;
        if written > self.reserved {
            // A disk too full for all the zeros may still have room for records, some of it under those that were written.
            let _ = write_blocks(&self.file, self.zeros.grow(RESERVE, 0), written);
            self.reserved = self.file.metadata().map_or(written, |file| file.len());
        }
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.file.set_len(len)?;
        (self.len, self.reserved) = (len, len);
        self.read_last()
    }
}

impl Drop for DiskTail {
    fn drop(&mut self) {
        // Zeros that stay are known for what they are when the log is opened.
        let _ = self.file.set_len(self.len);
    }
}

fn write_blocks(file: &File, blocks: &[u8], at: u64) -> io::Result<()> {
    match file.write_all_at(blocks, at) {
        // Some file systems say only now that they cannot.
        Err(cause) if cause.kind() == io::ErrorKind::InvalidInput => {
            past_the_cache(file, false);
            file.write_all_at(blocks, at)
        }
        done => done,
    }
}

/// Asks for it; where it cannot be had, the writes are as durable without.
#[cfg(target_os = "linux")]
fn past_the_cache(file: &File, yes: bool) {
    use rustix::fs::{OFlags, fcntl_setfl};
    let _ = fcntl_setfl(file, if yes { OFlags::DIRECT } else { OFlags::empty() });
}

#[cfg(not(target_os = "linux"))]
const fn past_the_cache(_: &File, _: bool) {}

/// Bytes that begin where a page does, as writes past the cache demand.
struct Blocks {
    bytes: Vec<u8>,
    start: usize,
}

impl Blocks {
    fn new(len: usize) -> Self {
        let bytes = vec![0; len + BLOCK];
        let start = bytes.as_ptr().align_offset(BLOCK).min(BLOCK);
        Self { bytes, start }
    }

    fn bytes(&mut self, len: usize) -> &mut [u8] {
        // INVARIANT: callers have grown it to `len`.
        &mut self.bytes[self.start..self.start + len]
    }

    /// Makes room for `len` bytes, of which the first `kept` stay.
    fn grow(&mut self, len: usize, kept: usize) -> &mut [u8] {
        if self.bytes.len() - BLOCK < len {
            let mut larger = Self::new(len);
            larger.bytes(kept).copy_from_slice(self.bytes(kept));
            *self = larger;
        }
        self.bytes(len)
    }

    /// Gives back what one long record took; the first block stays.
    fn shrink(&mut self) {
        if self.bytes.len() > KEPT {
            let mut smaller = Self::new(BLOCK);
            smaller.bytes(BLOCK).copy_from_slice(self.bytes(BLOCK));
            *self = smaller;
        }
    }
}

/// A page of memory, and a block of almost every file system.
const BLOCK: usize = 4096;
/// So many zeros are written ahead.
const RESERVE: usize = 1 << 20;
const KEPT: usize = 256 << 10;

#[cfg(test)]
mod tests;
