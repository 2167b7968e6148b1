//! Base64, base32 and hex in runs without spaces; hex and binary in groups.

use std::ops::Range;

use data_encoding::{BASE32_NOPAD, BASE64_NOPAD, HEXLOWER_PERMISSIVE};

use super::{Encoding, Piece, readable};
use crate::normal::survey::{self, Survey, in_group, in_run};

/// Finds what is encoded in `text`.
pub(super) fn find(text: &str, survey: &Survey, out: &mut Vec<Piece>) {
    if survey.runs {
        together(text, out);
    }
    if survey.groups {
        grouped(text, out);
    }
}

/// Runs without spaces.
fn together(text: &str, out: &mut Vec<Piece>) {
    let bytes = text.as_bytes();
    let mut at = LEAST - 1;
    // A run of at least LEAST has a byte at every LEAST-th place; the bytes between are not looked at unless that one fits.
    while at < bytes.len() {
        if !bytes.get(at).is_some_and(|b| in_run(*b)) {
            at += LEAST;
            continue;
        }
        let start = at - bytes.iter().take(at).rev().take(SPAN).take_while(|b| in_run(**b)).count();
        let end = at + bytes.iter().skip(at).take(SPAN).take_while(|b| in_run(**b)).count();
        if end - start >= LEAST {
            let end = wrapped(bytes, start, end);
            if let Some(run) = text.get(start..end) {
                decode(run, start..end, out);
            }
            at = end + LEAST;
        } else {
            at = end + LEAST - 1;
        }
    }
}

/// The end of a run that goes on over line ends, as in mail.
fn wrapped(bytes: &[u8], start: usize, mut end: usize) -> usize {
    let mut line = end - start;
    while line >= 60 {
        let gap = match (bytes.get(end), bytes.get(end + 1)) {
            (Some(b'\n'), _) => 1,
            (Some(b'\r'), Some(b'\n')) => 2,
            _ => break,
        };
        line = bytes.iter().skip(end + gap).take(SPAN).take_while(|b| in_run(**b)).count();
        if line == 0 || end - start > SPAN {
            break;
        }
        end += gap + line;
    }
    end
}

fn decode(run: &str, span: Range<usize>, out: &mut Vec<Piece>) {
    let bytes: Vec<u8> = run.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    let mut push = |decoded: Option<Vec<u8>>, encoding| {
        let Some(decoded) = decoded else { return false };
        let Some(text) = readable(&decoded) else { return false };
        out.push(Piece { span: span.clone(), text: text.to_owned(), encoding });
        true
    };
    if bytes.iter().all(u8::is_ascii_hexdigit) {
        let even = bytes.get(..bytes.len() & !1).unwrap_or_default();
        if push(HEXLOWER_PERMISSIVE.decode(even).ok(), Encoding::Hex) {
            return;
        }
    }
    if bytes.len() >= 24 && bytes.iter().all(|b| matches!(b, b'A'..=b'Z' | b'2'..=b'7')) {
        let whole = match bytes.len() % 8 {
            1 | 3 | 6 => bytes.len() - 1,
            _ => bytes.len(),
        };
        if push(bytes.get(..whole).and_then(|b| BASE32_NOPAD.decode(b).ok()), Encoding::Base32) {
            return;
        }
    }
    // Words and names are runs too; what base64 makes of them does not read like a text.
    let standard: Vec<u8> = bytes
        .iter()
        .map(|b| match b {
            b'-' => b'+',
            b'_' => b'/',
            b => *b,
        })
        .collect();
    // A path or a word may be stuck to the front; base64 is tried from each of four places.
    for skip in 0..4 {
        let Some(rest) = standard.get(skip..) else { return };
        let whole = if rest.len() % 4 == 1 { rest.len() - 1 } else { rest.len() };
        let mut exact = rest.get(..whole).unwrap_or_default().to_vec();
        loosen(&mut exact);
        if push(BASE64_NOPAD.decode(&exact).ok(), Encoding::Base64) {
            return;
        }
    }
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

/// `69 67 6e 6f`, `0x69,0x67`, `01101001 01100111`: equal groups with separators, at least six of them.
fn grouped(text: &str, out: &mut Vec<Piece>) {
    let bytes = text.as_bytes();
    let mut at = GROUPS - 1;
    while at < bytes.len() {
        if !bytes.get(at).is_some_and(|b| in_group(*b)) {
            at += GROUPS;
            continue;
        }
        let start = at - bytes.iter().take(at).rev().take(SPAN).take_while(|b| in_group(**b)).count();
        let end = at + bytes.iter().skip(at).take(SPAN).take_while(|b| in_group(**b)).count();
        at = end + GROUPS;
        let Some(run) = text.get(start..end).filter(|r| r.len() >= GROUPS && r.contains([' ', ',', ':'])) else {
            continue;
        };
        let groups =
            || run.split([' ', ',', ':', '\n']).filter(|g| !g.is_empty()).map(|g| g.strip_prefix("0x").unwrap_or(g));
        let radix = |digits: usize, radix: u32| -> Option<Vec<u8>> {
            // The words around the groups may hold the same letters; what does not fit at either end is left out.
            let fits = |g: &&str| g.len() == digits && u8::from_str_radix(g, radix).is_ok();
            let bytes: Vec<u8> = groups()
                .skip_while(|g| !fits(g))
                .take_while(fits)
                .filter_map(|g| u8::from_str_radix(g, radix).ok())
                .collect();
            (bytes.len() >= 6).then_some(bytes)
        };
        let span = start..end;
        for (bytes, encoding) in [(radix(2, 16), Encoding::Hex), (radix(8, 2), Encoding::Binary)] {
            if let Some(text) = bytes.as_deref().and_then(readable) {
                out.push(Piece { span: span.clone(), text: text.to_owned(), encoding });
            }
        }
    }
}

/// Shortest run that is worth decoding.
const LEAST: usize = survey::RUN as usize;
/// Shortest stretch of groups.
const GROUPS: usize = survey::GROUPS as usize;
/// Longest run that is taken at once; what is longer goes in pieces.
const SPAN: usize = 64 << 10;
