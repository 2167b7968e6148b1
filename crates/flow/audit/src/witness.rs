//! A witness of other logs (C2SP tlog-witness): says by a cosignature that it has seen a checkpoint, and never says so of two that
//! contradict each other.
//!
//! Threat: who holds a log's key shows one history to one reader and another to the next, or takes back what was on record. Of each
//! log the last checkpoint that was cosigned is kept, durably and before it is told; the next has to prove that it only appends to it.

use std::sync::{Arc, Mutex, PoisonError};

use countersign_core::Timestamp;
use countersign_seal::{SealError, Signer, Verifier};
use data_encoding::{BASE64, HEXLOWER};

use crate::{
    AuditError, Checkpoint, Dir,
    merkle::sha256,
    note::{self, BadNote, DASH, key_id, read_typed, typed_text},
    proof::{Growth, NotProved},
};

/// A witness as those know it who believe it: its name and its key.
pub struct Cosigner {
    name: String,
    key: Verifier,
}

impl Cosigner {
    /// The witness of a name and a key.
    #[must_use]
    pub const fn new(name: String, key: Verifier) -> Self {
        Self { name, key }
    }

    /// Reads a witness's public key in note form: `name+id+key`.
    ///
    /// # Errors
    /// When the text is not one.
    pub fn read(text: &str) -> Result<Self, BadNote> {
        read_typed(text, COSIGNATURE).map(|(name, key)| Self { name, key })
    }

    /// The text form.
    #[must_use]
    pub fn text(&self) -> String {
        typed_text(&self.name, COSIGNATURE, &self.key)
    }

    /// The witness's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// When this witness had seen the checkpoint of a note, in seconds since 1970.
    ///
    /// # Errors
    /// When it has not cosigned it, or somebody claims so who is not the witness.
    pub fn when(&self, note: &[u8]) -> Result<u64, NotProved> {
        let note = note::parse(note)?;
        let id = key_id(&self.name, COSIGNATURE, &self.key.public_key());
        let mine = note.signatures.iter().find(|s| s.name == self.name && s.id == id);
        let mine = mine.ok_or_else(|| NotProved::NoWitness(self.name.clone()))?;
        let (time, signature) = mine.signature.split_first_chunk::<8>().ok_or(BadNote::Form)?;
        let time = u64::from_be_bytes(*time);
        self.key.verify(&said(time, note.text), signature).map_err(|_| BadNote::Forged)?;
        Ok(time)
    }

    /// The line of a witness's answer by which it has cosigned `note`; none where none of them is.
    #[must_use]
    pub fn line<'a>(&self, note: &str, answer: &'a str) -> Option<&'a str> {
        let mut lines = answer.lines();
        lines.find(|line| self.when(format!("{note}{line}\n").as_bytes()).is_ok())
    }
}

/// A log that a witness knows.
pub struct Known {
    /// Its name.
    pub origin: String,
    /// Its keys.
    pub keys: Vec<Verifier>,
}

