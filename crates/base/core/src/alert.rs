//! What the watch saw go wrong: the one thing it hands on. Playbooks read alerts, people read alerts, and nothing else of the
//! watch leaves it but the risk it gives a caller.

use std::{fmt, str::FromStr, sync::Arc};

use crate::{RequestId, Target, Timestamp};

/// Somebody's timeline went wrong.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Alert {
    /// When the event came that raised it.
    pub at: Timestamp,
    /// What it looks like.
    pub pattern: Pattern,
    /// Whose timeline it is: a session, a principal, a client or a tenant.
    pub of: Target,
    /// The tenant that it concerns.
    pub tenant: Arc<str>,
    /// How far it has gone, 0 to 100.
    pub risk: u8,
    /// Every event that it rests on, the heaviest first; never more than [`Alert::MOST_REASONS`].
    pub because: Vec<Reason>,
}

impl Alert {
    /// How many reasons an alert keeps.
    pub const MOST_REASONS: usize = 16;
}

/// One event that an alert or a risk rests on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reason {
    /// The request it came with.
    pub request: RequestId,
    /// When.
    pub at: Timestamp,
    /// What was unusual about it, in words that hold nothing of a prompt or an answer.
    pub what: &'static str,
    /// How much it weighs, in thousandths of a nat of evidence.
    pub weight: i32,
}

/// What a timeline that goes wrong looks like.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Pattern {
    /// Attempts, in one wording after another, at what the model was told to keep.
    RepeatedExtraction,
    /// Somebody is not who they were: other hours, models, tools and texts than before.
    AccountTakeover,
    /// More of what is sensitive comes out than ever before.
    DataExfiltration,
    /// A canary came out.
    CanaryTripped,
    /// What a tool brought back carried an instruction.
    PoisonedToolResult,
    /// An agent that goes on and on, or calls tools as it never has.
    RunawayAgent,
    /// One template from many accounts.
    Campaign,
    /// Questions that go through a space in order, or ask for the odds of every answer.
    ModelInversion,
}

impl Pattern {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::RepeatedExtraction,
        Self::AccountTakeover,
        Self::DataExfiltration,
        Self::CanaryTripped,
        Self::PoisonedToolResult,
        Self::RunawayAgent,
        Self::Campaign,
        Self::ModelInversion,
    ];

    /// The name used in configuration, playbooks, policy and audit.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RepeatedExtraction => "repeated-extraction",
            Self::AccountTakeover => "account-takeover",
            Self::DataExfiltration => "data-exfiltration",
            Self::CanaryTripped => "canary-tripped",
            Self::PoisonedToolResult => "poisoned-tool-result",
            Self::RunawayAgent => "runaway-agent",
            Self::Campaign => "campaign",
            Self::ModelInversion => "model-inversion",
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no pattern.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a pattern that the watch knows, such as `account-takeover`")]
pub struct NoPattern;

impl FromStr for Pattern {
    type Err = NoPattern;

    fn from_str(text: &str) -> Result<Self, NoPattern> {
        Self::ALL.into_iter().find(|pattern| pattern.as_str() == text).ok_or(NoPattern)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_is_known_by_its_name() {
        for pattern in Pattern::ALL {
            assert_eq!(pattern.to_string().parse(), Ok(pattern));
        }
        assert_eq!("calm".parse::<Pattern>(), Err(NoPattern));
    }
}
