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
    damage::Damages,
    frame::{Frame, HEADER},
    journal::{segment_start, segments},
    keep::{GIVEN_UP, Range, covers},
    merkle::{Hash, Levels, leaf_hash},
    proof::{Proof, Proved, Trust},
    publisher::CHECKPOINT,
    record::{Entry, GivenUp, Record, bound_to},
    tiles::{Holds, Tile, WIDTH, read_bundle, read_hashes},
    walk::{Step, Walk},
    witness::WITNESSED,
};

mod bundles;
mod moment;

use bundles::Bundles;
use moment::Moment;

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
    /// Everything that is wrong, by record and then by file.
    pub damage: Damages,
}

impl Report {
    /// Whether nothing is wrong.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.damage.count() == 0
    }

    /// The first damaged record, where one can be told.
    #[must_use]
    pub fn first(&self) -> Option<u64> {
        self.damage.first_record()
    }
}

/// Verifies the log in `dir`. Whatever is wrong is in the report, a directory that cannot be read included.
#[must_use]
pub fn verify(dir: &dyn Dir, against: &Against<'_>) -> Report {
    let mut report = Report::default();
    // Read first, so that it is not newer than the checkpoint.
    let witnessed = dir.read(WITNESSED).ok();
    let moment = Moment::of(dir).unwrap_or_else(|cause| {
        report.damage.add(None, "", format!("the directory cannot be read: {cause}"));
        Moment::default()
    });
    for file in &moment.files {
        let known = [CHECKPOINT, WITNESSED, GIVEN_UP].contains(&file.as_str());
        if !known && segment_start(file).is_none() && Tile::parse(file).is_none() {
            report.damage.add(None, file, "it is no part of a log");
        }
    }
    match &moment.note {
        Ok(note) => match Checkpoint::open(note, against.origin, against.keys) {
            Ok(checkpoint) => report.checkpoint = Some(checkpoint),
            Err(bad) => report.damage.add(None, CHECKPOINT, bad.to_string()),
        },
        Err(cause) => report.damage.add(None, CHECKPOINT, format!("it cannot be read: {cause}")),
    }
    let witnessed = witnessed.and_then(|note| match Checkpoint::open(&note, against.origin, against.keys) {
        Ok(checkpoint) => Some(checkpoint),
        Err(bad) => {
            report.damage.add(None, WITNESSED, bad.to_string());
            None
        }
    });
    let giving = giving(dir, against, &mut report);
    let mut copies = Copies::default();
    let mut bad = BTreeSet::new();
    let bundles = read_journal(dir, against, &mut report, &mut copies, &mut bad);
    read_tiles(dir, &moment, &bundles, &mut report, &mut copies);
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
    report.damage.sort();
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
            report.damage.add(None, GIVEN_UP, "it proves another record");
            None
        }
        Err(what) => {
            report.damage.add(None, GIVEN_UP, what);
            None
        }
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
        let others = self.others.last_key_value().map_or(0, |(i, _)| i.saturating_add(1));
        others.max(self.journal.len() as u64)
    }
}

