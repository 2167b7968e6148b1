//! Verifies a log offline: needs its directory and its public key, and nothing of the gateway that wrote it.
//!
//! Every record stands three times in a log: in the journal, in an entry bundle and, as a hash, in a tile. The signed root
//! says which of them are right, so damage to one copy is named by record and file. What nobody can fake without the
//! signing key is the checkpoint; what even the holder of that key cannot do is to match a checkpoint that somebody else
//! remembers. Records younger than the newest checkpoint (about a second, none after a clean end) are checked for damage only.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
};

use countersign_seal::{DataKeys, SealError, Verifier};

use crate::{
    Checkpoint, Dir,
    audit::PURPOSE,
    frame::Frame,
    journal::{segment_start, segments},
    keep::{GIVEN_UP, Range, covers},
    merkle::{Hash, leaf_hash, root_of},
    proof::{Proof, Proved, Trust},
    publisher::CHECKPOINT,
    record::{Entry, GivenUp, Record, bound_to},
    tiles::{Holds, Tile, WIDTH, read_bundle, read_hashes},
    walk::{Step, Walk},
    witness::WITNESSED,
};

/// What a log is verified against.
pub struct Against<'a> {
    /// The log's name.
    pub origin: &'a str,
    /// Keys that may have signed it.
    pub keys: &'a [Verifier],
    /// To open the sealed texts with; without it, only their hashes are checked.
    pub data: Option<&'a DataKeys>,
    /// A checkpoint kept elsewhere, which this log must contain. Finds what the log's own key holder rewrote.
    pub remembered: Option<&'a Checkpoint>,
}

/// What verification found.
#[derive(Debug, Default)]
pub struct Report {
    /// The log's own checkpoint, if it can be believed.
    pub checkpoint: Option<Checkpoint>,
    /// Records in the journal that hold in every respect; none where no signed root speaks for any.
    pub held: u64,
    /// Of these, how many come after the first damaged record.
    pub held_after: u64,
    /// Records in the journal that no checkpoint covers yet.
    pub unsigned: u64,
    /// Sealed texts that opened.
    pub opened: u64,
    /// Sealed texts whose keys were destroyed: whose they were is forgotten.
    pub forgotten: u64,
    /// Records that were given up because they were old, and are gone; that is on record.
    pub given_up: u64,
    /// The newest record of giving up, and its index.
    pub giving: Option<(u64, GivenUp)>,
    /// Bytes of a batch that a crash cut short at the end; the next start cuts them off and puts that on record.
    pub torn: u64,
    /// Everything that is wrong, by record and then by file; at most 1,000 of them.
    pub damage: Vec<Damage>,
    /// How much is wrong in all.
    pub damages: u64,
}

/// One thing that is wrong.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Damage {
    /// Index of the first record concerned, where it can be told.
    pub record: Option<u64>,
    /// The file.
    pub file: String,
    /// What is wrong.
    pub what: String,
}

impl Report {
    /// Whether nothing is wrong.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.damages == 0
    }

    /// The first damaged record, where one can be told.
    #[must_use]
    pub fn first(&self) -> Option<u64> {
        self.damage.iter().filter_map(|d| d.record).min()
    }

    fn wrong(&mut self, record: Option<u64>, file: &str, what: impl Into<String>) {
        self.damages += 1;
        if self.damage.len() < MAX_DAMAGE {
            self.damage.push(Damage { record, file: file.to_owned(), what: what.into() });
        }
    }
}

