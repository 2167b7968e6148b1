//! Signing in at the console: a key, a token or a link is exchanged for a cookie that pages cannot read.
//!
//! Threats it answers: a key that stays in a page (it is sent once, in a body, and kept nowhere); another page that signs a browser in
//! or asks in its name (requests are taken from the console's own pages alone); a cookie that leaks to scripts, to other hosts or
//! over the network in the clear (`__Host-`, `HttpOnly`, `Secure`, `SameSite=Strict`).

use std::sync::Arc;

use bytes::Bytes;
use countersign_audit::record::{Changed, Members};
use countersign_core::{Code, Refusal, RequestId, Secret, Timestamp, life::Identified};
use countersign_gateway::cookie;
use countersign_identity::{Presented, browser::FOLLOWED};
use countersign_policy::Administer;
use http::{HeaderMap, HeaderValue, Method, header};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Ask, Gives, Param, Permit, Reply, Route, Words,
    ask::{PATIENCE, malformed, nothing},
    reply::JSON,
    schema,
};
use crate::{
    clock,
    console::pages,
    sign_in::{self as back, Answer, Question, Unsigned},
};

/// Where browsers come in.
pub(super) const SIGN_IN: &str = "/console/session";
/// Where they go to an identity provider from.
pub(super) const GO: &str = "/console/sign-in";

/// Beside the pages.
pub(crate) const DOOR: &[Route] = &[
    Route {
        method: Method::GET,
        path: SIGN_IN,
        permit: Permit::Open,
        name: "waysIn",
        what: "How people sign in here. For the console's own pages.",
        query: &[],
        takes: None,
        gives: &[Gives { status: 200, what: "The ways.", body: Some((JSON, schema::<Ways>)) }],
        run: |ask| Box::pin(async move { ways(ask) }),
    },
    Route {
        method: Method::POST,
        path: GO,
        permit: Permit::Open,
        name: "goSignIn",
        what: "Where a browser goes to sign in at the identity provider; a cookie for its way back. For the console's own pages.",
        query: &[],
        takes: None,
        gives: &[Gives { status: 200, what: "Where to go.", body: Some((JSON, schema::<Go>)) }],
        run: |ask| Box::pin(go(ask)),
    },
    Route {
        method: Method::POST,
        path: SIGN_IN,
        permit: Permit::Open,
        name: "signIn",
        what: "Sign a browser in: exchange a credential or a link for the console's cookie. For the console's own pages.",
        query: &[],
        takes: Some((JSON, schema::<SignIn>)),
        gives: &[Gives { status: 200, what: "Who is signed in; the cookie.", body: Some((JSON, schema::<Me>)) }],
        run: |ask| Box::pin(sign_in(ask)),
    },
];

/// Where an identity provider sends browsers back to.
pub(crate) const BACK: &[Route] = &[Route {
    method: Method::GET,
    path: back::BACK,
    permit: Permit::Open,
    name: "comeBack",
    what: "Where an identity provider sends browsers back to (OpenID Connect Core 1.0, section 3.1.2.5).",
    query: ANSWER,
    takes: None,
    gives: &[Gives { status: 303, what: "Signed in; to the console, with its cookie.", body: None }],
    run: |ask| Box::pin(come_back(ask)),
}];

/// What providers answer with. What is not read is known all the same: they send it unasked.
const ANSWER: &[Param] = &[
    Param { name: "code", what: "The authorization code.", form: schema::<String> },
    Param { name: "state", what: "Of the question.", form: schema::<String> },
    Param { name: "iss", what: "Who answers (RFC 9207).", form: schema::<String> },
    Param { name: "error", what: "Why there is no code.", form: schema::<String> },
    Param { name: "error_description", what: "Not read.", form: schema::<String> },
    Param { name: "error_uri", what: "Not read.", form: schema::<String> },
    Param { name: "session_state", what: "Not read.", form: schema::<String> },
    Param { name: "scope", what: "Not read.", form: schema::<String> },
];

/// Refusals that people see: the browser came from elsewhere, and no page of ours is there to say it.
pub(crate) static PAGE: Words =
    Words { name: "refused-page", kind: "text/html; charset=utf-8", form: schema::<String>, say: page };

