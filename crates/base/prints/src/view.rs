//! The view that answer-side rules read: bytes in which what is invisible is gone, look-alikes of ASCII are ASCII, and the
//! escapes of JSON and source code (`\n`, `\u0041`) are what they stand for.
//!
//! Each character is viewed by itself (a look-alike also by the byte before it), so a text that arrives in pieces has the same
//! view as the whole. Plain text is its own view and is not copied.

use std::{borrow::Cow, ops::Range};

use unicode_normalization::char::decompose_compatible;

use crate::blocks::ascii_len;

/// Where the bytes of a view came from.
#[derive(Clone, Debug, Default)]
pub struct Map {
    /// By their place in the view; empty while the two texts differ by `base` only.
    parts: Vec<Part>,
    /// Place in the original of the view's first byte, while there are no parts.
    base: usize,
}

/// From `view` in the view and from `original` in the original on, text is the same, or stands for `width` bytes.
#[derive(Clone, Copy, Debug)]
struct Part {
    view: usize,
    original: usize,
    width: Option<usize>,
}

impl Map {
    /// The bytes of the original that `span` of `view` came from; never a part of a character.
    pub fn origin(&self, span: &Range<usize>, view: &[u8]) -> Range<usize> {
        let inside = |at: &usize| view.get(*at).is_some_and(|b| (0x80..0xc0).contains(b));
        let start = (0..=span.start).rev().find(|at| !inside(at)).unwrap_or(0);
        let end = (span.end..view.len()).find(|at| !inside(at)).unwrap_or(view.len());
        let from = self.byte(start).0;
        let to = if end > start { self.byte(end - 1).1 } else { from };
        from..to.max(from)
    }

    /// Where the byte at `at` came from.
    fn byte(&self, at: usize) -> (usize, usize) {
        let next = self.parts.partition_point(|p| p.view <= at);
        match next.checked_sub(1).and_then(|i| self.parts.get(i)) {
            None => (at + self.base, at + self.base + 1),
            Some(Part { view, original, width: None }) => (original + at - view, original + at - view + 1),
            Some(Part { original, width: Some(width), .. }) => (*original, original + width),
        }
    }

    /// Whether the byte stands for itself rather than for an escape.
    pub fn plain(&self, at: usize) -> bool {
        let (start, end) = self.byte(at);
        end - start == 1
    }

    /// Forgets the first `count` bytes of the view.
    pub fn drop_front(&mut self, count: usize) {
        if self.parts.is_empty() {
            self.base += count;
            return;
        }
        let gone = self.parts.partition_point(|p| p.view <= count).saturating_sub(1);
        self.parts.drain(..gone);
        for part in &mut self.parts {
            if part.width.is_none() && part.view < count {
                part.original += count - part.view;
            }
            part.view = part.view.saturating_sub(count);
        }
    }

    /// Notes that `view..to` of the view stands for `width` bytes from `original` on.
    fn stands_for(&mut self, view: usize, to: usize, original: usize, width: usize) {
        if self.parts.is_empty() && view > 0 {
            self.parts.push(Part { view: 0, original: self.base, width: None });
        }
        let this = Part { view, original, width: Some(width) };
        let next = Part { view: to, original: original + width, width: None };
        for part in [this, next] {
            // A part that came to nothing is forgotten.
            while self.parts.last().is_some_and(|p| p.view >= part.view) {
                self.parts.pop();
            }
            self.parts.push(part);
        }
    }
}

/// Whether a text is its own view, by its bytes alone.
fn is_plain(text: &str) -> bool {
    let bytes = text.as_bytes();
    memchr::memchr(b'\\', bytes).is_none() && (bytes.is_ascii() || !bytes.iter().any(|b| may_change(*b)))
}

/// The view of a whole text.
pub fn view(text: &str) -> (Cow<'_, [u8]>, Map) {
    if is_plain(text) {
        return (Cow::Borrowed(text.as_bytes()), Map::default());
    }
    let (mut out, mut map) = (Vec::with_capacity(text.len()), Map::default());
    append(text, 0, true, &mut out, &mut map);
    (Cow::Owned(out), map)
}

