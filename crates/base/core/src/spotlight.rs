//! Spotlighting: text that nobody vouches for is marked on its way to the model, so that the model can tell it from instructions.
//!
//! `wire` says where a request has room for marks, the guard draws them and puts them in, and takes them out of the answer again.

use std::ops::Range;

/// How such text is marked.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Spotlight {
    /// A mark before it and another one behind it.
    Delimiting,
    /// A mark before each of its words.
    Datamarking,
}

impl Spotlight {
    /// Every way.
    pub const ALL: [Self; 2] = [Self::Delimiting, Self::Datamarking];

    /// The name used in configuration and audit.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Delimiting => "delimiting",
            Self::Datamarking => "datamarking",
        }
    }
}

/// The marks of one request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Marks {
    /// How they mark.
    pub how: Spotlight,
    /// The characters they are made of, none of which stands in any text of the request as it came.
    pub of: Vec<char>,
}

/// Where a request has room for marks and for a word about them.
#[derive(Clone, Debug, Default)]
pub struct Room {
    /// Leaves of text that nobody vouches for and that a model reads as text: no names, no identifiers, no media types.
    pub texts: Vec<usize>,
    /// Where the model can be told; there is one wherever there are such leaves.
    pub notice: Option<Gap>,
}

/// A place in a body of JSON for a text of our own.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Gap {
    /// Bytes of the body that it takes the place of, mostly none. Nothing of it is inside a leaf.
    pub at: Range<usize>,
    /// What stands before the text, as JSON.
    pub before: &'static str,
    /// What stands behind it.
    pub after: &'static str,
}
