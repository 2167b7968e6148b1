//! SCIM 2.0 (RFC 7644): a directory keeps users and groups in step here. Each caller sees and writes the directory of its own tenant.
//!
//! What is kept says who belongs where and whether they still do, and no more. A user who is deactivated or deleted is refused from the
//! next request on, and streams in flight are cut; groups count instead of those that tokens name, for issuers with
//! `directory = true`.

use bytes::Bytes;
use countersign_core::{Code, Refusal, RequestId};
use countersign_policy::Administer;
use countersign_scim::{Fault, Kind, LIST, message, resource_types, schemas, service_provider};
use http::Method;
use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use super::{Ask, Gives, Param, Permit, Reply, Route, Words, route::Run, schema};

mod held;
mod resources;

pub(crate) const ROUTES: &[Route] = &[
    reads(&[FILTER], "/scim/v2/ServiceProviderConfig", "scimServiceProvider", |ask| {
        Box::pin(async { Ok(provider(ask)) })
    }),
    reads(&[FILTER], "/scim/v2/ResourceTypes", "scimResourceTypes", |ask| {
        Box::pin(async { Ok(list(ask, resource_types(&root(ask)))) })
    }),
    reads(&[FILTER], "/scim/v2/ResourceTypes/{id}", "scimResourceType", |ask| {
        Box::pin(async { Ok(one(ask, resource_types(&root(ask)))) })
    }),
    reads(&[FILTER], "/scim/v2/Schemas", "scimSchemas", |ask| Box::pin(async { Ok(list(ask, schemas(&root(ask)))) })),
    reads(&[FILTER], "/scim/v2/Schemas/{id}", "scimSchema", |ask| {
        Box::pin(async { Ok(one(ask, schemas(&root(ask)))) })
    }),
    reads(QUERY, "/scim/v2/Users", "scimUsers", |ask| Box::pin(resources::list(ask, Kind::User))),
    writes(Method::POST, CREATES, "/scim/v2/Users", "scimCreateUser", |ask| {
        Box::pin(resources::create(ask, Kind::User))
    }),
    searches("/scim/v2/Users/.search", "scimSearchUsers", |ask| Box::pin(resources::search(ask, &[Kind::User]))),
    reads(QUERY, "/scim/v2/Users/{id}", "scimUser", |ask| Box::pin(resources::get(ask, Kind::User))),
    writes(Method::PUT, ANSWERS, "/scim/v2/Users/{id}", "scimReplaceUser", |ask| {
        Box::pin(resources::replace(ask, Kind::User))
    }),
    writes(Method::PATCH, ANSWERS, "/scim/v2/Users/{id}", "scimPatchUser", |ask| {
        Box::pin(resources::patch(ask, Kind::User))
    }),
    deletes("/scim/v2/Users/{id}", "scimDeleteUser", |ask| Box::pin(resources::delete(ask, Kind::User))),
    reads(QUERY, "/scim/v2/Groups", "scimGroups", |ask| Box::pin(resources::list(ask, Kind::Group))),
    writes(Method::POST, CREATES, "/scim/v2/Groups", "scimCreateGroup", |ask| {
        Box::pin(resources::create(ask, Kind::Group))
    }),
    searches("/scim/v2/Groups/.search", "scimSearchGroups", |ask| Box::pin(resources::search(ask, &[Kind::Group]))),
    reads(QUERY, "/scim/v2/Groups/{id}", "scimGroup", |ask| Box::pin(resources::get(ask, Kind::Group))),
    writes(Method::PUT, ANSWERS, "/scim/v2/Groups/{id}", "scimReplaceGroup", |ask| {
        Box::pin(resources::replace(ask, Kind::Group))
    }),
    writes(Method::PATCH, ANSWERS, "/scim/v2/Groups/{id}", "scimPatchGroup", |ask| {
        Box::pin(resources::patch(ask, Kind::Group))
    }),
    deletes("/scim/v2/Groups/{id}", "scimDeleteGroup", |ask| Box::pin(resources::delete(ask, Kind::Group))),
    searches("/scim/v2/.search", "scimSearch", |ask| Box::pin(resources::search(ask, &Kind::ALL))),
];

/// Refusals in SCIM's form.
pub(crate) static WORDS: Words = Words { name: "scimRefused", kind: JSON, form: anything, say };

fn say(refusal: &Refusal, request: RequestId) -> Bytes {
    // As for problems: reasons are for the record, but for those that say what is wrong with what the caller wrote.
    let (what, keyword) = match refusal.code {
        Code::Conflict if refusal.reason == held::TAKEN => (&*refusal.reason, Some("uniqueness")),
        Code::Malformed => (&*refusal.reason, Some("invalidValue")),
        Code::Conflict | Code::NoSuchThing => (&*refusal.reason, None),
        code => (code.message(), None),
    };
    let detail = format!("{what} ({}, request {request})", refusal.code.id());
    message(refusal.code.status(), keyword, &detail).to_string().into()
}

