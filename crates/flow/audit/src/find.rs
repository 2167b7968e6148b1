//! Finds what is on record about one request, without reading the whole log.
//!
//! A request's id tells when it was made, and files of the journal follow one another in time: so it is looked for from the file
//! of that time on, until it is over. There is no index to keep, to trust or to lose. Where clocks were set back and nothing is
//! found there, the rest is read, too.

use countersign_core::RequestId;
use memchr::memmem;

use crate::{
    AuditError, Dir,
    frame::{HEADER, MAX_ENTRY},
    journal::segments,
    record::{Entry, Micros, Record},
    show::{Shown, shown},
    walk::{Step, Walk},
};

/// All that is on record about one request, in order.
///
/// # Errors
/// When the journal cannot be read. Damaged records are passed over.
pub fn find(dir: &dyn Dir, request: RequestId) -> Result<Vec<Shown>, AuditError> {
    let segments = segments(dir)?;
    let made = u64::try_from(request.bits() >> 80).unwrap_or(u64::MAX).saturating_mul(1000);
    let from = from_time(dir, &segments, made);
    let (before, after) = segments.split_at_checked(from).unwrap_or((&[], &segments));
    let id = request.to_string();
    let id = memmem::Finder::new(id.as_bytes());
    let mut found = Vec::new();
    for (start, path) in after {
        look(dir, *start, path, &id, request, &mut found)?;
        if found.last().is_some_and(is_over) {
            break;
        }
    }
    if !is_whole(&found) {
        let mut earlier = Vec::new();
        for (start, path) in before {
            look(dir, *start, path, &id, request, &mut earlier)?;
        }
        earlier.append(&mut found);
        found = earlier;
    }
    Ok(found)
}

/// Which file to begin with for what came about at a moment or later.
pub(crate) fn from_time(dir: &dyn Dir, segments: &[(u64, String)], at: Micros) -> usize {
    // The first record of a file may be of a request that came before those at the end of the file before it, so one more is read.
    segments.partition_point(|(_, path)| begins(dir, path).is_some_and(|begun| begun <= at)).saturating_sub(2)
}

/// Adds what one file has on a request.
fn look(
    dir: &dyn Dir,
    start: u64,
    path: &str,
    id: &memmem::Finder<'_>,
    request: RequestId,
    found: &mut Vec<Shown>,
) -> Result<(), AuditError> {
    let bytes = dir.read(path).map_err(AuditError::Directory)?;
    // Most files do not have the id at all, and need not be taken apart.
    if id.find(&bytes).is_none() {
        return Ok(());
    }
    for step in Walk::new(&bytes, start) {
        if let Step::Whole(frame) = &step
            && id.find(frame.entry).is_some()
            && let Ok(shown) = shown(&step)
            && shown.record.request() == Some(request)
        {
            found.push(shown);
        }
    }
    Ok(())
}

/// When the first record of a file came about; none where it cannot be read.
pub(crate) fn begins(dir: &dyn Dir, path: &str) -> Option<Micros> {
    let bytes = dir.read_start(path, HEADER + MAX_ENTRY).ok()?;
    let (header, rest) = bytes.split_first_chunk::<HEADER>()?;
    // The sealed text behind the entry is not read, so the frame's check cannot be made; this only says where to look.
    let length = u32::from_be_bytes([header[4], header[5], header[6], header[7]]);
    Entry::read(rest.get(..usize::try_from(length).ok()?)?).ok().map(|entry| entry.record.at())
}

/// Whether nothing follows this about its request.
const fn is_over(last: &Shown) -> bool {
    matches!(last.record, Record::Outcome(_) | Record::Refused(_) | Record::Answered(_))
}

/// Whether there is something, and nothing that speaks of an earlier record which is not there.
fn is_whole(found: &[Shown]) -> bool {
    let there = |index: u64| found.iter().any(|shown| shown.index == index);
    !found.is_empty() && found.iter().all(|s| !matches!(&s.record, Record::Outcome(o) if !there(o.intent)))
}

#[cfg(test)]
mod tests;
