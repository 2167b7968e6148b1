//! What redact-core does with the texts that `cargo xtask bench data` measures with. Built below the target directory, apart from the workspace.

use std::{io::Read, time::Instant};

fn main() {
    let begun = Instant::now();
    let engine = redact_core::AnalyzerEngine::new();
    let look = |text: &str| {
        std::hint::black_box(engine.analyze(text, Some("en")).map(|found| found.detected_entities.len()).unwrap_or(0))
    };
    look("warm");
    let start = begun.elapsed().as_secs_f64() * 1e3;
    let mut args = std::env::args().skip(1);
    let most: usize = args.next().and_then(|most| most.parse().ok()).unwrap_or(usize::MAX);
    let prompt = args.next().unwrap_or_default();
    let mut texts = Vec::new();
    for path in args {
        let (mut all, mut taken) = (String::new(), 0);
        let file = std::fs::File::open(path).expect("a set");
        flate2::read::GzDecoder::new(file).read_to_string(&mut all).expect("text");
        for line in all.lines() {
            let row: serde_json::Value = serde_json::from_str(line).expect("JSON lines");
            let text = row["text"].as_str().unwrap_or_default().to_owned();
            taken += text.len();
            texts.push(text);
            if taken > most {
                break;
            }
        }
    }
    // As with ours: of each text the best of several rounds over all of them.
    let mut least = vec![f64::INFINITY; texts.len()];
    for _ in 0..5 {
        for (text, least) in texts.iter().zip(&mut least) {
            let from = Instant::now();
            look(text);
            *least = least.min(from.elapsed().as_secs_f64());
        }
    }
    let seconds: f64 = least.iter().sum();
    let one = (0..200)
        .map(|_| {
            let from = Instant::now();
            look(&prompt);
            from.elapsed().as_secs_f64()
        })
        .fold(f64::INFINITY, f64::min);
    let resident = std::fs::read_to_string("/proc/self/statm")
        .ok()
        .and_then(|m| m.split(' ').nth(1)?.parse::<f64>().ok())
        .unwrap_or_default();
    let bytes: usize = texts.iter().map(String::len).sum();
    println!(
        "{}",
        serde_json::json!({"layer": "all, without names", "bytes": bytes, "seconds": seconds, "prompt_us": one * 1e6, "start_ms": start, "resident_mib": resident * 4096.0 / 1048576.0})
    );
}
