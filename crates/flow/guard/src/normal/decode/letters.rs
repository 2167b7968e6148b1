//! Games with letters: set apart, and replaced by digits.

use std::ops::Range;

use super::{Encoding, Piece, floor};
use crate::normal::survey::{Survey, separates};

/// Finds what is hidden in `text` by games with letters.
pub(super) fn find(text: &str, survey: &Survey, out: &mut Vec<Piece>) {
    let bytes = text.as_bytes();
    if survey.apart && if survey.ascii { alternates(bytes) } else { set_apart(bytes) } {
        spaced(text, out);
    }
    if survey.figures >= 2 {
        leet(text, out);
    }
}

/// Whether somewhere one separator stands at every other place, in ASCII. Looks at every fifth byte and its neighbours, which
/// six letters set apart cannot escape.
fn alternates(bytes: &[u8]) -> bool {
    (0..bytes.len()).step_by(5).any(|at| match bytes.get(at..at + 6) {
        Some(&[a, b, c, d, e, f]) => {
            (a == c && c == e && separates(a) && b != a) || (b == d && d == f && separates(b) && a != b)
        }
        _ => false,
    })
}

/// Whether somewhere five separators stand one character apart, in any script.
fn set_apart(bytes: &[u8]) -> bool {
    let (mut last, mut run) = (0, 0);
    for (at, byte) in bytes.iter().enumerate().filter(|(_, b)| separates(**b)) {
        let width = match bytes.get(last + 1) {
            Some(0xf0..) => 4,
            Some(0xe0..) => 3,
            Some(0xc0..) => 2,
            _ => 1,
        };
        run = if at == last + 1 + width && bytes.get(last) == Some(byte) { run + 1 } else { 0 };
        if run == 4 {
            return true;
        }
        last = at;
    }
    false
}

/// Single characters set apart by one and the same separator, at least six of them.
fn spaced(text: &str, out: &mut Vec<Piece>) {
    let mut chars = text.char_indices().peekable();
    let mut word = String::new();
    let (mut start, mut end, mut letters) = (0, 0, 0_usize);
    let mut separator: Option<char> = None;
    let mut close = |word: &mut String, letters: &mut usize, span: Range<usize>| {
        if *letters >= 6 && *letters * 4 >= word.chars().count() * 3 {
            out.push(Piece { span, text: std::mem::take(word), encoding: Encoding::Spaced });
        }
        word.clear();
        *letters = 0;
    };
    // `alone`: the character before was a separator or the start.
    let mut alone = true;
    while let Some((at, c)) = chars.next() {
        let next = chars.peek().map(|(_, n)| *n);
        let sep = u8::try_from(c).is_ok_and(separates) && (separator.is_none_or(|s| s == c) || c == '\t');
        if sep {
            // Two separators stand for a space.
            if alone && !word.is_empty() && !word.ends_with(' ') {
                word.push(' ');
            }
            alone = true;
            continue;
        }
        let ends = next.is_none_or(|n| match separator {
            // White space between words whose letters dots set apart.
            Some(s) => n == s || n == '\n' || (n.is_whitespace() && !s.is_whitespace()),
            None => u8::try_from(n).is_ok_and(separates),
        });
        if alone && ends && c != '\n' {
            if word.is_empty() {
                start = at;
                separator = next.filter(|n| *n != '\n');
            }
            // Inside a run another separator stands for a space.
            if u8::try_from(c).is_ok_and(separates) {
                word.push(' ');
            } else {
                letters += usize::from(c.is_alphanumeric());
                word.push(c);
            }
            end = at + c.len_utf8();
            alone = false;
            continue;
        }
        let between = c.is_whitespace() && separator.is_some_and(|s| !s.is_whitespace());
        if (c == '\n' || between) && !word.is_empty() {
            if !word.ends_with(' ') {
                word.push(' ');
            }
            alone = true;
            continue;
        }
        close(&mut word, &mut letters, start..end);
        separator = None;
        alone = c.is_whitespace();
    }
    close(&mut word, &mut letters, start..end);
}

