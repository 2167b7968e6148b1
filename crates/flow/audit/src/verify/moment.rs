//! A log's directory as of one moment.

use std::{collections::BTreeMap, io};

use crate::{
    Dir,
    publisher::CHECKPOINT,
    tiles::{Tile, WIDTH},
};

/// What a running gateway replaces, as it stood at one moment: the checkpoint, and the tiles that are not full, of which it
/// removes the older ones. All else only grows.
pub(super) struct Moment {
    pub(super) files: Vec<String>,
    pub(super) note: io::Result<Vec<u8>>,
    partial: BTreeMap<String, Vec<u8>>,
}

impl Moment {
    pub(super) fn of(dir: &dyn Dir) -> io::Result<Self> {
        let mut note = dir.read(CHECKPOINT);
        let mut tries = 0;
        loop {
            let mut moment = Self { files: dir.list("")?, note, ..Self::default() };
            moment.files.retain(|file| {
                if Tile::parse(file).is_some_and(|tile| tile.width < WIDTH) {
                    let bytes = dir.read(file);
                    if bytes.as_ref().is_err_and(|cause| cause.kind() == io::ErrorKind::NotFound) {
                        return false;
                    }
                    moment.partial.insert(file.clone(), bytes.unwrap_or_default());
                }
                true
            });
            // Tiles are removed after the checkpoint that they belong to was replaced.
            let again = dir.read(CHECKPOINT);
            tries += 1;
            if tries == PATIENCE || moment.note.as_ref().ok() == again.as_ref().ok() {
                return Ok(moment);
            }
            note = again;
        }
    }

    pub(super) fn read(&self, dir: &dyn Dir, file: &str) -> Vec<u8> {
        self.partial.get(file).cloned().unwrap_or_else(|| dir.read(file).unwrap_or_default())
    }
}

impl Default for Moment {
    fn default() -> Self {
        Self { files: Vec::new(), note: Err(io::ErrorKind::NotFound.into()), partial: BTreeMap::new() }
    }
}

/// A checkpoint is replaced once a second at most, and what it belongs to is read within milliseconds.
const PATIENCE: usize = 16;
