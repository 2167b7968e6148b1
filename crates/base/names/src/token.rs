//! Cuts a text into segments (sentences, lines) and a segment into tokens.
//!
//! INVARIANT: where a segment ends depends on the bytes from its start to a little past its end, and on nothing before. A text that
//! is read as it grows has the same segments.

use std::ops::Range;

use crate::lexicon::Lexicon;

/// A word, a number or one other character.
#[derive(Clone, Debug)]
pub struct Token {
    /// Bytes of the text.
    pub span: Range<usize>,
    /// Hash of the word in lower case.
    pub word: u64,
    /// What it looks like.
    pub shape: Shape,
    /// Nothing stands between it and the token before.
    pub glued: bool,
    /// What lists say of the word.
    pub listed: u8,
    /// The group of words it is used like; 0 where none is known.
    pub group: u8,
    /// It is a part of the address of a mailbox or a page, or of a handle.
    pub address: bool,
    /// A name could be in it.
    pub live: bool,
}

/// What a token looks like. The numbers are a part of the weights' meaning.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum Shape {
    /// `word`
    Lower,
    /// `Word`
    Capital,
    /// `WORD`
    Upper,
    /// `W`
    Initial,
    /// `McWord`, `iWord`
    Mixed,
    /// `123`
    Digits,
    /// `a1`
    Alphanumeric,
    /// Letters of a script without capitals.
    Other,
    /// Any other character; which one is in the hash.
    Mark,
}

/// Where the segment that begins at the start of `text` ends; none when more text could move the end.
///
/// A segment ends after a line break, after the end of a sentence, and at [`MOST`] bytes.
#[must_use]
pub fn segment(text: &str, last: bool) -> Option<usize> {
    let bytes = text.as_bytes();
    let within = bytes.get(..MOST.min(bytes.len())).unwrap_or_default();
    let mut small = 0_u32;
    for (at, byte) in within.iter().enumerate() {
        match byte {
            b'\n' => return Some(at + 1),
            b'.' | b'!' | b'?' if small >= 3 || (*byte != b'.' && at > 0) => match bytes.get(at + 1) {
                Some(b' ') => return Some((at + 2).min(MOST)),
                _ => small = 0,
            },
            b'a'..=b'z' => small += 1,
            _ => small = 0,
        }
    }
    if bytes.len() <= MOST {
        return last.then_some(bytes.len());
    }
    // No end in reach: after the last space, so that no word is torn that is not longer than a segment.
    let space = within.iter().rposition(|byte| *byte == b' ').filter(|at| *at >= MOST / 2);
    Some(space.map_or_else(|| text.floor_char_boundary(MOST), |at| at + 1))
}

/// Appends the tokens of `text[span]`.
pub fn tokens(text: &str, span: Range<usize>, lexicon: &Lexicon<'_>, out: &mut Vec<Token>) {
    let Some(segment) = text.get(span.clone()) else { return };
    let bytes = segment.as_bytes();
    let (mut at, mut end) = (0, 0);
    let mut address = false;
    while let Some(byte) = bytes.get(at) {
        if byte.is_ascii_whitespace() || byte.is_ascii_control() {
            at += 1;
            continue;
        }
        let (length, seen) = read(segment, at);
        let shape = seen.shape();
        let mut word = seen.hash;
        // The last step of the hash is a finaliser: its high bits choose places in tables.
        word = (word ^ (word >> 32)).wrapping_mul(MIX);
        word ^= word >> 29;
        let (listed, group) = if seen.letters > 0 { lexicon.look(word) } else { (0, 0) };
        let glued = at == end && at > 0;
        end = at + length;
        if !glued {
            address = is_address(bytes.get(at..).unwrap_or_default());
        }
        let live = !address
            && match shape {
                Shape::Capital | Shape::Upper | Shape::Initial | Shape::Mixed => {
                    seen.latin && listed & crate::lexicon::ORDINARY == 0
                }
                Shape::Lower => {
                    listed & (crate::lexicon::NAMES | crate::lexicon::ORDINARY) == listed & crate::lexicon::NAMES
                        && listed & crate::lexicon::NAMES != 0
                        && listed & crate::lexicon::SMALL == 0
                }
                Shape::Mark => *byte == b'@' && bytes.get(end) == Some(&b' '),
                _ => false,
            };
        let handle = matches!(shape, Shape::Lower | Shape::Alphanumeric | Shape::Mixed)
            && !glued
            && out.last().is_some_and(|token| token.live && is_at(token, text));
        let span = span.start + at..span.start + end;
        out.push(Token { span, word, shape, glued, listed, group, address, live: live || handle });
        at = end;
    }
}

