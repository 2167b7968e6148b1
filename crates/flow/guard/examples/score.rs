//! Prints how many attacks of a labelled collection the prompt side finds, by kind and source, and how often it raises a false alarm.
//!
//! `cargo run --release -p countersign-guard --example score -- ../shared/data/injection/dev [missed|alarms]`
#![expect(clippy::print_stdout, reason = "a table for a person to read")]

use std::{collections::BTreeMap, fs::File, io::BufRead, path::PathBuf};

use countersign_core::{Channel, Document, Kind, Side, Slot, SlotKind, Trust, life::Stamps};
use countersign_guard::{Config, Guard};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let folder = PathBuf::from(args.next().unwrap_or_else(|| "../shared/data/injection/dev".into()));
    let list = args.next().unwrap_or_default();
    let only = args.next().unwrap_or_default();
    let guard = Guard::new(Stamps::issue().screen, Config::default())?;
    // By table, then row: attacks, attacks found, benign, benign flagged.
    let mut tables: BTreeMap<(&str, String), [usize; 4]> = BTreeMap::new();
    let mut files: Vec<_> = std::fs::read_dir(&folder)?.filter_map(|f| Some(f.ok()?.path())).collect();
    files.sort();
    for path in files.iter().filter(|p| p.extension().is_some_and(|e| e == "gz")) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().replace(".jsonl.gz", "");
        let reader = std::io::BufReader::new(flate2::read::GzDecoder::new(File::open(path)?));
        for line in reader.lines() {
            let row: serde_json::Value = serde_json::from_str(&line?)?;
            let field = |name: &str| row.get(name).and_then(|v| v.as_str()).unwrap_or_default();
            let attack = row.get("label").and_then(serde_json::Value::as_u64) == Some(1);
            let untrusted = field("kind") == "indirect" || name == "long_documents";
            let document = document(field("text"), untrusted)?;
            let findings = guard.scan(Side::Prompt, &document);
            let hit =
                findings.iter().find(|f| matches!(f.kind, Kind::Injection | Kind::Extraction | Kind::Exfiltration));
            let at = usize::from(!attack) * 2;
            for key in [
                ("1 file", name.clone()),
                ("2 kind", field("kind").to_owned()),
                ("3 lang", field("lang").to_owned()),
                ("4 source", format!("{name} {}", field("source"))),
            ] {
                let counts = tables.entry(key).or_default();
                counts[at] += 1;
                counts[at + 1] += usize::from(hit.is_some());
            }
            let wanted = if attack { list == "missed" && hit.is_none() } else { list == "alarms" && hit.is_some() };
            if wanted && (name.contains(&only) || field("source").contains(&only)) {
                let rule = hit.map_or("-", |f| f.rule);
                let all = field("text");
                let mut from = hit.map_or(0, |f| f.span.start.saturating_sub(60));
                while !all.is_char_boundary(from) {
                    from -= 1;
                }
                let text: String = all[from..].chars().take(240).collect();
                println!("{name} {} {rule} {text:?}", field("lang"));
            }
        }
    }
    let mut last = "";
    for ((table, row), [attacks, found, benign, flagged]) in tables {
        if table != last {
            println!("\n{:<72} {:>8} {:>7}   {:>8} {:>8}", &table[2..], "attacks", "found", "benign", "alarms");
            last = table;
        }
        let share = |part: usize, of: usize, digits| match of {
            0 => "-".to_owned(),
            _ => format!("{:.digits$} %", 100.0 * part as f64 / of as f64),
        };
        let row: String = row.chars().take(72).collect();
        println!(
            "{row:<72} {attacks:>8} {:>7}   {benign:>8} {:>8}",
            share(found, attacks, 1),
            share(flagged, benign, 2)
        );
    }
    Ok(())
}

fn document(text: &str, untrusted: bool) -> Result<Document, Box<dyn std::error::Error>> {
    let (channel, trust) =
        if untrusted { (Channel::ToolResult, Trust::Untrusted) } else { (Channel::User, Trust::Caller) };
    let slot =
        Slot { span: 0..0, decoded: Some(text.into()), kind: SlotKind::Text, channel, trust, grows: None, call: None };
    Ok(Document::new(bytes::Bytes::new(), vec![slot])?)
}
