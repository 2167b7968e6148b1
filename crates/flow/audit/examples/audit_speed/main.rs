//! How fast records become durable, signed and provable, and what that costs, beside SQLite with the same records in the same run.
//!
//! `cargo run --release -p countersign-audit --example audit_speed -- DIRECTORY [SECONDS] [PRODUCERS BODY-BYTES]`
//!
//! Prints a line of JSON for each subject; `cargo xtask bench audit` makes a table of them. The log goes its whole way: intents and
//! outcomes are made and sealed, queued, written, synced, put into tiles, signed, cosigned by a witness that holds each checkpoint
//! against the one before, and the end is verified. Every record is waited for. The directory is emptied.

use std::{collections::BTreeMap, fs, io::Write as _, path::PathBuf, time::Duration};

use serde_json::json;

mod counted;
mod log;
mod sqlite;

/// What is asked of every subject.
#[derive(Clone, Copy)]
struct Load {
    /// So many record at the same time.
    producers: u64,
    /// Bytes of a prompt; an answer has half as many.
    body: usize,
    time: Duration,
}

/// What a subject did.
struct Done {
    /// Records that were durable when the time was over.
    records: u64,
    took: Duration,
    /// Microseconds from handing a record over to knowing that it is durable.
    waits: Vec<u32>,
    /// CPU of it, by thread.
    threads: Threads,
    /// Bytes that the disk was given, as the kernel counts them.
    written: u64,
    /// Whatever else the subject has to tell.
    more: serde_json::Value,
}

/// Microseconds by thread name, in its own code and in the kernel.
type Threads = BTreeMap<String, [u64; 2]>;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let directory = PathBuf::from(arguments.next().ok_or("name a directory to write to")?);
    let time = Duration::from_secs(arguments.next().map_or(Ok(5), |s| s.parse())?);
    let mut loads = LOADS.map(|(producers, body)| Load { producers, body, time }).to_vec();
    if let (Some(producers), Some(body)) = (arguments.next(), arguments.next()) {
        loads = vec![Load { producers: producers.parse()?, body: body.parse()?, time }];
    }
    for load in loads {
        let log = directory.join("log");
        empty(&log)?;
        tell("countersign", load, log::run(&log, load)?)?;
        let records = sqlite::records(&log)?;
        for (name, most) in [("sqlite, one record a commit", 1), ("sqlite, as many as wait", usize::MAX)] {
            let place = directory.join("sqlite");
            empty(&place)?;
            tell(name, load, sqlite::run(&place, load, most, &records)?)?;
        }
    }
    Ok(())
}

fn empty(folder: &std::path::Path) -> std::io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => Err(cause),
        _ => fs::create_dir_all(folder),
    }
}

fn tell(subject: &str, load: Load, mut done: Done) -> std::io::Result<()> {
    done.waits.sort_unstable();
    let at = |part: usize| done.waits.get(done.waits.len() * part / 1000).copied().unwrap_or_default();
    let records = done.records.max(1) as f64;
    let each = |micros: u64| micros as f64 / records;
    let cpu: u64 = done.threads.values().flatten().sum();
    let threads: BTreeMap<_, _> =
        done.threads.iter().map(|(name, [own, kernel])| (name, [each(*own), each(*kernel)])).collect();
    let line = json!({
        "subject": subject,
        "producers": load.producers,
        "body_bytes": load.body,
        "records": done.records,
        "seconds": done.took.as_secs_f64(),
        "records_a_second": records / done.took.as_secs_f64(),
        "wait_us": { "p50": at(500), "p99": at(990), "p999": at(999) },
        "cpu_us_a_record": each(cpu),
        "threads_us_a_record": threads,
        "written_bytes_a_record": each(done.written),
        "more": done.more,
    });
    writeln!(std::io::stdout(), "{line}")
}

/// CPU time by thread name, in user space and in the kernel.
fn cpu() -> Threads {
    let mut threads = Threads::new();
    for task in fs::read_dir("/proc/self/task").into_iter().flatten().flatten() {
        // `id (name) state ...`: utime and stime stand 11 fields after the state, in ticks of 10 ms.
        let stat = fs::read_to_string(task.path().join("stat")).unwrap_or_default();
        let Some((name, rest)) = stat.split_once('(').and_then(|(_, r)| r.rsplit_once(')')) else { continue };
        let fields: Vec<u64> = rest.split_whitespace().skip(11).take(2).filter_map(|f| f.parse().ok()).collect();
        let sum = threads.entry(name.to_owned()).or_insert([0; 2]);
        for (to, ticks) in sum.iter_mut().zip(fields) {
            *to += ticks * 10_000;
        }
    }
    threads
}

/// What was spent since `before`, by the threads that are still there.
fn cpu_since(before: &Threads) -> Threads {
    let since = |(name, [own, kernel]): (String, [u64; 2])| {
        let [u, s] = before.get(&name).copied().unwrap_or_default();
        (name, [own.saturating_sub(u), kernel.saturating_sub(s)])
    };
    cpu().into_iter().map(since).collect()
}

/// Bytes that this process has had written, as the kernel counts them.
fn written() -> u64 {
    let io = fs::read_to_string("/proc/self/io").unwrap_or_default();
    let line = io.lines().find_map(|line| line.strip_prefix("write_bytes: "));
    line.and_then(|bytes| bytes.parse().ok()).unwrap_or_default()
}

/// Producers, and bytes of a prompt: as many callers as a small gateway has, and as a busy one; short prompts, and long ones.
const LOADS: [(u64, usize); 4] = [(16, 1024), (256, 1024), (256, 100), (256, 16 << 10)];