pub(crate) const ROUTES: &[Route] = &[
    Route {
        method: Method::GET,
        path: "/admin/v1/console/me",
        permit: Permit::Action(Administer::OpenConsole),
        name: "getMe",
        what: "Who one is here, and what one may do.",
        query: &[],
        takes: None,
        gives: &[Gives { status: 200, what: "Who is signed in.", body: Some((JSON, schema::<Me>)) }],
        run: |ask| Box::pin(async move { Reply::json(200, &Me::of(ask, ask.who()?)) }),
    },
    Route {
        method: Method::POST,
        path: "/admin/v1/console/leave",
        permit: Permit::Action(Administer::OpenConsole),
        name: "signOut",
        what: "Sign this browser out.",
        query: &[],
        takes: None,
        gives: &[Gives { status: 204, what: "It is signed out.", body: None }],
        run: |ask| Box::pin(async move { sign_out(ask) }),
    },
    Route {
        method: Method::POST,
        path: "/admin/v1/console/links",
        permit: Permit::Action(Administer::OpenConsole),
        name: "linkConsole",
        what: "A link that signs a browser in as whoever asks for it, once, within a minute.",
        query: &[],
        takes: None,
        gives: &[Gives { status: 201, what: "The link.", body: Some((JSON, schema::<Link>)) }],
        run: |ask| Box::pin(link(ask)),
    },
];

/// What is exchanged: one of the two.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SignIn {
    /// An API key or an access token that is bound to no key.
    #[schemars(with = "Option<String>", length(min = 1, max = 16384))]
    credential: Option<Hidden>,
    /// What a link ends with, after `#`.
    #[schemars(with = "Option<String>", length(min = 1, max = 128))]
    link: Option<Hidden>,
}

#[derive(Deserialize)]
#[serde(from = "String")]
struct Hidden(Secret<String>);

impl From<String> for Hidden {
    fn from(text: String) -> Self {
        Self(Secret::new(text))
    }
}

/// How people sign in.
#[derive(JsonSchema, Serialize)]
struct Ways {
    /// The identity provider, by the name it has here; absent where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<String>,
}

/// Where to go.
#[derive(JsonSchema, Serialize)]
struct Go {
    /// At the identity provider.
    go: String,
}

/// Who is signed in.
#[derive(JsonSchema, Serialize)]
struct Me {
    /// The tenant.
    tenant: Arc<str>,
    /// The subject within it.
    subject: Arc<str>,
    /// The roles.
    roles: Arc<[Arc<str>]>,
    /// The actions on the gateway that policy permits now.
    may: Vec<&'static str>,
    /// When the credential is over, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    ends: Option<String>,
    /// The node.
    node: String,
    /// The release it runs.
    version: &'static str,
}

/// A link to the console.
#[derive(JsonSchema, Serialize)]
struct Link {
    /// To be put after `/console/#`. Only the first answer shows it.
    link: Option<String>,
    /// Seconds within which it has to be followed.
    expires_in: u64,
}

async fn sign_in(ask: &Ask<'_>) -> Result<Reply, Refusal> {
    own_page(ask.headers())?;
    let browsers = ask.admin.identity.browsers();
    let (who, cookie, ends) = match ask.json()? {
        SignIn { credential: Some(Hidden(credential)), link: None } => by_credential(ask, &credential).await?,
        SignIn { credential: None, link: Some(Hidden(link)) } => {
            let maker = browsers.follow(link.expose(), ask.now())?;
            let (cookie, ends) = browsers.open(&maker, ask.now())?;
            let presented = Presented { cookie: Some(cookie.expose().as_bytes()), ..Presented::default() };
            (identify(ask, &presented).await?, cookie, ends)
        }
        _ => return Err(malformed("either `credential` or `link`")),
    };
    let set = let_in(ask, &who, &cookie, ends).await?;
    let me = Me { ends: Some(clock::rfc3339(ends)), ..Me::of(ask, &who) };
    Ok(Reply::json(200, &me)?.with(header::SET_COOKIE, set))
}

fn ways(ask: &Ask<'_>) -> Result<Reply, Refusal> {
    own_page(ask.headers())?;
    Reply::json(200, &Ways { provider: ask.admin.sign_in.as_ref().map(|provider| provider.name().to_owned()) })
}