fn read_journal<'a>(
    dir: &'a dyn Dir,
    against: &Against<'_>,
    report: &mut Report,
    copies: &mut Copies,
    bad: &mut BTreeSet<u64>,
) -> Bundles<'a> {
    let mut bundles = Bundles::new(dir);
    copies.segments = segments(dir).unwrap_or_else(|cause| {
        report.damage.add(None, "journal", cause.to_string());
        Vec::new()
    });
    let size = report.checkpoint.as_ref().map_or(0, |c| c.size);
    let (mut next, mut bytes, mut batch) = (0, Vec::new(), Batch::default());
    // So many records are signed, or were given up; whatever is younger follows them one by one.
    let ever = report.giving.iter().flat_map(|(_, given)| &given.ever).map(|[_, until]| *until).max();
    let (known, mut seen) = (size.max(ever.unwrap_or_default()), 0);
    let mut is_end_named = false;
    for (i, (start, path)) in copies.segments.clone().iter().enumerate() {
        if *start > known.saturating_add(seen) {
            report.damage.add(Some(*start), path, "no record leads to its number");
            continue;
        }
        if *start > next {
            absent(next..*start, path, report, copies, bad);
        } else if *start < next {
            report.damage.add(Some(*start), path, "it begins before the file before it ends");
        }
        if let Err(cause) = dir.read_into(path, &mut bytes) {
            report.damage.add(Some(*start), path, format!("it cannot be read: {cause}"));
            bytes.clear();
        }
        let most = (bytes.len() / HEADER) as u64;
        let end = copies.segments.get(i + 1).map_or(u64::MAX, |(end, _)| *end);
        let mut walk = Walk::within(&bytes, *start, end.min(known.saturating_add(seen + most)));
        for step in walk.by_ref() {
            if !matches!(step, Step::Whole(_)) {
                // Whatever follows is not blamed for what is wrong here.
                batch = Batch::default();
            }
            match step {
                Step::Whole(frame) => {
                    seen += 1;
                    bundles.see(frame.index, frame.entry);
                    if let Err(what) = contents(&frame, against, report).and_then(|()| batch.takes(&frame)) {
                        report.damage.add(Some(frame.index), path, what);
                        bad.insert(frame.index);
                    }
                    let at = frame.index as usize;
                    copies.journal.resize((at + 1).max(copies.journal.len()), None);
                    if let Some(slot) = copies.journal.get_mut(at) {
                        *slot = Some(frame.leaf);
                    }
                }
                Step::Stray(frame) => {
                    report.damage.add(Some(frame.index), path, "it is out of its order");
                    bad.insert(frame.index);
                }
                Step::Missing { from, to: Some(to), .. } if from == to => {
                    report.damage.add(Some(from), path, "before it stands what is no record");
                }
                Step::Missing { from, to: Some(to), what, .. } => missing(from..to, path, &what, report, bad),
                Step::Missing { from, to: None, what, bytes } => {
                    // At the very end and not signed, it is what a crash leaves behind.
                    match copies.segments.get(i + 1) {
                        None if from >= size => report.torn = bytes as u64,
                        Some((end, _)) if from >= *end => {
                            report.damage.add(Some(from), path, "before it stands what is no record");
                        }
                        Some((end, _)) => missing(from..*end, path, &what, report, bad),
                        None => {
                            missing(from..size, path, &what, report, bad);
                            is_end_named = true;
                        }
                    }
                }
            }
        }
        next = walk.next_index();
    }
    if next < size && !is_end_named {
        let file = copies.segment(next).to_owned();
        missing(next..size, &file, "it is not there", report, bad);
    }
    report.unsigned = (copies.journal.len() as u64).saturating_sub(size);
    bundles
}

/// The batch that the last record was written in, by its first record, and the record that comes next.
#[derive(Default)]
struct Batch(Option<(u64, u64)>);

