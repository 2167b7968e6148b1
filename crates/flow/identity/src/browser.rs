//! Sessions of browsers: what a person's key or token is exchanged for, so that the console's pages never hold it.
//!
//! A session is known by a cookie that pages cannot read, stands no longer than the credential it was opened with, and ends with a
//! restart: it is kept in memory, as a keyed hash. A link is worth one session, once, within a minute.
//!
//! Threats it answers: a key in the reach of a page's script; a session that outlives the trust it came from; a link that is used
//! twice; sessions without end.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use ahash::AHashMap;
use countersign_core::{
    Board, Code, Lease, Principal, Refusal, Secret, Timestamp,
    principal::{Method, Possession},
};
use countersign_seal::KeyHasher;

use crate::key;

/// What the cookie of every session begins with.
pub const PREFIX: &str = "csb_";
/// The purpose under which a ring gives the hasher.
pub const PURPOSE: &str = "browser";
/// How long a session lasts at most: a day's work.
pub const LONGEST: Duration = Duration::from_hours(8);
/// How long a link may be followed.
pub const FOLLOWED: Duration = Duration::from_mins(1);

/// Knows every browser's session, and the links that nobody has followed yet.
pub struct Browsers {
    hasher: KeyHasher,
    board: Arc<Board>,
    /// Sessions are bounded by [`MOST`], and so are links.
    sessions: ByHash<Arc<Principal>>,
    links: ByHash<(Arc<Principal>, Timestamp)>,
}

/// By the keyed hash of what is shown.
type ByHash<T> = Mutex<AHashMap<[u8; 32], T>>;

impl Browsers {
    pub(crate) fn new(hasher: KeyHasher, board: Arc<Board>) -> Self {
        Self { hasher, board, sessions: Mutex::default(), links: Mutex::default() }
    }

    /// Opens a session for whoever has just been identified: its cookie, which is shown once, and when it is over.
    ///
    /// # Errors
    /// `CS0202` for a credential that is bound to a key or a certificate, or is a session's: a cookie would be worth as much without
    /// that key. `CS0204` or `CS0203` where the credential has ended. `CS0402` when too many sessions are open.
    pub fn open(&self, who: &Principal, now: Timestamp) -> Result<(Secret<String>, Timestamp), Refusal> {
        if who.possession() != Possession::None || who.method == Method::Session {
            let what = "a credential that is bound to a key opens no browser's session";
            return Err(Refusal::new(Code::BadCredential, what));
        }
        if !who.lease.stands(now) {
            return Err(Refusal::new(Code::RevokedCredential, "the credential has ended"));
        }
        let ends = who.lease.expires().into_iter().fold(now.plus(LONGEST), Timestamp::min);
        let mut lease = Lease::within(who.lease.clone(), Some(ends));
        if let Some((covering, issued)) = who.lease.revocable() {
            lease = lease.under(self.board.clone(), covering.into(), issued);
        }
        let principal = Arc::new(Principal { lease: Arc::new(lease), ..who.clone() });
        let cookie = minted(PREFIX)?;
        let mut sessions = held(&self.sessions);
        sessions.retain(|_, open| open.lease.stands(now));
        room(sessions.len())?;
        sessions.insert(self.hasher.hash(cookie.expose().as_bytes()), principal);
        Ok((cookie, ends))
    }

    /// Whose session the cookie is of.
    ///
    /// # Errors
    /// `CS0202` when there is none, `CS0203` when its time is over, `CS0204` when it was ended or what it was opened with has.
    pub(crate) fn principal(&self, cookie: &[u8], now: Timestamp) -> Result<Arc<Principal>, Refusal> {
        let found = key::is_minted(PREFIX, cookie).then(|| {
            let sessions = held(&self.sessions);
            self.hasher.hashes(cookie).find_map(|hash| sessions.get(&hash).cloned())
        });
        let unknown = || Refusal::new(Code::BadCredential, "the browser's session is unknown, or over");
        let principal = found.flatten().ok_or_else(unknown)?;
        let lease = &principal.lease;
        match lease.stands(now) {
            true => Ok(principal),
            false if !lease.ended() && lease.expires().is_some_and(|end| end <= now) => {
                Err(Refusal::new(Code::ExpiredCredential, "the browser's session is over"))
            }
            false => Err(Refusal::new(Code::RevokedCredential, "what the browser's session was opened with has ended")),
        }
    }

    /// Ends a session; one that is not there is over already.
    pub fn close(&self, cookie: &[u8]) {
        for hash in self.hasher.hashes(cookie) {
            if let Some(principal) = held(&self.sessions).remove(&hash) {
                principal.lease.end();
            }
        }
    }

    /// A link for whoever has been identified: worth one session, once, for a minute.
    ///
    /// # Errors
    /// `CS0402` when too many links wait to be followed.
    pub fn link(&self, who: &Arc<Principal>, now: Timestamp) -> Result<Secret<String>, Refusal> {
        let link = minted(LINK)?;
        let mut links = held(&self.links);
        links.retain(|_, (_, ends)| now < *ends);
        room(links.len())?;
        links.insert(self.hasher.hash(link.expose().as_bytes()), (who.clone(), now.plus(FOLLOWED)));
        Ok(link)
    }

    /// Follows a link, which is worth nothing from then on: who made it.
    ///
    /// # Errors
    /// `CS0202` when there is none, or it was followed before, or its minute is over.
    pub fn follow(&self, link: &str, now: Timestamp) -> Result<Arc<Principal>, Refusal> {
        let mut links = held(&self.links);
        let found = self.hasher.hashes(link.as_bytes()).find_map(|hash| links.remove(&hash));
        let over = || Refusal::new(Code::BadCredential, "the link is unknown, or was followed, or its minute is over");
        found.filter(|(_, ends)| now < *ends).map(|(who, _)| who).ok_or_else(over)
    }
}

fn minted(prefix: &'static str) -> Result<Secret<String>, Refusal> {
    key::mint(prefix).map_err(|_| Refusal::new(Code::Internal, "no random bytes are to be had"))
}

fn room(held: usize) -> Result<(), Refusal> {
    if held < MOST { Ok(()) } else { Err(Refusal::new(Code::Overloaded, "too many browsers are signed in")) }
}

fn held<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

const LINK: &str = "csl_";
const MOST: usize = 1024;

#[cfg(test)]
mod tests;
