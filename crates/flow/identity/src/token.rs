//! Access tokens: signed statements of identity providers (JWT, RFC 7519) about who asks.
//!
//! Everything is verified strictly and without I/O: [`Tokens`] says which issuers' keys are to be fetched, is handed what was
//! fetched, and says of each token who its bearer is. The unverified `iss` chooses the issuer, compared byte by byte, and so the
//! keys; the configuration chooses the algorithms; nothing else in a token chooses anything (RFC 8725).
//!
//! Threats it answers: forged, replayed elsewhere, outlived and confused tokens; ID tokens used as access tokens; another tenant's or
//! issuer's tokens; keys that were withdrawn; an identity provider that is down or lies.

mod adapter;
mod algorithm;
mod bearer;
mod cache;
mod claims;
mod directory;
mod id;
mod introspection;
mod issuer;
mod jwk;
mod jws;
mod keyset;
mod set;
#[cfg(test)]
mod testing;
#[cfg(test)]
pub(crate) mod support {
    pub(crate) use super::testing::*;
}

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use aws_lc_rs::digest::{SHA256, digest};
use countersign_core::{Board, Code, Principal, Refusal, Timestamp};
use countersign_wire::json::Doc;

pub use adapter::Profile;
pub use algorithm::Algorithm;
pub use directory::Directory;
pub use introspection::{
    Asking, Introspect, Introspection, MAX_ANSWER, MAX_OPAQUE, MAX_REMEMBERED, NoAnswer, NobodyAsks,
};
pub use issuer::{Issuer, IssuerError, MAX_LEEWAY, RoleClaim, RoleRule, Tenants};
pub(crate) use jwk::brought;
pub use jwk::{KeyError, MAX_KEYS, MAX_SET, RefusedKey, SetError};
pub use jws::{Jws, JwsError, MAX_TOKEN};
pub use keyset::{KeyReport, KeyRules};
pub use set::{About, Event, Revoker, Signal, SignalError, Whom};

use cache::{Cache, Entry, Place};
use claims::Fault;
use directory::Groups;
use issuer::Service;
use jwk::Key;

/// Knows the issuers and their keys, and says of each token who its bearer is. Shared by all tasks; until issuers are set, every
/// token is refused.
///
/// Whoever has a network asks [`Tokens::wanted`] every now and then, fetches the key sets of the issuers it names, and answers
/// each with [`Tokens::fetched`] or [`Tokens::failed`]. No request waits for that.
pub struct Tokens {
    services: ArcSwap<Vec<Arc<Service>>>,
    setting: Mutex<()>,
    cache: Cache,
    board: Arc<Board>,
    directory: ArcSwap<Directory>,
}

/// How an issuer's keys stand.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct IssuerStatus {
    /// The issuer's name.
    pub name: Arc<str>,
    /// Keys in force.
    pub keys: usize,
    /// When they were fetched.
    pub fetched: Option<Timestamp>,
    /// Whether they may be relied on. If not, the issuer's tokens are refused with `CS0205`.
    pub usable: bool,
}

impl Default for Tokens {
    fn default() -> Self {
        Self::new(Arc::default())
    }
}

impl Tokens {
    /// No issuers yet; `board` revokes what they issued.
    pub(crate) fn new(board: Arc<Board>) -> Self {
        Self {
            services: ArcSwap::default(),
            setting: Mutex::default(),
            cache: Cache::new(REMEMBERED),
            board,
            directory: ArcSwap::default(),
        }
    }

    /// Replaces the issuers. One that is configured as before keeps its keys, and its tokens their leases. The leases of one that
    /// changed or is gone end; keys that were fetched for the same URL are read again under the new rules.
    ///
    /// # Errors
    /// [`IssuerError`] names the issuer that will not do. Nothing is replaced then.
    pub fn set_issuers(&self, issuers: Vec<Issuer>) -> Result<(), IssuerError> {
        issuer::check(&issuers)?;
        let _one_at_a_time = self.setting.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.services.load_full();
        let after = issuers.into_iter().map(|issuer| match before.iter().find(|old| old.issuer.url == issuer.url) {
            Some(old) if old.issuer == issuer => old.clone(),
            old => Arc::new(Service::new(issuer, old.map(|old| &**old))),
        });
        let after = Arc::new(after.collect::<Vec<_>>());
        self.services.store(after.clone());
        for old in before.iter().filter(|old| !after.iter().any(|new| Arc::ptr_eq(old, new))) {
            old.lease.end();
        }
        Ok(())
    }

