//! Decoded views: texts hidden in a text by an encoding, nested to a bounded depth and within a budget of bytes.
//!
//! Cheap looks first: a [`Survey`] rules out most decoders for most texts before any of them reads a byte.

use std::ops::Range;

use super::{Normal, Origin, Survey, fold};

mod escapes;
mod letters;
mod runs;

/// How a text was hidden.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Encoding {
    /// RFC 4648 base64, either alphabet, padded or not.
    Base64,
    /// RFC 4648 base32.
    Base32,
    /// Pairs of hexadecimal digits, run together or in groups.
    Hex,
    /// Groups of eight binary digits.
    Binary,
    /// Escapes: `%41`, `\x41`, `\u0041`, `&#65;`, `&lt;`, `=41`.
    Escapes,
    /// Letters set apart by a separator, as in `i g n o r e`.
    Spaced,
    /// Digits and signs in place of letters, as in `1gn0re`.
    Leet,
    /// Each letter moved by thirteen.
    Rot13,
    /// Written backwards.
    Reversed,
    /// Morse code.
    Morse,
}

impl Encoding {
    /// The name used in records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Base64 => "base64",
            Self::Base32 => "base32",
            Self::Hex => "hex",
            Self::Binary => "binary",
            Self::Escapes => "escapes",
            Self::Spaced => "spaced",
            Self::Leet => "leet",
            Self::Rot13 => "rot13",
            Self::Reversed => "reversed",
            Self::Morse => "morse",
        }
    }
}

/// A text found by a decoder, and the bytes it stands for.
struct Piece {
    span: Range<usize>,
    text: String,
    encoding: Encoding,
}

/// The views hidden in `of` and in each other. `budget` is the bytes that may still be decoded.
pub(super) fn views(of: &Normal<'_>, budget: &mut usize) -> Vec<Normal<'static>> {
    let mut found: Vec<Normal<'static>> = Vec::new();
    look(of, budget, &mut found);
    let mut next = 0;
    while let Some(view) = found.get(next).filter(|v| v.layers.len() < DEPTH).cloned() {
        look(&view, budget, &mut found);
        next += 1;
    }
    found
}

fn look(of: &Normal<'_>, budget: &mut usize, found: &mut Vec<Normal<'static>>) {
    let mut pieces = Vec::new();
    let last = of.layers.last();
    runs::find(&of.text, &of.survey, &mut pieces);
    escapes::find(&of.text, &mut pieces);
    // A text that was put together from letters is not taken apart by letters again.
    if !matches!(last, Some(Encoding::Spaced | Encoding::Leet | Encoding::Rot13 | Encoding::Reversed)) {
        letters::find(&of.text, &of.survey, &mut pieces);
    }
    for piece in pieces {
        let Some(left) = budget.checked_sub(piece.text.len()) else { continue };
        *budget = left;
        let mut layers = of.layers.clone();
        layers.push(piece.encoding);
        let text = fold(&piece.text).text.into_owned();
        found.push(Normal {
            survey: Survey::of(&text),
            text: text.into(),
            layers,
            channel: of.channel,
            trust: of.trust,
            concealed: Vec::new(),
            origin: Origin::Whole(of.origin(piece.span)),
        });
    }
}

/// Whether decoded bytes read like a text rather than like noise.
fn readable(bytes: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (mut all, mut odd) = (0_usize, 0_usize);
    for c in text.chars() {
        all += 1;
        odd += usize::from(
            c.is_control() && !c.is_whitespace() || c == '\u{fffd}' || ('\u{e000}'..='\u{f8ff}').contains(&c),
        );
    }
    (all >= 4 && odd * 20 <= all).then_some(text)
}

/// The nearest character boundary at or before `at`.
fn floor(text: &str, mut at: usize) -> usize {
    at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// How deep encodings may be nested.
const DEPTH: usize = 3;

#[cfg(test)]
mod tests;
