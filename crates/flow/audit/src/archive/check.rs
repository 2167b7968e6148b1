//! Whether a copy of the log is right: by itself, by the checkpoints that were locked away, and beside the log.
//!
//! It is read from one end to the other, and nothing of it is kept. Every record stands twice in a copy, in an entry bundle and as a hash in
//! a tile, and every tile's root stands in the tile above it: so what was changed is named, as long as not all of them were. Where all of
//! them were, the root does not match, and the log beside it says where the two part.

use std::{collections::BTreeMap, thread};

use countersign_seal::Verifier;

use super::{COPIED, given, tree::Tree};
use crate::{
    Checkpoint, Dir,
    damage::Damages,
    keep::{Range, covers},
    merkle::{Frontier, Hash, leaf_hash, root_of},
    publisher::CHECKPOINT,
    tiles::{Holds, Tile, WIDTH, read_bundle, read_hashes},
};

/// What a copy is held against.
pub struct Against<'a> {
    /// The log's name.
    pub origin: &'a str,
    /// Keys that may have signed it.
    pub keys: &'a [Verifier],
    /// The anchors: how each is to be named, and the note.
    pub anchors: &'a [(String, Vec<u8>)],
    /// The log itself, where it is at hand.
    pub log: Option<&'a dyn Dir>,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Report {
    /// The copy's checkpoint, if it can be believed.
    pub checkpoint: Option<Checkpoint>,
    /// Bundles of records that the log had given up before they were copied.
    pub lacking: u64,
    /// The newest anchor that holds.
    pub anchored: Option<Checkpoint>,
    /// How many anchors hold.
    pub anchors: u64,
    /// How many records the log has, where it is at hand and its checkpoint can be believed.
    pub log: Option<u64>,
    /// Everything that is wrong.
    pub damage: Damages,
}

impl Report {
    /// Whether nothing is wrong.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.damage.count() == 0
    }

    /// The first record that is wrong, where one can be told.
    #[must_use]
    pub fn first(&self) -> Option<u64> {
        self.damage.first_record()
    }
}

/// Checks a copy. Whatever is wrong is in the report. `copy` is read by several threads.
#[must_use]
pub fn check(copy: &dyn Dir, against: &Against<'_>) -> Report {
    let mut report = Report::default();
    let opened = |note: &[u8]| Checkpoint::open(note, against.origin, against.keys).map_err(|bad| bad.to_string());
    let checkpoint = copy.read(COPIED).map_err(|cause| cause.to_string()).and_then(|note| opened(&note));
    match checkpoint {
        Ok(checkpoint) => report.checkpoint = Some(checkpoint),
        Err(what) => report.damage.add(None, COPIED, what),
    }
    let mut anchors: BTreeMap<u64, Vec<(&str, Checkpoint)>> = BTreeMap::new();
    for (name, note) in against.anchors {
        match opened(note) {
            Ok(anchor) => anchors.entry(anchor.size).or_default().push((name, anchor)),
            Err(what) => report.damage.add(None, name, what),
        }
    }
    let mut log = against.log.and_then(|dir| log(dir, against, &mut report));
    beside(log.as_mut(), anchors.values().flatten(), &mut report);
    if let Some(checkpoint) = report.checkpoint.clone() {
        let given = given(copy, against.origin, against.keys);
        read(copy, &checkpoint, &given, &mut anchors, log, &mut report);
    }
    // What is left was not reached.
    for (name, anchor) in anchors.values().flatten() {
        let what = match &report.checkpoint {
            Some(copied) if anchor.size > copied.size => {
                format!("it speaks of {} records, and the copy of {}: the copy was cut", anchor.size, copied.size)
            }
            Some(_) => "the copy is damaged before what it speaks of".to_owned(),
            None => "there is no copy to hold it against".to_owned(),
        };
        report.damage.add(None, name, what);
    }
    report.damage.sort();
    report
}

/// The log's own hashes.
fn log<'a>(dir: &'a dyn Dir, against: &Against<'_>, report: &mut Report) -> Option<Tree<'a>> {
    let mut last = String::new();
    // A gateway that goes on writing takes away tiles that are not full any more.
    for _ in 0..PATIENCE {
        let tree = dir.read(CHECKPOINT).map_err(|cause| cause.to_string()).and_then(|note| {
            let checkpoint = Checkpoint::open(&note, against.origin, against.keys).map_err(|bad| bad.to_string())?;
            Tree::new(dir, checkpoint).map_err(|bad| bad.to_string())
        });
        match tree {
            Ok(tree) => {
                report.log = Some(tree.size());
                return Some(tree);
            }
            Err(what) => last = what,
        }
    }
    report.damage.add(None, LOG, last);
    None
}