/// Verifies the log in `dir`. Whatever is wrong is in the report, a directory that cannot be read included.
#[must_use]
pub fn verify(dir: &dyn Dir, against: &Against<'_>) -> Report {
    let mut report = Report::default();
    // Read first, so that it is not newer than the checkpoint.
    let witnessed = dir.read(WITNESSED).ok();
    let moment = Moment::of(dir).unwrap_or_else(|cause| {
        report.wrong(None, "", format!("the directory cannot be read: {cause}"));
        Moment::default()
    });
    for file in &moment.files {
        let known = [CHECKPOINT, WITNESSED, GIVEN_UP].contains(&file.as_str());
        if !known && segment_start(file).is_none() && Tile::parse(file).is_none() {
            report.wrong(None, file, "it is no part of a log");
        }
    }
    match &moment.note {
        Ok(note) => match Checkpoint::open(note, against.origin, against.keys) {
            Ok(checkpoint) => report.checkpoint = Some(checkpoint),
            Err(bad) => report.wrong(None, CHECKPOINT, bad.to_string()),
        },
        Err(cause) => report.wrong(None, CHECKPOINT, format!("it cannot be read: {cause}")),
    }
    let witnessed = witnessed.and_then(|note| match Checkpoint::open(&note, against.origin, against.keys) {
        Ok(checkpoint) => Some(checkpoint),
        Err(bad) => {
            report.wrong(None, WITNESSED, bad.to_string());
            None
        }
    });
    let giving = giving(dir, against, &mut report);
    let mut copies = Copies::default();
    let mut bad = BTreeSet::new();
    read_journal(dir, against, &mut report, &mut copies, &mut bad);
    read_tiles(dir, &moment, &mut report, &mut copies);
    let remembered = [(CHECKPOINT, against.remembered), (WITNESSED, witnessed.as_ref()), (GIVEN_UP, giving.as_ref())];
    let proved = judge(dir, &moment, &remembered, &mut report, &copies, &mut bad);
    if proved {
        let present = |record: &&u64| copies.journal.get(**record as usize).is_some_and(Option::is_some);
        let bad_here = bad.iter().filter(present).count() as u64;
        report.held = copies.journal.iter().flatten().count() as u64 - report.given_up - bad_here;
        if let Some(first) = bad.first() {
            let gone: u64 = copies.gone.iter().map(|[from, until]| until - (*from).max(*first).min(*until)).sum();
            report.held_after = copies.journal.iter().skip(*first as usize).flatten().count() as u64 - gone - bad_here;
        }
    }
    report.damage.sort_by(|a, b| (a.record.unwrap_or(u64::MAX), &a.file).cmp(&(b.record.unwrap_or(u64::MAX), &b.file)));
    report
}

/// Reads what was given up, by the proof that lies beside the log; gives the checkpoint that the log has to contain for that to be so.
fn giving(dir: &dyn Dir, against: &Against<'_>, report: &mut Report) -> Option<Checkpoint> {
    let proof = match dir.read(GIVEN_UP) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return None,
        Err(cause) => Err(cause.to_string()),
        Ok(bytes) => Proof::read(&bytes).map_err(|bad| bad.to_string()),
    };
    let trust = Trust { origin: against.origin, keys: against.keys, witnesses: &[] };
    let proved = proof.and_then(|proof| Ok((proof.index, proof.verify(&trust).map_err(|bad| bad.to_string())?)));
    match proved {
        Ok((index, Proved { entry: Entry { record: Record::GivenUp(given), .. }, checkpoint, .. })) => {
            report.giving = Some((index, given));
            Some(checkpoint)
        }
        Ok(_) => {
            report.wrong(None, GIVEN_UP, "it proves another record");
            None
        }
        Err(what) => {
            report.wrong(None, GIVEN_UP, what);
            None
        }
    }
}

/// What a running gateway replaces, as it stood at one moment: the checkpoint, and the tiles that are not full, of which it
/// removes the older ones. All else only grows.
struct Moment {
    files: Vec<String>,
    note: io::Result<Vec<u8>>,
    partial: BTreeMap<String, Vec<u8>>,
}

