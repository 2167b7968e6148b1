//! Screens a prompt: detect, judge, edit, and only then make the proof that it may leave.

use std::sync::Arc;

use countersign_core::{
    Action, Channel, Code, ConversationName, Document, Finding, Kind, Leaf, Mint, Refusal, Side,
    life::{Fingerprint, Reserved, Screened},
    taint::Context,
};

use crate::{
    Guard, Normal, Spotlit, Withheld,
    detector::Found,
    glimpse::Seen,
    leak, named,
    prompt::{self, escalation::Escalation, turns::Turns},
    rules, stand_in, taint,
};

impl Guard {
    /// Screens a prompt. What policy wants masked is masked; what it wants refused is refused; what was drawn for it is marked; what it
    /// wants stand-ins for has those of the conversation that the caller `named`, or of the one that began with these words.
    ///
    /// # Errors
    /// `CS0501` when policy refuses a finding, `CS0107` when a limit is passed, `CS0503` when a mask or a stand-in cannot be made.
    pub fn screen(
        &self,
        reserved: Reserved,
        document: &Document,
        spotlit: Option<&Spotlit<'_>>,
        named: Option<&ConversationName>,
    ) -> Result<Screened, Withheld> {
        let mint = self.vault.as_ref().map(|vault| vault.conversation(reserved.principal(), document, named));
        let mint = mint.transpose().map_err(|refusal| Withheld {
            refusal,
            findings: Box::default(),
            glimpse: Box::default(),
        })?;
        let screened = self.screen_minting(reserved, document, spotlit, mint)?;
        Ok(screened.in_conversation(&self.stamp, named.cloned()))
    }

    /// As [`Guard::screen`]. Without a `mint`, what would have a stand-in is masked.
    pub(crate) fn screen_minting(
        &self,
        reserved: Reserved,
        document: &Document,
        spotlit: Option<&Spotlit<'_>>,
        mut mint: Option<Box<dyn Mint>>,
    ) -> Result<Screened, Withheld> {
        // What is to be compared with the arguments of tool calls costs a copy of the texts: only where there can be such calls.
        let called = !reserved.call().tools.is_empty() && taint::is_foreign(document);
        let mut gathered = called.then(taint::Gathered::default);
        let mut seen = Seen::of(document);
        let findings = self.scan_gathering(document, gathered.as_mut(), Some(&mut seen));
        let glimpse = seen.glimpse(document);
        let judge = &reserved.permit().judge;
        let mut worst: Option<(Action, &Finding)> = None;
        let mut judged = Vec::with_capacity(findings.len());
        for finding in &findings {
            let action = judge.judge(Side::Prompt, finding);
            judged.push((action, finding));
            if action >= Action::Refuse && worst.is_none_or(|(w, _)| w < action) {
                worst = Some((action, finding));
            }
        }
        if let Some((action, finding)) = worst {
            let code = if finding.kind == Kind::Limit { Code::TooComplex } else { Code::PromptRefused };
            let reason = format!("{} in the {} channel", finding.rule, finding.channel.as_str());
            let refusal = Refusal { cut: action == Action::Cut, ..Refusal::new(code, reason) };
            return Err(Withheld { refusal, findings: findings.into(), glimpse: Box::new(glimpse) });
        }
        let edits = stand_in::prompt::edits(document, &judged, mint.as_deref_mut());
        let body = edits.and_then(|masks| match spotlit {
            None => document.edited(&masks).ok(),
            Some(spotlit) => document.edited_with(&spotlit.edits(document, masks), Some(spotlit.said())).ok(),
        });
        let Some(body) = body else {
            let refusal = Refusal::new(Code::GuardFailed, "a mask or a mark could not be put into the prompt");
            return Err(Withheld { refusal, findings: findings.into(), glimpse: Box::new(glimpse) });
        };
        let marks = spotlit.map(|spotlit| spotlit.marks.clone());
        let stand_ins = mint.map(|mint| mint.done()).filter(|all| !all.is_empty()).map(Arc::new);
        let context = taint::context(document, reserved.call().attachments, &findings, gathered);
        let context = Context { marks, stand_ins, glimpse, ..context };
        let screened = Screened::new(&self.stamp, reserved, body, findings, system_print(document));
        Ok(screened.within(&self.stamp, context))
    }

