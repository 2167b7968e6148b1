//! The text of the policies, drafts of other texts, and putting one in force.
//!
//! Threats it answers: a draft that permits what nobody meant (it is read as strictly as files are, tried on single questions and on the
//! last requests before it is saved); a change nobody can be asked about (who saved which text is on record, and the text before is
//! kept); two people who overwrite each other (a draft says of which policies it is one); people who lock themselves out (a draft under which
//! its writer could not save another is not saved).

use std::{collections::BTreeSet, sync::Arc};

use countersign_audit::{recent, record::Members};
use countersign_core::{Code, Refusal, RequestId, Timestamp};
use countersign_policy::{
    Administer, Policy,
    cases::{Explanation, Question},
};
use http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Ask, Gives, Permit, Reply, Route, ask::malformed, proofs::beside, reply::JSON, schema};
use crate::{
    clock, cmd,
    policies::{digest_of, version},
    replay::{Replay, left_out},
};

pub(crate) const ROUTES: &[Route] = &[
    Route {
        method: Method::GET,
        path: "/admin/v1/policies/text",
        permit: Permit::Action(Administer::ReadPolicy),
        name: "getPolicyText",
        what: "The text of the policies in force on this node, file by file, and what stood there before.",
        query: &[],
        takes: None,
        gives: &[Gives { status: 200, what: "The files.", body: Some((JSON, schema::<Text>)) }],
        run: |ask| Box::pin(text(ask)),
    },
    Route {
        method: Method::POST,
        path: "/admin/v1/policies/try",
        permit: Permit::Action(Administer::ReadPolicy),
        name: "tryPolicy",
        what: "Check a draft of one policy file, and ask it a question. Nothing is changed.",
        query: &[],
        takes: Some((JSON, schema::<Try>)),
        gives: &[Gives {
            status: 200,
            what: "What was answered, before and after.",
            body: Some((JSON, schema::<Tried>)),
        }],
        run: |ask| Box::pin(try_out(ask)),
    },
    Route {
        method: Method::POST,
        path: "/admin/v1/policies/simulate",
        permit: Permit::Action(Administer::ReadPolicy),
        name: "simulatePolicy",
        what: "Ask a draft of one policy file about the last 1000 requests on record; `readTraffic` is needed as well. Nothing is changed.",
        query: &[],
        takes: Some((JSON, schema::<Draft>)),
        gives: &[Gives {
            status: 200,
            what: "What would be decided otherwise.",
            body: Some((JSON, schema::<Simulated>)),
        }],
        run: |ask| Box::pin(simulate(ask)),
    },
    Route {
        method: Method::POST,
        path: "/admin/v1/policies/save",
        permit: Permit::Action(Administer::WritePolicy),
        name: "savePolicy",
        what: "Put a draft of one policy file in force on this node, and keep it on disk; where `[console]` has `edit_policies`.",
        query: &[],
        takes: Some((JSON, schema::<Save>)),
        gives: &[Gives { status: 200, what: "The files as they are now.", body: Some((JSON, schema::<Text>)) }],
        run: |ask| Box::pin(save(ask)),
    },
];

/// The policy files.
#[derive(JsonSchema, Serialize)]
struct Text {
    /// Names what is in force; a draft that is saved says which it is a draft of.
    version: String,
    /// The node that they are in force on.
    node: String,
    /// Whether they can be saved from here.
    editable: bool,
    /// The files, in order.
    files: Vec<File>,
}

/// A policy file.
#[derive(JsonSchema, Serialize)]
struct File {
    /// As the configuration names it.
    file: String,
    /// Its text, in force.
    text: String,
    /// The text that a save replaced last.
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<String>,
}

/// Another text for one of the files.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Draft {
    /// As the configuration names it.
    #[schemars(length(min = 1, max = 4096))]
    file: String,
    /// Its text.
    #[schemars(length(max = 262_144))]
    text: String,
}

/// What a draft is asked.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Try {
    /// The draft.
    draft: Draft,
    /// A question, as `ask` in the cases of `countersign policy test`; none to have the draft checked.
    #[serde(default)]
    ask: Option<Value>,
}

/// What was answered. Both are absent where nothing was asked.
#[derive(JsonSchema, Serialize)]
struct Tried {
    /// By the policies in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    was: Option<String>,
    /// By the draft.
    #[serde(skip_serializing_if = "Option::is_none")]
    becomes: Option<String>,
    /// Policies with the draft.
    policies: usize,
}

