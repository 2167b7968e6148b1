//! What became of a request, told stage by stage from the audit log's records: for `countersign explain` and for the console.

use countersign_audit::{
    record::{Found, Record, Who},
    show::Shown,
};
use countersign_core::Code;
use schemars::JsonSchema;
use serde::Serialize;

/// One stage.
#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct Step {
    /// The stage: `identified`, `permitted`, `screened`, ...
    pub(crate) stage: &'static str,
    /// What was decided there and why.
    pub(crate) what: String,
    /// Index of the record that says so.
    pub(crate) record: u64,
    /// When that record was made, in microseconds since 1970.
    pub(crate) at: u64,
}

/// The stages that a record tells of.
pub(crate) fn tell(shown: &Shown) -> Vec<Step> {
    let mut steps = Vec::new();
    let record = shown.index;
    let moment = at(&shown.record);
    let mut stage = |stage, what: String| steps.push(Step { stage, what, record, at: moment });
    match &shown.record {
        Record::Intent(r) => {
            stage("identified", who(&r.who));
            stage("permitted", format!("by `{}`", r.permit));
            stage("screened", format!("{} findings, none of which refused it", r.findings.count));
            r.findings.first.iter().for_each(|found| stage("found", noticed(found)));
            if let Some(taint) = &r.taint {
                stage("tainted", format!("by {taint} content; tools that the answer calls are asked of `callTool`"));
            }
            if let Some(how) = &r.spotlight {
                stage("marked", format!("by {how}; such content reached the model with marks around it"));
            }
            stage("recorded", format!("as record {record} before anything left"));
        }
        Record::Outcome(r) => {
            if let Some(judged) = &r.judged {
                let (model, texts, took) = (&judged.model, judged.texts, judged.duration / 1000);
                stage("judged", format!("{} by `{model}`: {texts} doubtful texts, {took} ms", judged.verdict));
            }
            let called = match &r.target {
                Some(target) => format!("`{target}` was called"),
                None => "no provider was called".to_owned(),
            };
            stage("dispatched", called);
            stage("released", format!("{} bytes; {} findings in the answer", r.bytes, r.findings.count));
            r.findings.first.iter().for_each(|found| stage("found", noticed(found)));
            if let Some(code) = &r.code {
                stage("ended", format!("{code}: {}", r.reason.as_deref().unwrap_or_else(|| meaning(code))));
                stage("told", meaning(code).to_owned());
            }
        }
        Record::Refused(r) => {
            if let Some(w) = &r.who {
                stage("identified", who(w));
            }
            stage("stopped", format!("{}: {}", r.code, meaning(&r.code)));
            r.findings.first.iter().for_each(|found| stage("found", noticed(found)));
            stage("sent", "nothing left for the provider".to_owned());
        }
        Record::Answered(r) => {
            stage("identified", who(&r.who));
            stage("answered", "by the gateway itself; no provider was called".to_owned());
            r.findings.first.iter().for_each(|found| stage("found", noticed(found)));
        }
        Record::Changed(r) => {
            stage("changed", format!("{} {}{}", r.action, r.what, crate::cmd::audit::changes(r)));
        }
        Record::Opened(_) | Record::Strangers(_) | Record::Gap(_) | Record::GivenUp(_) => {}
    }
    steps
}

fn who(who: &Who) -> String {
    format!("{} {} by {}, roles {}", who.kind, who.subject, who.method, who.roles.join(", "))
}

fn noticed(finding: &Found) -> String {
    let Found { rule, channel, leaf, span: [from, to], confidence, digest, source, words, .. } = finding;
    let digest = data_encoding::HEXLOWER.encode(digest);
    let mut what = format!(
        "{rule} in the {channel} channel, leaf {leaf}, bytes {from} to {to}, {confidence} permille sure, {digest}"
    );
    if let (Some(source), Some(words)) = (source, words) {
        what.push_str(&format!(", {words} words of `{source}`"));
    }
    what
}

fn meaning(code: &str) -> &'static str {
    Code::ALL.iter().find(|c| c.id() == code).map_or("an unknown code", |c| c.message())
}

/// When it was made.
const fn at(record: &Record) -> u64 {
    match record {
        Record::Opened(r) => r.at,
        Record::Intent(r) => r.at,
        Record::Outcome(r) => r.at,
        Record::Refused(r) => r.at,
        Record::Answered(r) => r.at,
        Record::Changed(r) => r.at,
        Record::Strangers(r) => r.last,
        Record::Gap(r) => r.until,
        Record::GivenUp(r) => r.at,
    }
}