/// Why a witness does not cosign.
#[derive(Debug, thiserror::Error)]
pub enum Objection {
    /// What was handed in is not of the form.
    #[error("what was handed in is not of the form")]
    Form,
    /// The log is not one that this witness knows.
    #[error("the log is not known here")]
    Unknown,
    /// None of the log's keys signed the checkpoint.
    #[error("the checkpoint is not signed by a key of the log's")]
    Unsigned,
    /// The proof begins elsewhere than at the last checkpoint that was cosigned, or that one says otherwise.
    #[error("the last checkpoint cosigned here has {0} records")]
    Conflict(u64),
    /// The log did not only grow.
    #[error("the proof does not lead from the last checkpoint cosigned here")]
    Inconsistent,
    /// What was cosigned last cannot be read, or what is cosigned next cannot be kept.
    #[error("the witness's memory cannot be used: {0}")]
    Memory(#[from] AuditError),
    /// The cosignature cannot be made.
    #[error("the cosignature cannot be made")]
    Key(#[from] SealError),
}

/// A witness of other logs.
pub struct Witness {
    name: String,
    signer: Signer,
    logs: Vec<Known>,
    memory: Arc<Memory>,
}

/// What a witness has cosigned last of each log. It outlives the configuration, and a witness has only one.
pub struct Memory {
    dir: Arc<dyn Dir>,
    /// It is read, compared and replaced by one at a time.
    turn: Mutex<()>,
}

impl Memory {
    /// A memory in a directory of its own.
    #[must_use]
    pub fn new(dir: Arc<dyn Dir>) -> Self {
        Self { dir, turn: Mutex::new(()) }
    }
}

impl Witness {
    /// A witness of `logs`, by the name and with the key that its readers know.
    #[must_use]
    pub const fn new(name: String, signer: Signer, logs: Vec<Known>, memory: Arc<Memory>) -> Self {
        Self { name, signer, logs, memory }
    }

    /// Takes what a log hands in (`add-checkpoint`); gives the line with the cosignature, once what it says is kept.
    ///
    /// # Errors
    /// Why it is not cosigned.
    pub fn add_checkpoint(&self, body: &[u8], now: Timestamp) -> Result<String, Objection> {
        let growth = Growth::read(body).map_err(|_| Objection::Form)?;
        let note = note::parse(growth.note.as_bytes()).map_err(|_| Objection::Form)?;
        let log = self.logs.iter().find(|log| log.origin == note.checkpoint.origin).ok_or(Objection::Unknown)?;
        let newer =
            Checkpoint::open(growth.note.as_bytes(), &log.origin, &log.keys).map_err(|_| Objection::Unsigned)?;
        if growth.old > newer.size {
            return Err(Objection::Form);
        }
        let _turn = self.memory.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let path = place(&log.origin);
        let last = self.last(&path, &log.origin)?;
        let (size, root) = last.map_or((0, [0; 32]), |last| (last.size, last.root));
        if growth.old != size || (newer.size == size && size > 0 && newer.root != root) {
            return Err(Objection::Conflict(size));
        }
        growth.leads(&root, &newer).map_err(|_| Objection::Inconsistent)?;
        let time = now.seconds();
        let mut signature = key_id(&self.name, COSIGNATURE, &self.signer.public_key()).to_vec();
        signature.extend_from_slice(&time.to_be_bytes());
        signature.extend_from_slice(&self.signer.sign(&said(time, note.text))?);
        self.memory.dir.put(&[(path, growth.note.clone().into_bytes())]).map_err(AuditError::Directory)?;
        Ok(format!("{DASH}{} {}\n", self.name, BASE64.encode(&signature)))
    }

    /// What was cosigned last. A memory that cannot be read is not taken for an empty one.
    fn last(&self, path: &str, origin: &str) -> Result<Option<Checkpoint>, AuditError> {
        match self.memory.dir.read(path) {
            Ok(note) => {
                let last = Checkpoint::peek(&note)?;
                if last.origin == origin { Ok(Some(last)) } else { Err(BadNote::Origin.into()) }
            }
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(AuditError::Directory(cause)),
        }
    }
}

/// Puts cosignatures below a log's own note.
#[must_use]
pub fn witnessed<'a>(note: &str, lines: impl IntoIterator<Item = &'a str>) -> String {
    let mut note = note.to_owned();
    for line in lines {
        note.push_str(line);
        note.push('\n');
    }
    note
}

/// What a cosignature signs.
fn said(time: u64, text: &str) -> Vec<u8> {
    format!("cosignature/v1\ntime {time}\n{text}").into_bytes()
}

/// Where the last checkpoint of a log is kept; origins may hold anything that names may.
fn place(origin: &str) -> String {
    HEXLOWER.encode(&sha256(origin.as_bytes()))
}

/// Where the newest checkpoint with cosignatures stands in a log's directory.
pub const WITNESSED: &str = "checkpoint.witnessed";
/// The algorithm's number in signed notes: Ed25519 over a checkpoint and the time it was seen.
const COSIGNATURE: u8 = 4;

#[cfg(test)]
mod tests;
