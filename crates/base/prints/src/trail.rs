//! How far one text has been compared with an index.

use std::{io, ops::Range, sync::Arc};

use crate::{Index, Shape, passages::Passages, records::Records, words::Word};

/// A piece of a registered text, in bytes of the view that is compared.
#[derive(Clone, Debug, PartialEq)]
pub struct Match {
    /// Where it stands.
    pub span: Range<usize>,
    /// The text it is of, as `SET: NAME`.
    pub source: Arc<str>,
    /// How many words of it stand here, those of earlier pieces of the same passage included.
    pub words: u32,
    /// It goes on from the piece before it.
    pub more: bool,
}

/// How far one text has been compared with one index. Goes with that index only.
#[derive(Debug)]
pub struct Trail(Kind);

#[derive(Debug)]
enum Kind {
    Passages(Passages),
    Records(Records),
}

impl Trail {
    /// Begins.
    #[must_use]
    pub fn new(index: &Index) -> Self {
        Self(match index.shape() {
            Shape::Passages => Kind::Passages(Passages::default()),
            Shape::Records => Kind::Records(Records::default()),
        })
    }

    /// Takes in the next word.
    ///
    /// # Errors
    /// When the index cannot be read any more: then nothing is known of the text from [`Trail::reach`] on.
    #[inline]
    pub fn push(&mut self, word: &Word, index: &Index) -> io::Result<Option<Match>> {
        match &mut self.0 {
            Kind::Passages(it) => it.push(word, index),
            Kind::Records(it) => it.push(word, index),
        }
    }

    /// The earliest place at which what comes next may begin. Nothing before it can become a match any more.
    #[must_use]
    pub fn open(&self) -> usize {
        match &self.0 {
            Kind::Passages(it) => it.open(),
            Kind::Records(it) => it.open(),
        }
    }

    /// The earliest place that the last word may belong to: from there on nothing is known where an index could not be read.
    #[must_use]
    pub fn reach(&self) -> usize {
        match &self.0 {
            Kind::Passages(it) => it.reach(),
            Kind::Records(it) => it.open(),
        }
    }

    /// Whether nothing has matched that could become more.
    #[must_use]
    pub fn idle(&self) -> bool {
        match &self.0 {
            Kind::Passages(it) => it.idle(),
            Kind::Records(it) => it.idle(),
        }
    }

    /// Forgets the first `count` bytes of the view. Places before them are then at its beginning.
    pub fn drop_front(&mut self, count: usize) {
        match &mut self.0 {
            Kind::Passages(it) => it.drop_front(count),
            Kind::Records(it) => it.drop_front(count),
        }
    }
}

/// What is being told of: as long as it goes on, nothing else is.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) unit: u32,
    pub(crate) source: Arc<str>,
    pub(crate) words: u32,
}