/// Where the API is, as callers know it; a reference within the server where the configuration does not say.
fn root(ask: &Ask<'_>) -> String {
    format!("{}/scim/v2", ask.admin.origin.as_deref().unwrap_or_default())
}

/// A fault as an answer.
fn faulty(fault: Fault) -> Reply {
    answer(fault.status(), &fault.message())
}

fn answer(status: u16, value: &Value) -> Reply {
    Reply::of(status, JSON, value.to_string().into())
}

const fn reads(query: &'static [Param], path: &'static str, name: &'static str, run: Run) -> Route {
    of(Method::GET, ANSWERS, false, query, path, name, run)
}

const fn writes(method: Method, gives: &'static [Gives], path: &'static str, name: &'static str, run: Run) -> Route {
    of(method, gives, true, QUERY, path, name, run)
}

const fn searches(path: &'static str, name: &'static str, run: Run) -> Route {
    of(Method::POST, ANSWERS, true, &[], path, name, run)
}

const fn deletes(path: &'static str, name: &'static str, run: Run) -> Route {
    of(Method::DELETE, DELETES, false, &[], path, name, run)
}

const fn of(
    method: Method,
    gives: &'static [Gives],
    takes: bool,
    query: &'static [Param],
    path: &'static str,
    name: &'static str,
    run: Run,
) -> Route {
    Route {
        method,
        path,
        permit: Permit::Action(Administer::Provision),
        name,
        what: "Keep users and groups in step with a directory (RFC 7644).",
        query,
        takes: if takes { Some((JSON, anything)) } else { None },
        gives,
        run,
    }
}

fn provider(ask: &Ask<'_>) -> Reply {
    unfiltered(ask).unwrap_or_else(|| answer(200, &service_provider(&root(ask))))
}

fn list(ask: &Ask<'_>, all: Vec<(&'static str, Value)>) -> Reply {
    let all: Vec<_> = all.into_iter().map(|(_, value)| value).collect();
    unfiltered(ask).unwrap_or_else(|| answer(200, &listed(all.len(), 1, all)))
}

fn one(ask: &Ask<'_>, all: Vec<(&'static str, Value)>) -> Reply {
    let found = all.into_iter().find(|(id, _)| *id == ask.id());
    unfiltered(ask).unwrap_or_else(|| found.map_or_else(|| faulty(Fault::Missing), |(_, value)| answer(200, &value)))
}

/// What the server says of itself is not filtered (RFC 7644, section 4).
fn unfiltered(ask: &Ask<'_>) -> Option<Reply> {
    ask.parameter("filter").map(|_| faulty(Fault::Forbidden("this is not filtered")))
}

/// A page of a list.
fn listed(total: usize, start: usize, page: Vec<Value>) -> Value {
    json!({
        "schemas": [LIST],
        "totalResults": total,
        "startIndex": start,
        "itemsPerPage": page.len(),
        "Resources": page,
    })
}

/// SCIM describes its own forms.
fn anything(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "object" })
}

const JSON: &str = "application/scim+json";
const CREATES: &[Gives] =
    &[Gives { status: 201, what: "The resource that was made.", body: Some((JSON, anything)) }, TAKEN];
const DELETES: &[Gives] = &[Gives { status: 204, what: "It is gone.", body: None }, CHANGED];
const ANSWERS: &[Gives] = &[
    Gives { status: 200, what: "What was asked for.", body: Some((JSON, anything)) },
    Gives { status: 304, what: "It is as the client knows it.", body: None },
    TAKEN,
    CHANGED,
];
const TAKEN: Gives = Gives { status: 409, what: "Another has that name or id.", body: Some((JSON, anything)) };
const CHANGED: Gives = Gives { status: 412, what: "It has changed since.", body: Some((JSON, anything)) };
const FILTER: Param = Param { name: "filter", what: "Which resources.", form: schema::<String> };
const QUERY: &[Param] = &[
    FILTER,
    Param { name: "startIndex", what: "The first resource, from 1.", form: schema::<i64> },
    Param { name: "count", what: "How many resources at most.", form: schema::<i64> },
    Param { name: "attributes", what: "The attributes to answer.", form: schema::<String> },
    Param { name: "excludedAttributes", what: "The attributes not to answer.", form: schema::<String> },
    Param {
        name: "sortBy",
        what: "Passed over: resources are in the order in which they were made.",
        form: schema::<String>,
    },
    Param { name: "sortOrder", what: "Passed over.", form: schema::<String> },
];

#[cfg(test)]
mod tests;
