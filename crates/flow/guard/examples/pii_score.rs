//! Prints how well the rules find marked secrets and personal data: by type, exact and overlapping, as `score.py` beside the data
//! counts; how much of what is marked is covered by any finding; and megabytes a second.
//!
//! `cargo run --release -p countersign-guard --example pii_score [SET...]`, from the repository root; sets lie in
//! `../shared/data/pii/dev`. `SET:even` and `SET:odd` take every other row: rules were written against even rows only.
//! `--misses TYPE` lists what was missed, `--extra TYPE` what was reported beside.
#![expect(clippy::print_stdout, reason = "its output is what it is for")]

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Read,
    time::Instant,
};

use countersign_core::{Channel, Document, Entity, Side, Trust, life::Stamps};
use countersign_guard::{Config, Guard, Names};

#[derive(Clone, Copy, Default)]
struct Score {
    gold: u32,
    reported: u32,
    exact: u32,
    found: u32,
    right: u32,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut sets = Vec::new();
    let (mut misses, mut extra) = (None, None);
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--misses" => misses = args.next(),
            "--extra" => extra = args.next(),
            _ => sets.push(arg),
        }
    }
    if sets.is_empty() {
        sets = SETS.map(str::to_owned).into();
    }
    let names = Names { prompts: true, answers: true };
    let guard = Guard::new(Stamps::issue().screen, Config { names, ..Config::default() })?;
    for set in &sets {
        let (name, half) = set.split_once(':').unwrap_or((set, ""));
        let path = format!("../shared/data/pii/dev/{name}.jsonl.gz");
        let Ok(file) = std::fs::File::open(&path) else {
            println!("SKIPPED: {path} is not there");
            continue;
        };
        let mut text = String::new();
        flate2::read::GzDecoder::new(file).read_to_string(&mut text)?;
        let rows = text
            .lines()
            .enumerate()
            .filter(|(i, _)| half.is_empty() || (half == "even") == (i % 2 == 0))
            .map(|(_, line)| Row::read(line))
            .collect::<Result<Vec<_>, _>>()?;
        let start = Instant::now();
        let found: Vec<Vec<Span>> = rows.iter().map(|row| find(&guard, &row.document)).collect();
        let (taken, bytes) = (start.elapsed(), rows.iter().map(|row| row.text.len()).sum::<usize>());
        println!("\n{set}: {} texts, {bytes} bytes, {:.0} MB/s", rows.len(), bytes as f64 / taken.as_secs_f64() / 1e6);
        report(&rows, &found, misses.as_deref(), extra.as_deref());
    }
    Ok(())
}

/// One marked text.
struct Row {
    text: String,
    document: Document,
    gold: BTreeSet<Span>,
}

