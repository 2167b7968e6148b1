//! A copy of the log elsewhere: what has to be written there next, and whether what stands there is right.
//!
//! A copy is laid out as the log is (C2SP tlog-tiles), without the journal: tiles, entries, and `checkpoint`, which is written after all that
//! it rests on. So a copy that was broken off is whole up to its checkpoint, and that is where it goes on. Nothing is ever removed there.
//!
//! Threat: who holds this machine and its keys rewrites the log, or cuts it. Checkpoints that somebody else keeps under a retention lock
//! (the *anchors*) cannot be taken back, whatever key signs what comes later.
//!
//! What the log has given up before it was copied, the copy never had; the record that says so is copied with it. What was copied before
//! stays there, whatever the log gives up.
//!
//! INVARIANT: nothing is copied that the signed root does not speak for.

use countersign_seal::Verifier;

use crate::{
    AuditError, Checkpoint, Dir,
    keep::{GIVEN_UP, Range, covers},
    merkle::{Hash, leaf_hash},
    proof::{Proof, Trust},
    reader::Reader,
    record::Record,
    tiles::{Holds, Laid, Tile, WIDTH, read_bundle},
};

mod check;
mod tree;

pub use check::{Against, Report, check};
use tree::{Tree, damaged};

/// What a copy lacks, or the next part of it.
#[derive(Debug)]
pub struct Part {
    /// Tiles and entries, in any order, but all before the checkpoint. Some may be there already, and are the same.
    pub files: Vec<(String, Vec<u8>)>,
    /// What the copy holds with them.
    pub checkpoint: Checkpoint,
    /// The log's own note that says so; none where this is less than the log holds, and a note has yet to be signed.
    pub note: Option<String>,
}

impl Part {
    /// The next part for a copy whose checkpoint says `copied`; none where nothing is lacking.
    ///
    /// # Errors
    /// When the log cannot be read, when no key of `keys` signed its checkpoint, when a tile is not what the signed root says, or when the
    /// log is not the one that was copied: then it was cut or rewritten since, or the copy was.
    pub fn next(
        dir: &dyn Dir,
        origin: &str,
        keys: &[Verifier],
        copied: Option<&Checkpoint>,
    ) -> Result<Option<Self>, AuditError> {
        Reader::steady(dir, |reader| {
            let checkpoint = Checkpoint::open(reader.note().as_bytes(), origin, keys)?;
            let mut tree = Tree::new(dir, checkpoint.clone())?;
            let from = match copied {
                Some(copied) => {
                    tree.contains(copied)?;
                    copied.size
                }
                None => 0,
            };
            if from == checkpoint.size && copied.is_some() {
                return Ok(None);
            }
            let whole = from - from % WIDTH + STEP;
            if checkpoint.size <= whole {
                let files = files(&mut tree, from, checkpoint.size, &given(dir, origin, keys))?;
                return Ok(Some(Self { files, checkpoint, note: Some(reader.note().to_owned()) }));
            }
            let checkpoint = Checkpoint { size: whole, root: tree.root_at(whole)?, ..checkpoint };
            let files = files(&mut tree, from, whole, &given(dir, origin, keys))?;
            Ok(Some(Self { files, checkpoint, note: None }))
        })
    }
}

/// Where a checkpoint is kept under a retention lock: its name says what it holds.
#[must_use]
pub fn anchor(checkpoint: &Checkpoint) -> String {
    format!("{ANCHORS}/{:020}-{}", checkpoint.size, data_encoding::HEXLOWER.encode(&checkpoint.root))
}

/// All that a copy of `to` records has and one of `from` lacks.
fn files(tree: &mut Tree<'_>, from: u64, to: u64, given: &[Range]) -> Result<Vec<Laid>, AuditError> {
    let mut files = Vec::new();
    if !given.is_empty() {
        files.push((GIVEN_UP.to_owned(), tree.dir.read(GIVEN_UP).map_err(AuditError::Directory)?));
    }
    for level in (0_u8..8).take_while(|level| to >> (8 * level) > 0) {
        let (from, to) = (from >> (8 * level), to >> (8 * level));
        if from == to {
            continue;
        }
        for number in from / WIDTH..to.div_ceil(WIDTH) {
            let width = (to - number * WIDTH).min(WIDTH);
            let hashes = tree.hashes(level, number, width)?;
            let tile = Tile { holds: Holds::Hashes(level), number, width };
            files.push((tile.path(), hashes.as_flattened().to_vec()));
            if level == 0 {
                files.extend(bundle(tree.dir, number, &hashes, given)?);
            }
        }
    }
    Ok(files)
}

/// The entries that have these leaf hashes; none where they were given up.
fn bundle(dir: &dyn Dir, number: u64, hashes: &[Hash], given: &[Range]) -> Result<Option<Laid>, AuditError> {
    let (tile, first) = (Tile { holds: Holds::Entries, number, width: hashes.len() as u64 }, number * WIDTH);
    let bytes = match dir.read(&tile.path()) {
        Ok(bytes) => bytes,
        Err(_) if covers(given, first, first + tile.width) => return Ok(None),
        Err(cause) => return Err(AuditError::Directory(cause)),
    };
    let entries = read_bundle(&bytes).unwrap_or_default();
    if entries.len() != hashes.len() || !entries.iter().zip(hashes).all(|(entry, hash)| leaf_hash(entry) == *hash) {
        return Err(damaged(first, format!("{} is not what the signed root says", tile.path())));
    }
    Ok(Some((tile.path(), bytes)))
}

/// What was given up, as far as a record under a signed checkpoint says so.
fn given(dir: &dyn Dir, origin: &str, keys: &[Verifier]) -> Vec<Range> {
    let proved = || {
        let proof = Proof::read(&dir.read(GIVEN_UP).ok()?).ok()?;
        let proved = proof.verify(&Trust { origin, keys, witnesses: &[] }).ok()?;
        if let Record::GivenUp(given) = proved.entry.record { Some(given.ever) } else { None }
    };
    proved().unwrap_or_default()
}

/// Where the anchors stand.
pub const ANCHORS: &str = "anchor";
/// Where a copy's checkpoint stands.
pub const COPIED: &str = crate::publisher::CHECKPOINT;
/// So many records are copied at once, so that not much is in memory, or to be done again.
pub const STEP: u64 = 16 * WIDTH;

#[cfg(test)]
mod tests;
