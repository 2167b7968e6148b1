//! Prints how surely protected texts are recognised when they are reworded, and how often ordinary texts are taken for them.
//!
//! `cargo run --release -p countersign-guard --example leak_score`, from the repository root. Protects texts of
//! `../shared/data/injection/dev`, repeats each with a share of its words replaced, and holds every other text against it.
#![expect(clippy::print_stdout, reason = "its output is what it is for")]

use std::io::Read;

use countersign_core::{Channel, Document, Kind, Side, Trust, life::Stamps};
use countersign_guard::{Config, Guard, Protected};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = "../shared/data/injection/dev";
    let Ok(files) = std::fs::read_dir(folder) else {
        println!("SKIPPED: {folder} is not there");
        return Ok(());
    };
    let mut texts = Vec::new();
    for file in files {
        let path = file?.path();
        let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default().to_owned();
        if !name.contains("benign") && !name.contains("long") {
            continue;
        }
        let bytes = std::fs::read(&path)?;
        let mut text = String::new();
        if name.ends_with(".gz") {
            flate2::read::GzDecoder::new(bytes.as_slice()).read_to_string(&mut text)?;
        } else {
            text = String::from_utf8(bytes)?;
        }
        for line in text.lines() {
            let row: serde_json::Value = serde_json::from_str(line)?;
            texts.extend(row["text"].as_str().map(str::to_owned));
        }
    }
    println!("{} texts", texts.len());
    let protect = |text: &str| {
        let protected = vec![Protected { name: "p".into(), text: text.into() }];
        Guard::new(Stamps::issue().screen, Config { protected, ..Config::default() })
    };
    let leaks = |guard: &Guard, text: &str| -> Result<bool, Box<dyn std::error::Error>> {
        Ok(guard
            .scan(Side::Answer, &Document::of_text(text, Channel::Assistant, Trust::Model))
            .iter()
            .any(|f| f.kind == Kind::DocumentLeak))
    };
    for (least, most) in [(10, 20), (20, 40), (40, 80), (80, 200), (200, 1000)] {
        let of_length: Vec<&String> =
            texts.iter().filter(|t| (least..most).contains(&t.split_whitespace().count())).collect();
        let sample: Vec<&String> = of_length.iter().step_by((of_length.len() / 60).max(1)).copied().collect();
        let (mut found, mut tried, mut wrong, mut held) = ([0; 6], 0, 0, 0);
        for protected in &sample {
            let Ok(guard) = protect(protected) else { continue };
            tried += 1;
            for (slot, every) in found.iter_mut().zip([0, 20, 10, 7, 5, 4]) {
                let reworded: Vec<&str> = protected
                    .split_whitespace()
                    .enumerate()
                    .map(|(i, w)| if every > 0 && i % every == every - 1 { "otherwise" } else { w })
                    .collect();
                *slot += u32::from(leaks(&guard, &reworded.join(" "))?);
            }
            for other in texts.iter().step_by(7).filter(|t| t != protected) {
                held += 1;
                wrong += u32::from(leaks(&guard, other)?);
            }
        }
        println!(
            "{least:>4} to {most:>4} words: {tried} protected; recognised whole {}, every 20th word changed {}, 10th {}, 7th {}, 5th {}, 4th {}; \
             {wrong} of {held} others mistaken",
            found[0], found[1], found[2], found[3], found[4], found[5]
        );
    }
    Ok(())
}
