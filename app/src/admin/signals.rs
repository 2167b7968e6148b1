//! Where issuers hand in what has happened to whom they vouched for: security events pushed by RFC 8935, and logout tokens of OpenID
//! Connect Back-Channel Logout 1.0.

use bytes::Bytes;
use countersign_core::{Code, Refusal, RequestId};
use countersign_identity::token::{Signal, SignalError};
use countersign_policy::Administer;
use http::Method;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;

use super::{Ask, Gives, Permit, Reply, Route, Words, ask::read_query, reply::JSON, schema};
use crate::{config::Signals, signals};

pub(crate) const ROUTES: &[Route] = &[
    Route {
        method: Method::POST,
        path: "/ssf/events",
        permit: Permit::Action(Administer::SendSignals),
        name: "pushEvent",
        what: "Hand in a security event token (RFC 8417, RFC 8935).",
        query: &[],
        takes: Some(("application/secevent+jwt", token)),
        gives: &[Gives { status: 202, what: "It was taken in, now or before.", body: None }],
        run: |ask| Box::pin(push(ask)),
    },
    Route {
        method: Method::POST,
        path: "/ssf/logout",
        permit: Permit::Open,
        name: "logOut",
        what: "Hand in a logout token (OpenID Connect Back-Channel Logout 1.0). It proves itself; no credential is asked for.",
        query: &[],
        takes: Some(("application/x-www-form-urlencoded", schema::<LogOut>)),
        gives: &[Gives { status: 200, what: "Whoever it names is logged out.", body: None }],
        run: |ask| Box::pin(log_out(ask)),
    },
];

/// Refusals as RFC 8935, section 2.3, has them.
pub(crate) static WORDS: Words = Words { name: "signalRefused", kind: JSON, form: schema::<NotTaken>, say };

/// What a logout token comes in.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "the form is read as pairs; this describes it")]
struct LogOut {
    /// The token.
    logout_token: String,
}

/// Why an event was not taken.
#[derive(JsonSchema, Serialize)]
struct NotTaken {
    /// A code of RFC 8935.
    err: String,
    /// What is wrong.
    description: String,
}

fn token(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "description": "A security event token." })
}

async fn push(ask: &Ask<'_>) -> Result<Reply, Refusal> {
    let read =
        ask.admin.identity.tokens().signal(ask.body(), &|issuer| audiences(ask, issuer, |s| &s.audiences), ask.now());
    take(ask, read).await?;
    Ok(Reply::empty(202))
}

async fn log_out(ask: &Ask<'_>) -> Result<Reply, Refusal> {
    let wrong = |what: &str| Refusal::new(Code::SignalRefused, format!("invalid_request: {what}"));
    let text = std::str::from_utf8(ask.body()).map_err(|_| wrong("the form is not text"))?;
    let form = read_query(text).map_err(|_| wrong("the form is malformed"))?;
    let token = form.get("logout_token").ok_or_else(|| wrong("the form holds no `logout_token`"))?;
    let tokens = ask.admin.identity.tokens();
    let read = tokens.logout(token.as_bytes(), &|issuer| audiences(ask, issuer, |s| &s.logout), ask.now());
    take(ask, read).await?;
    Ok(Reply::empty(200))
}

async fn take(ask: &Ask<'_>, read: Result<Signal, SignalError>) -> Result<(), Refusal> {
    let signal = read.map_err(|error| match error {
        SignalError::Later(refusal) => refusal,
        error => Refusal::new(Code::SignalRefused, error.to_string()),
    })?;
    let admin = ask.admin;
    let intake = signals::Intake { state: &admin.state, force: &admin.force, audit: &admin.audit };
    signals::take(&intake, &signal, ask.request(), ask.peer().into(), ask.now()).await
}

fn audiences(ask: &Ask<'_>, issuer: &str, of: impl Fn(&Signals) -> &Vec<String>) -> Vec<String> {
    let signals = ask.admin.signals.iter().find(|signals| &*signals.issuer == issuer);
    signals.map(|signals| of(signals).clone()).unwrap_or_default()
}

fn say(refusal: &Refusal, request: RequestId) -> Bytes {
    let theirs = refusal.code == Code::SignalRefused;
    let (err, what) = refusal.reason.split_once(": ").filter(|_| theirs).unwrap_or_else(|| {
        let err = match refusal.code.status() {
            401 => "authentication_failed",
            403 => "access_denied",
            _ => "invalid_request",
        };
        (err, refusal.code.message())
    });
    let said = NotTaken { err: err.to_owned(), description: format!("{what} ({}, {request})", refusal.code.id()) };
    serde_json::to_vec(&said).unwrap_or_default().into()
}

#[cfg(test)]
pub(super) mod tests;
