//! Proofs that others can check, offline and without this program: that a record is in the log, and that the log only grew.
//!
//! One record is proved by a C2SP tlog-proof with the record itself as its extra data:
//!
//! ```text
//! c2sp.org/tlog-proof@v1
//! extra <the entry in base64>
//! index 73894
//! <hashes in base64, one on a line>
//!
//! <the checkpoint, with its signatures and cosignatures>
//! ```
//!
//! Growth is proved by what C2SP tlog-witness has a log hand to its witnesses: `old`, the size before, and the hashes and the newer
//! checkpoint as above.

use std::fmt;

use countersign_seal::Verifier;
use data_encoding::BASE64;

use crate::{
    AuditError, Checkpoint, Dir,
    merkle::{self, BadProof, Hash, leaf_hash},
    note::{self, BadNote, base64},
    publisher::CHECKPOINT,
    reader::{Reader, wanting},
    record::{BadEntry, Entry},
    witness::{Cosigner, WITNESSED},
};

/// That a record is in the log.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Proof {
    /// The record's index.
    pub index: u64,
    /// The record, as it is hashed.
    pub entry: Vec<u8>,
    /// From the leaf's sibling up to the root's child.
    pub hashes: Vec<Hash>,
    /// The checkpoint, as it was signed.
    pub note: String,
}

/// That the log of an older checkpoint only grew.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Growth {
    /// How many records the older checkpoint has.
    pub old: u64,
    /// The consistency proof of RFC 6962.
    pub hashes: Vec<Hash>,
    /// The newer checkpoint, as it was signed.
    pub note: String,
}

/// Whom the reader of a proof believes.
pub struct Trust<'a> {
    /// The log's name.
    pub origin: &'a str,
    /// Keys that may have signed it.
    pub keys: &'a [Verifier],
    /// Witnesses that all have to have cosigned the checkpoint.
    pub witnesses: &'a [Cosigner],
}

/// What a proof has shown.
#[derive(Debug)]
pub struct Proved {
    /// The checkpoint that the record is under.
    pub checkpoint: Checkpoint,
    /// The record.
    pub entry: Entry,
    /// When each of the witnesses had seen the checkpoint, in seconds since 1970.
    pub cosigned: Vec<u64>,
}

