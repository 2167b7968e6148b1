//! Signing in at the console: a key, a token or a link is exchanged for a cookie that pages cannot read.
//!
//! Threats it answers: a key that stays in a page (it is sent once, in a body, and kept nowhere); another page that signs a browser in
//! or asks in its name (requests are taken from the console's own pages alone); a cookie that leaks to scripts, to other hosts or
//! over the network in the clear (`__Host-`, `HttpOnly`, `Secure`, `SameSite=Strict`).

use std::sync::Arc;

use countersign_audit::record::{Changed, Members};
use countersign_core::{Code, Refusal, Secret, Timestamp, life::Identified};
use countersign_gateway::cookie;
use countersign_identity::{Presented, browser::FOLLOWED};
use countersign_policy::Administer;
use http::{HeaderMap, HeaderValue, Method, header};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Ask, Gives, Permit, Reply, Route,
    ask::{PATIENCE, malformed},
    reply::JSON,
    schema,
};
use crate::clock;

/// Where browsers come in.
pub(super) const SIGN_IN: &str = "/console/session";

/// Beside the pages.
pub(crate) const DOOR: &[Route] = &[Route {
    method: Method::POST,
    path: SIGN_IN,
    permit: Permit::Open,
    name: "signIn",
    what: "Sign a browser in: exchange a credential or a link for the console's cookie. For the console's own pages.",
    query: &[],
    takes: Some((JSON, schema::<SignIn>)),
    gives: &[Gives { status: 200, what: "Who is signed in; the cookie.", body: Some((JSON, schema::<Me>)) }],
    run: |ask| Box::pin(sign_in(ask)),
}];

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
        SignIn { credential: Some(Hidden(credential)), link: None } => {
            let value = Secret::new(format!("Bearer {}", credential.expose()));
            let presented = Presented { authorization: Some(value.expose().as_bytes()), ..Presented::default() };
            let who = identify(ask, &presented).await?;
            let (cookie, ends) = browsers.open(who.principal(), ask.now())?;
            (who, cookie, ends)
        }
        SignIn { credential: None, link: Some(Hidden(link)) } => {
            let maker = browsers.follow(link.expose(), ask.now())?;
            let (cookie, ends) = browsers.open(&maker, ask.now())?;
            let presented = Presented { cookie: Some(cookie.expose().as_bytes()), ..Presented::default() };
            (identify(ask, &presented).await?, cookie, ends)
        }
        _ => return Err(malformed("either `credential` or `link`")),
    };
    if let Err(refusal) = enter(ask, &who, ends).await {
        browsers.close(cookie.expose().as_bytes());
        return Err(refusal);
    }
    let seconds = ends.since(ask.now()).as_secs();
    let set = Secret::new(format!("{}={}; {KEPT}; Max-Age={seconds}", cookie::NAME, cookie.expose()));
    let mut set = HeaderValue::try_from(set.expose()).map_err(|_| Refusal::new(Code::Internal, "no cookie"))?;
    set.set_sensitive(true);
    let me = Me { ends: Some(clock::rfc3339(ends)), ..Me::of(ask, &who) };
    Ok(Reply::json(200, &me)?.with(header::SET_COOKIE, set))
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
const CLEAR: http::HeaderName = http::HeaderName::from_static("clear-site-data");

#[cfg(test)]
mod tests;
