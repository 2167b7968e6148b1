//! Access for a purpose and a time: asked for, decided on, ended, reviewed. The rules are [`countersign_policy::access`]'s.
//!
//! Each step is on record before it is kept, and kept before it is in force: a crash at any moment leaves no access that nobody can be
//! asked about.

use std::{sync::Arc, time::Duration};

use countersign_audit::{DiskDir, record::Members, show};
use countersign_core::{
    Code, Refusal, Timestamp,
    access::{Being, Case, Decision, Stand},
};
use countersign_policy::{
    Administer,
    access::{self, Access, Fault, Wish},
};
use http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Ask, Gives, Param, Permit, Reply, Route,
    ask::{malformed, new_id, nothing, unkept},
    keys::Kind,
    page::{self, List},
    reply::JSON,
    schema,
};
use crate::{
    clock,
    unused::{Held, Unused, Uses},
};

pub(crate) const ROUTES: &[Route] = &[
    Route {
        method: Method::GET,
        path: "/admin/v1/access",
        permit: Permit::Action(Administer::ListRequests),
        name: "listAccess",
        what: "List what access was asked for and what became of it, newest first.",
        query: page::PARAMS,
        takes: None,
        gives: CASES,
        run: |ask| Box::pin(list(ask)),
    },
    Route {
        method: Method::POST,
        path: "/admin/v1/access",
        permit: Permit::Action(Administer::RequestAccess),
        name: "requestAccess",
        what: "Ask for access, for oneself or to act for somebody. Others have to approve.",
        query: &[],
        takes: Some((JSON, schema::<New>)),
        gives: &[Gives { status: 201, what: "The case.", body: Some((JSON, schema::<View>)) }],
        run: |ask| Box::pin(request(ask)),
    },
    Route {
        method: Method::GET,
        path: "/admin/v1/access/{id}",
        permit: Permit::Action(Administer::ListRequests),
        name: "getAccess",
        what: "Look at one case.",
        query: &[],
        takes: None,
        gives: CASE,
        run: |ask| Box::pin(async { Reply::json(200, &View::of(&find(ask).await?, ask.now())) }),
    },
    Route {
        method: Method::POST,
        path: "/admin/v1/access/{id}/approve",
        permit: Permit::Action(Administer::ApproveRequest),
        name: "approveAccess",
        what: "Approve what somebody else asked for. The last approval that is needed grants it.",
        query: &[],
        takes: Some((JSON, schema::<Word>)),
        gives: CASE,
        run: |ask| Box::pin(decide(ask, true)),
    },
    Route {
        method: Method::POST,
        path: "/admin/v1/access/{id}/deny",
        permit: Permit::Action(Administer::DenyRequest),
        name: "denyAccess",
        what: "Deny what somebody else asked for. One denial is enough.",
        query: &[],
        takes: Some((JSON, schema::<Word>)),
        gives: CASE,
        run: |ask| Box::pin(decide(ask, false)),
    },
    Route {
        method: Method::POST,
        path: "/admin/v1/access/{id}/end",
        permit: Permit::Action(Administer::EndGrant),
        name: "endAccess",
        what: "End what was granted, or close a request: sessions on it are refused from now on, and their streams cut.",
        query: &[],
        takes: None,
        gives: CASE,
        run: |ask| Box::pin(end(ask)),
    },
    Route {
        method: Method::POST,
        path: "/admin/v1/access/{id}/review",
        permit: Permit::Action(Administer::ReviewAccess),
        name: "reviewAccess",
        what: "Review access that somebody else took without approval. What was not justified is ended.",
        query: &[],
        takes: Some((JSON, schema::<Review>)),
        gives: CASE,
        run: |ask| Box::pin(review(ask)),
    },
    Route {
        method: Method::POST,
        path: "/admin/v1/break-glass",
        permit: Permit::Action(Administer::BreakGlass),
        name: "breakGlass",
        what: "Take access at once, without approval. Somebody else has to review it afterwards.",
        query: &[],
        takes: Some((JSON, schema::<Glass>)),
        gives: &[Gives { status: 201, what: "The case.", body: Some((JSON, schema::<View>)) }],
        run: |ask| Box::pin(break_glass(ask)),
    },
    Route {
        method: Method::GET,
        path: "/admin/v1/my/access",
        permit: Permit::Action(Administer::RequestAccess),
        name: "listMyAccess",
        what: "List the cases one asked for, holds, or acts on, newest first.",
        query: page::PARAMS,
        takes: None,
        gives: CASES,
        run: |ask| Box::pin(mine(ask)),
    },
    Route {
        method: Method::POST,
        path: "/admin/v1/my/access/{id}/end",
        permit: Permit::Action(Administer::RequestAccess),
        name: "endMyAccess",
        what: "Take back what one asked for, or give back what was granted.",
        query: &[],
        takes: None,
        gives: CASE,
        run: |ask| Box::pin(give_back(ask)),
    },
    Route {
        method: Method::GET,
        path: "/admin/v1/grants",
        permit: Permit::Action(Administer::ListGrants),
        name: "listGrants",
        what: "List the access that is granted now.",
        query: &[],
        takes: None,
        gives: &[Gives { status: 200, what: "What is granted.", body: Some((JSON, schema::<Granted>)) }],
        run: |ask| Box::pin(grants(ask)),
    },
    Route {
        method: Method::GET,
        path: "/admin/v1/unused",
        permit: Permit::Action(Administer::ReportUnused),
        name: "reportUnused",
        what: "Report the permissions that nobody has used: keys, scopes, roles, policies and granted access.",
        query: DAYS,
        takes: None,
        gives: &[Gives { status: 200, what: "What was not used.", body: Some((JSON, schema::<Report>)) }],
        run: |ask| Box::pin(unused(ask)),
    },
];

