//! API keys: listed, made and ended.

use std::{sync::Arc, time::Duration};

use countersign_audit::record::Members;
use countersign_core::{Code, Refusal, Timestamp, principal::PrincipalKind};
use countersign_identity::{
    KeyRecord,
    key::{self, NewKey, NewKeyError},
};
use countersign_policy::Administer;
use countersign_store::StoreError;
use http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Ask, Gives, Permit, Reply, Route,
    ask::{malformed, nothing, unkept},
    page::{self, List},
    reply::JSON,
    schema,
};
use crate::clock;

pub(crate) const ROUTES: &[Route] = &[
    Route {
        method: Method::GET,
        path: "/admin/v1/keys",
        permit: Permit::Action(Administer::ListKeys),
        name: "listKeys",
        what: "List API keys, revoked and expired ones included, by id; never a key itself.",
        query: page::PARAMS,
        takes: None,
        gives: &[Gives { status: 200, what: "A page of keys.", body: Some((JSON, schema::<List<Key>>)) }],
        run: |ask| Box::pin(list(ask)),
    },
    Route {
        method: Method::POST,
        path: "/admin/v1/keys",
        permit: Permit::Action(Administer::CreateKey),
        name: "createKey",
        what: "Make an API key. The answer shows it, once; whoever may do this may act in any role.",
        query: &[],
        takes: Some((JSON, schema::<New>)),
        gives: &[Gives { status: 201, what: "The key.", body: Some((JSON, schema::<Made>)) }],
        run: |ask| Box::pin(create(ask)),
    },
    Route {
        method: Method::GET,
        path: "/admin/v1/keys/{id}",
        permit: Permit::Action(Administer::ListKeys),
        name: "getKey",
        what: "Look at one API key.",
        query: &[],
        takes: None,
        gives: &[Gives { status: 200, what: "The key's record.", body: Some((JSON, schema::<Key>)) }],
        run: |ask| Box::pin(get(ask)),
    },
    Route {
        method: Method::POST,
        path: "/admin/v1/keys/{id}/revoke",
        permit: Permit::Action(Administer::RevokeKey),
        name: "revokeKey",
        what: "End an API key for good: its next request is refused and its streams are cut. One that is revoked stays as it is.",
        query: &[],
        takes: None,
        gives: &[Gives { status: 200, what: "The key's record.", body: Some((JSON, schema::<Key>)) }],
        run: |ask| Box::pin(revoke(ask)),
    },
];

/// An API key, without the key.
#[derive(JsonSchema, Serialize)]
struct Key {
    /// Its id, `key_...`.
    id: Arc<str>,
    /// The tenant its requests live under.
    tenant: Arc<str>,
    /// Whose it is.
    subject: Arc<str>,
    /// What that is.
    kind: Kind,
    /// Its roles.
    roles: Vec<Arc<str>>,
    /// What it is restricted to beyond policy.
    scopes: Vec<Arc<str>>,
    /// When it was made, RFC 3339.
    created: String,
    /// When it ends by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<String>,
    /// When it was revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked: Option<String>,
    /// How it stands.
    standing: Standing,
    /// What it is for.
    note: String,
}

/// What a caller is.
#[derive(Clone, Copy, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// A human.
    Person,
    /// A program acting for itself.
    Service,
    /// A program that a model steers.
    Agent,
}

/// How a key stands.
#[derive(JsonSchema, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Standing {
    /// It opens the door.
    Active,
    /// Its time is over.
    Expired,
    /// It was revoked.
    Revoked,
}

/// What a key is to be made for.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct New {
    /// Whose it is: a stable id, never an e-mail address.
    #[schemars(length(min = 1, max = 128), regex(pattern = r"^[A-Za-z0-9._/:-]+$"))]
    subject: String,
    /// Roles, as policies name them.
    #[schemars(length(min = 1, max = 64), inner(length(min = 1, max = 128), regex(pattern = r"^[A-Za-z0-9._/:-]+$")))]
    roles: Vec<String>,
    /// Restrictions beyond policy: `model:NAME`, `format:NAME`, `tool:NAME`.
    #[serde(default)]
    #[schemars(length(max = 64))]
    scopes: Vec<String>,
    /// What the holder is.
    #[serde(default = "service")]
    kind: Kind,
    /// The tenant its requests live under.
    #[serde(default = "tenant")]
    #[schemars(length(min = 1, max = 128), regex(pattern = r"^[A-Za-z0-9._/:-]+$"))]
    tenant: String,
    /// Days until it expires.
    #[serde(default = "days")]
    #[schemars(range(min = 1, max = 3650))]
    days: u64,
    /// A note for whoever lists keys.
    #[serde(default)]
    #[schemars(length(max = 256))]
    note: String,
}