/// Holds the log against the copy's checkpoint and the anchors.
fn beside<'a>(
    log: Option<&mut Tree<'_>>,
    anchors: impl Iterator<Item = &'a (&'a str, Checkpoint)>,
    report: &mut Report,
) {
    let Some(log) = log else { return };
    if let Some(copied) = report.checkpoint.as_ref().filter(|copied| copied.size > log.size()) {
        let what = format!("it has {} records and its copy {}: the log was cut", log.size(), copied.size);
        report.damage.add(Some(log.size()), LOG, what);
    }
    for (name, anchor) in anchors {
        if let Err(bad) = log.contains(anchor) {
            report.damage.add(None, LOG, format!("it is not the log of `{name}`: {bad}"));
        }
    }
}

/// A tile of leaf hashes and the bundle of entries under it, as they stand in a copy.
struct Stretch {
    first: u64,
    tile: Side,
    bundle: Side,
    /// Whether the log had given up the entries before they were copied.
    is_lacking: bool,
}

/// One of the two: the leaf hashes by it, or what is wrong with it.
struct Side {
    file: String,
    hashes: Result<Vec<Hash>, String>,
}

impl Stretch {
    fn read(copy: &dyn Dir, number: u64, width: u64, given: &[Range]) -> Self {
        let side = |holds: Holds, parse: &dyn Fn(&[u8]) -> Option<Vec<Hash>>| {
            let file = Tile { holds, number, width }.path();
            let hashes = copy.read(&file).map_err(|cause| format!("it cannot be read: {cause}")).and_then(|bytes| {
                let whole = parse(&bytes).filter(|hashes| hashes.len() as u64 == width);
                whole.ok_or_else(|| format!("it does not hold {width} whole parts"))
            });
            Side { file, hashes }
        };
        let first = number * WIDTH;
        let tile = side(Holds::Hashes(0), &|bytes| read_hashes(bytes).map(<[Hash]>::to_vec));
        let bundle = side(Holds::Entries, &|bytes| {
            read_bundle(bytes).map(|entries| entries.into_iter().map(leaf_hash).collect())
        });
        let is_lacking = bundle.hashes.is_err() && covers(given, first, first + width);
        Self { first, tile, bundle, is_lacking }
    }

    /// The leaf hashes, with what says otherwise in the report; none where neither side can be read. `is_right` asks what is signed.
    fn settle(self, is_right: impl Fn(&[Hash]) -> bool, report: &mut Report) -> Option<Vec<Hash>> {
        report.lacking += u64::from(self.is_lacking);
        for Side { file, hashes } in [&self.tile, &self.bundle] {
            if let Err(what) = hashes
                && !(self.is_lacking && *file == self.bundle.file)
            {
                report.damage.add(Some(self.first), file, what);
            }
        }
        let (tile, bundle) = match (self.tile.hashes, self.bundle.hashes) {
            (Ok(tile), Ok(bundle)) => (tile, bundle),
            (tile, bundle) => return tile.or(bundle).ok(),
        };
        if tile != bundle {
            let (right, wrong, file) = match is_right(&bundle) {
                true => (&bundle, &tile, &self.tile.file),
                false => (&tile, &bundle, &self.bundle.file),
            };
            for (record, _) in (self.first..).zip(right.iter().zip(wrong)).filter(|(_, (right, wrong))| right != wrong)
            {
                report.damage.add(Some(record), file, "it has another record than the tree");
            }
            return Some(right.clone());
        }
        Some(tile)
    }
}

/// Reads the whole copy, and holds it against its own checkpoint, the anchors, which are taken out as they are reached, and the log.
fn read(
    copy: &dyn Dir,
    checkpoint: &Checkpoint,
    given: &[Range],
    anchors: &mut BTreeMap<u64, Vec<(&str, Checkpoint)>>,
    mut log: Option<Tree<'_>>,
    report: &mut Report,
) {
    let size = checkpoint.size;
    let mut frontier = Frontier::default();
    let mut levels = Levels { copy, size, above: Vec::new() };
    reached(&frontier, anchors, report);
    let tiles: Vec<u64> = (0..size.div_ceil(WIDTH)).collect();
    for batch in tiles.chunks(AT_ONCE) {
        let one = |number: &u64| Stretch::read(copy, *number, (size - number * WIDTH).min(WIDTH), given);
        let stretches: Vec<_> = thread::scope(|scope| {
            let threads: Vec<_> = batch.iter().map(|number| scope.spawn(move || one(number))).collect();
            threads.into_iter().map(thread::ScopedJoinHandle::join).collect()
        });
        for (number, stretch) in batch.iter().zip(stretches) {
            // A full tile's root stands in the tile above it; the last one, where it is not full, ends in the signed root.
            let is_right = |hashes: &[Hash]| match hashes.len() as u64 {
                WIDTH => levels.above(*number).is_some_and(|above| root_of(hashes) == above),
                _ => {
                    let mut frontier = frontier.clone();
                    hashes.iter().for_each(|hash| frontier.push(*hash));
                    frontier.root() == checkpoint.root
                }
            };
            let settled = stretch.ok().and_then(|stretch| stretch.settle(is_right, report));
            // Where a stretch is gone, nothing after it can be held against a root.
            let Some(hashes) = settled else { return };
            same(&mut log, *number, &hashes, report);
            for hash in &hashes {
                frontier.push(*hash);
                reached(&frontier, anchors, report);
            }
            levels.push(0, root_of(&hashes), hashes.len() as u64, report);
        }
    }
    levels.end(report);
    if frontier.root() != checkpoint.root {
        report.damage.add(None, COPIED, "the signed root does not speak for what the copy holds");
    }
}