impl Moment {
    fn of(dir: &dyn Dir) -> io::Result<Self> {
        let mut note = dir.read(CHECKPOINT);
        let mut tries = 0;
        loop {
            let mut moment = Self { files: dir.list("")?, note, ..Self::default() };
            moment.files.retain(|file| {
                if Tile::parse(file).is_some_and(|tile| tile.width < WIDTH) {
                    let bytes = dir.read(file);
                    if bytes.as_ref().is_err_and(|cause| cause.kind() == io::ErrorKind::NotFound) {
                        return false;
                    }
                    moment.partial.insert(file.clone(), bytes.unwrap_or_default());
                }
                true
            });
            // Tiles are removed after the checkpoint that they belong to was replaced.
            let again = dir.read(CHECKPOINT);
            tries += 1;
            if tries == PATIENCE || moment.note.as_ref().ok() == again.as_ref().ok() {
                return Ok(moment);
            }
            note = again;
        }
    }

    fn read(&self, dir: &dyn Dir, file: &str) -> Vec<u8> {
        self.partial.get(file).cloned().unwrap_or_else(|| dir.read(file).unwrap_or_default())
    }
}

impl Default for Moment {
    fn default() -> Self {
        Self { files: Vec::new(), note: Err(io::ErrorKind::NotFound.into()), partial: BTreeMap::new() }
    }
}

/// The leaf hashes by every copy.
#[derive(Default)]
struct Copies {
    /// By the journal; none where it has no whole record.
    journal: Vec<Option<Hash>>,
    /// The journal file of each segment's first record.
    segments: Vec<(u64, String)>,
    /// Records that were given up and that no file has; their hashes in tiles stand in for them in `journal`.
    gone: Vec<Range>,
    /// Where a bundle or tile says otherwise than the journal: which file, and what it says.
    others: BTreeMap<u64, Vec<(String, Holds, Hash)>>,
}

impl Copies {
    /// The hashes of `size` records, each by `choose` from the journal's and the others'; none when any is wanting.
    fn chosen(
        &self,
        size: u64,
        choose: impl Fn(Option<Hash>, &[(String, Holds, Hash)]) -> Option<Hash>,
    ) -> Option<Vec<Hash>> {
        let at = |i: u64| {
            let journal = self.journal.get(i as usize).copied().flatten();
            choose(journal, self.others.get(&i).map_or(&[], Vec::as_slice))
        };
        (0..size).map(at).collect()
    }

    fn segment(&self, record: u64) -> &str {
        let i = self.segments.partition_point(|(start, _)| *start <= record);
        i.checked_sub(1).and_then(|i| self.segments.get(i)).map_or("journal", |(_, path)| path)
    }

    /// The records that some copy has and the journal has not are counted too.
    fn end(&self) -> u64 {
        let others = self.others.last_key_value().map_or(0, |(i, _)| i + 1);
        others.max(self.journal.len() as u64)
    }
}

fn read_journal(
    dir: &dyn Dir,
    against: &Against<'_>,
    report: &mut Report,
    copies: &mut Copies,
    bad: &mut BTreeSet<u64>,
) {
    copies.segments = match segments(dir) {
        Ok(segments) => segments,
        Err(cause) => return report.wrong(None, "journal", cause.to_string()),
    };
    let size = report.checkpoint.as_ref().map_or(0, |c| c.size);
    let mut next = 0;
    for (i, (start, path)) in copies.segments.clone().iter().enumerate() {
        if *start > next {
            absent(next..*start, path, report, copies, bad);
        } else if *start < next {
            report.wrong(Some(*start), path, "it begins before the file before it ends");
        }
        let bytes = dir.read(path).unwrap_or_else(|cause| {
            report.wrong(Some(*start), path, format!("it cannot be read: {cause}"));
            Vec::new()
        });
        let mut walk = Walk::new(&bytes, *start);
        for step in walk.by_ref() {
            match step {
                Step::Whole(frame) => {
                    if let Err(what) = contents(&frame, against, report) {
                        report.wrong(Some(frame.index), path, what);
                        bad.insert(frame.index);
                    }
                    let at = frame.index as usize;
                    copies.journal.resize((at + 1).max(copies.journal.len()), None);
                    if let Some(slot) = copies.journal.get_mut(at) {
                        *slot = Some(frame.leaf);
                    }
                }
                Step::Stray(frame) => {
                    report.wrong(Some(frame.index), path, "it is out of its order");
                    bad.insert(frame.index);
                }
                Step::Missing { from, to: Some(to), .. } if from == to => {
                    report.wrong(Some(from), path, "before it stands what is no record");
                }
                Step::Missing { from, to: Some(to), what, .. } => missing(from..to, path, &what, report, bad),
                Step::Missing { from, to: None, what, bytes } => {
                    // At the very end and not signed, it is what a crash leaves behind.
                    match copies.segments.get(i + 1) {
                        None if from >= size => report.torn = bytes as u64,
                        Some((end, _)) => missing(from..(*end).max(from + 1), path, &what, report, bad),
                        None => missing(from..size, path, &what, report, bad),
                    }
                }
            }
        }
        next = walk.next_index();
    }
    if next < size && bad.last().is_none_or(|last| last + 1 < size) {
        let file = copies.segment(next).to_owned();
        missing(next..size, &file, "it is not there", report, bad);
    }
    report.unsigned = (copies.journal.len() as u64).saturating_sub(size);
}

