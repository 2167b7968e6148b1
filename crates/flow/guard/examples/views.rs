//! Writes, for each row of the development data, what a model would read in it, and what the rules say: what the trainer works on.
//!
//! `cargo run --release -p countersign-guard --example views -- [FOLDER] > FILE`, from the repository root. Reads `*.jsonl.gz` of
//! FOLDER (`../shared/data/injection/dev` unless told). A line for each row: `id`, `views` (the plain one first, then what was
//! decoded), and whether the rules alone flag the text when it was typed, and when it is a document.
#![expect(clippy::print_stdout, reason = "its output is what it is for")]

use std::{
    fs::File,
    io::{BufRead as _, BufReader},
};

use countersign_core::{Channel, Document, Kind, Leaf, Side, Slot, SlotKind, Trust, life::Stamps};
use countersign_guard::{Config, Guard, Normal};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args().nth(1).unwrap_or_else(|| "../shared/data/injection/dev".into());
    let guard = Guard::new(Stamps::issue().screen, Config::default())?;
    let mut files: Vec<_> = std::fs::read_dir(folder)?.filter_map(|f| Some(f.ok()?.path())).collect();
    files.sort();
    for path in files.iter().filter(|p| p.extension().is_some_and(|e| e == "gz")) {
        for line in BufReader::new(flate2::read::GzDecoder::new(File::open(path)?)).lines() {
            let row: serde_json::Value = serde_json::from_str(&line?)?;
            let text = row["text"].as_str().unwrap_or_default();
            let plain = Normal::plain(&Leaf { text, channel: Channel::User, trust: Trust::Caller, grows: None });
            let hidden: Vec<_> =
                plain.decoded(&mut (256 << 10)).into_iter().map(|view| view.text.into_owned()).collect();
            let views: Vec<&str> = std::iter::once(&*plain.text).chain(hidden.iter().map(String::as_str)).collect();
            let typed = flagged(&guard, text, Channel::User, Trust::Caller)?;
            let document = flagged(&guard, text, Channel::ToolResult, Trust::Untrusted)?;
            println!("{}", serde_json::json!({"id": row["id"], "views": views, "typed": typed, "document": document}));
        }
    }
    Ok(())
}

/// Whether a rule finds an attack.
fn flagged(guard: &Guard, text: &str, channel: Channel, trust: Trust) -> Result<bool, Box<dyn std::error::Error>> {
    let slot =
        Slot { span: 0..0, decoded: Some(text.into()), kind: SlotKind::Text, channel, trust, grows: None, call: None };
    let findings = guard.scan(Side::Prompt, &Document::new(bytes::Bytes::new(), vec![slot])?);
    let attack = |kind| matches!(kind, Kind::Injection | Kind::Extraction | Kind::Exfiltration);
    Ok(findings.iter().any(|f| attack(f.kind) && !f.rule.ends_with("/learned")))
}