/// How far to look back.
pub(super) const DAYS: &[Param] = &[Param { name: "days", what: "How many days to look back.", form: days }];
const CASE: &[Gives] = &[Gives { status: 200, what: "The case.", body: Some((JSON, schema::<View>)) }];
const CASES: &[Gives] = &[Gives { status: 200, what: "A page of cases.", body: Some((JSON, schema::<List<View>>)) }];

/// A case: a request for access and what became of it.
#[derive(JsonSchema, Serialize)]
struct View {
    /// Its id, `acc_...`.
    id: Arc<str>,
    /// The access that was asked for.
    access: Arc<str>,
    /// How it stands.
    standing: &'static str,
    /// Who asked, `TENANT/SUBJECT`.
    asked_by: String,
    /// Who is to have it.
    holder: String,
    /// Who may act for the holder, and alone may use it.
    #[serde(skip_serializing_if = "Option::is_none")]
    actor: Option<String>,
    /// What it is for.
    #[serde(rename = "for")]
    things: Vec<Arc<str>>,
    /// Why.
    purpose: String,
    /// For how many minutes.
    minutes: u64,
    /// When it was asked for, RFC 3339.
    asked: String,
    /// Approvals that were needed then.
    approvals: u32,
    /// Who decided what.
    decisions: Vec<Said>,
    /// Whether it was taken without approval.
    broke_glass: bool,
    /// What was thought of that.
    #[serde(skip_serializing_if = "Option::is_none")]
    review: Option<Said>,
    /// The roles that were granted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    roles: Vec<Arc<str>>,
    /// From when it is granted.
    #[serde(skip_serializing_if = "Option::is_none")]
    begins: Option<String>,
    /// When it is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    ends: Option<String>,
    /// When it was closed before its time.
    #[serde(skip_serializing_if = "Option::is_none")]
    closed: Option<String>,
    /// Who closed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    closed_by: Option<String>,
}

/// One person's word.
#[derive(JsonSchema, Serialize)]
struct Said {
    /// Whose.
    by: String,
    /// Whether they agreed.
    yes: bool,
    /// When.
    at: String,
    /// Why.
    note: String,
}

/// What is granted now.
#[derive(JsonSchema, Serialize)]
struct Granted {
    /// The cases, newest first.
    items: Vec<View>,
}

/// What nobody has used.
#[derive(JsonSchema, Serialize)]
struct Report {
    /// Since when, RFC 3339.
    from: String,
    /// The permissions.
    items: Vec<Unused>,
}

/// What is asked for.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct New {
    /// The access, by the name that the configuration gives it.
    access: String,
    /// What for: `model:NAME`, `tool:NAME`, `data:NAME`.
    #[serde(rename = "for")]
    #[schemars(length(min = 1, max = 32), inner(length(max = 262)))]
    things: Vec<String>,
    /// Why.
    #[schemars(length(min = 1, max = 500))]
    purpose: String,
    /// For how many minutes.
    #[schemars(range(min = 1, max = 1440))]
    minutes: u64,
    /// Whom the caller is to act for; the caller itself holds it when absent.
    holder: Option<Holder>,
    /// Who is to act for the caller.
    actor: Option<Actor>,
}

