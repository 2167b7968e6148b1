//! `countersign explain`: what became of a request, stage by stage, as the audit log has it.

use std::process::ExitCode;

use countersign_audit::{
    DiskDir, find,
    record::{Found, Record},
};
use countersign_core::{Code, RequestId};

use crate::{cli::Explain, cmd::audit::print, state::State, term};

pub(crate) async fn run(args: &Explain) -> anyhow::Result<ExitCode> {
    let request: RequestId = args.request.parse()?;
    let state = State::existing(&args.config).await?;
    let found = find(&DiskDir::read_only(state.audit_dir())?, request)?;
    anyhow::ensure!(!found.is_empty(), "no record of {request} in this log");
    for shown in &found {
        print(shown, None);
        match &shown.record {
            Record::Intent(r) => {
                stage(
                    "identified",
                    &format!("{} {} by {}, roles {}", r.who.kind, r.who.subject, r.who.method, r.who.roles.join(", ")),
                );
                stage("permitted", &format!("by `{}`", r.permit));
                stage("screened", &format!("{} findings, none of which refused it", r.findings.count));
                if let Some(taint) = &r.taint {
                    stage(
                        "tainted",
                        &format!("by {taint} content; tools that the answer calls are asked of `callTool`"),
                    );
                }
                if let Some(how) = &r.spotlight {
                    stage("marked", &format!("by {how}; such content reached the model with marks around it"));
                }
                stage("recorded", &format!("as record {} before anything left", shown.index));
            }
            Record::Outcome(r) => {
                if let Some(judged) = &r.judged {
                    let (model, texts, took) = (&judged.model, judged.texts, judged.duration / 1000);
                    stage("judged", &format!("{} by `{model}`: {texts} doubtful texts, {took} ms", judged.verdict));
                }
                let called = match &r.target {
                    Some(target) => format!("`{target}` was called"),
                    None => "no provider was called".to_owned(),
                };
                stage("dispatched", &called);
                stage("released", &format!("{} bytes; {} findings in the answer", r.bytes, r.findings.count));
                r.findings.first.iter().for_each(noticed);
                if let Some(code) = &r.code {
                    stage("ended", &format!("{code}: {}", r.reason.as_deref().unwrap_or_else(|| meaning(code))));
                    stage("told", meaning(code));
                }
            }
            Record::Refused(r) => {
                stage("stopped", &format!("{}: {}", r.code, meaning(&r.code)));
                r.findings.first.iter().for_each(noticed);
                stage("sent", "nothing left for the provider");
            }
            Record::Answered(r) => {
                stage(
                    "identified",
                    &format!("{} {} by {}, roles {}", r.who.kind, r.who.subject, r.who.method, r.who.roles.join(", ")),
                );
                stage("answered", "by the gateway itself; no provider was called");
                r.findings.first.iter().for_each(noticed);
            }
            Record::Changed(r) => stage("changed", &format!("{} {}{}", r.action, r.what, super::audit::changes(r))),
            Record::Opened(_) | Record::Strangers(_) | Record::Gap(_) => {}
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn noticed(finding: &Found) {
    let Found { rule, channel, leaf, span: [from, to], confidence, digest, source, words, .. } = finding;
    let digest = data_encoding::HEXLOWER.encode(digest);
    let mut what = format!(
        "{rule} in the {channel} channel, leaf {leaf}, bytes {from} to {to}, {confidence} permille sure, {digest}"
    );
    if let (Some(source), Some(words)) = (source, words) {
        what.push_str(&format!(", {words} words of `{source}`"));
    }
    stage("found", &what);
}

fn stage(name: &str, what: &str) {
    term::say(format_args!("    {name:<11} {what}"));
}

fn meaning(code: &str) -> &'static str {
    Code::ALL.iter().find(|c| c.id() == code).map_or("an unknown code", |c| c.message())
}
