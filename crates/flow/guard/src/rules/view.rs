//! The view that answer-side rules read: bytes in which what is invisible is gone, look-alikes of ASCII are ASCII, and the
//! escapes of JSON and source code (`\n`, `\u0041`) are what they stand for.
//!
//! Each character is viewed by itself (a look-alike also by the byte before it), so a text that arrives in pieces has the same
//! view as the whole. Plain text is its own view and is not copied.

use std::{borrow::Cow, ops::Range};

use unicode_normalization::char::decompose_compatible;

/// Where the bytes of a view came from.
#[derive(Clone, Debug, Default)]
pub(crate) struct Map {
    /// Start and end in the original for every byte of the view; none while the two are the same.
    parts: Option<Vec<(usize, usize)>>,
    /// Place in the original of the view's first byte, while there are no parts.
    base: usize,
}

impl Map {
    /// The bytes of the original that `span` of the view came from.
    pub(crate) fn origin(&self, span: &Range<usize>) -> Range<usize> {
        let Some(parts) = &self.parts else { return span.start + self.base..span.end + self.base };
        let start = parts.get(span.start).map_or(0, |p| p.0);
        let end = span.end.checked_sub(1).and_then(|i| parts.get(i)).map_or(start, |p| p.1);
        start..end.max(start)
    }

    /// Whether the byte stands for itself rather than for an escape.
    pub(crate) fn plain(&self, at: usize) -> bool {
        self.parts.as_ref().and_then(|p| p.get(at)).is_none_or(|(start, end)| end - start == 1)
    }

    /// Forgets the first `count` bytes of the view.
    pub(crate) fn drop_front(&mut self, count: usize) {
        match &mut self.parts {
            Some(parts) => drop(parts.drain(..count.min(parts.len()))),
            None => self.base += count,
        }
    }
}

/// Whether a text is its own view, by its bytes alone.
pub(crate) fn is_plain(text: &str) -> bool {
    text.is_ascii() && memchr::memchr(b'\\', text.as_bytes()).is_none()
}

/// The view of a whole text.
pub(crate) fn view(text: &str) -> (Cow<'_, [u8]>, Map) {
    if is_plain(text) {
        return (Cow::Borrowed(text.as_bytes()), Map::default());
    }
    let (mut out, mut map) = (Vec::with_capacity(text.len()), Map::default());
    append(text, 0, true, &mut out, &mut map);
    (Cow::Owned(out), map)
}

/// Adds the view of `text`, which stands at `at` in the original, and says how much of it was viewed: an escape that is
/// not whole stays behind unless this is the `last` of the text.
pub(crate) fn append(text: &str, at: usize, last: bool, out: &mut Vec<u8>, map: &mut Map) -> usize {
    if is_plain(text) {
        if let Some(parts) = &mut map.parts {
            parts.extend((at..at + text.len()).map(|i| (i, i + 1)));
        }
        out.extend_from_slice(text.as_bytes());
        return text.len();
    }
    let bytes = text.as_bytes();
    let mut done = 0;
    while let Some(&byte) = bytes.get(done) {
        let rest = bytes.get(done..).unwrap_or_default();
        if byte == b'\\' {
            let Some((c, width)) = escape(rest, last) else { return done };
            let mut buffer = [0; 4];
            let stands_for = if width == 1 { "\\" } else { plain(c, out.last().copied(), &mut buffer) };
            put(stands_for.as_bytes(), at + done, width, out, map);
            done += width;
        } else if byte.is_ascii() {
            let run = rest.iter().position(|b| !b.is_ascii() || *b == b'\\').unwrap_or(rest.len());
            put_same(rest.get(..run).unwrap_or_default(), at + done, out, map);
            done += run;
        } else {
            let Some(c) = text.get(done..).and_then(|t| t.chars().next()) else { break };
            let width = c.len_utf8();
            let mut buffer = [0; 4];
            let stands_for = plain(c, out.last().copied(), &mut buffer);
            if stands_for.as_bytes() == rest.get(..width).unwrap_or_default() {
                put_same(stands_for.as_bytes(), at + done, out, map);
            } else {
                put(stands_for.as_bytes(), at + done, width, out, map);
            }
            done += width;
        }
    }
    done
}

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

/// Adds bytes that are the same in the original.
fn put_same(bytes: &[u8], at: usize, out: &mut Vec<u8>, map: &mut Map) {
    if let Some(parts) = &mut map.parts {
        // A character is never cut: every byte of it stands for the whole of it.
        let mut start = at;
        for (i, byte) in bytes.iter().enumerate() {
            if byte.is_ascii() || *byte >= 0xc0 {
                start = at + i;
            }
            let end = if byte.is_ascii() { start + 1 } else { start + width(bytes.get(start - at).copied()) };
            parts.push((start, end));
        }
    }
    out.extend_from_slice(bytes);
}

/// Length of the character that begins with this byte.
fn width(lead: Option<u8>) -> usize {
    match lead {
        Some(0xf0..) => 4,
        Some(0xe0..) => 3,
        Some(0xc0..) => 2,
        _ => 1,
    }
}

/// Adds bytes that stand for `width` bytes of the original.
fn put(bytes: &[u8], at: usize, width: usize, out: &mut Vec<u8>, map: &mut Map) {
    let base = map.base;
    let parts = map.parts.get_or_insert_with(|| (0..out.len()).map(|i| (base + i, base + i + 1)).collect());
    parts.extend(bytes.iter().map(|_| (at, at + width)));
    out.extend_from_slice(bytes);
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
        assert_eq!(&text[map.origin(&(1..2))], "ｂ");
        assert_eq!(&text[map.origin(&(2..3))], "漢");
        assert_eq!(&text[map.origin(&(5..6))], "\\u0063");
        assert_eq!(&text[map.origin(&(0..7))], text);
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
                assert_eq!(map.origin(&(i..i + 1)), whole.1.origin(&(i..i + 1)), "{cut} {i}");
            }
        }
    }
}
