//! Requests that were over when the process ended, read back from the audit log, as the watch is told of requests.
//!
//! A record says less than what was seen while it was made: no sketch of the prompt, no session of an identity provider, no order of
//! tools. Nor does it have to: what is read back here is what nobody has dealt with, the last seconds before a crash.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use countersign_audit::{
    AuditError, Dir, recent,
    record::{Asked, Findings, Intent, Record, Who},
};
use countersign_core::{
    Call, Channel, Code, Event, Finding, Format, Kind, Lease, Principal, RequestId, Side, Timestamp,
    principal::{Method, PrincipalKind},
};

/// The requests that records from `from` on, and up to the log's last opening, say are over: at most [`MOST`], the last ones.
///
/// # Errors
/// When the log cannot be read. What is damaged in it is passed over.
pub(crate) fn since(dir: &dyn Dir, from: u64) -> Result<Vec<Event>, AuditError> {
    let mut read = Read::default();
    for shown in recent(dir, from)?.flatten() {
        read.take(shown.index, from, shown.record);
    }
    read.over.truncate(read.before);
    Ok(read.over.into())
}

#[derive(Default)]
struct Read {
    over: VecDeque<Event>,
    /// How many of them there were when the log was opened last. Later ones are of this process.
    before: usize,
    /// What has left and is not over, by the index of its intent.
    left: HashMap<u64, Intent>,
}

impl Read {
    fn take(&mut self, index: u64, from: u64, record: Record) {
        match record {
            Record::Intent(intent) => {
                self.left.insert(index, intent);
            }
            Record::Outcome(outcome) => {
                let intent = self.left.remove(&outcome.intent);
                if index < from {
                    return;
                }
                let at = Timestamp(outcome.at.saturating_sub(outcome.duration));
                let mut event = Event::new(outcome.request, at, "again");
                event.ended = Timestamp(outcome.at);
                event.who = Some(match &intent {
                    Some(intent) => principal(&intent.who),
                    None => principal(&whose(outcome.tenant, outcome.subject)),
                });
                event.call = Some(call(intent.as_ref().map(|intent| &intent.call)));
                event.from = intent.as_ref().and_then(|intent| intent.from.ip);
                event.target = outcome.target;
                event.refused = outcome.code.as_deref().and_then(code);
                event.complete = outcome.code.is_none() && outcome.status != countersign_gateway::CLIENT_CLOSED;
                event.findings = intent.iter().flat_map(|intent| findings(Side::Prompt, &intent.findings)).collect();
                event.findings.extend(findings(Side::Answer, &outcome.findings));
                (event.input_tokens, event.output_tokens) = (outcome.input_tokens, outcome.output_tokens);
                event.bytes = outcome.bytes;
                event.record = Some(outcome.intent);
                self.push(event);
            }
            Record::Refused(refused) if index >= from => {
                let mut event = Event::new(refused.request, arrived(refused.request), "again");
                event.ended = Timestamp(refused.at);
                event.who = refused.who.as_ref().map(principal);
                event.call = refused.call.as_ref().map(|asked| call(Some(asked)));
                event.from = refused.from.ip;
                event.refused = code(&refused.code);
                event.findings = findings(Side::Prompt, &refused.findings).collect();
                self.push(event);
            }
            Record::Opened(_) => self.before = self.over.len(),
            Record::Refused(_)
            | Record::Answered(_)
            | Record::Changed(_)
            | Record::Strangers(_)
            | Record::Gap(_)
            | Record::GivenUp(_) => {}
        }
    }

    fn push(&mut self, event: Event) {
        if self.over.len() == MOST {
            self.over.pop_front();
            self.before = self.before.saturating_sub(1);
        }
        self.over.push_back(event);
    }
}

/// A request's id begins with the millisecond in which it arrived.
fn arrived(request: RequestId) -> Timestamp {
    Timestamp(u64::try_from(request.bits() >> 80).unwrap_or(u64::MAX).saturating_mul(1000))
}

/// Of an outcome whose intent is in an older file.
fn whose(tenant: Arc<str>, subject: Arc<str>) -> Who {
    Who {
        tenant,
        subject,
        kind: "person".into(),
        roles: [].into(),
        credential: "".into(),
        method: "api-key".into(),
        acts: Vec::new(),
    }
}

fn principal(who: &Who) -> Arc<Principal> {
    let kinds = [PrincipalKind::Person, PrincipalKind::Service, PrincipalKind::Agent];
    let methods = [Method::ApiKey, Method::ClientCertificate, Method::AccessToken, Method::Session];
    Arc::new(Principal {
        tenant: who.tenant.clone(),
        subject: who.subject.clone(),
        kind: kinds.into_iter().find(|kind| kind.as_str() == who.kind).unwrap_or(PrincipalKind::Person),
        roles: who.roles.clone(),
        scopes: [].into(),
        credential: who.credential.clone(),
        method: methods.into_iter().find(|method| method.as_str() == who.method).unwrap_or(Method::ApiKey),
        claims: None,
        session: None,
        lease: Arc::new(Lease::new(None)),
    })
}