/// Records that no file has, of which some may have been given up.
fn absent(range: std::ops::Range<u64>, file: &str, report: &mut Report, copies: &mut Copies, bad: &mut BTreeSet<u64>) {
    let ever = report.giving.as_ref().map(|(_, given)| given.ever.clone()).unwrap_or_default();
    let mut next = range.start;
    for [from, until] in ever {
        let (from, until) = (from.clamp(next, range.end), until.clamp(next, range.end));
        missing(next..from, file, "it is not there", report, bad);
        if from < until {
            copies.gone.push([from, until]);
            report.given_up += until - from;
        }
        next = until;
    }
    missing(next..range.end, file, "it is not there", report, bad);
}

fn missing(range: std::ops::Range<u64>, file: &str, what: &str, report: &mut Report, bad: &mut BTreeSet<u64>) {
    for record in range.clone().take(MAX_DAMAGE) {
        report.wrong(Some(record), file, what);
        bad.insert(record);
    }
    report.damages += (range.end - range.start).saturating_sub(MAX_DAMAGE as u64);
}

/// Whether an entry can be read, and the text beside it is the one that it speaks of.
fn contents(frame: &Frame<'_>, against: &Against<'_>, report: &mut Report) -> Result<(), String> {
    let record = Entry::read(frame.entry).map_err(|bad| bad.to_string())?.record;
    let Some((scope, kind, sealed)) = record.sealed() else {
        return if frame.body.is_empty() { Ok(()) } else { Err("it has a text that it does not speak of".to_owned()) };
    };
    if sealed.sha256 != frame.body_hash || sealed.bytes != frame.body.len() as u64 {
        return Err("its sealed text is not the one that it speaks of".to_owned());
    }
    if let Some((data, request)) = against.data.zip(record.request()) {
        let aad = bound_to(against.origin, request, kind);
        match data.key(&scope).and_then(|key| key.open(PURPOSE, &aad, frame.body)) {
            Ok(_) => report.opened += 1,
            Err(SealError::Forgotten) => report.forgotten += 1,
            Err(bad) => return Err(format!("its text does not open: {bad}")),
        }
    }
    if let Record::Outcome(outcome) = &record
        && outcome.intent >= frame.index
    {
        return Err("it is the outcome of an intent that comes after it".to_owned());
    }
    Ok(())
}

