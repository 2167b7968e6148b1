//! How far the context of an answer is tainted by what nobody vouches for, and who is asked about a tool call under taint.
//!
//! Taint does not guess. It is known from where each text stands, so that it holds where every detector was fooled.

use std::sync::Arc;

use crate::{Glimpse, Refusal, StandIns, Timestamp, life::Readmitted, spotlight::Marks};

/// The worst that a prompt brought into the context of its answer, mildest first.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Taint {
    /// Nothing but the words of the caller and the operator, and the model's own.
    #[default]
    None,
    /// Text whose author nobody knows: a tool result, a document, an attachment that no guard can read.
    Untrusted,
    /// Text that the caller did not write, in which a detector saw an instruction to the model.
    Finding,
}

impl Taint {
    /// The name used in policy and audit.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Untrusted => "untrusted",
            Self::Finding => "finding",
        }
    }
}

/// What the guard remembers of a prompt for its answer: what tool calls are judged by, and what is taken out of it.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// The worst of it.
    pub taint: Taint,
    /// The texts to compare arguments with; none where that was not worth the work, and then every argument counts as copied.
    pub sources: Option<Sources>,
    /// The marks that were put around untrusted text.
    pub marks: Option<Marks>,
    /// What stands in for values; none where nothing does.
    pub stand_ins: Option<Arc<StandIns>>,
    /// What the watch may know of it.
    pub glimpse: Glimpse,
}

/// The texts of a prompt in the guard's own normal form.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// What the caller did not write.
    pub untrusted: Arc<str>,
    /// What the caller and the operator wrote.
    pub own: Arc<str>,
}

/// Says whether a tool may be called from a tainted context. Made by policy for one request; the guard asks it.
pub trait Warden: Send + Sync {
    /// May the answer to `of` call `tool`? `copied` says that an argument stands in text that the caller did not write.
    ///
    /// # Errors
    /// When it may not.
    fn may_call(&self, of: &Readmitted, tool: &str, copied: bool, now: Timestamp) -> Result<(), Refusal>;
}