/// Words with digits in place of letters, at least two of them close together.
fn leet(text: &str, out: &mut Vec<Piece>) {
    let mut region: Option<(usize, usize, usize)> = None;
    let mut close = |region: Option<(usize, usize, usize)>| {
        if let Some((start, end, count)) = region
            && count >= 2
        {
            let start = floor(text, start.saturating_sub(AROUND));
            let end = floor(text, end + AROUND);
            let part = text.get(start..end).unwrap_or_default();
            let read = |ell| part.split_inclusive(char::is_whitespace).map(|token| unleet(token, ell)).collect();
            let (eyes, ells): (String, String) = (read(false), read(true));
            // `1` next to an l is one or the other: `fi1l`, `guide1ines`.
            if ells != eyes {
                out.push(Piece { span: start..end, text: ells, encoding: Encoding::Leet });
            }
            out.push(Piece { span: start..end, text: eyes, encoding: Encoding::Leet });
        }
    };
    let mut at = 0;
    // A view has no white space beyond ASCII.
    for token in text.as_bytes().split(|b| matches!(b, b'\t'..=b'\r' | b' ')) {
        let start = at;
        at += token.len() + 1;
        if !token.iter().any(|b| plain_letter(*b).is_some()) || !is_leet(token) {
            continue;
        }
        region = match region {
            Some((from, to, count)) if start <= to + AROUND => Some((from, at, count + 1)),
            old => {
                close(old);
                Some((start, at, 1))
            }
        };
    }
    close(region);
}

/// Whether a word has a sign that stands for a letter next to a letter, and looks like a word otherwise.
fn is_leet(token: &[u8]) -> bool {
    let around = |b: &u8| matches!(b, b'.' | b',' | b':' | b';' | b'?' | b'"' | b'\'' | b'(' | b')');
    let from = token.iter().position(|b| !around(b)).unwrap_or(token.len());
    let to = token.iter().rposition(|b| !around(b)).map_or(from, |last| last + 1);
    let bytes = token.get(from..to).unwrap_or_default();
    if !(3..=24).contains(&bytes.len())
        || !bytes.iter().all(|b| b.is_ascii_alphanumeric() || plain_letter(*b).is_some())
    {
        return false;
    }
    let letters = bytes.iter().filter(|b| b.is_ascii_alphabetic()).count();
    let signs = bytes.len() - letters;
    // Digits at the end are numbers: `v1`, `sha256`, `room 12b`.
    let body = bytes.iter().rev().skip_while(|b| b.is_ascii_digit()).count();
    let inner = bytes.iter().take(body).filter(|b| !b.is_ascii_alphabetic()).count();
    letters >= 1 && signs >= 1 && (inner >= 1 || letters >= 2 && signs <= 2) && signs <= letters * 3
}

/// A word with letters for signs. Two ones are two l; whether one next to an l is another is said by `ell`.
fn unleet(token: &str, ell: bool) -> String {
    // Near words that are surely leet, looser ones are taken for it too: `a11`.
    let letters = token.bytes().filter(u8::is_ascii_alphabetic).count();
    let signs = token.bytes().filter(|b| plain_letter(*b).is_some()).count();
    if letters == 0 || signs > letters * 6 {
        return token.to_owned();
    }
    let bytes = token.as_bytes();
    let mut out = String::with_capacity(token.len());
    for (i, c) in token.char_indices() {
        let twin = |j: Option<usize>| j.and_then(|j| bytes.get(j)).is_some_and(|b| *b == b'1' || ell && *b == b'l');
        match u8::try_from(c).ok().and_then(plain_letter) {
            Some('i') if c == '1' && (twin(i.checked_sub(1)) || twin(Some(i + 1))) => out.push('l'),
            Some(letter) => out.push(letter),
            None => out.push(c),
        }
    }
    out
}

const fn plain_letter(b: u8) -> Option<char> {
    Some(match b {
        b'0' => 'o',
        b'1' | b'!' => 'i',
        b'2' => 'z',
        b'3' => 'e',
        b'4' | b'@' => 'a',
        b'5' | b'$' => 's',
        b'6' => 'b',
        b'7' | b'+' => 't',
        b'8' => 'b',
        b'9' => 'g',
        b'|' => 'l',
        _ => return None,
    })
}

/// Bytes around leet words that are taken along.
const AROUND: usize = 64;
