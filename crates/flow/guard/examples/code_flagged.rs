//! Prints which pieces of source code the rules for credentials flag, wrongly for the most part; or those that `--rule` names.
//!
//! `cargo run --release -p countersign-guard --example code_flagged [--chunks N] [--rule PREFIX] FOLDER...`: N pieces of 2 KB (475
//! if not said) are taken from the source files below the folders, read in place, evenly and always the same.
#![expect(clippy::print_stdout, reason = "its output is what it is for")]

use std::path::{Path, PathBuf};

use bytes::Bytes;
use countersign_core::{Channel, Document, Side, Slot, SlotKind, Trust, life::Stamps};
use countersign_guard::{Config, Guard};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (mut folders, mut wanted, mut rule) = (Vec::new(), 475, String::from("secret/"));
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--chunks" => wanted = args.next().unwrap_or_default().parse()?,
            "--rule" => rule = args.next().unwrap_or_default(),
            _ => folders.push(PathBuf::from(arg)),
        }
    }
    let mut files = Vec::new();
    folders.iter().for_each(|folder| sources(folder, &mut files));
    files.sort();
    let guard = Guard::new(Stamps::issue().screen, Config::default())?;
    let (mut chunks, mut flagged, mut bytes) = (0, 0, 0);
    let step = (files.len() / wanted).max(1);
    for path in files.iter().step_by(step).take(wanted) {
        let Ok(text) = std::fs::read_to_string(path) else { continue };
        // From the middle of the file, where the code is.
        let from = (text.len() / 2..).find(|i| text.is_char_boundary(*i)).unwrap_or(0);
        let to = ((from + 2048).min(text.len())..).find(|i| text.is_char_boundary(*i)).unwrap_or(text.len());
        let chunk = &text[from..to];
        let slot = Slot {
            span: 0..chunk.len(),
            decoded: None,
            kind: SlotKind::Text,
            channel: Channel::User,
            trust: Trust::Caller,
            grows: None,
            call: None,
        };
        let document = Document::new(Bytes::copy_from_slice(chunk.as_bytes()), vec![slot])?;
        let found = guard.scan(Side::Prompt, &document);
        (chunks, bytes) = (chunks + 1, bytes + chunk.len());
        let mut found = found.iter().filter(|f| f.rule.starts_with(&rule)).peekable();
        flagged += u32::from(found.peek().is_some());
        for f in found {
            let line = chunk[..f.span.start].rfind('\n').map_or(0, |i| i + 1);
            let before = chunk[line..f.span.start].trim_start();
            println!("{} {:?} after {before:?} in {}", f.rule, &chunk[f.span.clone()], path.display());
        }
    }
    println!("{flagged} of {chunks} pieces flagged, {bytes} bytes");
    Ok(())
}

/// Source files below a folder.
fn sources(folder: &Path, out: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            sources(&path, out);
        } else if path.extension().and_then(|e| e.to_str()).is_some_and(|e| EXTENSIONS.contains(&e)) {
            out.push(path);
        }
    }
}

const EXTENSIONS: [&str; 24] = [
    "bash", "c", "cc", "cpp", "cs", "css", "go", "h", "html", "java", "js", "json", "lock", "md", "php", "pl", "py",
    "rb", "rs", "sh", "toml", "ts", "yaml", "yml",
];
