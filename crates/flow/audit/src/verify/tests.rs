use std::{
    io,
    sync::atomic::{AtomicUsize, Ordering},
};

use crate::{
    Dir, MemoryDir, Tail,
    frame::{decode, encode, hash_body},
    support::{open, outcome, screened, verify},
    tiles::{Holds, Tile},
};

/// A log of 1 + 2 × `requests` records, closed in good order.
fn log(requests: u64) -> MemoryDir {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(log_of(requests))
}

async fn log_of(requests: u64) -> MemoryDir {
    let dir = MemoryDir::default();
    let audit = open(dir.clone()).unwrap();
    for n in 0..requests {
        let intended = audit.intend(screened(n, "the prompt")).await.unwrap();
        drop(audit.settle(outcome(n, intended.record(), "the answer")));
    }
    audit.close().await;
    assert!(verify(&dir).is_whole());
    dir
}

fn journal(dir: &MemoryDir) -> (String, Vec<u8>) {
    let path = dir.list("journal").unwrap().remove(0);
    let bytes = dir.read(&path).unwrap();
    (path, bytes)
}

/// The frames of the journal, cut apart.
fn frames(dir: &MemoryDir) -> Vec<Vec<u8>> {
    let (_, bytes) = journal(dir);
    let mut rest = bytes.as_slice();
    let mut frames = Vec::new();
    while !rest.is_empty() {
        let (frame, later) = rest.split_at(decode(rest).unwrap().len);
        frames.push(frame.to_vec());
        rest = later;
    }
    frames
}

fn put(dir: &MemoryDir, frames: &[Vec<u8>]) {
    let (path, _) = journal(dir);
    dir.put(&[(path, frames.concat())]).unwrap();
}

#[test]
fn any_byte_of_any_file_is_named() {
    let dir = log(3);
    let frames = frames(&dir);
    for path in dir.list("").unwrap() {
        let whole = dir.read(&path).unwrap();
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 0x01;
            dir.put(&[(path.clone(), changed)]).unwrap();
            let report = verify(&dir);
            assert!(!report.is_whole(), "{path} at {at}");
            if path.starts_with("journal") {
                let mut end = 0;
                let record = frames.iter().position(|f| {
                    end += f.len();
                    at < end
                });
                assert_eq!(report.first(), record.map(|r| r as u64), "{path} at {at}: {:?}", report.damage);
                assert_eq!(report.held, frames.len() as u64 - 1, "{path} at {at}");
            } else {
                assert_eq!(report.damage[0].file, path, "at {at}: {:?}", report.damage);
                let held = if path == "checkpoint" { 0 } else { frames.len() as u64 };
                assert_eq!(report.held, held);
            }
        }
        dir.put(&[(path, whole)]).unwrap();
    }
    assert!(verify(&dir).is_whole());
}

#[test]
fn any_file_that_is_gone_or_new_is_named() {
    let dir = log(300);
    for path in dir.list("").unwrap() {
        let whole = dir.read(&path).unwrap();
        dir.remove(&path).unwrap();
        let report = verify(&dir);
        assert!(!report.is_whole(), "{path}");
        if path.starts_with("journal") {
            assert_eq!((report.first(), report.held), (Some(0), 0));
        } else {
            assert_eq!(report.damage[0].file, path);
        }
        dir.put(&[(path, whole)]).unwrap();
    }
    dir.put(&[("tile/0/notes.txt".to_owned(), Vec::new())]).unwrap();
    assert_eq!(verify(&dir).damage[0].file, "tile/0/notes.txt");
}

#[test]
fn records_that_were_taken_out_swapped_doubled_or_cut_off_are_named() {
    let dir = log(5);
    let frames = frames(&dir);
    let check = |changed: &[Vec<u8>], first: u64, held: u64| {
        put(&dir, changed);
        let report = verify(&dir);
        assert_eq!((report.first(), report.held), (Some(first), held), "{:?}", report.damage);
    };
    let without = |i: usize| [&frames[..i], &frames[i + 1..]].concat();
    check(&without(0), 0, 10);
    check(&without(4), 4, 10);
    check(&without(10), 10, 10);
    check(&frames[..7], 7, 7);
    check(&[&frames[..5], &frames[4..]].concat(), 4, 10);
    let mut swapped = frames.clone();
    swapped.swap(3, 6);
    put(&dir, &swapped);
    assert_eq!(verify(&dir).first(), Some(3));
}

#[test]
fn a_forged_record_with_a_fitting_frame_is_named() {
    let dir = log(300);
    let whole = frames(&dir);
    for at in [1_usize, 2, 300, 600] {
        let mut changed = whole.clone();
        let frame = decode(&whole[at]).unwrap();
        let entry = String::from_utf8(frame.entry.to_vec()).unwrap().replace("acme", "acne").into_bytes();
        let mut forged = Vec::new();
        encode(&mut forged, frame.index, frame.first, &entry, frame.body, &hash_body(frame.body));
        changed[at] = forged;
        put(&dir, &changed);
        let report = verify(&dir);
        assert_eq!(report.first(), Some(at as u64), "{:?}", report.damage);
        assert_eq!((report.held, report.held_after), (600, 600 - at as u64));
    }
}

#[test]
fn a_text_moved_to_another_record_is_named() {
    let dir = log(3);
    let mut changed = frames(&dir);
    let (one, other) = (changed[1].clone(), changed[3].clone());
    let (one, other) = (decode(&one).unwrap(), decode(&other).unwrap());
    let mut moved = Vec::new();
    encode(&mut moved, one.index, one.first, one.entry, other.body, &hash_body(other.body));
    changed[1] = moved;
    put(&dir, &changed);
    let report = verify(&dir);
    assert_eq!(report.first(), Some(1));
    assert!(report.damage[0].what.contains("sealed text"), "{:?}", report.damage);
}

