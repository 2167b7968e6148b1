//! Forgetting: a tenant's, a person's or a conversation's keys are destroyed, and with them all that was sealed under them.

use std::fmt::Write;

use countersign_audit::record::Members;
use countersign_core::{Code, ConversationName, Refusal};
use countersign_policy::Administer;
use countersign_seal::{DataKeys, Scope, SealError};
use data_encoding::HEXLOWER;
use http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Ask, Gives, Permit, Reply, Route, ask::malformed, reply::JSON, schema};
use crate::cmd::Failure;

pub(crate) const ROUTES: &[Route] = &[Route {
    method: Method::POST,
    path: "/admin/v1/forget",
    permit: Permit::Action(Administer::Forget),
    name: "forget",
    what: "Destroy the keys of a tenant, a person or a conversation, for good: what was sealed under them can be read by nobody.",
    query: &[],
    takes: Some((JSON, schema::<Whom>)),
    gives: &[Gives {
        status: 200,
        what: "What was forgotten; the audit log has the receipt.",
        body: Some((JSON, schema::<Forgotten>)),
    }],
    run: |ask| Box::pin(forget(ask)),
}];

/// Whose keys are to be destroyed.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Whom {
    /// The tenant.
    #[schemars(length(min = 1, max = 256))]
    pub(crate) tenant: String,
    /// The subject of a person, service or agent; all of the tenant when absent.
    #[schemars(length(min = 1, max = 1024))]
    pub(crate) person: Option<String>,
    /// One conversation of that person, by the name that the caller gave it; all of the person when absent.
    #[schemars(length(min = 1, max = 128))]
    pub(crate) conversation: Option<String>,
}

/// What was forgotten.
#[derive(JsonSchema, Serialize)]
struct Forgotten {
    /// Whose, as the audit record says it.
    what: String,
    /// Names the key that was destroyed. It says nothing about it.
    key: String,
    /// The request, as the audit record with the receipt names it.
    request: String,
}

impl Whom {
    /// Whose keys of `data` they are.
    ///
    /// # Errors
    /// What is wrong with it, in words for whoever asks.
    pub(crate) fn scope(&self, data: &DataKeys) -> Result<Scope<'_>, &'static str> {
        let too_long = self.person.as_ref().is_some_and(|person| !(1..=1024).contains(&person.len()));
        if !(1..=256).contains(&self.tenant.len()) || too_long {
            return Err("a name is empty or too long");
        }
        let named = self.conversation.as_ref().map(|name| ConversationName::parse(name.as_bytes())).transpose();
        let named = named.map_err(|_| "a conversation has a name of 1 to 128 printable characters without spaces")?;
        if self.person.is_none() && named.is_some() {
            return Err("a conversation is somebody's: say whose");
        }
        Ok(Scope {
            tenant: &self.tenant,
            subject: self.person.as_deref().unwrap_or_default(),
            conversation: named.map(|name| data.conversation(name.as_bytes())),
        })
    }

    /// As records say it.
    pub(crate) fn what(&self) -> String {
        let mut what = format!("tenant {:?}", self.tenant);
        // Writing to a string does not fail.
        for (kind, name) in [("person", &self.person), ("conversation", &self.conversation)] {
            let _ = name.as_ref().map(|name| write!(what, " {kind} {name:?}"));
        }
        what
    }
}

/// Names the key that a scope has now.
pub(crate) fn key(data: &DataKeys, scope: &Scope<'_>) -> Result<String, SealError> {
    Ok(HEXLOWER.encode(&data.key(scope)?.id()))
}

/// What the receipt says: which key there was, and that there is none.
pub(crate) fn receipt(key: &str) -> (Members, Members) {
    (Members::from([("key".into(), key.to_owned())]), Members::from([("key".into(), "destroyed".to_owned())]))
}

async fn forget(ask: &Ask<'_>) -> Result<Reply, Refusal> {
    let whom: Whom = ask.json()?;
    let scope = whom.scope(ask.admin.state.data()).map_err(malformed)?;
    ask.admin.state.may_forget(&scope).await.map_err(unforgotten)?;
    let key = key(ask.admin.state.data(), &scope).map_err(|_| Refusal::new(Code::Internal, "a key cannot be named"))?;
    let (was, becomes) = receipt(&key);
    ask.record(&whom.what(), was, becomes).await?;
    ask.admin.force.forget(&scope).await.map_err(unforgotten)?;
    Reply::json(200, &Forgotten { what: whom.what(), key, request: ask.request().to_string() })
}

/// Why somebody was not forgotten: a legal hold, or the store.
fn unforgotten(error: anyhow::Error) -> Refusal {
    match error.downcast::<Failure>() {
        Ok(Failure { code: Code::OnHold, what, .. }) => Refusal::new(Code::OnHold, what),
        error => {
            let error = error.map_or_else(|error| format!("{error:#}"), |failure| failure.to_string());
            tracing::error!(error, "somebody could not be forgotten; it is on record, so ask again");
            Refusal::new(Code::StoreFailed, "the keys could not be destroyed")
        }
    }
}
