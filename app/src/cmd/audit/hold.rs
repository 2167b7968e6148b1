//! `countersign audit hold`: legal holds, beside a running gateway, which heeds them at once.

use std::process::ExitCode;

use countersign_audit::record::Members;
use countersign_core::{Code, Timestamp};
use countersign_policy::Administer;
use countersign_store::HoldRecord;

use crate::{
    admin::restraints::said,
    beside::{self, BY},
    cli::HoldCommand,
    clock,
    cmd::Failure,
    holds::{Wanted, lapsed, members, said_of},
    state::State,
    term,
};

pub(super) async fn run(command: HoldCommand) -> anyhow::Result<ExitCode> {
    match command {
        HoldCommand::Add { tenant, person, from, until, reason, config } => {
            let wanted = Wanted { tenant, person, from, until, reason };
            let record = wanted.record(BY, clock::now()).map_err(wrong)?;
            let state = State::existing(&config).await?;
            beside::note(&state, Administer::AddHold, &record.id, Members::new(), members(&record)).await?;
            state.store().insert_hold(&record).await?;
            term::say(line(&record, record.at));
        }
        HoldCommand::List { all, config } => list(&State::existing(&config).await?, all).await?,
        HoldCommand::Release { id, reason, config } => {
            said(&reason).map_err(wrong)?;
            release(&State::existing(&config).await?, &id, &reason).await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(state: &State, all: bool) -> anyhow::Result<()> {
    let (now, mut below, mut none) = (clock::now(), None, true);
    loop {
        let page = state.store().holds(below.as_deref(), PAGE).await?;
        let Some(last) = page.last() else { break };
        below = Some(last.id.to_string());
        for record in page.iter().filter(|record| all || record.released.is_none()) {
            term::say(line(record, now));
            none = false;
        }
    }
    if none {
        term::say("nothing is held");
    }
    Ok(())
}

async fn release(state: &State, id: &str, reason: &str) -> anyhow::Result<()> {
    let now = clock::now();
    let missing = || wrong(format!("there is no hold `{id}`; see `countersign audit hold list`"));
    let before = state.store().hold(id).await?.ok_or_else(missing)?;
    let after = before.released_by(BY, reason, now, lapsed(now));
    beside::note(state, Administer::ReleaseHold, id, members(&before), members(&after)).await?;
    let after = state.store().release_hold(id, BY, reason, now, lapsed(now)).await?.ok_or_else(missing)?;
    term::say(line(&after, now));
    if after.released.is_none() {
        term::note("somebody else has to ask for it within a day, by the admin API; the command line is one person");
    }
    Ok(())
}

fn line(of: &HoldRecord, now: Timestamp) -> String {
    let standing = match (&of.released, &of.asked) {
        (Some((at, by)), _) => format!("released {} by {by}", clock::rfc3339(*at)),
        (None, Some((at, by, _))) if *at >= lapsed(now) => format!("in force; {by} asks that it be released"),
        (None, _) => "in force".to_owned(),
    };
    format!("{}  {standing}  {} since {} by {}: {}", of.id, said_of(of), clock::rfc3339(of.at), of.by, of.reason)
}

fn wrong(what: impl Into<String>) -> Failure {
    Failure { code: Code::ConfigInvalid, what: what.into(), fix: "see `countersign audit hold --help`" }
}

const PAGE: u32 = 200;
