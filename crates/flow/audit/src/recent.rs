//! Reads a log back from somewhere in the middle: from a record on, or from a moment on.

use crate::{
    AuditError, Dir,
    find::from_time,
    journal::segments,
    record::Micros,
    show::{Shown, shown},
    walk::Walk,
};

/// As [`crate::show::records`], beginning with the file that holds the record at `from`: those before it in that file come too. One file
/// is read at a time.
///
/// # Errors
/// When the journal cannot be listed.
pub fn recent(dir: &dyn Dir, from: u64) -> Result<impl Iterator<Item = Result<Shown, AuditError>>, AuditError> {
    let segments = segments(dir)?;
    let before = segments.iter().take_while(|(start, _)| *start <= from).count().saturating_sub(1);
    Ok(read(dir, segments, before))
}

/// The same, beginning with a file of before the moment `at`.
///
/// # Errors
/// When the journal cannot be listed.
pub fn since(dir: &dyn Dir, at: Micros) -> Result<impl Iterator<Item = Result<Shown, AuditError>>, AuditError> {
    let segments = segments(dir)?;
    let before = from_time(dir, &segments, at);
    Ok(read(dir, segments, before))
}

fn read(dir: &dyn Dir, segments: Vec<(u64, String)>, before: usize) -> impl Iterator<Item = Result<Shown, AuditError>> {
    segments.into_iter().skip(before).flat_map(move |(start, path)| match dir.read(&path) {
        Ok(bytes) => Walk::new(&bytes, start).map(|step| shown(&step)).collect::<Vec<_>>(),
        Err(cause) => vec![Err(AuditError::Directory(cause))],
    })
}
