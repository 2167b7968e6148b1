//! Where an issuer asks that all that somebody holds ends: global token revocation (draft-parecki-oauth-global-token-revocation), which
//! Okta calls Universal Logout.

use std::sync::Arc;

use countersign_core::{Code, Refusal, Target};
use countersign_identity::token::{About, Signal, SignalError, Whom};
use http::{HeaderMap, Method, header};
use schemars::JsonSchema;

use super::{Ask, Gives, Permit, Reply, Route, ask::unkept, schema};
use crate::signals;

pub(crate) const ROUTES: &[Route] = &[Route {
    method: Method::POST,
    path: PATH,
    permit: Permit::Open,
    name: "revokeTokens",
    what: "Ask that all that somebody holds ends (Global Token Revocation, Okta's Universal Logout). The bearer token is a JWT of the \
           issuer's for this one request; no other credential is asked for.",
    query: &[],
    takes: Some(("application/json", schema::<Asked>)),
    gives: &[
        Gives { status: 204, what: "All that was issued until now is refused.", body: None },
        Gives { status: 401, what: "The token is not believed.", body: None },
        Gives { status: 403, what: "The token is of another client, or the subject another issuer's.", body: None },
        Gives { status: 404, what: "No directory says whose the address is.", body: None },
    ],
    run: |ask| Box::pin(revoke(ask)),
}];

/// Whose credentials are to end.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "the body is read strictly elsewhere; this describes it")]
struct Asked {
    /// A subject identifier (RFC 9493): `iss_sub`, `opaque`, or `email` where a directory says whose the address is.
    sub_id: SubjectId,
}

/// A subject identifier.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "as above")]
struct SubjectId {
    /// Which of the other members it has.
    format: String,
    /// The issuer, with `iss_sub`.
    iss: Option<String>,
    /// Its id, with `iss_sub`.
    sub: Option<String>,
    /// The issuer's id, with `opaque`.
    id: Option<String>,
    /// The address, with `email`.
    email: Option<String>,
}

async fn revoke(ask: &Ask<'_>) -> Result<Reply, Refusal> {
    let token = bearer(ask.headers())?;
    let admin = ask.admin;
    let revoker = |issuer: &str| {
        let signals = admin.signals.iter().find(|signals| &*signals.issuer == issuer);
        signals.and_then(|signals| signals.revocation.clone())
    };
    let tokens = admin.identity.tokens();
    let signal = tokens.revoker(token, &revoker, ask.now()).map_err(|error| match error {
        SignalError::Later(refusal) => refusal,
        SignalError::Denied(why) => Refusal::new(Code::NotPermitted, why),
        error => Refusal::new(Code::BadCredential, error.to_string()),
    })?;
    let whom = tokens.revoked(&signal.issuer, ask.body()).map_err(|error| match error {
        SignalError::Denied(why) => Refusal::new(Code::NotPermitted, why),
        error => Refusal::new(Code::Malformed, error.to_string()),
    })?;
    let intake = signals::Intake { state: &admin.state, force: &admin.force, audit: &admin.audit };
    // Before anybody is looked for: who shows a token again learns nothing of who is there.
    signals::once(&intake, &signal, ask.now()).await?;
    let about = match whom {
        Whom::Known(about) => about,
        Whom::Mailed { issuer, tenants, address } => mailed(ask, &issuer, &tenants, &address).await?,
    };
    let signal = Signal { about, ..signal };
    signals::act(&intake, &signal, ask.request(), ask.peer().into(), ask.now()).await?;
    Ok(Reply::empty(204))
}

/// Whoever has an address, as the directory knows the issuer's people now.
async fn mailed(ask: &Ask<'_>, issuer: &str, tenants: &[Arc<str>], address: &str) -> Result<About, Refusal> {
    let mut principals = Vec::new();
    if ask.admin.force.provisioned().is_some_and(|of| *of == *issuer) {
        for tenant in tenants {
            let user = ask.admin.state.store().user_named(tenant, address).await.map_err(unkept)?;
            let id = user.and_then(|user| user.external_id);
            principals.extend(id.map(|id| Target::Principal(tenant.clone(), format!("{issuer}/{id}").into())));
        }
    }
    if principals.is_empty() {
        return Err(Refusal::new(Code::NoSuchThing, "no directory says whose that address is"));
    }
    Ok(About { principals, ..About::default() })
}

fn bearer(headers: &HeaderMap) -> Result<&[u8], Refusal> {
    let mut given = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (given.next(), given.next()) else {
        return Err(Refusal::new(Code::NoCredential, "the request carries no token, or several"));
    };
    let (scheme, token) = value.as_bytes().split_at_checked(SCHEME.len()).unwrap_or_default();
    if scheme.eq_ignore_ascii_case(SCHEME) {
        Ok(token.trim_ascii())
    } else {
        Err(Refusal::new(Code::NoCredential, "the request carries no bearer token"))
    }
}

/// Where it asks.
pub(crate) const PATH: &str = "/global-token-revocation";
const SCHEME: &[u8] = b"Bearer ";

#[cfg(test)]
mod tests;
