//! `countersign revoke`: works on the state directory, beside a running gateway, which takes it up within a quarter of a second.

use std::process::ExitCode;

use countersign_audit::record::Members;
use countersign_core::{Code, Timestamp};
use countersign_policy::Administer;
use countersign_store::{Revision, RevocationRecord};
use serde_json::json;

use crate::{
    admin::revocations::{Wanted, before, members},
    beside::{self, BY},
    cli::{Output, Revoke, RevokeCommand},
    clock,
    cmd::{self, Failure},
    state::State,
    term,
};

pub(crate) async fn run(args: Revoke) -> anyhow::Result<ExitCode> {
    match args.command {
        None => revoke(&args).await,
        Some(RevokeCommand::List { config, format }) => list(&State::existing(&config).await?, format).await,
        Some(RevokeCommand::Lift { id, config }) => lift(&State::existing(&config).await?, &id).await,
    }
}

async fn revoke(args: &Revoke) -> anyhow::Result<ExitCode> {
    let wanted = Wanted {
        target: args.target.as_deref().unwrap_or_default(),
        reason: &args.reason,
        before: args.before.as_deref(),
        block: args.block,
    };
    let (target, record) = wanted.record(BY.to_owned(), clock::now()).map_err(|what| Failure {
        code: Code::ConfigInvalid,
        what: what.to_owned(),
        fix: "see `countersign revoke --help` for what can be revoked",
    })?;
    let state = State::existing(&args.config).await?;
    beside::note(&state, Administer::Revoke, &record.id, Members::new(), members(&record)).await?;
    state.store().insert_revocation(&record, &mut Revision::default()).await?;
    let what = match before(&record) {
        Some(before) => format!("what was issued before {before}"),
        None => "for good".to_owned(),
    };
    term::say(format_args!("{} revokes {target}, {what}", record.id));
    Ok(ExitCode::SUCCESS)
}

async fn lift(state: &State, id: &str) -> anyhow::Result<ExitCode> {
    let now = clock::now();
    let Some(record) = state.store().revocation(id).await?.filter(|record| record.lifted.is_none()) else {
        return Err(Failure {
            code: Code::StateUnusable,
            what: format!("no revocation `{id}`, or it was lifted before"),
            fix: "see `countersign revoke list`",
        }
        .into());
    };
    let after = RevocationRecord { lifted: Some((now, BY.into())), ..record.clone() };
    beside::note(state, Administer::LiftRevocation, id, members(&record), members(&after)).await?;
    // Somebody else may have, meanwhile.
    state.store().lift_revocation(id, BY, now).await?;
    term::say(format_args!("lifted {}, of {}", record.id, record.target));
    Ok(ExitCode::SUCCESS)
}

async fn list(state: &State, format: Output) -> anyhow::Result<ExitCode> {
    let now = clock::now();
    let (mut all, mut below) = (Vec::new(), None);
    loop {
        let page = state.store().revocations(below.as_deref(), PAGE).await?;
        let Some(last) = page.last() else { break };
        below = Some(last.id.to_string());
        all.extend(page);
    }
    if format == Output::Json {
        let rows = all.iter().map(|r| {
            json!({
                "id": &*r.id, "target": &*r.target, "before": before(r), "reason": r.reason, "made": clock::rfc3339(r.at),
                "by": &*r.by, "standing": standing(r, now), "lifted": r.lifted.as_ref().map(|(at, _)| clock::rfc3339(*at)),
                "lifted_by": r.lifted.as_ref().map(|(_, by)| &**by),
            })
        });
        cmd::json(&rows.collect());
        return Ok(ExitCode::SUCCESS);
    }
    for r in &all {
        term::say(format_args!(
            "{}  {:8} {} before {} by {}: {}",
            r.id,
            standing(r, now),
            r.target,
            before(r).as_deref().unwrap_or("the end of time"),
            r.by,
            r.reason,
        ));
    }
    Ok(ExitCode::SUCCESS)
}

fn standing(record: &RevocationRecord, now: Timestamp) -> &'static str {
    match (&record.lifted, record.until) {
        (Some(_), _) => "lifted",
        (None, Some(end)) if end <= now => "over",
        _ => "in-force",
    }
}

const PAGE: u32 = 200;