impl Batch {
    /// Whether a record is of the batch around it, or begins one. No signature speaks for that; it says which end may be torn.
    fn takes(&mut self, frame: &Frame<'_>) -> Result<(), String> {
        let fits = match self.0 {
            Some((first, next)) if next == frame.index => frame.first == first || frame.first == frame.index,
            _ => true,
        };
        self.0 = fits.then_some((frame.first, frame.index.saturating_add(1)));
        if fits { Ok(()) } else { Err("it claims to be of another batch than those around it".to_owned()) }
    }
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
    for record in range.clone().take(Damages::MOST) {
        report.damage.add(Some(record), file, what);
        bad.insert(record);
    }
    let more = range.end.saturating_sub(range.start).saturating_sub(Damages::MOST as u64);
    report.damage.count_more(more);
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
fn read_tiles(dir: &dyn Dir, moment: &Moment, bundles: &Bundles<'_>, report: &mut Report, copies: &mut Copies) {
    for (file, tile) in moment.files.iter().filter_map(|f| Tile::parse(f).map(|t| (f, t))) {
        if !matches!(tile.holds, Holds::Entries | Holds::Hashes(0)) || bundles.holds(tile) {
            continue;
        }
        let bytes = moment.read(dir, file);
        let hashes = match tile.holds {
            Holds::Entries => read_bundle(&bytes).map(|e| e.into_iter().map(leaf_hash).collect::<Vec<_>>()),
            Holds::Hashes(_) => read_hashes(&bytes).map(<[Hash]>::to_vec),
        };
        let first = tile.number.saturating_mul(WIDTH);
        let Some(hashes) = hashes.filter(|h| h.len() as u64 == tile.width) else {
            report.damage.add(Some(first), file, format!("it does not hold {} whole parts", tile.width));
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
                report.damage.add(Some(first), &tile.path(), "the hashes of records that were given up are not there");
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
    let candidates: [&Choose<'_>; 4] = [&|journal, _| journal, &of(Holds::Hashes(0)), &of(Holds::Entries), &most];
    let checkpoint = report.checkpoint.clone();
    let signed = |levels: &Levels| {
        checkpoint.as_ref().is_some_and(|c| {
            levels.leaves().len() as u64 == c.size && levels.root(levels.leaves().len()) == Some(c.root)
        })
    };
    let mut truth = None;
    let mut proved = false;
    for levels in candidates.iter().filter_map(|choose| copies.chosen(size, choose)).map(Levels::of) {
        proved = signed(&levels);
        // Where the root speaks for none, what most copies say is as good as it gets.
        truth = Some(levels);
        if proved {
            break;
        }
    }
    if let (Some(checkpoint), false) = (&checkpoint, proved) {
        let what = format!("no copy of the records leads to the root that was signed over {} records", checkpoint.size);
        report.damage.add(None, CHECKPOINT, what);
    }
    let Some(levels) = truth else { return false };
    let truth = levels.leaves();
    for (record, hash) in (0_u64..).zip(truth) {
        let journal = copies.journal.get(record as usize).copied().flatten();
        if journal.is_some_and(|j| j != *hash) {
            report.damage.add(Some(record), copies.segment(record), "the record is not the one that was signed");
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
            report.damage.add(Some(*record), file, what);
        }
    }
    upper(dir, moment, &levels, report);
    for (file, remembered) in remembered.iter().filter_map(|(file, known)| Some((file, (*known)?))) {
        remember(file, remembered, &levels, report);
    }
    proved
}

/// Checks the tiles above level 0, and that no tile is wanting.
fn upper(dir: &dyn Dir, moment: &Moment, levels: &Levels, report: &mut Report) {
    let mut leaves_each = 1_u64;
    let mut wanted = Vec::new();
    for (level, hashes) in (0_u8..8).zip(levels.iter()) {
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
                    compare(&moment.read(dir, file), file, tile, hashes, leaves_each, report);
                }
            }
        }
        leaves_each = leaves_each.saturating_mul(WIDTH);
    }
    let ever = report.giving.as_ref().map(|(_, given)| given.ever.clone()).unwrap_or_default();
    for (first, tile) in wanted {
        let path = tile.path();
        if tile.holds == Holds::Entries && covers(&ever, first, first + tile.width) {
            continue;
        }
        if moment.files.binary_search(&path).is_err() {
            report.damage.add(Some(first), &path, "it is not there");
        }
    }
}

fn compare(bytes: &[u8], file: &str, tile: Tile, hashes: &[Hash], leaves_each: u64, report: &mut Report) {
    let first = tile.number.saturating_mul(WIDTH);
    let Some(held) = read_hashes(bytes).filter(|h| h.len() as u64 == tile.width) else {
        return report.damage.add(
            Some(first.saturating_mul(leaves_each)),
            file,
            format!("it does not hold {} whole parts", tile.width),
        );
    };
    for (i, hash) in (first..).zip(held) {
        // A tile may run ahead of the checkpoint, when a crash came between the two.
        if hashes.get(i as usize).is_some_and(|right| right != hash) {
            let (from, to) = (i.saturating_mul(leaves_each), (i + 1).saturating_mul(leaves_each));
            report.damage.add(Some(from), file, format!("its hash over records {from} to {} is not theirs", to - 1));
        }
    }
}

/// Checks that the log still contains what a checkpoint speaks for that is kept elsewhere, or that witnesses have cosigned.
fn remember(file: &str, remembered: &Checkpoint, levels: &Levels, report: &mut Report) {
    match usize::try_from(remembered.size).ok().and_then(|size| levels.root(size)) {
        None => {
            let what = format!("the log was cut: the remembered checkpoint speaks for {} records", remembered.size);
            report.damage.add(Some(levels.leaves().len() as u64), file, what);
        }
        Some(root) if root != remembered.root => {
            let what = format!("the first {} records are not those of the remembered checkpoint", remembered.size);
            report.damage.add(None, file, what);
        }
        Some(_) => {}
    }
}

/// Which hash of a record is believed, by the journal's and those of bundles and tiles that say otherwise.
type Choose<'a> = dyn Fn(Option<Hash>, &[(String, Holds, Hash)]) -> Option<Hash> + 'a;

/// What most copies say; the journal counts for each bundle or tile that agrees with it.
fn most(journal: Option<Hash>, others: &[(String, Holds, Hash)]) -> Option<Hash> {
    let votes = |hash: &Hash| others.iter().filter(|(.., h)| h == hash).count();
    let best = others.iter().map(|(.., h)| h).max_by_key(|h| votes(h));
    match best {
        Some(best) if journal.is_none() || votes(best) > 1 => Some(*best),
        _ => journal,
    }
}

#[cfg(test)]
mod tests;
