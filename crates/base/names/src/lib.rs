//! Finds names of people, places and organisations in a text, with weights that come with it.
//!
//! It does no I/O, keeps no state between texts, knows nothing of messages or policy, and decides nothing.
//!
//! ```
//! use countersign_core::Entity;
//! use countersign_names::Tagger;
//!
//! let text = "My name is Sarah Connor and I live in Paris.";
//! let names = Tagger::shipped().tag(text);
//! assert_eq!(&text[names[0].span.clone()], "Sarah Connor");
//! assert_eq!(names[0].entity, Entity::Person);
//! ```

pub mod decode;
pub mod features;
pub mod lexicon;
pub mod token;
mod weights;

use std::{borrow::Cow, ops::Range, sync::LazyLock};

use countersign_core::Entity;

use decode::{Run, Scratch};
use token::Token;
pub use weights::{Parts, Weights, WeightsError};

/// A name in a text.
#[derive(Clone, Debug, PartialEq)]
pub struct Name {
    /// Bytes of the text, on character boundaries.
    pub span: Range<usize>,
    /// A person, a place or an organisation.
    pub entity: Entity,
    /// How much surer this reading is than any other, from just over 0.5 to 1.
    pub confidence: f32,
}

/// Finds names. Used by every request at once.
#[derive(Debug)]
pub struct Tagger {
    weights: Weights,
}

impl Tagger {
    /// The tagger that comes with this crate. Its weights are read where they lie in the binary.
    ///
    /// # Panics
    /// When the weights in the binary are damaged, which a test rules out.
    #[must_use]
    pub fn shipped() -> &'static Self {
        &SHIPPED
    }

    /// With these weights.
    #[must_use]
    pub const fn new(weights: Weights) -> Self {
        Self { weights }
    }

    /// The names in `text`, in order, none overlapping. Linear in the length of the text; what it keeps besides its answer does not
    /// grow with the text.
    #[must_use]
    pub fn tag(&self, text: &str) -> Vec<Name> {
        self.read(text, true).0
    }

    /// The names in the sentences and lines of `text` that are whole, and where the first begins that more text could change. Nothing
    /// is left open where the text is the `last`. At most [`token::MOST`] bytes and what follows them are left open.
    #[must_use]
    pub fn read(&self, text: &str, last: bool) -> (Vec<Name>, usize) {
        let (mut reader, mut out, mut at) = (Reader::default(), Vec::new(), 0);
        while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
            let Some(length) = token::segment(rest, last) else { break };
            reader.read(self, text, at..at + length, &mut out);
            at += length;
        }
        (out, at)
    }
}

/// Reads a text segment by segment.
#[derive(Debug, Default)]
struct Reader {
    tokens: Vec<Token>,
    runs: Vec<Run>,
    scratch: Scratch,
}

impl Reader {
    /// Appends the names in the segment `text[span]`.
    fn read(&mut self, tagger: &Tagger, text: &str, span: Range<usize>, out: &mut Vec<Name>) {
        self.tokens.clear();
        token::tokens(text, span, &tagger.weights.lexicon(), &mut self.tokens);
        self.runs.clear();
        decode::runs(&tagger.weights, text, &self.tokens, &mut self.scratch, &mut self.runs);
        for run in &self.runs {
            let Some(tokens) = self.tokens.get(run.tokens.clone()) else { continue };
            let (Some(first), Some(last)) = (tokens.first(), tokens.last()) else { continue };
            out.push(Name { span: first.span.start..last.span.end, entity: run.entity, confidence: run.confidence });
        }
    }
}

static SHIPPED: LazyLock<Tagger> = LazyLock::new(|| {
    let weights = Weights::read(Cow::Borrowed(include_bytes!("../weights/names.bin")));
    Tagger::new(weights.expect("the weights in the binary are whole"))
});
