//! Access tokens as RFC 9068 has them.

use countersign_core::{Groups, principal::PrincipalKind};
use countersign_wire::json::Value;

use super::super::claims::{Fault, Subject, list, required, subject, words};

pub(super) fn read(typ: Option<&str>, claims: Value<'_>) -> Result<Subject, Fault> {
    if !typ.is_some_and(super::is_access_token) {
        return Err(Fault::Bad("the token's type is not at+jwt"));
    }
    let (id, client) = (subject(claims, "sub")?, required(claims, "client_id")?);
    Ok(Subject {
        // Section 2.2: without a resource owner the subject is the client.
        kind: if id == client { PrincipalKind::Service } else { PrincipalKind::Person },
        id,
        client,
        scopes: words(claims, "scope")?.unwrap_or_default(),
        roles: list(claims, "roles")?,
        groups: Groups::Listed(list(claims, "groups")?),
        token: Some(required(claims, "jti")?),
    })
}
