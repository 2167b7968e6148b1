//! Revocations: made, listed and lifted.

use countersign_audit::record::Members;
use countersign_core::{Refusal, Target, Timestamp};
use countersign_policy::Administer;
use countersign_store::RevocationRecord;
use http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Ask, Gives, Permit, Reply, Route,
    ask::{malformed, new_id, nothing, unkept},
    page::{self, List},
    reply::JSON,
    schema,
};
use crate::clock;

pub(crate) const ROUTES: &[Route] = &[
    Route {
        method: Method::GET,
        path: "/admin/v1/revocations",
        permit: Permit::Action(Administer::ListRevocations),
        name: "listRevocations",
        what: "List revocations, lifted ones included, newest first.",
        query: page::PARAMS,
        takes: None,
        gives: &[Gives { status: 200, what: "A page of revocations.", body: Some((JSON, schema::<List<Revocation>>)) }],
        run: |ask| Box::pin(list(ask)),
    },
    Route {
        method: Method::POST,
        path: "/admin/v1/revocations",
        permit: Permit::Action(Administer::Revoke),
        name: "revoke",
        what: "Refuse every credential that the target covers, from the next request on; streams in flight are cut.",
        query: &[],
        takes: Some((JSON, schema::<New>)),
        gives: &[Gives { status: 201, what: "The revocation.", body: Some((JSON, schema::<Revocation>)) }],
        run: |ask| Box::pin(create(ask)),
    },
    Route {
        method: Method::GET,
        path: "/admin/v1/revocations/{id}",
        permit: Permit::Action(Administer::ListRevocations),
        name: "getRevocation",
        what: "Look at one revocation.",
        query: &[],
        takes: None,
        gives: &[Gives { status: 200, what: "The revocation.", body: Some((JSON, schema::<Revocation>)) }],
        run: |ask| Box::pin(get(ask)),
    },
    Route {
        method: Method::POST,
        path: "/admin/v1/revocations/{id}/lift",
        permit: Permit::Action(Administer::LiftRevocation),
        name: "liftRevocation",
        what: "Lift a revocation. One that is lifted stays as it is.",
        query: &[],
        takes: None,
        gives: &[Gives { status: 200, what: "The revocation.", body: Some((JSON, schema::<Revocation>)) }],
        run: |ask| Box::pin(lift(ask)),
    },
];

/// A revocation.
#[derive(JsonSchema, Serialize)]
struct Revocation {
    /// Its id, `rev_...`.
    id: String,
    /// What is revoked, as in `role:operator`.
    target: String,
    /// What was issued before this is refused, RFC 3339; absent for good.
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<String>,
    /// Why.
    reason: String,
    /// When it was made.
    made: String,
    /// Who made it.
    by: String,
    /// How it stands.
    standing: Standing,
    /// When it was lifted.
    #[serde(skip_serializing_if = "Option::is_none")]
    lifted: Option<String>,
    /// Who lifted it.
    #[serde(skip_serializing_if = "Option::is_none")]
    lifted_by: Option<String>,
}

/// How a revocation stands.
#[derive(JsonSchema, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Standing {
    /// It refuses.
    InForce,
    /// It was lifted.
    Lifted,
    /// All that it covered has ended by itself.
    Over,
}

/// What is to be revoked.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct New {
    /// `everything`; `tenant:`, `issuer:`, `role:` or `credential:` and a name; or `client:`, `principal:`, `session:` or `token:`, an
    /// issuer (for a principal its tenant), `/` and an id.
    #[schemars(length(min = 1, max = 1024))]
    target: String,
    /// Why, for whoever reads the list.
    #[schemars(length(min = 1, max = 256))]
    reason: String,
    /// What was issued before this moment is refused, RFC 3339; from now on, when absent. Of a session, a token or a credential
    /// everything is refused for good.
    before: Option<String>,
    /// Refuse what is issued later as well, until it is lifted.
    #[serde(default)]
    block: bool,
}

/// A revocation that somebody asks for.
pub(crate) struct Wanted<'a> {
    pub(crate) target: &'a str,
    pub(crate) reason: &'a str,
    pub(crate) before: Option<&'a str>,
    pub(crate) block: bool,
}