/// What the draft decides otherwise.
#[derive(JsonSchema, Serialize)]
struct Simulated {
    /// Requests that were asked about: the last on record, 1000 at most.
    requests: usize,
    /// Questions about them: whether the prompt may leave, and whether the answer may return.
    questions: usize,
    /// What is decided otherwise, newest first.
    differ: Vec<Difference>,
    /// What the policies read and no record holds: it was left out of the questions.
    left_out: Vec<&'static str>,
    /// Questions in words that this release does not know.
    unknown: usize,
}

/// One decision that becomes another.
#[derive(JsonSchema, Serialize)]
struct Difference {
    /// The request.
    request: String,
    /// When it was asked, RFC 3339.
    at: String,
    /// By whom: `TENANT/SUBJECT`.
    who: String,
    /// What for.
    what: String,
    /// What the policies in force say to it.
    was: String,
    /// What the draft says.
    becomes: String,
}

/// A draft to be put in force.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Save {
    /// The draft.
    draft: Draft,
    /// The `version` of the policies that it is a draft of.
    #[schemars(length(min = 64, max = 64))]
    of: String,
    /// Why, for whoever reads the record.
    #[schemars(length(min = 1, max = 256))]
    note: String,
}

async fn text(ask: &Ask<'_>) -> Result<Reply, Refusal> {
    Reply::json(200, &Text::now(ask).await?)
}

async fn try_out(ask: &Ask<'_>) -> Result<Reply, Refusal> {
    let Try { draft, ask: question } = ask.json()?;
    let question = question.map(serde_json::from_value::<Question>).transpose();
    let question = question.map_err(|error| malformed(format!("`ask` is no question: {error}")))?;
    let old = ask.admin.policy.policy();
    let tried = aside(ask, move || {
        let new = draft.read(&old)?;
        let say = |policy: &Policy| {
            let explained = question.as_ref().map(|question| policy.explain(question)).transpose();
            let explained = explained.map_err(|error| malformed(format!("`ask` is no question: {error}")))?;
            Ok(explained.as_ref().map(cmd::policy::said))
        };
        Ok(Tried { was: say(&old)?, becomes: say(&new)?, policies: new.len() })
    });
    Reply::json(200, &tried.await?)
}

async fn simulate(ask: &Ask<'_>) -> Result<Reply, Refusal> {
    // What it lists is what was asked for.
    ask.admin.policy.administer(ask.who()?, Administer::ReadTraffic)?;
    let draft: Draft = ask.json()?;
    let (old, audit) = (ask.admin.policy.policy(), &ask.admin.audit);
    let from = audit.checkpoint().checkpoint.size.saturating_sub(READ_BACK);
    let questions = beside(audit.dir(), move |dir| {
        let mut replay = Replay::default();
        let records = recent(dir, from)?.flatten();
        Ok(records.filter_map(|shown| replay.question(shown.index, &shown.record)).collect::<Vec<_>>())
    });
    let questions = questions.await?;
    let simulated = aside(ask, move || Ok(Simulated::of(last(questions), &old, &draft.read(&old)?)));
    Reply::json(200, &simulated.await?)
}

async fn save(ask: &Ask<'_>) -> Result<Reply, Refusal> {
    let Save { draft, of, note } = ask.json()?;
    super::restraints::said(&note).map_err(malformed)?;
    let admin = ask.admin;
    if !admin.policy_files.editable {
        return Err(conflict("`[console]` does not say `edit_policies = true`: change the file and reload"));
    }
    let _turn = admin.policies.changing.lock().await;
    let old = admin.policy.policy();
    if version(&old) != of {
        return Err(conflict("other policies are in force by now; begin from their text"));
    }
    let (files, in_force, file) = (admin.policy_files.clone(), old.clone(), draft.file.clone());
    let place = blocking(move || files.as_in_force(&file, &in_force).map(ToOwned::to_owned).map_err(conflict)).await?;
    let Draft { file, text } = draft;
    let before = old.sources().find(|(name, _)| *name == file).map(|(_, text)| text.to_owned()).unwrap_or_default();
    let (reading, name) = (old.clone(), file.clone());
    let (new, text) =
        aside(ask, move || Ok((Arc::new(Draft { file: name, text: text.clone() }.read(&reading)?), text))).await?;
    if !new.would_permit(ask.who()?, Administer::WritePolicy) {
        return Err(conflict("under this draft you could not save another; whoever may change the file can"));
    }
    let of_text = |text: &str| ("sha256".into(), digest_of([text]));
    let becomes = Members::from([of_text(&text), ("note".into(), note), ("version".into(), version(&new))]);
    ask.record(&format!("policy file {file}"), Members::from([of_text(&before), ("version".into(), of)]), becomes)
        .await?;
    let policies = admin.policies.clone();
    let kept = blocking(move || Ok(policies.replace(&file, &place, &before, &text))).await?;
    if let Err(error) = kept {
        tracing::error!(error = format!("{error:#}"), "a policy file could not be written");
        return Err(Refusal::new(Code::StoreFailed, "the policy file could not be written"));
    }
    admin.policy.replace_policy(&new);
    Reply::json(200, &Text::now(ask).await?)
}

