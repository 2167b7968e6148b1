//! From what an issuer says of a token to the principal who bears it.

use std::sync::Arc;

use countersign_core::{Board, Claims, Groups, Lease, Principal, Target, Timestamp, access::Being, principal::Method};
use countersign_wire::json::Value;

use super::{
    Issuer,
    claims::{self, Fault, Span, Subject},
    directory::Directory,
};

/// The bearer of a token whose claims were found good. Its lease lies within `outer`; what the directory knows of its groups goes before
/// what the token says.
pub(super) fn principal(
    issuer: &Issuer,
    outer: Arc<Lease>,
    board: &Arc<Board>,
    directory: &Directory,
    mut who: Subject,
    span: Span,
    claims: Value<'_>,
) -> Result<Principal, Fault> {
    let subject: Arc<str> = format!("{}/{}", issuer.name, who.id).into();
    let restricts = |scope: &&Arc<str>| scope.starts_with("model:") || scope.starts_with("format:");
    let credential: Arc<str> = format!("token:{subject}").into();
    let tenant = issuer.tenant_of(claims)?;
    if let Some(groups) = directory.groups(&issuer.name, &tenant, &who.id) {
        who.groups = Groups::Listed(groups.to_vec());
    }
    let roles = issuer.roles_of(&who)?;
    let acts = claims::acts(claims)?.into_iter().map(|(by, subject)| {
        let by = by.filter(|url| **url != *issuer.url).unwrap_or_else(|| issuer.name.clone());
        Being { tenant: tenant.clone(), subject: format!("{by}/{subject}").into() }.to_string().into()
    });
    let said = Claims {
        issuer: issuer.name.clone(),
        subject: who.id,
        client: Some(who.client),
        scopes: who.scopes,
        roles: who.roles,
        groups: who.groups,
        acr: claims::text(claims, "acr")?,
        amr: claims::list(claims, "amr")?,
        auth_time: claims::time(claims, "auth_time")?,
        id: who.token,
        session: claims::text(claims, "sid")?,
        confirmation: claims::confirmation(claims)?,
        acts: acts.collect(),
        issued: span.issued,
        expires: span.ends,
        extra: claims::extra(claims, &issuer.extra),
    };
    let covering = Target::covering(&tenant, &subject, &credential, &roles, Some(&said));
    // The issuer's clock may be ahead: what it issued before a revocation must not look issued after it.
    let issued = Timestamp(span.issued.0.saturating_sub(u64::try_from(issuer.leeway.as_micros()).unwrap_or(u64::MAX)));
    let lease = Lease::within(outer, Some(span.ends)).under(board.clone(), covering, issued);
    Ok(Principal {
        tenant,
        kind: who.kind,
        roles,
        // The issuer's other scopes are for policies, by way of roles and claims.
        scopes: said.scopes.iter().filter(restricts).cloned().collect(),
        credential,
        method: Method::AccessToken,
        lease: Arc::new(lease),
        claims: Some(Arc::new(said)),
        session: None,
        subject,
    })
}
