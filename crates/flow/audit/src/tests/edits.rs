//! Random edits of a log, each of which verification has to find, and to name: the records it touched and no others, or its file.
//!
//! Some thousand each time; `COUNTERSIGN_EDITS` asks for more (`cargo xtask bench edits`). The same edits every time.

use std::{
    collections::BTreeSet,
    ops::Range,
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

use countersign_seal::Verifier;

use super::run;
use crate::{
    Dir, MemoryDir,
    frame::{self, decode, encode, hash_body},
    journal::segment_start,
    support::{ORIGIN, open, outcome, refused, ring, screened},
    tiles::{Holds, Tile, WIDTH, read_bundle},
    verify::{Against, Report, verify},
};

#[test]
#[expect(clippy::print_stderr, reason = "what was tried is the result, where somebody asks for more")]
fn every_random_edit_is_found_and_located() {
    let edits = std::env::var("COUNTERSIGN_EDITS").map_or(EDITS, |edits| edits.parse().unwrap());
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let (next, made) = (AtomicU64::new(0), AtomicU64::new(0));
    let parts: Vec<_> = thread::scope(|scope| {
        let all: Vec<_> = (0..cores).map(|_| scope.spawn(|| edited(&next, &made, edits))).collect();
        all.into_iter().map(|part| part.join().expect("edits that are all found")).collect()
    });
    for (kind, (name, _)) in KINDS.iter().enumerate() {
        let done: u64 = parts.iter().map(|part| part[kind]).sum();
        eprintln!("{done:>8} {name}: all found and located");
        assert!(done > 0, "{name} was never tried");
    }
}

/// Makes one edit after the other of a log of its own, until so many are made by all; how many it made, by kind.
fn edited(next: &AtomicU64, made: &AtomicU64, edits: u64) -> Vec<u64> {
    let log = Log::new();
    let mut done = vec![0; KINDS.len()];
    while made.load(Ordering::Relaxed) < edits {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let mut dice = Dice(number);
        let kind = dice.below(KINDS.len());
        let (name, make) = KINDS[kind];
        let Edit { files, named } = make(&log, &mut dice);
        let changed: Vec<_> = files.into_iter().filter(|(path, to)| log.file(path) != to.as_deref()).collect();
        if changed.is_empty() {
            // What was written over says the same as before.
            continue;
        }
        log.put(&changed);
        let report = log.verify();
        assert!(!report.is_whole() || report.torn > 0, "edit {number}, {name}: not found");
        if let Err(what) = named.holds(&report) {
            panic!("edit {number}, {name}: {what}\n{named:?}\n{:?}", &report.damage[..report.damage.len().min(8)]);
        }
        let before: Vec<_> = changed.into_iter().map(|(path, _)| (log.file(&path).map(<[u8]>::to_vec), path)).collect();
        log.put(&before.into_iter().map(|(bytes, path)| (path, bytes)).collect::<Vec<_>>());
        done[kind] += 1;
        made.fetch_add(1, Ordering::Relaxed);
    }
    assert!(log.verify().is_whole(), "the log was not put back");
    done
}

/// What an edit makes of some files (none for one that is gone), and what has to be said of it.
struct Edit {
    files: Vec<(String, Option<Vec<u8>>)>,
    named: Named,
}

#[derive(Debug)]
enum Named {
    /// These records and no others.
    Exactly(BTreeSet<u64>),
    /// Some of these records, and no others: the place that something was put into or taken from.
    Within(Range<u64>),
    /// This file and no other, and of its records only these.
    File(String, Range<u64>),
    /// Bytes after the last record, which nobody was told are on record.
    Torn,
    /// The checkpoint, for no copy leads to it any more, and the tile above that speaks for these records.
    Root(Range<u64>),
}

impl Named {
    fn holds(&self, report: &Report) -> Result<(), String> {
        let records: BTreeSet<u64> = report.damage.iter().filter_map(|d| d.record).collect();
        let is = |holds: bool, what: &str| if holds { Ok(()) } else { Err(what.to_owned()) };
        match self {
            Self::Exactly(of) => is(records == *of, "other records are named"),
            Self::Within(range) => {
                is(!records.is_empty(), "no record is named")?;
                is(records.iter().all(|r| range.contains(r)), "other records are named")
            }
            Self::File(file, range) => {
                is(report.damage.iter().all(|d| d.file == *file), "another file is named")?;
                is(records.iter().all(|r| range.contains(r)), "other records are named")
            }
            Self::Torn => is(report.torn > 0 && report.is_whole(), "something else is wrong"),
            Self::Root(range) => {
                is(report.damage.iter().any(|d| d.file == "checkpoint"), "the root is not named")?;
                is(records.iter().all(|r| range.contains(r)), "other records are named")
            }
        }
    }
}

/// A log of some hundred records in several files, and where each record stands.
struct Log {
    dir: MemoryDir,
    files: Vec<(String, Vec<u8>)>,
    frames: Vec<Place>,
    keys: Vec<Verifier>,
}

/// A record's file, and its bytes there.
#[derive(Clone)]
struct Place {
    file: usize,
    bytes: Range<usize>,
}

impl Log {
    fn new() -> Self {
        let dir = MemoryDir::default();
        run(async {
            let audit = open(dir.clone()).unwrap();
            for n in 0..REQUESTS {
                // Several at a time share a batch.
                let mut waiting = Vec::new();
                for n in n * 4..n * 4 + 1 + n % 4 {
                    waiting.push(audit.intend(screened(n, &"a prompt ".repeat(1 + n as usize % 7))));
                }
                for (i, intended) in join(waiting).await.into_iter().enumerate() {
                    drop(audit.settle(outcome(n * 4 + i as u64, intended.unwrap().record(), "the answer")));
                }
                if n % 5 == 0 {
                    audit.refused(refused(1000 + n)).await.unwrap();
                }
            }
            audit.close().await;
        });
        split(&dir);
        let files: Vec<_> = dir.list("").unwrap().into_iter().map(|p| (p.clone(), dir.read(&p).unwrap())).collect();
        let mut frames = Vec::new();
        for (file, (path, bytes)) in files.iter().enumerate() {
            let Some(start) = segment_start(path) else { continue };
            assert_eq!(start, frames.len() as u64);
            let mut at = 0;
            while at < bytes.len() {
                let len = decode(&bytes[at..]).unwrap().len;
                frames.push(Place { file, bytes: at..at + len });
                at += len;
            }
        }
        let log = Self { dir, files, frames, keys: ring().verifiers(ORIGIN).unwrap() };
        assert!(log.frames.len() as u64 > 2 * WIDTH && log.verify().is_whole() && log.verify().unsigned == 0);
        log
    }

    fn verify(&self) -> Report {
        verify(&self.dir, &Against { origin: ORIGIN, keys: &self.keys, data: None, remembered: None })
    }

    fn file(&self, path: &str) -> Option<&[u8]> {
        self.files.iter().find(|(p, _)| p == path).map(|(_, bytes)| bytes.as_slice())
    }

    fn put(&self, files: &[(String, Option<Vec<u8>>)]) {
        for (path, bytes) in files {
            match bytes {
                Some(bytes) => self.dir.put(&[(path.clone(), bytes.clone())]).unwrap(),
                None => self.dir.remove(path).unwrap(),
            }
        }
    }

    fn frame(&self, record: u64) -> &[u8] {
        let place = &self.frames[record as usize];
        &self.files[place.file].1[place.bytes.clone()]
    }

    fn size(&self) -> u64 {
        self.frames.len() as u64
    }

    /// Any record.
    fn record(&self, dice: &mut Dice) -> u64 {
        dice.below(self.frames.len()) as u64
    }

    /// Any file of the journal.
    fn segment(&self, dice: &mut Dice) -> usize {
        self.frames[self.record(dice) as usize].file
    }

    /// Any other file but the checkpoint, its bytes, and the records it speaks for.
    fn tile(&self, dice: &mut Dice, wanted: fn(Holds) -> bool) -> (String, Vec<u8>, Tile, Range<u64>) {
        let tiles: Vec<_> = self.files.iter().filter_map(|(p, b)| Some((p, b, Tile::parse(p)?))).collect();
        let tiles: Vec<_> = tiles.into_iter().filter(|(.., tile)| wanted(tile.holds)).collect();
        let (path, bytes, tile) = tiles[dice.below(tiles.len())];
        let each = match tile.holds {
            Holds::Entries => 1,
            Holds::Hashes(level) => WIDTH.pow(level.into()),
        };
        let first = tile.number * WIDTH * each;
        (path.clone(), bytes.clone(), tile, first..first + tile.width * each)
    }

    /// The records of a file whose bytes are within `range` in part.
    fn touched(&self, file: usize, range: &Range<usize>) -> BTreeSet<u64> {
        let places = (0..).zip(&self.frames).filter(|(_, place)| place.file == file);
        places.filter(|(_, p)| p.bytes.start < range.end && range.start < p.bytes.end).map(|(r, _)| r).collect()
    }

    /// The records that are touched when `range` is cut out of a file: of cuts that leave the same bytes, the one that touches the fewest
    /// counts.
    fn least_touched(&self, file: usize, range: &Range<usize>) -> BTreeSet<u64> {
        let starts = alike(&self.files[file].1, range);
        let cuts = starts.map(|start| start..start + range.len());
        cuts.map(|range| self.touched(file, &range)).min_by_key(BTreeSet::len).unwrap_or_default()
    }

    /// A file of the journal, written anew.
    fn rewritten(&self, file: usize, bytes: Vec<u8>, named: Named) -> Edit {
        Edit { files: vec![(self.files[file].0.clone(), Some(bytes))], named }
    }

    /// The journal with other frames in place of some records'; none takes one out.
    fn reframed(&self, frames: &[(u64, Vec<u8>)], named: Named) -> Edit {
        let mut files: Vec<(String, Option<Vec<u8>>)> = Vec::new();
        for file in frames.iter().map(|(r, _)| self.frames[*r as usize].file).collect::<BTreeSet<_>>() {
            let places = (0_u64..).zip(&self.frames).filter(|(_, place)| place.file == file);
            let bytes = places.flat_map(|(r, _)| match frames.iter().find(|(of, _)| *of == r) {
                Some((_, frame)) => frame.as_slice(),
                None => self.frame(r),
            });
            files.push((self.files[file].0.clone(), Some(bytes.copied().collect())));
        }
        Edit { files, named }
    }
}

/// Cuts the one file of a journal into several.
fn split(dir: &MemoryDir) {
    let path = dir.list("journal").unwrap().remove(0);
    let bytes = dir.read(&path).unwrap();
    dir.remove(&path).unwrap();
    let (mut rest, mut file, mut first, mut index) = (bytes.as_slice(), Vec::new(), 0_u64, 0_u64);
    while !rest.is_empty() {
        let (frame, later) = rest.split_at(decode(rest).unwrap().len);
        file.extend_from_slice(frame);
        (rest, index) = (later, index + 1);
        if index.is_multiple_of(SEGMENT) || rest.is_empty() {
            dir.put(&[(format!("journal/{first:020}"), std::mem::take(&mut file))]).unwrap();
            first = index;
        }
    }
}

/// Waits for all of them at the same time.
async fn join<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    let mut futures: Vec<_> = futures.into_iter().map(|f| (Box::pin(f), None)).collect();
    std::future::poll_fn(|context| {
        for (future, done) in &mut futures {
            if done.is_none()
                && let std::task::Poll::Ready(output) = future.as_mut().poll(context)
            {
                *done = Some(output);
            }
        }
        if futures.iter().all(|(_, done)| done.is_some()) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    futures.into_iter().filter_map(|(_, done)| done).collect()
}

/// Where else a part as long as `range` may begin, so that what is left without it is the same: nobody can tell which of them it was.
fn alike(bytes: &[u8], range: &Range<usize>) -> Range<usize> {
    let back = (1..=range.start).take_while(|n| bytes[range.start - n] == bytes[range.end - n]).count();
    let on = (0..bytes.len() - range.end).take_while(|n| bytes[range.start + n] == bytes[range.end + n]).count();
    range.start - back..range.start + on + 1
}

/// The same numbers for the same edit (SplitMix64).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    /// A number that no record of the log has, up to the largest there is.
    fn far(&mut self) -> u64 {
        match self.below(3) {
            0 => u64::MAX - self.next() % 2,
            _ => (self.next() >> self.below(48)).max(1 << 16),
        }
    }

    fn bytes(&mut self, most: usize) -> Vec<u8> {
        (0..=self.below(most)).map(|_| self.next() as u8).collect()
    }

    /// Some bytes in a row, at most `most` of them, within `len`.
    fn range(&mut self, len: usize, most: usize) -> Range<usize> {
        let start = self.below(len);
        start..(start + 1 + self.below(most)).min(len)
    }
}

type Kind = (&'static str, fn(&Log, &mut Dice) -> Edit);

const KINDS: &[Kind] = &[
    ("journal: a bit turned", |log, dice| {
        let file = log.segment(dice);
        let mut bytes = log.files[file].1.clone();
        let at = dice.below(bytes.len());
        bytes[at] ^= 1 << dice.below(8);
        log.rewritten(file, bytes, Named::Exactly(log.touched(file, &(at..at + 1))))
    }),
    ("journal: bytes written over", |log, dice| {
        let file = log.segment(dice);
        let mut bytes = log.files[file].1.clone();
        let range = dice.range(bytes.len(), 2000);
        for at in range.clone() {
            bytes[at] = dice.next() as u8;
        }
        let other = range.clone().filter(|at| bytes[*at] != log.files[file].1[*at]);
        let touched = other.flat_map(|at| log.touched(file, &(at..at + 1))).collect();
        log.rewritten(file, bytes, Named::Exactly(touched))
    }),
    ("journal: zeros written over", |log, dice| {
        let file = log.segment(dice);
        let mut bytes = log.files[file].1.clone();
        let range = dice.range(bytes.len(), 5000);
        bytes[range.clone()].fill(0);
        let other = range.filter(|at| log.files[file].1[*at] != 0);
        let touched = other.flat_map(|at| log.touched(file, &(at..at + 1))).collect();
        log.rewritten(file, bytes, Named::Exactly(touched))
    }),
    ("journal: bytes cut out", |log, dice| {
        let file = log.segment(dice);
        let mut bytes = log.files[file].1.clone();
        let range = dice.range(bytes.len(), 3000);
        let touched = log.least_touched(file, &range);
        bytes.drain(range);
        log.rewritten(file, bytes, Named::Exactly(touched))
    }),
    ("journal: a file cut short", |log, dice| {
        let file = log.segment(dice);
        let mut bytes = log.files[file].1.clone();
        let cut = dice.below(bytes.len())..bytes.len();
        bytes.truncate(cut.start);
        log.rewritten(file, bytes, Named::Exactly(log.touched(file, &cut)))
    }),
    ("journal: a file gone", |log, dice| {
        let file = log.segment(dice);
        let all = log.touched(file, &(0..usize::MAX));
        Edit { files: vec![(log.files[file].0.clone(), None)], named: Named::Exactly(all) }
    }),
    ("journal: a file by another's name", |log, dice| {
        let file = log.segment(dice);
        let (path, bytes) = &log.files[file];
        let (start, to) = (segment_start(path).unwrap(), dice.next() % (2 * log.size()));
        let taken = log.frames.iter().any(|p| log.files[p.file].0 == format!("journal/{to:020}"));
        let to = if taken { to + 1 } else { to };
        let end = start + log.touched(file, &(0..usize::MAX)).len() as u64;
        let files = vec![(path.clone(), None), (format!("journal/{to:020}"), Some(bytes.clone()))];
        Edit { files, named: Named::Within(start.min(to)..end.max(to + 1).max(log.size())) }
    }),
    ("journal: a file by a name from far away", |log, dice| {
        let file = log.segment(dice);
        let (path, bytes) = &log.files[file];
        let (all, to) = (log.touched(file, &(0..usize::MAX)), dice.far());
        let files = vec![(path.clone(), None), (format!("journal/{to:020}"), Some(bytes.clone()))];
        Edit { files, named: Named::Exactly(all.into_iter().chain([to]).collect()) }
    }),
    ("journal: bytes put in", |log, dice| {
        let file = log.segment(dice);
        let mut bytes = log.files[file].1.clone();
        let (at, put) = (dice.below(bytes.len()), dice.bytes(500));
        let range = at..at + put.len();
        bytes.splice(at..at, put);
        let places = alike(&bytes, &range);
        let touched = log.touched(file, &(places.start.saturating_sub(1)..places.end));
        log.rewritten(file, bytes, Named::Within(*touched.first().unwrap()..touched.last().unwrap() + 1))
    }),
    ("journal: bytes put between two records", |log, dice| {
        let record = log.record(dice);
        let mut frame = dice.bytes(500);
        // Zeros before a record are none that were written ahead.
        frame[0] |= dice.below(2) as u8;
        frame.extend_from_slice(log.frame(record));
        log.reframed(&[(record, frame)], Named::Within(record.saturating_sub(1)..record + 1))
    }),
    ("journal: bytes put after the last record", |log, dice| {
        let file = log.frames.last().unwrap().file;
        let mut bytes = log.files[file].1.clone();
        bytes.extend(dice.bytes(500));
        bytes.push(1);
        log.rewritten(file, bytes, Named::Torn)
    }),
    ("journal: a record dropped", |log, dice| {
        let record = log.record(dice);
        log.reframed(&[(record, Vec::new())], Named::Exactly([record].into()))
    }),
    ("journal: a record doubled", |log, dice| {
        let (record, before) = (log.record(dice), log.record(dice));
        let doubled = [log.frame(record), log.frame(before)].concat();
        let (low, high) = (record.min(before), record.max(before));
        log.reframed(&[(before, doubled)], Named::Within(low..high + 1))
    }),
    ("journal: two records swapped", |log, dice| {
        let (one, other) = (log.record(dice), log.record(dice));
        let frames = [(one, log.frame(other).to_vec()), (other, log.frame(one).to_vec())];
        log.reframed(&frames, Named::Within(one.min(other)..one.max(other) + 1))
    }),
    ("journal: two records swapped in frames that fit", |log, dice| {
        let (one, other) = (log.record(dice), log.record(dice));
        let framed = |at: u64, of: u64| {
            let (at, of) = (decode(log.frame(at)).unwrap(), decode(log.frame(of)).unwrap());
            framed(&at, of.entry, of.body)
        };
        log.reframed(&[(one, framed(one, other)), (other, framed(other, one))], Named::Exactly([one, other].into()))
    }),
    ("journal: a record forged in a frame that fits", |log, dice| {
        let record = log.record(dice);
        let frame = decode(log.frame(record)).unwrap();
        let mut entry = frame.entry.to_vec();
        let at = dice.below(entry.len());
        entry[at] = entry[at].wrapping_add(1 + dice.below(255) as u8);
        log.reframed(&[(record, framed(&frame, &entry, frame.body))], Named::Exactly([record].into()))
    }),
    ("journal: a text forged in a frame that fits", |log, dice| {
        let record = log.record(dice);
        let frame = decode(log.frame(record)).unwrap();
        let mut body = frame.body.to_vec();
        match body.len() {
            0 => body = dice.bytes(50),
            len => body[dice.below(len)] ^= 1 << dice.below(8),
        }
        log.reframed(&[(record, framed(&frame, frame.entry, &body))], Named::Exactly([record].into()))
    }),
    ("journal: a frame that fits with another number", |log, dice| {
        let record = log.record(dice);
        let frame = decode(log.frame(record)).unwrap();
        let mut bytes = Vec::new();
        let to = dice.next() % (log.size() + 10);
        let first = if to == record { frame.first } else { to };
        encode(&mut bytes, to, first, frame.entry, frame.body, &frame.body_hash);
        log.reframed(&[(record, bytes)], Named::Within(record.min(to)..record.max(to) + 1))
    }),
    ("journal: a frame that fits with a number from far away", |log, dice| {
        let record = log.record(dice);
        let frame = decode(log.frame(record)).unwrap();
        let (mut bytes, to) = (Vec::new(), dice.far());
        encode(&mut bytes, to, to, frame.entry, frame.body, &frame.body_hash);
        log.reframed(&[(record, bytes)], Named::Exactly([record, to].into()))
    }),
    ("journal: a frame that fits with another batch", |log, dice| {
        // Other than its own and those next to it, which say as little as they did.
        let record = log.record(dice).max(1);
        let frame = decode(log.frame(record)).unwrap();
        let before = decode(log.frame(record - 1)).unwrap().first;
        let first = dice.next() % (record + 1);
        let first = if [before, record].contains(&first) { frame.first } else { first };
        let mut bytes = Vec::new();
        encode(&mut bytes, record, first, frame.entry, frame.body, &frame.body_hash);
        log.reframed(&[(record, bytes)], Named::Exactly([record].into()))
    }),
    ("tile of hashes: bytes written over", |log, dice| {
        let (path, mut bytes, tile, all) = log.tile(dice, |holds| holds != Holds::Entries);
        let at = dice.below(bytes.len());
        bytes[at] = dice.next() as u8;
        let each = (all.end - all.start) / tile.width;
        let first = all.start + at as u64 / 32 * each;
        Edit { files: vec![(path.clone(), Some(bytes))], named: Named::File(path, first..first + each) }
    }),
    ("bundle of entries: a record forged", |log, dice| {
        let (path, bytes, _, all) = log.tile(dice, |holds| holds == Holds::Entries);
        let mut entries: Vec<Vec<u8>> = read_bundle(&bytes).unwrap().into_iter().map(<[u8]>::to_vec).collect();
        let i = dice.below(entries.len());
        let at = dice.below(entries[i].len());
        entries[i][at] ^= 1 << dice.below(8);
        let record = all.start + i as u64;
        Edit { files: vec![(path.clone(), Some(bundle(&entries)))], named: Named::File(path, record..record + 1) }
    }),
    ("bundle of entries: two records swapped", |log, dice| {
        let (path, bytes, _, all) = log.tile(dice, |holds| holds == Holds::Entries);
        let mut entries: Vec<Vec<u8>> = read_bundle(&bytes).unwrap().into_iter().map(<[u8]>::to_vec).collect();
        let (one, other) = (dice.below(entries.len()), dice.below(entries.len()));
        entries.swap(one, other);
        let (low, high) = (all.start + one.min(other) as u64, all.start + one.max(other) as u64);
        Edit { files: vec![(path.clone(), Some(bundle(&entries)))], named: Named::File(path, low..high + 1) }
    }),
    ("tile or bundle: bytes written over", |log, dice| {
        let (path, mut bytes, _, all) = log.tile(dice, |_| true);
        let range = dice.range(bytes.len(), 200);
        for at in range {
            bytes[at] = dice.next() as u8;
        }
        Edit { files: vec![(path.clone(), Some(bytes))], named: Named::File(path, all) }
    }),
    ("tile or bundle: cut short", |log, dice| {
        let (path, mut bytes, _, all) = log.tile(dice, |_| true);
        bytes.truncate(dice.below(bytes.len()));
        Edit { files: vec![(path.clone(), Some(bytes))], named: Named::File(path, all) }
    }),
    ("tile or bundle: bytes put in or cut out", |log, dice| {
        let (path, mut bytes, _, all) = log.tile(dice, |_| true);
        let range = dice.range(bytes.len(), 100);
        let into = if dice.below(2) == 0 { dice.bytes(100) } else { Vec::new() };
        bytes.splice(range, into);
        Edit { files: vec![(path.clone(), Some(bytes))], named: Named::File(path, all) }
    }),
    ("tile or bundle: gone", |log, dice| {
        let (path, _, _, all) = log.tile(dice, |_| true);
        Edit { files: vec![(path.clone(), None)], named: Named::File(path, all) }
    }),
    ("tile or bundle: another's in its place", |log, dice| {
        let ((path, _, _, all), (_, bytes, ..)) = (log.tile(dice, |_| true), log.tile(dice, |_| true));
        Edit { files: vec![(path.clone(), Some(bytes))], named: Named::File(path, all) }
    }),
    ("checkpoint: bytes written over", |log, dice| {
        let mut bytes = log.file("checkpoint").unwrap().to_vec();
        let at = dice.below(bytes.len());
        bytes[at] = dice.next() as u8;
        Edit { files: vec![("checkpoint".to_owned(), Some(bytes))], named: Named::Root(0..0) }
    }),
    ("checkpoint: bytes put in or cut out", |log, dice| {
        let mut bytes = log.file("checkpoint").unwrap().to_vec();
        let range = dice.range(bytes.len(), 30);
        let into = if dice.below(2) == 0 { dice.bytes(30) } else { Vec::new() };
        bytes.splice(range, into);
        Edit { files: vec![("checkpoint".to_owned(), Some(bytes))], named: Named::Root(0..0) }
    }),
    ("every copy of a record forged alike", |log, dice| {
        // In the part whose hashes stand in a tile above, which says where.
        let record = dice.next() % (log.size() / WIDTH * WIDTH);
        let frame = decode(log.frame(record)).unwrap();
        let mut entry = frame.entry.to_vec();
        let at = dice.below(entry.len());
        entry[at] ^= 1;
        let forged = framed(&frame, &entry, frame.body);
        let leaf = decode(&forged).unwrap().leaf;
        let (number, within) = (record / WIDTH, (record % WIDTH) as usize);
        let path = |holds| Tile { holds, number, width: WIDTH }.path();
        let (of_entries, of_hashes) = (path(Holds::Entries), path(Holds::Hashes(0)));
        let mut entries: Vec<Vec<u8>> =
            read_bundle(log.file(&of_entries).unwrap()).unwrap().into_iter().map(<[u8]>::to_vec).collect();
        entries[within] = entry;
        let mut hashes = log.file(&of_hashes).unwrap().to_vec();
        hashes[within * 32..][..32].copy_from_slice(&leaf);
        let mut edit = log.reframed(&[(record, forged)], Named::Root(number * WIDTH..(number + 1) * WIDTH));
        edit.files.extend([(of_entries, Some(bundle(&entries))), (of_hashes, Some(hashes))]);
        edit
    }),
];

/// A frame in the place of another, whose check fits.
fn framed(place: &frame::Frame<'_>, entry: &[u8], body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(&mut bytes, place.index, place.first, entry, body, &hash_body(body));
    bytes
}

fn bundle(entries: &[Vec<u8>]) -> Vec<u8> {
    let framed = |entry: &Vec<u8>| [&u16::try_from(entry.len()).unwrap().to_be_bytes()[..], entry].concat();
    entries.iter().flat_map(framed).collect()
}

const EDITS: u64 = 400;
const REQUESTS: u64 = 110;
/// Records in a file of the journal.
const SEGMENT: u64 = 90;
