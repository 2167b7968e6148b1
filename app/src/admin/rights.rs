//! Access reviews: who may do what, and when it was used last; and what was decided about it, by whom.
//!
//! What is reviewed is named by the hash of the report, so a decision can be held against what was in front of whoever took it. Both are
//! on record: that the report was made, and what was decided.

use std::{collections::BTreeMap, sync::Arc};

use countersign_audit::record::Members;
use countersign_core::{Code, Refusal, Timestamp, access::Case};
use countersign_identity::KeyRecord;
use countersign_policy::{
    Administer, Policy,
    cases::{Decision as Answer, Grant, Question, Time},
};
use data_encoding::HEXLOWER;
use http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Ask, Gives, Permit, Reply, Route,
    access::{DAYS, looked_back, uses},
    ask::{malformed, new_id, nothing, unkept},
    reply::JSON,
    restraints::said,
    schema,
};
use crate::{
    clock,
    unused::{Given, Uses},
};

pub(crate) const ROUTES: &[Route] = &[
    Route {
        method: Method::GET,
        path: "/admin/v1/rights",
        permit: Permit::Action(Administer::ReportUnused),
        name: "reportRights",
        what: "Who may do what, and when it was used last: keys, granted access, roles and policies. The report is on record by its hash.",
        query: DAYS,
        takes: None,
        gives: &[Gives { status: 200, what: "The report.", body: Some((JSON, schema::<Report>)) }],
        run: |ask| Box::pin(report(ask)),
    },
    Route {
        method: Method::POST,
        path: "/admin/v1/rights/certify",
        permit: Permit::Action(Administer::CertifyAccess),
        name: "certifyAccess",
        what: "Say of rights in a report whether they are to be kept. Keys that are not end at once; the answer says what is left to do.",
        query: &[],
        takes: Some((JSON, schema::<Certified>)),
        gives: &[Gives { status: 200, what: "What was done.", body: Some((JSON, schema::<Done>)) }],
        run: |ask| Box::pin(certify(ask)),
    },
];

/// Who may do what.
#[derive(JsonSchema, Serialize)]
struct Report {
    /// Uses since then count.
    from: String,
    /// Until when.
    until: String,
    /// SHA-256 over `items` as they stand here, by which decisions name the report.
    digest: String,
    /// The rights.
    items: Vec<Right>,
}

/// One right.
#[derive(JsonSchema, Serialize)]
struct Right {
    /// Names it in decisions: `key:ID`, `access:ID`, `role:NAME`, `policy:NAME`.
    item: String,
    /// Who has it, `TENANT/SUBJECT`; none of roles and policies, which the configuration gives.
    #[serde(skip_serializing_if = "Option::is_none")]
    who: Option<String>,
    /// `person`, `service` or `agent`.
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    /// Roles that come with it.
    roles: Vec<String>,
    /// What it is restricted to beyond policy.
    scopes: Vec<String>,
    /// Models that a plain request with it would reach now, by some listener.
    models: Vec<String>,
    /// What it could do to the gateway itself now, by some listener: actions of the policy.
    actions: Vec<&'static str>,
    /// Models that were asked for with it.
    used_for: Vec<String>,
    /// Since when it has been there.
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<String>,
    /// When it ends by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    ends: Option<String>,
    /// When it was used last; absent where it was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used: Option<String>,
}

/// What was decided.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Certified {
    /// The `digest` of the report that was reviewed.
    #[schemars(regex(pattern = "^[0-9a-f]{64}$"))]
    report: String,
    /// Of each right, by its `item`.
    #[schemars(length(min = 1, max = 128))]
    decisions: BTreeMap<String, Decision>,
    /// Why, for whoever reads the record.
    #[schemars(length(min = 1, max = 256))]
    note: String,
}

/// Whether a right is to be kept.
#[derive(Clone, Copy, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Decision {
    /// It stays.
    Keep,
    /// It goes.
    Revoke,
}

/// What was done about decisions.
#[derive(JsonSchema, Serialize)]
struct Done {
    /// The review, as the audit record names it.
    id: String,
    /// Keys that were ended.
    revoked: Vec<String>,
    /// What somebody still has to do: access to be ended, roles and policies to be taken out of the configuration.
    left: Vec<String>,
}

