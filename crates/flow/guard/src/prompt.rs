//! Prompt-side detectors.

use crate::{Config, GuardError};

/// The prompt-side detectors, built once.
pub(crate) struct Prompt {}

impl Prompt {
    pub(crate) fn new(_config: &Config) -> Result<Self, GuardError> {
        Ok(Self {})
    }
}
