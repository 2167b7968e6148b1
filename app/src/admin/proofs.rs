//! What is on record about a request, with proofs that stand alone; and that the log only grew. Who looked is on record, too.

use std::{sync::Arc, time::Duration};

use countersign_audit::{
    AuditError, Dir, find,
    note::key_text,
    proof::{Growth, Proof},
    record::{Members, Record},
};
use countersign_core::{Code, Refusal, RequestId};
use countersign_policy::Administer;
use http::Method;
use schemars::JsonSchema;
use serde::Serialize;
use tokio::time::{Instant, sleep};

use super::{
    Ask, Gives, Param, Permit, Reply, Route,
    ask::{malformed, nothing},
    reply::JSON,
    schema,
};

pub(crate) const ROUTES: &[Route] = &[
    Route {
        method: Method::GET,
        path: "/admin/v1/audit/requests/{id}",
        permit: Permit::Action(Administer::ReadAudit),
        name: "proveRequest",
        what: "What is on record about a request on this node, each record with a proof that stands alone. The look is on record.",
        query: &[],
        takes: None,
        gives: &[Gives { status: 200, what: "The records, in order.", body: Some((JSON, schema::<Found>)) }],
        run: |ask| Box::pin(prove(ask)),
    },
    Route {
        method: Method::GET,
        path: "/admin/v1/audit/growth",
        permit: Permit::Action(Administer::Observe),
        name: "proveGrowth",
        what: "That the log only appended to what an older checkpoint of it had.",
        query: &[Param { name: "old", what: "How many records the older checkpoint has.", form: schema::<u64> }],
        takes: None,
        gives: &[Gives {
            status: 200,
            what: "The size before, a consistency proof and the newest checkpoint, as C2SP tlog-witness has them.",
            body: Some((TEXT, schema::<String>)),
        }],
        run: |ask| Box::pin(grow(ask)),
    },
];

/// What is on record about a request.
#[derive(JsonSchema, Serialize)]
struct Found {
    /// The request.
    request: String,
    /// The log's public keys in note form, newest first. Believe one that you got by another way.
    keys: Vec<String>,
    /// Its records, in order.
    records: Vec<Proved>,
}

/// One record.
#[derive(JsonSchema, Serialize)]
struct Proved {
    /// Its index in the log.
    index: u64,
    /// What it says, as in `docs/reference/audit-record.md`. Texts are not in it.
    #[schemars(with = "std::collections::BTreeMap<String, serde_json::Value>")]
    record: Record,
    /// The proof: a C2SP tlog-proof, to be kept as a file.
    proof: String,
}

async fn prove(ask: &Ask<'_>) -> Result<Reply, Refusal> {
    let request: RequestId = ask.id().parse().map_err(|_| malformed("the path names no request id"))?;
    ask.record(&request.to_string(), Members::new(), Members::new()).await?;
    let audit = ask.admin.audit.clone();
    let records = beside(&audit.dir().clone(), move |dir| find(dir, request)).await?;
    let last = records.last().ok_or_else(nothing)?.index;
    // Checkpoints are signed once a second.
    let until = Instant::now() + PATIENCE;
    while audit.checkpoint().checkpoint.size <= last && Instant::now() < until {
        sleep(LOOK).await;
    }
    let records = beside(audit.dir(), move |dir| {
        let proved = |shown: countersign_audit::show::Shown| {
            let proof = Proof::of(dir, shown.index)?.to_string();
            Ok(Proved { index: shown.index, record: shown.record, proof })
        };
        records.into_iter().map(proved).collect::<Result<Vec<_>, AuditError>>()
    });
    let (state, records) = (&ask.admin.state, records.await?);
    let keys = state.ring().verifiers(state.node()).map_err(|_| Refusal::new(Code::Internal, "no verifiers"))?;
    let keys = keys.iter().map(|key| key_text(state.node(), key)).collect();
    Reply::json(200, &Found { request: request.to_string(), keys, records })
}

async fn grow(ask: &Ask<'_>) -> Result<Reply, Refusal> {
    let old = ask.parameter("old").and_then(|old| old.parse::<u64>().ok());
    let old = old.ok_or_else(|| malformed("`old` is how many records the older checkpoint has"))?;
    if old > ask.admin.audit.checkpoint().checkpoint.size {
        return Err(malformed("the log has fewer records than that"));
    }
    let growth = beside(ask.admin.audit.dir(), move |dir| Growth::of(dir, old)).await?;
    Ok(Reply::of(200, TEXT, growth.to_string().into()))
}

/// Reads the log's files without holding up requests.
pub(crate) async fn beside<T: Send + 'static>(
    dir: &Arc<dyn Dir>,
    read: impl FnOnce(&dyn Dir) -> Result<T, AuditError> + Send + 'static,
) -> Result<T, Refusal> {
    let dir = dir.clone();
    let read = tokio::task::spawn_blocking(move || read(&*dir)).await;
    read.map_err(|_| Refusal::new(Code::Internal, "reading the audit log panicked"))?.map_err(|error| {
        tracing::error!(error = format!("{:#}", anyhow::Error::from(error)), "the audit log could not be read");
        Refusal::new(Code::Internal, "the audit log could not be read")
    })
}

const TEXT: &str = "text/plain; charset=utf-8";
const PATIENCE: Duration = Duration::from_secs(3);
const LOOK: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests;
