//! The plain view: what cannot be seen is removed, what looks alike is folded together (Unicode NFKD, UTS #39 by a small table of our own).
//!
//! ASCII passes untouched and without allocation. Elsewhere: invisible characters go, tag characters become the ASCII they
//! stand for, compatibility forms (fullwidth, mathematical, circled) become plain, Latin letters lose their accents, letters
//! become lower case, and Cyrillic, Greek and other look-alikes become Latin inside a word that has ASCII letters too.
//! Every decision looks no further than the word, so that pieces of a text fold as the whole does.

use std::{borrow::Cow, ops::Range};

use table::Fate;
use unicode_normalization::char::compose;

use crate::blocks::ascii_len;

mod table;

pub(super) use table::selected;

/// A folded text and the way back.
#[derive(Clone, Debug)]
pub struct Folded<'a> {
    /// The folded text; borrowed when nothing had to change.
    pub text: Cow<'a, str>,
    /// The way back.
    pub map: Map,
    /// Places of the original that hold invisible characters without a reason, in order; a run of them is one place.
    pub hidden: Vec<Range<usize>>,
    /// Stretches of the original with so many invisible characters in a row that they could carry a message, in order.
    pub runs: Vec<Range<usize>>,
}

/// From positions in the folded text to positions in the original.
#[derive(Clone, Debug, Default)]
pub struct Map {
    /// In order of `out`; empty when the two texts are the same.
    parts: Vec<Part>,
    /// Length of the original.
    end: usize,
}

/// From `out` in the folded text on, and from `orig` in the original on, text was copied or stands for something else.
#[derive(Clone, Copy, Debug)]
struct Part {
    out: u32,
    orig: u32,
    copied: bool,
}

impl Map {
    /// The bytes of the original that `range` of the folded text came from; on character boundaries.
    #[must_use]
    pub fn origin(&self, range: Range<usize>) -> Range<usize> {
        if self.parts.is_empty() {
            return range;
        }
        let start = self.before(range.start).0;
        let end = if range.end > range.start { self.before(range.end - 1).1 } else { start };
        start..end.max(start)
    }

    /// Where the byte at `at` came from: its own place when it was copied, else the whole of what it stands for.
    fn before(&self, at: usize) -> (usize, usize) {
        let next = self.parts.partition_point(|p| p.out as usize <= at);
        let Some(part) = next.checked_sub(1).and_then(|i| self.parts.get(i)) else { return (at, at + 1) };
        let orig = part.orig as usize;
        if part.copied {
            let here = orig + (at - part.out as usize);
            return (here, here + 1);
        }
        (orig, self.parts.get(next).map_or(self.end, |p| p.orig as usize))
    }
}

/// Folds `text`. Linear; texts of 4 GiB and more come back unfolded.
#[must_use]
pub fn fold(text: &str) -> Folded<'_> {
    let unfolded = Folded { text: Cow::Borrowed(text), map: Map::default(), hidden: Vec::new(), runs: Vec::new() };
    if text.is_ascii() || u32::try_from(text.len()).is_err() {
        return unfolded;
    }
    let mut folder = Folder { text, ..Folder::default() };
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if bytes.get(at).is_some_and(u8::is_ascii) {
            let rest = bytes.get(at + 1..).unwrap_or_default();
            let skip = ascii_len(rest);
            let found = rest.get(skip..).unwrap_or_default().iter().position(|b| *b >= 0x80);
            let Some(found) = found else { break };
            at += 1 + skip + found;
        }
        // Ideographs stay, and most are told by their first byte.
        if bytes.get(at).is_some_and(|b| (0xe4..=0xe9).contains(b)) {
            at += 3;
            continue;
        }
        let Some(c) = text.get(at..).and_then(|rest| rest.chars().next()) else { break };
        let next = at + c.len_utf8();
        match table::fate(c) {
            Fate::Stays => {}
            Fate::Becomes(with) => folder.put(with, at, next),
            Fate::Depends => folder.change(c, at, next),
        }
        at = next;
    }
    folder.finish().unwrap_or(unfolded)
}

/// A fold under way.
#[derive(Default)]
struct Folder<'a> {
    text: &'a str,
    out: String,
    parts: Vec<Part>,
    hidden: Vec<Range<usize>>,
    runs: Vec<Range<usize>>,
    /// The invisible characters under way.
    run: Range<usize>,
    /// Everything of the original before this is in `out`.
    done: usize,
    /// End of the word the last look-alike stood in, and whether that word mixes scripts.
    word: usize,
    mixed: bool,
}

impl<'a> Folder<'a> {
    /// Deals with a character that may have to change.
    fn change(&mut self, c: char, at: usize, next: usize) {
        if table::invisible(c) {
            self.run = if self.run.end == at { self.run.start..next } else { at..next };
            match self.runs.last_mut().filter(|last| last.start == self.run.start) {
                Some(last) => last.end = next,
                None if self.run.len() >= RUN => self.runs.push(self.run.clone()),
                None => {}
            }
            if self.unreasonable(c, at, next) {
                let full = self.hidden.len() >= MOST;
                match self.hidden.last_mut() {
                    Some(last) if last.end == at => last.end = next,
                    _ if full => {}
                    _ => self.hidden.push(at..next),
                }
            }
            if let Some(ascii) = table::tag(c) {
                self.put(ascii.encode_utf8(&mut [0; 4]), at, next);
            } else {
                self.put("", at, next);
            }
            return;
        }
        if table::drops(c) {
            return self.put("", at, next);
        }
        if table::joins(c) {
            return self.join(c, at, next);
        }
        if let Some(twin) = table::twin(c)
            && self.in_mixed_word(at, next)
        {
            return self.put(twin, at, next);
        }
        if let Some(plain) = table::plain(c) {
            let with = self.twin_of(plain, at, next).unwrap_or(plain);
            return self.put(with, at, next);
        }
        let buffer = table::folded(c);
        if let Some(twin) = self.twin_of(&buffer, at, next) {
            return self.put(twin, at, next);
        }
        let mut own = [0; 4];
        if buffer != *c.encode_utf8(&mut own) {
            self.put(&buffer, at, next);
        }
    }

