//! The inside of JSON strings: where one ends, whether its escapes hold, what it says.

use std::borrow::Cow;

/// Why a string is not one; the offset is that of the offending byte.
pub(crate) type Bad = (usize, &'static str);

/// Finds the end of the string whose inside begins at `at`: the place of its closing quote, and whether it holds escapes.
///
/// Does not look at UTF-8.
pub(crate) fn end(bytes: &[u8], mut at: usize) -> Result<(usize, bool), Bad> {
    let mut escaped = false;
    loop {
        at = plain_end(bytes, at);
        match bytes.get(at) {
            Some(b'"') => return Ok((at, escaped)),
            Some(b'\\') => {
                escaped = true;
                at = escape(bytes, at)?;
            }
            Some(_) => return Err((at, "a control character in a string")),
            None => return Err((at, "the string does not end")),
        }
    }
}

/// The text of a string's inside. Its escapes must hold, as [`end`] checks; what does not is left as it stands.
pub(crate) fn unescape(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(slash) = memchr::memchr(b'\\', rest.as_bytes()) {
        let (plain, tail) = rest.split_at(slash);
        out.push_str(plain);
        let (c, length) = match tail.as_bytes().get(1) {
            Some(b'u') => match pair(tail.as_bytes(), 0) {
                Ok((c, length)) => (c, length),
                Err(_) => (char::REPLACEMENT_CHARACTER, 2),
            },
            Some(b'b') => ('\u{8}', 2),
            Some(b'f') => ('\u{c}', 2),
            Some(b'n') => ('\n', 2),
            Some(b'r') => ('\r', 2),
            Some(b't') => ('\t', 2),
            Some(b'"') => ('"', 2),
            Some(b'/') => ('/', 2),
            _ => ('\\', 2),
        };
        out.push(c);
        rest = tail.get(length..).unwrap_or_default();
    }
    out.push_str(rest);
    out
}

/// The text of a string's inside, borrowed where it holds no escapes.
pub(crate) fn decoded(raw: &str, escaped: bool) -> Cow<'_, str> {
    if escaped { Cow::Owned(unescape(raw)) } else { Cow::Borrowed(raw) }
}

/// Index of the first quote, backslash or control character from `at` on, or the length.
fn plain_end(bytes: &[u8], at: usize) -> usize {
    // Most strings end soon; for the others it pays to look for the end first and for control characters after.
    let soon = bytes.len().min(at + 32);
    let found = near_end(bytes, at, soon);
    if found < soon {
        return found;
    }
    let rest = bytes.get(soon..).unwrap_or_default();
    let length = memchr::memchr2(b'"', b'\\', rest).unwrap_or(rest.len());
    let lowest = rest.iter().take(length).fold(u8::MAX, |least, b| least.min(*b));
    if lowest >= 0x20 { soon + length } else { near_end(bytes, soon, soon + length) }
}

/// As [`plain_end`], eight bytes at a time, up to `end`.
fn near_end(bytes: &[u8], mut at: usize, end: usize) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let bytes = bytes.get(..end).unwrap_or(bytes);
    while let Some((word, _)) = bytes.get(at..).and_then(<[u8]>::split_first_chunk::<8>) {
        let w = u64::from_le_bytes(*word);
        let quote = w ^ (ONES * b'"' as u64);
        let slash = w ^ (ONES * b'\\' as u64);
        // The lowest bit set is exact; those above it may be echoes of a borrow.
        let hit = (quote.wrapping_sub(ONES) & !quote)
            | (slash.wrapping_sub(ONES) & !slash)
            | (w.wrapping_sub(ONES * 0x20) & !w);
        if hit & HIGH != 0 {
            return at + ((hit & HIGH).trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while bytes.get(at).is_some_and(|b| *b >= 0x20 && *b != b'"' && *b != b'\\') {
        at += 1;
    }
    at
}

/// Checks the escape that begins at `at` and returns where it ends.
fn escape(bytes: &[u8], at: usize) -> Result<usize, Bad> {
    match bytes.get(at + 1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 2),
        Some(b'u') => pair(bytes, at).map(|(_, length)| at + length),
        Some(_) => Err((at, "an unknown escape")),
        None => Err((at, "the string does not end")),
    }
}

/// The character of the `\u` escape at `at`, and how many bytes it takes: 6, or 12 for a surrogate pair.
fn pair(bytes: &[u8], at: usize) -> Result<(char, usize), Bad> {
    let first = unit(bytes, at)?;
    match first {
        0xD800..=0xDBFF => {
            let low = (bytes.get(at + 6..at + 8) == Some(b"\\u")).then(|| unit(bytes, at + 6)).transpose()?;
            let low = low.filter(|u| (0xDC00..=0xDFFF).contains(u)).ok_or((at, "a lone surrogate"))?;
            let c = 0x10000 + ((first - 0xD800) << 10) + (low - 0xDC00);
            char::from_u32(c).map(|c| (c, 12)).ok_or((at, "a lone surrogate"))
        }
        _ => char::from_u32(first).map(|c| (c, 6)).ok_or((at, "a lone surrogate")),
    }
}

/// The four hexadecimal digits of the `\u` escape at `at`.
fn unit(bytes: &[u8], at: usize) -> Result<u32, Bad> {
    let digits = bytes.get(at + 2..at + 6).ok_or((at, "the escape does not end"))?;
    digits.iter().try_fold(0, |sum, d| {
        let digit = char::from(*d).to_digit(16).ok_or((at, "an escape that is not hexadecimal"))?;
        Ok(sum << 4 | digit)
    })
}
