//! Holds bundles of entries against the journal while it is read.
//!
//! Where a bundle says byte for byte what the journal says, its hashes are the journal's, and it need not be hashed again.

use std::collections::BTreeSet;

use crate::{
    Dir,
    tiles::{Holds, Tile, WIDTH},
};

pub(super) struct Bundles<'a> {
    dir: &'a dyn Dir,
    /// The bundle that is compared.
    bytes: Vec<u8>,
    at: usize,
    /// The record that has to be seen next; none where the bundle has said otherwise, or a record was missing.
    next: Option<u64>,
    /// The full bundles that say what the journal says.
    same: BTreeSet<u64>,
}

impl<'a> Bundles<'a> {
    pub(super) fn new(dir: &'a dyn Dir) -> Self {
        Self { dir, bytes: Vec::new(), at: 0, next: None, same: BTreeSet::new() }
    }

    /// The journal has this record.
    pub(super) fn see(&mut self, record: u64, entry: &[u8]) {
        let number = record / WIDTH;
        if record.is_multiple_of(WIDTH) {
            let tile = Tile { holds: Holds::Entries, number, width: WIDTH };
            // One that cannot be read is for whoever looks at all files.
            let read = self.dir.read_into(&tile.path(), &mut self.bytes);
            (self.at, self.next) = (0, read.ok().map(|()| record));
        }
        if self.next != Some(record) {
            return;
        }
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let said =
            rest.split_first_chunk::<2>().filter(|(length, _)| u16::from_be_bytes(**length) as usize == entry.len());
        if said.is_none_or(|(_, rest)| !rest.starts_with(entry)) {
            self.next = None;
            return;
        }
        self.at += 2 + entry.len();
        self.next = record.checked_add(1);
        if self.next.is_some_and(|next| next.is_multiple_of(WIDTH)) && self.at == self.bytes.len() {
            self.same.insert(number);
        }
    }

    /// Whether this tile is a bundle that says what the journal says.
    pub(super) fn holds(&self, tile: Tile) -> bool {
        tile.holds == Holds::Entries && tile.width == WIDTH && self.same.contains(&tile.number)
    }
}
