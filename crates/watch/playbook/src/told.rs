//! What set a run off, as it is kept with the run.

use countersign_core::{Alert, Target};
use serde::{Deserialize, Serialize};

/// An alert, in words that can be kept and read again.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Told {
    /// When, in microseconds since 1970.
    pub at: u64,
    /// What it looks like, as in `canary-tripped`.
    pub pattern: String,
    /// Whose timeline it is, in the text form of a target.
    pub of: String,
    /// The tenant that it concerns.
    pub tenant: String,
    /// How far it has gone, 0 to 100.
    pub risk: u8,
    /// The events that it rests on, the heaviest first.
    pub because: Vec<Because>,
}

/// One event that an alert rests on.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Because {
    /// The request it came with.
    pub request: String,
    /// When, in microseconds since 1970.
    pub at: u64,
    /// What was unusual about it.
    pub what: String,
    /// How much it weighs, in thousandths of a nat of evidence.
    pub weight: i32,
}

impl From<&Alert> for Told {
    fn from(alert: &Alert) -> Self {
        let because = alert.because.iter().map(|reason| Because {
            request: reason.request.to_string(),
            at: reason.at.0,
            what: reason.what.to_owned(),
            weight: reason.weight,
        });
        Self {
            at: alert.at.0,
            pattern: alert.pattern.as_str().to_owned(),
            of: alert.of.to_string(),
            tenant: alert.tenant.to_string(),
            risk: alert.risk,
            because: because.collect(),
        }
    }
}

impl Told {
    /// Which sort of target it is about: `session`, `principal`, `client`, `tenant`, ...
    #[must_use]
    pub fn sort(&self) -> &str {
        self.of.split(':').next().unwrap_or_default()
    }

    /// Whom it is about; none where this release has no word for it.
    #[must_use]
    pub fn target(&self) -> Option<Target> {
        self.of.parse().ok()
    }
}
