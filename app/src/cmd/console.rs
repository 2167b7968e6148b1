//! `countersign console`: a link that signs a browser in, so that no key has to be typed into one.

use std::process::ExitCode;

use countersign_core::Code;
use serde_json::{Value, json};

use crate::{
    cli::{Console, Output},
    cmd::{self, Failure, reach::call},
    console::pages::HOME,
    term,
};

pub(crate) async fn run(args: &Console) -> anyhow::Result<ExitCode> {
    let gateway = args.reach.gateway.trim_end_matches('/');
    if gateway.starts_with("unix:") {
        return Err(Failure {
            code: Code::ConfigInvalid,
            what: "a browser does not reach a Unix socket".to_owned(),
            fix: "name an address of a listener with `admin = true`",
        }
        .into());
    }
    let made = call(&args.reach, "POST", "/admin/v1/console/links", None).await?;
    let link = made.get("link").and_then(Value::as_str).unwrap_or_default();
    let address = format!("{gateway}{HOME}#{link}");
    match args.reach.format {
        Output::Json => cmd::json(&json!({ "address": address, "expires_in": made.get("expires_in") })),
        Output::Text => {
            term::say(address);
            term::note("it signs you in once, within a minute");
        }
    }
    Ok(ExitCode::SUCCESS)
}
