//! Prints, for each way to hide a text, how many of the attacks that the guard finds in clear it finds hidden too, and how many
//! benign texts it flags in clear and hidden.
//!
//! `cargo run --release -p countersign-guard --example decoding -- ../shared/data/injection/dev [STEP [ENCODING]]` takes every STEPth row;
//! `benign` for ENCODING prints what is reported as hidden in benign texts as they stand, by source.
#![expect(clippy::print_stdout, reason = "a table for a person to read")]

#[path = "../tests/replay/encode.rs"]
mod encode;

use std::{collections::BTreeMap, fs::File, io::BufRead, path::PathBuf};

use countersign_core::{Channel, Document, Finding, Kind, Side, Slot, SlotKind, Trust, life::Stamps};
use countersign_guard::{Config, Guard};
use encode::{Carries, ENCODERS};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let folder = PathBuf::from(args.next().unwrap_or_else(|| "../shared/data/injection/dev".into()));
    let step = args.next().map_or(Ok(20), |s| s.parse::<usize>())?.max(1);
    let only = args.next().unwrap_or_default();
    let missed = args.next().is_some();
    let guard = Guard::new(Stamps::issue().screen, Config::default())?;
    let (mut attacks, mut benign) = (Vec::new(), Vec::new());
    for name in ["attacks_direct", "attacks_jailbreak", "attacks_extraction", "benign", "benign_hard", "synthetic"] {
        let path = folder.join(format!("{name}.jsonl.gz"));
        let reader = std::io::BufReader::new(flate2::read::GzDecoder::new(File::open(path)?));
        for line in reader.lines().step_by(step) {
            let row: serde_json::Value = serde_json::from_str(&line?)?;
            let field = |name: &str| row.get(name).and_then(|v| v.as_str()).unwrap_or_default();
            let text = field("text").to_owned();
            if text.len() > LONGEST {
                continue;
            }
            if row.get("label").and_then(serde_json::Value::as_u64) == Some(0) {
                benign.push((field("source").to_owned(), text));
            } else if matches!(field("kind"), "direct" | "jailbreak" | "extraction") {
                attacks.push(text);
            }
        }
    }
    // Those that the guard finds as they stand; some come encoded.
    if only == "benign" {
        return report(&guard, &benign);
    }
    let mut rows = Vec::new();
    for text in attacks {
        let findings = scan(&guard, &text)?;
        if attack(&findings) && findings.iter().all(|f| f.kind != Kind::Hidden) {
            rows.push(text);
        }
    }
    println!("{:<30} {:>8} {:>9}   {:>8} {:>9} {:>9}", "hidden by", "attacks", "found", "benign", "in clear", "hidden");
    for encoder in ENCODERS.iter().filter(|e| e.name.contains(&only)) {
        // What the alphabet of an encoding cannot write is not there to be found.
        let fits = |text: &&String| match encoder.carries {
            Carries::Everything | Carries::Letters => true,
            Carries::Ascii | Carries::Plain => text.is_ascii(),
        };
        let (mut all, mut found) = (0, 0);
        for text in rows.iter().filter(fits) {
            let hidden = (encoder.encode)(text);
            let hit = flagged(&guard, &hidden)?;
            if missed && !hit {
                println!("{:.300?}\n  {:.300?}", text, hidden);
            }
            all += 1;
            found += usize::from(hit);
        }
        let (mut clean, mut clear, mut coded) = (0, 0, 0);
        for text in benign.iter().map(|(_, text)| text).filter(fits) {
            clean += 1;
            clear += usize::from(flagged(&guard, text)?);
            coded += usize::from(flagged(&guard, &(encoder.encode)(text))?);
        }
        let share = |part: usize, of: usize| format!("{:.2} %", 100.0 * part as f64 / of.max(1) as f64);
        println!(
            "{:<30} {all:>8} {:>9}   {clean:>8} {:>9} {:>9}",
            encoder.name,
            share(found, all),
            share(clear, clean),
            share(coded, clean)
        );
    }
    Ok(())
}

/// Prints how many benign texts of each source have something hidden in them, at a confidence of a half or more.
fn report(guard: &Guard, benign: &[(String, String)]) -> Result<(), Box<dyn std::error::Error>> {
    let mut sources: BTreeMap<&str, (u32, BTreeMap<&str, u32>)> = BTreeMap::new();
    for (source, text) in benign {
        let (texts, rules) = sources.entry(source).or_default();
        *texts += 1;
        let mut names: Vec<_> = scan(guard, text)?.iter().filter(|f| f.confidence >= 0.5).map(|f| f.rule).collect();
        names.retain(|rule| rule.starts_with("hidden/") || *rule == "limit/decoded");
        names.sort_unstable();
        names.dedup();
        names.into_iter().for_each(|rule| *rules.entry(rule).or_default() += 1);
    }
    for (source, (texts, rules)) in sources.iter().filter(|(_, (_, rules))| !rules.is_empty()) {
        println!("{source:<50} {texts:>6} {rules:?}");
    }
    println!("{} sources", sources.len());
    Ok(())
}

fn flagged(guard: &Guard, text: &str) -> Result<bool, Box<dyn std::error::Error>> {
    Ok(attack(&scan(guard, text)?))
}

fn attack(findings: &[Finding]) -> bool {
    findings.iter().any(|f| matches!(f.kind, Kind::Injection | Kind::Extraction | Kind::Exfiltration))
}

fn scan(guard: &Guard, text: &str) -> Result<Vec<Finding>, Box<dyn std::error::Error>> {
    let slot = Slot {
        span: 0..0,
        decoded: Some(text.into()),
        kind: SlotKind::Text,
        channel: Channel::User,
        trust: Trust::Caller,
        grows: None,
        call: None,
    };
    Ok(guard.scan(Side::Prompt, &Document::new(bytes::Bytes::new(), vec![slot])?))
}

/// Longer texts say nothing that shorter ones do not, and cost more.
const LONGEST: usize = 4000;
