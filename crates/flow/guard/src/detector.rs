//! The seam between the guard and what it can detect. A detector sees normalised text and reports what it noticed, nothing else.

use std::{ops::Range, sync::LazyLock};

use aws_lc_rs::{hmac, rand::SystemRandom};
use countersign_core::{Channel, Finding, Kind};

use crate::Normal;

/// Looks at one leaf at a time. A learned classifier fits here as well as a rule.
pub trait Detector: Send + Sync {
    /// The detector's name, the first half of its rules' names.
    fn name(&self) -> &'static str;

    /// Reports what it notices in one view of a leaf. Called once for the plain view and once for each decoded one.
    fn inspect(&self, view: &Normal<'_>, out: &mut Vec<Found>);

    /// The same, and how likely the view is to be an attack, 0 to 1, where the detector can tell; 0 where it cannot.
    fn weigh(&self, view: &Normal<'_>, out: &mut Vec<Found>) -> f32 {
        self.inspect(view, out);
        0.0
    }
}

/// One thing a detector noticed in one leaf.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// What it is.
    pub kind: Kind,
    /// The detector's name, then the rule's: `injection/override`.
    pub rule: &'static str,
    /// Bytes of the leaf's text as it arrived (never of a view); on character boundaries.
    pub span: Range<usize>,
    /// How sure the detector is, 0 to 1.
    pub confidence: f32,
}

impl Found {
    /// As a finding in `leaf`, whose text is `text`.
    #[must_use]
    pub fn finding(self, channel: Channel, leaf: usize, text: &str) -> Finding {
        let digest = evidence(text.get(self.span.clone()).unwrap_or(text).as_bytes());
        let Self { kind, rule, span, confidence } = self;
        Finding { kind, rule, channel, leaf, span, confidence, digest, reproduced: None }
    }
}

/// First eight bytes of the HMAC-SHA256 of `evidence` under a key that this process alone knows and forgets: findings can be
/// told apart, and nobody who reads the record can try card numbers until one fits.
#[must_use]
pub fn evidence(evidence: &[u8]) -> [u8; 8] {
    let mut out = [0; 8];
    let hash = hmac::sign(&EVIDENCE, evidence);
    for (to, from) in out.iter_mut().zip(hash.as_ref()) {
        *to = *from;
    }
    out
}

// Without randomness nothing may be served; a panic in a stage refuses.
static EVIDENCE: LazyLock<hmac::Key> = LazyLock::new(|| {
    hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new()).expect("the system's random source works")
});
