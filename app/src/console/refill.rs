//! The last requests, read back from the audit log after a restart.

use std::{borrow::Cow, collections::HashMap};

use countersign_audit::{
    AuditError, Dir, recent,
    record::{Findings, Record, Who as Named},
};
use countersign_core::{Code, RequestId, Timestamp};

use super::{
    Console, Outcome, Row,
    row::{FOUND, Found, Who},
};

/// Puts the requests that the log in `dir` ended with, when it was opened last, before those that are here. It has about `size` records.
///
/// # Errors
/// When the log cannot be read. What is damaged in it is passed over.
pub(crate) fn refill(console: &Console, dir: &dyn Dir, size: u64) -> Result<(), AuditError> {
    let mut rows = Rows::default();
    // A request leaves two records at most.
    for shown in recent(dir, size.saturating_sub(2 * super::ring::MOST as u64))?.flatten() {
        rows.take(shown.index, shown.record);
    }
    rows.done.truncate(rows.before);
    console.ring.refill(rows.done.into_iter());
    Ok(())
}

/// Rows in the order in which their requests ended.
#[derive(Default)]
pub(super) struct Rows {
    pub(super) done: Vec<Row>,
    /// How many there were when the log was opened last. Later ones are here already.
    pub(super) before: usize,
    /// What has left and is not over, by the index of its intent.
    left: HashMap<u64, Row>,
}

impl Rows {
    pub(super) fn take(&mut self, index: u64, record: Record) {
        match record {
            Record::Intent(r) => {
                let mut row = row(r.request, r.at, Some(&r.who));
                row.from = r.from.ip;
                row.route = r.call.format;
                row.model = Some(r.call.model);
                row.found = found("prompt", &r.findings).collect();
                row.record = Some(index);
                self.left.insert(index, row);
            }
            Record::Outcome(r) => {
                let Some(mut row) = self.left.remove(&r.intent) else { return };
                row.took = r.duration;
                row.target = r.target;
                row.code = r.code.as_deref().and_then(code);
                row.outcome = match (&r.code, r.status) {
                    (Some(_), _) => Outcome::Refused,
                    (None, countersign_gateway::CLIENT_CLOSED) => Outcome::Unfinished,
                    (None, _) => Outcome::Answered,
                };
                row.found = row.found.iter().cloned().chain(found("answer", &r.findings)).take(FOUND).collect();
                row.input_tokens = r.input_tokens;
                row.output_tokens = r.output_tokens;
                row.bytes = r.bytes;
                self.done.push(row);
            }
            Record::Refused(r) => {
                let mut row = row(r.request, r.at, r.who.as_ref());
                row.from = r.from.ip;
                row.route = r.call.as_ref().map_or(Cow::Borrowed("unknown"), |call| call.format.clone());
                row.model = r.call.map(|call| call.model);
                row.outcome = Outcome::Refused;
                row.code = code(&r.code);
                row.found = found("prompt", &r.findings).collect();
                self.done.push(row);
            }
            Record::Answered(r) => {
                let mut row = row(r.request, r.at, Some(&r.who));
                row.from = r.from.ip;
                row.route = Cow::Borrowed("desk");
                row.found = found("prompt", &r.findings).collect();
                self.done.push(row);
            }
            Record::Opened(_) => self.before = self.done.len(),
            Record::Changed(_) | Record::Strangers(_) | Record::Gap(_) | Record::GivenUp(_) => {}
        }
    }
}

fn row(id: RequestId, at: u64, who: Option<&Named>) -> Row {
    Row {
        id,
        at: Timestamp(at),
        took: 0,
        who: who.map(|who| Who {
            tenant: who.tenant.clone(),
            subject: who.subject.clone(),
            kind: who.kind.clone(),
            roles: who.roles.clone(),
            credential: who.credential.clone(),
        }),
        from: None,
        route: Cow::Borrowed("unknown"),
        model: None,
        target: None,
        outcome: Outcome::Answered,
        code: None,
        found: Box::default(),
        input_tokens: None,
        output_tokens: None,
        bytes: 0,
        record: None,
    }
}

fn code(id: &str) -> Option<Code> {
    Code::ALL.iter().copied().find(|code| code.id() == id)
}

fn found(side: &'static str, of: &Findings) -> impl Iterator<Item = Found> {
    of.first.iter().take(FOUND).map(move |found| Found {
        side,
        kind: found.kind.clone(),
        rule: found.rule.clone(),
        confidence: found.confidence,
    })
}

#[cfg(test)]
mod tests;
