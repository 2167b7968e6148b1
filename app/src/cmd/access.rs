//! `countersign access`: asks the admin API for access and decides on what others ask for, as whoever the credential says one is. It
//! never touches the state directory: whoever could would be nobody's colleague.

use std::{env, fs, process::ExitCode};

use anyhow::Context;
use bytes::Bytes;
use countersign_core::{Code, Secret, principal::PrincipalKind};
use countersign_http1::{Connection, RequestHead};
use countersign_provider::{Base, Trust, open};
use serde_json::{Value, json};

use crate::{
    cli::{AccessCommand, Output, Reach, Wish},
    cmd::{self, Failure},
    fetch::is_loopback,
    term,
};

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

/// Asks the admin API; its answer, or what is wrong.
async fn call(reach: &Reach, method: &str, path: &str, body: Option<Value>) -> anyhow::Result<Value> {
    let wrong = |what: String, fix| Failure { code: Code::ConfigInvalid, what, fix };
    let base: Base = reach.gateway.parse().map_err(|_| {
        let what = format!("`{}` is no address of a gateway", reach.gateway);
        wrong(what, "write https://HOST[:PORT], http://127.0.0.1:PORT or unix:/PATH")
    })?;
    if matches!(&base, Base::Http(address) if !is_loopback(&address.host)) {
        let what = "a credential does not go over the network in the clear".to_owned();
        return Err(wrong(what, "write https, or http to this machine alone").into());
    }
    let credential = Secret::new(env::var(CREDENTIAL).map_err(|_| {
        wrong(format!("`{CREDENTIAL}` holds no credential"), "put your API key or access token into it")
    })?);
    let trust = match (&base, &reach.ca) {
        (Base::Https(_), Some(file)) => {
            let pem = fs::read(file).with_context(|| format!("`{}` cannot be read", file.display()))?;
            Some(Trust::given(&pem)?)
        }
        (Base::Https(_), None) => Some(Trust::system()?),
        _ => None,
    };
    let mut head = RequestHead::new(method, path, &base.host())?
        .credential("authorization", "Bearer ", credential.expose())?
        .header("accept", "application/json")?
        .header("user-agent", "countersign")?;
    let body = match body {
        Some(body) => {
            head = head.header("content-type", "application/json")?;
            Bytes::from(body.to_string())
        }
        None => Bytes::new(),
    };
    let reached = async {
        let mut connection = Connection::new(open(&base, trust.as_ref()).await?);
        let answer = connection.send(&head, body).await?;
        anyhow::Ok((answer.status(), connection.read_whole(LONGEST).await?))
    };
    let (status, text) = tokio::time::timeout(PATIENCE, reached)
        .await
        .context("the gateway does not answer")?
        .with_context(|| format!("`{}` cannot be reached", reach.gateway))?;
    let value: Value = serde_json::from_slice(&text).context("the gateway's answer is not JSON")?;
    if status >= 400 {
        let said = |name| value.get(name).and_then(Value::as_str).unwrap_or_default();
        let detail = if said("detail").is_empty() { said("title") } else { said("detail") };
        anyhow::bail!("{}: {detail} (request {})", said("code"), said("request"));
    }
    Ok(value)
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

/// Names the environment variable that holds the credential: on a command line others could read it.
const CREDENTIAL: &str = "COUNTERSIGN_CREDENTIAL";
const LONGEST: usize = 4 << 20;
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);
