//! What is laid upon somebody whose credential still stands: measures that end by themselves, each with the case that explains it.
//!
//! Threat: a session that goes wrong while every credential in it is good. A revocation says that a credential is believed no more; a
//! restraint leaves it believed and says how far it reaches. It stands on the same [`Board`](crate::Board), by the same targets, so that
//! whoever asks pays one load while nothing is laid upon them.

use std::{fmt, num::NonZeroU32, str::FromStr, sync::Arc};

use crate::{StepUp, Timestamp};

/// How far somebody is held back. Its text, as in `throttle:30`, is what playbooks, commands, the admin API, the store and audit
/// records say.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Measure {
    /// `observe`: not at all; there is a case for a person to look at.
    Observe,
    /// `throttle:N`: N requests a minute at most, whatever the rates say.
    Throttle(NonZeroU32),
    /// `step-up` or `step-up:acr=VALUE`: only after a login that is newer than the restraint, by one of these classes where any is named.
    StepUp(Option<Arc<StepUp>>),
    /// `read-only`: no tools, no attachments, and nothing of the gateway is changed.
    ReadOnly,
    /// `quarantine`: nothing at all; streams in flight are cut.
    Quarantine,
}

/// One measure in force.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Restraint {
    /// Names the case, as in `qua_...`. It is told to whoever is held back.
    pub case: Arc<str>,
    /// How far.
    pub measure: Measure,
    /// Since when.
    pub since: Timestamp,
}

impl Measure {
    /// Without its figure: `throttle` for `throttle:30`.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Observe => "observe",
            Self::Throttle(_) => "throttle",
            Self::StepUp(_) => "step-up",
            Self::ReadOnly => "read-only",
            Self::Quarantine => "quarantine",
        }
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())?;
        match self {
            Self::Throttle(most) => write!(f, ":{most}"),
            Self::StepUp(Some(asked)) => write!(f, ":{asked}"),
            _ => Ok(()),
        }
    }
}

/// The text names no measure.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "expected `observe`, `throttle:N` with N requests a minute, `step-up`, `step-up:acr=VALUE`, `read-only` or `quarantine`"
)]
pub struct NoMeasure;

impl FromStr for Measure {
    type Err = NoMeasure;

    fn from_str(text: &str) -> Result<Self, NoMeasure> {
        match text.split_once(':') {
            None => match text {
                "observe" => Ok(Self::Observe),
                "step-up" => Ok(Self::StepUp(None)),
                "read-only" => Ok(Self::ReadOnly),
                "quarantine" => Ok(Self::Quarantine),
                _ => Err(NoMeasure),
            },
            Some(("throttle", most)) if most.bytes().all(|b| b.is_ascii_digit()) => {
                most.parse().map(Self::Throttle).map_err(|_| NoMeasure)
            }
            Some(("step-up", asked)) => {
                // How old a login may be follows from when the restraint was laid.
                let asked: StepUp = asked.parse().map_err(|_| NoMeasure)?;
                if asked.max_age().is_some() { Err(NoMeasure) } else { Ok(Self::StepUp(Some(Arc::new(asked)))) }
            }
            Some(_) => Err(NoMeasure),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_a_measure_reads_back_as_it() {
        for text in ["observe", "throttle:30", "step-up", "step-up:acr=mfa phr", "read-only", "quarantine"] {
            assert_eq!(text.parse::<Measure>().unwrap().to_string(), text);
        }
        for text in
            ["", "Observe", "throttle", "throttle:0", "throttle:+1", "throttle:x", "step-up:max_age=3", "quarantine:1"]
        {
            assert_eq!(text.parse::<Measure>(), Err(NoMeasure), "{text}");
        }
    }
}
