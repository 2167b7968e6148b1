//! Tokens that say nothing by themselves: their issuer is asked what they are worth (RFC 7662).
//!
//! Threats it answers: a token shown to an issuer it is not of; an issuer asked once for every request, or flooded by strangers; an
//! issuer that is down, slow or says something else than the specification lets it; a refresh token taken for an access token; a
//! token that was revoked and goes on.
//!
//! What an issuer said is remembered for some seconds and never past the token's end. Requests with a token that is being asked about
//! wait for that one answer. How many questions may be open at once, and begun in a second, is bounded; beyond that, and without
//! an answer, requests are refused. The question itself is put by whoever has a network.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use ahash::AHashMap;
use countersign_core::{
    Board, Code, Confirmation, Groups, Principal, Refusal, Secret, Timestamp, principal::PrincipalKind,
};
use countersign_wire::{
    Limits,
    json::{Doc, Kind, Value},
};
use data_encoding::HEXLOWER;
use futures_util::{
    FutureExt,
    future::{BoxFuture, WeakShared},
};

use super::{
    Directory, Profile, RETRY, bad, bearer,
    claims::{self, Fault, Subject},
    directory, groups,
    issuer::Service,
    refused,
};

/// How an issuer is asked about tokens.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Introspection {
    /// How the tokens begin that it is asked about; empty for all. No token is shown to an issuer that it is not of, so with
    /// several such issuers each needs its own.
    pub prefix: Box<str>,
    /// How long an answer is remembered; at most [`MAX_REMEMBERED`].
    pub remember: Duration,
}

/// Puts questions to issuers.
pub trait Introspect: Send + Sync {
    /// Asks the issuer of this name what a token is worth. It takes bounded time.
    fn introspect(&self, issuer: Arc<str>, token: Secret<String>) -> Asking;
}

/// An issuer's answer, in JSON.
pub type Asking = Pin<Box<dyn Future<Output = Result<Vec<u8>, NoAnswer>> + Send>>;

/// The issuer did not answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the issuer did not say what the token is worth")]
pub struct NoAnswer;

/// Asks nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct NobodyAsks;

impl Introspect for NobodyAsks {
    fn introspect(&self, _: Arc<str>, _: Secret<String>) -> Asking {
        Box::pin(std::future::ready(Err(NoAnswer)))
    }
}

/// How long an answer is remembered at most.
pub const MAX_REMEMBERED: Duration = Duration::from_secs(30);
/// Bytes of the longest token that is asked about.
pub const MAX_OPAQUE: usize = 4 << 10;
/// Bytes of the largest answer.
pub const MAX_ANSWER: usize = 64 << 10;

/// What is known of one issuer's tokens.
pub(super) struct Opaque {
    how: Introspection,
    state: Mutex<State>,
}

impl Opaque {
    pub(super) fn new(how: Introspection) -> Self {
        Self { how, state: Mutex::default() }
    }

