//! The desk: what is asked of the gateway itself. Each route declares who may use it, what it takes and what it gives; the same
//! declaration serves requests and writes `docs/reference/openapi.json`.
//!
//! A group of routes is a module with a `ROUTES` of its own and a line in [`GROUPS`].
//!
//! Threats it answers: a policy written for models that opens this too (every route is an action of its own, [`Permit`]); a web page
//! that asks with a certificate its reader's browser holds, or under a name that its owner points here (requests of
//! pages are refused); a change nobody can be asked about (it is on record before it is made); the same change twice, after an
//! answer was lost (idempotency keys); secrets that outlive their only showing (no answer that is kept holds one).

use std::{borrow::Cow, pin::Pin, sync::Arc};

use bytes::Bytes;
use countersign_audit::{Audit, witness::Witness};
use countersign_core::{Code, Refusal, RequestId};
use countersign_gateway::{Asked, Desk, Door, Said, cookie};
use countersign_identity::Identity;
use countersign_policy::{Stage as Policy, access::Access};
use http::{HeaderMap, Method, Uri, header};
use tracing::Instrument;

use crate::{
    config::{Signals, Statistics},
    console::{Console, pages},
    force::Force,
    policies::{Files, Policies},
    sign_in::{self, SignIn},
    signals::send::Receiver,
    state::State,
    unused::Given,
    watch::Watch,
};

pub(crate) use ask::Ask;
pub(crate) use reply::Reply;
pub(crate) use route::{Form, Gives, Param, Permit, Route, schema};

mod access;
pub(crate) mod ask;
mod because;
mod budgets;
mod checkpoint;
mod console;
mod drafts;
mod exchange;
mod feedback;
pub(crate) mod forget;
pub(crate) mod global;
mod holds;
pub(crate) mod keys;
mod once;
pub(crate) mod openapi;
mod page;
mod policies;
mod proofs;
mod receivers;
mod reply;
pub(crate) mod restraints;
pub(crate) mod reveal;
pub(crate) mod revocations;
pub(crate) mod rights;
mod route;
mod runs;
mod scim;
mod signals;
mod statistics;
mod status;
mod timelines;
mod traffic;
mod verify;
mod witness;

/// Every group of routes.
pub(crate) const GROUPS: &[Group] = &[
    Group { path: "/admin/v1/", routes: keys::ROUTES, words: &reply::PROBLEMS },
    Group { path: "/admin/v1/", routes: revocations::ROUTES, words: &reply::PROBLEMS },
    Group { path: "/admin/v1/", routes: restraints::ROUTES, words: &reply::PROBLEMS },
    Group { path: "/admin/v1/", routes: runs::ROUTES, words: &reply::PROBLEMS },
    Group { path: "/admin/v1/", routes: policies::ROUTES, words: &reply::PROBLEMS },
    Group { path: "/admin/v1/", routes: drafts::ROUTES, words: &reply::PROBLEMS },
    Group { path: "/admin/v1/", routes: status::ROUTES, words: &reply::PROBLEMS },
    Group { path: "/admin/v1/", routes: statistics::ROUTES, words: &reply::PROBLEMS },
    Group { path: "/admin/v1/", routes: checkpoint::ROUTES, words: &reply::PROBLEMS },
    Group { path: "/admin/v1/", routes: proofs::ROUTES, words: &reply::PROBLEMS },
    Group { path: "/admin/v1/", routes: traffic::ROUTES, words: &reply::PROBLEMS },
    Group { path: "/admin/v1/", routes: budgets::ROUTES, words: &reply::PROBLEMS },
    Group { path: "/admin/v1/", routes: verify::ROUTES, words: &reply::PROBLEMS },
    Group { path: "/admin/v1/", routes: feedback::ROUTES, words: &reply::PROBLEMS },
    Group { path: "/admin/v1/", routes: console::ROUTES, words: &reply::PROBLEMS },
    Group { path: "/admin/v1/", routes: timelines::ROUTES, words: &reply::PROBLEMS },
    Group { path: sign_in::BACK, routes: console::BACK, words: &console::PAGE },
    Group { path: "/console/", routes: console::DOOR, words: &reply::PROBLEMS },
    Group { path: "/admin/v1/", routes: access::ROUTES, words: &reply::PROBLEMS },
    Group { path: "/admin/v1/", routes: rights::ROUTES, words: &reply::PROBLEMS },
    Group { path: "/admin/v1/", routes: forget::ROUTES, words: &reply::PROBLEMS },
    Group { path: "/admin/v1/", routes: holds::ROUTES, words: &reply::PROBLEMS },
    Group { path: "/admin/v1/", routes: reveal::ROUTES, words: &reply::PROBLEMS },
    Group { path: witness::PATH, routes: witness::ROUTES, words: &reply::PROBLEMS },
    Group { path: exchange::PATH, routes: exchange::ROUTES, words: &exchange::WORDS },
    Group { path: "/ssf/", routes: signals::ROUTES, words: &signals::WORDS },
    Group { path: "/ssf/", routes: receivers::ROUTES, words: &signals::WORDS },
    Group { path: receivers::CONFIGURATION, routes: receivers::KNOWN, words: &reply::PROBLEMS },
    Group { path: global::PATH, routes: global::ROUTES, words: &reply::PROBLEMS },
    Group { path: "/scim/v2", routes: scim::ROUTES, words: &scim::WORDS },
];

