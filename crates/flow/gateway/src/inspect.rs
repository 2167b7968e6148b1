//! Texts that a caller wants looked at and not answered. They go the same way as any request as far as the share; then the guards look,
//! and what they find is told. Nothing is forwarded.
//!
//! Threat: somebody who tries texts here until one passes. So policy has to permit it by name, rates apply, and what was found is on
//! record before it is told.

use bytes::Bytes;
use countersign_core::{Action, Finding, Refusal, Side, life::Identified};
use countersign_wire::inspect::{Inspect, Shape, Text, Verdict};
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
                text.note(&mut verdict, part, &finding, passes);
                findings.push(finding);
            };
            for (at, part) in text.parts.iter().enumerate() {
                for finding in stages.guard.scan(part.side, &part.document) {
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
}

#[cfg(test)]
mod tests;
