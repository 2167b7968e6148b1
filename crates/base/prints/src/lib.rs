//! Fingerprints of registered texts: an index of them, and the recognition of their passages in other texts.
//!
//! It opens no files and decides nothing: bytes are handed in, and what was recognised is handed out.
//!
//! Texts are compared word by word: case, punctuation, line breaks and what cannot be seen make no difference ([`view`], [`words`]).
//! Of *documents*, groups of [`GROUP`] words are hashed under a key of the deployment, and of each [`WINDOW`] groups in a row one is
//! kept, the same in every text (winnowing: Schleimer, Wilkerson and Aiken, 2003). So a run of [`RUN`] words or more that two texts
//! share has a hash in common wherever it stands. Beside them the index has a byte for each word, by which a passage is followed to its
//! very end. Of *records*, which are too short for that, the fields are hashed: two fields of one record close together are a match.

pub mod blocks;
mod build;
mod format;
mod index;
mod key;
mod passages;
mod records;
mod trail;
pub mod view;
mod winnow;
pub mod words;

use std::io;

pub use build::{Added, Builder, Built, PARTS, Scratch};
pub use index::{Index, IndexError, Source};
pub use key::Key;
pub use trail::{Match, Trail};

/// Words in a group.
pub const GROUP: usize = 6;

/// Groups in a row of which one is kept.
pub const WINDOW: usize = 11;

/// A run of so many words that a text shares with a registered document is found, wherever it stands in both.
pub const RUN: usize = GROUP + WINDOW - 1;

/// So many words in a row may differ within a passage.
pub const GAP: u32 = 3;

/// A group or a field that stands in more places than these is boilerplate: it says nothing, and is left out.
pub const COMMON: usize = 32;

/// Two fields of a record within so many words are a match.
pub const NEAR: u64 = 32;

/// The least length of a field of a record, in bytes of its words.
pub const FIELD: usize = 6;

/// What the registered texts are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Shape {
    /// Running text of which passages are recognised.
    Passages,
    /// Lines of fields, recognised by two of them.
    Records,
}

/// The whole of a text in words: the bytes of its view with its words.
pub(crate) fn words_of(text: &str) -> Vec<words::Word> {
    let (view, _) = view::view(text);
    let mut all = Vec::new();
    words::Words::default().read(&view, true, |word| all.push(*word));
    all
}

/// What cannot be read any more.
pub(crate) fn torn() -> io::Error {
    io::Error::from(io::ErrorKind::InvalidData)
}

#[cfg(test)]
mod tests;