#[test]
fn a_tile_from_far_away_is_named() {
    let dir = log(3);
    for number in [1 << 20, (1 << 56) - 2, (1 << 56) - 1, 1 << 56, u64::MAX] {
        for (holds, bytes) in
            [(Holds::Entries, b"\0\x01x".as_slice()), (Holds::Hashes(0), &[7; 32]), (Holds::Hashes(7), &[7; 32])]
        {
            let path = Tile { holds, number, width: 1 }.path();
            dir.put(&[(path.clone(), bytes.to_vec())]).unwrap();
            let report = verify(&dir);
            // Tiles above the log's own say nothing of any record.
            let is_named = report.damage.iter().any(|damage| damage.file == path);
            assert_eq!(is_named, holds != Holds::Hashes(7) || number > (1 << 56) - 2, "{path}: {:?}", report.damage);
            assert_eq!(report.held, 7, "{path}");
            dir.remove(&path).unwrap();
        }
    }
}

#[test]
fn what_stands_between_records_is_named() {
    let dir = log(5);
    let whole = frames(&dir);
    for record in 0..whole.len() {
        let mut changed = whole.clone();
        changed[record].splice(0..0, b"\0\0between\0\0".iter().copied());
        put(&dir, &changed);
        let report = verify(&dir);
        assert_eq!(
            (report.damage.count(), report.first(), report.held),
            (1, Some(record as u64), 11),
            "{:?}",
            report.damage
        );
    }
}

#[test]
fn a_record_that_claims_another_batch_is_named() {
    let dir = log(5);
    let whole = frames(&dir);
    for record in 2..whole.len() {
        let frame = decode(&whole[record]).unwrap();
        let before = decode(&whole[record - 1]).unwrap();
        for first in (0..frame.index).filter(|first| ![frame.first, before.first].contains(first)) {
            let mut changed = whole.clone();
            let mut other = Vec::new();
            encode(&mut other, frame.index, first, frame.entry, frame.body, &frame.body_hash);
            changed[record] = other;
            put(&dir, &changed);
            let report = verify(&dir);
            assert_eq!((report.damage.count(), report.first()), (1, Some(frame.index)), "{:?}", report.damage);
        }
    }
}

/// Whoever can write to the disk rewrites every copy, and still cannot sign.
#[test]
fn a_consistent_rewrite_without_the_key_is_found() {
    let (dir, other) = (log(40), MemoryDir::default());
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
        let audit = open(other.clone()).unwrap();
        for n in 0..40 {
            let intended = audit.intend(screened(n, "another prompt")).await.unwrap();
            drop(audit.settle(outcome(n, intended.record(), "another answer")));
        }
        audit.close().await;
    });
    let mine = dir.read("checkpoint").unwrap();
    other.put(&[("checkpoint".to_owned(), mine)]).unwrap();
    let report = verify(&other);
    assert!(!report.is_whole());
    assert_eq!(report.damage.last().unwrap().file, "checkpoint");
}

#[test]
fn an_empty_directory_is_no_log() {
    assert!(!verify(&MemoryDir::default()).is_whole());
}

/// A log that its gateway publishes while it is read: with each look at it, it is a step further, from some look on.
struct Restless {
    steps: Vec<MemoryDir>,
    looks: AtomicUsize,
    from: usize,
}

impl Restless {
    fn now(&self) -> &MemoryDir {
        let look = self.looks.fetch_add(1, Ordering::Relaxed);
        &self.steps[look.saturating_sub(self.from).min(self.steps.len() - 1)]
    }
}

impl Dir for Restless {
    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        self.now().list(folder)
    }

    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        self.now().read(path)
    }

    fn append(&self, _path: &str) -> io::Result<Box<dyn Tail>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn put(&self, _files: &[(String, Vec<u8>)]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn remove(&self, _path: &str) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

fn copy(dir: &MemoryDir) -> MemoryDir {
    let copy = MemoryDir::default();
    let files: Vec<_> =
        dir.list("").unwrap().into_iter().map(|path| (path.clone(), dir.read(&path).unwrap())).collect();
    copy.put(&files).unwrap();
    copy
}

#[tokio::test]
async fn a_log_that_is_published_meanwhile_is_whole() {
    let dir = log_of(2).await;
    let before = copy(&dir);
    let audit = open(dir.clone()).unwrap();
    let intended = audit.intend(screened(9, "the prompt")).await.unwrap();
    drop(audit.settle(outcome(9, intended.record(), "the answer")));
    audit.close().await;
    let after = copy(&dir);
    // Published in the order in which the publisher does it: the journal, the tiles, the checkpoint; then the old tiles go.
    let with = |names: &dyn Fn(&str) -> bool| {
        let step = copy(&before);
        for path in after.list("").unwrap().into_iter().filter(|path| names(path)) {
            step.put(&[(path.clone(), after.read(&path).unwrap())]).unwrap();
        }
        step
    };
    let steps = [
        before.clone(),
        with(&|path| path.starts_with("journal")),
        with(&|path| path != "checkpoint"),
        with(&|_| true),
        copy(&after),
    ];
    assert!(steps.iter().all(|step| verify(step).is_whole()));
    for from in 0..40 {
        let restless = Restless { steps: steps.iter().map(copy).collect(), looks: AtomicUsize::new(0), from };
        let report = verify(&restless);
        assert!(report.is_whole(), "from look {from}: {:?}", report.damage);
    }
}
