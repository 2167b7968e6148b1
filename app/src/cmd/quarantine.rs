//! `countersign quarantine`: who is held back. It works on the state directory, beside a running gateway, which takes a change up within a
//! quarter of a second; so whoever has shut themselves out can let themselves in again.

use std::process::ExitCode;

use countersign_audit::record::Members;
use countersign_core::{Code, Timestamp};
use countersign_playbook::Told;
use countersign_policy::Administer;
use countersign_store::RestraintRecord;
use serde_json::{Value, json};

use crate::{
    admin::restraints::{Wanted, members, said},
    beside::{self, BY},
    cli::{Output, QuarantineCommand},
    clock,
    cmd::{self, Failure},
    state::State,
    term,
};

pub(crate) async fn run(command: QuarantineCommand) -> anyhow::Result<ExitCode> {
    match command {
        QuarantineCommand::List { all, config, format } => list(&State::existing(&config).await?, all, format).await?,
        QuarantineCommand::Show { id, config, format } => show(&State::existing(&config).await?, &id, format).await?,
        QuarantineCommand::Add { target, measure, minutes, reason, config } => {
            let wanted = Wanted { target: &target, measure: &measure, minutes, reason: &reason };
            let record = wanted.record(BY.to_owned(), clock::now()).map_err(wrong)?;
            let state = State::existing(&config).await?;
            beside::note(&state, Administer::Restrain, &record.id, Members::new(), members(&record)).await?;
            state.store().insert_restraint(&record).await?;
            term::say(line(&record, record.since));
        }
        QuarantineCommand::Release { id, reason, config } => {
            said(&reason).map_err(wrong)?;
            release(&State::existing(&config).await?, &id, &reason).await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(state: &State, all: bool, format: Output) -> anyhow::Result<()> {
    let now = clock::now();
    let (mut found, mut below) = (Vec::new(), None);
    loop {
        let page = state.store().restraints(below.as_deref(), PAGE).await?;
        let Some(last) = page.last() else { break };
        below = Some(last.id.to_string());
        found.extend(page.into_iter().filter(|record| all || standing(record, now) == "in-force"));
    }
    match format {
        Output::Json => cmd::json(&found.iter().map(|record| value(record, now)).collect()),
        Output::Text if found.is_empty() => term::say("nobody is held back"),
        Output::Text => found.iter().for_each(|record| term::say(line(record, now))),
    }
    Ok(())
}

async fn show(state: &State, id: &str, format: Output) -> anyhow::Result<()> {
    let (record, now) = (find(state, id).await?, clock::now());
    let run = match &record.run {
        Some(run) => state.store().run(run).await?,
        None => None,
    };
    let told: Option<Told> = run.and_then(|run| serde_json::from_str(&run.alert).ok());
    if format == Output::Json {
        let mut value = value(&record, now);
        if let Some(told) = told {
            value["alert"] = serde_json::to_value(told)?;
        }
        cmd::json(&value);
        return Ok(());
    }
    term::say(line(&record, now));
    if let Some((at, by, why)) = &record.released {
        term::say(format_args!("released {} by {by}: {why}", clock::rfc3339(*at)));
    }
    for because in told.iter().flat_map(|told| &told.because) {
        let at = clock::rfc3339(Timestamp(because.at));
        term::say(format_args!("  {at}  {}  {}", because.request, because.what));
    }
    term::note("`countersign explain REQUEST` says what became of each");
    Ok(())
}

async fn release(state: &State, id: &str, reason: &str) -> anyhow::Result<()> {
    let (before, now) = (find(state, id).await?, clock::now());
    let mut after = before.clone();
    after.released.get_or_insert_with(|| (now, BY.into(), reason.to_owned()));
    beside::note(state, Administer::Release, id, members(&before), members(&after)).await?;
    state.store().release_restraint(id, BY, reason, now).await?;
    term::say(format_args!("released {}, of {}", before.id, before.target));
    Ok(())
}

async fn find(state: &State, id: &str) -> anyhow::Result<RestraintRecord> {
    let missing = || Failure {
        code: Code::StateUnusable,
        what: format!("there is no case `{id}`"),
        fix: "see `countersign quarantine list --all`",
    };
    Ok(state.store().restraint(id).await?.ok_or_else(missing)?)
}

fn wrong(what: impl Into<String>) -> Failure {
    let fix = "see `countersign quarantine add --help` for whom and how far";
    Failure { code: Code::ConfigInvalid, what: what.into(), fix }
}

fn line(of: &RestraintRecord, now: Timestamp) -> String {
    let until = clock::rfc3339(of.until);
    format!(
        "{}  {:8} {} upon {} until {until} by {}: {}",
        of.id,
        standing(of, now),
        of.measure,
        of.target,
        of.by,
        of.reason
    )
}

fn value(of: &RestraintRecord, now: Timestamp) -> Value {
    json!({
        "id": &*of.id, "target": &*of.target, "measure": &*of.measure, "since": clock::rfc3339(of.since),
        "until": clock::rfc3339(of.until), "by": &*of.by, "reason": of.reason, "run": of.run.as_deref(),
        "standing": standing(of, now), "released": of.released.as_ref().map(|(at, ..)| clock::rfc3339(*at)),
        "released_by": of.released.as_ref().map(|(_, by, _)| &**by), "release_reason": of.released.as_ref().map(|(.., why)| why),
    })
}

fn standing(of: &RestraintRecord, now: Timestamp) -> &'static str {
    match &of.released {
        Some(_) => "released",
        None if of.until <= now => "over",
        None => "in-force",
    }
}

const PAGE: u32 = 200;
