//! Base85 in its three alphabets: Ascii85, RFC 1924, Z85.
//!
//! Runs of it look like no language, but addresses and code look like runs of it: what counts is that the result is text.

use std::{ops::Range, sync::LazyLock};

use super::{Encoding, Piece, lettered};

/// Finds stretches without white space that one of the alphabets turns into text.
pub(super) fn find(text: &str, out: &mut Vec<Piece>) {
    let bytes = text.as_bytes();
    let (eights, _) = bytes.as_chunks::<8>();
    let (mut n, mut tried) = (0, 0);
    while n + WORDS <= eights.len() {
        // From the last of so many to the first: what cannot be part of a run is skipped without a look.
        let broken = (n..n + WORDS).rev().find(|w| eights.get(*w).is_none_or(|eight| !dense(*eight)));
        if let Some(broken) = broken {
            n = broken + 1;
            continue;
        }
        let fits = |b: &u8| b.is_ascii_graphic();
        let before = bytes.iter().take(n * 8).rev().take(7).take_while(|b| fits(b)).count();
        let start = n * 8 - before;
        let end = start + bytes.iter().skip(start).take(SPAN).take_while(|b| fits(b)).count();
        // Lines that make no text together are not put together again from the second on, which would cost their square.
        let whole = if start < tried { end } else { wrapped(bytes, start, end) };
        tried = tried.max(whole);
        let end = if decode(text, start..whole, out) { whole } else { end };
        if whole > end {
            decode(text, start..end, out);
        }
        n = end / 8 + 1;
    }
}

/// Whether all bytes of eight are visible ASCII; control characters and the space are below, other scripts above.
const fn dense(eight: [u8; 8]) -> bool {
    let all = u64::from_le_bytes(eight);
    (all.wrapping_sub(0x2121_2121_2121_2121) | all) & 0x8080_8080_8080_8080 == 0
}

/// The end of a run that goes on over line ends.
fn wrapped(bytes: &[u8], start: usize, mut end: usize) -> usize {
    let mut width = end - start;
    while bytes.get(end) == Some(&b'\n') && end - start < SPAN {
        let line = bytes.iter().skip(end + 1).take(SPAN).take_while(|b| b.is_ascii_graphic()).count();
        if line == 0 || line > width || bytes.get(end + 1 + line).is_some_and(|b| *b != b'\n') {
            break;
        }
        (width, end) = (line, end + 1 + line);
    }
    end
}

fn decode(text: &str, span: Range<usize>, out: &mut Vec<Piece>) -> bool {
    let run: Vec<u8> =
        text.as_bytes().get(span.clone()).unwrap_or_default().iter().copied().filter(|b| *b != b'\n').collect();
    let run = run.strip_prefix(b"<~").unwrap_or(&run);
    let signs = run.iter().filter(|b| !b.is_ascii_alphanumeric()).count();
    // A fourth of the digits are signs, more where escapes are encoded; text has fewer, drawings nothing else.
    if signs * 16 < run.len() || signs * 10 > run.len() * 9 {
        return false;
    }
    for table in TABLES.iter() {
        // A word or a quotation mark may be stuck to the front.
        for skip in 0..5 {
            let Some(decoded) = run.get(skip..).and_then(|run| undo(run, table)) else { continue };
            if decoded.len() >= LEAST && lettered(&decoded) {
                out.push(Piece { span, text: decoded, encoding: Encoding::Base85 });
                return true;
            }
        }
    }
    false
}

/// The text that `run` encodes up to the first byte that is no digit; nothing as soon as it cannot be text.
fn undo(run: &[u8], table: &[u8; 256]) -> Option<String> {
    let mut out: Vec<u8> = Vec::new();
    for five in run.chunks(5) {
        let mut value: u64 = 0;
        let digits = five.iter().take_while(|b| table.get(usize::from(**b)).is_some_and(|d| *d < 85)).count();
        for place in 0..5 {
            let digit = five.get(place).filter(|_| place < digits).and_then(|b| table.get(usize::from(*b)));
            value = value * 85 + u64::from(digit.copied().unwrap_or(84));
        }
        let word = u32::try_from(value).ok().or_else(|| (digits < 2).then_some(0))?.to_be_bytes();
        let fresh = word.get(..digits.saturating_sub(1)).unwrap_or_default();
        if fresh.iter().any(|b| *b < 0x20 && !b.is_ascii_whitespace()) {
            return None;
        }
        out.extend_from_slice(fresh);
        if digits < 5 {
            break;
        }
    }
    // What the end of a run was stuck to may have cut a character.
    let whole = match std::str::from_utf8(&out) {
        Ok(_) => out.len(),
        Err(error) if out.len() - error.valid_up_to() < 4 => error.valid_up_to(),
        Err(_) => return None,
    };
    out.truncate(whole);
    String::from_utf8(out).ok()
}

/// For each alphabet: the digit that a byte stands for, or 255.
static TABLES: LazyLock<[[u8; 256]; 3]> = LazyLock::new(|| {
    [ASCII85, RFC1924, Z85].map(|alphabet| {
        let mut table = [255; 256];
        for (digit, byte) in (0..85).zip(alphabet) {
            if let Some(place) = table.get_mut(usize::from(*byte)) {
                *place = digit;
            }
        }
        table
    })
});

const ASCII85: &[u8; 85] = b"!\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstu";
const RFC1924: &[u8; 85] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~";
const Z85: &[u8; 85] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

/// Eights of bytes that every run has which is worth decoding: 31 bytes have three whole ones.
const WORDS: usize = 3;
/// Fewest bytes of text that say something.
const LEAST: usize = 16;
/// Longest run that is taken at once.
const SPAN: usize = 64 << 10;
