//! Prints how many of the marked secrets and personal data the rules find, by type, and how much else they report.
//!
//! `cargo run --release -p countersign-guard --example pii_score [SET...]`, from the repository root; sets lie in
//! `../shared/data/pii/dev`. `--misses TYPE` lists what was missed, `--extra TYPE` what was reported beside.
#![expect(clippy::print_stdout, reason = "its output is what it is for")]

use std::{collections::BTreeMap, io::Read};

use bytes::Bytes;
use countersign_core::{Channel, Document, Side, Slot, SlotKind, Trust, life::Stamps};
use countersign_guard::{Config, Guard};

/// Types as the data names them, by rule.
const TYPES: &[(&str, &str)] = &[
    ("personal/card-code", "CARD_CVV"),
    ("personal/card", "CREDIT_CARD"),
    ("personal/us-ssn", "US_SSN"),
    ("personal/us-itin", "TAX_ID"),
    ("personal/nhs", "HEALTH_PLAN_ID"),
    ("personal/health-plan", "HEALTH_PLAN_ID"),
    ("personal/npi", "NPI"),
    ("personal/aadhaar", "NATIONAL_ID"),
    ("personal/cpf", "NATIONAL_ID"),
    ("personal/pesel", "NATIONAL_ID"),
    ("personal/bsn", "NATIONAL_ID"),
    ("personal/dni", "NATIONAL_ID"),
    ("personal/bank-account", "BANK_ACCOUNT"),
    ("personal/bank-routing", "BANK_ROUTING"),
    ("personal/medical-record", "MEDICAL_RECORD"),
    ("personal/passport", "PASSPORT"),
    ("personal/driver-license", "DRIVER_LICENSE"),
    ("personal/iban", "IBAN"),
    ("personal/email", "EMAIL"),
    ("personal/phone", "PHONE"),
    ("secret/password", "PASSWORD"),
    ("secret/", "SECRET"),
];

#[derive(Default)]
struct Score {
    gold: u32,
    found: u32,
    exact: u32,
    reported: u32,
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
        sets = ["synth_llm", "secrets_noseyparker", "contextual_anonymizer", "btc", "wikigold", "sec_filings"]
            .map(str::to_owned)
            .into();
    }
    let guard = Guard::new(Stamps::issue().screen, Config::default())?;
    for set in &sets {
        let path = format!("../shared/data/pii/dev/{set}.jsonl.gz");
        let Ok(file) = std::fs::File::open(&path) else {
            println!("SKIPPED: {path} is not there");
            continue;
        };
        let mut text = String::new();
        flate2::read::GzDecoder::new(file).read_to_string(&mut text)?;
        let mut scores = BTreeMap::<String, Score>::new();
        let (mut bytes, mut rows) = (0, 0);
        for line in text.lines() {
            let row: serde_json::Value = serde_json::from_str(line)?;
            let text = row["text"].as_str().unwrap_or_default();
            (bytes, rows) = (bytes + text.len(), rows + 1);
            let places: Vec<usize> = text.char_indices().map(|(i, _)| i).chain([text.len()]).collect();
            let place =
                |v: &serde_json::Value| v.as_u64().and_then(|i| places.get(i as usize)).copied().unwrap_or(text.len());
            let gold: Vec<(usize, usize, &str)> = row["spans"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|s| (place(&s["start"]), place(&s["end"]), s["type"].as_str().unwrap_or_default()))
                .filter(|s| TYPES.iter().any(|t| t.1 == s.2))
                .collect();
            let found: Vec<(usize, usize, &str, &str)> = guard
                .scan(Side::Answer, &document(text)?)
                .into_iter()
                .filter_map(|f| {
                    let kind = TYPES.iter().find(|t| f.rule.starts_with(t.0))?.1;
                    Some((f.span.start, f.span.end, kind, f.rule))
                })
                .collect();
            let same =
                |a: &str, b: &str| a == b || (matches!(a, "SECRET" | "PASSWORD") && matches!(b, "SECRET" | "PASSWORD"));
            for g in &gold {
                let score = scores.entry(g.2.to_owned()).or_default();
                score.gold += 1;
                score.exact += u32::from(found.iter().any(|f| (f.0, f.1) == (g.0, g.1) && same(f.2, g.2)));
                let hit = found.iter().any(|f| f.0 < g.1 && g.0 < f.1 && same(f.2, g.2));
                score.found += u32::from(hit);
                if !hit && misses.as_deref() == Some(g.2) {
                    println!("missed {:?} in {:?}", &text[g.0..g.1], clip(text, g.0));
                }
            }
            for f in &found {
                let score = scores.entry(f.2.to_owned()).or_default();
                score.reported += 1;
                let right = gold.iter().any(|g| f.0 < g.1 && g.0 < f.1 && same(f.2, g.2));
                score.right += u32::from(right);
                if !right && extra.as_deref() == Some(f.2) {
                    println!("extra {} {:?} in {:?}", f.3, &text[f.0..f.1], clip(text, f.0));
                }
            }
        }
        println!("\n{set}: {rows} texts, {bytes} bytes");
        println!("{:16} {:>6} {:>8} {:>8} {:>9} {:>10}", "type", "marked", "found %", "exact %", "reported", "right %");
        for (kind, s) in &scores {
            let share = |a: u32, b: u32| {
                if b == 0 { "-".to_owned() } else { format!("{:.1}", 100.0 * f64::from(a) / f64::from(b)) }
            };
            println!(
                "{kind:16} {:>6} {:>8} {:>8} {:>9} {:>10}",
                s.gold,
                share(s.found, s.gold),
                share(s.exact, s.gold),
                s.reported,
                share(s.right, s.reported)
            );
        }
    }
    Ok(())
}

fn document(text: &str) -> Result<Document, Box<dyn std::error::Error>> {
    let slot = Slot {
        span: 0..text.len(),
        decoded: None,
        kind: SlotKind::Text,
        channel: Channel::Assistant,
        trust: Trust::Model,
        grows: None,
        call: None,
    };
    Ok(Document::new(Bytes::copy_from_slice(text.as_bytes()), vec![slot])?)
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