/// Compares the bundles and the tiles of leaf hashes with the journal.
fn read_tiles(dir: &dyn Dir, moment: &Moment, report: &mut Report, copies: &mut Copies) {
    for (file, tile) in moment.files.iter().filter_map(|f| Tile::parse(f).map(|t| (f, t))) {
        if !matches!(tile.holds, Holds::Entries | Holds::Hashes(0)) {
            continue;
        }
        let bytes = moment.read(dir, file);
        let hashes = match tile.holds {
            Holds::Entries => read_bundle(&bytes).map(|e| e.into_iter().map(leaf_hash).collect::<Vec<_>>()),
            Holds::Hashes(_) => read_hashes(&bytes).map(<[Hash]>::to_vec),
        };
        let first = tile.number.saturating_mul(WIDTH);
        let Some(hashes) = hashes.filter(|h| h.len() as u64 == tile.width) else {
            report.wrong(Some(first), file, format!("it does not hold {} whole parts", tile.width));
            continue;
        };
        for (record, hash) in (first..).zip(hashes) {
            if tile.holds == Holds::Hashes(0) && covers(&copies.gone, record, record + 1) {
                let at = record as usize;
                copies.journal.resize((at + 1).max(copies.journal.len()), None);
                if let Some(slot) = copies.journal.get_mut(at) {
                    *slot = Some(hash);
                }
                continue;
            }
            if copies.journal.get(record as usize).copied().flatten() != Some(hash) {
                copies.others.entry(record).or_default().push((file.clone(), tile.holds, hash));
            }
        }
    }
    for [from, until] in &copies.gone {
        for number in from / WIDTH..until.div_ceil(WIDTH) {
            let first = (number * WIDTH).max(*from);
            if copies.journal.get(first as usize).copied().flatten().is_none() {
                let tile = Tile { holds: Holds::Hashes(0), number, width: WIDTH };
                report.wrong(Some(first), &tile.path(), "the hashes of records that were given up are not there");
            }
        }
    }
}

/// Finds which copies the signed root speaks for, and names those that say otherwise. Gives whether it speaks for any.
fn judge(
    dir: &dyn Dir,
    moment: &Moment,
    remembered: &[(&str, Option<&Checkpoint>)],
    report: &mut Report,
    copies: &Copies,
    bad: &mut BTreeSet<u64>,
) -> bool {
    let of = |holds: Holds| {
        move |journal: Option<Hash>, others: &[(String, Holds, Hash)]| {
            others.iter().find(|(_, h, _)| *h == holds).map(|(.., hash)| *hash).or(journal)
        }
    };
    let size = report.checkpoint.as_ref().map_or(0, |c| c.size).min(copies.end());
    let candidates = [
        copies.chosen(size, |journal, _| journal),
        copies.chosen(size, of(Holds::Hashes(0))),
        copies.chosen(size, of(Holds::Entries)),
        copies.chosen(size, most),
    ];
    let checkpoint = report.checkpoint.clone();
    let signed = |hashes: &Vec<Hash>| {
        checkpoint.as_ref().is_some_and(|c| hashes.len() as u64 == c.size && root_of(hashes) == c.root)
    };
    let proved = candidates.iter().flatten().find(|hashes| signed(hashes));
    if let (Some(checkpoint), None) = (&checkpoint, proved) {
        let what = format!("no copy of the records leads to the root that was signed over {} records", checkpoint.size);
        report.wrong(None, CHECKPOINT, what);
    }
    let Some(truth) = proved.or_else(|| candidates.iter().rev().flatten().next()) else { return false };
    for (record, hash) in (0_u64..).zip(truth) {
        let journal = copies.journal.get(record as usize).copied().flatten();
        if journal.is_some_and(|j| j != *hash) {
            report.wrong(Some(record), copies.segment(record), "the record is not the one that was signed");
            bad.insert(record);
        }
    }
    for (record, others) in &copies.others {
        let journal = || copies.journal.get(*record as usize).copied().flatten();
        let right = truth.get(*record as usize).copied().or_else(journal);
        for (file, holds, _) in others.iter().filter(|(.., hash)| Some(*hash) != right) {
            let what = match (right, holds) {
                (None, _) => "the journal lacks this record",
                (_, Holds::Entries) => "its copy of the record is not the one that was signed",
                (_, Holds::Hashes(_)) => "its hash of the record is not the one that was signed",
            };
            report.wrong(Some(*record), file, what);
        }
    }
    upper(dir, moment, truth, report);
    for (file, remembered) in remembered.iter().filter_map(|(file, known)| Some((file, (*known)?))) {
        remember(file, remembered, truth, report);
    }
    proved.is_some()
}