/// What is taken.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Glass {
    /// The access, by the name that the configuration gives it.
    access: String,
    /// What for: `model:NAME`, `tool:NAME`, `data:NAME`.
    #[serde(rename = "for")]
    #[schemars(length(min = 1, max = 32), inner(length(max = 262)))]
    things: Vec<String>,
    /// Why.
    #[schemars(length(min = 1, max = 500))]
    purpose: String,
    /// For how many minutes.
    #[schemars(range(min = 1, max = 1440))]
    minutes: u64,
}

/// Whom one acts for.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Holder {
    /// Their subject id.
    #[schemars(length(min = 1, max = 512))]
    subject: String,
    /// What they are.
    kind: Kind,
}

/// Who acts.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Actor {
    /// Their subject id.
    #[schemars(length(min = 1, max = 512))]
    subject: String,
}

/// A decision.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Word {
    /// Why.
    #[serde(default)]
    #[schemars(length(max = 500))]
    note: String,
}

/// A review.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Review {
    /// Whether there was reason enough not to wait.
    justified: bool,
    /// Why.
    #[serde(default)]
    #[schemars(length(max = 500))]
    note: String,
}

async fn list(ask: &Ask<'_>) -> Result<Reply, Refusal> {
    page_of(ask, None).await
}

async fn mine(ask: &Ask<'_>) -> Result<Reply, Refusal> {
    page_of(ask, Some(&Being::from(&**ask.who()?.principal()))).await
}

async fn page_of(ask: &Ask<'_>, of: Option<&Being>) -> Result<Reply, Refusal> {
    let page = ask.page()?;
    let limit = u32::try_from(page.limit + 1).unwrap_or(u32::MAX);
    let cases = ask.admin.state.store().cases(of, page.after.as_deref(), limit).await.map_err(unkept)?;
    let items = cases.iter().map(|case| View::of(case, ask.now())).collect();
    Reply::json(200, &List::of(items, &page, |view| &view.id))
}

async fn grants(ask: &Ask<'_>) -> Result<Reply, Refusal> {
    let cases = ask.admin.state.store().granted_since(ask.now()).await.map_err(unkept)?;
    let granted = cases.iter().filter(|case| case.stand(ask.now()) == Stand::Granted);
    Reply::json(200, &Granted { items: granted.map(|case| View::of(case, ask.now())).collect() })
}

async fn unused(ask: &Ask<'_>) -> Result<Reply, Refusal> {
    let (from, now) = (looked_back(ask)?, ask.now());
    let store = ask.admin.state.store();
    let keys = store.keys().await.map_err(unkept)?;
    let cases = store.granted_since(from).await.map_err(unkept)?;
    let uses = uses(ask, from).await?;
    let held = Held { keys: &keys, cases: &cases, given: &ask.admin.given };
    Reply::json(200, &Report { from: clock::rfc3339(from), items: uses.unused(&held, from, now) })
}

/// From when on uses count, by the parameter `days`.
pub(super) fn looked_back(ask: &Ask<'_>) -> Result<Timestamp, Refusal> {
    let days = match ask.parameter("days") {
        None => USUAL_DAYS,
        Some(text) => {
            let days = text.parse().ok().filter(|days| (1..=366).contains(days));
            days.ok_or_else(|| malformed("`days` is not a number from 1 to 366"))?
        }
    };
    let back = u64::try_from(Duration::from_hours(24 * days).as_micros()).unwrap_or(u64::MAX);
    Ok(Timestamp(ask.now().0.saturating_sub(back)))
}

/// What was used since `from`, as the log tells.
pub(super) async fn uses(ask: &Ask<'_>, from: Timestamp) -> Result<Uses, Refusal> {
    let log = ask.admin.state.audit_dir();
    // The log may be long, and reading it is no work for the threads that serve.
    let uses = tokio::task::spawn_blocking(move || {
        let mut uses = Uses::default();
        for shown in show::records(&DiskDir::read_only(&log)?)? {
            uses.take(&shown?.record, from);
        }
        anyhow::Ok(uses)
    });
    uses.await.map_err(anyhow::Error::from).flatten().map_err(|error| {
        tracing::error!(error = format!("{error:#}"), "the audit log could not be read");
        Refusal::new(Code::StoreFailed, "the audit log could not be read")
    })
}