async fn go(ask: &Ask<'_>) -> Result<Reply, Refusal> {
    own_page(ask.headers())?;
    let provider = ask.admin.sign_in.as_ref().ok_or_else(nothing)?;
    let question = Question::new();
    let go = provider.go(&question).await.map_err(unsigned)?;
    let kept = format!("{}={}; {ASKED}; Max-Age={ANSWERED}", back::COOKIE, question.cookie().expose());
    Ok(Reply::json(200, &Go { go })?.with(header::SET_COOKIE, set_cookie(&Secret::new(kept))?))
}

async fn come_back(ask: &Ask<'_>) -> Result<Reply, Refusal> {
    let provider = ask.admin.sign_in.as_ref().ok_or_else(nothing)?;
    navigated(ask.headers())?;
    let no = |what| Refusal::new(Code::BadCredential, what);
    let question = cookie::named(ask.headers(), back::COOKIE)?.and_then(Question::of);
    let question = question.ok_or_else(|| no("this browser asked nothing of a provider, or too long ago"))?;
    let (Some(code), Some(state), None) = (ask.parameter("code"), ask.parameter("state"), ask.parameter("error"))
    else {
        return Err(no("the provider let nobody in"));
    };
    let answer = Answer { code, state, issuer: ask.parameter("iss") };
    let given = provider.back_from(&answer, &question, ask.admin.identity.tokens(), ask.now()).await;
    let (who, cookie, ends) = by_credential(ask, &given.map_err(unsigned)?).await?;
    let set = let_in(ask, &who, &cookie, ends).await?;
    let gone = set_cookie(&Secret::new(format!("{}=; {ASKED}; Max-Age=0", back::COOKIE)))?;
    Ok(Reply::empty(303)
        .with(header::LOCATION, HeaderValue::from_static(pages::HOME))
        .with(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"))
        .with(header::SET_COOKIE, set)
        .with(header::SET_COOKIE, gone))
}

/// Whoever a key or a token is of, with a session for them.
async fn by_credential(
    ask: &Ask<'_>,
    credential: &Secret<String>,
) -> Result<(Identified, Secret<String>, Timestamp), Refusal> {
    let value = Secret::new(format!("Bearer {}", credential.expose()));
    let presented = Presented { authorization: Some(value.expose().as_bytes()), ..Presented::default() };
    let who = identify(ask, &presented).await?;
    let (cookie, ends) = ask.admin.identity.browsers().open(who.principal(), ask.now())?;
    Ok((who, cookie, ends))
}

/// The header that sets the session's cookie, if the policy lets them in.
async fn let_in(
    ask: &Ask<'_>,
    who: &Identified,
    cookie: &Secret<String>,
    ends: Timestamp,
) -> Result<HeaderValue, Refusal> {
    if let Err(refusal) = enter(ask, who, ends).await {
        ask.admin.identity.browsers().close(cookie.expose().as_bytes());
        return Err(refusal);
    }
    let seconds = ends.since(ask.now()).as_secs();
    set_cookie(&Secret::new(format!("{}={}; {KEPT}; Max-Age={seconds}", cookie::NAME, cookie.expose())))
}

fn set_cookie(text: &Secret<String>) -> Result<HeaderValue, Refusal> {
    let mut set = HeaderValue::try_from(text.expose()).map_err(|_| Refusal::new(Code::Internal, "no cookie"))?;
    set.set_sensitive(true);
    Ok(set)
}

/// Whether a browser goes there as a whole: no picture, frame or script does.
fn navigated(headers: &HeaderMap) -> Result<(), Refusal> {
    let is = |name, value: &[u8]| headers.get_all(name).iter().map(HeaderValue::as_bytes).eq([value]);
    if is("sec-fetch-mode", b"navigate") && is("sec-fetch-dest", b"document") {
        return Ok(());
    }
    Err(Refusal::new(Code::FromAPage, "only a browser that goes there comes back from a provider"))
}

fn unsigned(why: Unsigned) -> Refusal {
    match why {
        Unsigned::Refused(what) => Refusal::new(Code::BadCredential, what),
        Unsigned::Token(refusal) => refusal,
        Unsigned::Away(_) => {
            tracing::warn!(error = %why, "people cannot sign in at their provider");
            Refusal::new(Code::UnconfirmedCredential, "the provider cannot be asked")
        }
    }
}

/// It says nothing that anybody wrote but us.
fn page(refusal: &Refusal, request: RequestId) -> Bytes {
    let (what, code) = (refusal.code.message(), refusal.code.id());
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Not signed in - Countersign</title></head>\
         <body><main><h1>Not signed in</h1><p>{code}: {what}.</p><p>The request is <code>{request}</code>.</p>\
         <p><a href=\"/console/\">To the console</a></p></main></body></html>"
    )
    .into()
}