/// Adds the view of `text`, which stands at `at` in the original, and says how much of it was viewed: an escape that is
/// not whole stays behind unless this is the `last` of the text.
pub fn append(text: &str, at: usize, last: bool, out: &mut Vec<u8>, map: &mut Map) -> usize {
    let bytes = text.as_bytes();
    let escapes = memchr::memchr(b'\\', bytes).is_some();
    let mut done = 0;
    loop {
        let rest = bytes.get(done..).unwrap_or_default();
        let ascii = if escapes { 0 } else { ascii_len(rest) };
        let other = rest.get(ascii..).unwrap_or_default();
        let same = ascii + other.iter().position(|b| may_change(*b)).unwrap_or(other.len());
        out.extend_from_slice(rest.get(..same).unwrap_or_default());
        done += same;
        let rest = rest.get(same..).unwrap_or_default();
        let Some(c) = text.get(done..).and_then(|t| t.chars().next()) else { break };
        let mut buffer = [0; 4];
        let (stands_for, width) = match c {
            '\\' => match escape(rest, last) {
                None => return done,
                Some((_, 1)) => ("\\", 1),
                Some((c, width)) => (plain(c, out.last().copied(), &mut buffer), width),
            },
            c => (plain(c, out.last().copied(), &mut buffer), c.len_utf8()),
        };
        let from = out.len();
        out.extend_from_slice(stands_for.as_bytes());
        if rest.get(..width) != Some(stands_for.as_bytes()) {
            map.stands_for(from, out.len(), at + done, width);
        }
        done += width;
    }
    done
}

/// Whether a character that begins with this byte may look like something else, or an escape begins with it.
const fn may_change(byte: u8) -> bool {
    MAY_CHANGE[byte as usize]
}

static MAY_CHANGE: [bool; 256] = {
    let mut table = [false; 256];
    let mut i = 0;
    while i < 256 {
        table[i] = matches!(i as u8, b'\\' | 0xc2 | 0xcd..=0xd4 | 0xd8..=0xdb | 0xe0..=0xe3 | 0xef..);
        i += 1;
    }
    table
};

/// An escape of JSON or source code: what it stands for and how long it is. None when its end has not arrived.
fn escape(rest: &[u8], last: bool) -> Option<(char, usize)> {
    let simple = |c| Some((c, 2));
    match rest.get(1) {
        None if last => Some(('\\', 1)),
        None => None,
        Some(b'n' | b'r') => simple('\n'),
        Some(b't') => simple('\t'),
        Some(b'"') => simple('"'),
        Some(b'/') => simple('/'),
        Some(b'\\') => simple('\\'),
        Some(kind @ (b'u' | b'x')) => {
            let width = if *kind == b'u' { 4 } else { 2 };
            let digits = rest.get(2..(2 + width).min(rest.len())).unwrap_or_default();
            if digits.iter().any(|d| !d.is_ascii_hexdigit()) || (digits.len() < width && last) {
                return Some(('\\', 1));
            }
            if digits.len() < width {
                return None;
            }
            let value = digits.iter().fold(0, |v, d| v * 16 + char::from(*d).to_digit(16).unwrap_or_default());
            // A half of a surrogate pair hides nothing that a rule looks for.
            Some((char::from_u32(value).unwrap_or('\u{fffd}'), 2 + width))
        }
        Some(_) => Some(('\\', 1)),
    }
}

/// What a character looks like in ASCII, itself where it does not, nothing where it cannot be seen.
fn plain(c: char, before: Option<u8>, buffer: &mut [u8; 4]) -> &str {
    let code = u32::from(c);
    let to = match code {
        0..=0x7f => c,
        0xa0 | 0x2000..=0x200a | 0x202f | 0x205f | 0x3000 => ' ',
        0xad
        | 0x34f
        | 0x61c
        | 0x115f
        | 0x1160
        | 0x17b4
        | 0x17b5
        | 0x180b..=0x180f
        | 0x200b..=0x200f
        | 0x202a..=0x202e
        | 0x2060..=0x206f
        | 0x3164
        | 0xfe00..=0xfe0f
        | 0xfeff
        | 0xffa0
        | 0xe0100..=0xe01ef
        | 0xe0000..=0xe001f => return "",
        0xe0020..=0xe007e => char::from_u32(code - 0xe0000).unwrap_or(c),
        0xff01..=0xff5e => char::from_u32(code - 0xfee0).unwrap_or(c),
        0x2010 | 0x2011 | 0x2212 => '-',
        0x660..=0x669 => digit(code - 0x660),
        0x6f0..=0x6f9 => digit(code - 0x6f0),
        0x966..=0x96f => digit(code - 0x966),
        // A look-alike counts only inside a word of ASCII; elsewhere it is its own script.
        0x370..=0x52f if before.is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_') => twin(c),
        0xb2
        | 0xb3
        | 0xb9
        | 0x2070..=0x209c
        | 0x2100..=0x214f
        | 0x2460..=0x24ff
        | 0x1d400..=0x1d7ff
        | 0x1f130..=0x1f189 => compatible(c),
        _ => c,
    };
    to.encode_utf8(buffer)
}

