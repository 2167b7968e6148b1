//! Who is asking, and whether the credential they asked with still stands.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use crate::{Board, Claims, Confirmation, Target, Timestamp, access::Session};

/// An authenticated caller.
#[derive(Clone, Debug)]
pub struct Principal {
    /// The company or department whose data and keys this caller's requests live under.
    pub tenant: Arc<str>,
    /// Stable subject id within the tenant; never an e-mail address. For a token it is `ISSUER/ID`, so that two issuers'
    /// ids never meet.
    pub subject: Arc<str>,
    /// Person, service or agent.
    pub kind: PrincipalKind,
    /// Names of roles, as policies use them.
    pub roles: Arc<[Arc<str>]>,
    /// What the credential is restricted to: `model:NAME`, `format:NAME`, `tool:NAME`; empty for no restriction beyond policy.
    pub scopes: Arc<[Arc<str>]>,
    /// Names the credential (a key id, a certificate's SHA-256) without revealing it. Rates are counted by it, so for a token it
    /// names issuer and subject: a fresh token is no fresh allowance.
    pub credential: Arc<str>,
    /// How the caller proved who they are.
    pub method: Method,
    /// What the access token says; none for other credentials.
    pub claims: Option<Arc<Claims>>,
    /// The session whose credential it is; none for other credentials.
    pub session: Option<Arc<Session>>,
    /// Whether the credential still stands; shared by every request made with it.
    pub lease: Arc<Lease>,
}

impl Principal {
    /// The key that the credential is bound to.
    #[must_use]
    pub fn bound(&self) -> Option<Confirmation> {
        let of_token = || self.claims.as_deref().and_then(|claims| claims.confirmation);
        self.session.as_deref().map(|session| session.bound).or_else(of_token)
    }

    /// What every request of this caller proves to hold besides the credential itself. It follows from the credential: one that is
    /// bound to something identifies nobody without the proof.
    #[must_use]
    pub fn possession(&self) -> Possession {
        match (self.method, self.bound()) {
            (Method::ClientCertificate, _) | (_, Some(Confirmation::Certificate(_))) => Possession::Certificate,
            (_, Some(Confirmation::Key(_))) => Possession::Dpop,
            (Method::ApiKey | Method::AccessToken | Method::Session, None) => Possession::None,
        }
    }
}

/// What a request proves to hold, so that a credential that was copied is not enough.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Possession {
    /// Nothing: whoever has the credential has all of it.
    None,
    /// A certificate's private key, in the TLS handshake (RFC 8705).
    Certificate,
    /// A private key, by a proof for this request alone (RFC 9449).
    Dpop,
}

impl Possession {
    /// The name used in policy.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Certificate => "certificate",
            Self::Dpop => "dpop",
        }
    }
}

/// What kind of being a principal is.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum PrincipalKind {
    /// A human.
    Person,
    /// A program acting for itself.
    Service,
    /// A program that a model steers.
    Agent,
}

impl PrincipalKind {
    /// The name used in configuration, policy and audit.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Service => "service",
            Self::Agent => "agent",
        }
    }
}

/// How a caller proved who they are.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Method {
    /// An API key in a header.
    ApiKey,
    /// A client certificate in the TLS handshake.
    ClientCertificate,
    /// An access token of an identity provider.
    AccessToken,
    /// The credential of a session opened on granted access.
    Session,
}

impl Method {
    /// The name used in policy and audit.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ApiKey => "api-key",
            Self::ClientCertificate => "client-certificate",
            Self::AccessToken => "access-token",
            Self::Session => "session",
        }
    }
}

/// Whether a credential still stands. A stream in flight asks before each write, so ending it cuts the stream.
pub struct Lease {
    expires: Option<Timestamp>,
    ended: AtomicBool,
    within: Vec<Arc<Self>>,
    standing: Option<Standing>,
}

/// What a lease knows of the board of revocations.
struct Standing {
    board: Arc<Board>,
    covering: Box<[Target]>,
    issued: Timestamp,
    /// Twice the board's epoch when it was asked last, and one more if it said that the credential is revoked.
    seen: AtomicU64,
}

