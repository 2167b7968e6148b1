//! Access tokens of a custom authorisation server of Okta.

use countersign_core::{Groups, principal::PrincipalKind};
use countersign_wire::json::Value;

use super::super::claims::{Fault, Subject, list, required, subject};

pub(super) fn read(typ: Option<&str>, claims: Value<'_>) -> Result<Subject, Fault> {
    // `application/okta-internal-at+jwt`, which Okta writes for itself, is refused here.
    if !typ.is_none_or(|typ| typ == "JWT" || super::is_access_token(typ)) {
        return Err(Fault::Bad("the token's type is not that of an access token"));
    }
    if claims.get("ver").and_then(Value::as_u64) != Some(1) {
        return Err(Fault::Bad("the token is of another version"));
    }
    // An ID token has neither.
    let client = required(claims, "cid")?;
    if claims.get("scp").is_none() {
        return Err(Fault::Bad("the token grants nothing"));
    }
    // `sub` is a person's log-in, which may change hands; `uid` is theirs for ever. An application has no `uid`, and is its client.
    let (id, kind) = if claims.get("uid").is_some() {
        (subject(claims, "uid")?, PrincipalKind::Person)
    } else {
        (subject(claims, "sub")?, PrincipalKind::Service)
    };
    if kind == PrincipalKind::Service && id != client {
        return Err(Fault::Bad("the token is of a person without an id"));
    }
    Ok(Subject {
        id,
        kind,
        client,
        scopes: list(claims, "scp")?,
        roles: Vec::new(),
        groups: Groups::Listed(list(claims, "groups")?),
        token: Some(required(claims, "jti")?),
    })
}