async fn request(ask: &Ask<'_>) -> Result<Reply, Refusal> {
    let new: New = ask.json()?;
    let who = ask.who()?.principal();
    let being = |subject: String| {
        // A subject is compared, never parsed; control characters would only make records hard to read.
        let plain = !subject.is_empty() && subject.len() <= 512 && !subject.contains(char::is_control);
        let being = Being { tenant: who.tenant.clone(), subject: subject.into() };
        if plain { Ok(being) } else { Err(malformed("a subject is not 1 to 512 bytes without control characters")) }
    };
    let me = Being::from(&**who);
    let actor = match (&new.holder, new.actor) {
        (Some(_), Some(_)) => return Err(malformed("`holder` and `actor` exclude each other")),
        (Some(_), None) => Some(me),
        (None, actor) => actor.map(|actor| being(actor.subject)).transpose()?,
    };
    let holder = new.holder.map(|holder| Ok::<_, Refusal>((being(holder.subject)?, holder.kind.into()))).transpose()?;
    let wish = Wish { holder, actor, ..wish(new.things, new.purpose, new.minutes)? };
    let access = named(ask, &new.access)?;
    let case = access.ask(new_id("acc_", ask.now()).into(), who, wish, ask.now()).map_err(refused)?;
    open(ask, &case).await
}

async fn break_glass(ask: &Ask<'_>) -> Result<Reply, Refusal> {
    let new: Glass = ask.json()?;
    let who = ask.who()?.principal();
    let access = named(ask, &new.access)?;
    let unreviewed = ask.admin.state.store().unreviewed(&Being::from(&**who)).await.map_err(unkept)?;
    let wish = wish(new.things, new.purpose, new.minutes)?;
    let case =
        access.break_glass(new_id("acc_", ask.now()).into(), who, wish, unreviewed, ask.now()).map_err(refused)?;
    tracing::warn!(case = &*case.id, access = &*case.access, by = %case.asker, "access was taken without approval");
    open(ask, &case).await
}

async fn open(ask: &Ask<'_>, case: &Case) -> Result<Reply, Refusal> {
    ask.record(&case.id, Members::new(), members(case, ask.now())).await?;
    ask.admin.force.add_case(case).await.map_err(unkept)?;
    Reply::json(201, &View::of(case, ask.now()))
}

async fn decide(ask: &Ask<'_>, yes: bool) -> Result<Reply, Refusal> {
    let Word { note } = ask.json()?;
    change(ask, |case| {
        let access = named(ask, &case.access)?;
        access.decide(case, ask.who()?.principal(), yes, note, ask.now()).map_err(refused)
    })
    .await
}

async fn review(ask: &Ask<'_>) -> Result<Reply, Refusal> {
    let Review { justified, note } = ask.json()?;
    change(ask, |case| {
        let access = named(ask, &case.access)?;
        access.review(case, ask.who()?.principal(), justified, note, ask.now()).map_err(refused)
    })
    .await
}

async fn end(ask: &Ask<'_>) -> Result<Reply, Refusal> {
    change(ask, |case| access::close(case, ask.who()?.principal(), ask.now()).map_err(refused)).await
}

async fn give_back(ask: &Ask<'_>) -> Result<Reply, Refusal> {
    change(ask, |case| {
        let who = ask.who()?.principal();
        // To others it is not there.
        if !access::concerns(case, &Being::from(&**who)) {
            return Err(nothing());
        }
        access::close(case, who, ask.now()).map_err(refused)
    })
    .await
}

/// Takes one step on the case that is asked about. Whoever took another step meanwhile was first, and the caller is told to look again.
async fn change(ask: &Ask<'_>, step: impl FnOnce(&mut Case) -> Result<(), Refusal>) -> Result<Reply, Refusal> {
    let before = find(ask).await?;
    let mut after = before.clone();
    step(&mut after)?;
    ask.record(&before.id, members(&before, ask.now()), members(&after, ask.now())).await?;
    if !ask.admin.force.replace_case(&before, &after).await.map_err(unkept)? {
        return Err(Refusal::new(
            Code::Conflict,
            "somebody else changed the case at the same moment; look at it again",
        ));
    }
    Reply::json(200, &View::of(&after, ask.now()))
}

