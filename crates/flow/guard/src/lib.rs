//! Guards: normalise what a message says, detect what is unsafe in it, ask policy what to do, and carry that out, for prompts
//! and answers, whole and streaming.
//!
//! It does no I/O, reads no clock, knows no provider format and decides nothing: detectors only report, and the request's
//! [`Judge`](countersign_core::Judge) turns what they report into actions.

pub mod detector;
mod doubt;
mod explain;
mod general;
mod glimpse;
mod growing;
pub mod leak;
mod likely;
mod links;
mod mask;
mod named;
mod names;
pub mod normal;
mod prompt;
mod release;
mod rules;
mod screen;
mod spotlight;
mod stand_in;
mod taint;
#[cfg(test)]
mod testing;
mod watch;

use std::{fmt, sync::Arc};

pub use countersign_classifier::{Classifier, FalseAlarms, Question};
use countersign_core::{
    Document, Finding, Glimpse, Refusal, Secret, Side, Spotlight, Vault,
    life::{Stamp, stage},
};
use countersign_prints::{Index, blocks};

pub use detector::{Detector, Found};
pub use doubt::Doubt;
pub use explain::Reading;
pub use likely::Likely;
pub use named::Names;
pub use names::RULES;
pub use normal::Normal;
pub use spotlight::Spotlit;
pub use watch::{Step, Watch};

/// What a guard is told about the deployment it stands in. Plain data; the binary reads it from the configuration.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Texts that must not appear in answers, besides each request's own system prompt.
    pub protected: Vec<Protected>,
    /// Texts that are registered in indexes, passages and records of which must not appear in answers.
    pub registered: Vec<Arc<Index>>,
    /// Tokens planted where nobody has business reading; one in an answer is a leak.
    pub canaries: Vec<Secret<String>>,
    /// Hosts that links in answers may point to; a name covers its subdomains.
    pub link_hosts: Vec<String>,
    /// Bounds on what is scanned at all.
    pub limits: Limits,
    /// How sure the rules must be before they report.
    pub thresholds: Thresholds,
    /// The operating point of the learned detector; without one, and without one of `points`, it is not asked.
    pub false_alarms: Option<FalseAlarms>,
    /// How text that nobody vouches for is marked on its way to the model; without it, it is not.
    pub spotlight: Option<Spotlight>,
    /// Operating points of the deployment's own, which go before that of `false_alarms`.
    pub points: Points,
    /// The operating point from which on a text that is not reported is doubtful; without one, none is.
    pub doubts: Option<FalseAlarms>,
    /// Where names of people, places and organisations are looked for.
    pub names: Names,
    /// Whether a request for log probabilities is made without them; otherwise it is refused.
    pub strip_logprobs: bool,
}

/// How likely a text must be to be an attack before the learned detector reports it, 0 to 1, by who wrote it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Points {
    /// For what a person typed.
    pub typed: Option<f32>,
    /// For what the person did not write: documents, results of tools.
    pub documents: Option<f32>,
}

/// A text whose appearance in an answer is a leak.
#[derive(Clone, Debug)]
pub struct Protected {
    /// Names the text in records; never shown to callers.
    pub name: String,
    /// The text, kept only as a fingerprint.
    pub text: String,
}

/// Bounds on a message. Past one of them the guard reports [`Kind::Limit`](countersign_core::Kind::Limit).
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of one leaf.
    pub leaf: usize,
    /// Leaves of one message.
    pub leaves: usize,
    /// How often one short unit may repeat without a break (`aaaa...`, `abcabc...`), in bytes covered.
    pub repetition: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { leaf: 2 << 20, leaves: 100_000, repetition: 16 << 10 }
    }
}

/// How sure the prompt detectors must be, 0 to 1, before something is reported. Signals in one leaf are combined first.
#[derive(Clone, Copy, Debug)]
pub struct Thresholds {
    /// For attempts to override instructions or to escape a role.
    pub injection: f32,
    /// For attempts to draw out the system prompt or other people's data.
    pub extraction: f32,
    /// For instructions to carry data out.
    pub exfiltration: f32,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self { injection: 0.5, extraction: 0.5, exfiltration: 0.5 }
    }
}