/// The one ASCII letter or digit a character is a form of.
fn compatible(c: char) -> char {
    if let circled @ 0x24b6..=0x24e9 = u32::from(c) {
        let letter = if circled < 0x24d0 { circled - 0x24b6 + 0x41 } else { circled - 0x24d0 + 0x61 };
        return char::from_u32(letter).unwrap_or(c);
    }
    if let squared @ 0x1f130..=0x1f189 = u32::from(c) {
        return char::from_u32((squared - 0x1f130) % 32 + 0x41).filter(char::is_ascii_uppercase).unwrap_or(c);
    }
    let (mut first, mut count) = (c, 0);
    decompose_compatible(c, |d| {
        if count == 0 {
            first = d;
        }
        count += 1;
    });
    if count == 1 { first } else { c }
}

fn digit(value: u32) -> char {
    char::from_digit(value, 10).unwrap_or('0')
}

/// Greek and Cyrillic letters that look like Latin ones (after UTS #39).
fn twin(c: char) -> char {
    const TWINS: &[(&str, &str)] = &[
        ("АВЕКМНОРСТУХІЈЅҮ", "ABEKMHOPCTYXIJSY"),
        ("аеорсухіјѕԁһԛԝ", "aeopcyxijsdhqw"),
        ("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "ABEZHIKMNOPTYX"),
        ("ονρι", "ovpi"),
    ];
    TWINS.iter().find_map(|(from, to)| from.chars().zip(to.chars()).find(|(f, _)| *f == c)).map_or(c, |(_, t)| t)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(text: &str) -> String {
        String::from_utf8(view(text).0.into_owned()).unwrap()
    }

    #[test]
    fn what_hides_is_undone() {
        for (text, want) in [
            ("gh\u{200b}p_\u{2060}x", "ghp_x"),
            ("ｇｈｐ＿１２", "ghp_12"),
            ("𝗴𝗵𝗽_𝟙", "ghp_1"),
            ("ⓖⓗⓟ", "ghp"),
            ("\\u0067hp\\x5f \\n\\\"", "ghp_ \n\""),
            ("s\u{43a}-gсo", "s\u{43a}-gco"),
            ("Москва", "Москва"),
            ("é 漢字 \\alpha \\", "é 漢字 \\alpha \\"),
        ] {
            assert_eq!(seen(text), want, "{text}");
        }
    }

    #[test]
    fn spans_lead_back_to_whole_characters() {
        let text = "a\u{200b}ｂ漢\\u0063d";
        let (bytes, map) = view(text);
        assert_eq!(&*bytes, "ab漢cd".as_bytes());
        assert_eq!(&text[map.origin(&(1..2), &bytes)], "ｂ");
        assert_eq!(&text[map.origin(&(2..3), &bytes)], "漢");
        assert_eq!(&text[map.origin(&(3..4), &bytes)], "漢");
        assert_eq!(&text[map.origin(&(5..6), &bytes)], "\\u0063");
        assert_eq!(&text[map.origin(&(0..7), &bytes)], text);
    }

    #[test]
    fn pieces_view_as_the_whole() {
        let text = "x\\u0041 é\u{200b}ｂ \\n 漢\\";
        let whole = view(text);
        for cut in (0..=text.len()).filter(|i| text.is_char_boundary(*i)) {
            let (mut out, mut map) = (Vec::new(), Map::default());
            let done = append(&text[..cut], 0, false, &mut out, &mut map);
            append(&text[done..], done, true, &mut out, &mut map);
            assert_eq!(out, *whole.0, "{cut}");
            for i in 0..out.len() {
                assert_eq!(map.origin(&(i..i + 1), &out), whole.1.origin(&(i..i + 1), &out), "{cut} {i}");
            }
        }
    }

    #[test]
    fn what_is_forgotten_changes_no_place() {
        let text = "x\\u0041 é\u{200b}ｂ \\n 漢\\ plain \\t";
        let (bytes, map) = view(text);
        for count in (0..bytes.len()).filter(|n| !(0x80..0xc0).contains(&bytes[*n])) {
            let mut less = map.clone();
            less.drop_front(count);
            for i in count..bytes.len() {
                let origin = less.origin(&(i - count..i - count + 1), &bytes[count..]);
                assert_eq!(origin, map.origin(&(i..i + 1), &bytes), "{count} {i}");
            }
        }
    }

    #[test]
    fn characters_that_change_begin_as_expected() {
        for c in ('\u{80}'..=char::MAX).filter(|c| !may_change(c.encode_utf8(&mut [0; 4]).as_bytes()[0])) {
            for before in [None, Some(b'a')] {
                assert_eq!(plain(c, before, &mut [0; 4]), c.encode_utf8(&mut [0; 4]), "{c:?}");
            }
        }
    }
}
