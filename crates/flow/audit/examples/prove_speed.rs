//! How fast a request is found in a log and proved, and how fast the log is verified.
//!
//! `cargo run --release -p countersign-audit --example prove_speed -- DIRECTORY [SAMPLES]`, on a directory that the example `audit_speed` wrote.

use std::{
    io::Write as _,
    time::{Duration, Instant},
};

use countersign_audit::{
    Dir as _, DiskDir, Reader, find, merkle,
    proof::{Proof, Trust},
    records_from,
    verify::{Against, verify},
};
use countersign_core::{RequestId, Secret, Timestamp};
use countersign_seal::KeyRing;

const ORIGIN: &str = "example.com/speed";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let dir = DiskDir::read_only(arguments.next().ok_or("name the directory of a log")?)?;
    let samples: u64 = arguments.next().map_or(Ok(200), |s| s.parse())?;
    let keys = KeyRing::from_bytes(Secret::new(vec![5; 32]))?.verifiers(ORIGIN)?;
    let size = Reader::new(&dir)?.checkpoint().size;
    let mut out = std::io::stdout();

    let mut took = Vec::new();
    for sample in 0..samples {
        let index = sample * size / samples;
        let Some(request) = records_from(&dir, index)?.iter().find_map(|(.., record)| record.request()) else {
            continue;
        };
        let begun = Instant::now();
        let found = find(&dir, request)?;
        for shown in &found {
            let text = Proof::of(&dir, shown.index)?.to_string();
            Proof::read(text.as_bytes())?.verify(&Trust { origin: ORIGIN, keys: &keys, witnesses: &[] })?;
        }
        took.push((begun.elapsed(), found.len()));
    }
    took.sort_unstable();
    let at = |part: usize| took.get((took.len() * part / 100).min(took.len().saturating_sub(1))).map(|(time, _)| *time);
    let records: usize = took.iter().map(|(_, records)| records).sum();
    let (half, most) = (at(50).unwrap_or_default(), at(99).unwrap_or_default());
    writeln!(
        out,
        "{size} records; {} requests ({records} records) found and proved: {half:.1?} at the median, {most:.1?} at p99",
        took.len()
    )?;

    let begun = Instant::now();
    let nobody = find(&dir, RequestId::new(Timestamp(0), [255; 10]))?;
    writeln!(out, "one that is not there ({} records): {:.1?}", nobody.len(), begun.elapsed())?;

    let read = || -> std::io::Result<Vec<Vec<u8>>> { dir.list("journal")?.iter().map(|path| dir.read(path)).collect() };
    let (files, reading) = on_one_core(read)?;
    let files = files?;
    let bytes: usize = files.iter().map(Vec::len).sum();
    let (_, hashing) =
        on_one_core(|| files.iter().map(|file| merkle::sha256(file)).fold(0, |all, hash| all ^ hash[0]))?;
    let (report, verifying) =
        on_one_core(|| verify(&dir, &Against { origin: ORIGIN, keys: &keys, data: None, remembered: None }))?;
    let speed = |time: Duration| bytes as f64 / time.as_secs_f64() / 1e6;
    writeln!(
        out,
        "verified {} records, {} MB of journal, in {verifying:.1?} of one core: {:.0} MB/s, {:.2} us a record, whole: {}; \
         its SHA-256 in one piece: {:.0} MB/s; reading it: {:.0} MB/s",
        report.held,
        bytes / 1_000_000,
        speed(verifying),
        verifying.as_secs_f64() * 1e6 / report.held.max(1) as f64,
        report.is_whole(),
        speed(hashing),
        speed(reading),
    )?;
    Ok(())
}

/// What something gives, and for how long it kept a core busy: by the kernel's account, for others may be at work beside it.
fn on_one_core<T>(what: impl FnOnce() -> T) -> std::io::Result<(T, Duration)> {
    let busy = || {
        let told = std::fs::read_to_string("/proc/thread-self/schedstat")?;
        let nanos = told.split(' ').next().and_then(|nanos| nanos.parse().ok());
        Ok::<_, std::io::Error>(Duration::from_nanos(nanos.unwrap_or_default()))
    };
    let before = busy()?;
    let done = what();
    Ok((done, busy()? - before))
}