    /// Whether the issuer is the one to ask about a token.
    pub(super) fn is_of(&self, token: &[u8]) -> bool {
        token.starts_with(self.how.prefix.as_bytes())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // INVARIANT: nothing panics half-way through a change, so a poisoned state is still whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The token as text, if it is one (RFC 6750, section 2.1).
pub(super) fn plain(token: &[u8]) -> Option<&str> {
    let fits = |b: &u8| b.is_ascii_alphanumeric() || b"-._~+/=".contains(b);
    let text = std::str::from_utf8(token).ok()?;
    ((1..=MAX_OPAQUE).contains(&token.len()) && token.iter().all(fits)).then_some(text)
}

/// What a token is worth: from memory, from the answer that another request waits for, or by asking.
pub(super) async fn ask(
    service: &Arc<Service>,
    board: &Arc<Board>,
    directory: Arc<Directory>,
    token: &str,
    hash: [u8; 32],
    outside: &dyn Introspect,
    now: Timestamp,
) -> Result<Worth, Refusal> {
    let Some(opaque) = &service.opaque else { return Err(bad("the issuer is not asked about tokens")) };
    let flight = {
        let mut state = opaque.state();
        let current = |worth: &Worth| groups(&directory, &worth.principal) == worth.groups;
        if let Some(worth) = state.remembered(&hash, now).filter(|worth| worth.as_ref().map_or(true, current)) {
            return worth;
        }
        match state.flights.get(&hash).and_then(WeakShared::upgrade) {
            Some(flight) => flight,
            None => {
                state.admit(now).map_err(|why| unanswered(service, why))?;
                let asking = outside.introspect(service.issuer.name.clone(), Secret::new(token.to_owned()));
                let flight = land(service.clone(), board.clone(), directory, hash, asking, now).boxed().shared();
                if let Some(weak) = flight.downgrade() {
                    state.flights.insert(hash, weak);
                }
                flight
            }
        }
    };
    flight.await
}

/// Waits for an issuer's answer, and remembers it.
async fn land(
    service: Arc<Service>,
    board: Arc<Board>,
    directory: Arc<Directory>,
    hash: [u8; 32],
    asking: Asking,
    now: Timestamp,
) -> Result<Worth, Refusal> {
    let answer = asking.await;
    let Some(opaque) = &service.opaque else { return Err(bad("the issuer is not asked about tokens")) };
    let worth = answer
        .map_err(|_| unanswered(&service, "does not say what its tokens are worth"))
        .and_then(|said| read(&said, &service, &board, &directory, &hash, now));
    let mut state = opaque.state();
    state.flights.remove(&hash);
    match worth {
        // No answer is no reason to forget what was known of a stream's token, nor to remember anything new.
        Err(refusal) if refusal.code == Code::UnconfirmedCredential => Err(refusal),
        worth => {
            state.remember(hash, worth, now.plus(opaque.how.remember), now).map_err(|why| unanswered(&service, why))?
        }
    }
}

#[derive(Default)]
struct State {
    known: AHashMap<[u8; 32], Known>,
    flights: AHashMap<[u8; 32], WeakShared<BoxFuture<'static, Result<Worth, Refusal>>>>,
    /// When the second began in which questions are counted, and how many there were.
    since: Timestamp,
    begun: usize,
}

/// What a token is worth. It does not hold its issuer, which holds it.
#[derive(Clone)]
pub(super) struct Worth {
    pub(super) principal: Arc<Principal>,
    /// Not before.
    pub(super) begins: Timestamp,
    /// What the directory said of the bearer's groups.
    groups: Option<directory::Groups>,
}

struct Known {
    worth: Result<Worth, Refusal>,
    asked: Timestamp,
    until: Timestamp,
}

impl State {
    /// What was said, while it is recent. A clock that was set back makes nothing recent.
    fn remembered(&self, hash: &[u8; 32], now: Timestamp) -> Option<Result<Worth, Refusal>> {
        let known = self.known.get(hash)?;
        (known.asked <= now && now < known.until).then(|| known.worth.clone())
    }

    /// Whether one more question may be put.
    fn admit(&mut self, now: Timestamp) -> Result<(), &'static str> {
        if self.flights.len() >= MAX_FLIGHTS {
            // Those that everybody stopped waiting for are over.
            self.flights.retain(|_, flight| flight.upgrade().is_some());
            if self.flights.len() >= MAX_FLIGHTS {
                return Err("is being asked about too many tokens at once");
            }
        }
        if now < self.since || now.since(self.since) >= Duration::from_secs(1) {
            (self.since, self.begun) = (now, 0);
        }
        if self.begun >= MAX_PER_SECOND {
            return Err("is being asked about too many tokens in a second");
        }
        self.begun += 1;
        Ok(())
    }

    /// Remembers what was said. What is said anew of a token whose standing has not changed leaves its lease; any change ends it,
    /// and with it the streams that were begun on what was said before.
    fn remember(
        &mut self,
        hash: [u8; 32],
        worth: Result<Worth, Refusal>,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<Result<Worth, Refusal>, &'static str> {
        let before = self.known.get(&hash).and_then(|known| known.worth.as_ref().ok());
        let worth = match (before, worth) {
            (Some(old), Ok(new)) if is_same(&old.principal, &new.principal) && !old.principal.lease.ended() => {
                Ok(old.clone())
            }
            (Some(old), worth) => {
                old.principal.lease.end();
                worth
            }
            (None, worth) => worth,
        };
        if self.known.len() >= MAX_KNOWN && !self.known.contains_key(&hash) {
            // What a request in flight holds stays, so that its lease can still be ended.
            let held = |known: &Known| known.worth.as_ref().is_ok_and(|entry| Arc::strong_count(&entry.principal) > 1);
            self.known.retain(|_, known| now < known.until || held(known));
            if self.known.len() >= MAX_KNOWN {
                return Err("has more tokens in use than can be remembered");
            }
        }
        self.known.insert(hash, Known { worth: worth.clone(), asked: now, until });
        Ok(worth)
    }
}

/// Whether two answers say the same of a bearer.
fn is_same(one: &Principal, other: &Principal) -> bool {
    one.tenant == other.tenant && one.roles == other.roles && one.kind == other.kind && one.claims == other.claims
}

/// Reads an answer.
fn read(
    said: &[u8],
    service: &Arc<Service>,
    board: &Arc<Board>,
    directory: &Directory,
    hash: &[u8; 32],
    now: Timestamp,
) -> Result<Worth, Refusal> {
    let malformed = || unanswered(service, "answers a question about a token with something else");
    if said.len() > MAX_ANSWER {
        return Err(malformed());
    }
    let doc = Doc::read(said, &LIMITS).map_err(|_| malformed())?;
    let claims = doc.root();
    match claims.get("active").map(Value::kind) {
        Some(Kind::False) => return Err(bad("its issuer says that the token is not active")),
        Some(Kind::True) => {}
        _ => return Err(malformed()),
    }
    let read = || {
        let issuer = &service.issuer;
        if claims.get("iss").is_some_and(|iss| !iss.is(&issuer.url)) {
            return Err(Fault::Bad("the token is of another issuer"));
        }
        let span = claims::check_but_issuer(claims, issuer, now)?;
        let who = subject(claims, issuer.profile, hash)?;
        let principal = bearer::principal(issuer, service.lease.clone(), board, directory, who, span, claims)?;
        let bound = principal.claims.as_deref().and_then(|claims| claims.confirmation);
        // A refresh token has no type (RFC 7662, section 2.2).
        let kind = claims::required(claims, "token_type")?.to_ascii_lowercase();
        match (kind.as_str(), bound) {
            ("bearer", None | Some(Confirmation::Certificate(_))) | ("dpop", Some(Confirmation::Key(_))) => {}
            _ => return Err(Fault::Bad("the token's type is not that of an access token, or not what it is bound to")),
        }
        let groups = groups(directory, &principal);
        Ok(Worth { principal: Arc::new(principal), begins: span.begins, groups })
    };
    read().map_err(refused)
}

/// Whose token it is.
fn subject(claims: Value<'_>, profile: Profile, hash: &[u8; 32]) -> Result<Subject, Fault> {
    let client = claims::required(claims, "client_id")?;
    // Okta's `sub` is a person's log-in, which may change hands; `uid` is theirs for ever.
    let name = if profile == Profile::Okta && claims.get("uid").is_some() { "uid" } else { "sub" };
    let id = if claims.get(name).is_some() { claims::subject(claims, name)? } else { client.clone() };
    // A token without a name of its own can still be revoked by name.
    let token = claims::text(claims, "jti")?.unwrap_or_else(|| format!("sha256:{}", HEXLOWER.encode(hash)).into());
    Ok(Subject {
        kind: if id == client { PrincipalKind::Service } else { PrincipalKind::Person },
        id,
        client,
        scopes: claims::words(claims, "scope")?.unwrap_or_default(),
        roles: claims::list(claims, "roles")?,
        groups: Groups::Listed(claims::list(claims, "groups")?),
        token: Some(token),
    })
}

fn unanswered(service: &Service, why: &'static str) -> Refusal {
    let why = format!("issuer `{}` {why}", service.issuer.name);
    Refusal { retry_after: Some(RETRY), ..Refusal::new(Code::UnconfirmedCredential, why) }
}

const LIMITS: Limits = Limits { body: MAX_ANSWER, depth: 16, nodes: 4096, event: 0 };
/// Questions open at once to one issuer.
const MAX_FLIGHTS: usize = 64;
/// Questions begun in a second to one issuer. It is what strangers can cost it by tokens that are none.
const MAX_PER_SECOND: usize = 100;
/// Tokens of one issuer that are remembered, those it does not know among them.
const MAX_KNOWN: usize = 10_000;

#[cfg(test)]
mod tests;
