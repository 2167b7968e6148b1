//! The development data: texts with marked names, and what each token of them may be tagged.

use std::{io::BufRead as _, ops::Range, path::Path};

use anyhow::{Context as _, ensure};
use countersign_core::Entity;
use countersign_names::{
    decode::{TYPES, regions},
    features::{LEXICAL, Style, features},
    lexicon::{Lexicon, TITLE},
    token::{self, Shape, Token},
};
use serde::Deserialize;

use super::crf::{Region, Set, Step};

/// A marked text.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) set: String,
    pub(crate) text: String,
    /// Bytes of the text, and the type's name.
    pub(crate) spans: Vec<(Range<usize>, String)>,
}

impl Row {
    /// Reads a line of the set.
    pub(crate) fn read(set: &str, line: &str) -> anyhow::Result<Self> {
        let Raw { text, spans } = serde_json::from_str(line)?;
        let places: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
        let place = |at: usize| places.get(at).copied().unwrap_or(text.len());
        let spans = spans.into_iter().map(|span| (place(span.start)..place(span.end), span.entity)).collect();
        Ok(Self { set: set.to_owned(), text, spans })
    }

    /// What is left out together.
    pub(crate) fn family(&self) -> &str {
        self.set.split_once('_').map_or(self.set.as_str(), |(family, _)| family)
    }

    /// The types that are not marked wherever they occur.
    fn partial(&self) -> u8 {
        match self.set.as_str() {
            "contextual_anonymizer" => tags(1) | tags(2),
            _ => 0,
        }
    }
}

#[derive(Deserialize)]
struct Raw {
    text: String,
    spans: Vec<RawSpan>,
}

#[derive(Deserialize)]
struct RawSpan {
    start: usize,
    end: usize,
    #[serde(rename = "type")]
    entity: String,
}

/// Reads the sets that have names marked, in a fixed order.
pub(crate) fn read(folder: &Path) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for path in files(folder)? {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let set = name.split_once('.').map_or(name, |(set, _)| set);
        if set.starts_with("secrets") {
            continue;
        }
        for line in lines(&path)? {
            rows.push(Row::read(set, &line?).with_context(|| path.display().to_string())?);
        }
    }
    ensure!(!rows.is_empty(), "no rows in {}", folder.display());
    Ok(rows)
}

/// Texts without marks, which say how words are written: those of the neighbouring data on injections.
pub(crate) fn plain(folder: &Path) -> anyhow::Result<Vec<String>> {
    let mut texts = Vec::new();
    for path in files(&folder.join("../../injection/dev"))? {
        for line in lines(&path)? {
            let row: serde_json::Value = serde_json::from_str(&line?)?;
            texts.extend(row["text"].as_str().map(str::to_owned));
        }
    }
    Ok(texts)
}

fn files(folder: &Path) -> anyhow::Result<Vec<std::path::PathBuf>> {
    let there = std::fs::read_dir(folder).with_context(|| {
        format!("the development data is not there: {}; nothing can be learned or judged without it", folder.display())
    })?;
    let mut files: Vec<_> = there.filter_map(|file| Some(file.ok()?.path())).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "gz"));
    files.sort();
    Ok(files)
}

fn lines(path: &Path) -> anyhow::Result<impl Iterator<Item = std::io::Result<String>>> {
    Ok(std::io::BufReader::new(flate2::read::GzDecoder::new(std::fs::File::open(path)?)).lines())
}

/// Segments of a text with their tokens.
pub(crate) fn segments(text: &str, lexicon: &Lexicon<'_>, mut each: impl FnMut(&[Token])) {
    let (mut at, mut tokens) = (0, Vec::new());
    while let Some(length) = text.get(at..).filter(|rest| !rest.is_empty()).and_then(|rest| token::segment(rest, true))
    {
        tokens.clear();
        token::tokens(text, at..at + length, lexicon, &mut tokens);
        each(&tokens);
        at += length;
    }
}

/// Everything to learn from, as features.
pub(crate) fn set(rows: &[&Row], table: &[u8]) -> Set {
    let lexicon = Lexicon::new(table);
    let mut set = Set::default();
    for (index, row) in rows.iter().enumerate() {
        let share = match row.family() {
            "wikiann" => 0.25,
            SILVER => 0.5,
            "contextual" | "synth" => 0.6,
            _ => 1.0,
        };
        add(row, &lexicon, share, &mut set);
        // A few again in capitals and in small letters alone, where that moves no byte.
        let other = match index % 12 {
            3 => row.text.to_uppercase(),
            7 | 9 => row.text.to_lowercase(),
            _ => continue,
        };
        if other.len() == row.text.len() && !matches!(row.family(), "wikiann" | SILVER) {
            add(&Row { text: other, ..(*row).clone() }, &lexicon, share, &mut set);
        }
    }
    set
}

