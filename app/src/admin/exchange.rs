//! Session credentials by token exchange (RFC 8693): whoever holds granted access, or acts for its holder, gets a short-lived
//! credential for it, bound to a key.
//!
//! The caller is the client and, where it acts for somebody, the actor; it is identified as on every request. `subject_token` is the
//! holder's own credential, which is how the holder agrees; without it the caller is the holder. `scope` names the case.
//!
//! The key is the one that the caller's credential is bound to. A caller whose credential is bound to none introduces one by a DPoP
//! proof for this request.

use std::time::Duration;

use bytes::Bytes;
use countersign_audit::record::Members;
use countersign_core::{
    Code, Confirmation, Principal, Refusal, RequestId,
    access::{Being, Stand},
    principal::Method as Shown,
};
use countersign_identity::{Presented, session::NewSession};
use countersign_policy::Administer;
use data_encoding::HEXLOWER;
use http::Method;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;

use super::{
    Ask, Gives, Permit, Reply, Route, Words,
    ask::{malformed, read_query, unkept},
    reply::JSON,
    schema,
};

pub(crate) const ROUTES: &[Route] = &[Route {
    method: Method::POST,
    path: PATH,
    permit: Permit::Action(Administer::OpenSession),
    name: "openSession",
    what: "Open a session on granted access, by token exchange (RFC 8693). The answer shows its credential, once.",
    query: &[],
    takes: Some((FORM, form)),
    gives: &[Gives { status: 200, what: "The credential.", body: Some((JSON, schema::<Token>)) }],
    run: |ask| Box::pin(exchange(ask)),
}];

pub(crate) const PATH: &str = "/oauth/token";

/// The answer of RFC 8693, section 2.2.1.
#[derive(JsonSchema, Serialize)]
struct Token {
    /// The credential.
    #[serde(skip_serializing_if = "Option::is_none")]
    access_token: Option<String>,
    /// What it is.
    issued_token_type: &'static str,
    /// How it is shown: `DPoP`, or `Bearer` over a connection with the certificate it is bound to.
    token_type: &'static str,
    /// Seconds until it is over.
    expires_in: u64,
    /// The case it was opened on.
    scope: String,
}

/// What is wrong, in the words of RFC 6749, section 5.2.
#[derive(JsonSchema, Serialize)]
struct Wrong {
    /// Its name there.
    error: &'static str,
    /// What it means.
    error_description: String,
    /// The code; `docs/errors` has a page on each.
    code: &'static str,
}

async fn exchange(ask: &Ask<'_>) -> Result<Reply, Refusal> {
    let body = std::str::from_utf8(ask.body()).map_err(|_| malformed("the body is not text"))?;
    let mut form = read_query(body)?;
    if form.remove("grant_type").as_deref() != Some(GRANT) {
        return Err(malformed("`grant_type` is not that of a token exchange"));
    }
    if form.remove("requested_token_type").is_some_and(|kind| kind != ACCESS_TOKEN) {
        return Err(malformed("`requested_token_type` is not an access token's"));
    }
    let id = form.remove("scope").ok_or_else(|| malformed("`scope` does not name a case"))?;
    let subject = match (form.remove("subject_token"), form.remove("subject_token_type")) {
        (Some(token), Some(kind)) if [ACCESS_TOKEN, JWT].contains(&&*kind) => Some(token),
        (None, None) => None,
        _ => return Err(malformed("`subject_token` and `subject_token_type` do not fit each other")),
    };
    if let Some(name) = form.keys().next() {
        return Err(malformed(format!("`{}` is not taken", if name.len() < 32 { name } else { "a parameter" })));
    }

    let caller = ask.who()?.principal();
    let holder = match &subject {
        Some(token) => Some(holder(ask, token).await?),
        None => None,
    };
    let caller: &Principal = caller;
    let holder = holder.as_deref().unwrap_or(caller);
    let case = ask.admin.state.store().case(&id).await.map_err(unkept)?.filter(|case| {
        // Whom it does not concern learns nothing of it.
        let acts = case.actor.as_ref().unwrap_or(&case.holder);
        case.holder == Being::from(holder) && *acts == Being::from(caller)
    });
    let case =
        case.ok_or_else(|| unusable("there is no such case, or not of this holder and whoever acts for them"))?;
    if case.stand(ask.now()) != Stand::Granted {
        return Err(unusable("the access is not granted now"));
    }
    if [holder, caller].iter().any(|who| who.session.is_some()) {
        return Err(unusable("a session opens no other session"));
    }
    let bound = bound(ask, caller).await?;
    let with = if case.actor.is_some() { &[holder, caller][..] } else { &[caller][..] };
    let ends = with.iter().filter_map(|who| who.lease.expires()).chain(case.grant.iter().map(|grant| grant.ends));
    let expires = ends.fold(ask.now().plus(LONGEST), |first, end| first.min(end));
    // Who acts for the caller already goes on doing so.
    let acts = case.actor.iter().map(|actor| actor.to_string().into());
    let before =
        with.iter().rev().filter_map(|who| who.claims.as_deref()).flat_map(|claims| claims.acts.iter().cloned());
    let acts = acts.chain(before).collect();
    let now = ask.now();
    let new = NewSession { case: case.into(), with, bound, acts, now, expires };
    let (text, record) = ask
        .admin
        .identity
        .open_session(new)
        .map_err(|_| Refusal::new(Code::Internal, "no random bytes are to be had"))?;

    let members = Members::from([
        ("case".into(), record.case.id.to_string()),
        ("holder".into(), record.case.holder.to_string()),
        ("acts".into(), record.acts.join(" ")),
        ("bound".into(), record.bound.to_string()),
        ("expires".into(), crate::clock::rfc3339(expires)),
    ]);
    ask.record(&record.id, Members::new(), members).await?;
    let (scope, by_proof) = (record.case.id.to_string(), matches!(bound, Confirmation::Key(_)));
    ask.admin.force.add_session(&record).await.map_err(unkept)?;
    let token = |access_token| Token {
        access_token,
        issued_token_type: ACCESS_TOKEN,
        token_type: if by_proof { "DPoP" } else { "Bearer" },
        expires_in: expires.since(now).as_secs(),
        scope: scope.clone(),
    };
    Reply::once(200, &token(Some(text.expose().clone())), &token(None))
}