/// The guard stage. Used behind an `Arc` by every request at once.
pub struct Guard {
    stamp: Stamp<stage::Screen>,
    prompt: prompt::Prompt,
    answer: release::Answer,
    spotlight: Option<Spotlight>,
    strip_logprobs: bool,
    vault: Option<Arc<dyn Vault>>,
}

/// A request or an answer goes no further, and why.
#[derive(Clone, Debug)]
pub struct Withheld {
    /// What the caller and the record are told.
    pub refusal: Refusal,
    /// Everything that was found, whatever was to be done about it.
    pub findings: Box<[Finding]>,
    /// What the watch may know of the prompt; nothing for an answer.
    pub glimpse: Box<Glimpse>,
}

/// The configuration cannot be guarded by; the operator's to mend.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// A protected text is too short to be told from ordinary language.
    #[error("protected text `{name}` is too short to recognise; give at least {least} words")]
    TooShort {
        /// Its name.
        name: String,
        /// How many words it needs.
        least: usize,
    },
    /// A canary is too short to be told from ordinary language.
    #[error("canary {index} is too short; give at least {least} characters")]
    ShortCanary {
        /// Its place in the list, from 0.
        index: usize,
        /// How many characters it needs.
        least: usize,
    },
    /// A threshold is not between 0 and 1.
    #[error("a guard threshold must lie between 0 and 1")]
    Threshold,
    /// The detectors' tables could not be built; a defect of ours.
    #[error("the detectors' tables could not be built: {0}")]
    Tables(String),
}

impl Guard {
    /// Builds the tables. Slow (milliseconds); done once for each configuration.
    ///
    /// # Errors
    /// When the configuration holds a text that cannot be recognised or a threshold that means nothing.
    pub fn new(stamp: Stamp<stage::Screen>, config: Config) -> Result<Self, GuardError> {
        let (spotlight, strip_logprobs) = (config.spotlight, config.strip_logprobs);
        Ok(Self {
            stamp,
            prompt: prompt::Prompt::new(&config)?,
            answer: release::Answer::new(&config)?,
            spotlight,
            strip_logprobs,
            vault: None,
        })
    }

    /// With one more detector for prompts, which is asked after those built in.
    #[must_use]
    pub fn with_detector(mut self, detector: Box<dyn Detector>) -> Self {
        self.prompt.detectors.push(detector);
        self
    }

    /// With a vault, which makes the stand-ins that policy wants. Without one there are masks in their places.
    #[must_use]
    pub fn with_vault(self, vault: Arc<dyn Vault>) -> Self {
        Self { vault: Some(vault), ..self }
    }

    /// Whether a request for log probabilities is to be made without them; otherwise it is to be refused.
    #[must_use]
    pub const fn strips_logprobs(&self) -> bool {
        self.strip_logprobs
    }

    /// Everything the detectors of one side find in `document`. Pure detection: nothing is judged and nothing is changed.
    #[must_use]
    pub fn scan(&self, side: Side, document: &Document) -> Vec<Finding> {
        match side {
            Side::Prompt => self.scan_prompt(document),
            Side::Answer => self.scan_answer(document),
        }
    }

    /// The sensitive values in what somebody hands in, names included, whether or not policy does anything about them.
    #[must_use]
    pub fn values(&self, document: &Document) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (index, leaf) in document.leaves().enumerate() {
            let mut found = Vec::new();
            rules::prompt(leaf.text, &self.answer.planted_anywhere(), &mut found);
            named::prompt(leaf.text, &mut found);
            findings.extend(found.into_iter().map(|found| found.finding(leaf.channel, index, leaf.text)));
        }
        findings
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").finish_non_exhaustive()
    }
}