fn add(row: &Row, lexicon: &Lexicon<'_>, share: f32, set: &mut Set) {
    let mut hashes = Vec::new();
    segments(&row.text, lexicon, |tokens| {
        let allowed = allowed(row, tokens);
        let style = Style::of(tokens);
        for region in regions(&row.text, tokens) {
            let from = set.steps.len();
            for at in region {
                hashes.clear();
                features(&row.text, tokens, at, style, &mut hashes);
                let first = set.features.len();
                set.features.extend(&hashes);
                let known = first + LEXICAL.min(hashes.len());
                set.steps.push(Step { features: first..set.features.len(), known, allowed: allowed[at] });
            }
            set.regions.push(Region { steps: from..set.steps.len(), share });
        }
    });
}

/// The tags that each token may have, as bits.
fn allowed(row: &Row, tokens: &[Token]) -> Vec<u8> {
    let mut out = vec![1 | row.partial(); tokens.len()];
    for (span, entity) in &row.spans {
        let within = |token: &Token| token.span.start < span.end && span.start < token.span.end;
        let Some(from) = tokens.iter().position(within) else { continue };
        let to = from + tokens.iter().skip(from).take_while(|token| within(token)).count();
        let Some(kind) = TYPES.iter().position(|kind| kind.as_str() == entity) else {
            // An address has places in it; what else is marked has no names.
            let inside = if entity == Entity::Address.as_str() { 1 | tags(1) | tags(2) } else { 1 };
            out[from..to].fill(inside);
            continue;
        };
        let named = tokens[from..to].iter().any(|token| token.live) && !is_role(&row.text, &tokens[from..to]);
        if !named {
            out[from..to].fill(1 | tags(kind));
            continue;
        }
        let mut first = from;
        // Titles are no part of a name, though some sets mark them.
        while kind == 0
            && first + 1 < to
            && (tokens[first].listed & TITLE != 0 || is_dot(&row.text, &tokens[first], first > from))
        {
            out[first] = 1;
            first += 1;
        }
        for (at, tag) in out[first..to].iter_mut().enumerate() {
            *tag = 1 << (1 + 2 * kind + usize::from(at > 0));
        }
    }
    join_handles(&row.text, tokens, &mut out);
    out
}

/// `@` and the handle after it are marked as two names in one set; they are one.
fn join_handles(text: &str, tokens: &[Token], allowed: &mut [u8]) {
    for at in 1..tokens.len() {
        let first = |tags: u8| [2_u8, 8, 32].contains(&tags);
        let sign = &text[tokens[at - 1].span.clone()] == "@";
        if sign && first(allowed[at]) && allowed[at - 1] == allowed[at] {
            allowed[at] <<= 1;
        }
    }
}

fn is_dot(text: &str, token: &Token, after: bool) -> bool {
    after && &text[token.span.clone()] == "."
}

/// Parties to a contract and the like, which one set marks as people: no names.
fn is_role(text: &str, tokens: &[Token]) -> bool {
    tokens.iter().filter(|token| token.shape != Shape::Mark).all(|token| {
        let word = text[token.span.clone()].to_lowercase();
        ROLES.contains(&word.as_str())
    })
}

const fn tags(kind: usize) -> u8 {
    6 << (2 * kind)
}

/// The set of the texts that another tagger marked.
pub(super) const SILVER: &str = "silver";

/// Words that one set or another marks as people or organisations, and that name nobody.
pub(super) const ROLES: &[&str] = &[
    "the",
    "borrower",
    "borrowers",
    "lender",
    "lenders",
    "bank",
    "agent",
    "company",
    "executive",
    "employee",
    "foreign",
    "secretary",
    "minister",
    "prime",
    "president",
    "we",
    "i",
    "he",
    "she",
    "it",
    "they",
    "who",
    "people",
    "my",
    "his",
    "her",
    "our",
    "their",
    "you",
    "remarketing",
    "commonwealth",
    "chief",
    "financial",
    "officer",
    "ceo",
    "and",
    "of",
    "state",
];
