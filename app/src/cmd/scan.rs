//! `countersign scan`: what the guards find in a text, and what the rules would do about it. No network, no state.

use std::{
    collections::HashSet,
    fs::File,
    io::{self, Read},
    ops::Range,
    process::ExitCode,
    sync::Arc,
};

use countersign_core::{Action, Channel, Code, Document, Finding, Judge, Side, Trust};
use countersign_guard::{Guard, Names};
use countersign_policy::Rules;

use crate::{
    assemble,
    cli::{Scan, ScanFormat, Voice},
    cmd::{self, Failure},
    config,
};
use pieces::{Piece, Pieces, Place};

mod pieces;
mod report;

pub(crate) fn run(args: &Scan) -> anyhow::Result<ExitCode> {
    let (guard, rules) = match &args.config {
        Some(file) => {
            let config = config::load(file).map_err(cmd::Problems)?;
            (config.guard, config.policy.rules)
        }
        None => (config::unsaid(), Rules::standard()),
    };
    let most = guard.limits.leaf;
    let eye = Eye::new(guard, &rules, args.voice, most)?;
    let texts: Vec<Scanned> = match &args.text {
        Some(name) if name == "-" => vec![eye.look(name, io::stdin().lock())],
        Some(text) => vec![eye.look("text", text.as_bytes())],
        None if args.files.is_empty() => {
            return Err(Failure {
                code: Code::InputUnusable,
                what: "there is nothing to scan".into(),
                fix: "give a text, `--file PATH...`, or `-` for standard input",
            }
            .into());
        }
        None => args.files.iter().map(|path| eye.open(path)).collect(),
    };
    match args.format {
        ScanFormat::Text => report::text(&texts),
        ScanFormat::Json => cmd::json(&report::json(&texts)),
        ScanFormat::Sarif => cmd::json(&report::sarif(&texts)),
    }
    if let Some((name, error)) = texts.iter().find_map(|t| Some((&t.name, t.error.as_ref()?))) {
        return Err(Failure {
            code: Code::InputUnusable,
            what: format!("`{name}` was not scanned to its end: {error}"),
            fix: "give UTF-8 text that can be read; everything else was scanned",
        }
        .into());
    }
    Ok(if texts.iter().any(Scanned::stopped) { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// What looks, and as what.
struct Eye {
    guard: Guard,
    judge: Arc<dyn Judge>,
    voice: Voice,
    /// Bytes that are looked at together.
    most: usize,
}

/// A text that was looked at.
struct Scanned {
    name: String,
    bytes: u64,
    findings: Vec<Seen>,
    /// Why it was not read to its end.
    error: Option<String>,
}

/// A finding, and what a person needs to judge it.
struct Seen {
    finding: Finding,
    action: Action,
    /// Bytes of the whole text.
    bytes: Range<u64>,
    from: Place,
    to: Place,
    /// The found text and what stands around it, shortened.
    excerpt: [String; 3],
    /// What had to be undone to read it.
    layers: Vec<&'static str>,
    /// What it read then, shortened.
    read: Option<String>,
}

impl Scanned {
    /// Whether it holds something that would not pass as it is.
    fn stopped(&self) -> bool {
        self.findings.iter().any(|seen| seen.action > Action::Allow)
    }
}

impl Eye {
    fn new(mut guard: countersign_guard::Config, rules: &Rules, voice: Voice, most: usize) -> anyhow::Result<Self> {
        // Whoever asks wants to know of names, whatever the rules would do about them.
        guard.names = Names { prompts: true, answers: true };
        Ok(Self { guard: assemble::guard(guard)?, judge: rules.judge(&[]), voice, most })
    }

    fn open(&self, path: &std::path::Path) -> Scanned {
        let name = path.display().to_string();
        match File::open(path) {
            Ok(file) => self.look(&name, file),
            Err(e) => Scanned { name, bytes: 0, findings: Vec::new(), error: Some(e.to_string()) },
        }
    }

    fn look(&self, name: &str, text: impl Read) -> Scanned {
        let mut scanned = Scanned { name: name.into(), bytes: 0, findings: Vec::new(), error: None };
        let mut pieces = Pieces::new(text, self.most);
        // Pieces overlap, so that nothing is cut in two; what stands in both is one finding.
        let mut known = HashSet::new();
        loop {
            match pieces.next() {
                Ok(Some(piece)) => {
                    scanned.bytes = piece.start.byte + piece.text.len() as u64;
                    let seen = self.examine(&piece);
                    scanned
                        .findings
                        .extend(seen.into_iter().filter(|s| known.insert((s.finding.rule, s.bytes.clone()))));
                }
                Ok(None) => return scanned,
                Err(e) => {
                    scanned.error = Some(e.to_string());
                    return scanned;
                }
            }
        }
    }

    fn examine(&self, piece: &Piece) -> Vec<Seen> {
        let (side, channel, trust) = match self.voice {
            Voice::User => (Side::Prompt, Channel::User, Trust::Caller),
            Voice::Tool => (Side::Prompt, Channel::ToolResult, Trust::Untrusted),
            Voice::Answer => (Side::Answer, Channel::Assistant, Trust::Model),
        };
        let text = &*piece.text;
        let document = Document::of_text(text, channel, trust);
        let mut findings = self.guard.scan(side, &document);
        findings.sort_by_key(|f| (f.span.start, f.span.end));
        let readings = self.guard.explain(&document, &findings);
        let (mut at, mut here) = (0, piece.start);
        let mut out = Vec::with_capacity(findings.len());
        for (finding, reading) in findings.into_iter().zip(readings) {
            let Range { start, end } = finding.span.clone();
            here = here.after(text.get(at..start).unwrap_or_default());
            at = start;
            let found = text.get(start..end).unwrap_or_default();
            let bytes = piece.start.byte + start as u64..piece.start.byte + end as u64;
            let before = text.get(..start).unwrap_or_default();
            let before: Vec<char> = before.chars().rev().take(AROUND).collect();
            let after = text.get(end..).unwrap_or_default().chars().take(AROUND);
            out.push(Seen {
                action: self.judge.judge(side, &finding),
                bytes,
                from: here,
                to: here.after(found),
                excerpt: [line(before.into_iter().rev()), short(found), line(after)],
                layers: reading.layers.iter().map(|layer| layer.as_str()).collect(),
                read: reading.text.as_deref().map(short),
                finding,
            });
        }
        out
    }
}

/// Text on one line.
pub(super) fn line(text: impl Iterator<Item = char>) -> String {
    text.map(|c| if c.is_whitespace() { ' ' } else { c }).collect()
}

/// Text on one line, and no longer than a person reads.
pub(super) fn short(text: &str) -> String {
    if text.chars().nth(SHOWN).is_none() {
        return line(text.chars());
    }
    let tail: Vec<char> = text.chars().rev().take(SHOWN / 4).collect();
    line(text.chars().take(SHOWN * 3 / 4)) + " ... " + &line(tail.into_iter().rev())
}

/// Characters shown of a found text.
const SHOWN: usize = 240;
/// Characters shown to each side of it.
pub(super) const AROUND: usize = 40;

#[cfg(test)]
mod tests;
