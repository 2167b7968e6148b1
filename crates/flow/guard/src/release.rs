//! Carries out what policy says about an answer: passes it on, masks what is in it, or withholds it.

use std::sync::Arc;

use bytes::Bytes;
use countersign_core::{
    Action, Channel, Code, Document, Edit, Finding, Refusal, Side, Timestamp,
    life::{Fingerprint, Readmitted, Released},
};
use countersign_prints::Index;

use crate::{
    Config, Guard, GuardError, Withheld,
    growing::{Search, Spot, whole},
    leak::{self, Planted, Protected, canary::Canaries},
    links::Links,
    mask::Masks,
    spotlight,
    stand_in::Book,
    taint,
};

/// What answers are screened with, built once.
pub(crate) struct Answer {
    links: Links,
    documents: Option<Protected>,
    canaries: Option<Canaries>,
    /// Names are looked for.
    names: bool,
    registered: Vec<Arc<Index>>,
}

impl Answer {
    pub(crate) fn new(config: &Config) -> Result<Self, GuardError> {
        let mut prints = Vec::with_capacity(config.protected.len());
        for text in &config.protected {
            let print = leak::fingerprint(&text.text);
            if print.0.is_empty() {
                return Err(GuardError::TooShort { name: text.name.clone(), least: leak::LEAST + 2 });
            }
            prints.push(print);
        }
        let canaries = Canaries::new(&config.canaries)
            .map_err(|index| GuardError::ShortCanary { index, least: leak::canary::LEAST })?;
        Ok(Self {
            links: Links::new(&config.link_hosts),
            documents: Protected::new(leak::merge(&prints)),
            canaries,
            names: config.names.answers,
            registered: config.registered.clone(),
        })
    }

    /// What an answer is compared with.
    pub(crate) fn planted<'a>(&'a self, system: Option<&'a Protected>) -> Planted<'a> {
        Planted {
            system,
            documents: self.documents.as_ref(),
            canaries: self.canaries.as_ref(),
            registered: &self.registered,
        }
    }

    /// What has no business in a prompt either.
    pub(crate) fn planted_anywhere(&self) -> Planted<'_> {
        Planted { canaries: self.canaries.as_ref(), ..Planted::default() }
    }

    pub(crate) const fn search<'a>(&'a self, planted: &'a Planted<'a>, book: Option<&'a Book>) -> Search<'a> {
        Search { links: Some(&self.links), planted, names: self.names, book }
    }
}

/// Recognises a request's system prompt; none where it is too short.
pub(crate) fn system(print: &Fingerprint) -> Option<Protected> {
    Protected::new(print.clone())
}

impl Guard {
    /// Releases a whole answer: as it is, or with masks in it.
    ///
    /// # Errors
    /// `CS0502` when policy refuses a finding, `CS0503` when a mask cannot be made, `CS0204` when the credential ended.
    pub fn release_whole(
        &self,
        of: &Readmitted,
        document: &Document,
        now: Timestamp,
    ) -> Result<(Released, Vec<Finding>), Withheld> {
        let unmarked = spotlight::unmarked(of, document);
        let document = unmarked.as_ref().unwrap_or(document);
        let system = system(of.system());
        let planted = self.answer.planted(system.as_ref());
        let book = Book::shown(of.context().stand_ins.as_ref());
        let search = self.answer.search(&planted, book.as_ref());
        let mut findings = Vec::new();
        let mut edits = Vec::new();
        let mut refused = None;
        for ((index, leaf), slot) in document.leaves().enumerate().zip(document.slots()) {
            let spots = whole(leaf.text, &search.of(slot));
            if spots.is_empty() {
                continue;
            }
            let slot = Standing { index, text: leaf.text, channel: leaf.channel };
            // All findings go on record, the ones behind a refusal too.
            if let Err(refusal) = slot.judge(of, &spots, &mut findings, &mut edits) {
                refused = refused.or(Some(refusal));
            }
        }
        if taint::applies(of) {
            let (copied, withheld) = taint::whole(of, document, now);
            findings.extend(copied);
            refused = refused.or(withheld);
        }
        let released = match refused {
            Some(refusal) => Err(refusal),
            None => edited(document, &edits).and_then(|bytes| Released::new(&self.stamp, of, bytes, now)),
        };
        match released {
            Ok(released) => Ok((released, findings)),
            Err(refusal) => Err(Withheld { refusal, findings: findings.into(), glimpse: Box::default() }),
        }
    }

