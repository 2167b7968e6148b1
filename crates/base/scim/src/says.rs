//! What a server says of itself (RFC 7643, sections 5 to 7). `root` is where the API is, as callers know it.

use serde_json::{Value, json};

use crate::{Attribute, Kind, Sort};

/// What the server can do.
#[must_use]
pub fn service_provider(root: &str) -> Value {
    let no = json!({ "supported": false });
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
        "patch": { "supported": true },
        "bulk": { "supported": false, "maxOperations": 0, "maxPayloadSize": 0 },
        "filter": { "supported": true, "maxResults": MAX_RESULTS },
        "changePassword": no,
        "sort": no,
        "etag": { "supported": true },
        "authenticationSchemes": [{
            "type": "oauthbearertoken",
            "name": "Bearer token",
            "description": "An API key or an access token whose bearer the policy permits to provision.",
            "specUri": "https://www.rfc-editor.org/info/rfc6750",
            "primary": true,
        }],
        "meta": { "resourceType": "ServiceProviderConfig", "location": format!("{root}/ServiceProviderConfig") },
    })
}

/// The kinds of resource, each with its name.
#[must_use]
pub fn resource_types(root: &str) -> Vec<(&'static str, Value)> {
    let of = |kind: Kind| {
        let said = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],
            "id": kind.name(),
            "name": kind.name(),
            "description": kind.name(),
            "endpoint": kind.endpoint(),
            "schema": kind.schema(),
            "schemaExtensions": [],
            "meta": { "resourceType": "ResourceType", "location": format!("{root}/ResourceTypes/{}", kind.name()) },
        });
        (kind.name(), said)
    };
    Kind::ALL.map(of).into()
}

/// The schemas of both kinds, each with its URN.
#[must_use]
pub fn schemas(root: &str) -> Vec<(&'static str, Value)> {
    let of = |kind: Kind| {
        let attributes: Vec<_> = kind.attributes().iter().map(|attribute| said(attribute, kind)).collect();
        let said = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Schema"],
            "id": kind.schema(),
            "name": kind.name(),
            "description": kind.name(),
            "attributes": attributes,
            "meta": { "resourceType": "Schema", "location": format!("{root}/Schemas/{}", kind.schema()) },
        });
        (kind.schema(), said)
    };
    Kind::ALL.map(of).into()
}

fn said(attribute: &Attribute, of: Kind) -> Value {
    let mutability = if attribute.writable { "readWrite" } else { "readOnly" };
    let unique = if attribute.name == "userName" { "server" } else { "none" };
    let plain = |name: &str, kind: &str, what: &str, mutability: &str, exact: bool| {
        json!({
            "name": name,
            "type": kind,
            "multiValued": false,
            "description": what,
            "required": false,
            "caseExact": exact,
            "mutability": mutability,
            "returned": "default",
            "uniqueness": "none",
        })
    };
    let (kind, several) = match attribute.sort {
        Sort::Text => ("string", false),
        Sort::Bool => ("boolean", false),
        Sort::References => ("complex", true),
        Sort::Meta => ("complex", false),
    };
    let mut said = plain(attribute.name, kind, attribute.what, mutability, attribute.exact);
    said["multiValued"] = several.into();
    said["required"] = attribute.required.into();
    said["uniqueness"] = unique.into();
    if attribute.sort == Sort::References {
        let other = if of == Kind::User { "Group" } else { "User" };
        let part = if attribute.writable { "immutable" } else { "readOnly" };
        let mut reference = plain("$ref", "reference", "Where it is.", part, true);
        reference["referenceTypes"] = json!([other]);
        said["subAttributes"] = json!([plain("value", "string", "Its id.", part, true), reference]);
    }
    said
}

/// The schema of a list of resources.
pub const LIST: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";

/// How many resources one answer holds at most.
const MAX_RESULTS: u32 = 200;