/// From, to, type.
type Span = (usize, usize, &'static str);

impl Row {
    fn read(line: &str) -> Result<Self, Box<dyn std::error::Error>> {
        let row: serde_json::Value = serde_json::from_str(line)?;
        let text = row["text"].as_str().unwrap_or_default().to_owned();
        let places: Vec<usize> = text.char_indices().map(|(i, _)| i).chain([text.len()]).collect();
        let place =
            |v: &serde_json::Value| v.as_u64().and_then(|i| places.get(i as usize)).copied().unwrap_or(text.len());
        let spans = row["spans"].as_array().map(Vec::as_slice).unwrap_or_default();
        let gold = spans
            .iter()
            .filter_map(|s| Some((place(&s["start"]), place(&s["end"]), Entity::parse(s["type"].as_str()?)?.as_str())))
            .collect();
        let document = Document::of_text(text.as_str(), Channel::Assistant, Trust::Model);
        Ok(Self { text, document, gold })
    }
}

fn find(guard: &Guard, document: &Document) -> Vec<Span> {
    let found = guard.scan(Side::Answer, document).into_iter();
    found.filter_map(|f| Some((f.span.start, f.span.end, Entity::of(f.rule)?.as_str()))).collect()
}

/// What is marked as a password counts as found where another credential was, and the other way round.
fn same(a: &str, b: &str) -> bool {
    a == b || (matches!(a, "SECRET" | "PASSWORD") && matches!(b, "SECRET" | "PASSWORD"))
}

fn overlaps(a: &Span, b: &Span) -> bool {
    a.0 < b.1 && b.0 < a.1 && same(a.2, b.2)
}

fn report(rows: &[Row], found: &[Vec<Span>], misses: Option<&str>, extra: Option<&str>) {
    // A type that the set does not mark is not counted.
    let marked: BTreeSet<&str> = rows.iter().flat_map(|row| row.gold.iter().map(|s| s.2)).collect();
    let mut scores = BTreeMap::<&str, Score>::new();
    let (mut spans, mut covered, mut gold_bytes, mut found_bytes, mut both) = (0u32, 0u32, 0usize, 0usize, 0usize);
    for (row, all) in rows.iter().zip(found) {
        let found: BTreeSet<Span> = all.iter().filter(|f| marked.iter().any(|m| same(m, f.2))).copied().collect();
        for g in &row.gold {
            let score = scores.entry(g.2).or_default();
            score.gold += 1;
            score.exact += u32::from(found.iter().any(|f| (f.0, f.1) == (g.0, g.1) && same(f.2, g.2)));
            let hit = found.iter().any(|f| overlaps(f, g));
            score.found += u32::from(hit);
            if !hit && misses == Some(g.2) {
                println!("missed {:?} in {:?}", &row.text[g.0..g.1], clip(&row.text, g.0));
            }
        }
        for f in &found {
            let score = scores.entry(f.2).or_default();
            score.reported += 1;
            let right = row.gold.iter().any(|g| overlaps(f, g));
            score.right += u32::from(right);
            if !right && extra == Some(f.2) {
                println!("extra {:?} in {:?}", &row.text[f.0..f.1], clip(&row.text, f.0));
            }
        }
        let mut is_found = vec![false; row.text.len()];
        all.iter().for_each(|f| is_found[f.0..f.1].fill(true));
        let mut is_gold = vec![false; row.text.len()];
        for g in &row.gold {
            spans += 1;
            covered += u32::from(is_found[g.0..g.1].iter().all(|b| *b));
            is_gold[g.0..g.1].fill(true);
        }
        gold_bytes += is_gold.iter().filter(|b| **b).count();
        found_bytes += is_found.iter().filter(|b| **b).count();
        both += is_found.iter().zip(&is_gold).filter(|(f, g)| **f && **g).count();
    }
    println!(
        "{:16} {:>6} {:>8}  {:>20}  {:>20}",
        "type", "marked", "reported", "exact P / R / F1", "overlap P / R / F1"
    );
    for (kind, s) in &scores {
        println!(
            "{kind:16} {:>6} {:>8}  {:>20}  {:>20}",
            s.gold,
            s.reported,
            three(s.exact, s.reported, s.exact, s.gold),
            three(s.right, s.reported, s.found, s.gold),
        );
    }
    println!(
        "any type         {spans:>6}           covered {:.1} %, bytes: precision {:.1} %, recall {:.1} %",
        share(covered as usize, spans as usize),
        share(both, found_bytes),
        share(both, gold_bytes)
    );
}

/// Precision, recall and F1 in per cent.
fn three(right: u32, reported: u32, found: u32, gold: u32) -> String {
    let (p, r) = (share(right as usize, reported as usize), share(found as usize, gold as usize));
    let f = if p + r > 0.0 { 2.0 * p * r / (p + r) } else { 0.0 };
    format!("{p:.1} / {r:.1} / {f:.1}")
}

fn share(part: usize, whole: usize) -> f64 {
    100.0 * part as f64 / whole.max(1) as f64
}

/// The text around a place.
fn clip(text: &str, at: usize) -> &str {
    let mut from = at.saturating_sub(50);
    while !text.is_char_boundary(from) {
        from -= 1;
    }
    let mut to = (at + 60).min(text.len());
    while !text.is_char_boundary(to) {
        to += 1;
    }
    text.get(from..to).unwrap_or_default()
}

const SETS: [&str; 7] = [
    "synth_llm",
    "contextual_anonymizer:even",
    "contextual_anonymizer:odd",
    "secrets_noseyparker",
    "sec_filings",
    "re3d",
    "btc",
];
