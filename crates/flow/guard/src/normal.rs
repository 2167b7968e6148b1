//! Views of a text as a reader or a model would take it, whatever it is written like, each with a way back to the bytes that arrived.
//!
//! The *plain view* removes what cannot be seen and folds what looks alike (see [`fold`]). *Decoded views* are the texts
//! hidden inside it (see [`decode`]): base64, hex, escapes, reversed, and so on, nested and within a budget of bytes.
//! Both depend only on the neighbourhood of each character or token, so that a text cut in pieces and put together again looks the same.

pub mod decode;
pub mod fold;
mod markup;
pub(crate) mod starts;
pub(crate) mod survey;

use std::{borrow::Cow, ops::Range};

use countersign_core::{Channel, Leaf, Trust};

pub use decode::Encoding;
use decode::{Piece, unseen};
pub use fold::{Folded, fold};
use survey::Survey;

/// One view of a leaf: what detectors look at.
///
/// ASCII letters keep their case (keys and tokens depend on it); other letters are lower case, Latin ones without accents.
#[derive(Clone, Debug)]
pub struct Normal<'a> {
    /// The text of this view.
    pub text: Cow<'a, str>,
    /// How this view was come by; empty for the plain view, outermost encoding first.
    pub layers: Vec<Encoding>,
    /// Which voice the leaf speaks in.
    pub channel: Channel,
    /// How far the leaf is trusted.
    pub trust: Trust,
    /// Bytes of the leaf that a reader does not see, and why; in no order.
    pub concealed: Vec<(Range<usize>, Conceals)>,
    /// Texts of the leaf that this view has lost: written in characters that nobody sees, or in pictures of letters.
    unseen: Vec<Piece>,
    /// Back to the leaf's bytes.
    origin: Origin,
    /// What one look at every byte said.
    survey: Survey,
}

/// Why a reader does not see a piece of text.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Conceals {
    /// Its characters have no shape: zero-width, tags, variation selectors, turned direction.
    Invisible,
    /// It is a comment in HTML or Markdown.
    Comment,
    /// Its style says so: not displayed, transparent, tiny, white.
    Style,
}

/// How positions in a view lead back to the leaf's bytes.
#[derive(Clone, Debug)]
enum Origin {
    /// Character by character.
    Map(fold::Map),
    /// The whole view stands for these bytes.
    Whole(Range<usize>),
}

impl<'a> Normal<'a> {
    /// The plain view of a leaf. Borrows when there is nothing to change, which costs one pass and no allocation.
    #[must_use]
    pub fn plain(leaf: &Leaf<'a>) -> Self {
        let folded = fold(leaf.text);
        let unseen = unseen::find(leaf.text, &folded);
        let Folded { text, map, hidden, .. } = folded;
        let mut concealed: Vec<_> = hidden.into_iter().map(|span| (span, Conceals::Invisible)).collect();
        markup::find(&text, |span, why| concealed.push((map.origin(span), why)));
        let origin = Origin::Map(map);
        let survey = Survey::of(&text);
        Self { text, layers: Vec::new(), channel: leaf.channel, trust: leaf.trust, concealed, unseen, origin, survey }
    }

    /// The bytes of the leaf that `range` of this view came from; on character boundaries of the leaf.
    #[must_use]
    pub fn origin(&self, range: Range<usize>) -> Range<usize> {
        match &self.origin {
            Origin::Map(map) => map.origin(range),
            Origin::Whole(span) => span.clone(),
        }
    }

    /// Whether markup keeps something of `range` of this view from a reader. Characters that cannot be seen hide nothing but
    /// themselves.
    #[must_use]
    pub fn conceals(&self, range: Range<usize>) -> bool {
        if self.concealed.is_empty() {
            return false;
        }
        let span = self.origin(range);
        let hides = |why| why != Conceals::Invisible;
        self.concealed.iter().any(|(c, why)| hides(*why) && c.start < span.end && span.start < c.end)
    }

    /// Where a message is written in characters that nobody sees.
    pub(crate) fn messages(&self) -> impl Iterator<Item = Range<usize>> {
        self.unseen.iter().filter(|piece| piece.encoding.unseen()).map(|piece| piece.span.clone())
    }

    /// Whether this view may have lost its spaces, so that words are to be looked for anywhere.
    pub(crate) fn joined(&self) -> bool {
        self.layers.last().is_some_and(|encoding| encoding.joins())
            && self.text.bytes().filter(u8::is_ascii_whitespace).count() * WORD < self.text.len()
    }

    /// What one look at every byte of this view said.
    pub(crate) const fn survey(&self) -> &Survey {
        &self.survey
    }

    /// The views hidden in this one, nested ones too, within `budget` bytes, which it reduces; to nothing where they did not fit.
    #[must_use]
    pub fn decoded(&self, budget: &mut usize) -> Vec<Normal<'static>> {
        decode::views(self, budget)
    }
}

/// Bytes of a word on average, in text that has its spaces.
const WORD: usize = 10;
