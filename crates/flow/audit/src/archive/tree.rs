//! The hashes of a log under one checkpoint, each held against the root before it is used.

use std::sync::Arc;

use crate::{
    AuditError, Checkpoint, Dir,
    merkle::{Frontier, Hash, root_of},
    tiles::{Holds, Tile, WIDTH, read_hashes, subtrees},
};

/// A log's hashes. What it gives is what the root speaks for, if the checkpoint can be believed.
pub(super) struct Tree<'a> {
    pub(super) dir: &'a dyn Dir,
    checkpoint: Checkpoint,
    /// The hashes of each level's last tile, where it is not full.
    edge: Vec<Vec<Hash>>,
    /// The last full tile of each level that was read, for its neighbours come next.
    read: Vec<Option<(u64, Arc<[Hash]>)>>,
}

impl<'a> Tree<'a> {
    /// Reads the right edge, on which the root rests.
    pub(super) fn new(dir: &'a dyn Dir, checkpoint: Checkpoint) -> Result<Self, AuditError> {
        let size = checkpoint.size;
        let levels = (0_u8..8).take_while(|level| size >> (8 * level) > 0);
        let edge = levels
            .map(|level| {
                let count = size >> (8 * level);
                match count % WIDTH {
                    0 => Ok(Vec::new()),
                    width => load(dir, Tile { holds: Holds::Hashes(level), number: count / WIDTH, width }),
                }
            })
            .collect::<Result<Vec<_>, AuditError>>()?;
        if root(size, edge.iter().map(Vec::as_slice)) != checkpoint.root {
            return Err(damaged(size, "the tiles at its end are not what the signed root says"));
        }
        Ok(Self { dir, checkpoint, read: vec![None; edge.len()], edge })
    }

    /// How many records it has.
    pub(super) const fn size(&self) -> u64 {
        self.checkpoint.size
    }

    /// The first `width` hashes of a tile.
    pub(super) fn hashes(&mut self, level: u8, number: u64, width: u64) -> Result<Vec<Hash>, AuditError> {
        let mut hashes = if number == self.count(level) / WIDTH {
            self.edge.get(usize::from(level)).cloned().unwrap_or_default()
        } else {
            self.full(level, number)?.to_vec()
        };
        hashes.truncate(usize::try_from(width).unwrap_or(usize::MAX));
        if hashes.len() as u64 == width { Ok(hashes) } else { Err(damaged(self.size(), "it is not as long as that")) }
    }

    /// The root that the log had when it held `size` records.
    pub(super) fn root_at(&mut self, size: u64) -> Result<Hash, AuditError> {
        let levels = (0_u8..8).take_while(|level| size >> (8 * level) > 0);
        let edge = levels
            .map(|level| {
                let count = size >> (8 * level);
                match count % WIDTH {
                    0 => Ok(Vec::new()),
                    width => self.hashes(level, count / WIDTH, width),
                }
            })
            .collect::<Result<Vec<_>, AuditError>>()?;
        Ok(root(size, edge.iter().map(Vec::as_slice)))
    }

    /// That the log held what an older checkpoint says.
    pub(super) fn contains(&mut self, older: &Checkpoint) -> Result<(), AuditError> {
        let (size, mine) = (older.size, self.size());
        if size > mine {
            let what = format!("its checkpoint speaks of {mine} records, and an older one of {size}: it was cut");
            return Err(damaged(mine, what));
        }
        if self.root_at(size)? != older.root {
            let what = format!("its first {size} records are not those that an older checkpoint speaks of");
            return Err(AuditError::Damaged { record: None, what });
        }
        Ok(())
    }

    fn count(&self, level: u8) -> u64 {
        self.size().checked_shr(8 * u32::from(level)).unwrap_or(0)
    }

    fn full(&mut self, level: u8, number: u64) -> Result<Arc<[Hash]>, AuditError> {
        let at = usize::from(level);
        if let Some(Some((read, hashes))) = self.read.get(at)
            && *read == number
        {
            return Ok(hashes.clone());
        }
        let tile = Tile { holds: Holds::Hashes(level), number, width: WIDTH };
        let hashes = load(self.dir, tile)?;
        if root_of(&hashes) != self.hash(level + 1, number)? {
            let first = number.checked_shl(8 * (u32::from(level) + 1)).unwrap_or(u64::MAX);
            return Err(damaged(first, format!("{} is not what the signed root says", tile.path())));
        }
        let hashes: Arc<[Hash]> = hashes.into();
        if let Some(read) = self.read.get_mut(at) {
            *read = Some((number, hashes.clone()));
        }
        Ok(hashes)
    }

    /// One hash of a level.
    fn hash(&mut self, level: u8, index: u64) -> Result<Hash, AuditError> {
        let at = usize::try_from(index % WIDTH).unwrap_or_default();
        let hash = if index / WIDTH == self.count(level) / WIDTH {
            self.edge.get(usize::from(level)).and_then(|edge| edge.get(at)).copied()
        } else {
            self.full(level, index / WIDTH)?.get(at).copied()
        };
        hash.ok_or_else(|| damaged(self.size(), "it is not as long as that"))
    }
}

/// The root over the last tiles of all levels, those that are full left out.
fn root<'a>(size: u64, edge: impl Iterator<Item = &'a [Hash]>) -> Hash {
    let mut all = Vec::new();
    for hashes in edge {
        all.splice(0..0, subtrees(hashes));
    }
    Frontier::from_edge(size, all).root()
}

fn load(dir: &dyn Dir, tile: Tile) -> Result<Vec<Hash>, AuditError> {
    let bytes = dir.read(&tile.path()).map_err(AuditError::Directory)?;
    let hashes = read_hashes(&bytes).filter(|hashes| hashes.len() as u64 == tile.width);
    hashes
        .map(<[Hash]>::to_vec)
        .ok_or_else(|| AuditError::Damaged { record: None, what: format!("{} is damaged", tile.path()) })
}

pub(super) fn damaged(record: u64, what: impl Into<String>) -> AuditError {
    AuditError::Damaged { record: Some(record), what: what.into() }
}
