//! Turns the bytes of model providers' APIs into documents of leaves and into calls, and says the gateway's own words in their shapes.
//!
//! It does no I/O, keeps no connection, decides nothing about content and never copies a body.

pub mod anonymize;
pub mod answer;
pub mod ask;
pub mod inspect;
pub mod json;
pub mod say;
pub mod second;
pub mod sse;
pub mod stream;
pub mod translate;
mod walk;
mod words;

pub use answer::{Answer, Usage};
pub use ask::Ask;
pub use stream::{Event, Events};

use bytes::Bytes;
use countersign_core::{Code, Document, Slot};

/// How large and how involved a body may be before it is refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Bytes of a whole body.
    pub body: usize,
    /// Levels of nesting; at most [`json::DEPTH`] whatever is set.
    pub depth: usize,
    /// JSON values and member names in one body or event.
    pub nodes: usize,
    /// Bytes of one event of a stream.
    pub event: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { body: 4 << 20, depth: 64, nodes: 200_000, event: 1 << 20 }
    }
}

/// Bytes are not what their format promises. Says where, never what stood there.
///
/// Whose fault it is depends on whose bytes they were: [`WireError::code`] speaks of a caller's.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum WireError {
    /// A body or an event has more bytes than it may.
    #[error("the {what} has more than {limit} bytes")]
    TooLarge {
        /// Which of the two.
        what: &'static str,
        /// How many it may have.
        limit: usize,
    },
    /// Nested too deep.
    #[error("nested deeper than {limit} levels at byte {at}")]
    TooDeep {
        /// Levels it may have.
        limit: usize,
        /// Where the level beyond begins.
        at: usize,
    },
    /// Too many of something.
    #[error("more than {limit} {what}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many there may be.
        limit: usize,
    },
    /// Not UTF-8.
    #[error("not valid UTF-8 at byte {at}")]
    Utf8 {
        /// The first byte that is not.
        at: usize,
    },
    /// Not JSON as RFC 8259 and RFC 7493 have it.
    #[error("not valid JSON at byte {at}: {what}")]
    Json {
        /// Where it goes wrong.
        at: usize,
        /// What was expected or found.
        what: &'static str,
    },
    /// Valid JSON that lacks what its format needs.
    #[error("`{path}` {what}")]
    Field {
        /// The member, as in `messages[2].role`; holds known names and indices only.
        path: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A stream that is not what its format promises.
    #[error("the stream {what}")]
    Stream {
        /// What is wrong with it.
        what: &'static str,
    },
}

impl WireError {
    /// The code for a caller whose bytes these were.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::TooLarge { .. } => Code::TooLarge,
            Self::TooDeep { .. } | Self::TooMany { .. } => Code::TooComplex,
            Self::Utf8 { .. } | Self::Json { .. } | Self::Field { .. } | Self::Stream { .. } => Code::Malformed,
        }
    }
}

/// Puts a document together from what a walk found, which holds by construction.
fn document(bytes: Bytes, slots: Vec<Slot>) -> Result<Document, WireError> {
    Document::new(bytes, slots).map_err(|_| WireError::Json { at: 0, what: "the leaves do not fit the text" })
}
