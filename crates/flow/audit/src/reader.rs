//! Reads what a checkpoint covers, tile by tile, beside a gateway that goes on writing.

use std::io;

use crate::{
    AuditError, Checkpoint, Dir,
    merkle::{self, Hash, leaf_hash},
    publisher::CHECKPOINT,
    record::{Entry, Record},
    tiles::{Holds, Tile, WIDTH, read_bundle, read_hashes},
};

/// A log as its newest checkpoint had it.
pub struct Reader<'a> {
    dir: &'a dyn Dir,
    note: String,
    checkpoint: Checkpoint,
}

impl<'a> Reader<'a> {
    /// Reads by the newest checkpoint. Its signature is not looked at: this is for whoever owns the log.
    ///
    /// # Errors
    /// When there is no checkpoint.
    pub fn new(dir: &'a dyn Dir) -> Result<Self, AuditError> {
        let note = dir.read(CHECKPOINT).map_err(AuditError::Directory)?;
        let checkpoint = Checkpoint::peek(&note)?;
        Ok(Self { dir, note: String::from_utf8_lossy(&note).into_owned(), checkpoint })
    }

    /// Reads something that may take a few files. A gateway that signs another checkpoint meanwhile takes away those that are not
    /// full; then it is read again.
    ///
    /// # Errors
    /// What `read` gives, with the checkpoint as it was both before and afterwards.
    pub(crate) fn steady<T>(
        dir: &'a dyn Dir,
        mut read: impl FnMut(&Self) -> Result<T, AuditError>,
    ) -> Result<T, AuditError> {
        let mut reader = Self::new(dir)?;
        for _ in 0..PATIENCE {
            let done = read(&reader);
            let again = Self::new(dir)?;
            if done.is_ok() || again.note == reader.note {
                return done;
            }
            reader = again;
        }
        read(&reader)
    }

    /// The checkpoint.
    #[must_use]
    pub const fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The checkpoint as it was signed.
    #[must_use]
    pub fn note(&self) -> &str {
        &self.note
    }

    /// The root over the complete subtree of `2^level` leaves from `number * 2^level`; none where a tile is wanting.
    pub(crate) fn node(&self, level: u32, number: u64) -> Option<Hash> {
        let (tile_level, within) = (level / 8, level % 8);
        let (first, count) = (number << within, 1_u64 << within);
        let hashes = self.hashes(u8::try_from(tile_level).ok()?, first / WIDTH)?;
        let at = usize::try_from(first % WIDTH).ok()?;
        hashes.get(at..at + usize::try_from(count).ok()?).map(merkle::root_of)
    }

    /// The entries from index `from` to the end of their bundle, each held against its hash in the tree; none where no checkpoint
    /// covers `from` yet.
    ///
    /// # Errors
    /// When the bundle or its hashes cannot be read, or do not fit.
    pub(crate) fn entries(&self, from: u64) -> Result<Vec<Vec<u8>>, AuditError> {
        if from >= self.checkpoint.size {
            return Ok(Vec::new());
        }
        let number = from / WIDTH;
        let tile = self.tile(Holds::Entries, 0, number).ok_or_else(|| wanting(from))?;
        let bytes = self.dir.read(&tile.path()).map_err(AuditError::Directory)?;
        let bad = || AuditError::Damaged { record: Some(number * WIDTH), what: format!("{} is damaged", tile.path()) };
        let (entries, hashes) = (read_bundle(&bytes).ok_or_else(bad)?, self.hashes(0, number).ok_or_else(bad)?);
        let fits = |(entry, hash): (&&[u8], &Hash)| leaf_hash(entry) == *hash;
        if entries.len() as u64 != tile.width || entries.len() != hashes.len() || !entries.iter().zip(&hashes).all(fits)
        {
            return Err(bad());
        }
        let skip = usize::try_from(from % WIDTH).unwrap_or_default();
        Ok(entries.into_iter().skip(skip).map(<[u8]>::to_vec).collect())
    }

    fn hashes(&self, level: u8, number: u64) -> Option<Vec<Hash>> {
        let tile = self.tile(Holds::Hashes(level), level, number)?;
        let bytes = self.dir.read(&tile.path()).ok()?;
        read_hashes(&bytes).map(<[Hash]>::to_vec)
    }

    /// The tile of a number, as wide as the checkpoint has it.
    fn tile(&self, holds: Holds, level: u8, number: u64) -> Option<Tile> {
        let hashes = self.checkpoint.size.checked_shr(8 * u32::from(level))?;
        let width = hashes.checked_sub(number.checked_mul(WIDTH)?).filter(|w| *w > 0)?.min(WIDTH);
        Some(Tile { holds, number, width })
    }
}

/// The records from index `from` to the end of their bundle, with their leaf hashes; none where no checkpoint covers `from` yet.
///
/// # Errors
/// When they cannot be read, or are not what the tree says.
pub fn records_from(dir: &dyn Dir, from: u64) -> Result<Vec<(u64, Hash, Record)>, AuditError> {
    let entries = Reader::steady(dir, |reader| reader.entries(from))?;
    let read = |(index, entry): (u64, Vec<u8>)| match Entry::read(&entry) {
        Ok(known) => Ok((index, leaf_hash(&entry), known.record)),
        Err(bad) => Err(AuditError::Damaged { record: Some(index), what: bad.to_string() }),
    };
    (from..).zip(entries).map(read).collect()
}

pub(crate) fn wanting(record: u64) -> AuditError {
    AuditError::Directory(io::Error::other(format!("no checkpoint covers record {record} yet, or a tile is wanting")))
}

/// So often something is read again while checkpoints are signed. They are a second apart.
const PATIENCE: usize = 4;
