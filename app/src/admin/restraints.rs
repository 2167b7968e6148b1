//! Restraints: who is held back, the case for it, laying one by hand, releasing.

use countersign_audit::record::Members;
use countersign_core::{Measure, Refusal, Target, Timestamp};
use countersign_playbook::Told;
use countersign_policy::Administer;
use countersign_store::RestraintRecord;
use http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Ask, Gives, Permit, Reply, Route,
    ask::{malformed, new_id, nothing, unkept},
    because::Because,
    page::{self, List},
    reply::JSON,
    schema,
};
use crate::clock;

pub(crate) const ROUTES: &[Route] = &[
    Route {
        method: Method::GET,
        path: "/admin/v1/restraints",
        permit: Permit::Action(Administer::ListRestraints),
        name: "listRestraints",
        what: "List who is or was held back, newest first: the review queue.",
        query: page::PARAMS,
        takes: None,
        gives: &[Gives { status: 200, what: "A page of restraints.", body: Some((JSON, schema::<List<Restraint>>)) }],
        run: |ask| Box::pin(list(ask)),
    },
    Route {
        method: Method::POST,
        path: "/admin/v1/restraints",
        permit: Permit::Action(Administer::Restrain),
        name: "restrain",
        what: "Hold somebody back whose credential stands: from the next request on, and with `quarantine` in the middle of answers.",
        query: &[],
        takes: Some((JSON, schema::<New>)),
        gives: &[Gives { status: 201, what: "The restraint.", body: Some((JSON, schema::<Restraint>)) }],
        run: |ask| Box::pin(create(ask)),
    },
    Route {
        method: Method::GET,
        path: "/admin/v1/restraints/{id}",
        permit: Permit::Action(Administer::ListRestraints),
        name: "getRestraint",
        what: "Look at one case, with the events that it rests on.",
        query: &[],
        takes: None,
        gives: &[Gives { status: 200, what: "The restraint.", body: Some((JSON, schema::<Restraint>)) }],
        run: |ask| Box::pin(get(ask)),
    },
    Route {
        method: Method::POST,
        path: "/admin/v1/restraints/{id}/release",
        permit: Permit::Action(Administer::Release),
        name: "release",
        what: "Release somebody who is held back. One that is released stays as it is.",
        query: &[],
        takes: Some((JSON, schema::<Why>)),
        gives: &[Gives { status: 200, what: "The restraint.", body: Some((JSON, schema::<Restraint>)) }],
        run: |ask| Box::pin(release(ask)),
    },
];

/// Somebody who is held back.
#[derive(JsonSchema, Serialize)]
struct Restraint {
    /// The case, `qua_...`.
    id: String,
    /// Whom it is laid upon, as in `principal:bank/alice`.
    target: String,
    /// How far: `observe`, `throttle:N`, `step-up`, `read-only` or `quarantine`.
    measure: String,
    /// Since when, RFC 3339.
    since: String,
    /// When it is over by itself.
    until: String,
    /// Who laid it; a playbook is `playbook:NAME`.
    by: String,
    /// Why.
    reason: String,
    /// The run of a playbook that laid it.
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<String>,
    /// How it stands.
    standing: Standing,
    /// When it was released.
    #[serde(skip_serializing_if = "Option::is_none")]
    released: Option<String>,
    /// Who released it.
    #[serde(skip_serializing_if = "Option::is_none")]
    released_by: Option<String>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    release_reason: Option<String>,
    /// What the alert rests on that set the playbook off, the heaviest first; where one case is asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    because: Vec<Because>,
}

/// How a restraint stands.
#[derive(JsonSchema, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Standing {
    /// It holds somebody back.
    InForce,
    /// Somebody released it.
    Released,
    /// Its time is over.
    Over,
}

/// What is to be laid upon whom.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct New {
    /// As for a revocation: `principal:TENANT/SUBJECT`, `session:ISSUER/ID`, `credential:ID`, ...
    #[schemars(length(min = 1, max = 1024))]
    target: String,
    /// `observe`, `throttle:N`, `step-up`, `step-up:acr=VALUE`, `read-only` or `quarantine`.
    #[schemars(length(min = 1, max = 256))]
    measure: String,
    /// For how long.
    #[schemars(range(min = 1, max = 43_200))]
    minutes: u32,
    /// Why, for whoever reads the list.
    #[schemars(length(min = 1, max = 256))]
    reason: String,
}

/// Why something is undone.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Why {
    /// For whoever reads the list.
    #[schemars(length(min = 1, max = 256))]
    pub(crate) reason: String,
}

/// A restraint that somebody asks for.
pub(crate) struct Wanted<'a> {
    pub(crate) target: &'a str,
    pub(crate) measure: &'a str,
    pub(crate) minutes: u32,
    pub(crate) reason: &'a str,
}