/// Whether what follows up to white space is the address of a mailbox or a page, or a handle: no names are looked for in those.
fn is_address(bytes: &[u8]) -> bool {
    let mut before = 0_u8;
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            _ if byte.is_ascii_whitespace() || byte.is_ascii_control() => break,
            b'@' if bytes.get(at + 1).is_some_and(u8::is_ascii_alphanumeric) => return true,
            b'/' if before == b':' && bytes.get(at + 1) == Some(&b'/') => return true,
            _ => before = *byte,
        }
    }
    bytes.starts_with(b"www.")
}

fn is_at(token: &Token, text: &str) -> bool {
    token.shape == Shape::Mark && text.as_bytes().get(token.span.start) == Some(&b'@')
}

/// What the characters of a token were.
#[derive(Default)]
struct Seen {
    hash: u64,
    letters: u32,
    upper: u32,
    lower: u32,
    digits: u32,
    others: u32,
    first_upper: bool,
    latin: bool,
}

impl Seen {
    fn shape(&self) -> Shape {
        if self.letters == 0 {
            return if self.digits > 0 { Shape::Digits } else { Shape::Mark };
        }
        if self.digits > 0 {
            return Shape::Alphanumeric;
        }
        match (self.upper, self.lower) {
            (0, 0) => Shape::Other,
            (0, _) => Shape::Lower,
            (1, 0) => Shape::Initial,
            (_, 0) => Shape::Upper,
            (1, _) if self.first_upper => Shape::Capital,
            _ => Shape::Mixed,
        }
    }

    fn byte(&mut self, byte: u8) {
        self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(FNV);
    }
}

/// Reads one token: its length and what it is made of.
fn read(segment: &str, from: usize) -> (usize, Seen) {
    let bytes = segment.as_bytes();
    let mut seen = Seen { hash: SEED, latin: true, ..Seen::default() };
    let mut at = from;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'a'..=b'z' => (seen.letters, seen.lower) = (seen.letters + 1, seen.lower + 1),
            b'A'..=b'Z' => {
                seen.first_upper |= seen.letters == 0;
                (seen.letters, seen.upper) = (seen.letters + 1, seen.upper + 1);
            }
            b'0'..=b'9' => seen.digits += 1,
            // In a handle, and in names of the machine kind.
            b'_' if at > from => seen.others += 1,
            0..=0x7f => break,
            _ => {
                let Some(c) = segment.get(at..).and_then(|rest| rest.chars().next()) else { break };
                if !c.is_alphanumeric() && !is_joining(c) {
                    break;
                }
                // Scripts without spaces are taken a character at a time: their words cannot be told apart here.
                let alone = is_ideograph(c);
                if alone && at > from {
                    break;
                }
                seen.latin &= c < '\u{250}' || ('\u{1e00}'..'\u{1f00}').contains(&c) || is_joining(c);
                if c.is_alphabetic() {
                    seen.first_upper |= seen.letters == 0 && c.is_uppercase();
                    seen.letters += 1;
                    seen.upper += u32::from(c.is_uppercase());
                    seen.lower += u32::from(c.is_lowercase());
                }
                for small in c.to_lowercase() {
                    let mut buffer = [0; 4];
                    small.encode_utf8(&mut buffer).bytes().for_each(|byte| seen.byte(byte));
                }
                at += c.len_utf8();
                if alone {
                    return (at - from, seen);
                }
                continue;
            }
        }
        seen.byte(byte.to_ascii_lowercase());
        at += 1;
    }
    if at == from {
        let length = segment.get(from..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8);
        bytes.iter().skip(from).take(length).for_each(|byte| seen.byte(*byte));
        return (length, seen);
    }
    (at - from, seen)
}

/// Marks that belong to the letter before.
const fn is_joining(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{ad}' | '\u{200d}')
}

const fn is_ideograph(c: char) -> bool {
    matches!(c, '\u{2e80}'..='\u{a4cf}' | '\u{ac00}'..='\u{d7af}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

/// The hash of a word as tokens have it.
#[must_use]
pub fn hash(word: &str) -> u64 {
    let mut hash = SEED;
    for c in word.chars().flat_map(char::to_lowercase) {
        let mut buffer = [0; 4];
        for byte in c.encode_utf8(&mut buffer).bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(FNV);
        }
    }
    hash = (hash ^ (hash >> 32)).wrapping_mul(MIX);
    hash ^ (hash >> 29)
}

/// Bytes of the longest segment.
pub const MOST: usize = 512;

const SEED: u64 = 0xcbf2_9ce4_8422_2325;
const FNV: u64 = 0x0100_0000_01b3;
const MIX: u64 = 0x9e37_79b9_7f4a_7c15;
