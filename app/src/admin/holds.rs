//! Legal holds: added, listed, released by two.

use countersign_audit::record::Members;
use countersign_core::{Refusal, Timestamp};
use countersign_policy::Administer;
use countersign_store::HoldRecord;
use http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Ask, Gives, Permit, Reply, Route,
    ask::{malformed, nothing, unkept},
    page::{self, List},
    reply::JSON,
    restraints::{Why, said},
    schema,
};
use crate::{
    clock,
    holds::{Wanted, lapsed, members},
};

pub(crate) const ROUTES: &[Route] = &[
    Route {
        method: Method::GET,
        path: "/admin/v1/holds",
        permit: Permit::Action(Administer::ListHolds),
        name: "listHolds",
        what: "List legal holds, those that were released included, newest first.",
        query: page::PARAMS,
        takes: None,
        gives: &[Gives { status: 200, what: "A page of holds.", body: Some((JSON, schema::<List<Hold>>)) }],
        run: |ask| Box::pin(list(ask)),
    },
    Route {
        method: Method::POST,
        path: "/admin/v1/holds",
        permit: Permit::Action(Administer::AddHold),
        name: "addHold",
        what: "Add a legal hold: what it covers is neither given up for its age nor forgotten until it is released.",
        query: &[],
        takes: Some((JSON, schema::<New>)),
        gives: &[Gives { status: 201, what: "The hold.", body: Some((JSON, schema::<Hold>)) }],
        run: |ask| Box::pin(add(ask)),
    },
    Route {
        method: Method::POST,
        path: "/admin/v1/holds/{id}/release",
        permit: Permit::Action(Administer::ReleaseHold),
        name: "releaseHold",
        what: "Ask that a hold be released; the second who asks within a day, and is somebody else, releases it.",
        query: &[],
        takes: Some((JSON, schema::<Why>)),
        gives: &[Gives { status: 200, what: "The hold.", body: Some((JSON, schema::<Hold>)) }],
        run: |ask| Box::pin(release(ask)),
    },
];

/// A legal hold.
#[derive(JsonSchema, Serialize)]
struct Hold {
    /// Its id, `hol_...`.
    id: String,
    /// Whose records: of this tenant, or of all.
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<String>,
    /// Of this person in the tenant, or of all in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    person: Option<String>,
    /// From when on, RFC 3339; from the beginning where it is absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    /// Until when; what is still to come, too, where it is absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
    /// Why.
    reason: String,
    /// Who added it.
    by: String,
    /// When.
    at: String,
    /// How it stands.
    standing: Standing,
    /// Who asked last that it be released.
    #[serde(skip_serializing_if = "Option::is_none")]
    release_asked_by: Option<String>,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    release_asked: Option<String>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    release_reason: Option<String>,
    /// Who agreed.
    #[serde(skip_serializing_if = "Option::is_none")]
    released_by: Option<String>,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    released: Option<String>,
}

/// How a hold stands.
#[derive(JsonSchema, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Standing {
    /// It is in force.
    InForce,
    /// It is in force, and somebody has asked within a day that it be released.
    ReleaseAsked,
    /// Two have released it.
    Released,
}

/// What is to be held.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct New {
    /// Whose records: of this tenant, or of all.
    #[schemars(length(min = 1, max = 256))]
    tenant: Option<String>,
    /// Of this person in the tenant, or of all in it.
    #[schemars(length(min = 1, max = 1024))]
    person: Option<String>,
    /// From when on: a day or a moment, RFC 3339.
    from: Option<String>,
    /// Until when; without it, what is still to come, too.
    until: Option<String>,
    /// Why, for whoever reads the list.
    #[schemars(length(min = 1, max = 256))]
    reason: String,
}

async fn list(ask: &Ask<'_>) -> Result<Reply, Refusal> {
    let page = ask.page()?;
    let limit = u32::try_from(page.limit + 1).unwrap_or(u32::MAX);
    let found = ask.admin.state.store().holds(page.after.as_deref(), limit).await.map_err(unkept)?;
    let items = found.iter().map(|record| Hold::of(record, ask.now())).collect();
    Reply::json(200, &List::of(items, &page, |hold: &Hold| &hold.id))
}

async fn add(ask: &Ask<'_>) -> Result<Reply, Refusal> {
    let New { tenant, person, from, until, reason } = ask.json()?;
    let wanted = Wanted { tenant, person, from, until, reason };
    let record = wanted.record(&ask.by()?, ask.now()).map_err(malformed)?;
    ask.record(&record.id, Members::new(), members(&record)).await?;
    ask.admin.state.store().insert_hold(&record).await.map_err(unkept)?;
    Reply::json(201, &Hold::of(&record, ask.now()))
}

async fn release(ask: &Ask<'_>) -> Result<Reply, Refusal> {
    let Why { reason } = ask.json()?;
    said(&reason).map_err(malformed)?;
    let (store, by, now) = (ask.admin.state.store(), ask.by()?, ask.now());
    let before = store.hold(ask.id()).await.map_err(unkept)?.ok_or_else(nothing)?;
    let after = before.released_by(&by, &reason, now, lapsed(now));
    ask.record(&before.id, members(&before), members(&after)).await?;
    let kept = store.release_hold(&before.id, &by, &reason, now, lapsed(now)).await.map_err(unkept)?;
    Reply::json(200, &Hold::of(&kept.ok_or_else(nothing)?, now))
}

impl Hold {
    fn of(record: &HoldRecord, now: Timestamp) -> Self {
        let asked = record.asked.as_ref();
        Self {
            id: record.id.to_string(),
            tenant: record.tenant.as_ref().map(ToString::to_string),
            person: record.subject.as_ref().map(ToString::to_string),
            from: record.from.map(clock::rfc3339),
            until: record.until.map(clock::rfc3339),
            reason: record.reason.clone(),
            by: record.by.to_string(),
            at: clock::rfc3339(record.at),
            standing: match (&record.released, asked) {
                (Some(_), _) => Standing::Released,
                (None, Some((at, ..))) if *at >= lapsed(now) => Standing::ReleaseAsked,
                (None, _) => Standing::InForce,
            },
            release_asked_by: asked.map(|(_, by, _)| by.to_string()),
            release_asked: asked.map(|(at, ..)| clock::rfc3339(*at)),
            release_reason: asked.map(|(.., why)| why.clone()),
            released_by: record.released.as_ref().map(|(_, by)| by.to_string()),
            released: record.released.as_ref().map(|(at, _)| clock::rfc3339(*at)),
        }
    }
}

#[cfg(test)]
mod tests;
