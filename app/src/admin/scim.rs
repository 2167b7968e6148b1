//! SCIM 2.0 (RFC 7644): a directory keeps users and groups in step here. Each caller sees and writes the directory of its own tenant.
//!
//! What is kept says who belongs where and whether they still do, and no more. A user who is deactivated or deleted is refused from the
//! next request on, and streams in flight are cut; groups count instead of those that tokens name, for issuers with
//! `directory = true`.

use bytes::Bytes;
use countersign_core::{Refusal, RequestId};
use countersign_policy::Administer;
use countersign_scim::{Fault, Kind, LIST, message, resource_types, schemas, service_provider};
use http::Method;
use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use super::{Ask, Gives, Param, Permit, Reply, Route, schema};

mod held;
mod resources;

/// Where the API is.
pub(crate) const ROOT: &str = "/scim/v2";

pub(crate) const ROUTES: &[Route] = &[
    said("/scim/v2/ServiceProviderConfig", "scimServiceProvider", |ask| Box::pin(async { Ok(provider(ask)) })),
    said("/scim/v2/ResourceTypes", "scimResourceTypes", |ask| Box::pin(async { Ok(list(ask, resource_types(ROOT))) })),
    said("/scim/v2/ResourceTypes/{id}", "scimResourceType", |ask| Box::pin(async { Ok(one(ask, resource_types(ROOT))) })),
    said("/scim/v2/Schemas", "scimSchemas", |ask| Box::pin(async { Ok(list(ask, schemas(ROOT))) })),
    said("/scim/v2/Schemas/{id}", "scimSchema", |ask| Box::pin(async { Ok(one(ask, schemas(ROOT))) })),
    of(Method::GET, "/scim/v2/Users", "scimUsers", |ask| Box::pin(resources::list(ask, Kind::User))),
    of(Method::POST, "/scim/v2/Users", "scimCreateUser", |ask| Box::pin(resources::create(ask, Kind::User))),
    of(Method::GET, "/scim/v2/Users/{id}", "scimUser", |ask| Box::pin(resources::get(ask, Kind::User))),
    of(Method::PUT, "/scim/v2/Users/{id}", "scimReplaceUser", |ask| Box::pin(resources::replace(ask, Kind::User))),
    of(Method::PATCH, "/scim/v2/Users/{id}", "scimPatchUser", |ask| Box::pin(resources::patch(ask, Kind::User))),
    of(Method::DELETE, "/scim/v2/Users/{id}", "scimDeleteUser", |ask| Box::pin(resources::delete(ask, Kind::User))),
    of(Method::GET, "/scim/v2/Groups", "scimGroups", |ask| Box::pin(resources::list(ask, Kind::Group))),
    of(Method::POST, "/scim/v2/Groups", "scimCreateGroup", |ask| Box::pin(resources::create(ask, Kind::Group))),
    of(Method::GET, "/scim/v2/Groups/{id}", "scimGroup", |ask| Box::pin(resources::get(ask, Kind::Group))),
    of(Method::PUT, "/scim/v2/Groups/{id}", "scimReplaceGroup", |ask| Box::pin(resources::replace(ask, Kind::Group))),
    of(Method::PATCH, "/scim/v2/Groups/{id}", "scimPatchGroup", |ask| Box::pin(resources::patch(ask, Kind::Group))),
    of(Method::DELETE, "/scim/v2/Groups/{id}", "scimDeleteGroup", |ask| Box::pin(resources::delete(ask, Kind::Group))),
];

/// A refusal in SCIM's form.
pub(crate) fn says(refusal: &Refusal, request: RequestId) -> (&'static str, Bytes) {
    let detail = format!("{} ({}, request {request})", refusal.code.message(), refusal.code.id());
    (JSON, message(refusal.code.status(), None, &detail).to_string().into())
}

/// A fault as an answer.
fn faulty(fault: Fault) -> Reply {
    answer(fault.status(), &fault.message())
}

fn answer(status: u16, value: &Value) -> Reply {
    Reply::of(status, JSON, value.to_string().into())
}

/// What the server says of itself.
const fn said(path: &'static str, name: &'static str, run: super::route::Run) -> Route {
    Route { query: &[FILTER], ..of(Method::GET, path, name, run) }
}

const fn of(method: Method, path: &'static str, name: &'static str, run: super::route::Run) -> Route {
    let writes = matches!(method, Method::POST | Method::PUT | Method::PATCH);
    Route {
        method,
        path,
        permit: Permit::Action(Administer::Provision),
        name,
        what: "Keeps users and groups in step with a directory (RFC 7644).",
        query: QUERY,
        takes: if writes { Some((JSON, anything)) } else { None },
        gives: &[Gives { status: 200, what: "What was asked for.", body: Some((JSON, anything)) }],
        run,
    }
}

fn provider(ask: &Ask<'_>) -> Reply {
    unfiltered(ask).unwrap_or_else(|| answer(200, &service_provider(ROOT)))
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
const FILTER: Param = Param { name: "filter", what: "Which resources.", form: schema::<String> };
const QUERY: &[Param] = &[
    FILTER,
    Param { name: "startIndex", what: "The first resource, from 1.", form: schema::<i64> },
    Param { name: "count", what: "How many resources at most.", form: schema::<i64> },
    Param { name: "attributes", what: "The attributes to answer.", form: schema::<String> },
    Param { name: "excludedAttributes", what: "The attributes not to answer.", form: schema::<String> },
    Param { name: "sortBy", what: "Passed over: resources are in the order in which they were made.", form: schema::<String> },
    Param { name: "sortOrder", what: "Passed over.", form: schema::<String> },
];

#[cfg(test)]
mod tests;