impl Wanted<'_> {
    /// What is to be kept of it.
    ///
    /// # Errors
    /// What is wrong with it, in words for whoever asks.
    pub(crate) fn record(&self, by: String, now: Timestamp) -> Result<(Target, RevocationRecord), &'static str> {
        let target: Target = self.target.parse().map_err(|_| "the target names nothing that can be revoked")?;
        if !(1..=256).contains(&self.reason.len()) || self.reason.chars().any(char::is_control) {
            return Err("the reason is not 1 to 256 bytes without control characters");
        }
        let before = match (self.before, self.block) {
            (Some(_), true) => return Err("`before` and `block` exclude each other"),
            (None, true) => Timestamp::MAX,
            (None, false) if target.is_final() => Timestamp::MAX,
            (None, false) => now,
            (Some(text), false) => {
                let time = text.parse::<jiff::Timestamp>().ok().and_then(|t| u64::try_from(t.as_microsecond()).ok());
                Timestamp(time.ok_or("`before` is no moment as RFC 3339 writes one")?)
            }
        };
        let record = RevocationRecord {
            id: new_id("rev_", now).into(),
            target: target.to_string().into(),
            before,
            until: None,
            at: now,
            by: by.into(),
            reason: self.reason.to_owned(),
            lifted: None,
        };
        Ok((target, record))
    }
}

async fn list(ask: &Ask<'_>) -> Result<Reply, Refusal> {
    let page = ask.page()?;
    let limit = u32::try_from(page.limit + 1).unwrap_or(u32::MAX);
    let found = ask.admin.state.store().revocations(page.after.as_deref(), limit).await.map_err(unkept)?;
    let items = found.iter().map(|record| Revocation::of(record, ask.now())).collect();
    Reply::json(200, &List::of(items, &page, |r| &r.id))
}

async fn get(ask: &Ask<'_>) -> Result<Reply, Refusal> {
    Reply::json(200, &Revocation::of(&find(ask).await?, ask.now()))
}

async fn create(ask: &Ask<'_>) -> Result<Reply, Refusal> {
    let New { target, reason, before, block } = ask.json()?;
    let wanted = Wanted { target: &target, reason: &reason, before: before.as_deref(), block };
    let (target, record) = wanted.record(ask.by()?, ask.now()).map_err(malformed)?;
    ask.record(&record.id, Members::new(), members(&record)).await?;
    ask.admin.force.revoke(target, &record).await.map_err(unkept)?;
    Reply::json(201, &Revocation::of(&record, ask.now()))
}

async fn lift(ask: &Ask<'_>) -> Result<Reply, Refusal> {
    let before = find(ask).await?;
    let by = ask.by()?;
    let mut after = before.clone();
    after.lifted.get_or_insert_with(|| (ask.now(), by.as_str().into()));
    ask.record(&before.id, members(&before), members(&after)).await?;
    let lifted = ask.admin.force.lift(&before.id, &by, ask.now()).await.map_err(unkept)?;
    Reply::json(200, &Revocation::of(&lifted.ok_or_else(nothing)?, ask.now()))
}

async fn find(ask: &Ask<'_>) -> Result<RevocationRecord, Refusal> {
    ask.admin.state.store().revocation(ask.id()).await.map_err(unkept)?.ok_or_else(nothing)
}

/// What the record of a change says of a revocation.
pub(crate) fn members(of: &RevocationRecord) -> Members {
    Members::from([
        ("target".into(), of.target.to_string()),
        ("before".into(), before(of).unwrap_or_else(|| "for good".to_owned())),
        ("reason".into(), of.reason.clone()),
        ("lifted".into(), of.lifted.as_ref().map_or_else(|| "no".to_owned(), |(at, _)| clock::rfc3339(*at))),
    ])
}

/// None for good.
pub(crate) fn before(of: &RevocationRecord) -> Option<String> {
    (of.before != Timestamp::MAX).then(|| clock::rfc3339(of.before))
}

impl Revocation {
    fn of(record: &RevocationRecord, now: Timestamp) -> Self {
        Self {
            id: record.id.to_string(),
            target: record.target.to_string(),
            before: before(record),
            reason: record.reason.clone(),
            made: clock::rfc3339(record.at),
            by: record.by.to_string(),
            standing: match (&record.lifted, record.until) {
                (Some(_), _) => Standing::Lifted,
                (None, Some(end)) if end <= now => Standing::Over,
                _ => Standing::InForce,
            },
            lifted: record.lifted.as_ref().map(|(at, _)| clock::rfc3339(*at)),
            lifted_by: record.lifted.as_ref().map(|(_, by)| by.to_string()),
        }
    }
}
