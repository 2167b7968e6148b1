//! Reveals the value behind a stand-in that is the same everywhere in a tenant, by who asks and on record.

use std::sync::Arc;

use countersign_audit::record::Members;
use countersign_core::{Code, Entity, Refusal, Secret};
use countersign_policy::Administer;
use countersign_seal::DataKeys;
use countersign_vault::Tokens;
use http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Ask, Gives, Permit, Reply, Route, ask::malformed, reply::JSON, schema};

pub(crate) const ROUTES: &[Route] = &[Route {
    method: Method::POST,
    path: "/admin/v1/reveal",
    permit: Permit::Action(Administer::Reveal),
    name: "reveal",
    what: "Show the value behind a stand-in that is the same everywhere in a tenant. Who asked for which is on record.",
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
    /// The stand-in, as in `[EMAIL_v1:...]`, or a number that stands in for another one.
    #[schemars(length(min = 1, max = 1024))]
    pub(crate) token: String,
    /// The type of what a number stands for, as in `CREDIT_CARD`; absent for other stand-ins.
    #[schemars(length(min = 1, max = 32))]
    pub(crate) number_of: Option<String>,
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
    pub(crate) fn value(&self, data: &Arc<DataKeys>) -> Result<Option<(Entity, Secret<String>)>, &'static str> {
        if !(1..=256).contains(&self.tenant.len()) || !(1..=1024).contains(&self.token.len()) {
            return Err("the tenant or the stand-in is empty or too long");
        }
        let (tokens, tenant) = (Tokens::new(data.clone(), Vec::new()), self.tenant.as_str().into());
        let Some(name) = &self.number_of else { return Ok(tokens.reveal(&tenant, &self.token)) };
        let entity = Entity::parse(name).ok_or("`number_of` is no type of value")?;
        Ok(tokens.reveal_number(&tenant, entity, &self.token).map(|value| (entity, value)))
    }

    /// As records say it. A stand-in says nothing without the key; a number that stands in for another one is not told.
    pub(crate) fn what(&self) -> String {
        match &self.number_of {
            None => format!("tenant {:?} stand-in {:?}", self.tenant, self.token),
            Some(_) => format!("tenant {:?} a number", self.tenant),
        }
    }
}

async fn reveal(ask: &Ask<'_>) -> Result<Reply, Refusal> {
    let asked: Reveal = ask.json()?;
    let found = asked.value(ask.admin.state.data()).map_err(malformed)?;
    let Some((entity, value)) = found else {
        return Err(Refusal::new(Code::NoSuchThing, "it is no stand-in of the tenant's"));
    };
    let was = Members::from([("entity".into(), entity.as_str().to_owned())]);
    ask.record(&asked.what(), was, Members::new()).await?;
    let shown = |value| Revealed { entity: entity.as_str().to_owned(), value };
    Reply::once(200, &shown(Some(value.expose().clone())), &shown(None))
}
