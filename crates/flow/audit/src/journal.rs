//! The journal: frames, one after another, in files of some 32 MiB, or of a day where that is less, named by the index of their first
//! record.
//!
//! INVARIANT: a batch is written only after the one before it was synced. So whatever stands before the last batch was
//! durable once, and damage there is no crash's doing; only the last batch may be torn, and nobody was told that it is on
//! record. A sync that fails ends the journal's use until it is opened again, for what the disk holds is then unknown.
//!
//! INVARIANT: a file is begun only when the tiles below its predecessor are durable. The last two files are enough to make
//! all others again.

use std::io;

use crate::{
    AuditError, Dir, Tail,
    frame::{self, BadFrame},
    merkle::{Hash, sha256},
    record::{Entry, Micros, Torn},
};

/// What goes into the journal as one frame.
pub(crate) struct Item {
    /// At most [`frame::MAX_ENTRY`] bytes.
    pub(crate) entry: Vec<u8>,
    /// At most [`frame::MAX_BODY`] bytes.
    pub(crate) body: Vec<u8>,
    pub(crate) body_hash: Hash,
    /// What it takes from budgets.
    pub(crate) amounts: Vec<(std::sync::Arc<str>, i64)>,
}

impl Item {
    pub(crate) fn len(&self) -> usize {
        frame::HEADER + self.entry.len() + self.body.len()
    }
}

/// A batch is not on record.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Nothing of it is there; another may succeed.
    Again(io::Error),
    /// The disk's state is unknown; the log must be opened again.
    Poisoned(io::Error),
}

/// The journal's growing end.
pub(crate) struct Journal {
    tail: Box<dyn Tail>,
    /// Index of the first record of the file that grows.
    first: u64,
    next: u64,
    buffer: Vec<u8>,
    poisoned: bool,
    /// A file that is this long is followed by a new one.
    pub(crate) segment: u64,
    /// When the first record of the file that grows came about; none while it has none.
    began: Option<Micros>,
}

/// What opening a journal found.
pub(crate) struct Recovered {
    pub(crate) journal: Journal,
    pub(crate) torn: Option<Torn>,
}

impl Journal {
    /// Opens the journal, cuts off a torn tail and hands `each` the leaf hashes and entries from index `from`.
    ///
    /// # Errors
    /// When records are missing or damaged that were durable once, `signed` of them included, when `each` gives an error, or
    /// when the directory cannot be used.
    pub(crate) fn open(
        dir: &dyn Dir,
        signed: u64,
        from: u64,
        mut each: impl FnMut(Hash, &[u8]) -> Result<(), AuditError>,
    ) -> Result<Recovered, AuditError> {
        let segments = segments(dir)?;
        let mut recovered = None;
        let mut torn = None;
        let mut next = 0;
        for (i, (start, path)) in segments.iter().enumerate() {
            let end = segments.get(i + 1).map(|(start, _)| *start);
            if end.is_some_and(|end| end <= from) {
                next = end.unwrap_or(next);
                continue;
            }
            if *start != next {
                return Err(damaged(next, "records are missing from the journal"));
            }
            let bytes = dir.read(path).map_err(AuditError::Directory)?;
            let scan = Scan::of(&bytes, *start);
            next = scan.next;
            for frame in scan.frames().filter(|f| f.index >= from) {
                each(frame.leaf, frame.entry)?;
            }
            if let Some(bad) = scan.bad {
                let acknowledged = end.is_some() || frame::find(&bytes, scan.whole + 1, |f| f.first > next).is_some();
                if acknowledged {
                    return Err(damaged(next, bad));
                }
                let tail = trimmed(bytes.get(scan.whole..).unwrap_or_default());
                torn = Some(Torn { bytes: tail.len() as u64, sha256: sha256(tail) });
            }
            if end.is_none() {
                let first = scan.frames().next().and_then(|first| Entry::read(first.entry).ok());
                recovered = Some((*start, path, scan.whole as u64, first.map(|first| first.record.at())));
            }
        }
        if next < signed {
            return Err(damaged(next, "records that a checkpoint signed are missing"));
        }
        let (first, tail, began) = match recovered {
            Some((start, path, whole, began)) => {
                let mut tail = dir.append(path).map_err(AuditError::Directory)?;
                // Cuts off zeros, too, and gives a file that a crash left too short its length.
                tail.truncate(whole).map_err(AuditError::Directory)?;
                // What a crash left unsynced may be read back and still be lost by the next one.
                tail.sync().map_err(AuditError::Directory)?;
                (start, tail, began)
            }
            None => (0, dir.append(&path(0)).map_err(AuditError::Directory)?, None),
        };
        let journal = Self { tail, first, next, buffer: Vec::new(), poisoned: false, segment: SEGMENT, began };
        Ok(Recovered { journal, torn })
    }

    /// Index that the next record gets.
    pub(crate) const fn next(&self) -> u64 {
        self.next
    }

    /// Whether a new file waits for tiles to be settled, of which those below `settled` are.
    pub(crate) fn waits(&self, settled: u64, now: Micros) -> bool {
        self.is_over(now) && settled < self.first
    }