    /// Everything the prompt side finds.
    pub(crate) fn scan_prompt(&self, document: &Document) -> Vec<Finding> {
        self.scan_gathering(document, None, None)
    }

    fn scan_gathering(
        &self,
        document: &Document,
        mut gathered: Option<&mut taint::Gathered>,
        mut seen: Option<&mut Seen>,
    ) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut budget = DECODED;
        let mut found = Vec::new();
        let (mut turns, mut escalation) = (Turns::default(), Escalation::default());
        for (index, leaf) in document.leaves().enumerate() {
            found.clear();
            self.prompt.limits.leaf(index, &leaf, &mut found);
            // What is past a limit is refused for it; scanning it as well would only cost.
            if found.is_empty() {
                budget = budget.saturating_add(leaf.text.len().saturating_mul(DECODED_OF_EACH));
                let likely = self.scan_leaf(&leaf, &mut budget, &mut found, gathered.as_deref_mut());
                if let Some(seen) = &mut seen {
                    seen.leaf(index, likely);
                }
                // Phrases come first, and they alone can be told to go over a seam.
                if let Some(phrases) = self.prompt.detectors.first() {
                    turns.read(&leaf, &**phrases, &mut found);
                }
                escalation.read(index, &leaf, &self.prompt.escalation, |text| {
                    self.prompt.grammar.hint(&Normal::plain(&Leaf { text, ..leaf.clone() }))
                });
                if budget == 0 {
                    found.push(prompt::hidden::beyond(&leaf));
                }
            }
            let limit = found.iter().any(|f| f.kind == Kind::Limit);
            findings.extend(found.drain(..).map(|f| f.finding(leaf.channel, index, leaf.text)));
            if limit {
                break;
            }
        }
        if let Some((leaf, found)) = escalation.end() {
            findings.push(found.finding(Channel::User, leaf, document.text(leaf)));
        }
        findings
    }

    fn scan_leaf(
        &self,
        leaf: &Leaf<'_>,
        budget: &mut usize,
        found: &mut Vec<Found>,
        mut gathered: Option<&mut taint::Gathered>,
    ) -> f32 {
        let mut likely = 0.0_f32;
        let plain = Normal::plain(leaf);
        if let Some(gathered) = &mut gathered {
            gathered.read(&plain);
        }
        prompt::hidden::report(leaf, &plain, found);
        for detector in &self.prompt.detectors {
            likely = likely.max(detector.weigh(&plain, found));
        }
        for view in plain.decoded(budget) {
            if let Some(gathered) = &mut gathered {
                gathered.read(&view);
            }
            let before = found.len();
            for detector in &self.prompt.detectors {
                likely = likely.max(detector.weigh(&view, found));
            }
            if found.len() > before {
                let encoded = prompt::hidden::encoded(&view, &found[before..]);
                found.push(encoded);
            }
        }
        rules::prompt(leaf.text, &self.answer.planted_anywhere(), found);
        if self.prompt.names {
            named::prompt(leaf.text, found);
        }
        likely
    }
}

/// Recognises the request's own system prompt in the answer.
fn system_print(document: &Document) -> Fingerprint {
    let system = document.slots().iter().enumerate().filter(|(_, slot)| slot.channel == Channel::System);
    let mut prints: Vec<Fingerprint> = system.map(|(index, _)| leak::fingerprint(document.text(index))).collect();
    match prints.len() {
        0 => Fingerprint::default(),
        1 => prints.swap_remove(0),
        _ => leak::merge(&prints),
    }
}

/// Bytes that may be decoded out of one message, whatever its size.
const DECODED: usize = 256 << 10;
/// Bytes more for each of its bytes; no honest text was seen to need three.
const DECODED_OF_EACH: usize = 8;

#[cfg(test)]
mod tests;