/// A proof cannot be believed.
#[derive(Debug, thiserror::Error)]
pub enum NotProved {
    /// It is not of the form.
    #[error("it is no proof of this kind")]
    Form,
    /// Its checkpoint cannot be believed.
    #[error(transparent)]
    Checkpoint(#[from] BadNote),
    /// A witness has not cosigned it.
    #[error("witness `{0}` has not cosigned the checkpoint")]
    NoWitness(String),
    /// It does not lead where it should.
    #[error(transparent)]
    Proof(#[from] BadProof),
    /// The record cannot be read.
    #[error(transparent)]
    Entry(#[from] BadEntry),
    /// The older checkpoint is another than the one that it speaks of.
    #[error("it begins at {found} records and the older checkpoint has {wanted}")]
    Size {
        /// Where the proof begins.
        found: u64,
        /// How many records the checkpoint has.
        wanted: u64,
    },
}

impl Proof {
    /// Proves the record at `index`: under the newest checkpoint that witnesses have cosigned, where it covers the record, or else the
    /// newest.
    ///
    /// # Errors
    /// When no checkpoint covers the record yet, or a tile cannot be read.
    pub fn of(dir: &dyn Dir, index: u64) -> Result<Self, AuditError> {
        let witnessed = dir.read(WITNESSED).ok().and_then(|note| Some((Checkpoint::peek(&note).ok()?, note)));
        Reader::steady(dir, |reader| {
            let (size, note) = match &witnessed {
                // What is under an older checkpoint is proved by the tiles of a newer one as well.
                Some((cosigned, note)) if cosigned.size > index && cosigned.size <= reader.checkpoint().size => {
                    (cosigned.size, String::from_utf8_lossy(note).into_owned())
                }
                _ => (reader.checkpoint().size, reader.note().to_owned()),
            };
            let entry = reader.entries(index)?.into_iter().next().ok_or_else(|| wanting(index))?;
            let hashes = merkle::prove_inclusion(index, size, &mut |level, number| reader.node(level, number));
            Ok(Self { index, entry, hashes: hashes.ok_or_else(|| wanting(index))?, note })
        })
    }

    /// Reads a proof. Nothing is believed yet.
    ///
    /// # Errors
    /// [`NotProved::Form`].
    pub fn read(text: &[u8]) -> Result<Self, NotProved> {
        let (head, note) = halves(text)?;
        let mut lines = head.split('\n');
        if lines.next() != Some(FORM) {
            return Err(NotProved::Form);
        }
        let entry = lines.next().and_then(|line| line.strip_prefix("extra ")).ok_or(NotProved::Form)?;
        let entry = base64(entry).ok_or(NotProved::Form)?;
        let index = number(lines.next(), "index ")?;
        Ok(Self { index, entry, hashes: hashes(lines)?, note: note.to_owned() })
    }

    /// Checks the proof; gives the record and what it is under.
    ///
    /// # Errors
    /// Why it cannot be believed.
    pub fn verify(&self, trust: &Trust<'_>) -> Result<Proved, NotProved> {
        let checkpoint = Checkpoint::open(self.note.as_bytes(), trust.origin, trust.keys)?;
        let leaf = leaf_hash(&self.entry);
        merkle::verify_inclusion(self.index, checkpoint.size, &leaf, &self.hashes, &checkpoint.root)?;
        let cosigned = trust.witnesses.iter().map(|witness| witness.when(self.note.as_bytes()));
        let cosigned = cosigned.collect::<Result<_, _>>()?;
        Ok(Proved { checkpoint, entry: Entry::read(&self.entry)?, cosigned })
    }
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{FORM}\nextra {}\nindex {}", BASE64.encode(&self.entry), self.index)?;
        write_rest(f, &self.hashes, &self.note)
    }
}

impl Growth {
    /// Proves that the log only appended to its first `old` records.
    ///
    /// # Errors
    /// When the log has fewer, or a tile cannot be read.
    pub fn of(dir: &dyn Dir, old: u64) -> Result<Self, AuditError> {
        Self::under(dir, old, &String::from_utf8_lossy(&dir.read(CHECKPOINT).map_err(AuditError::Directory)?))
    }

    /// As [`Growth::of`], up to a checkpoint that need not be the newest.
    ///
    /// # Errors
    /// As [`Growth::of`].
    pub fn under(dir: &dyn Dir, old: u64, note: &str) -> Result<Self, AuditError> {
        let size = Checkpoint::peek(note.as_bytes())?.size;
        Reader::steady(dir, |reader| {
            let hashes = match old {
                // Of nothing there is nothing to show.
                0 => Some(Vec::new()),
                _ if size > reader.checkpoint().size => None,
                _ => merkle::prove_consistency(old, size, &mut |level, number| reader.node(level, number)),
            };
            Ok(Self { old, hashes: hashes.ok_or_else(|| wanting(old.saturating_sub(1)))?, note: note.to_owned() })
        })
    }

    /// Reads a proof. Nothing is believed yet.
    ///
    /// # Errors
    /// [`NotProved::Form`].
    pub fn read(text: &[u8]) -> Result<Self, NotProved> {
        let (head, note) = halves(text)?;
        let mut lines = head.split('\n');
        let old = number(lines.next(), "old ")?;
        Ok(Self { old, hashes: hashes(lines)?, note: note.to_owned() })
    }

    /// Checks that the log of `older` only grew; gives the newer checkpoint. `older` must be believed already.
    ///
    /// # Errors
    /// Why it cannot be believed.
    pub fn verify(&self, older: &Checkpoint, keys: &[Verifier]) -> Result<Checkpoint, NotProved> {
        let newer = Checkpoint::open(self.note.as_bytes(), &older.origin, keys)?;
        if self.old != older.size {
            return Err(NotProved::Size { found: self.old, wanted: older.size });
        }
        self.leads(&older.root, &newer)?;
        Ok(newer)
    }

    /// Whether the proof leads from the root of the older tree to the newer checkpoint.
    pub(crate) fn leads(&self, older: &Hash, newer: &Checkpoint) -> Result<(), BadProof> {
        match self.old {
            0 if self.hashes.is_empty() => Ok(()),
            old => merkle::verify_consistency(old, newer.size, older, &newer.root, &self.hashes),
        }
    }
}

impl fmt::Display for Growth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "old {}", self.old)?;
        write_rest(f, &self.hashes, &self.note)
    }
}

fn write_rest(f: &mut fmt::Formatter<'_>, hashes: &[Hash], note: &str) -> fmt::Result {
    for hash in hashes {
        writeln!(f, "{}", BASE64.encode(hash))?;
    }
    write!(f, "\n{note}")
}

/// What is before the first empty line, and the note after it.
fn halves(text: &[u8]) -> Result<(&str, &str), NotProved> {
    let text = std::str::from_utf8(text).map_err(|_| NotProved::Form)?;
    let (head, note) = text.split_once("\n\n").ok_or(NotProved::Form)?;
    note::parse(note.as_bytes())?;
    Ok((head, note))
}

fn number(line: Option<&str>, name: &str) -> Result<u64, NotProved> {
    let digits = line.and_then(|line| line.strip_prefix(name)).ok_or(NotProved::Form)?;
    let number: u64 = digits.parse().map_err(|_| NotProved::Form)?;
    // One number has one form.
    if number.to_string() == digits { Ok(number) } else { Err(NotProved::Form) }
}

fn hashes<'a>(lines: impl Iterator<Item = &'a str>) -> Result<Vec<Hash>, NotProved> {
    let hash = |line: &str| base64(line)?.try_into().ok();
    let hashes: Option<Vec<Hash>> = lines.take(MOST + 1).map(hash).collect();
    hashes.filter(|hashes| hashes.len() <= MOST).ok_or(NotProved::Form)
}

const FORM: &str = "c2sp.org/tlog-proof@v1";
/// No proof in a tree of 64-bit indexes is longer.
const MOST: usize = 63;

#[cfg(test)]
mod tests;