    /// Replaces what a directory says of subjects. It counts from the next request on; tokens that were remembered with other groups are
    /// read anew.
    pub fn set_directory(&self, directory: Directory) {
        self.directory.store(Arc::new(directory));
    }

    /// The issuers whose keys are to be fetched now. Each is named once, and again when it was not answered for a minute.
    #[must_use]
    pub fn wanted(&self, now: Timestamp) -> Vec<Arc<str>> {
        let services = self.services.load();
        let wanted = services.iter().filter(|service| service.with_set(|set| set.take_fetch(now)));
        wanted.map(|service| service.issuer.name.clone()).collect()
    }

    /// Takes the key set that was fetched for an issuer. `now` is the time the fetch began. Keys that are not in it any more are not
    /// accepted any more, and the leases of the tokens they signed end. A set that is none changes nothing.
    ///
    /// # Errors
    /// [`SetError`] when it is no key set, which counts as a failed fetch.
    pub fn fetched(&self, issuer: &str, set: &[u8], now: Timestamp) -> Result<KeyReport, SetError> {
        self.service(issuer).map_or_else(|| Ok(KeyReport::default()), |s| s.with_set(|keys| keys.fetched(set, now)))
    }

    /// The keys of an issuer could not be fetched.
    pub fn failed(&self, issuer: &str) {
        if let Some(service) = self.service(issuer) {
            service.with_set(keyset::KeySet::failed);
        }
    }

    /// How the issuers' keys stand.
    #[must_use]
    pub fn status(&self, now: Timestamp) -> Vec<IssuerStatus> {
        let of = |service: &Arc<Service>| {
            let (name, keys) = (service.issuer.name.clone(), service.keys());
            IssuerStatus { name, keys: keys.len(), fetched: keys.fetched(), usable: keys.usable(now) }
        };
        self.services.load().iter().map(of).collect()
    }

    /// Tokens remembered.
    #[must_use]
    pub fn remembered(&self) -> usize {
        self.cache.len()
    }

    /// Whose token it is, as its issuer says: one that says nothing by itself (RFC 7662). With the SHA-256 of its text; what it is
    /// bound to is still to be proved.
    pub(crate) async fn introspected(
        &self,
        token: &[u8],
        outside: &dyn Introspect,
        now: Timestamp,
    ) -> Result<(Arc<Principal>, [u8; 32]), Refusal> {
        let services = self.services.load_full();
        let of = |service: &&Arc<Service>| service.opaque.as_ref().is_some_and(|opaque| opaque.is_of(token));
        let service = services.iter().find(of);
        let service = service.ok_or_else(|| bad("the credential is neither an API key nor an access token"))?;
        let Some(token) = introspection::plain(token) else { return Err(bad("the token is malformed")) };
        let hash = digest(&SHA256, token.as_bytes()).as_ref().first_chunk().copied().unwrap_or_default();
        let entry =
            introspection::ask(service, &self.board, self.directory.load_full(), token, hash, outside, now).await?;
        let principal = entry.principal;
        if principal.lease.ended() {
            return Err(Refusal::new(Code::RevokedCredential, "the token's lease has ended"));
        }
        if now < entry.begins {
            return Err(bad("the token is not valid yet"));
        }
        if !principal.lease.stands(now) {
            return Err(Refusal::new(Code::ExpiredCredential, "the token has expired"));
        }
        Ok((principal, hash))
    }

    /// Whose token it is, with the SHA-256 of its text. What it is bound to is still to be proved.
    pub(crate) fn principal(&self, token: &[u8], now: Timestamp) -> Result<(Arc<Principal>, [u8; 32]), Refusal> {
        if token.len() > MAX_TOKEN {
            return Err(bad("the token is too long"));
        }
        let place = Place::of(token);
        let entry = self.recall(token, &place, now)?;
        let principal = entry.principal;
        if principal.lease.ended() {
            return Err(Refusal::new(Code::RevokedCredential, "the token's lease has ended"));
        }
        if now < entry.begins {
            return Err(bad("the token is not valid yet"));
        }
        if principal.lease.expires().is_some_and(|end| end <= now) {
            return Err(Refusal::new(Code::ExpiredCredential, "the token has expired"));
        }
        if !principal.lease.stands(now) {
            return Err(bad("the token's key was withdrawn"));
        }
        if !entry.service.keys().usable(now) {
            return Err(unconfirmed(&entry.service));
        }
        Ok((principal, *place.whole()))
    }