fn call(asked: Option<&Asked>) -> Call {
    let format = asked.and_then(|asked| Format::ALL.into_iter().find(|format| format.as_str() == asked.format));
    Call {
        format: format.unwrap_or(Format::Chat),
        model: asked.map_or_else(|| "".into(), |asked| asked.model.clone()),
        stream: asked.is_some_and(|asked| asked.stream),
        max_tokens: asked.and_then(|asked| asked.max_tokens),
        tools: asked.map(|asked| asked.tools.clone()).unwrap_or_default(),
        attachments: asked.map_or(0, |asked| asked.attachments),
    }
}

fn findings(side: Side, of: &Findings) -> impl Iterator<Item = (Side, Finding)> {
    of.first.iter().filter_map(move |found| {
        let finding = Finding {
            kind: Kind::ALL.into_iter().find(|kind| kind.as_str() == found.kind)?,
            rule: "on/record",
            channel: Channel::ALL
                .into_iter()
                .find(|channel| channel.as_str() == found.channel)
                .unwrap_or(Channel::Other),
            leaf: usize::try_from(found.leaf).unwrap_or(usize::MAX),
            span: 0..0,
            confidence: f32::from(found.confidence) / 1000.0,
            digest: found.digest,
            reproduced: None,
        };
        Some((side, finding))
    })
}

fn code(id: &str) -> Option<Code> {
    Code::ALL.iter().copied().find(|code| code.id() == id)
}

/// Requests that are read back at most.
const MOST: usize = 100_000;

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(from: u64, records: &[Value]) -> Vec<Event> {
        let mut read = Read::default();
        for (index, record) in (0..).zip(records) {
            read.take(index, from, serde_json::from_value(record.clone()).unwrap());
        }
        read.over.truncate(read.before);
        read.over.into()
    }

    #[test]
    fn what_was_over_before_the_last_opening_is_told_as_it_was() {
        let id = |n: u8| RequestId::new(Timestamp(5_000_000), [n; 10]);
        let opened = json!({ "opened": { "at": 1, "origin": "node" } });
        let who = json!({ "tenant": "bank", "subject": "ann", "kind": "agent", "roles": ["staff"], "credential": "key_1", "method": "session" });
        let found = |kind: &str, channel: &str| {
            json!({ "count": 1, "first": [{
                "kind": kind, "rule": "a/b", "channel": channel, "leaf": 0, "span": [0, 1], "confidence": 900,
                "digest": "0102030405060708"
            }] })
        };
        let intent = json!({ "intent": {
            "request": id(1).to_string(), "at": 5_000_000, "who": who, "from": { "ip": "192.0.2.1", "listener": "main" },
            "call": { "format": "messages", "model": "large", "stream": true, "tools": ["pay"], "attachments": 2 },
            "permit": "p", "findings": found("injection", "tool-result")
        } });
        let outcome = |intent: u64, n: u8| {
            json!({ "outcome": {
                "request": id(n).to_string(), "intent": intent, "at": 6_000_000, "tenant": "bank", "subject": "ben",
                "status": 403, "code": "CS0502", "upstream_called": true, "findings": found("canary", "assistant"),
                "output_tokens": 7, "bytes": 9, "duration": 1_000_000
            } })
        };
        let refused = json!({ "refused": {
            "request": id(3).to_string(), "at": 5_000_900, "who": who, "from": { "listener": "main" },
            "code": "CS0501", "reason": "r", "findings": found("extraction", "user")
        } });
        let events = read(
            2,
            &[
                intent.clone(),
                refused.clone(),
                opened.clone(),
                outcome(0, 1),
                outcome(77, 2),
                refused,
                opened,
                intent,
                outcome(7, 4),
            ],
        );
        assert_eq!(events.iter().map(|event| event.request).collect::<Vec<_>>(), [id(1), id(2), id(3)], "{events:?}");
        let [whole, bare, refused] = events.as_slice() else { panic!("{events:?}") };
        let who = whole.who.as_deref().unwrap();
        assert_eq!((&*who.subject, who.kind, who.method), ("ann", PrincipalKind::Agent, Method::Session));
        assert_eq!((whole.at, whole.ended), (Timestamp(5_000_000), Timestamp(6_000_000)));
        assert_eq!((whole.refused, whole.complete, whole.output_tokens), (Some(Code::AnswerRefused), false, Some(7)));
        let sides: Vec<_> = whole.findings.iter().map(|(side, found)| (*side, found.kind, found.channel)).collect();
        assert_eq!(
            sides,
            [(Side::Prompt, Kind::Injection, Channel::ToolResult), (Side::Answer, Kind::Canary, Channel::Assistant)]
        );
        let call = whole.call.as_ref().unwrap();
        assert_eq!((call.format, &*call.model, call.tools.len()), (Format::Messages, "large", 1));
        // Without its intent it is still somebody's.
        assert_eq!(bare.who.as_deref().map(|who| &*who.subject), Some("ben"));
        assert_eq!((bare.at, bare.findings.len()), (Timestamp(5_000_000), 1));
        assert_eq!(
            (refused.at, refused.refused, refused.record),
            (Timestamp(5_000_000), Some(Code::PromptRefused), None)
        );
    }
}
