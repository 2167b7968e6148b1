//! Reads a log back: one record after another, and as lines of JSON.

use std::io::Write;

use countersign_core::{Entity, Secret};
use countersign_seal::{DataKeys, SealError};
use data_encoding::HEXLOWER;
use serde::Serialize;

use crate::{
    AuditError, Dir,
    audit::PURPOSE,
    merkle::{self, Hash},
    recent,
    record::{ANSWER, Entry, Record, bound_to},
    values,
    walk::Step,
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
        let Some((mut bytes, kind)) = self.open(origin, keys)? else { return Ok(None) };
        if kind != ANSWER {
            bytes.truncate(self.values_at(bytes.len()));
            return Ok(Some(Text { sha256: merkle::sha256(&bytes), bytes }));
        }
        let sha256 = *bytes.first_chunk::<32>().ok_or(SealError::NotAnEnvelope)?;
        bytes.drain(..sha256.len());
        Ok(Some(Text { bytes, sha256 }))
    }

    /// The type and the value of which a stand-in with this tag was made for this request; none where none was, or it was not kept.
    ///
    /// # Errors
    /// As [`Shown::text`].
    pub fn value(
        &self,
        tag: &str,
        origin: &str,
        keys: &DataKeys,
    ) -> Result<Option<(Entity, Secret<String>)>, SealError> {
        let Some((bytes, _)) = self.open(origin, keys)? else { return Ok(None) };
        let bytes = Secret::new(bytes);
        let kept = bytes.expose().get(self.values_at(bytes.expose().len())..).unwrap_or_default();
        values::find(kept, tag)
    }

    /// All that is sealed, and what kind of text it is.
    fn open(&self, origin: &str, keys: &DataKeys) -> Result<Option<(Vec<u8>, &'static str)>, SealError> {
        let Some(((scope, kind, _), request)) = self.record.sealed().zip(self.record.request()) else {
            return Ok(None);
        };
        let opened = keys.key(&scope)?.open(PURPOSE, &bound_to(origin, request, kind), &self.sealed)?;
        Ok(Some((opened, kind)))
    }

    /// Where, in a text of this length, the values behind its stand-ins begin.
    fn values_at(&self, length: usize) -> usize {
        let values = if let Record::Intent(intent) = &self.record { intent.values } else { 0 };
        length.saturating_sub(usize::try_from(values).unwrap_or(usize::MAX))
    }
}

/// Goes through all records in order. Where one is damaged, an error stands in its place and the next follows.
///
/// # Errors
/// When the journal cannot be listed.
pub fn records(dir: &dyn Dir) -> Result<impl Iterator<Item = Result<Shown, AuditError>>, AuditError> {
    recent(dir, 0)
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

/// One step's record, or what is wrong with it.
pub(crate) fn shown(step: &Step<'_>) -> Result<Shown, AuditError> {
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
