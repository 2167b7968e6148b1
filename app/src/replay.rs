//! What the audit log has on record, as questions that policies can be asked again.
//!
//! A record does not hold everything a policy can read; what is missing is left out of the question, and can be named.

use std::{collections::HashMap, sync::Arc};

use countersign_audit::record::{Asked, Outcome, Place, Record, Who};
use countersign_core::{RequestId, Timestamp};
use countersign_policy::{
    Policy,
    cases::{Question, Time},
};

/// Makes questions of records, which it has to be shown in their order.
#[derive(Default)]
pub(crate) struct Replay {
    /// Questions about answers need what was asked: by the index of the intent.
    asked: HashMap<u64, Question>,
}

impl Replay {
    /// The question that a record tells of, and the request it belongs to.
    pub(crate) fn question(&mut self, index: u64, record: &Record) -> Option<(RequestId, Question)> {
        Some(match record {
            Record::Intent(r) => {
                let question = Question {
                    findings: r.findings.first.iter().map(|found| found.kind.to_string()).collect(),
                    ..question(&r.who, &r.from, r.at, Some(&r.call))
                };
                self.asked.insert(index, question.clone());
                (r.request, question)
            }
            Record::Outcome(r) => {
                let asked = self.asked.remove(&r.intent)?;
                (r.request, answer(asked, r)?)
            }
            Record::Refused(r) => (r.request, question(r.who.as_ref()?, &r.from, r.at, Some(r.call.as_ref()?))),
            Record::Answered(r) if r.what == "metrics" => {
                (r.request, Question { action: "observe".into(), ..question(&r.who, &r.from, r.at, None) })
            }
            Record::Changed(r) => {
                (r.request, Question { action: r.action.to_string(), ..question(&r.who, &r.from, r.at, None) })
            }
            // What is left tells of no question to a policy.
            _ => return None,
        })
    }
}

/// What policies read and records do not hold, by name.
pub(crate) fn left_out(policy: &Policy) -> Vec<&'static str> {
    policy.reads().into_iter().filter(|name| UNRECORDED.contains(name)).collect()
}

/// The question that a record tells of.
fn question(who: &Who, from: &Place, at: u64, call: Option<&Asked>) -> Question {
    let names = |all: &[Arc<str>]| all.iter().map(ToString::to_string).collect();
    let base = Question {
        tenant: who.tenant.to_string(),
        subject: who.subject.to_string(),
        kind: who.kind.to_string(),
        roles: names(&who.roles),
        method: who.method.to_string(),
        listener: from.listener.to_string(),
        ip: from.ip,
        time: Time { epoch: Some(Timestamp(at).seconds()), ..Time::default() },
        ..Question::default()
    };
    match call {
        None => base,
        Some(call) => Question {
            model: call.model.to_string(),
            format: call.format.to_string(),
            stream: call.stream,
            max_tokens: call.max_tokens,
            tools: names(&call.tools),
            attachments: call.attachments,
            ..base
        },
    }
}

/// The question that was asked before the answer to `asked` returned; none when there was no answer.
fn answer(asked: Question, outcome: &Outcome) -> Option<Question> {
    let target = outcome.target.as_ref()?.to_string();
    let time = Time { epoch: Some(Timestamp(outcome.at).seconds()), ..Time::default() };
    outcome.upstream_called.then(|| Question { action: "receive".into(), target, time, ..asked })
}

const UNRECORDED: [&str; 7] = ["scopes", "token", "possession", "standing", "risk", "grant", "masked"];
