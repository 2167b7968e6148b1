//! Base64, base32, hex, binary and decimal digits in runs without spaces.

use std::ops::Range;

use data_encoding::{BASE32_NOPAD, BASE64_NOPAD, HEXLOWER_PERMISSIVE};

use super::{Encoding, Piece, lettered, readable};
use crate::normal::survey::{self, in_run};

/// Finds runs that decode to text.
pub(super) fn find(text: &str, out: &mut Vec<Piece>) {
    let bytes = text.as_bytes();
    let (mut at, mut tried) = (LEAST - 1, 0);
    // A run of at least LEAST has a byte at every LEAST-th place; the bytes between are not looked at unless that one fits.
    while at < bytes.len() {
        if !bytes.get(at).is_some_and(|b| in_run(*b)) {
            at += LEAST;
            continue;
        }
        let start = at - bytes.iter().take(at).rev().take(SPAN).take_while(|b| in_run(**b)).count();
        let mut end = at + bytes.iter().skip(at).take(SPAN).take_while(|b| in_run(**b)).count();
        if end - start >= LEAST {
            // Lines that make no text together are not put together again from the second on, which would cost their square.
            let whole = if start < tried { end } else { wrapped(bytes, start, end) };
            tried = tried.max(whole);
            if whole > end && decode(text, start..whole, out) {
                end = whole;
            } else if decode(text, start..end, out) {
                join(text, out);
            }
        }
        at = end + LEAST - 1;
    }
}

/// Puts the last piece to the one before it when there is nothing but white space between them.
fn join(text: &str, out: &mut Vec<Piece>) {
    let [.., before, last] = &out[..] else { return };
    let gap = text.get(before.span.end..last.span.start);
    let near =
        gap.is_some_and(|gap| gap.len() <= INDENT + 4 && gap.bytes().all(|b| b == b'=' || b.is_ascii_whitespace()));
    if before.encoding == last.encoding
        && near
        && let Some(last) = out.pop()
        && let Some(before) = out.last_mut()
    {
        before.text.push_str(&last.text);
        before.span.end = last.span.end;
    }
}

/// The end of a run that goes on over line ends, as in mail: lines of nothing else, none longer than the one before.
fn wrapped(bytes: &[u8], start: usize, mut end: usize) -> usize {
    let mut width = SPAN;
    while end - start < SPAN {
        let mut from = end;
        from += usize::from(bytes.get(from) == Some(&b'\r'));
        if bytes.get(from) != Some(&b'\n') {
            break;
        }
        from += 1;
        from += bytes.iter().skip(from).take(INDENT).take_while(|b| matches!(b, b' ' | b'\t')).count();
        let line = bytes.iter().skip(from).take(SPAN).take_while(|b| in_run(**b)).count();
        let over = bytes.iter().skip(from + line).take(2).take_while(|b| **b == b'=').count();
        let ends = bytes.get(from + line + over).is_none_or(u8::is_ascii_whitespace);
        if line == 0 || line > width || !ends {
            break;
        }
        (width, end) = (line, from + line);
        if over > 0 {
            break;
        }
    }
    end
}

