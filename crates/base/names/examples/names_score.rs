//! Prints how many of the marked names the tagger finds, and how fast it reads.
//!
//! `cargo run --release -p countersign-names --example names_score -- [SET...]`, from the repository root; sets lie in
//! `../shared/data/pii/dev`. `--wrong N` lists the first errors, `--weights FILE` asks other weights, `--times N` reads
//! each set so often and says how fast the fastest reading was.
#![expect(clippy::print_stdout, reason = "its output is what it is for")]

use std::{borrow::Cow, io::Read, ops::Range, time::Instant};

use countersign_names::{Tagger, Weights};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (mut sets, mut wrong, mut own, mut times) = (Vec::new(), 0_usize, None, 1);
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--wrong" => wrong = args.next().unwrap_or_default().parse()?,
            "--times" => times = args.next().unwrap_or_default().parse()?,
            "--weights" => {
                own = Some(Tagger::new(Weights::read(Cow::Owned(std::fs::read(args.next().unwrap_or_default())?))?))
            }
            _ => sets.push(arg),
        }
    }
    if sets.is_empty() {
        sets = SETS.map(str::to_owned).into();
    }
    let begun = Instant::now();
    let tagger = own.as_ref().unwrap_or_else(|| Tagger::shipped());
    let names = tagger.tag("Sarah Connor");
    println!("ready after {:?}, {} name", begun.elapsed(), names.len());
    println!("{:22} {:13} {:>6} {:>6} {:>7} {:>8} {:>7}", "set", "type", "marked", "found", "exact", "overlap", "MB/s");
    for set in sets {
        let path = format!("../shared/data/pii/dev/{set}.jsonl.gz");
        let Ok(file) = std::fs::File::open(&path) else {
            println!("SKIPPED: {path} is not there");
            continue;
        };
        let mut lines = String::new();
        flate2::read::GzDecoder::new(file).read_to_string(&mut lines)?;
        let rows: Vec<serde_json::Value> = lines.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
        let texts: Vec<&str> = rows.iter().map(|row| row["text"].as_str().unwrap_or_default()).collect();
        let mut tagged: Vec<_> = Vec::new();
        // The best of some runs: others may be using the machine.
        let mut speed = 0.0_f64;
        for _ in 0..times {
            let begun = Instant::now();
            tagged = texts.iter().map(|text| tagger.tag(text)).collect();
            let bytes = texts.iter().map(|text| text.len()).sum::<usize>();
            speed = speed.max(bytes as f64 / begun.elapsed().as_secs_f64() / 1e6);
        }
        for kind in ["PERSON", "LOCATION", "ORGANIZATION"] {
            let (mut gold_count, mut found_count, mut exact, mut gold_hit, mut found_hit) = (0, 0, 0, 0, 0);
            for ((row, text), names) in rows.iter().zip(&texts).zip(&tagged) {
                let places: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
                let place = |v: &serde_json::Value| {
                    v.as_u64().and_then(|at| places.get(at as usize)).copied().unwrap_or_default()
                };
                let spans = row["spans"].as_array().into_iter().flatten().filter(|span| span["type"] == kind);
                let gold: Vec<Range<usize>> = spans.map(|span| place(&span["start"])..place(&span["end"])).collect();
                let found: Vec<Range<usize>> =
                    names.iter().filter(|name| name.entity.as_str() == kind).map(|name| name.span.clone()).collect();
                let hits = |all: &[Range<usize>], span: &Range<usize>| {
                    all.iter().any(|o| o.start < span.end && span.start < o.end)
                };
                gold_count += gold.len();
                found_count += found.len();
                exact += gold.iter().filter(|span| found.contains(span)).count();
                gold_hit += gold.iter().filter(|span| hits(&found, span)).count();
                found_hit += found.iter().filter(|span| hits(&gold, span)).count();
                if gold != found && wrong > 0 {
                    wrong -= 1;
                    let of = |spans: &[Range<usize>]| {
                        spans.iter().map(|span| &text[span.clone()]).collect::<Vec<_>>().join(" | ")
                    };
                    println!("{kind}: {text:?}\n    marked {}\n    found  {}", of(&gold), of(&found));
                }
            }
            if gold_count == 0 {
                continue;
            }
            let f1 = |p: usize, r: usize| {
                let (p, r) = (p as f64 / found_count.max(1) as f64, r as f64 / gold_count as f64);
                if p + r == 0.0 { 0.0 } else { 200.0 * p * r / (p + r) }
            };
            let (exact, overlap) = (f1(exact, exact), f1(found_hit, gold_hit));
            println!("{set:22} {kind:13} {gold_count:>6} {found_count:>6} {exact:>7.1} {overlap:>8.1} {speed:>7.1}");
        }
    }
    Ok(())
}

const SETS: [&str; 10] = [
    "wikigold",
    "sec_filings",
    "re3d",
    "contextual_anonymizer",
    "btc",
    "wikiann_en",
    "wikiann_de",
    "wikiann_fr",
    "wikiann_nl",
    "synth_llm",
];
