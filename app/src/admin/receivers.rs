//! Our own security events for those who fetch them (RFC 8936), and what receivers have to know to believe them.

use std::collections::BTreeMap;

use countersign_core::{Code, Refusal};
use countersign_policy::Administer;
use http::Method;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Ask, Gives, Permit, Reply, Route,
    ask::{nothing, unkept},
    reply::JSON,
    schema,
};
use crate::signals::send::{Receiver, Speaker, Way};

/// What is known to all.
pub(crate) const KNOWN: &[Route] = &[Route {
    method: Method::GET,
    path: CONFIGURATION,
    permit: Permit::Open,
    name: "getTransmitter",
    what: "The gateway as a transmitter of security events (OpenID Shared Signals Framework 1.0).",
    query: &[],
    takes: None,
    gives: &[Gives { status: 200, what: "Its metadata.", body: Some((JSON, object)) }],
    run: |ask| Box::pin(async move { configuration(ask) }),
}];

pub(crate) const CONFIGURATION: &str = "/.well-known/ssf-configuration";

pub(crate) const ROUTES: &[Route] = &[
    Route {
        method: Method::GET,
        path: "/ssf/jwks",
        permit: Permit::Open,
        name: "getSignalKeys",
        what: "The keys that the gateway's security events are verified with (RFC 7517).",
        query: &[],
        takes: None,
        gives: &[Gives { status: 200, what: "The key set.", body: Some((JSON, object)) }],
        run: |ask| Box::pin(async move { keys(ask) }),
    },
    Route {
        method: Method::POST,
        path: "/ssf/poll/{receiver}",
        permit: Permit::Action(Administer::ReadSignals),
        name: "pollEvents",
        what: "Fetch security events, and acknowledge those that were taken (RFC 8936). Only a receiver's own principal may.",
        query: &[],
        takes: Some((JSON, schema::<Poll>)),
        gives: &[Gives { status: 200, what: "Events that are due.", body: Some((JSON, schema::<Due>)) }],
        run: |ask| Box::pin(poll(ask)),
    },
];

/// What a receiver asks for (RFC 8936, section 2.2).
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Poll {
    /// How many events at most; none, to acknowledge alone.
    #[serde(default = "many")]
    #[schemars(range(min = 0, max = 1000))]
    max_events: usize,
    /// Whether to wait for events when there are none. The gateway never waits.
    #[serde(default)]
    #[expect(dead_code, reason = "either is answered at once, as the standard permits")]
    return_immediately: bool,
    /// Events that were taken, by their `jti`.
    #[serde(default)]
    ack: Vec<String>,
    /// Events that cannot be taken, by their `jti`; they are not offered again.
    #[serde(default)]
    set_errs: BTreeMap<String, NotTaken>,
}

/// Why an event cannot be taken.
#[derive(Deserialize, JsonSchema)]
struct NotTaken {
    /// A code of RFC 8935.
    err: String,
    /// What is wrong.
    #[serde(default)]
    description: String,
}

/// Events that are due.
#[derive(JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
struct Due {
    /// Security event tokens by their `jti`.
    sets: BTreeMap<String, String>,
    /// Whether there are more.
    more_available: bool,
}

fn configuration(ask: &Ask<'_>) -> Result<Reply, Refusal> {
    let origin = &speaker(ask)?.origin;
    Reply::json(
        200,
        &json!({
            "spec_version": "1_0",
            "issuer": origin,
            "jwks_uri": format!("{origin}/ssf/jwks"),
            "delivery_methods_supported": ["urn:ietf:rfc:8935", "urn:ietf:rfc:8936"],
            "default_subjects": "ALL",
        }),
    )
}

fn keys(ask: &Ask<'_>) -> Result<Reply, Refusal> {
    let keys: Value =
        speaker(ask)?.keys().map_err(|_| Refusal::new(Code::Internal, "the key ring gave no public keys"))?;
    Reply::json(200, &keys)
}

async fn poll(ask: &Ask<'_>) -> Result<Reply, Refusal> {
    let by = ask.by()?;
    let mine = |r: &&std::sync::Arc<Receiver>| r.name == ask.id() && matches!(&r.way, Way::Polled(who) if *who == by);
    // That another may poll it is nobody's business.
    let receiver = ask.admin.receivers.iter().find(mine).ok_or_else(nothing)?;
    let asked: Poll = ask.json()?;
    for (id, why) in &asked.set_errs {
        let (receiver, err, what) = (&receiver.name, &why.err, &why.description);
        tracing::warn!(receiver, event = id, err, what, "a receiver cannot take an event");
    }
    let store = ask.admin.state.store();
    let mut done = store.receiver(&receiver.name).await.map_err(unkept)?;
    let most = asked.max_events.min(MOST);
    let mut due = Due { sets: BTreeMap::new(), more_available: false };
    // Up to here everything was taken; what is not taken yet, and all after it, stays due.
    let (mut taken, mut in_order) = (done, true);
    'all: loop {
        let batch = store.revocations_since(done, BATCH).await.map_err(unkept)?;
        if batch.is_empty() {
            break;
        }
        for (number, record) in batch {
            done = number;
            let event = receiver.event(&record);
            let event = event.map_err(|_| Refusal::new(Code::Internal, "an event could not be signed"))?;
            let over = |id: &str| asked.ack.iter().any(|ack| ack == id) || asked.set_errs.contains_key(id);
            let Some(event) = event.filter(|_| !over(&record.id)) else {
                if in_order {
                    taken = number;
                }
                continue;
            };
            in_order = false;
            if due.sets.len() >= most {
                due.more_available = true;
                break 'all;
            }
            due.sets.insert(record.id.to_string(), event);
        }
    }
    store.acknowledged(&receiver.name, taken).await.map_err(unkept)?;
    Reply::json(200, &due)
}

fn speaker<'a>(ask: &Ask<'a>) -> Result<&'a Speaker, Refusal> {
    let first = ask.admin.receivers.first();
    first.map(|r| &*r.words).ok_or_else(|| Refusal::new(Code::NoSuchRoute, "no receiver of events is configured"))
}

fn object(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "object" })
}

const fn many() -> usize {
    MOST
}

const MOST: usize = 100;
const BATCH: u32 = 100;

#[cfg(test)]
mod tests;
