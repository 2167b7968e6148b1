//! Access tokens of Microsoft Entra ID, versions 1 and 2.
//!
//! All tenants of a cloud share their signing keys, so that issuer and tenant are all that tells them apart: both are compared.

use countersign_core::{Groups, principal::PrincipalKind};
use countersign_wire::json::{Kind, Value};

use super::super::claims::{Fault, Subject, list, required, subject, text, words};

pub(super) fn read(typ: Option<&str>, claims: Value<'_>, url: &str) -> Result<Subject, Fault> {
    if !typ.is_some_and(|typ| typ == "JWT" || super::is_access_token(typ)) {
        return Err(Fault::Bad("the token's type is not JWT"));
    }
    let (tenant, version) = tenant(url).ok_or(Fault::Bad("the issuer is no tenant"))?;
    if *required(claims, "tid")? != *tenant {
        return Err(Fault::Bad("the token is of another tenant"));
    }
    if *required(claims, "ver")? != *version {
        return Err(Fault::Bad("the token is of another version"));
    }
    // An ID token names no client.
    let client = required(claims, if version == "1.0" { "appid" } else { "azp" })?;
    let (scopes, roles) = (words(claims, "scp")?, list(claims, "roles")?);
    let service = match (text(claims, "idtyp")?.as_deref(), &scopes) {
        (Some("app"), None) => true,
        (Some("app"), Some(_)) => return Err(Fault::Bad("the token is for an application and for a person")),
        (_, None) if roles.is_empty() => return Err(Fault::Bad("the token grants nothing")),
        (_, scopes) => scopes.is_none(),
    };
    Ok(Subject {
        // The same in every application of the tenant, and never given to another. `sub` differs from one application to the next.
        id: subject(claims, "oid")?,
        kind: if service { PrincipalKind::Service } else { PrincipalKind::Person },
        client,
        scopes: scopes.unwrap_or_default(),
        roles,
        groups: groups(claims)?,
        token: text(claims, "uti")?,
    })
}

/// The tenant and the version of `ver` that an issuer's URL stands for.
pub(super) fn tenant(url: &str) -> Option<(&str, &'static str)> {
    let (rest, version) = match url.strip_suffix("/v2.0") {
        Some(rest) => (rest, "2.0"),
        None => (url.strip_suffix('/')?, "1.0"),
    };
    let (_, tenant) = rest.rsplit_once('/')?;
    is_guid(tenant).then_some((tenant, version))
}

/// A key may be meant for one tenant, or for each by a placeholder; the two versions share keys.
pub(super) fn key_is_for(named: &str, url: &str) -> bool {
    let Some((own, _)) = tenant(url) else { return false };
    let named = named.replace("{tenantid}", own);
    named == url || tenant(&named).is_some_and(|(tenant, _)| tenant == own)
}

fn groups(claims: Value<'_>) -> Result<Groups, Fault> {
    let elsewhere = match claims.get("_claim_names") {
        None => false,
        Some(names) if names.kind() == Kind::Object => names.get("groups").is_some(),
        Some(_) => return Err(Fault::Bad("the token's distributed claims are malformed")),
    };
    let many = match claims.get("hasgroups") {
        None => false,
        Some(value) => value.kind() != Kind::False && !value.is("false"),
    };
    Ok(if elsewhere || many { Groups::Overage } else { Groups::Listed(list(claims, "groups")?) })
}

fn is_guid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, b)| match at {
            8 | 13 | 18 | 23 => b == b'-',
            _ => matches!(b, b'0'..=b'9' | b'a'..=b'f'),
        })
}
