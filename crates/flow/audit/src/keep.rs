//! Gives up records that are older than a deployment keeps: what they said goes, file by file; their hashes stay, so the log still
//! verifies and what is left can still be proved.
//!
//! Threat: whoever wants something gone calls it old. So it is on record, and under a signed checkpoint, before a file is removed: what
//! is given up, by which setting, when, and which holds stood. A proof of that record lies beside the log in [`GIVEN_UP`]; what is
//! missing without one is damage. A file that is damaged is never given up, for the damage would go with it.
//!
//! INVARIANT: the newest such record names all that was ever given up, so those before it may be given up themselves.

use crate::{
    AuditError, Dir,
    find::begins,
    journal::segments,
    proof::Proof,
    record::{Entry, GivenUp, Micros, Record},
    tiles::{Holds, Tile, WIDTH},
    walk::{Step, Walk},
};

/// Records from one index up to, not including, another.
pub type Range = [u64; 2];

/// What a look found.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Due {
    /// What can be given up, in order.
    pub ranges: Vec<Range>,
    /// Files that are old enough and stay, because something in them is held.
    pub held: u64,
    /// Files that are old enough and stay, because something in them is damaged.
    pub damaged: u64,
}

/// Finds the files all of whose records came about before a moment, lie below an index, and are not held.
///
/// # Errors
/// When the journal cannot be read.
pub fn due(dir: &dyn Dir, before: Micros, below: u64, held: &dyn Fn(&Record) -> bool) -> Result<Due, AuditError> {
    let segments = segments(dir)?;
    // Opening the log makes tiles again from the last two files, from the beginning of a bundle on.
    let last_two = segments.iter().rev().nth(1).map_or(0, |(start, _)| *start);
    let below = below.min(last_two / WIDTH * WIDTH);
    let mut due = Due::default();
    for (start, path) in &segments {
        if *start >= below || begins(dir, path).is_some_and(|begun| begun >= before) {
            continue;
        }
        let bytes = dir.read(path).map_err(AuditError::Directory)?;
        match look(&bytes, *start, before, held) {
            Look::Old(end) if end <= below => due.ranges = merged(&due.ranges, &[[*start, end]]),
            Look::Old(_) | Look::Young => {}
            Look::Held => due.held += 1,
            Look::Damaged => due.damaged += 1,
        }
    }
    Ok(due)
}

/// What a record of giving up says after an earlier one: of `due`, what is given up now, and all that ever was. As much as fits.
#[must_use]
pub fn planned(earlier: &[Range], due: &[Range]) -> (Vec<Range>, Vec<Range>) {
    let (mut now, mut ever) = (Vec::new(), earlier.to_vec());
    for range in due.iter().take(MOST) {
        let more = merged(&ever, &[*range]);
        if more.len() > MOST {
            break;
        }
        now.push(*range);
        ever = more;
    }
    (now, ever)
}

/// Removes what the record at `index` gives up, which has to be under a checkpoint. May be done again at any time, and has to be after a
/// crash.
///
/// # Errors
/// When the record is no such one or is not under a checkpoint yet, or a file cannot be removed.
pub fn carry_out(dir: &dyn Dir, index: u64) -> Result<(), AuditError> {
    let proof = Proof::of(dir, index)?;
    let given = read(&proof)?;
    dir.put(&[(GIVEN_UP.to_owned(), proof.to_string().into_bytes())]).map_err(AuditError::Directory)?;
    let gone = |path: &str| dir.remove(path).map_err(AuditError::Directory);
    for (start, path) in segments(dir)? {
        if covers(&given.ever, start, start + 1) {
            gone(&path)?;
        }
    }
    for [from, until] in &given.now {
        for number in from / WIDTH..until.div_ceil(WIDTH) {
            // A bundle that also holds something that stays, stays.
            if covers(&given.ever, number * WIDTH, (number + 1) * WIDTH) {
                gone(&Tile { holds: Holds::Entries, number, width: WIDTH }.path())?;
            }
        }
    }
    // A crash could bring them back otherwise, when nobody looks for them any more.
    dir.settle().map_err(AuditError::Directory)
}

/// The newest record of giving up and its index, as the log's owner keeps its proof; none where nothing was ever given up. Nothing of it
/// is checked.
///
/// # Errors
/// When it is there and cannot be read.
pub fn given_up(dir: &dyn Dir) -> Result<Option<(u64, GivenUp)>, AuditError> {
    let bytes = match dir.read(GIVEN_UP) {
        Ok(bytes) => bytes,
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(cause) => return Err(AuditError::Directory(cause)),
    };
    let proof = Proof::read(&bytes).map_err(|bad| damaged(bad.to_string()))?;
    Ok(Some((proof.index, read(&proof)?)))
}

/// The first index from `index` on whose record was not given up.
///
/// # Errors
/// As [`given_up`].
pub fn kept_from(dir: &dyn Dir, index: u64) -> Result<u64, AuditError> {
    let given = given_up(dir)?.map(|(_, given)| given.ever).unwrap_or_default();
    Ok(given.iter().find(|[from, until]| (*from..*until).contains(&index)).map_or(index, |[_, until]| *until))
}

/// Whether all from one index up to another was given up.
pub(crate) fn covers(ranges: &[Range], from: u64, until: u64) -> bool {
    ranges.iter().any(|[first, end]| *first <= from && until <= *end)
}

/// What of one file of the journal it was.
enum Look {
    /// All of it is old enough and none is held; the index after its last record.
    Old(u64),
    Young,
    Held,
    Damaged,
}

fn look(bytes: &[u8], start: u64, before: Micros, held: &dyn Fn(&Record) -> bool) -> Look {
    let mut walk = Walk::new(bytes, start);
    let mut is_held = false;
    for step in walk.by_ref() {
        let Step::Whole(frame) = step else { return Look::Damaged };
        let Ok(entry) = Entry::read(frame.entry) else { return Look::Damaged };
        if entry.record.at() >= before {
            return Look::Young;
        }
        is_held |= held(&entry.record);
    }
    if is_held { Look::Held } else { Look::Old(walk.next_index()) }
}

/// Both, in order, and none that touches another.
fn merged(ranges: &[Range], more: &[Range]) -> Vec<Range> {
    let mut all: Vec<_> = ranges.iter().chain(more).copied().filter(|[from, until]| from < until).collect();
    all.sort_unstable();
    let mut merged: Vec<Range> = Vec::with_capacity(all.len());
    for [from, until] in all {
        match merged.last_mut() {
            Some(last) if from <= last[1] => last[1] = last[1].max(until),
            _ => merged.push([from, until]),
        }
    }
    merged
}

fn read(proof: &Proof) -> Result<GivenUp, AuditError> {
    match Entry::read(&proof.entry) {
        Ok(Entry { record: Record::GivenUp(given), .. }) => Ok(given),
        _ => Err(damaged(format!("record {} gives nothing up", proof.index))),
    }
}

fn damaged(what: String) -> AuditError {
    AuditError::Damaged { record: None, what: format!("{GIVEN_UP}: {what}") }
}

/// Where the proof of the newest record of giving up stands.
pub(crate) const GIVEN_UP: &str = "given-up";
/// So many ranges fit into a record.
const MOST: usize = 500;

#[cfg(test)]
mod tests;
