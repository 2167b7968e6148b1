//! Reads a log back: one record after another, by request, as lines of JSON, and with proofs that others can check.

use std::io::{self, Write};

use countersign_core::RequestId;
use countersign_seal::{DataKeys, SealError};
use data_encoding::HEXLOWER;
use serde::Serialize;

use crate::{
    AuditError, Checkpoint, Dir,
    audit::PURPOSE,
    journal::segments,
    merkle::{self, Hash},
    publisher::CHECKPOINT,
    record::{ANSWER, Entry, Record, bound_to},
    tiles::{Holds, Tile, WIDTH, read_hashes},
    walk::{Step, Walk},
};

/// One record, read back.
#[derive(Clone, Debug)]
pub struct Shown {
    /// Its index in the log.
    pub index: u64,
    /// What it says.
    pub record: Record,
    /// Its leaf hash.
    pub leaf: Hash,
    sealed: Vec<u8>,
}

/// A text that stood sealed beside its record.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Text {
    /// The prompt as it left, or the answer as far as it was kept.
    pub bytes: Vec<u8>,
    /// SHA-256 over all of it: of an answer, also over what was not kept (zero where nobody took it).
    pub sha256: Hash,
}

impl Shown {
    /// Opens the text beside the record; none when there is none.
    ///
    /// # Errors
    /// [`SealError::Forgotten`] when its key was destroyed; others when it is damaged, or the log has another name.
    pub fn text(&self, origin: &str, keys: &DataKeys) -> Result<Option<Text>, SealError> {
        let Some(((scope, kind, _), request)) = self.record.sealed().zip(self.record.request()) else {
            return Ok(None);
        };
        let mut bytes = keys.key(&scope)?.open(PURPOSE, &bound_to(origin, request, kind), &self.sealed)?;
        if kind != ANSWER {
            return Ok(Some(Text { sha256: merkle::sha256(&bytes), bytes }));
        }
        let sha256 = *bytes.first_chunk::<32>().ok_or(SealError::NotAnEnvelope)?;
        bytes.drain(..sha256.len());
        Ok(Some(Text { bytes, sha256 }))
    }
}

/// Goes through all records in order. Where one is damaged, an error stands in its place and the next follows.
///
/// # Errors
/// When the journal cannot be listed.
pub fn records(dir: &dyn Dir) -> Result<impl Iterator<Item = Result<Shown, AuditError>>, AuditError> {
    let segments = segments(dir)?;
    Ok(segments.into_iter().flat_map(move |(start, path)| match dir.read(&path) {
        Ok(bytes) => Walk::new(&bytes, start).map(|step| shown(&step)).collect::<Vec<_>>(),
        Err(cause) => vec![Err(AuditError::Directory(cause))],
    }))
}

/// All that is on record about one request, in order.
///
/// # Errors
/// When the journal cannot be listed. Damaged records are passed over.
pub fn find(dir: &dyn Dir, request: RequestId) -> Result<Vec<Shown>, AuditError> {
    let id = request.to_string();
    let mut found = Vec::new();
    for (start, path) in segments(dir)? {
        let bytes = dir.read(&path).map_err(AuditError::Directory)?;
        for step in Walk::new(&bytes, start) {
            // Looking for the id before reading the JSON makes this fast.
            if let Step::Whole(frame) = &step
                && frame.entry.windows(id.len()).any(|w| w == id.as_bytes())
                && let Ok(shown) = shown(&step)
                && shown.record.request() == Some(request)
            {
                found.push(shown);
            }
        }
    }
    Ok(found)
}

/// Writes all records as lines of JSON; with keys, their texts too. Gives how many were written and how many are damaged.
///
/// # Errors
/// When the journal cannot be listed or `to` cannot be written to.
pub fn export(dir: &dyn Dir, opener: Option<(&str, &DataKeys)>, to: &mut dyn Write) -> Result<(u64, u64), AuditError> {
    #[derive(Serialize)]
    struct Line<'a> {
        index: u64,
        leaf: String,
        record: &'a Record,
        #[serde(skip_serializing_if = "Option::is_none")]
        text: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        text_sha256: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    }
    let (mut written, mut damaged) = (0, 0);
    for shown in records(dir)? {
        let shown = match shown {
            Ok(shown) => shown,
            Err(cause) => {
                damaged += 1;
                let line = serde_json::json!({ "error": cause.to_string() });
                writeln!(to, "{line}").map_err(AuditError::Directory)?;
                continue;
            }
        };
        let (text, error) = match opener.map(|(origin, keys)| shown.text(origin, keys)) {
            Some(Ok(text)) => (text, None),
            Some(Err(bad)) => (None, Some(bad.to_string())),
            None => (None, None),
        };
        let line = Line {
            index: shown.index,
            leaf: HEXLOWER.encode(&shown.leaf),
            record: &shown.record,
            text_sha256: text.as_ref().map(|t| HEXLOWER.encode(&t.sha256)),
            text: text.map(|t| String::from_utf8_lossy(&t.bytes).into_owned()),
            error,
        };
        serde_json::to_writer(&mut *to, &line).map_err(|cause| AuditError::Directory(cause.into()))?;
        to.write_all(b"\n").map_err(AuditError::Directory)?;
        written += 1;
    }
    Ok((written, damaged))
}

/// Proves that the record at `index` is in the log, for [`merkle::verify_inclusion`] against the newest checkpoint's root.
///
/// # Errors
/// When the checkpoint or a tile cannot be read, or no checkpoint covers the record yet.
pub fn prove(dir: &dyn Dir, index: u64) -> Result<(Checkpoint, Vec<Hash>), AuditError> {
    let note = dir.read(CHECKPOINT).map_err(AuditError::Directory)?;
    let checkpoint = Checkpoint::peek(&note)?;
    let size = checkpoint.size;
    let proof = merkle::prove_inclusion(index, size, &mut |level, number| node(dir, size, level, number));
    let missing = || AuditError::Directory(io::Error::other("no checkpoint covers the record, or a tile is missing"));
    Ok((checkpoint, proof.ok_or_else(missing)?))
}

/// The root over the complete subtree of `2^level` leaves, by the tile that holds it or the hashes below it.
fn node(dir: &dyn Dir, size: u64, level: u32, number: u64) -> Option<Hash> {
    let (tile_level, within) = (level / 8, level % 8);
    let hashes = size.checked_shr(8 * tile_level)?;
    let (first, count) = (number << within, 1_u64 << within);
    let tile = first / WIDTH;
    let width = (hashes - tile * WIDTH).min(WIDTH);
    let path = Tile { holds: Holds::Hashes(u8::try_from(tile_level).ok()?), number: tile, width }.path();
    let bytes = dir.read(&path).ok()?;
    let at = usize::try_from(first % WIDTH).ok()?;
    read_hashes(&bytes)?.get(at..at + usize::try_from(count).ok()?).map(merkle::root_of)
}

fn shown(step: &Step<'_>) -> Result<Shown, AuditError> {
    let damaged = |record: u64, what: &str| AuditError::Damaged { record: Some(record), what: what.to_owned() };
    match step {
        Step::Whole(frame) => {
            let entry = Entry::read(frame.entry).map_err(|bad| damaged(frame.index, &bad.to_string()))?;
            Ok(Shown { index: frame.index, record: entry.record, leaf: frame.leaf, sealed: frame.body.to_vec() })
        }
        Step::Stray(frame) => Err(damaged(frame.index, "it is out of its order")),
        Step::Missing { from, what, .. } => Err(damaged(*from, what)),
    }
}
