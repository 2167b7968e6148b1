//! Which arguments of a call stand in text that the caller did not write.
//!
//! Compared are the values as a whole, and within them whatever looks like an address, a number or a path. Text is folded first
//! (see [`crate::normal`]) and reduced to letters and digits, so that `GB29 NWBK` and `gb29-nwbk` are one. What stands word for
//! word in the caller's own text as well is the caller's.

use std::ops::Range;

use countersign_core::taint::Sources;

use crate::{normal::fold, stand_in::Book};

/// The arguments of one call, as the provider wrote them.
#[derive(Debug, Default)]
pub(crate) struct Arguments {
    text: String,
    began: bool,
    /// They are more than are compared.
    endless: bool,
}

impl Arguments {
    /// Takes in what arrived.
    /// `kept` says whether there is room for it.
    pub(crate) fn push(&mut self, text: &str, kept: bool) {
        self.began |= !text.is_empty();
        self.endless |= !kept;
        if kept {
            self.text.push_str(text);
        }
    }

    /// Ends one value, where values arrive one by one.
    pub(crate) fn end_value(&mut self) {
        self.text.push('\n');
    }

    /// Whether none has begun.
    pub(crate) const fn is_empty(&self) -> bool {
        !self.began
    }

    /// All of them.
    pub(crate) const fn whole(&self) -> Range<usize> {
        0..self.text.len()
    }

    /// What stands in `span`.
    pub(crate) fn text(&self, span: &Range<usize>) -> &str {
        self.text.get(span.clone()).unwrap_or_default()
    }

    /// Where copied ones stand; none where that cannot be told, and then all count as copied. `work` is what comparisons have cost.
    /// `book` knows the stand-ins of the prompt, which are compared as the values they stand for.
    pub(crate) fn copied(
        &self,
        sources: Option<&Sources>,
        book: Option<&Book>,
        work: &mut usize,
    ) -> Option<Vec<Range<usize>>> {
        let sources = sources.filter(|_| !self.endless)?;
        let mut found: Vec<Range<usize>> = Vec::new();
        let mut may = || {
            *work += sources.untrusted.len() + sources.own.len();
            *work <= MOST_WORK
        };
        for value in values(&self.text) {
            if !may() {
                return None;
            }
            let text = self.text.get(value.clone()).unwrap_or_default();
            if is_copied(text, sources, LEAST_VALUE) {
                found.push(value);
                continue;
            }
            if let Some(text) = book.and_then(|book| book.resolved(text)) {
                let mut copied = is_copied(&text, sources, LEAST_VALUE);
                for thing in things(&text) {
                    if !may() {
                        return None;
                    }
                    copied |= is_copied(text.get(thing).unwrap_or_default(), sources, LEAST_THING);
                }
                if copied {
                    found.push(value);
                    continue;
                }
            }
            for thing in things(text) {
                if !may() {
                    return None;
                }
                let at = value.start + thing.start..value.start + thing.end;
                if is_copied(text.get(thing).unwrap_or_default(), sources, LEAST_THING) {
                    found.push(at);
                }
            }
        }
        Some(found)
    }
}

/// Adds the letters and digits of a folded text, in lower case, and a sign that nothing goes over the end of it.
pub(crate) fn squeeze(folded: &str, out: &mut String) {
    out.extend(folded.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase));
    out.push('\n');
}

/// Adds the words of a folded text, each reduced to its letters and digits, with one space around each.
pub(crate) fn space(folded: &str, out: &mut String) {
    for word in folded.split_whitespace() {
        out.push(' ');
        out.extend(word.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase));
    }
    out.push(' ');
}

/// Whether a text of at least `least` letters and digits stands in what the caller did not write, and not in the caller's own.
fn is_copied(text: &str, sources: &Sources, least: usize) -> bool {
    if text.contains('\\') {
        let plain = unescaped(text);
        return is_plain_copied(&plain, sources, least) || is_plain_copied(text, sources, least);
    }
    is_plain_copied(text, sources, least)
}

fn is_plain_copied(text: &str, sources: &Sources, least: usize) -> bool {
    let folded = fold(text).text;
    let mut squeezed = String::new();
    squeeze(&folded, &mut squeezed);
    let squeezed = squeezed.trim_end();
    if squeezed.chars().take(least).count() < least || !holds(&sources.untrusted, squeezed) {
        return false;
    }
    let mut spaced = String::new();
    space(&folded, &mut spaced);
    !holds(&sources.own, &spaced)
}

fn holds(all: &str, part: &str) -> bool {
    memchr::memmem::find(all.as_bytes(), part.as_bytes()).is_some()
}

/// The values of arguments: the strings of JSON, and what stands between them.
fn values(text: &str) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let (mut out, mut from, mut at, mut inside) = (Vec::new(), 0, 0, false);
    let json = text.trim_start().starts_with(['{', '[', '"']);
    while let Some(next) = bytes.get(at..).and_then(|rest| memchr::memchr3(b'"', b'\\', b'\n', rest)) {
        at += next;
        match bytes.get(at) {
            Some(b'\\') if json && inside => at += 2,
            Some(b'"') if json => {
                out.push(from..at);
                inside = !inside;
                at += 1;
                from = at;
            }
            Some(b'\n') if !inside => {
                out.push(from..at);
                at += 1;
                from = at;
            }
            _ => at += 1,
        }
    }
    out.push(from.min(text.len())..text.len());
    out.retain(|value| !value.is_empty());
    out
}

/// What looks like an address, a number or a path: a word with a digit in it, or a sign within.
fn things(text: &str) -> impl Iterator<Item = Range<usize>> {
    let words = text.split(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | '<' | '>' | '(' | ')' | '"' | '\''));
    let base = text.as_ptr().addr();
    words.filter_map(move |word| {
        let word = word.trim_matches(['.', ':', '!', '?', '[', ']', '{', '}']);
        let sign = |c: char| c.is_ascii_digit() || matches!(c, '@' | '/' | '\\' | '_' | ':' | '.' | '=');
        let start = word.as_ptr().addr() - base;
        word.contains(sign).then(|| start..start + word.len())
    })
}

/// With the escapes of JSON as what they stand for.
fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    let mut units: Vec<u16> = Vec::new();
    while let Some(c) = chars.next() {
        let mut plain = Some(c);
        if c == '\\' {
            plain = match chars.next() {
                Some('u') => {
                    let digits: String = chars.as_str().chars().take(4).collect();
                    match u16::from_str_radix(&digits, 16) {
                        Ok(unit) => {
                            units.push(unit);
                            chars = chars.as_str().get(digits.len()..).unwrap_or_default().chars();
                            continue;
                        }
                        Err(_) => Some('u'),
                    }
                }
                Some('n' | 'r' | 't' | 'b' | 'f') => Some(' '),
                other => other,
            };
        }
        out.extend(char::decode_utf16(units.drain(..)).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)));
        out.extend(plain);
    }
    out.extend(char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)));
    out
}

/// Letters and digits of a value that are too many to be there by chance.
const LEAST_VALUE: usize = 8;

/// The same for an address, a number or a path.
const LEAST_THING: usize = 5;

/// Bytes that the arguments of one answer are compared with, counted again for each of them: a tenth of a second.
const MOST_WORK: usize = 1 << 30;