/// Routes that belong together.
pub(crate) struct Group {
    /// What their paths begin with. A path that begins so and is none of theirs is refused in their words.
    pub(crate) path: &'static str,
    pub(crate) routes: &'static [Route],
    pub(crate) words: &'static Words,
}

/// How refusals are said.
pub(crate) struct Words {
    /// What they are called in the OpenAPI document.
    pub(crate) name: &'static str,
    /// Their content type and form.
    pub(crate) kind: &'static str,
    pub(crate) form: Form,
    pub(crate) say: fn(&Refusal, RequestId) -> Bytes,
}

/// The desk.
pub(crate) struct Admin {
    /// Names of the listeners by which it is reached.
    pub(crate) listeners: Vec<String>,
    pub(crate) state: Arc<State>,
    pub(crate) force: Arc<Force>,
    pub(crate) identity: Arc<Identity>,
    pub(crate) policy: Arc<Policy>,
    pub(crate) audit: Arc<Audit>,
    /// What changes the policies.
    pub(crate) policies: Arc<Policies>,
    /// Where they stand.
    pub(crate) policy_files: Files,
    /// Access that can be asked for.
    pub(crate) access: Vec<Access>,
    /// How much statistics of use may tell of one caller.
    pub(crate) statistics: Statistics,
    /// The models that are served.
    pub(crate) models: Vec<Arc<str>>,
    /// What the configuration gives, for the report of what nobody uses.
    pub(crate) given: Given,
    /// Whose security events are taken in.
    pub(crate) signals: Vec<Signals>,
    /// Who is told what is revoked here.
    pub(crate) receivers: Vec<Arc<Receiver>>,
    /// The witness that this gateway is for the logs of others.
    pub(crate) witness: Option<Arc<Witness>>,
    /// What the console shows.
    pub(crate) console: Arc<Console>,
    /// Who goes wrong.
    pub(crate) watch: Arc<Watch>,
    /// Where people sign in to the console.
    pub(crate) sign_in: Option<Arc<SignIn>>,
    /// What callers know the gateway by.
    pub(crate) origin: Option<Box<str>>,
}

/// What the gateway knows of it.
pub(crate) struct Front(pub(crate) Arc<Admin>);

impl Desk for Front {
    fn door(&self, listener: &str, path: &str) -> Option<Door> {
        if !self.0.listeners.iter().any(|name| name == listener) {
            return None;
        }
        GROUPS.iter().find(|group| path.starts_with(group.path))?;
        let open = |route: &Route| route.is(path) && matches!(route.permit, Permit::Open);
        Some(if pages::find(path).is_some() || routes().any(open) { Door::Open } else { Door::Known })
    }

