//! `countersign playbook`: what there is, what it would do, what it did, and deciding on what waits.

use std::{fs, path::Path, process::ExitCode};

use anyhow::Context;
use countersign_core::Code;
use countersign_playbook::{Playbook, Told, shipped};
use serde_json::{Value, json};

use crate::{
    cli::{Output, PlaybookCommand, Reach},
    clock,
    cmd::{self, Failure, reach::call},
    state::State,
    term,
};

pub(crate) async fn run(command: PlaybookCommand) -> anyhow::Result<ExitCode> {
    let decide = |id: &str, word: &str| format!("/admin/v1/runs/{id}/{word}");
    match command {
        PlaybookCommand::List { config, format } => list(&cmd::configuration(&config)?.playbooks.books, format),
        PlaybookCommand::Check { files } => {
            for file in files {
                let playbook = read(&file)?;
                term::say(format_args!("{}: `{}` is understood", file.display(), playbook.name));
            }
        }
        PlaybookCommand::DryRun { playbook, pattern, of, risk } => dry_run(&playbook, &pattern, &of, risk)?,
        PlaybookCommand::Runs { config, format } => runs(&State::existing(&config).await?, format).await?,
        PlaybookCommand::Approve { id, note, reach } => {
            decided(&reach, &decide(&id, "approve"), &json!({ "note": note })).await?;
        }
        PlaybookCommand::Decline { id, note, reach } => {
            decided(&reach, &decide(&id, "decline"), &json!({ "note": note })).await?;
        }
        PlaybookCommand::Undo { id, reason, reach } => {
            decided(&reach, &decide(&id, "undo"), &json!({ "reason": reason })).await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Says a word on a run, by the admin API: as whom, the credential says.
async fn decided(reach: &Reach, path: &str, body: &Value) -> anyhow::Result<()> {
    let answer = call(reach, "POST", path, Some(body.clone())).await?;
    if reach.format == Output::Json {
        cmd::json(&answer);
        return Ok(());
    }
    let text = |name| answer.get(name).and_then(Value::as_str).unwrap_or_default();
    term::say(format_args!("{}  {} {} about {}", text("id"), text("standing"), text("playbook"), text("target")));
    Ok(())
}

fn list(books: &[crate::playbooks::Book], format: Output) {
    if format == Output::Json {
        let rows = books.iter().map(|book| {
            let on: Vec<_> = book.playbook.trigger.on.iter().map(|pattern| pattern.as_str()).collect();
            json!({ "name": book.playbook.name, "id": book.playbook.id, "acts": book.acts, "on": on, "description": book.playbook.description })
        });
        cmd::json(&rows.collect());
        return;
    }
    for book in books {
        let how = if book.acts { "acts" } else { "dry run" };
        term::say(format_args!("{:24} {how:8} {}", book.playbook.name, book.playbook.description));
    }
}

/// Says what a playbook would do about an alert. Nothing is asked and nothing is done.
fn dry_run(playbook: &str, pattern: &str, of: &str, risk: u8) -> anyhow::Result<()> {
    let playbook = match shipped().into_iter().find(|known| known.name == playbook) {
        Some(known) => known,
        None => read(Path::new(playbook))?,
    };
    let told = Told {
        at: clock::now().0,
        pattern: pattern.to_owned(),
        of: of.to_owned(),
        tenant: String::new(),
        risk,
        because: Vec::new(),
    };
    let target =
        told.target().context("`--of` names nobody, as in `session:ISSUER/ID` or `principal:TENANT/SUBJECT`")?;
    let alert = countersign_core::Alert {
        at: clock::now(),
        pattern: pattern.parse()?,
        of: target.clone(),
        tenant: "".into(),
        risk,
        because: Vec::new(),
    };
    if !playbook.fits(&alert) {
        term::say(format_args!("`{}` is not set off by it", playbook.name));
        return Ok(());
    }
    for (number, planned) in playbook.plan(&told).iter().enumerate() {
        let people = match planned.act.people(&target) {
            0 => String::new(),
            people => format!(", once {people} people approve"),
        };
        term::say(format_args!("{}. {}: {}{people}", number + 1, planned.name, planned.act.what()));
    }
    Ok(())
}

async fn runs(state: &State, format: Output) -> anyhow::Result<()> {
    let (mut all, mut below) = (Vec::new(), None);
    loop {
        let page = state.store().runs(below.as_deref(), PAGE).await?;
        let Some(last) = page.last() else { break };
        below = Some(last.id.to_string());
        all.extend(page);
    }
    let mut rows = Vec::new();
    for run in all {
        let steps = state.store().steps(&run.id).await?;
        if format == Output::Text {
            let dry = if run.dry { ", dry run" } else { "" };
            term::say(format_args!("{}  {} {}{dry} about {}", run.id, run.standing, run.playbook, run.target));
            steps.iter().for_each(|step| {
                term::say(format_args!("  {}  {}: {}", clock::rfc3339(step.at), step.what, step.outcome))
            });
        } else {
            let steps: Vec<_> = steps
                .iter()
                .map(|s| json!({ "step": s.step, "what": s.what, "at": clock::rfc3339(s.at), "outcome": s.outcome }))
                .collect();
            rows.push(json!({
                "id": &*run.id, "playbook": run.playbook, "target": run.target, "standing": run.standing, "dry": run.dry,
                "wants": run.wants, "began": clock::rfc3339(run.began), "steps": steps,
            }));
        }
    }
    if format == Output::Json {
        cmd::json(&rows.into());
    }
    Ok(())
}

fn read(file: &Path) -> anyhow::Result<Playbook> {
    let wrong = |what: String| Failure {
        code: Code::PlaybookInvalid,
        what: format!("{}: {what}", file.display()),
        fix: "see docs/reference/playbooks.md for what is executed",
    };
    let text = fs::read(file).map_err(|error| wrong(format!("it cannot be read: {error}")))?;
    Ok(Playbook::read(&text).map_err(|fault| wrong(fault.to_string()))?)
}

const PAGE: u32 = 200;
