//! Who is asking, and whether the credential they asked with still stands.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use crate::{
    Board, Claims, Code, Confirmation, Refusal, Target, Timestamp,
    access::Session,
    restraint::{Measure, Restraint},
};

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
    /// The session that the caller is in, where the credential belongs to one.
    #[must_use]
    pub fn sitting(&self) -> Option<Target> {
        if self.method == Method::Session {
            return Some(Target::Credential(self.credential.clone()));
        }
        let claims = self.claims.as_deref()?;
        Some(Target::Session(claims.issuer.clone(), claims.session.clone()?))
    }

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
    /// Four times the board's epoch when it was asked last, and what it said then: [`REVOKED`], [`RESTRAINED`].
    seen: AtomicU64,
}

/// The credential is revoked.
const REVOKED: u64 = 1;
/// Something is laid upon whoever shows it.
const RESTRAINED: u64 = 2;

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

    /// What is laid upon whoever shows the credential. Nothing is looked up while that is nothing.
    #[must_use]
    pub fn restraints(&self) -> Vec<Restraint> {
        let Some(standing) = self.standing.as_ref().filter(|s| s.said() & RESTRAINED != 0) else { return Vec::new() };
        standing.board.laid_upon(&standing.covering)
    }

    /// Whether whoever shows the credential may go on: it stands, and nobody has set them aside.
    ///
    /// # Errors
    /// `CS0204` when the credential ended, `CS0305` in quarantine. Both break an answer off.
    pub fn allows(&self, now: Timestamp) -> Result<(), Refusal> {
        if !self.stands(now) {
            let ended = Refusal::new(Code::RevokedCredential, "the credential ended during the answer");
            return Err(Refusal { cut: true, ..ended });
        }
        match self.restraints().into_iter().find(|restraint| restraint.measure == Measure::Quarantine) {
            None => Ok(()),
            Some(Restraint { case, .. }) => {
                let refusal = Refusal::new(Code::Quarantined, format!("in quarantine, {case}"));
                Err(Refusal { cut: true, case: Some(case), ..refusal })
            }
        }
    }

    /// When the lease ends by itself.
    #[must_use]
    pub const fn expires(&self) -> Option<Timestamp> {
        self.expires
    }
}

impl Standing {
    fn revoked(&self) -> bool {
        self.said() & REVOKED != 0
    }

    /// One load while nothing changes on the board.
    fn said(&self) -> u64 {
        let epoch = self.board.epoch();
        let seen = self.seen.load(Ordering::Acquire);
        if seen >> 2 == epoch {
            return seen & (REVOKED | RESTRAINED);
        }
        let revoked = if self.board.covers(&self.covering, self.issued) { REVOKED } else { 0 };
        let restrained = if self.board.laid_upon(&self.covering).is_empty() { 0 } else { RESTRAINED };
        // A change in between is seen the next time: what is remembered is the epoch from before.
        self.seen.store(epoch << 2 | revoked | restrained, Ordering::Release);
        revoked | restrained
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
    fn a_restraint_reaches_a_lease_and_leaves_it_when_it_is_over() {
        let board = Arc::new(Board::default());
        let lease = Lease::new(None).under(board.clone(), [Target::Role("clerk".into())].into(), Timestamp(5));
        assert!(lease.restraints().is_empty() && lease.allows(Timestamp(9)).is_ok());
        let laid = |measure| Restraint { case: "qua_1".into(), measure, since: Timestamp(7) };
        board.restrain(Target::Role("boss".into()), laid(Measure::Quarantine));
        assert!(lease.allows(Timestamp(9)).is_ok(), "somebody else's");
        board.restrain(Target::Role("clerk".into()), laid(Measure::ReadOnly));
        assert_eq!(lease.restraints(), [laid(Measure::ReadOnly)]);
        assert!(lease.allows(Timestamp(9)).is_ok());
        board.restrain(Target::Role("clerk".into()), laid(Measure::Quarantine));
        let refusal = lease.allows(Timestamp(9)).unwrap_err();
        assert_eq!((refusal.code, refusal.cut, refusal.case.as_deref()), (Code::Quarantined, true, Some("qua_1")));
        assert!(lease.stands(Timestamp(9)), "the credential is good");
        board.revoke(Target::Everything, Timestamp(1));
        assert_eq!(
            lease.allows(Timestamp(9)).unwrap_err().code,
            Code::Quarantined,
            "revocations leave restraints alone"
        );
        board.replace([(Target::Role("clerk".into()), Timestamp::MAX)]);
        assert_eq!(lease.allows(Timestamp(9)).unwrap_err().code, Code::RevokedCredential);
        board.replace([]);
        assert!(board.replace_restraints([]) && !board.replace_restraints([]));
        assert!(lease.allows(Timestamp(9)).is_ok());
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