async fn report(ask: &Ask<'_>) -> Result<Reply, Refusal> {
    let (from, now, store) = (looked_back(ask)?, ask.now(), ask.admin.state.store());
    let keys = store.keys().await.map_err(unkept)?;
    let cases = store.granted_since(now).await.map_err(unkept)?;
    let uses = uses(ask, from).await?;
    let (policy, given, models) = (ask.admin.policy.policy(), ask.admin.given.clone(), ask.admin.models.clone());
    let roles = ask.admin.access.iter().map(|access| (access.name.to_string(), access.roles.clone()));
    let roles: BTreeMap<String, Vec<Arc<str>>> = roles.collect();
    // Every key is asked about every model and action, which takes a while where there are many.
    let items = tokio::task::spawn_blocking(move || {
        let reach = Reach { policy: &policy, given: &given, models: &models, now };
        let stands = |key: &&KeyRecord| key.revoked_at.is_none() && key.expires.is_none_or(|end| now < end);
        let keys = keys.iter().filter(stands).map(|key| of_key(key, &uses, &reach));
        let cases = cases.iter().filter_map(|case| of_case(case, &uses, &roles, &reach));
        let roles = given.roles.iter().map(|role| bare("role", role, uses.role(role)));
        let policies = given.policies.iter().map(|policy| bare("policy", policy, uses.policy(policy)));
        keys.chain(cases).chain(roles).chain(policies).collect::<Vec<_>>()
    });
    let items = items.await.map_err(|_| Refusal::new(Code::Internal, "the review panicked"))?;
    let text = serde_json::to_vec(&items).map_err(|_| Refusal::new(Code::Internal, "the report is no JSON"))?;
    let digest = HEXLOWER.encode(&countersign_audit::merkle::sha256(&text));
    ask.record(&format!("rights, report {digest}"), Members::new(), Members::new()).await?;
    let (from, until) = (clock::rfc3339(from), clock::rfc3339(now));
    Reply::json(200, &Report { from, until, digest, items })
}

async fn certify(ask: &Ask<'_>) -> Result<Reply, Refusal> {
    let Certified { report, decisions, note } = ask.json()?;
    said(&note).map_err(malformed)?;
    if report.len() != 64 || !report.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
        return Err(malformed("`report` is no digest of a report"));
    }
    if !(1..=MOST).contains(&decisions.len()) {
        return Err(malformed("`decisions` are not 1 to 128"));
    }
    let keys = ask.admin.state.store().keys().await.map_err(unkept)?;
    let (me, mut ending, mut left) = (ask.by()?, Vec::new(), Vec::new());
    for (item, decision) in &decisions {
        let (kind, id) = item.split_once(':').ok_or_else(|| malformed("an item is not `KIND:NAME`"))?;
        let named = (1..=160).contains(&id.len()) && !id.contains(char::is_control);
        if !named || !["key", "access", "role", "policy"].contains(&kind) {
            return Err(malformed("an item is none of a report"));
        }
        if kind == "key" {
            let key = keys.iter().find(|key| *key.id == *id).ok_or_else(nothing)?;
            if *decision == Decision::Keep && me == of(&key.tenant, &key.subject) {
                return Err(Refusal::new(Code::AccessRule, "nobody keeps their own key by their own word"));
            }
            ending.extend((*decision == Decision::Revoke).then(|| key.id.clone()));
        } else if *decision == Decision::Revoke {
            left.push(item.clone());
        }
    }
    if !ending.is_empty() {
        ask.admin.policy.administer(ask.who()?, Administer::RevokeKey)?;
    }
    let id = new_id("rev_", ask.now());
    let said = |decision: &Decision| if *decision == Decision::Keep { "keep" } else { "revoke" }.to_owned();
    let mut becomes: Members = decisions.iter().map(|(item, decision)| (item.clone().into(), said(decision))).collect();
    becomes.insert("note".into(), note);
    ask.record(&format!("{id}, report {report}"), Members::new(), becomes).await?;
    for key in &ending {
        ask.admin.force.revoke_key(key, ask.now()).await.map_err(unkept)?;
    }
    Reply::json(200, &Done { id, revoked: ending.iter().map(ToString::to_string).collect(), left })
}

/// What answers whether somebody could do something now.
struct Reach<'a> {
    policy: &'a Policy,
    given: &'a Given,
    models: &'a [Arc<str>],
    now: Timestamp,
}