/// Checks the tiles above level 0, and that no tile is wanting.
fn upper(dir: &dyn Dir, moment: &Moment, leaves: &[Hash], report: &mut Report) {
    let mut hashes = leaves.to_vec();
    let mut level = 0_u8;
    let mut leaves_each = 1_u64;
    let mut wanted = Vec::new();
    while !hashes.is_empty() && level < 8 {
        for (number, chunk) in (0_u64..).zip(hashes.chunks(WIDTH as usize)) {
            let tile = Tile { holds: Holds::Hashes(level), number, width: chunk.len() as u64 };
            let first = number * WIDTH * leaves_each;
            wanted.push((first, tile));
            if level == 0 {
                wanted.push((first, Tile { holds: Holds::Entries, ..tile }));
            }
        }
        if level > 0 {
            for (file, tile) in moment.files.iter().filter_map(|f| Tile::parse(f).map(|t| (f, t))) {
                if tile.holds == Holds::Hashes(level) {
                    compare(&moment.read(dir, file), file, tile, &hashes, leaves_each, report);
                }
            }
        }
        hashes = hashes.chunks_exact(WIDTH as usize).map(root_of).collect();
        level += 1;
        leaves_each = leaves_each.saturating_mul(WIDTH);
    }
    let ever = report.giving.as_ref().map(|(_, given)| given.ever.clone()).unwrap_or_default();
    for (first, tile) in wanted {
        let path = tile.path();
        if tile.holds == Holds::Entries && covers(&ever, first, first + tile.width) {
            continue;
        }
        if moment.files.binary_search(&path).is_err() {
            report.wrong(Some(first), &path, "it is not there");
        }
    }
}

fn compare(bytes: &[u8], file: &str, tile: Tile, hashes: &[Hash], leaves_each: u64, report: &mut Report) {
    let first = tile.number.saturating_mul(WIDTH);
    let Some(held) = read_hashes(bytes).filter(|h| h.len() as u64 == tile.width) else {
        return report.wrong(
            Some(first.saturating_mul(leaves_each)),
            file,
            format!("it does not hold {} whole parts", tile.width),
        );
    };
    for (i, hash) in (first..).zip(held) {
        // A tile may run ahead of the checkpoint, when a crash came between the two.
        if hashes.get(i as usize).is_some_and(|right| right != hash) {
            let (from, to) = (i.saturating_mul(leaves_each), (i + 1).saturating_mul(leaves_each));
            report.wrong(Some(from), file, format!("its hash over records {from} to {} is not theirs", to - 1));
        }
    }
}

/// Checks that the log still contains what a checkpoint speaks for that is kept elsewhere, or that witnesses have cosigned.
fn remember(file: &str, remembered: &Checkpoint, truth: &[Hash], report: &mut Report) {
    let part = usize::try_from(remembered.size).ok().and_then(|size| truth.get(..size));
    match part {
        None => {
            let what = format!("the log was cut: the remembered checkpoint speaks for {} records", remembered.size);
            report.wrong(Some(truth.len() as u64), file, what);
        }
        Some(part) if root_of(part) != remembered.root => {
            let what = format!("the first {} records are not those of the remembered checkpoint", remembered.size);
            report.wrong(None, file, what);
        }
        Some(_) => {}
    }
}

/// What most copies say; the journal counts for each bundle or tile that agrees with it.
fn most(journal: Option<Hash>, others: &[(String, Holds, Hash)]) -> Option<Hash> {
    let votes = |hash: &Hash| others.iter().filter(|(.., h)| h == hash).count();
    let best = others.iter().map(|(.., h)| h).max_by_key(|h| votes(h));
    match best {
        Some(best) if journal.is_none() || votes(best) > 1 => Some(*best),
        _ => journal,
    }
}

const MAX_DAMAGE: usize = 1_000;

/// A checkpoint is replaced once a second at most, and what it belongs to is read within milliseconds.
const PATIENCE: usize = 16;

#[cfg(test)]
mod tests;
