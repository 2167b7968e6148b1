//! `countersign access`: asks the admin API for access and decides on what others ask for, as whoever the credential says one is. It
//! never touches the state directory: whoever could would be nobody's colleague.

use std::process::ExitCode;

use countersign_core::principal::PrincipalKind;
use serde_json::{Value, json};

use crate::{
    cli::{AccessCommand, Output, Wish},
    cmd::{self, reach::call},
    term,
};

mod rights;

pub(crate) async fn run(command: AccessCommand) -> anyhow::Result<ExitCode> {
    let case = |id: &str, word: &str| format!("/admin/v1/access/{id}/{word}");
    let (reach, method, path, body) = match command {
        AccessCommand::Request { wish, holder, holder_kind, actor, reach } => {
            let mut asked = asked(wish);
            if let Some(subject) = holder {
                asked["holder"] = json!({ "subject": subject, "kind": PrincipalKind::from(holder_kind).as_str() });
            }
            if let Some(subject) = actor {
                asked["actor"] = json!({ "subject": subject });
            }
            (reach, "POST", "/admin/v1/access".into(), Some(asked))
        }
        AccessCommand::BreakGlass { wish, reach } => (reach, "POST", "/admin/v1/break-glass".into(), Some(asked(wish))),
        AccessCommand::List { mine, reach } => {
            let path = if mine { "/admin/v1/my/access" } else { "/admin/v1/access" };
            (reach, "GET", path.into(), None)
        }
        AccessCommand::Show { id, reach } => (reach, "GET", format!("/admin/v1/access/{id}"), None),
        AccessCommand::Approve { id, note, reach } => {
            (reach, "POST", case(&id, "approve"), Some(json!({ "note": note })))
        }
        AccessCommand::Deny { id, note, reach } => (reach, "POST", case(&id, "deny"), Some(json!({ "note": note }))),
        AccessCommand::Review { id, justified, note, reach } => {
            (reach, "POST", case(&id, "review"), Some(json!({ "justified": justified, "note": note })))
        }
        AccessCommand::End { id, reach } => (reach, "POST", case(&id, "end"), None),
        AccessCommand::GiveBack { id, reach } => (reach, "POST", format!("/admin/v1/my/access/{id}/end"), None),
        AccessCommand::Rights { days, csv, reach } => {
            rights::report(days, csv, &reach).await?;
            return Ok(ExitCode::SUCCESS);
        }
        AccessCommand::Certify { file, revoke, note, reach } => {
            rights::certify(&file, &revoke, &note, &reach).await?;
            return Ok(ExitCode::SUCCESS);
        }
        AccessCommand::Unused { days, reach } => (reach, "GET", format!("/admin/v1/unused?days={days}"), None),
    };
    let answer = call(&reach, method, &path, body).await?;
    match reach.format {
        Output::Json => cmd::json(&answer),
        Output::Text => show(&answer),
    }
    Ok(ExitCode::SUCCESS)
}

fn asked(wish: Wish) -> Value {
    json!({ "access": wish.access, "for": wish.things, "purpose": wish.purpose, "minutes": wish.minutes })
}

fn show(answer: &Value) {
    match answer.get("items").and_then(Value::as_array) {
        Some(items) => {
            for item in items {
                term::say(line(item));
            }
            if items.is_empty() {
                term::say("nothing");
            }
            if answer.get("next").is_some() {
                term::note("there are more; `--format json` and the admin API have them all");
            }
        }
        None => term::say(line(answer)),
    }
}

/// What a person wants to know of a case, or of a permission, in a line.
fn line(of: &Value) -> String {
    let text = |name: &str| match of.get(name) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "),
        _ => String::new(),
    };
    if of.get("permission").is_some() {
        return format!("{}  {}", text("permission"), text("since"));
    }
    let until = if text("ends").is_empty() { String::new() } else { format!(" until {}", text("ends")) };
    let actor = if text("actor").is_empty() { String::new() } else { format!(" through {}", text("actor")) };
    let review = match (of.get("broke_glass"), of.get("review")) {
        (Some(Value::Bool(true)), None) => ", to be reviewed",
        _ => "",
    };
    format!(
        "{}  {}{until}{review}  {} for {}{actor}: {} ({})",
        text("id"),
        text("standing"),
        text("access"),
        text("holder"),
        text("purpose"),
        text("for")
    )
}
