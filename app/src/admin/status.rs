//! How the gateway stands.

use countersign_core::Refusal;
use countersign_policy::Administer;
use http::Method;
use schemars::JsonSchema;
use serde::Serialize;

use super::{Ask, Gives, Permit, Reply, Route, reply::JSON, schema};
use crate::clock;

pub(crate) const ROUTES: &[Route] = &[Route {
    method: Method::GET,
    path: "/admin/v1/status",
    permit: Permit::Action(Administer::Observe),
    name: "getStatus",
    what: "How this node stands.",
    query: &[],
    takes: None,
    gives: &[Gives { status: 200, what: "Its state.", body: Some((JSON, schema::<Status>)) }],
    run: |ask| Box::pin(async move { status(ask) }),
}];

/// How a node stands.
#[derive(JsonSchema, Serialize)]
struct Status {
    /// Its name, as in its audit log.
    node: String,
    /// The release it runs.
    version: &'static str,
    /// Whether what happens can be recorded. If not, everything is refused.
    recording: bool,
    /// Records under the newest signed checkpoint.
    records: u64,
    /// Requests that hold capacity now.
    in_flight: u32,
    /// The issuers of access tokens.
    issuers: Vec<Issuer>,
}

/// How an issuer's keys stand.
#[derive(JsonSchema, Serialize)]
struct Issuer {
    /// Its name.
    name: String,
    /// Keys in force.
    keys: usize,
    /// When they were fetched.
    #[serde(skip_serializing_if = "Option::is_none")]
    fetched: Option<String>,
    /// Whether they may be relied on. If not, the issuer's tokens are refused.
    usable: bool,
}

fn status(ask: &Ask<'_>) -> Result<Reply, Refusal> {
    let admin = ask.admin;
    let issuers = admin.identity.tokens().status(ask.now()).into_iter().map(|issuer| Issuer {
        name: issuer.name.to_string(),
        keys: issuer.keys,
        fetched: issuer.fetched.map(clock::rfc3339),
        usable: issuer.usable,
    });
    Reply::json(
        200,
        &Status {
            node: admin.state.node().to_owned(),
            version: env!("CARGO_PKG_VERSION"),
            recording: admin.audit.healthy(),
            records: admin.audit.checkpoint().checkpoint.size,
            in_flight: admin.policy.in_flight(),
            issuers: issuers.collect(),
        },
    )
}
