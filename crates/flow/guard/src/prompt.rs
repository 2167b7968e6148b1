//! Prompt-side detectors: phrases in many languages, forged markers, text made invisible, limits, and what was learned.

pub(crate) mod escalation;
mod grammar;
pub(crate) mod hidden;
pub(crate) mod learned;
mod lexicon;
mod limits;
mod rules;
pub(crate) mod turns;

use std::sync::Arc;

use crate::{Config, Detector, GuardError};

/// The prompt-side detectors, built once.
pub(crate) struct Prompt {
    /// The first of the detectors.
    pub(crate) grammar: Arc<grammar::Grammar>,
    pub(crate) detectors: Vec<Box<dyn Detector>>,
    pub(crate) escalation: escalation::Phrases,
    pub(crate) limits: limits::Bounds,
    /// Names are looked for.
    pub(crate) names: bool,
}

impl Prompt {
    pub(crate) fn new(config: &Config) -> Result<Self, GuardError> {
        let thresholds = config.thresholds;
        let all = [thresholds.injection, thresholds.extraction, thresholds.exfiltration];
        let own = [config.points.typed, config.points.documents];
        if !all.iter().chain(own.iter().flatten()).all(|t| (0.0..=1.0).contains(t)) {
            return Err(GuardError::Threshold);
        }
        let grammar = Arc::new(grammar::Grammar::new(thresholds)?);
        let mut detectors: Vec<Box<dyn Detector>> = vec![Box::new(grammar.clone())];
        if let Some(learned) = learned::Learned::new(config.false_alarms, config.points, config.doubts) {
            detectors.push(Box::new(learned));
        }
        let (escalation, limits) = (escalation::Phrases::new()?, limits::Bounds(config.limits));
        Ok(Self { grammar, detectors, escalation, limits, names: config.names.prompts })
    }
}
