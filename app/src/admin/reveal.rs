//! Reveals the value behind a stand-in, by who asks and on record: of one that is the same everywhere in a tenant by the tenant's key,
//! of a conversation's from what was kept, sealed, with a request it was made for.

use countersign_audit::{
    DiskDir, find,
    record::{Members, Record},
};
use countersign_core::{Code, Entity, Refusal, RequestId, Secret};
use countersign_policy::Administer;
use countersign_seal::SealError;
use countersign_vault::{Tokens, tag};
use http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::state::State;

use super::{Ask, Gives, Permit, Reply, Route, ask::malformed, reply::JSON, schema};

pub(crate) const ROUTES: &[Route] = &[Route {
    method: Method::POST,
    path: "/admin/v1/reveal",
    permit: Permit::Action(Administer::Reveal),
    name: "reveal",
    what: "Show the value behind a stand-in: of one that is the same everywhere in a tenant by itself, of a conversation's with a request it was made for. Who asked for which is on record.",
    query: &[],
    takes: Some((JSON, schema::<Reveal>)),
    gives: &[Gives { status: 200, what: "The value.", body: Some((JSON, schema::<Revealed>)) }],
    run: |ask| Box::pin(reveal(ask)),
}];

/// What is to be revealed.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reveal {
    /// The tenant in whose prompts it stood.
    #[schemars(length(min = 1, max = 256))]
    pub(crate) tenant: String,
    /// The stand-in, as in `[EMAIL_v1:...]` or `[EMAIL_1:k7f3qab]`, or a number that stands in for another one.
    #[schemars(length(min = 1, max = 1024))]
    pub(crate) token: String,
    /// The type of what a number stands for, as in `CREDIT_CARD`; absent for other stand-ins.
    #[schemars(length(min = 1, max = 32))]
    pub(crate) number_of: Option<String>,
    /// A request that the stand-in of a conversation was made for, where its values are kept; absent for other stand-ins. It is looked
    /// for in the audit log of the node that is asked.
    #[schemars(length(min = 1, max = 32))]
    pub(crate) request: Option<String>,
}

/// What stood there.
#[derive(JsonSchema, Serialize)]
struct Revealed {
    /// Its type.
    entity: String,
    /// The value. It is shown by the first answer alone; a repeated request with the same idempotency key gets none.
    value: Option<String>,
}

impl Reveal {
    /// The type and the value; none where it is not a stand-in of the tenant's.
    ///
    /// # Errors
    /// What is wrong with what was asked for, in words for whoever asks.
    pub(crate) fn value(&self, state: &State) -> Result<Option<(Entity, Secret<String>)>, Unanswered> {
        if !(1..=256).contains(&self.tenant.len()) || !(1..=1024).contains(&self.token.len()) {
            return Err(Unanswered::Asked("the tenant or the stand-in is empty or too long"));
        }
        let (tokens, tenant) = (Tokens::new(state.data().clone(), Vec::new()), self.tenant.as_str().into());
        match (&self.number_of, &self.request) {
            (None, None) => Ok(tokens.reveal(&tenant, &self.token)),
            (Some(name), None) => {
                let entity = Entity::parse(name).ok_or(Unanswered::Asked("`number_of` is no type of value"))?;
                Ok(tokens.reveal_number(&tenant, entity, &self.token).map(|value| (entity, value)))
            }
            (None, Some(request)) => {
                let request = request.parse().map_err(|_| Unanswered::Asked("`request` is no id of a request"))?;
                self.kept(request, state)
            }
            (Some(_), Some(_)) => Err(Unanswered::Asked("`number_of` and `request` do not go together")),
        }
    }

    /// What was kept of it with a request.
    fn kept(&self, request: RequestId, state: &State) -> Result<Option<(Entity, Secret<String>)>, Unanswered> {
        let Some((entity, tag)) = tag(&self.token) else { return Ok(None) };
        let log = DiskDir::read_only(state.audit_dir()).map_err(|error| Unanswered::Log(error.to_string()))?;
        let of_tenant = |record: &Record| matches!(record, Record::Intent(r) if *r.who.tenant == *self.tenant);
        let found = find(&log, request).map_err(|error| Unanswered::Log(error.to_string()))?;
        let Some(shown) = found.into_iter().find(|shown| of_tenant(&shown.record)) else { return Ok(None) };
        match shown.value(&tag, state.node(), state.data()) {
            Ok(value) => Ok(value.filter(|(known, _)| *known == entity)),
            // Of somebody who was forgotten.
            Err(SealError::Forgotten) => Ok(None),
            Err(error) => Err(Unanswered::Log(error.to_string())),
        }
    }

    /// As records say it. A stand-in says nothing without the key; a number that stands in for another one is not told.
    pub(crate) fn what(&self) -> String {
        match (&self.number_of, &self.request) {
            (None, None) => format!("tenant {:?} stand-in {:?}", self.tenant, self.token),
            (None, Some(request)) => {
                format!("tenant {:?} stand-in {:?} of request {request:?}", self.tenant, self.token)
            }
            (Some(_), _) => format!("tenant {:?} a number", self.tenant),
        }
    }
}

/// Why there is no answer.
pub(crate) enum Unanswered {
    /// What is wrong with what was asked for, in words for whoever asks.
    Asked(&'static str),
    /// The audit log cannot be read.
    Log(String),
}

async fn reveal(ask: &Ask<'_>) -> Result<Reply, Refusal> {
    let asked: Reveal = ask.json()?;
    let state = ask.admin.state.clone();
    // The log may be long, and reading it blocks.
    let looked = tokio::task::spawn_blocking(move || (asked.value(&state), asked)).await;
    let (found, asked) = looked.map_err(|_| Refusal::new(Code::Internal, "looking for a stand-in failed"))?;
    let found = found.map_err(|why| match why {
        Unanswered::Asked(what) => malformed(what),
        Unanswered::Log(what) => Refusal::new(Code::Internal, format!("the audit log cannot be read: {what}")),
    })?;
    let Some((entity, value)) = found else {
        return Err(Refusal::new(
            Code::NoSuchThing,
            "it is no stand-in of the tenant's, or what it stood for is not kept",
        ));
    };
    let was = Members::from([("entity".into(), entity.as_str().to_owned())]);
    ask.record(&asked.what(), was, Members::new()).await?;
    let shown = |value| Revealed { entity: entity.as_str().to_owned(), value };
    Reply::once(200, &shown(Some(value.expose().clone())), &shown(None))
}
