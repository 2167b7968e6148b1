//! The timelines of the watch: who has gone how far, and which requests that rests on.

use std::borrow::Cow;

use countersign_audit::record::Members;
use countersign_core::{Refusal, Target};
use countersign_monitor::Shown;
use countersign_policy::Administer;
use http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Ask, Gives, Param, Permit, Reply, Route,
    ask::{malformed, nothing},
    because::Because,
    page::{self, List},
    reply::JSON,
    schema,
};
use crate::clock;

pub(crate) const ROUTES: &[Route] = &[
    Route {
        method: Method::GET,
        path: "/admin/v1/watch",
        permit: Permit::Action(Administer::ReadTraffic),
        name: "listTimelines",
        what: "List the timelines that are not calm, the worst first.",
        query: &[page::PARAMS[0]],
        takes: None,
        gives: &[Gives { status: 200, what: "The timelines.", body: Some((JSON, schema::<List<Timeline>>)) }],
        run: |ask| Box::pin(async move { list(ask) }),
    },
    Route {
        method: Method::GET,
        path: "/admin/v1/watch/timeline",
        permit: Permit::Action(Administer::ReadTraffic),
        name: "getTimeline",
        what: "How far one timeline has gone, and which requests that rests on.",
        query: &[Param {
            name: "of",
            what: "Whose: `principal:TENANT/SUBJECT`, `session:ISSUER/ID`, `credential:ID`, `client:ISSUER/ID` or `tenant:NAME`.",
            form: schema::<String>,
        }],
        takes: None,
        gives: &[Gives { status: 200, what: "The timeline.", body: Some((JSON, schema::<Timeline>)) }],
        run: |ask| Box::pin(async move { one(ask) }),
    },
    Route {
        method: Method::POST,
        path: "/admin/v1/watch/calm",
        permit: Permit::Action(Administer::Release),
        name: "calmTimeline",
        what: "Forget what speaks against a timeline: a person has looked at it and found it harmless.",
        query: &[],
        takes: Some((JSON, schema::<Calm>)),
        gives: &[Gives { status: 200, what: "The timeline as it is now.", body: Some((JSON, schema::<Timeline>)) }],
        run: |ask| Box::pin(calm(ask)),
    },
];

/// Somebody's timeline.
#[derive(JsonSchema, Serialize)]
struct Timeline {
    /// Whose it is, in the words of revocations.
    of: String,
    /// The tenant that it concerns.
    tenant: String,
    /// When its first request came, RFC 3339.
    since: String,
    /// When its last request came, RFC 3339.
    last: String,
    /// How many requests it has had.
    events: u32,
    /// How far it has gone, 0 to 100. Alerts begin at 50.
    risk: u8,
    /// What it looks like, where it looks like anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pattern: Option<&'static str>,
    /// The requests that it rests on, the heaviest first.
    because: Vec<Because>,
}

/// Which timeline is harmless, and why.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Calm {
    /// Whose it is, as in `principal:TENANT/SUBJECT`.
    #[schemars(length(min = 1, max = 2048))]
    of: String,
    /// Why it is harmless; it goes on record.
    #[schemars(length(min = 1, max = 1024))]
    reason: String,
}

impl From<Shown> for Timeline {
    fn from(shown: Shown) -> Self {
        Self {
            of: shown.of.to_string(),
            tenant: shown.tenant.to_string(),
            since: clock::rfc3339(shown.since),
            last: clock::rfc3339(shown.last),
            events: shown.events,
            risk: shown.risk.score,
            pattern: shown.pattern.map(|pattern| pattern.as_str()),
            because: shown.risk.because.iter().map(Because::from).collect(),
        }
    }
}

fn list(ask: &Ask<'_>) -> Result<Reply, Refusal> {
    let worst = ask.admin.watch.riskiest(ask.page()?.limit, ask.now());
    Reply::json(200, &List { items: worst.into_iter().map(Timeline::from).collect(), next: None })
}

fn one(ask: &Ask<'_>) -> Result<Reply, Refusal> {
    one_of(ask, &target(ask.parameter("of").unwrap_or_default())?)
}

async fn calm(ask: &Ask<'_>) -> Result<Reply, Refusal> {
    let Calm { of, reason } = ask.json()?;
    let of = target(&of)?;
    if reason.trim().is_empty() || reason.len() > 1024 {
        return Err(malformed("`reason` says why, in 1 to 1024 bytes"));
    }
    let was = ask.admin.watch.timeline(&of, ask.now()).ok_or_else(nothing)?;
    let risk = |score: u8| (Cow::from("risk"), score.to_string());
    let becomes = Members::from([risk(0), ("reason".into(), reason)]);
    ask.record(&of.to_string(), Members::from([risk(was.risk.score)]), becomes).await?;
    ask.admin.watch.calm(&of);
    one_of(ask, &of)
}

fn one_of(ask: &Ask<'_>, of: &Target) -> Result<Reply, Refusal> {
    let shown = ask.admin.watch.timeline(of, ask.now()).ok_or_else(nothing)?;
    Reply::json(200, &Timeline::from(shown))
}

fn target(text: &str) -> Result<Target, Refusal> {
    text.parse().map_err(|_| malformed("`of` names nobody, as `principal:TENANT/SUBJECT` does"))
}

#[cfg(test)]
mod tests;