impl Reach<'_> {
    fn models(&self, who: &Question) -> Vec<String> {
        let may = |model: &str| {
            self.given.listeners.iter().any(|(listener, _)| {
                self.may(Question { model: model.to_owned(), listener: listener.clone(), ..who.clone() }, "ask")
            })
        };
        self.models.iter().filter(|model| may(model)).map(ToString::to_string).collect()
    }

    fn actions(&self, who: &Question) -> Vec<&'static str> {
        let may = |action: &Administer| {
            let doors = self.given.listeners.iter().filter(|(_, admin)| *admin);
            doors
                .into_iter()
                .any(|(listener, _)| self.may(Question { listener: listener.clone(), ..who.clone() }, action.as_str()))
        };
        Administer::ALL.iter().filter(|action| may(action)).map(|action| action.as_str()).collect()
    }

    fn may(&self, question: Question, action: &str) -> bool {
        let time = Time { epoch: Some(self.now.0 / 1_000_000), ..Time::default() };
        let question = Question { action: action.to_owned(), time, ..question };
        self.policy.explain(&question).is_ok_and(|said| said.decision == Answer::Allow)
    }
}

fn of_key(key: &KeyRecord, uses: &Uses, reach: &Reach<'_>) -> Right {
    let question = asker(&key.tenant, &key.subject, key.kind.as_str(), &key.roles, &key.scopes);
    let used = uses.credential(&key.id);
    Right {
        item: format!("key:{}", key.id),
        who: Some(of(&key.tenant, &key.subject)),
        kind: Some(key.kind.as_str()),
        models: reach.models(&question),
        actions: reach.actions(&question),
        roles: question.roles,
        scopes: question.scopes,
        used_for: used.map(|used| used.models.iter().cloned().collect()).unwrap_or_default(),
        since: Some(clock::rfc3339(key.created)),
        ends: key.expires.map(clock::rfc3339),
        last_used: used.map(|used| clock::rfc3339(used.last)),
    }
}

/// None for what is not granted any more.
fn of_case(case: &Case, uses: &Uses, roles: &BTreeMap<String, Vec<Arc<str>>>, reach: &Reach<'_>) -> Option<Right> {
    let grant = case.grant.as_ref().filter(|_| case.stand(reach.now) == countersign_core::access::Stand::Granted)?;
    let names = roles.get(&*case.access).cloned().unwrap_or_default();
    let Case { holder, things, .. } = case;
    let question = Question {
        method: "session".into(),
        grant: Some(Grant {
            access: case.access.to_string(),
            things: things.iter().map(ToString::to_string).collect(),
            purpose: case.purpose.clone(),
            glass: case.glass,
            acts: case.actor.iter().map(ToString::to_string).collect(),
        }),
        ..asker(&holder.tenant, &holder.subject, case.kind.as_str(), &names, things)
    };
    let used = uses.credential(&case.id);
    Some(Right {
        item: format!("access:{}", case.id),
        who: Some(holder.to_string()),
        kind: Some(case.kind.as_str()),
        models: reach.models(&question),
        actions: Vec::new(),
        roles: question.roles,
        scopes: question.scopes,
        used_for: used.map(|used| used.models.iter().cloned().collect()).unwrap_or_default(),
        since: Some(clock::rfc3339(grant.begins)),
        ends: Some(clock::rfc3339(grant.ends)),
        last_used: used.map(|used| clock::rfc3339(used.last)),
    })
}

/// What the configuration gives, by its name.
fn bare(kind: &str, name: &str, last: Option<Timestamp>) -> Right {
    Right {
        item: format!("{kind}:{name}"),
        who: None,
        kind: None,
        roles: Vec::new(),
        scopes: Vec::new(),
        models: Vec::new(),
        actions: Vec::new(),
        used_for: Vec::new(),
        since: None,
        ends: None,
        last_used: last.map(clock::rfc3339),
    }
}

fn asker(tenant: &str, subject: &str, kind: &str, roles: &[Arc<str>], scopes: &[Arc<str>]) -> Question {
    Question {
        tenant: tenant.to_owned(),
        subject: subject.to_owned(),
        kind: kind.to_owned(),
        roles: roles.iter().map(ToString::to_string).collect(),
        scopes: scopes.iter().map(ToString::to_string).collect(),
        ..Question::default()
    }
}

/// As records of the store name somebody.
fn of(tenant: &str, subject: &str) -> String {
    countersign_core::access::Being { tenant: tenant.into(), subject: subject.into() }.to_string()
}

/// Decisions in one request: as many as a record holds.
const MOST: usize = 128;

#[cfg(test)]
mod tests;