/// Tries every encoding on one run, the narrowest alphabets first; whether one of them made text of it.
fn decode(text: &str, span: Range<usize>, out: &mut Vec<Piece>) -> bool {
    let run = text.as_bytes().get(span.clone()).unwrap_or_default();
    let digits: Vec<u8> = run.iter().copied().filter(|b| !b.is_ascii_whitespace()).collect();
    let digits = digits.strip_prefix(b"0x").unwrap_or(&digits);
    let mut push = |decoded: Option<Vec<u8>>, encoding, strict: bool| {
        let found = decoded.as_deref().and_then(|d| text_of(d, strict));
        let some = found.is_some();
        out.extend(found.map(|text| Piece { span: span.clone(), text, encoding }));
        some
    };
    if digits.iter().all(u8::is_ascii_hexdigit) {
        let binary = digits.iter().all(|b| matches!(b, b'0' | b'1'));
        if binary && push(fixed(digits, 8, 2), Encoding::Binary, false) {
            return true;
        }
        let even = digits.get(..digits.len() & !1).unwrap_or_default();
        if push(HEXLOWER_PERMISSIVE.decode(even).ok(), Encoding::Hex, false) {
            return true;
        }
        let decimal = digits.iter().all(u8::is_ascii_digit);
        if decimal
            && (push(fixed(digits, 3, 10), Encoding::Decimal, true) || push(fixed(digits, 3, 8), Encoding::Octal, true))
        {
            return true;
        }
    }
    let in_base32 = |b: &u8| matches!(b, b'A'..=b'Z' | b'a'..=b'z' | b'2'..=b'7');
    let one_case = !(digits.iter().any(u8::is_ascii_uppercase) && digits.iter().any(u8::is_ascii_lowercase));
    if digits.len() >= 24 && one_case && digits.iter().all(in_base32) {
        let whole = match digits.len() % 8 {
            1 | 3 | 6 => digits.len() - 1,
            _ => digits.len(),
        };
        let upper = digits.get(..whole).map(<[u8]>::to_ascii_uppercase);
        if push(upper.and_then(|b| BASE32_NOPAD.decode(&b).ok()), Encoding::Base32, false) {
            return true;
        }
    }
    // Words and names are runs too; what base64 makes of them does not read like a text.
    let standard = |b: &u8| match b {
        b'-' => b'+',
        b'_' => b'/',
        b => *b,
    };
    let standard: Vec<u8> = digits.iter().map(standard).collect();
    // A path or a word may be stuck to the front; base64 is tried from each of four places.
    (0..4).any(|skip| {
        let Some(rest) = standard.get(skip..) else { return false };
        let whole = if rest.len() % 4 == 1 { rest.len() - 1 } else { rest.len() };
        let mut exact = rest.get(..whole).unwrap_or_default().to_vec();
        loosen(&mut exact);
        push(BASE64_NOPAD.decode(&exact).ok(), Encoding::Base64, false)
    })
}

/// Bytes written with so many digits each.
fn fixed(digits: &[u8], width: usize, radix: u32) -> Option<Vec<u8>> {
    if !digits.len().is_multiple_of(width) {
        return None;
    }
    let byte = |group| u8::from_str_radix(std::str::from_utf8(group).ok()?, radix).ok();
    digits.chunks(width).map(byte).collect()
}

/// The text that bytes are, in UTF-8 or UTF-16.
fn text_of(bytes: &[u8], strict: bool) -> Option<String> {
    if let Some(text) = readable(bytes) {
        return (!strict || lettered(text)).then(|| text.to_owned());
    }
    let (pairs, []) = bytes.as_chunks::<2>() else { return None };
    // Alphabets have zeros, at least for their spaces; ideographs, kana and Hangul have none but few high bytes.
    let zeros = pairs.iter().any(|pair| pair.contains(&0));
    let eastern = |pair: &[u8; 2]| matches!(pair[1], 0x30 | 0x4e..=0x9f | 0xac..=0xd7 | 0xff);
    if !zeros && (pairs.len() < EASTERN || !pairs.iter().all(eastern)) {
        return None;
    }
    let units = pairs.iter().map(|pair| u16::from_le_bytes(*pair));
    let text: String = char::decode_utf16(units).collect::<Result<_, _>>().ok()?;
    lettered(&text).then_some(text)
}

/// Clears the bits of the last digit that encode nothing; some encoders leave them set.
fn loosen(digits: &mut [u8]) {
    let keep = match digits.len() % 4 {
        2 => 0b11_0000,
        3 => 0b11_1100,
        _ => return,
    };
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    if let Some(last) = digits.last_mut()
        && let Some(value) = ALPHABET.iter().position(|a| a == last)
        && let Some(clean) = ALPHABET.get(value & keep)
    {
        *last = *clean;
    }
}

/// Shortest run that is worth decoding.
const LEAST: usize = survey::RUN as usize;
/// Longest run that is taken at once; what is longer goes in pieces.
const SPAN: usize = 64 << 10;
/// Fewest characters in a row that tell a script by their high bytes alone.
const EASTERN: usize = 12;
/// How far lines may be moved in.
const INDENT: usize = 8;