    fn serve(&self, asked: Asked) -> Pin<Box<dyn Future<Output = Result<Said, Refusal>> + Send + '_>> {
        if let (&Method::GET, Some(page)) = (asked.request.method(), pages::find(asked.request.uri().path())) {
            return Box::pin(async { Ok(page.said()) });
        }
        let admin = self.0.clone();
        let work = async move {
            let route = find(asked.request.method(), asked.request.uri().path())?;
            let reply = admin.answer(route, &asked).await?;
            let (response, then) = reply.into_response(asked.id)?;
            Ok(Said { response, then, what: did(route, asked.request.uri()) })
        };
        // In a task of its own: a caller who goes away must not leave a change on record that was then not made.
        let done = tokio::spawn(work.in_current_span());
        Box::pin(async { done.await.unwrap_or_else(|_| Err(Refusal::new(Code::Internal, "a route panicked"))) })
    }

    fn refusal(&self, path: &str, refusal: &Refusal, request: RequestId) -> (&'static str, Bytes) {
        let group = GROUPS.iter().find(|group| path.starts_with(group.path));
        let words = group.map_or(&reply::PROBLEMS, |group| group.words);
        (words.kind, (words.say)(refusal, request))
    }
}

impl Admin {
    async fn answer(&self, route: &'static Route, asked: &Asked) -> Result<Reply, Refusal> {
        let headers = asked.request.headers();
        if let Permit::Action(action) = route.permit {
            let who = asked.who.as_deref().ok_or_else(nobody)?;
            match cookie::find(headers)? {
                None => no_page(headers)?,
                Some(_) if route.path.starts_with("/admin/v1/") => console::own_page(headers)?,
                Some(_) => return Err(Refusal::new(Code::FromAPage, "the console's cookie opens the admin API alone")),
            }
            self.policy.administer(who, action)?;
        }
        route.takes(headers, asked.request.body())?;
        let ask = Ask::new(self, route, asked)?;
        match headers.get(once::KEY) {
            Some(key) if route.method == Method::POST && asked.who.is_some() => once::answer(&ask, key).await,
            _ => (route.run)(&ask).await,
        }
    }
}

/// Every route.
pub(crate) fn routes() -> impl Iterator<Item = &'static Route> {
    GROUPS.iter().flat_map(|group| group.routes)
}

fn find(method: &Method, path: &str) -> Result<&'static Route, Refusal> {
    let mut known = false;
    for route in routes().filter(|route| route.is(path)) {
        if route.method == *method {
            return Ok(route);
        }
        known = true;
    }
    let code = if known { Code::MethodNotAllowed } else { Code::NoSuchRoute };
    Err(Refusal::new(code, "no route for this method and path"))
}

/// What was done, for the record: the route and, under the admin API, what it was asked about. So a look at somebody names them.
fn did(route: &Route, uri: &Uri) -> Cow<'static, str> {
    let mut about = route.pieces(uri.path());
    about.extend(uri.query());
    if about.is_empty() || !route.path.starts_with("/admin/v1/") {
        return Cow::Borrowed(route.name);
    }
    let mut did = format!("{} {}", route.name, about.join(" "));
    did.truncate(did.floor_char_boundary(MAX_DID));
    Cow::Owned(did)
}

/// Browsers say where a page's request comes from, and pages cannot leave that out.
fn no_page(headers: &HeaderMap) -> Result<(), Refusal> {
    if headers.contains_key(header::ORIGIN) || headers.contains_key("sec-fetch-site") {
        return Err(Refusal::new(Code::FromAPage, "the request was made by a web page"));
    }
    Ok(())
}

fn nobody() -> Refusal {
    Refusal::new(Code::Internal, "nobody was identified")
}

/// Bytes of what a record says was done.
const MAX_DID: usize = 256;

#[cfg(test)]
mod auditor;
#[cfg(test)]
pub(crate) mod tests;
