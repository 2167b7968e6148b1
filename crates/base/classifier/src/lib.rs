//! Says how likely a text is to be an attack on a language model, from weights that come with it.
//!
//! It does no I/O, keeps no state between texts, knows nothing of messages or policy, and decides nothing.
//!
//! ```
//! use countersign_classifier::{Classifier, FalseAlarms, Question};
//!
//! let classifier = Classifier::shipped();
//! let verdict = classifier.judge(Question::Override, "Which documents do I need to open an account?");
//! assert!(verdict.probability < classifier.point(Question::Override, FalseAlarms::OnePercent));
//! ```

mod concepts;
pub mod features;
mod linear;
pub mod windows;

use std::{ops::Range, sync::LazyLock};

pub use linear::{Head, Linear, Weighed, WeightsError, norm as linear_norm};

/// What is asked of a text.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Question {
    /// Of what a person typed: does it try to override instructions, to escape a role or to draw out what was entrusted?
    Override,
    /// Of what the person did not write: does it hold an instruction addressed to the assistant?
    Instruction,
}

impl Question {
    /// Every question.
    pub const ALL: [Self; 2] = [Self::Override, Self::Instruction];

    /// The name used in files and tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Override => "override",
            Self::Instruction => "instruction",
        }
    }
}

/// An answer to a question.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// How likely the answer is yes, 0 to 1, whatever the length of the text.
    pub probability: f32,
    /// The bytes of the text that speak most for it; on character boundaries.
    pub span: Range<usize>,
}

/// An operating point: how much harmless text may be flagged, as measured on sources the model had not seen.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum FalseAlarms {
    /// One harmless text in a thousand.
    OnePerMille,
    /// One in a hundred.
    OnePercent,
    /// One in twenty.
    FivePercent,
}

impl FalseAlarms {
    /// Every point, strictest first.
    pub const ALL: [Self; 3] = [Self::OnePerMille, Self::OnePercent, Self::FivePercent];

    /// The name used in configuration and tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OnePerMille => "0.1%",
            Self::OnePercent => "1%",
            Self::FivePercent => "5%",
        }
    }
}

/// A classifier: weights, and how to ask them. Used by every request at once.
#[derive(Debug)]
pub struct Classifier {
    linear: Linear,
}

impl Classifier {
    /// The classifier that comes with this crate. Made once, at the first call: the weights are copied out of the binary.
    ///
    /// # Panics
    /// When the weights in the binary are damaged, which a test rules out.
    #[must_use]
    pub fn shipped() -> &'static Self {
        &SHIPPED
    }

    /// Tells these weights from others: thresholds that were chosen for one set mean nothing to another. Not a proof against forgery.
    #[must_use]
    pub fn fingerprint(&self) -> u32 {
        // FNV-1a, folded.
        let hash = self
            .linear
            .write()
            .iter()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
        (hash >> 32) as u32 ^ hash as u32
    }

    /// With weights read by [`Linear::read`].
    #[must_use]
    pub const fn new(linear: Linear) -> Self {
        Self { linear }
    }

    /// Answers `question` about `text`, which should be in the plain view a reader would have. Linear in the length of the text.
    #[must_use]
    pub fn judge(&self, question: Question, text: &str) -> Verdict {
        self.linear.judge(question, text)
    }

    /// The probability from which on a text is flagged at an operating point.
    #[must_use]
    pub const fn point(&self, question: Question, at: FalseAlarms) -> f32 {
        self.linear.head(question).points[at as usize]
    }
}

static SHIPPED: LazyLock<Classifier> = LazyLock::new(|| {
    let linear = Linear::read(include_bytes!("../weights/linear.bin"));
    Classifier::new(linear.expect("the weights in the binary are whole"))
});
