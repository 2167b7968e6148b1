//! Texts that a caller wants looked at and not answered. They go the same way as any request as far as the share; then the guards look,
//! and what they find is told. Nothing is forwarded.
//!
//! Threat: somebody who tries texts here until one passes. So policy has to permit it by name, rates apply, and what was found is on
//! record before it is told.

use aws_lc_rs::digest;
use bytes::Bytes;
use countersign_core::{Action, Finding, Refusal, Side, life::Identified};
use countersign_wire::{
    anonymize::{self, Anonymize, Hash},
    inspect::{Inspect, Shape, Text, Verdict},
};
use http::{HeaderMap, Response};
use http_body::Body;

use crate::{AnswerBody, Gateway, Stages, intake, ledger::Ledger};

impl Gateway {
    /// Looks at the texts of a request, and says what was found.
    pub(crate) async fn inspect<B>(
        &self,
        stages: &Stages,
        who: &Identified,
        shape: Shape,
        (headers, body): (&HeaderMap, B),
        ledger: &mut Ledger,
    ) -> Result<Response<AnswerBody>, Refusal>
    where
        B: Body<Data = Bytes>,
    {
        let judge = stages.policy.scan(who)?.judge;
        intake::announced(headers, self.limits())?;
        let body = intake::read(body, self.limits().wire.body, self.limits().body_time).await?;
        let asked =
            Inspect::read(shape, &body, &self.limits().wire).map_err(|e| Refusal::new(e.code(), e.to_string()))?;
        let mut findings = Vec::new();
        let look = |text: &Text| {
            let mut verdict = Verdict::default();
            let mut note = |part: usize, side: Side, finding: Finding| {
                let passes = judge.judge(side, &finding) == Action::Allow;
                verdict.note(part, &finding, passes);
                findings.push(finding);
            };
            for (at, part) in text.parts.iter().enumerate() {
                let found = match shape {
                    Shape::Analyze => stages.guard.values(&part.document),
                    Shape::Guard | Shape::Moderations => stages.guard.scan(part.side, &part.document),
                };
                for finding in found {
                    note(at, part.side, finding);
                }
            }
            if text.attachments > 0 {
                note(usize::MAX, Side::Prompt, Finding::ATTACHMENT);
            }
            verdict
        };
        let verdicts: Vec<Verdict> = asked.texts.iter().map(look).collect();
        ledger.saw(&findings);
        ledger.answered(shape.as_str().into(), self.limits().audit_time).await?;
        Ok(self.speaker().inspected(asked.answer(&verdicts, who.request()), who.request()))
    }

    /// Puts other things in the places of a text that its caller names. Nothing is looked for and nothing is kept.
    pub(crate) async fn anonymize<B>(
        &self,
        stages: &Stages,
        who: &Identified,
        (headers, body): (&HeaderMap, B),
        ledger: &mut Ledger,
    ) -> Result<Response<AnswerBody>, Refusal>
    where
        B: Body<Data = Bytes>,
    {
        let _ = stages.policy.scan(who)?;
        intake::announced(headers, self.limits())?;
        let body = intake::read(body, self.limits().wire.body, self.limits().body_time).await?;
        let refused = |e: countersign_wire::WireError| Refusal::new(e.code(), e.to_string());
        let asked = Anonymize::read(&body, &self.limits().wire).map_err(refused)?;
        let answer = asked.answer(&self.mark(), hashed).map_err(refused)?;
        ledger.answered("anonymize".into(), self.limits().audit_time).await?;
        Ok(self.speaker().inspected(answer, who.request()))
    }

    /// The names of what is looked for.
    pub(crate) async fn entities(
        &self,
        stages: &Stages,
        who: &Identified,
        ledger: &mut Ledger,
    ) -> Result<Response<AnswerBody>, Refusal> {
        let _ = stages.policy.scan(who)?;
        ledger.answered("supportedentities".into(), self.limits().audit_time).await?;
        Ok(self.speaker().inspected(anonymize::entities(), who.request()))
    }
}

/// Parts that follow one another, hashed, in hexadecimal digits.
fn hashed(by: Hash, parts: &[&str]) -> String {
    let mut context = digest::Context::new(match by {
        Hash::Sha256 => &digest::SHA256,
        Hash::Sha512 => &digest::SHA512,
    });
    parts.iter().for_each(|part| context.update(part.as_bytes()));
    context.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