impl Lease {
    /// A standing lease that ends by itself at `expires`.
    #[must_use]
    pub const fn new(expires: Option<Timestamp>) -> Self {
        Self { expires, ended: AtomicBool::new(false), within: Vec::new(), standing: None }
    }

    /// A lease that stands no longer than `outer` does: a token's within that of the key that signed it.
    #[must_use]
    pub fn within(outer: Arc<Self>, expires: Option<Timestamp>) -> Self {
        Self::new(expires).and_within(outer)
    }

    /// The same lease, standing no longer than `outer` does either.
    #[must_use]
    pub fn and_within(mut self, outer: Arc<Self>) -> Self {
        self.within.push(outer);
        self
    }

    /// The lease of a credential that was `issued` then, and that the board may revoke by any of `covering`.
    #[must_use]
    pub fn under(mut self, board: Arc<Board>, covering: Box<[Target]>, issued: Timestamp) -> Self {
        let seen = AtomicU64::new(u64::MAX);
        self.standing = Some(Standing { board, covering, issued, seen });
        self
    }

    /// What the board may revoke it by, and when the credential was issued; none for a lease that is not under a board.
    #[must_use]
    pub fn revocable(&self) -> Option<(&[Target], Timestamp)> {
        self.standing.as_ref().map(|standing| (&*standing.covering, standing.issued))
    }

    /// Ends the lease now. There is no way back.
    pub fn end(&self) {
        self.ended.store(true, Ordering::Release);
    }

    /// Whether this lease itself was ended or is revoked, rather than over by time or with one it stands within.
    #[must_use]
    pub fn ended(&self) -> bool {
        self.ended.load(Ordering::Acquire) || self.standing.as_ref().is_some_and(Standing::revoked)
    }

    /// Whether the credential may be acted on at `now`.
    #[must_use]
    pub fn stands(&self, now: Timestamp) -> bool {
        !self.ended() && self.expires.is_none_or(|end| now < end) && self.within.iter().all(|outer| outer.stands(now))
    }

    /// When the lease ends by itself.
    #[must_use]
    pub const fn expires(&self) -> Option<Timestamp> {
        self.expires
    }
}

impl Standing {
    /// One load while nothing changes on the board.
    fn revoked(&self) -> bool {
        let epoch = self.board.epoch();
        let seen = self.seen.load(Ordering::Acquire);
        if seen >> 1 == epoch {
            return seen & 1 == 1;
        }
        let revoked = self.board.covers(&self.covering, self.issued);
        // A change in between is seen the next time: what is remembered is the epoch from before.
        self.seen.store(epoch << 1 | u64::from(revoked), Ordering::Release);
        revoked
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease").field("expires", &self.expires).field("ended", &self.ended()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_ends_with_the_one_it_stands_within_and_not_the_other_way_round() {
        let outer = Arc::new(Lease::new(Some(Timestamp(20))));
        let (one, other) = (Lease::within(outer.clone(), Some(Timestamp(10))), Lease::within(outer.clone(), None));
        assert!(one.stands(Timestamp(9)) && !one.stands(Timestamp(10)));
        assert!(other.stands(Timestamp(19)) && !other.stands(Timestamp(20)));
        one.end();
        assert!(!one.stands(Timestamp(0)) && other.stands(Timestamp(0)) && outer.stands(Timestamp(0)));
        outer.end();
        assert!(!other.stands(Timestamp(0)) && !other.ended());
    }
    #[test]
    fn a_lease_follows_the_board() {
        let board = Arc::new(Board::default());
        let lease = Lease::new(None).under(board.clone(), [Target::Role("clerk".into())].into(), Timestamp(5));
        assert!(lease.stands(Timestamp(9)));
        board.revoke(Target::Role("boss".into()), Timestamp::MAX);
        assert!(lease.stands(Timestamp(9)));
        board.revoke(Target::Role("clerk".into()), Timestamp(5));
        assert!(lease.stands(Timestamp(9)), "issued at that moment, not before");
        board.revoke(Target::Role("clerk".into()), Timestamp(6));
        assert!(!lease.stands(Timestamp(9)) && lease.ended());
        board.replace([]);
        assert!(lease.stands(Timestamp(9)), "a revocation can be lifted");
        lease.end();
        assert!(!lease.stands(Timestamp(9)));
    }
}
