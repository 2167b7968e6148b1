//! The plain view: what cannot be seen is removed, what looks alike is folded together.

use std::{borrow::Cow, ops::Range};

/// A folded text and the way back.
#[derive(Clone, Debug)]
pub struct Folded<'a> {
    /// The folded text; borrowed when nothing had to change.
    pub text: Cow<'a, str>,
    /// The way back.
    pub map: Map,
    /// Places of the original that held invisible characters or hidden text, in order.
    pub hidden: Vec<Range<usize>>,
}

/// From positions in the folded text to positions in the original.
#[derive(Clone, Debug, Default)]
pub struct Map {}

impl Map {
    /// The bytes of the original that `range` of the folded text came from; on character boundaries.
    #[must_use]
    pub fn origin(&self, range: Range<usize>) -> Range<usize> {
        range
    }
}

/// Folds `text`.
#[must_use]
pub fn fold(text: &str) -> Folded<'_> {
    Folded { text: Cow::Borrowed(text), map: Map::default(), hidden: Vec::new() }
}
