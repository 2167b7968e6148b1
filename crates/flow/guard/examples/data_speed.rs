//! How fast sensitive values are found, layer by layer, as JSON lines. `cargo xtask bench data` runs it beside others.
//!
//! `cargo run --release -p countersign-guard --example data_speed MOST PROMPT SET...`: at most `MOST` bytes of each set, which are JSON
//! lines with `text`, packed by gzip.
#![expect(clippy::print_stdout, reason = "its output is what it is for")]

use std::{fs::File, hint::black_box, io::Read, time::Instant};

use countersign_core::{Channel, Document, Side, Trust, life::Stamps};
use countersign_guard::{Config, Guard};
use countersign_names::Tagger;
use serde_json::{Value, json};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let most: usize = args.next().ok_or("how many bytes?")?.parse()?;
    let prompt = args.next().ok_or("which prompt?")?;
    let mut texts = Vec::new();
    for path in args {
        let (mut all, mut taken) = (String::new(), 0);
        flate2::read::GzDecoder::new(File::open(path)?).read_to_string(&mut all)?;
        for line in all.lines() {
            let row: Value = serde_json::from_str(line)?;
            let text = row["text"].as_str().unwrap_or_default().to_owned();
            taken += text.len();
            texts.push(text);
            if taken > most {
                break;
            }
        }
    }
    let begun = Instant::now();
    let guard = Guard::new(Stamps::issue().screen, Config::default())?;
    let tagger = Tagger::shipped();
    let _ = tagger.tag("warm");
    let start = begun.elapsed().as_secs_f64() * 1e3;
    let forms = |text: &str| {
        drop(black_box(guard.scan(Side::Answer, &Document::of_text(text, Channel::Assistant, Trust::Model))))
    };
    let names = |text: &str| drop(black_box(tagger.tag(text)));
    let all = |text: &str| {
        forms(text);
        names(text);
    };
    let layers: [Layer<'_>; 3] = [("patterns and secrets", &forms), ("names", &names), ("all", &all)];
    let bytes: usize = texts.iter().map(String::len).sum();
    for (layer, look) in layers {
        // Of each text the best of several rounds over all of them: what else the machine does can only add to it.
        let best = |rounds: usize, texts: &[String]| -> f64 {
            let mut least = vec![f64::INFINITY; texts.len()];
            for _ in 0..rounds {
                for (text, least) in texts.iter().zip(&mut least) {
                    let from = Instant::now();
                    look(text);
                    *least = least.min(from.elapsed().as_secs_f64());
                }
            }
            least.iter().sum()
        };
        let (seconds, one) = (best(15, &texts), best(2000, std::slice::from_ref(&prompt)));
        println!(
            "{}",
            json!({ "layer": layer, "bytes": bytes, "seconds": seconds, "prompt_us": one * 1e6, "start_ms": start, "resident_mib": resident() })
        );
    }
    Ok(())
}

type Layer<'a> = (&'a str, &'a dyn Fn(&str));

/// Resident memory of this process, in MiB.
fn resident() -> f64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    pages.split(' ').nth(1).and_then(|pages| pages.parse::<f64>().ok()).unwrap_or_default() * 4096.0
        / f64::from(1 << 20)
}