/// Whether the policy lets them in; if it does, that is on record.
async fn enter(ask: &Ask<'_>, who: &Identified, ends: Timestamp) -> Result<(), Refusal> {
    ask.admin.policy.administer(who, Administer::OpenConsole)?;
    let changed = ask.admin.audit.changed(Changed {
        request: ask.request(),
        at: ask.now().0,
        who: (&**who.principal()).into(),
        from: ask.peer().into(),
        action: Administer::OpenConsole.as_str().into(),
        what: "a browser's session".to_owned(),
        was: Members::new(),
        becomes: Members::from([("ends".into(), clock::rfc3339(ends))]),
    });
    let late = |_| Refusal::new(Code::AuditFailed, "the audit record was not durable in time");
    tokio::time::timeout(PATIENCE, changed).await.map_err(late)?
}

async fn identify(ask: &Ask<'_>, presented: &Presented<'_>) -> Result<Identified, Refusal> {
    ask.admin.identity.identify(ask.request(), ask.now(), ask.peer().clone(), presented).await
}

fn sign_out(ask: &Ask<'_>) -> Result<Reply, Refusal> {
    if let Some(cookie) = cookie::find(ask.headers())? {
        ask.admin.identity.browsers().close(cookie);
    }
    let gone = HeaderValue::try_from(format!("{}=; {KEPT}; Max-Age=0", cookie::NAME));
    let gone = gone.map_err(|_| Refusal::new(Code::Internal, "no cookie"))?;
    let data = HeaderValue::from_static("\"cache\", \"storage\"");
    Ok(Reply::empty(204).with(header::SET_COOKIE, gone).with(CLEAR, data))
}

async fn link(ask: &Ask<'_>) -> Result<Reply, Refusal> {
    let principal = ask.who()?.principal();
    ask.record("a link to the console", Members::new(), Members::new()).await?;
    let text = ask.admin.identity.browsers().link(principal, ask.now())?;
    let link = |link| Link { link, expires_in: FOLLOWED.as_secs() };
    Reply::once(201, &link(Some(text.expose().clone())), &link(None))
}

impl Me {
    fn of(ask: &Ask<'_>, who: &Identified) -> Self {
        let principal = who.principal();
        let may = Administer::ALL.iter().filter(|action| ask.admin.policy.administer(who, **action).is_ok());
        Self {
            tenant: principal.tenant.clone(),
            subject: principal.subject.clone(),
            roles: principal.roles.clone(),
            may: may.map(|action| action.as_str()).collect(),
            ends: principal.lease.expires().map(clock::rfc3339),
            node: ask.admin.state.node().to_owned(),
            version: env!("CARGO_PKG_VERSION"),
        }
    }
}

/// Whether a request that comes with the console's cookie may be served: only those of the console's own pages are. A browser says
/// where a page's request comes from, and no page can make it say otherwise.
///
/// # Errors
/// `CS0806`.
pub(crate) fn own_page(headers: &HeaderMap) -> Result<(), Refusal> {
    let mut sites = headers.get_all("sec-fetch-site").iter();
    match (sites.next().map(HeaderValue::as_bytes), sites.next()) {
        (Some(b"same-origin"), None) => Ok(()),
        _ => Err(Refusal::new(Code::FromAPage, "the request was not made by the console's own pages")),
    }
}

const KEPT: &str = "Path=/; Secure; HttpOnly; SameSite=Strict";
/// It comes along when a provider sends the browser back.
const ASKED: &str = "Path=/; Secure; HttpOnly; SameSite=Lax";
/// Seconds that a provider has for its answer.
const ANSWERED: u32 = 600;
const CLEAR: http::HeaderName = http::HeaderName::from_static("clear-site-data");

#[cfg(test)]
mod tests;
