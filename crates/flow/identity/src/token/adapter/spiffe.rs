//! JWT-SVIDs: tokens of workloads of one trust domain, which stands where other issuers have their URL.

use countersign_core::{Groups, principal::PrincipalKind};
use countersign_wire::json::Value;

use super::super::claims::{Fault, Subject, subject, text};
use crate::spiffe::{Id, is_trust_domain};

pub(super) fn read(typ: Option<&str>, claims: Value<'_>, url: &str) -> Result<Subject, Fault> {
    if !typ.is_none_or(|typ| matches!(typ, "JWT" | "JOSE")) {
        return Err(Fault::Bad("the token's type is not that of a JWT-SVID"));
    }
    let id = subject(claims, "sub")?;
    if !Id::read(&id).is_some_and(|own| fits_domain(url, own.trust_domain())) {
        return Err(Fault::Bad("the token's subject is no workload of the trust domain"));
    }
    Ok(Subject {
        // A workload is its own client.
        client: id.clone(),
        id,
        kind: PrincipalKind::Service,
        scopes: Vec::new(),
        roles: Vec::new(),
        groups: Groups::Listed(Vec::new()),
        token: text(claims, "jti")?,
    })
}

/// Whether a URL names a trust domain.
pub(super) fn fits(url: &str) -> bool {
    url.strip_prefix("spiffe://").is_some_and(is_trust_domain)
}

/// Whether the token, by the name in it, is of the trust domain `url`.
pub(super) fn is_of(claims: Value<'_>, url: &str) -> bool {
    let sub = claims.get("sub").and_then(Value::as_str);
    sub.is_some_and(|sub| Id::read(&sub).is_some_and(|id| fits_domain(url, id.trust_domain())))
}

fn fits_domain(url: &str, trust_domain: &str) -> bool {
    url.strip_prefix("spiffe://") == Some(trust_domain)
}
