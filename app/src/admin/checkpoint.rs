//! The audit log's newest checkpoint, to be kept elsewhere: `countersign audit verify --remembered` holds the log against it.

use countersign_core::Refusal;
use countersign_policy::Administer;
use http::Method;

use super::{Ask, Gives, Permit, Reply, Route, schema};

pub(crate) const ROUTES: &[Route] = &[Route {
    method: Method::GET,
    path: "/admin/v1/audit/checkpoint",
    permit: Permit::Action(Administer::Observe),
    name: "getCheckpoint",
    what: "The audit log's newest signed checkpoint, to be kept elsewhere.",
    query: &[],
    takes: None,
    gives: &[Gives {
        status: 200,
        what: "A C2SP signed note with a tlog-checkpoint in it.",
        body: Some((TEXT, schema::<String>)),
    }],
    run: |ask| Box::pin(async move { checkpoint(ask) }),
}];

fn checkpoint(ask: &Ask<'_>) -> Result<Reply, Refusal> {
    Ok(Reply::of(200, TEXT, ask.admin.audit.checkpoint().note.clone().into()))
}

const TEXT: &str = "text/plain; charset=utf-8";
