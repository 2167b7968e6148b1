//! Prompt-side detectors: phrases in many languages, forged markers, text made invisible, limits, and what was learned.

mod grammar;
pub(crate) mod hidden;
mod learned;
mod lexicon;
mod limits;
mod rules;
pub(crate) mod turns;

use crate::{Config, Detector, GuardError};

/// The prompt-side detectors, built once.
pub(crate) struct Prompt {
    pub(crate) detectors: Vec<Box<dyn Detector>>,
    pub(crate) limits: limits::Bounds,
}

impl Prompt {
    pub(crate) fn new(config: &Config) -> Result<Self, GuardError> {
        let thresholds = config.thresholds;
        let all = [thresholds.injection, thresholds.extraction, thresholds.exfiltration];
        if !all.iter().all(|t| (0.0..=1.0).contains(t)) {
            return Err(GuardError::Threshold);
        }
        let mut detectors: Vec<Box<dyn Detector>> = vec![Box::new(grammar::Grammar::new(thresholds)?)];
        if let Some(at) = config.false_alarms {
            detectors.push(Box::new(learned::Learned::new(at)));
        }
        Ok(Self { detectors, limits: limits::Bounds(config.limits) })
    }
}