    pub(crate) fn scan_answer(&self, document: &Document) -> Vec<Finding> {
        let planted = self.answer.planted(None);
        let search = self.answer.search(&planted, None);
        let mut findings = Vec::new();
        for (index, leaf) in document.leaves().enumerate() {
            for spot in whole(leaf.text, &search) {
                note(spot.finding(leaf.channel, index), spot.more, &mut findings);
            }
        }
        findings
    }
}

/// A text that is whole, in its place.
pub(crate) struct Standing<'a> {
    pub(crate) index: usize,
    pub(crate) text: &'a str,
    pub(crate) channel: Channel,
}

impl Standing<'_> {
    /// Asks policy about everything found in the text and notes the masks.
    pub(crate) fn judge(
        &self,
        of: &Readmitted,
        spots: &[Spot],
        findings: &mut Vec<Finding>,
        edits: &mut Vec<Edit>,
    ) -> Result<(), Refusal> {
        let mut masks = Masks::new(self.index, self.text, self.channel);
        let mut done = 0;
        for spot in spots {
            if let Some(value) = &spot.back {
                done = spot.span.end;
                edits.extend(masks.give_back(value.expose(), &spot.span));
                continue;
            }
            if spot.is_within(done) {
                continue;
            }
            if verdict(of, spot, self.channel, self.index, findings)? == Action::Mask {
                edits.extend(masks.add(spot.kind, &spot.span, Some(spot.quotes)).ok_or_else(unmaskable)?);
            }
        }
        Ok(())
    }
}

/// Asks policy about one spot and puts it on record.
///
/// # Errors
/// When policy refuses it, or it can only be refused.
pub(crate) fn verdict(
    of: &Readmitted,
    spot: &Spot,
    channel: Channel,
    leaf: usize,
    findings: &mut Vec<Finding>,
) -> Result<Action, Refusal> {
    let finding = spot.finding(channel, leaf);
    let action = of.second_permit().judge.judge(Side::Answer, &finding);
    note(finding, spot.more, findings);
    match action {
        Action::Refuse | Action::Cut => Err(refusal(spot, channel, action)),
        _ if spot.refuse => Err(refusal(spot, channel, action)),
        Action::Allow => Ok(action),
        // The model says it, so nobody here knows whom it belongs to.
        Action::Generalize | Action::Tokenize(_) | Action::Mask => Ok(Action::Mask),
    }
}

/// Puts a finding on record; one that goes on is on record already, and it is told how far.
fn note(finding: Finding, more: bool, findings: &mut Vec<Finding>) {
    if !more {
        return findings.push(finding);
    }
    let Some(now) = finding.reproduced else { return };
    let same = |f: &&mut Finding| {
        (f.leaf, f.channel) == (finding.leaf, finding.channel)
            && f.reproduced.as_ref().is_some_and(|it| it.source == now.source)
    };
    if let Some(begun) = findings.iter_mut().rev().take(LOOK_BACK).find(same) {
        begun.span.end = finding.span.end;
        begun.reproduced = Some(now);
    }
}

/// Among so many of the last findings the one that goes on is looked for.
const LOOK_BACK: usize = 64;

fn refusal(spot: &Spot, channel: Channel, action: Action) -> Refusal {
    let reason = format!("{} found in the answer's {} text", spot.rule, channel.as_str());
    Refusal { cut: action == Action::Cut, ..Refusal::new(Code::AnswerRefused, reason) }
}

/// A mask that would break what it stands in.
pub(crate) fn unmaskable() -> Refusal {
    Refusal::new(Code::AnswerRefused, "what is to be masked cannot be taken out of the JSON it stands in")
}

/// More would have to be held back for a tool call than is held.
pub(crate) fn too_long() -> Refusal {
    Refusal::new(Code::ToolRefused, "a tool call from a tainted context is too long to be held back")
}

/// The document with its masks.
pub(crate) fn edited(document: &Document, edits: &[Edit]) -> Result<Bytes, Refusal> {
    document.edited(edits).map_err(|e| Refusal::new(Code::GuardFailed, format!("a mask could not be made: {e}")))
}

#[cfg(test)]
mod tests;
