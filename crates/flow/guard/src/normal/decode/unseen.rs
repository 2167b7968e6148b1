//! Messages in characters that nobody sees, and in pictures of letters. They are looked for in the text as it arrived, for the
//! plain view has none of them.

use std::{ops::Range, sync::LazyLock};

use memchr::{memchr2, memmem::Finder};

use super::{Encoding, Piece, floor, lettered, readable};
use crate::normal::fold::{Folded, selected};

/// The messages in `text`, which was folded to `folded`.
pub(crate) fn find(text: &str, folded: &Folded<'_>) -> Vec<Piece> {
    let mut out = Vec::new();
    if text.is_ascii() {
        return out;
    }
    for span in &folded.runs {
        let run = text.get(span.clone()).unwrap_or_default();
        out.extend(selectors(run).map(|text| Piece { span: span.clone(), text, encoding: Encoding::Selectors }));
        out.extend(bits(run).map(|text| Piece { span: span.clone(), text, encoding: Encoding::ZeroWidth }));
    }
    // Many single ones where honest text has none may carry one message together.
    if folded.hidden.len() >= SCATTERED {
        let found = [selectors(text), bits(text)].into_iter().zip([Encoding::Selectors, Encoding::ZeroWidth]);
        out.extend(
            found.filter_map(|(decoded, encoding)| Some(Piece { span: 0..text.len(), text: decoded?, encoding })),
        );
    }
    flags(text, &mut out);
    upside_down(text, &mut out);
    out
}

/// The bytes that variation selectors stand for.
fn selectors(run: &str) -> Option<String> {
    let bytes: Vec<u8> = run.chars().filter_map(selected).collect();
    readable(&bytes).map(str::to_owned)
}

/// The bytes whose bits, or pairs of bits, zero-width characters stand for.
fn bits(run: &str) -> Option<String> {
    let signs: Vec<char> = run.chars().filter(|c| silent(*c)).collect();
    let mut kinds: Vec<char> = Vec::new();
    for sign in &signs {
        if !kinds.contains(sign) {
            kinds.push(*sign);
        }
    }
    // Which sign means which bit is anybody's choice; a third one may part the bytes.
    let (first, second) = (*kinds.first()?, *kinds.get(1)?);
    let pairs = [[first, second], [second, first]].into_iter();
    let parted = kinds.get(2).into_iter().flat_map(|third| [[first, second], [first, *third], [second, *third]]);
    pairs.chain(parted.flat_map(|[a, b]| [[a, b], [b, a]])).find_map(|[zero, one]| {
        let mut bytes = Vec::new();
        for group in signs.split(|s| *s != zero && *s != one) {
            // Bytes in a row have eight bits each; where they are parted, zeros in front may be missing.
            for byte in group.chunks(8) {
                bytes.push(byte.iter().fold(0_u8, |byte, sign| byte << 1 | u8::from(*sign == one)));
            }
        }
        std::str::from_utf8(&bytes).ok().filter(|text| lettered(text)).map(str::to_owned)
    })
}

/// Characters without width that hidden bits are written in.
const fn silent(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}' | '\u{206a}'..='\u{206f}' | '\u{feff}' | '\u{180e}' | '\u{34f}')
}

/// Letters of flags, at least eight close to each other: two of them are a country.
fn flags(text: &str, out: &mut Vec<Piece>) {
    let mut at = 0;
    while let Some(found) = FLAG.find(text.as_bytes().get(at..).unwrap_or_default()) {
        let start = floor(text, at + found);
        let (mut plain, mut end, mut letters) = (String::new(), start, 0);
        let mut apart = 0_u32;
        for c in text.get(start..).unwrap_or_default().chars() {
            let letter = u32::from(c).checked_sub(0x1_f1e6).filter(|n| *n < 26).and_then(|n| u8::try_from(n).ok());
            apart = if letter.is_some() { 0 } else { apart + 1 };
            if apart > APART {
                break;
            }
            match letter {
                Some(n) => plain.push(char::from(b'a' + n)),
                // One character between letters keeps them from becoming flags; more part words.
                None if c.is_ascii_graphic() => plain.push(c),
                None if apart == 2 => plain.push(' '),
                None => {}
            }
            letters += u32::from(letter.is_some());
            end += c.len_utf8();
        }
        if letters >= 8 {
            out.push(Piece { span: start..end, text: plain, encoding: Encoding::Flags });
        }
        at = end.max(start + 4);
    }
}

static FLAG: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\xf0\x9f\x87"));

/// Letters that stand on their heads, read from behind.
fn upside_down(text: &str, out: &mut Vec<Piece>) {
    let bytes = text.as_bytes();
    let (mut at, mut turned) = (0, 0);
    let mut span: Option<Range<usize>> = None;
    while let Some(found) = memchr2(0xc9, 0xca, bytes.get(at..).unwrap_or_default()).map(|n| n + at) {
        at = found + 1;
        if text.get(found..).and_then(|t| t.chars().next()).is_some_and(|c| "ɐɟɥɯɹʇʌʍʎʞ".contains(c)) {
            turned += 1;
            span = Some(span.map_or(found, |s| s.start)..found + 2);
        }
    }
    let Some(span) = span.filter(|_| turned >= TURNED_LEAST) else { return };
    let span = floor(text, span.start.saturating_sub(AROUND))..floor(text, span.end + AROUND);
    let upright = |c: char| {
        let of = |from: &str, to: &str| from.chars().zip(to.chars()).find(|(f, _)| *f == c).map(|(_, t)| t);
        of("ɐqɔpǝɟƃɓɥᴉıɾʞןɯuodbɹʇnʌʍʎ", "abcdefgghiijklmnopqrtuvwy").unwrap_or(c)
    };
    let plain = text.get(span.clone()).unwrap_or_default().chars().rev().map(upright).collect();
    out.push(Piece { span, text: plain, encoding: Encoding::UpsideDown });
}

/// Places of invisible characters without a reason that may carry a message together.
const SCATTERED: usize = 16;
/// Characters between two letters of flags.
const APART: u32 = 8;
/// Fewest turned letters; phonetic spelling has one or two in a word.
const TURNED_LEAST: usize = 5;
/// Bytes around turned letters that are taken along: some letters look the same on their heads.
const AROUND: usize = 64;
