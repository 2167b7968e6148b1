//! Reads how a log ends, without reading all of it.

use crate::{
    AuditError, Dir,
    journal::segments,
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
    Ok(segments.into_iter().skip(before).flat_map(move |(start, path)| match dir.read(&path) {
        Ok(bytes) => Walk::new(&bytes, start).map(|step| shown(&step)).collect::<Vec<_>>(),
        Err(cause) => vec![Err(AuditError::Directory(cause))],
    }))
}