/// A key that was made.
#[derive(JsonSchema, Serialize)]
struct Made {
    /// Its record.
    key: Key,
    /// The key itself. It is shown by the first answer alone and kept nowhere; a repeated request with the same idempotency key gets
    /// the record without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

async fn list(ask: &Ask<'_>) -> Result<Reply, Refusal> {
    let page = ask.page()?;
    let mut keys = ask.admin.state.store().keys().await.map_err(unkept)?;
    keys.sort_by(|one, other| one.id.cmp(&other.id));
    let after = |key: &KeyRecord| page.after.as_deref().is_none_or(|after| &*key.id > after);
    let keys = keys.iter().filter(|key| after(key)).take(page.limit + 1).map(|key| Key::of(key, ask.now()));
    Reply::json(200, &List::of(keys.collect(), &page, |key| &key.id))
}

async fn get(ask: &Ask<'_>) -> Result<Reply, Refusal> {
    Reply::json(200, &Key::of(&find(ask).await?, ask.now()))
}

async fn create(ask: &Ask<'_>) -> Result<Reply, Refusal> {
    let new: New = ask.json()?;
    if !(1..=3650).contains(&new.days) {
        return Err(malformed("`days` is not a number from 1 to 3650"));
    }
    if new.roles.is_empty() || new.roles.len() > MANY || new.scopes.len() > MANY {
        return Err(malformed("a key has 1 to 64 roles and at most 64 scopes"));
    }
    let spec = NewKey {
        tenant: new.tenant.into(),
        subject: new.subject.into(),
        kind: new.kind.into(),
        roles: new.roles.into_iter().map(Into::into).collect(),
        scopes: new.scopes.into_iter().map(Into::into).collect(),
        expires: Some(ask.now().plus(Duration::from_secs(new.days * 86_400))),
        now: ask.now(),
        note: new.note,
    };
    let hasher = ask.admin.state.hasher().map_err(|_| Refusal::new(Code::Internal, "the key ring gave no hasher"))?;
    let (secret, record) = key::create(&hasher, spec).map_err(|error| match error {
        // Not with the text: a key may have been written in its place.
        NewKeyError::Scope(_) => malformed("a scope is none of `model:NAME`, `format:NAME` and `tool:NAME`"),
        NewKeyError::Seal(_) => Refusal::new(Code::Internal, "no random bytes are to be had"),
        other => malformed(other.to_string()),
    })?;
    ask.record(&record.id, Members::new(), members(&record)).await?;
    ask.admin.force.add_key(&record).await.map_err(unkept)?;
    let made = |secret| Made { key: Key::of(&record, ask.now()), secret };
    Reply::once(201, &made(Some(secret.expose().clone())), &made(None))
}

async fn revoke(ask: &Ask<'_>) -> Result<Reply, Refusal> {
    let before = find(ask).await?;
    let mut after = before.clone();
    after.revoked_at = Some(before.revoked_at.unwrap_or(ask.now()));
    ask.record(&before.id, members(&before), members(&after)).await?;
    ask.admin.force.revoke_key(&before.id, ask.now()).await.map_err(|error| match error {
        StoreError::NoSuchKey => nothing(),
        error => unkept(error),
    })?;
    Reply::json(200, &Key::of(&find(ask).await?, ask.now()))
}

async fn find(ask: &Ask<'_>) -> Result<KeyRecord, Refusal> {
    let keys = ask.admin.state.store().keys().await.map_err(unkept)?;
    keys.into_iter().find(|key| *key.id == *ask.id()).ok_or_else(nothing)
}

/// What the record of a change says of a key.
pub(crate) fn members(key: &KeyRecord) -> Members {
    let mut members = Members::from([
        ("tenant".into(), key.tenant.to_string()),
        ("subject".into(), key.subject.to_string()),
        ("kind".into(), key.kind.as_str().to_owned()),
        ("roles".into(), key.roles.join(" ")),
        ("revoked".into(), key.revoked_at.map_or_else(|| "no".to_owned(), clock::rfc3339)),
    ]);
    if !key.scopes.is_empty() {
        members.insert("scopes".into(), key.scopes.join(" "));
    }
    if let Some(end) = key.expires {
        members.insert("expires".into(), clock::rfc3339(end));
    }
    members
}

impl Key {
    fn of(key: &KeyRecord, now: Timestamp) -> Self {
        Self {
            id: key.id.clone(),
            tenant: key.tenant.clone(),
            subject: key.subject.clone(),
            kind: key.kind.into(),
            roles: key.roles.clone(),
            scopes: key.scopes.clone(),
            created: clock::rfc3339(key.created),
            expires: key.expires.map(clock::rfc3339),
            revoked: key.revoked_at.map(clock::rfc3339),
            standing: match (key.revoked_at, key.expires) {
                (Some(_), _) => Standing::Revoked,
                (None, Some(end)) if end <= now => Standing::Expired,
                _ => Standing::Active,
            },
            note: key.note.clone(),
        }
    }
}

impl From<Kind> for PrincipalKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Person => Self::Person,
            Kind::Service => Self::Service,
            Kind::Agent => Self::Agent,
        }
    }
}

impl From<PrincipalKind> for Kind {
    fn from(kind: PrincipalKind) -> Self {
        match kind {
            PrincipalKind::Person => Self::Person,
            PrincipalKind::Service => Self::Service,
            PrincipalKind::Agent => Self::Agent,
        }
    }
}

const fn service() -> Kind {
    Kind::Service
}

fn tenant() -> String {
    "default".into()
}

const fn days() -> u64 {
    90
}

const MANY: usize = 64;
