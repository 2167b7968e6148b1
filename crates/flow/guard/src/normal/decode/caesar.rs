//! Letters moved along the alphabet, by any number, or counted from its other end.
//!
//! Any text decodes to something, so the letters must say that it was language before: how often each stands in European
//! languages is known, and moving it moves that with it. Ordinary text is told by a sample of its letters.

use std::ops::Range;

use super::{Encoding, Piece, floor};

/// How letters were exchanged.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Key {
    /// Each was moved forward by so many, 1 to 25.
    Moved(u8),
    /// A for Z, B for Y, and so on.
    Mirrored,
}

impl Key {
    /// All there are.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        (1..26).map(Self::Moved).chain([Self::Mirrored])
    }

    /// The place in the alphabet of what was at `place` before.
    const fn undo(self, place: u8) -> u8 {
        match self {
            Self::Moved(by) => (place + 26 - by) % 26,
            Self::Mirrored => 25 - place,
        }
    }

    /// The letter behind `c`.
    pub(super) fn plain(self, c: char) -> char {
        match c {
            'a'..='z' => char::from(b'a' + self.undo(c as u8 - b'a')),
            'A'..='Z' => char::from(b'A' + self.undo(c as u8 - b'A')),
            c => c,
        }
    }

    /// What hides the letter `c`.
    pub(super) fn hide(self, c: char) -> char {
        match self {
            Self::Moved(by) => Self::Moved(26 - by).plain(c),
            Self::Mirrored => self.plain(c),
        }
    }

    const fn encoding(self) -> Encoding {
        match self {
            Self::Moved(_) => Encoding::Caesar,
            Self::Mirrored => Encoding::Atbash,
        }
    }
}

/// Adds the stretches whose letters were exchanged, by how often each letter stands there.
pub(super) fn find(text: &str, out: &mut Vec<(Key, Range<usize>)>) {
    for (n, window) in text.as_bytes().chunks(WINDOW).enumerate().filter(|(_, window)| odd(window, WINDOW / SAMPLE, 3))
    {
        for (m, part) in window.chunks(PART).enumerate() {
            let at = n * WINDOW + m * PART;
            let key = odd(part, 1, 2).then(|| key(part)).flatten();
            out.extend(key.map(|key| (key, at..at + part.len())));
        }
    }
}

/// The texts behind stretches, each with what stands a little around it.
pub(super) fn pieces(text: &str, mut stretches: Vec<(Key, Range<usize>)>, out: &mut Vec<Piece>) {
    stretches.sort_unstable_by_key(|(key, span)| (*key, span.start));
    let mut rest = stretches.into_iter().peekable();
    while let Some((key, mut span)) = rest.next() {
        while let Some((_, next)) = rest.next_if(|(k, next)| *k == key && next.start <= span.end + 2 * REACH) {
            span.end = span.end.max(next.end);
        }
        let span = floor(text, span.start.saturating_sub(REACH))..floor(text, span.end + REACH);
        let plain = text.get(span.clone()).unwrap_or_default().chars().map(|c| key.plain(c)).collect();
        out.push(Piece { span, text: plain, encoding: key.encoding() });
    }
}

/// Whether the letters of every so manyth byte look less like a language than a score for each of them says.
fn odd(window: &[u8], step: usize, least: i32) -> bool {
    // The score in the upper bits, the number of letters in the lower ones.
    let sum: i32 = window.iter().step_by(step).map(|b| SCORES[usize::from(*b)]).sum();
    let letters = sum & 0xfff;
    letters > 0 && sum >> 12 < least * letters
}

/// The key that makes the window look like a language, if one does and the window as it stands does not.
fn key(window: &[u8]) -> Option<Key> {
    let mut counts = [0_i32; 26];
    let mut letters = 0;
    for byte in window.iter().filter(|b| b.is_ascii_alphabetic()) {
        if let Some(count) = counts.get_mut(usize::from(byte.to_ascii_lowercase() - b'a')) {
            *count += 1;
            letters += 1;
        }
    }
    if letters < LETTERS {
        return None;
    }
    let score = |common: &[i32]| common.iter().zip(counts).map(|(c, count)| c * count).sum::<i32>();
    let moved = |by: u8| TWICE.get(26 - usize::from(by)..).map_or(0, score);
    let (best, key) = Key::all()
        .map(|key| match key {
            Key::Moved(by) => (moved(by), key),
            Key::Mirrored => (score(&MIRRORED), key),
        })
        .max_by_key(|(score, _)| *score)?;
    (best >= 2 * letters && best >= moved(0) + 4 * letters).then_some(key)
}

/// How much more often than one in 26 each letter stands in European languages: sixteen times the natural logarithm.
const COMMON: [i32; 26] =
    [13, -16, -2, 1, 20, -14, -13, -3, 10, -36, -19, 1, -5, 10, 8, -8, -30, 9, 10, 10, 1, -14, -19, -41, -22, -22];

/// The alphabet twice, so that every move of it is one slice.
static TWICE: [i32; 52] = {
    let mut table = [0; 52];
    let mut n = 0;
    while n < 52 {
        table[n] = COMMON[n % 26];
        n += 1;
    }
    table
};

static MIRRORED: [i32; 26] = {
    let mut table = [0; 26];
    let mut n = 0;
    while n < 26 {
        table[n] = COMMON[25 - n];
        n += 1;
    }
    table
};

/// The score of each byte, times 4096; and one for each letter.
static SCORES: [i32; 256] = {
    let mut table = [0; 256];
    let mut n = 0;
    while n < 26 {
        table[b'a' as usize + n] = (COMMON[n] << 12) + 1;
        table[b'A' as usize + n] = (COMMON[n] << 12) + 1;
        n += 1;
    }
    table
};

/// Bytes around a stretch that are taken along.
const REACH: usize = 512;
/// Bytes of which a sample is looked at first.
const WINDOW: usize = 256;
/// Bytes of the sample.
const SAMPLE: usize = 64;
/// Bytes that must have been exchanged together.
const PART: usize = 64;
/// Fewest letters that tell a language.
const LETTERS: i32 = 24;