async fn find(ask: &Ask<'_>) -> Result<Case, Refusal> {
    ask.admin.state.store().case(ask.id()).await.map_err(unkept)?.ok_or_else(nothing)
}

fn days(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({ "type": "integer", "minimum": 1, "maximum": 366, "default": USUAL_DAYS })
}

fn named<'a>(ask: &Ask<'a>, name: &str) -> Result<&'a Access, Refusal> {
    let found = ask.admin.access.iter().find(|access| *access.name == *name);
    found.ok_or_else(|| malformed("the configuration has no access of that name"))
}

fn wish(things: Vec<String>, purpose: String, minutes: u64) -> Result<Wish, Refusal> {
    if purpose.contains(char::is_control) {
        return Err(malformed("the purpose holds control characters"));
    }
    let things = things.into_iter().map(Into::into).collect();
    Ok(Wish { holder: None, actor: None, things, purpose, span: Duration::from_secs(minutes.saturating_mul(60)) })
}

fn refused(fault: Fault) -> Refusal {
    let code = match fault {
        Fault::Purpose | Fault::Things | Fault::Span | Fault::Note | Fault::ActsForSelf => Code::Malformed,
        Fault::Stands(_) | Fault::Twice | Fault::NoReview => Code::Conflict,
        Fault::ForOthers
        | Fault::NoPerson
        | Fault::Oneself
        | Fault::NoApprover
        | Fault::NoGlass
        | Fault::Unreviewed => Code::AccessRule,
    };
    Refusal::new(code, fault.to_string())
}

/// What the record of a change says of a case.
fn members(case: &Case, now: Timestamp) -> Members {
    let words = |words: &[Decision]| {
        let word = |word: &Decision| format!("{} {}", word.by, if word.yes { "yes" } else { "no" });
        words.iter().map(word).collect::<Vec<_>>().join(", ")
    };
    let mut members = Members::from([
        ("access".into(), case.access.to_string()),
        ("holder".into(), case.holder.to_string()),
        ("for".into(), case.things.join(" ")),
        ("purpose".into(), case.purpose.clone()),
        ("minutes".into(), (case.span.as_secs() / 60).to_string()),
        ("standing".into(), case.stand(now).as_str().to_owned()),
        ("decisions".into(), words(&case.decisions)),
    ]);
    if let Some(actor) = &case.actor {
        members.insert("actor".into(), actor.to_string());
    }
    if let Some(grant) = &case.grant {
        members.insert("roles".into(), grant.roles.join(" "));
        members.insert("ends".into(), clock::rfc3339(grant.ends));
    }
    if case.glass {
        members.insert(
            "review".into(),
            case.review.as_ref().map_or("due".into(), |word| words(std::slice::from_ref(word))),
        );
    }
    members
}

impl View {
    fn of(case: &Case, now: Timestamp) -> Self {
        let said = |word: &Decision| Said {
            by: word.by.to_string(),
            yes: word.yes,
            at: clock::rfc3339(word.at),
            note: word.note.clone(),
        };
        Self {
            id: case.id.clone(),
            access: case.access.clone(),
            standing: case.stand(now).as_str(),
            asked_by: case.asker.to_string(),
            holder: case.holder.to_string(),
            actor: case.actor.as_ref().map(ToString::to_string),
            things: case.things.clone(),
            purpose: case.purpose.clone(),
            minutes: case.span.as_secs() / 60,
            asked: clock::rfc3339(case.asked),
            approvals: case.needed,
            decisions: case.decisions.iter().map(said).collect(),
            broke_glass: case.glass,
            review: case.review.as_ref().map(said),
            roles: case.grant.as_ref().map(|grant| grant.roles.clone()).unwrap_or_default(),
            begins: case.grant.as_ref().map(|grant| clock::rfc3339(grant.begins)),
            ends: case.grant.as_ref().map(|grant| clock::rfc3339(grant.ends)),
            closed: case.closed.as_ref().map(|closed| clock::rfc3339(closed.at)),
            closed_by: case.closed.as_ref().map(|closed| closed.by.to_string()),
        }
    }
}

const USUAL_DAYS: u64 = 30;

#[cfg(test)]
mod tests;