    /// A mark that belongs to the letter before it (kana, Hangul): joined where Unicode has the pair, else left alone.
    fn join(&mut self, mark: char, at: usize, next: usize) {
        self.copy_up_to(at);
        let base = self.out.chars().next_back();
        let (Some(base), Some(joined)) = (base, base.and_then(|b| compose(b, mark))) else { return };
        let from = self.out.len() - base.len_utf8();
        let orig = self.origin_of(from);
        self.out.truncate(from);
        self.part(orig, false);
        self.out.push(joined);
        self.done = next;
        self.part(next, true);
    }

    /// Where the byte of `out` at `at` came from.
    fn origin_of(&self, at: usize) -> usize {
        let next = self.parts.partition_point(|p| p.out as usize <= at);
        next.checked_sub(1)
            .and_then(|i| self.parts.get(i))
            .map_or(at, |p| if p.copied { p.orig as usize + (at - p.out as usize) } else { p.orig as usize })
    }

    /// What the one character of `folded` is taken for, if it stands in a word of mixed scripts.
    fn twin_of(&mut self, folded: &str, at: usize, next: usize) -> Option<&'static str> {
        let mut chars = folded.chars();
        let twin = table::twin(chars.next()?)?;
        (chars.next().is_none() && self.in_mixed_word(at, next)).then_some(twin)
    }

    /// Whether the word around a look-alike has Latin letters, and nothing in it but those and look-alikes.
    fn in_mixed_word(&mut self, at: usize, next: usize) -> bool {
        if at < self.word {
            return self.mixed;
        }
        let before = self.text.get(..at).unwrap_or_default();
        let after = self.text.get(next..).unwrap_or_default();
        let (mut latin, mut foreign, mut end) = (false, false, next);
        let mut look = |c: char| {
            let inside = c.is_alphanumeric() || table::invisible(c) || table::drops(c);
            if inside {
                latin |= table::latin(c);
                foreign |= ('\u{370}'..='\u{58f}').contains(&c) && !table::has_twin(c);
            }
            inside
        };
        // Words longer than this are not words; the bound keeps the fold linear.
        for c in before.chars().rev().take(WORD) {
            if !look(c) {
                break;
            }
        }
        for c in after.chars().take(WORD) {
            if !look(c) {
                break;
            }
            end += c.len_utf8();
        }
        self.word = end;
        self.mixed = latin && !foreign;
        self.mixed
    }

    /// Whether an invisible character stands where honest text has none.
    fn unreasonable(&self, c: char, at: usize, next: usize) -> bool {
        let seen = |c: &char| !table::invisible(*c);
        let before = self.text.get(..at).unwrap_or_default();
        let after = self.text.get(next..).unwrap_or_default();
        match table::tag(c) {
            // Flags of regions are a black flag and tags.
            Some(_) => !before.chars().rev().take(8).any(|b| b == '\u{1f3f4}'),
            None if table::overrides(c) => true,
            None => {
                let ascii = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
                let (left, right) = (before.chars().rev().take(8).find(seen), after.chars().take(8).find(seen));
                (ascii(left) && ascii(right) && c != '\u{ad}')
                    || (table::selector(c) && before.chars().next_back().is_some_and(table::selector))
            }
        }
    }

    /// Puts `with` in place of `at..next`.
    fn put(&mut self, with: &str, at: usize, next: usize) {
        self.copy_up_to(at);
        self.part(at, false);
        self.out.push_str(with);
        self.done = next;
        self.part(next, true);
    }

    fn copy_up_to(&mut self, at: usize) {
        if self.parts.is_empty() {
            self.out.reserve(self.text.len());
            self.parts.push(Part { out: 0, orig: 0, copied: true });
        }
        self.out.push_str(self.text.get(self.done..at).unwrap_or_default());
        self.done = at;
    }

    /// Notes that `out` continues from `orig`; a part that came to nothing is forgotten.
    fn part(&mut self, orig: usize, copied: bool) {
        // Lengths were checked to fit before anything was folded; folding grows no text beyond 18-fold NFKD of one character.
        let out = u32::try_from(self.out.len()).unwrap_or(u32::MAX);
        let orig = u32::try_from(orig).unwrap_or(u32::MAX);
        while self.parts.last().is_some_and(|p| p.out >= out) {
            self.parts.pop();
        }
        self.parts.push(Part { out, orig, copied });
    }

    fn finish(mut self) -> Option<Folded<'a>> {
        if self.parts.is_empty() {
            return None;
        }
        self.copy_up_to(self.text.len());
        let map = Map { parts: self.parts, end: self.text.len() };
        Some(Folded { text: Cow::Owned(self.out), map, hidden: self.hidden, runs: self.runs })
    }
}

/// Hidden places that are noted; more say nothing new.
const MOST: usize = 256;
/// Bytes of invisible characters in a row that could carry a message.
const RUN: usize = 24;
/// How far a word is looked at, in characters, to each side.
const WORD: usize = 32;

#[cfg(test)]
mod tests;
