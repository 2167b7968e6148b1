//! Tiles: the tree's hashes and the entries in files of 256, laid out as C2SP tlog-tiles.
//!
//! `tile/0/x001/x234/067` holds the leaf hashes from 256 × 1,234,067; `tile/1/...` the roots of those tiles, and so on;
//! `tile/entries/...` the entries themselves, each behind its length (u16, big-endian). A tile that is not full yet is
//! `....p/W` with its W hashes or entries.

use std::fmt::Write as _;

use crate::{
    AuditError, Dir,
    merkle::{Frontier, Hash, root_of},
};

/// Hashes or entries of a full tile.
pub(crate) const WIDTH: u64 = 256;

/// What a tile's file holds.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Holds {
    /// Entries.
    Entries,
    /// Hashes of this level; those of level 0 are the leaves'.
    Hashes(u8),
}

/// One tile's place.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Tile {
    pub(crate) holds: Holds,
    /// Its number within the level.
    pub(crate) number: u64,
    /// How many hashes or entries: 1 to 256.
    pub(crate) width: u64,
}

impl Tile {
    /// Its path in the log's directory.
    pub(crate) fn path(self) -> String {
        let mut path = match self.holds {
            Holds::Entries => "tile/entries".to_owned(),
            Holds::Hashes(level) => format!("tile/{level}"),
        };
        let groups = std::iter::successors(Some(self.number), |n| (*n >= 1000).then_some(n / 1000)).count();
        for group in (0..groups).rev() {
            let digits = self.number / 1000_u64.pow(u32::try_from(group).unwrap_or(0)) % 1000;
            let _ = write!(path, "/{}{digits:03}", if group == 0 { "" } else { "x" });
        }
        if self.width < WIDTH {
            let _ = write!(path, ".p/{}", self.width);
        }
        path
    }

    /// The tile at a path; none when the path is no tile's, or not in its one form.
    pub(crate) fn parse(path: &str) -> Option<Self> {
        let (holds, rest) = path.strip_prefix("tile/")?.split_once('/')?;
        let holds = if holds == "entries" { Holds::Entries } else { Holds::Hashes(holds.parse().ok()?) };
        let (rest, width) = match rest.split_once(".p/") {
            Some((rest, width)) => (rest, width.parse().ok()?),
            None => (rest, WIDTH),
        };
        let mut number: u64 = 0;
        for group in rest.split('/') {
            let digits: u64 = group.trim_start_matches('x').parse().ok()?;
            number = number.checked_mul(1000)?.checked_add(digits)?;
        }
        // Beyond all numbers of records there is nothing.
        number.checked_add(1)?.checked_mul(WIDTH)?;
        let tile = Self { holds, number, width };
        (width > 0 && tile.path() == path).then_some(tile)
    }
}

