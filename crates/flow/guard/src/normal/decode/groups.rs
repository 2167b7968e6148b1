//! Bytes written as numbers: hexadecimal, binary, octal or decimal, in groups.

use super::{Encoding, Piece, lettered, readable};
use crate::normal::survey::{self, in_group};

/// Finds `69 67 6e 6f`, `0x69,0x67`, `01101001 01100111`, `151 147`, `105, 103`: at least six groups.
pub(super) fn find(text: &str, out: &mut Vec<Piece>) {
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
        for (encoding, strict) in
            [(Encoding::Hex, false), (Encoding::Binary, false), (Encoding::Octal, true), (Encoding::Decimal, true)]
        {
            let bytes = numbers(run, encoding);
            let text = bytes.as_deref().and_then(readable).filter(|text| !strict || lettered(text));
            out.extend(text.map(|text| Piece { span: start..end, text: text.to_owned(), encoding }));
        }
    }
}

/// The bytes that the groups of `run` stand for, six at least.
fn numbers(run: &str, encoding: Encoding) -> Option<Vec<u8>> {
    let (digits, radix) = match encoding {
        Encoding::Hex => (2..=2, 16),
        Encoding::Binary => (8..=8, 2),
        Encoding::Octal => (2..=3, 8),
        _ => (2..=3, 10),
    };
    let groups = run.split([' ', ',', ':', '\n']).filter(|g| !g.is_empty());
    let value = |g: &str| {
        let g = g.strip_prefix("0x").unwrap_or(g);
        digits.contains(&g.len()).then(|| u8::from_str_radix(g, radix).ok())?
    };
    // The words around the groups may hold the same letters; what does not fit at either end is left out.
    let bytes: Vec<u8> = groups.map(value).skip_while(Option::is_none).map_while(|n| n).collect();
    (bytes.len() >= LEAST).then_some(bytes)
}

/// Shortest stretch of groups.
const GROUPS: usize = survey::GROUPS as usize;
/// Fewest groups.
const LEAST: usize = 6;
/// Longest run that is taken at once; what is longer goes in pieces.
const SPAN: usize = 64 << 10;