    /// Whether the file is followed by a new one: what a file holds is given up together, so none holds more than a day.
    fn is_over(&self, now: Micros) -> bool {
        self.tail.len() >= self.segment || self.began.is_some_and(|began| now.saturating_sub(began) >= DAY)
    }

    /// Writes a batch and syncs it; gives the leaf hashes. All of it is on record then, or none of it counts.
    pub(crate) fn append<'a>(
        &mut self,
        dir: &dyn Dir,
        settled: u64,
        now: Micros,
        items: impl Iterator<Item = &'a Item>,
    ) -> Result<Vec<Hash>, Failure> {
        if self.poisoned {
            return Err(Failure::Poisoned(io::Error::other("an earlier sync failed")));
        }
        if self.is_over(now) && !self.waits(settled, now) {
            self.tail = dir.append(&path(self.next)).map_err(Failure::Again)?;
            (self.first, self.began) = (self.next, None);
        }
        self.buffer.clear();
        self.buffer.shrink_to(KEPT_BUFFER);
        let leaves: Vec<_> = (self.next..)
            .zip(items)
            .map(|(i, item)| frame::encode(&mut self.buffer, i, self.next, &item.entry, &item.body, &item.body_hash))
            .collect();
        let before = self.tail.len();
        if let Err(cause) = self.tail.write(&self.buffer) {
            return match self.tail.truncate(before) {
                Ok(()) => Err(Failure::Again(cause)),
                Err(cause) => Err(self.poison(cause)),
            };
        }
        self.tail.sync().map_err(|cause| self.poison(cause))?;
        self.began.get_or_insert(now);
        self.next += leaves.len() as u64;
        Ok(leaves)
    }

    const fn poison(&mut self, cause: io::Error) -> Failure {
        self.poisoned = true;
        Failure::Poisoned(cause)
    }
}

/// The frames of one segment, up to the first that does not hold.
pub(crate) struct Scan<'a> {
    bytes: &'a [u8],
    /// Bytes that are whole frames in order.
    pub(crate) whole: usize,
    /// Index after the last of them.
    pub(crate) next: u64,
    /// What is wrong with what follows.
    pub(crate) bad: Option<BadFrame>,
}

impl<'a> Scan<'a> {
    /// Reads a segment whose first record is `start`.
    pub(crate) fn of(bytes: &'a [u8], start: u64) -> Self {
        let (mut whole, mut next) = (0, start);
        while let Some(rest) = bytes.get(whole..).filter(|r| !r.is_empty()) {
            match frame::decode(rest) {
                Ok(frame) if frame.index == next => {
                    whole += frame.len;
                    next += 1;
                }
                Ok(_) => return Self { bytes, whole, next, bad: Some(BadFrame::Header) },
                Err(_) if trimmed(rest).is_empty() => break,
                Err(bad) => return Self { bytes, whole, next, bad: Some(bad) },
            }
        }
        Self { bytes, whole, next, bad: None }
    }

    /// The whole frames again.
    pub(crate) fn frames(&self) -> impl Iterator<Item = frame::Frame<'a>> + use<'a> {
        let mut rest = self.bytes.get(..self.whole).unwrap_or_default();
        std::iter::from_fn(move || {
            let frame = frame::decode(rest).ok()?;
            rest = rest.get(frame.len..).unwrap_or_default();
            Some(frame)
        })
    }
}

/// Without the zeros that were written ahead of records to come. To be asked only of what does not begin with a whole
/// frame, for a frame may end in zeros.
pub(crate) fn trimmed(bytes: &[u8]) -> &[u8] {
    bytes.get(..bytes.iter().rposition(|b| *b != 0).map_or(0, |last| last + 1)).unwrap_or_default()
}

/// Below which record tiles were settled when the last file was begun.
pub(crate) fn settled(dir: &dyn Dir) -> Result<u64, AuditError> {
    Ok(segments(dir)?.iter().rev().nth(1).map_or(0, |(start, _)| *start))
}

/// The journal's files by the index of their first record, in order.
pub(crate) fn segments(dir: &dyn Dir) -> Result<Vec<(u64, String)>, AuditError> {
    let paths = dir.list(FOLDER).map_err(AuditError::Directory)?;
    Ok(paths.into_iter().filter_map(|p| segment_start(&p).map(|start| (start, p))).collect())
}

/// The index that a journal file's name tells.
pub(crate) fn segment_start(path: &str) -> Option<u64> {
    let start: u64 = path.strip_prefix(FOLDER)?.strip_prefix('/')?.parse().ok()?;
    (self::path(start) == path).then_some(start)
}

fn path(start: u64) -> String {
    format!("{FOLDER}/{start:020}")
}

fn damaged(record: u64, what: impl ToString) -> AuditError {
    AuditError::Damaged { record: Some(record), what: what.to_string() }
}

const FOLDER: &str = "journal";
const SEGMENT: u64 = 32 << 20;
/// In microseconds.
const DAY: Micros = 86_400 * 1_000_000;
const KEPT_BUFFER: usize = 256 << 10;
