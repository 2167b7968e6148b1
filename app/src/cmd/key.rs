//! `countersign key`: API keys, made here and stored only as keyed hashes.

use std::{process::ExitCode, time::Duration};

use countersign_audit::record::Members;
use countersign_core::{Code, principal::PrincipalKind};
use countersign_identity::{
    KeyRecord,
    key::{self, NewKey},
};
use countersign_policy::Administer;
use serde_json::json;

use crate::{
    admin::keys::members,
    beside,
    cli::{Key, KeyCreate, Kind, Output},
    clock,
    cmd::{self, Failure},
    state::State,
    term,
};

pub(crate) async fn run(command: Key) -> anyhow::Result<ExitCode> {
    match command {
        Key::Create(args) => create(&args).await,
        Key::List { config, format } => list(&State::existing(&config).await?, format).await,
        Key::Revoke { id, config } => revoke(&State::existing(&config).await?, &id).await,
    }
}

async fn create(args: &KeyCreate) -> anyhow::Result<ExitCode> {
    let state = State::of(&args.config).await?;
    let now = clock::now();
    let spec = NewKey {
        tenant: args.tenant.as_str().into(),
        subject: args.subject.as_str().into(),
        kind: args.kind.into(),
        roles: args.roles.iter().map(|r| r.as_str().into()).collect(),
        scopes: args.scopes.iter().map(|s| s.as_str().into()).collect(),
        expires: Some(now.plus(Duration::from_secs(args.days * 86_400))),
        note: args.note.clone(),
        now,
    };
    let (secret, record) = key::create(&state.hasher()?, spec)?;
    beside::note(&state, Administer::CreateKey, &record.id, Members::new(), members(&record)).await?;
    state.store().insert_key(&record).await?;
    term::note(format_args!(
        "key {} for {} expires {}; it is printed once and stored only as a hash",
        record.id,
        record.subject,
        record.expires.map_or_else(|| "never".into(), clock::rfc3339),
    ));
    term::say(secret.expose());
    Ok(ExitCode::SUCCESS)
}

async fn list(state: &State, format: Output) -> anyhow::Result<ExitCode> {
    let keys = state.store().keys().await?;
    let now = clock::now();
    let standing = |k: &KeyRecord| match (k.revoked_at, k.expires) {
        (Some(_), _) => "revoked",
        (None, Some(end)) if end <= now => "expired",
        _ => "active",
    };
    if format == Output::Json {
        let rows: Vec<_> = keys
            .iter()
            .map(|k| {
                json!({
                    "id": &*k.id, "tenant": &*k.tenant, "subject": &*k.subject, "kind": k.kind.as_str(), "roles": k.roles,
                    "scopes": k.scopes, "created": clock::rfc3339(k.created), "expires": k.expires.map(clock::rfc3339),
                    "revoked": k.revoked_at.map(clock::rfc3339), "standing": standing(k), "note": k.note,
                })
            })
            .collect();
        cmd::json(&rows.into());
        return Ok(ExitCode::SUCCESS);
    }
    for k in &keys {
        let expires = k.expires.map_or_else(|| "never".into(), clock::rfc3339);
        let roles = k.roles.join(",");
        term::say(format_args!(
            "{}  {:8} {} {} [{roles}] expires {expires} {}",
            k.id,
            standing(k),
            k.tenant,
            k.subject,
            k.note
        ));
    }
    Ok(ExitCode::SUCCESS)
}

async fn revoke(state: &State, id: &str) -> anyhow::Result<ExitCode> {
    let now = clock::now();
    let keys = state.store().keys().await?;
    let Some(key) = keys.into_iter().find(|key| &*key.id == id && key.revoked_at.is_none()) else {
        return Err(Failure {
            code: Code::StateUnusable,
            what: format!("no key `{id}`, or it was revoked before"),
            fix: "see `countersign key list`",
        }
        .into());
    };
    let after = KeyRecord { revoked_at: Some(now), ..key.clone() };
    beside::note(state, Administer::RevokeKey, id, members(&key), members(&after)).await?;
    // Somebody else may have, meanwhile.
    state.store().revoke_key(id, now).await?;
    term::say(format_args!("revoked {id}"));
    Ok(ExitCode::SUCCESS)
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