    /// The token as it is remembered, verified first if it is not.
    fn recall(&self, token: &[u8], place: &Place, now: Timestamp) -> Result<Entry, Refusal> {
        let as_known = |known: &Entry| self.groups(&known.principal) == known.groups;
        let current = |known: &Entry| !known.is_orphan(now) && (known.principal.lease.ended() || as_known(known));
        if let Some(known) = self.cache.get(place).filter(current) {
            return Ok(known);
        }
        let entry = self.cache.put(place, token.len(), self.verify(token, now)?, now);
        if !entry.is_orphan(now) {
            return Ok(entry);
        }
        // Keys or issuers were replaced meanwhile. What holds now decides.
        Ok(self.cache.put(place, token.len(), self.verify(token, now)?, now))
    }

    /// Verifies a token.
    fn verify(&self, token: &[u8], now: Timestamp) -> Result<Entry, Refusal> {
        let jws = Jws::read(token).map_err(|error| Refusal::new(Code::BadCredential, error.to_string()))?;
        let doc =
            Doc::read(jws.payload(), &claims::LIMITS).map_err(|_| bad("the token's claims are not strict JSON"))?;
        let claims = doc.root();
        let services = self.services.load();
        let named = claims.get("iss").and_then(|iss| services.iter().find(|service| iss.is(&service.issuer.url)));
        let of = |service: &&Arc<Service>| service.issuer.profile.claims_it(claims, &service.issuer.url);
        let service = named.or_else(|| services.iter().find(of));
        let service = service.ok_or_else(|| bad("the token is of no issuer that is known"))?;
        if service.issuer.speaks_for.is_some() {
            return Err(bad("the token is of an issuer that vouches for nobody here"));
        }
        if !service.issuer.algorithms.contains(&jws.algorithm()) {
            return Err(bad("the token's algorithm is not its issuer's"));
        }
        let key = key(service, &jws, now)?;
        if !key.verifies(jws.algorithm(), jws.signed(), jws.signature()) {
            return Err(bad("the token's signature does not verify"));
        }
        let read = || {
            let issuer = &service.issuer;
            let span = claims::check(claims, issuer, now)?;
            let who = issuer.profile.read(jws.typ(), claims, &issuer.url)?;
            let directory = self.directory.load();
            let principal = bearer::principal(issuer, key.lease.clone(), &self.board, &directory, who, span, claims)?;
            let groups = groups(&directory, &principal);
            Ok(Entry { principal: Arc::new(principal), service: service.clone(), begins: span.begins, groups })
        };
        read().map_err(refused)
    }

    /// What the directory says of a bearer's groups now.
    fn groups(&self, of: &Principal) -> Option<Groups> {
        groups(&self.directory.load(), of)
    }

    fn service(&self, name: &str) -> Option<Arc<Service>> {
        self.services.load().iter().find(|service| *service.issuer.name == *name).cloned()
    }
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokens").field("issuers", &self.services.load().len()).finish_non_exhaustive()
    }
}

fn groups(directory: &Directory, of: &Principal) -> Option<Groups> {
    let claims = of.claims.as_deref()?;
    directory.groups(&claims.issuer, &of.tenant, &claims.subject).cloned()
}

/// The issuer's key that the token names.
fn key(service: &Arc<Service>, jws: &Jws<'_>, now: Timestamp) -> Result<Arc<Key>, Refusal> {
    let kid = jws.kid().ok_or_else(|| bad("the token names no key"))?;
    let keys = service.keys();
    if !keys.usable(now) {
        return Err(unconfirmed(service));
    }
    match keys.get(kid) {
        Some(key) => Ok(key.clone()),
        None if service.with_set(|set| set.missed(now)) => Err(unconfirmed(service)),
        None => Err(bad("the token names a key that its issuer does not publish")),
    }
}

fn refused(fault: Fault) -> Refusal {
    match fault {
        Fault::Expired => Refusal::new(Code::ExpiredCredential, "the token has expired"),
        Fault::Bad(why) => bad(why),
    }
}

fn bad(why: &'static str) -> Refusal {
    Refusal::new(Code::BadCredential, why)
}

fn unconfirmed(service: &Service) -> Refusal {
    let why = format!("the keys of issuer `{}` are not at hand", service.issuer.name);
    Refusal { retry_after: Some(RETRY), ..Refusal::new(Code::UnconfirmedCredential, why) }
}

const RETRY: std::time::Duration = std::time::Duration::from_secs(1);
/// Bytes of token text; some ten thousand tokens.
const REMEMBERED: usize = 16 << 20;

#[cfg(test)]
mod tests;