/// Whose the subject token is. It comes without a proof, so one that is bound to its holder's key cannot be handed on.
async fn holder(ask: &Ask<'_>, token: &str) -> Result<std::sync::Arc<Principal>, Refusal> {
    let authorization = format!("Bearer {token}");
    let presented = Presented { authorization: Some(authorization.as_bytes()), ..Presented::default() };
    let identified = ask.admin.identity.identify(ask.request(), ask.now(), ask.peer().clone(), &presented).await;
    let identified = identified.map_err(|refusal| match refusal.code {
        Code::UnconfirmedCredential | Code::Internal | Code::Overloaded => refusal,
        _ => unusable(format!("the subject token is not accepted: {}", refusal.reason)),
    })?;
    Ok(identified.principal().clone())
}

/// The key that the session is bound to.
async fn bound(ask: &Ask<'_>, caller: &Principal) -> Result<Confirmation, Refusal> {
    if let Some(bound) = caller.bound() {
        return Ok(bound);
    }
    if caller.method == Shown::ClientCertificate {
        let hash = caller.credential.strip_prefix("sha256:").and_then(|hex| HEXLOWER.decode(hex.as_bytes()).ok());
        let hash = hash.and_then(|hash| hash.try_into().ok());
        return hash.map(Confirmation::Certificate).ok_or_else(|| unusable("the certificate has no hash"));
    }
    let proof = ask.headers().get("dpop").ok_or_else(|| {
        unusable("a session is bound to a key: use a client certificate, a bound token, or show a DPoP proof")
    })?;
    let presented = Presented {
        proof: Some(proof.as_bytes()),
        method: ask.route.method.as_str(),
        path: PATH,
        origin: ask.admin.origin.as_deref(),
        ..Presented::default()
    };
    ask.admin.identity.introduce(&presented, ask.now()).await
}

/// Refusals as RFC 6749, section 5.2, has them.
pub(crate) static WORDS: Words = Words { name: "unusable", kind: JSON, form: schema::<Wrong>, say: wrong };

fn wrong(refusal: &Refusal, _: RequestId) -> Bytes {
    let error = match refusal.code {
        Code::GrantUnusable => "invalid_grant",
        Code::BadProof => "invalid_dpop_proof",
        Code::NonceNeeded => "use_dpop_nonce",
        Code::NotPermitted => "unauthorized_client",
        code if code.status() == 401 => "invalid_client",
        code if code.status() < 500 && code != Code::RateLimited => "invalid_request",
        _ => "temporarily_unavailable",
    };
    // Reasons are for the record, but for those that say what is wrong with what the caller wrote.
    let theirs = matches!(refusal.code, Code::Malformed);
    let error_description =
        if theirs { refusal.reason.clone().into_owned() } else { refusal.code.message().to_owned() };
    serde_json::to_vec(&Wrong { error, error_description, code: refusal.code.id() }).unwrap_or_default().into()
}

fn unusable(why: impl Into<std::borrow::Cow<'static, str>>) -> Refusal {
    Refusal::new(Code::GrantUnusable, why)
}

fn form(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "required": ["grant_type", "scope"],
        "additionalProperties": false,
        "properties": {
            "grant_type": { "const": GRANT },
            "scope": { "type": "string", "description": "The id of the case, `acc_...`." },
            "subject_token": { "type": "string", "description": "The holder's credential, where the caller acts for somebody." },
            "subject_token_type": { "enum": [ACCESS_TOKEN, JWT] },
            "requested_token_type": { "const": ACCESS_TOKEN },
        },
    })
}

/// A session lasts no longer, however long the access is granted: then another is opened, with credentials that hold then.
const LONGEST: Duration = Duration::from_hours(1);
const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
const FORM: &str = "application/x-www-form-urlencoded";

#[cfg(test)]
mod tests;
