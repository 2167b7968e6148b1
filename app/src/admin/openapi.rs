//! The OpenAPI 3.1 document of every route, made from the routes themselves.

use countersign_core::Code;
use countersign_policy::Administer;
use schemars::{SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use super::{GROUPS, Permit, Route, Words, console, once};

/// The document.
pub(crate) fn document() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|s| {
        s.definitions_path = "/components/schemas".into();
        s.meta_schema = None;
    });
    let mut generator = settings.into_generator();
    let mut paths = Map::new();
    let mut refused = Map::new();
    for group in GROUPS {
        for route in group.routes {
            let operation = operation(route, group.words, &mut generator);
            let path = paths.entry(route.path).or_insert_with(|| json!({}));
            path[route.method.as_str().to_ascii_lowercase()] = operation;
        }
        let Words { name, kind, form, .. } = group.words;
        let content = json!({ *kind: { "schema": form(&mut generator) } });
        refused.insert((*name).into(), json!({ "description": "The request was refused.", "content": content }));
    }
    let schemas = generator.take_definitions(true);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Countersign",
            "version": "1",
            "description": "What is asked of the gateway itself, on listeners with `admin = true`. Each operation names the action that \
                            a policy has to permit (`x-countersign-action`).",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "security": [{ "bearer": [] }, { "certificate": [] }],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "bearer": { "type": "http", "scheme": "bearer", "description": "An API key or an access token." },
                "certificate": { "type": "mutualTLS", "description": "A client certificate." },
            },
            "responses": refused,
            "schemas": schemas,
        },
    })
}

fn operation(route: &Route, words: &Words, generator: &mut SchemaGenerator) -> Value {
    let mut operation = json!({ "operationId": route.name, "summary": route.what });
    let names = route.path.split('/').filter_map(|piece| piece.strip_prefix('{')?.strip_suffix('}'));
    let mut parameters: Vec<Value> = names
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string", "minLength": 1 } }))
        .collect();
    parameters.extend(
        route
            .query
            .iter()
            .map(|p| json!({ "name": p.name, "in": "query", "description": p.what, "schema": (p.form)(generator) })),
    );
    match route.permit {
        Permit::Action(action) => {
            operation["x-countersign-action"] = action.as_str().into();
            if route.method == http::Method::POST {
                parameters.push(json!({
                    "name": once::KEY,
                    "in": "header",
                    "description": "Makes it safe to repeat the request: for 24 hours it is done once.",
                    "schema": { "type": "string", "pattern": "^[!-~]{1,128}$" },
                }));
            }
        }
        Permit::Open => operation["security"] = json!([]),
    }
    if !parameters.is_empty() {
        operation["parameters"] = parameters.into();
    }
    if let Some((kind, form)) = route.takes {
        operation["requestBody"] = json!({ "required": true, "content": { kind: { "schema": form(generator) } } });
    }
    let mut answers = Map::new();
    for gives in route.gives {
        let mut answer = json!({ "description": gives.what });
        if let Some((kind, form)) = gives.body {
            answer["content"] = json!({ kind: { "schema": form(generator) } });
        }
        answers.insert(gives.status.to_string(), answer);
    }
    let refused = json!({ "$ref": format!("#/components/responses/{}", words.name) });
    for status in refusals(route) {
        answers.entry(status.to_string()).or_insert_with(|| refused.clone());
    }
    operation["responses"] = answers.into();
    operation
}

/// The statuses that a request for the route may be refused with.
fn refusals(route: &Route) -> Vec<u16> {
    let mut codes = vec![
        Code::Malformed,
        Code::RequestTimeout,
        Code::TooLarge,
        Code::RateLimited,
        Code::Internal,
        Code::AuditFailed,
    ];
    // Whoever signs in at the console brings a credential too, and who is on the way there comes from the console's own page.
    if matches!(route.permit, Permit::Action(_)) || [console::SIGN_IN, console::GO].contains(&route.path) {
        codes.extend([Code::BadCredential, Code::NotPermitted]);
    }
    // What is not configured is not there, nor is the value of what is no stand-in.
    if route.path.contains('{') || matches!(route.permit, Permit::Open | Permit::Action(Administer::Reveal)) {
        codes.push(Code::NoSuchThing);
    }
    if route.takes.is_some() {
        codes.push(Code::UnsupportedMedia);
    }
    if route.method == http::Method::POST {
        codes.extend([Code::Conflict, Code::KeyReused]);
    }
    let mut statuses: Vec<u16> = codes.into_iter().map(Code::status).collect();
    statuses.sort_unstable();
    statuses.dedup();
    statuses
}