/// The entries of a bundle; none when it does not hold together.
pub(crate) fn read_bundle(mut bytes: &[u8]) -> Option<Vec<&[u8]>> {
    let mut entries = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<2>() {
        let (entry, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        entries.push(entry);
        bytes = rest;
    }
    bytes.is_empty().then_some(entries)
}

/// The hashes of a tile; none when it does not hold whole ones.
pub(crate) fn read_hashes(bytes: &[u8]) -> Option<&[Hash]> {
    let (hashes, rest) = bytes.as_chunks::<32>();
    rest.is_empty().then_some(hashes)
}

/// A file's path and what it holds.
pub(crate) type Laid = (String, Vec<u8>);

/// Grows the tree and knows which tiles have to be written.
#[derive(Default)]
pub(crate) struct Tiles {
    frontier: Frontier,
    /// The hashes of each level's last tile, as long as it is not full.
    levels: Vec<Vec<Hash>>,
    /// The entries of the last bundle, as long as it is not full.
    bundle: Vec<u8>,
    /// Full tiles that are not written yet.
    full: Vec<Laid>,
}

impl Tiles {
    /// The right edge of a tree of `size` leaves, a multiple of 256, from the full tiles below it.
    ///
    /// # Errors
    /// When a tile is missing or damaged.
    pub(crate) fn edge(dir: &dyn Dir, size: u64) -> Result<Self, AuditError> {
        let mut tiles = Self::default();
        let mut edge = Vec::new();
        for level in (0_u8..8).take_while(|l| size >> (8 * l) > 0) {
            let count = size >> (8 * level);
            let hashes = (count - count % WIDTH..count)
                .map(|number| Ok(root_of(&load_hashes(dir, level - 1, number)?)))
                .collect::<Result<Vec<_>, AuditError>>()?;
            edge.splice(0..0, subtrees(&hashes));
            tiles.levels.push(hashes);
        }
        tiles.frontier = Frontier::from_edge(size, edge);
        Ok(tiles)
    }

    /// Appends a record.
    pub(crate) fn push(&mut self, leaf: Hash, entry: &[u8]) {
        // The root over a full tile of leaves comes by the way; those above are one in 256.
        let mut tile_root = self.frontier.push_to_tile(leaf);
        self.bundle.extend_from_slice(&u16::try_from(entry.len()).unwrap_or(u16::MAX).to_be_bytes());
        self.bundle.extend_from_slice(entry);
        let size = self.frontier.size();
        if size.is_multiple_of(WIDTH) {
            let tile = Tile { holds: Holds::Entries, number: size / WIDTH - 1, width: WIDTH };
            let next = Vec::with_capacity(self.bundle.len());
            self.full.push((tile.path(), std::mem::replace(&mut self.bundle, next)));
        }
        let mut hash = leaf;
        for level in 0_u8..7 {
            if self.levels.len() <= usize::from(level) {
                self.levels.push(Vec::new());
            }
            let Some(hashes) = self.levels.get_mut(usize::from(level)) else { return };
            hashes.push(hash);
            if hashes.len() as u64 != WIDTH {
                return;
            }
            let number = (size >> (8 * (level + 1))) - 1;
            let tile = Tile { holds: Holds::Hashes(level), number, width: WIDTH };
            self.full.push((tile.path(), hashes.as_flattened().to_vec()));
            hash = tile_root.take().unwrap_or_else(|| root_of(hashes));
            hashes.clear();
        }
    }

    /// How many leaves the tree has.
    pub(crate) const fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// The root over all leaves.
    pub(crate) fn root(&self) -> Hash {
        self.frontier.root()
    }

    /// How many full tiles are not written yet.
    pub(crate) const fn waiting(&self) -> usize {
        self.full.len()
    }

    /// Hands out the full tiles that are not written yet.
    pub(crate) fn take_full(&mut self) -> Vec<Laid> {
        std::mem::take(&mut self.full)
    }

    /// Takes back full tiles that could not be written.
    pub(crate) fn put_back(&mut self, full: Vec<Laid>) {
        self.full.splice(0..0, full);
    }

    /// The tiles that are not full, as they are now.
    pub(crate) fn partial(&self) -> Vec<Laid> {
        let size = self.size();
        let mut partial = Vec::new();
        for (level, hashes) in (0_u8..).zip(&self.levels) {
            if !hashes.is_empty() {
                let number = (size >> (8 * level)) / WIDTH;
                let tile = Tile { holds: Holds::Hashes(level), number, width: hashes.len() as u64 };
                partial.push((tile.path(), hashes.as_flattened().to_vec()));
            }
        }
        if !self.bundle.is_empty() {
            let tile = Tile { holds: Holds::Entries, number: size / WIDTH, width: size % WIDTH };
            partial.push((tile.path(), self.bundle.clone()));
        }
        partial
    }
}

/// The roots of the complete subtrees over the hashes of a tile that is not full, by falling size: the set bits of its width, highest first.
/// Those of lower levels come after.
pub(crate) fn subtrees(hashes: &[Hash]) -> Vec<Hash> {
    let mut roots = Vec::new();
    let mut rest = hashes;
    for bit in (0..8).rev().map(|bit| 1_usize << bit) {
        if hashes.len() & bit != 0 {
            let (subtree, later) = rest.split_at(bit);
            roots.push(root_of(subtree));
            rest = later;
        }
    }
    roots
}

fn load_hashes(dir: &dyn Dir, level: u8, number: u64) -> Result<Vec<Hash>, AuditError> {
    let tile = Tile { holds: Holds::Hashes(level), number, width: WIDTH };
    let bytes = dir.read(&tile.path()).unwrap_or_default();
    let hashes = read_hashes(&bytes).filter(|h| h.len() as u64 == tile.width);
    hashes
        .map(<[Hash]>::to_vec)
        .ok_or_else(|| AuditError::Damaged { record: None, what: format!("{} is damaged", tile.path()) })
}

#[cfg(test)]
mod tests;