impl Text {
    async fn now(ask: &Ask<'_>) -> Result<Self, Refusal> {
        let (policy, policies) = (ask.admin.policy.policy(), ask.admin.policies.clone());
        let version = version(&policy);
        let read = move || -> Result<Vec<File>, std::io::Error> {
            let files = policy.sources().map(|(file, text)| {
                Ok(File { file: file.to_owned(), text: text.to_owned(), before: policies.before(file)? })
            });
            files.collect()
        };
        let files = blocking(move || Ok(read())).await?.map_err(|error| {
            tracing::error!(%error, "what policies were before cannot be read");
            Refusal::new(Code::StoreFailed, "what policies were before cannot be read")
        })?;
        Ok(Self { version, node: ask.admin.state.node().to_owned(), editable: ask.admin.policy_files.editable, files })
    }
}

impl Draft {
    /// The policies with this text in place of what is in force.
    fn read(&self, old: &Policy) -> Result<Policy, Refusal> {
        if old.sources().all(|(file, _)| file != self.file) {
            return Err(malformed("`file` is none of the policy files"));
        }
        old.with(&self.file, &self.text).map_err(|error| malformed(error.to_string()))
    }
}

impl Simulated {
    fn of(questions: Vec<(RequestId, Question)>, old: &Policy, new: &Policy) -> Self {
        let left_out: BTreeSet<_> = [old, new].into_iter().flat_map(left_out).collect();
        let mut done = Self {
            requests: questions.iter().map(|(request, _)| request).collect::<BTreeSet<_>>().len(),
            questions: questions.len(),
            differ: Vec::new(),
            left_out: left_out.into_iter().collect(),
            unknown: 0,
        };
        for (request, question) in questions.into_iter().rev() {
            let (Ok(was), Ok(becomes)) = (old.explain(&question), new.explain(&question)) else {
                done.unknown += 1;
                continue;
            };
            let answer = |said: &Explanation| (said.decision, said.code);
            if answer(&was) != answer(&becomes) {
                done.differ.push(Difference {
                    request: request.to_string(),
                    at: clock::rfc3339(Timestamp(question.time.epoch.unwrap_or_default() * 1_000_000)),
                    who: format!("{}/{}", question.tenant, question.subject),
                    what: format!("{} {}", question.action, question.model).trim_end().to_owned(),
                    was: cmd::policy::said(&was),
                    becomes: cmd::policy::said(&becomes),
                });
            }
        }
        done
    }
}

/// Those about the last requests.
fn last(mut questions: Vec<(RequestId, Question)>) -> Vec<(RequestId, Question)> {
    let mut requests = BTreeSet::new();
    let within = |(request, _): &&(RequestId, Question)| {
        requests.insert(*request);
        requests.len() <= REQUESTS
    };
    let count = questions.iter().rev().take_while(within).count();
    questions.split_off(questions.len() - count)
}

/// Does what takes a processor for a while, for one caller at a time.
async fn aside<T: Send + 'static>(
    ask: &Ask<'_>,
    work: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    let busy = |_| Refusal::new(Code::Overloaded, "somebody else tries a draft");
    let _turn = ask.admin.policies.trying.try_lock().map_err(busy)?;
    blocking(work).await
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Refusal> + Send + 'static) -> Result<T, Refusal> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| Refusal::new(Code::Internal, "reading policies panicked"))?
}

fn conflict(what: impl Into<String>) -> Refusal {
    Refusal::new(Code::Conflict, what.into())
}

/// How many requests a draft is asked about.
const REQUESTS: usize = 1000;
/// How many records are looked through for them: a request leaves two, and what the gateway is asked itself stands between.
const READ_BACK: u64 = 8192;

#[cfg(test)]
mod tests;
