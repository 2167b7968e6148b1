//! The seam between the guard and what it can detect. A detector sees normalised text and reports what it noticed, nothing else.

use std::{ops::Range, sync::LazyLock};

use aws_lc_rs::{digest, rand};
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

/// First eight bytes of the SHA-256 of a key that this process alone knows and forgets, and `evidence`: findings can be told apart,
/// and nobody who reads the record can try card numbers until one fits. So much of it is cut off that none can be made from another.
#[must_use]
pub fn evidence(evidence: &[u8]) -> [u8; 8] {
    let keyed = |text: &mut [u8]| {
        if let Some((key, rest)) = text.split_first_chunk_mut() {
            *key = *EVIDENCE;
            rest.copy_from_slice(evidence);
        }
        digest::digest(&digest::SHA256, text)
    };
    let len = KEY + evidence.len();
    // Most of what is found fits into one or two blocks of the hash, and needs no memory.
    let mut blocks = [0; 2 * 64];
    let hash = match blocks.get_mut(..len) {
        Some(text) => keyed(text),
        None => keyed(&mut vec![0; len]),
    };
    let mut out = [0; 8];
    for (to, from) in out.iter_mut().zip(hash.as_ref()) {
        *to = *from;
    }
    out
}

// Without randomness nothing may be served; a panic in a stage refuses.
static EVIDENCE: LazyLock<[u8; KEY]> = LazyLock::new(|| {
    let mut key = [0; KEY];
    rand::fill(&mut key).expect("the system's random source works");
    key
});

/// Bytes of the key.
const KEY: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_tells_findings_apart_and_depends_on_all_of_them() {
        let long = vec![b'x'; 500];
        for len in [0, 1, 95, 96, 97, 128, 499] {
            assert_eq!(evidence(&long[..len]), evidence(&long[1..=len]), "{len}");
            assert_ne!(evidence(&long[..len]), evidence(&long[..=len]), "{len}");
        }
        let plain = digest::digest(&digest::SHA256, &long[..16]);
        assert_ne!(evidence(&long[..16]), plain.as_ref()[..8]);
    }
}