/// Takes out the anchors of this size, and says which do not hold.
fn reached(frontier: &Frontier, anchors: &mut BTreeMap<u64, Vec<(&str, Checkpoint)>>, report: &mut Report) {
    for (name, anchor) in anchors.remove(&frontier.size()).unwrap_or_default() {
        if frontier.root() == anchor.root {
            report.anchors += 1;
            report.anchored = Some(anchor);
        } else {
            report.damage.add(
                None,
                name,
                format!("the copy's first {} records are not those it speaks of", anchor.size),
            );
        }
    }
}

/// Holds the hashes of a tile against the log's.
fn same(log: &mut Option<Tree<'_>>, number: u64, hashes: &[Hash], report: &mut Report) {
    let Some(tree) = log else { return };
    let first = number * WIDTH;
    let width = tree.size().saturating_sub(first).min(hashes.len() as u64);
    if width == 0 {
        return;
    }
    match tree.hashes(0, number, width) {
        Ok(own) => {
            for (record, _) in (first..).zip(own.iter().zip(hashes)).filter(|(_, (own, copied))| own != copied) {
                report.damage.add(Some(record), LOG, "it has another record here than its copy");
            }
        }
        Err(bad) => {
            report.damage.add(Some(first), LOG, bad.to_string());
            *log = None;
        }
    }
}

/// The tiles above the leaves, as the copy has them, held against those below as these go by.
struct Levels<'a> {
    copy: &'a dyn Dir,
    size: u64,
    /// The roots of the tiles below that have gone by, for each level from 1 on.
    above: Vec<Vec<Hash>>,
}

impl Levels<'_> {
    /// What the tile of level 1 says is the root of this full tile of leaves. Asked only where two sides disagree.
    fn above(&self, number: u64) -> Option<Hash> {
        let count = self.size / WIDTH;
        let width = count.checked_sub(number - number % WIDTH)?.min(WIDTH);
        let hashes = self.load(Tile { holds: Holds::Hashes(1), number: number / WIDTH, width })?;
        hashes.get(usize::try_from(number % WIDTH).ok()?).copied()
    }

    /// A tile of `level` with this root has gone by.
    fn push(&mut self, level: usize, root: Hash, width: u64, report: &mut Report) {
        if width < WIDTH {
            return;
        }
        if self.above.len() <= level {
            self.above.push(Vec::new());
        }
        let Some(hashes) = self.above.get_mut(level) else { return };
        hashes.push(root);
        if hashes.len() as u64 == WIDTH {
            let hashes = std::mem::take(hashes);
            let below = self.size >> (8 * (level + 1));
            self.compare(level + 1, &hashes, below, report);
            self.push(level + 1, root_of(&hashes), WIDTH, report);
        }
    }

    /// What is left over at the end stands in tiles that are not full.
    fn end(&self, report: &mut Report) {
        for (level, hashes) in self.above.iter().enumerate().filter(|(_, hashes)| !hashes.is_empty()) {
            self.compare(level + 1, hashes, self.size >> (8 * (level + 1)), report);
        }
    }

    fn compare(&self, level: usize, hashes: &[Hash], count: u64, report: &mut Report) {
        let width = hashes.len() as u64;
        let number = if width < WIDTH { count / WIDTH } else { self.gone(level) };
        let level = u8::try_from(level).unwrap_or(u8::MAX);
        let tile = Tile { holds: Holds::Hashes(level), number, width };
        if self.load(tile).as_deref() != Some(hashes) {
            let first = number.checked_shl(8 * (u32::from(level) + 1));
            report.damage.add(first, &tile.path(), "it is not what the tiles below it say, or not there");
        }
    }

    /// The number of the tile of a level that has just been filled.
    fn gone(&self, level: usize) -> u64 {
        // Each level above counts those that were filled before.
        let above = self.above.get(level..).unwrap_or_default().iter().rev();
        above.fold(0, |number, hashes| number * WIDTH + hashes.len() as u64)
    }

    fn load(&self, tile: Tile) -> Option<Vec<Hash>> {
        let bytes = self.copy.read(&tile.path()).ok()?;
        read_hashes(&bytes).filter(|hashes| hashes.len() as u64 == tile.width).map(<[Hash]>::to_vec)
    }
}

/// How the log itself is named in a report.
const LOG: &str = "the log";
/// So many tiles, and the bundles under them, are read at the same time.
const AT_ONCE: usize = 8;
const PATIENCE: usize = 4;
