//! Decoded views: texts hidden in a text by an encoding, nested to a bounded depth and within a budget of bytes.
//!
//! Cheap looks first: a [`Survey`] rules out most decoders for most texts before any of them reads a byte.

use std::ops::Range;

use super::{Normal, Origin, Survey, fold};

mod base85;
mod caesar;
mod escapes;
mod groups;
mod letters;
mod morse;
mod runs;
mod telltale;
pub(super) mod unseen;

/// How a text was hidden.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Encoding {
    /// RFC 4648 base64, either alphabet, padded or not, of UTF-8 or UTF-16.
    Base64,
    /// RFC 4648 base32.
    Base32,
    /// Ascii85, RFC 1924 or Z85.
    Base85,
    /// Pairs of hexadecimal digits, run together or in groups.
    Hex,
    /// Eight binary digits for each byte, run together or in groups.
    Binary,
    /// Octal numbers of bytes, run together or in groups.
    Octal,
    /// Decimal numbers of bytes, run together or in groups.
    Decimal,
    /// Escapes: `%41`, `\x41`, `\u0041`, `\101`, `&#65;`, `&lt;`, `&iopf;`, `=41`.
    Escapes,
    /// Letters set apart by a separator, as in `i g n o r e`.
    Spaced,
    /// Digits and signs in place of letters, as in `1gn0re`.
    Leet,
    /// Each letter moved along the alphabet, by 13 (rot13) or any other number.
    Caesar,
    /// Z for A, Y for B, and so on.
    Atbash,
    /// Written backwards, as a whole or word by word.
    Reversed,
    /// Pig Latin.
    PigLatin,
    /// Names of letters: `india golf november`.
    Spelled,
    /// Morse code.
    Morse,
    /// Letters of flags.
    Flags,
    /// Letters that stand on their heads.
    UpsideDown,
    /// Bytes in variation selectors.
    Selectors,
    /// Bits in characters without width.
    ZeroWidth,
}

impl Encoding {
    /// The name used in records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Base64 => "base64",
            Self::Base32 => "base32",
            Self::Base85 => "base85",
            Self::Hex => "hex",
            Self::Binary => "binary",
            Self::Octal => "octal",
            Self::Decimal => "decimal",
            Self::Escapes => "escapes",
            Self::Spaced => "spaced",
            Self::Leet => "leet",
            Self::Caesar => "caesar",
            Self::Atbash => "atbash",
            Self::Reversed => "reversed",
            Self::PigLatin => "pig-latin",
            Self::Spelled => "spelled",
            Self::Morse => "morse",
            Self::Flags => "flags",
            Self::UpsideDown => "upside-down",
            Self::Selectors => "selectors",
            Self::ZeroWidth => "zero-width",
        }
    }

    /// Whether what it hides may have lost its spaces.
    pub(super) const fn joins(self) -> bool {
        matches!(self, Self::Spaced | Self::Spelled | Self::Morse | Self::Flags)
    }

    /// Whether nobody sees that something is there.
    pub(crate) const fn unseen(self) -> bool {
        matches!(self, Self::Selectors | Self::ZeroWidth)
    }

    /// Whether it is a game with letters: any text can be taken for one.
    const fn plays(self) -> bool {
        matches!(
            self,
            Self::Spaced
                | Self::Leet
                | Self::Caesar
                | Self::Atbash
                | Self::Reversed
                | Self::PigLatin
                | Self::Spelled
                | Self::UpsideDown
        )
    }
}

/// A text found by a decoder, and the bytes it stands for.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    pub(crate) span: Range<usize>,
    pub(crate) text: String,
    pub(crate) encoding: Encoding,
}

/// The views hidden in `of` and in each other. `budget` is the bytes that may still be decoded; what does not fit is cut off,
/// and nothing is left then.
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
    for piece in &of.unseen {
        // Their places are those of the text before it was folded.
        let origin = match &of.origin {
            Origin::Map(_) => piece.span.clone(),
            Origin::Whole(span) => span.clone(),
        };
        show(of, origin, piece.clone(), budget, found);
    }
    let mut pieces = Vec::new();
    if of.survey.runs {
        runs::find(&of.text, &mut pieces);
    }
    if of.survey.groups {
        groups::find(&of.text, &mut pieces);
    }
    base85::find(&of.text, &mut pieces);
    escapes::find(&of.text, &mut pieces);
    if of.survey.morse {
        morse::find(&of.text, &mut pieces);
    }
    // Two games are played on top of each other, hardly three; and none is played twice.
    if of.layers.iter().filter(|l| l.plays()).count() < GAMES {
        let from = pieces.len();
        letters::find(&of.text, &of.survey, &mut pieces);
        telltale::find(&of.text, &of.survey, &mut pieces);
        let played = |p: &Piece| p.encoding.plays() && of.layers.contains(&p.encoding);
        let games = pieces.split_off(from);
        pieces.extend(games.into_iter().filter(|p| !played(p)));
    }
    for piece in pieces {
        show(of, of.origin(piece.span.clone()), piece, budget, found);
    }
}

/// Adds the view that a piece is, as far as the budget goes.
fn show(of: &Normal<'_>, origin: Range<usize>, piece: Piece, budget: &mut usize, found: &mut Vec<Normal<'static>>) {
    let whole = floor(&piece.text, *budget);
    *budget = if whole < piece.text.len() { 0 } else { *budget - whole };
    let text = piece.text.get(..whole).unwrap_or_default();
    if text.is_empty() {
        return;
    }
    let mut layers = of.layers.clone();
    layers.push(piece.encoding);
    let folded = fold(text);
    let unseen = unseen::find(text, &folded);
    let text = folded.text.into_owned();
    found.push(Normal {
        survey: Survey::of(&text),
        text: text.into(),
        layers,
        channel: of.channel,
        trust: of.trust,
        concealed: Vec::new(),
        unseen,
        origin: Origin::Whole(origin),
    });
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

/// Whether a text is of words, as lists of numbers, drawings and noise are not; or so long that its bytes are no accident.
fn lettered(text: &str) -> bool {
    let (mut all, mut letters, mut words) = (0_usize, 0_usize, 0_usize);
    for c in text.chars() {
        all += 1;
        letters += usize::from(c.is_alphabetic());
        words += usize::from(c.is_alphanumeric() || c.is_whitespace());
    }
    let sound = |c: char| !c.is_control() || matches!(c, '\n' | '\r' | '\t');
    all >= 4 && letters * 3 >= all && words * 5 >= all * 3 || all >= SURE && text.chars().all(sound)
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
/// Characters in a row, none for control, that no noise has.
const SURE: usize = 32;
/// How many games with letters are undone on top of each other.
const GAMES: usize = 2;

#[cfg(test)]
mod tests;