impl Wanted<'_> {
    /// What is to be kept of it.
    ///
    /// # Errors
    /// What is wrong with it, in words for whoever asks.
    pub(crate) fn record(&self, by: String, now: Timestamp) -> Result<RestraintRecord, String> {
        let target: Target =
            self.target.parse().map_err(|_| "the target names nobody who can be held back".to_owned())?;
        let measure: Measure = self.measure.parse().map_err(|error| format!("{error}"))?;
        if !(1..=MOST_MINUTES).contains(&self.minutes) {
            return Err(format!("`minutes` is not 1 to {MOST_MINUTES}"));
        }
        said(self.reason)?;
        Ok(RestraintRecord {
            id: new_id("qua_", now).into(),
            target: target.to_string().into(),
            measure: measure.to_string().into(),
            since: now,
            until: now.plus(std::time::Duration::from_secs(u64::from(self.minutes) * 60)),
            by: by.into(),
            reason: self.reason.to_owned(),
            run: None,
            released: None,
        })
    }
}

/// Whether it can be kept as a reason.
pub(crate) fn said(reason: &str) -> Result<(), &'static str> {
    if (1..=256).contains(&reason.len()) && !reason.chars().any(char::is_control) {
        return Ok(());
    }
    Err("the reason is not 1 to 256 bytes without control characters")
}

async fn list(ask: &Ask<'_>) -> Result<Reply, Refusal> {
    let page = ask.page()?;
    let limit = u32::try_from(page.limit + 1).unwrap_or(u32::MAX);
    let found = ask.admin.state.store().restraints(page.after.as_deref(), limit).await.map_err(unkept)?;
    let items = found.iter().map(|record| Restraint::of(record, ask.now())).collect();
    Reply::json(200, &List::of(items, &page, |r: &Restraint| &r.id))
}

async fn get(ask: &Ask<'_>) -> Result<Reply, Refusal> {
    let record = find(ask).await?;
    let run = match &record.run {
        Some(run) => ask.admin.state.store().run(run).await.map_err(unkept)?,
        None => None,
    };
    let told = run.and_then(|run| serde_json::from_str(&run.alert).ok());
    Reply::json(
        200,
        &Restraint { because: told.as_ref().map(because).unwrap_or_default(), ..Restraint::of(&record, ask.now()) },
    )
}

async fn create(ask: &Ask<'_>) -> Result<Reply, Refusal> {
    let New { target, measure, minutes, reason } = ask.json()?;
    let wanted = Wanted { target: &target, measure: &measure, minutes, reason: &reason };
    let record = wanted.record(ask.by()?, ask.now()).map_err(malformed)?;
    ask.record(&record.id, Members::new(), members(&record)).await?;
    ask.admin.force.restrain(&record).await.map_err(unkept)?;
    Reply::json(201, &Restraint::of(&record, ask.now()))
}

async fn release(ask: &Ask<'_>) -> Result<Reply, Refusal> {
    let Why { reason } = ask.json()?;
    said(&reason).map_err(malformed)?;
    let (before, by) = (find(ask).await?, ask.by()?);
    let mut after = before.clone();
    after.released.get_or_insert_with(|| (ask.now(), by.as_str().into(), reason.clone()));
    ask.record(&before.id, members(&before), members(&after)).await?;
    let released = ask.admin.force.release(&before.id, &by, &reason, ask.now()).await.map_err(unkept)?;
    Reply::json(200, &Restraint::of(&released.ok_or_else(nothing)?, ask.now()))
}

async fn find(ask: &Ask<'_>) -> Result<RestraintRecord, Refusal> {
    ask.admin.state.store().restraint(ask.id()).await.map_err(unkept)?.ok_or_else(nothing)
}

/// What the record of a change says of a restraint.
pub(crate) fn members(of: &RestraintRecord) -> Members {
    let released = of.released.as_ref();
    Members::from([
        ("target".into(), of.target.to_string()),
        ("measure".into(), of.measure.to_string()),
        ("until".into(), clock::rfc3339(of.until)),
        ("reason".into(), of.reason.clone()),
        (
            "released".into(),
            released.map_or_else(|| "no".to_owned(), |(at, _, why)| format!("{}: {why}", clock::rfc3339(*at))),
        ),
    ])
}

/// The events behind an alert.
pub(crate) fn because(told: &Told) -> Vec<Because> {
    told.because.iter().map(Because::from).collect()
}

impl Restraint {
    fn of(record: &RestraintRecord, now: Timestamp) -> Self {
        let released = record.released.as_ref();
        Self {
            id: record.id.to_string(),
            target: record.target.to_string(),
            measure: record.measure.to_string(),
            since: clock::rfc3339(record.since),
            until: clock::rfc3339(record.until),
            by: record.by.to_string(),
            reason: record.reason.clone(),
            run: record.run.as_ref().map(ToString::to_string),
            standing: match released {
                Some(_) => Standing::Released,
                None if record.until <= now => Standing::Over,
                None => Standing::InForce,
            },
            released: released.map(|(at, ..)| clock::rfc3339(*at)),
            released_by: released.map(|(_, by, _)| by.to_string()),
            release_reason: released.map(|(.., why)| why.clone()),
            because: Vec::new(),
        }
    }
}

const MOST_MINUTES: u32 = 30 * 24 * 60;
