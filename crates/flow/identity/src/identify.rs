//! The stage itself: from what was presented to who asks.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use ahash::AHashMap;
use arc_swap::ArcSwap;
use aws_lc_rs::digest::{SHA256, digest};
use countersign_core::{
    Board, Code, Confirmation, Lease, Principal, Refusal, RequestId, Secret, Target, Timestamp,
    life::{Identified, Peer, Stamp, stage},
    principal::Method,
};
use countersign_seal::{KeyHasher, KeyRing, SealError};
use countersign_store::{KeyRecord, SessionRecord};
use subtle::ConstantTimeEq;

use crate::{
    Browsers, CertificateRule, Presented, Tokens, browser,
    certificate::Certificates,
    dpop::{self, Dpop, Replays, Seen},
    key,
    presented::{Scheme, Shown},
    session::{self, NewSession, Sessions},
    token::{Introspect, NobodyAsks},
};

/// Knows every key, every issuer of tokens and every rule for certificates, and says of each request who asks. Shared by all tasks.
///
/// Keys live in a snapshot that a reload replaces whole; a request never waits for a reload. Until the first
/// [`Identity::load`] there are no keys and every key is refused.
pub struct Identity {
    stamp: Stamp<stage::Identify>,
    hasher: KeyHasher,
    keys: ArcSwap<Snapshot>,
    loading: Mutex<()>,
    suspended: AtomicBool,
    certificates: Certificates,
    tokens: Tokens,
    sessions: Sessions,
    browsers: Browsers,
    dpop: Dpop,
    introspect: Arc<dyn Introspect>,
    board: Arc<Board>,
}

/// What identification asks of elsewhere.
pub struct Outside {
    /// Which proofs were used before.
    pub replays: Box<dyn Replays>,
    /// What tokens are worth that say nothing by themselves.
    pub introspect: Arc<dyn Introspect>,
}

/// Nothing is asked of elsewhere.
impl Default for Outside {
    fn default() -> Self {
        Self { replays: Box::new(Seen::default()), introspect: Arc::new(NobodyAsks) }
    }
}

impl Identity {
    /// The stage, with no keys and no issuers yet.
    ///
    /// # Errors
    /// When the ring derives no keys.
    pub fn new(
        stamp: Stamp<stage::Identify>,
        ring: &KeyRing,
        rules: Vec<CertificateRule>,
        outside: Outside,
    ) -> Result<Self, SealError> {
        let board = Arc::<Board>::default();
        Ok(Self {
            stamp,
            hasher: ring.hasher(key::PURPOSE)?,
            keys: ArcSwap::default(),
            loading: Mutex::default(),
            suspended: AtomicBool::new(false),
            certificates: Certificates::new(rules, board.clone()),
            tokens: Tokens::new(board.clone()),
            sessions: Sessions::new(ring.hasher(session::PURPOSE)?, board.clone()),
            browsers: Browsers::new(ring.hasher(browser::PURPOSE)?, board.clone()),
            dpop: Dpop::new(ring.hasher(dpop::PURPOSE)?, outside.replays),
            introspect: outside.introspect,
            board,
        })
    }

    /// Replaces the keys. A key whose record is as it was keeps its lease; the lease of one that was revoked, changed or is gone
    /// ends, which cuts its streams in flight.
    pub fn load(&self, keys: Vec<KeyRecord>) {
        let _one_at_a_time = self.loading.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.keys.load_full();
        let mut after = Snapshot::with_capacity(keys.len());
        for record in keys {
            let place = place(&record.hash);
            let entry = match before.get(&place) {
                Some(entry) if entry.record == record => entry.clone(),
                _ => Arc::new(Entry::new(record, &self.board)),
            };
            after.insert(place, entry);
        }
        let after = Arc::new(after);
        self.keys.store(after.clone());
        self.suspended.store(false, Ordering::Release);
        for (place, entry) in &*before {
            if !after.get(place).is_some_and(|now| Arc::ptr_eq(now, entry)) {
                entry.principal.lease.end();
            }
        }
    }

    /// Replaces the sessions; to be called after [`Identity::load`], for a session lies within the API keys it was opened with. A session
    /// whose record is as it was keeps its lease; the leases of the others end.
    pub fn load_sessions(&self, sessions: Vec<SessionRecord>) {
        let keys = self.keys.load();
        let leases: AHashMap<&str, &Arc<Lease>> =
            keys.values().map(|entry| (&*entry.record.id, &entry.principal.lease)).collect();
        self.sessions.load(sessions, |id| leases.get(id).map(|lease| (*lease).clone()));
    }

    /// Makes a session, which holds once its record was loaded.
    ///
    /// # Errors
    /// When there are no random bytes.
    pub fn open_session(&self, new: NewSession<'_>) -> Result<(Secret<String>, SessionRecord), SealError> {
        self.sessions.create(new)
    }

    /// The key that a request proves to hold beside its credential, so that what it asks for can be bound to that key.
    ///
    /// # Errors
    /// `CS0206` and `CS0207` as [`Identity::identify`].
    pub async fn introduce(&self, presented: &Presented<'_>, now: Timestamp) -> Result<Confirmation, Refusal> {
        self.dpop.introduce(presented, now).await.map(Confirmation::Key)
    }

    /// Refuses every credential until the next [`Identity::load`]. For when the store cannot be read, so that nobody can say
    /// what has been revoked meanwhile. Answers in flight run on, as far as their lease goes.
    pub fn suspend(&self) {
        let _one_at_a_time = self.loading.lock().unwrap_or_else(PoisonError::into_inner);
        self.suspended.store(true, Ordering::Release);
    }

    /// Believes credentials again, when everything has been read anew.
    pub fn resume(&self) {
        let _one_at_a_time = self.loading.lock().unwrap_or_else(PoisonError::into_inner);
        self.suspended.store(false, Ordering::Release);
    }

    /// Replaces the rules for certificates. The lease of a certificate that now maps to someone else, or to nobody, ends.
    pub fn set_rules(&self, rules: Vec<CertificateRule>) {
        self.certificates.set_rules(rules);
    }

    /// The revocations in force. Whatever is put on it holds for the next request and for the next bytes of every answer.
    #[must_use]
    pub const fn board(&self) -> &Arc<Board> {
        &self.board
    }

    /// The issuers of access tokens and their keys.
    #[must_use]
    pub const fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// The sessions of browsers.
    #[must_use]
    pub const fn browsers(&self) -> &Browsers {
        &self.browsers
    }

    /// A nonce for the caller's next proof of possession.
    #[must_use]
    pub fn nonce(&self, now: Timestamp) -> String {
        self.dpop.nonce(now)
    }

    /// Says who asks. When a request shows a key, a token or a browser's session and a certificate, the certificate is ignored,
    /// unless the token is bound to it: it may belong to a machine in between.
    ///
    /// # Errors
    /// `CS0201` when nothing is presented, `CS0202` when it is malformed, unknown or contradicts itself, `CS0203` when it
    /// has expired, `CS0204` when it was revoked, `CS0205` while the issuer's keys are not at hand, `CS0404` while all are
    /// suspended, `CS0402` when more certificates are in use at once, or more proofs remembered, than can be held, `CS0206` when the
    /// key that a token is bound to is not proved, `CS0207` when the proof holds no nonce.
    pub async fn identify(
        &self,
        request: RequestId,
        now: Timestamp,
        peer: Peer,
        presented: &Presented<'_>,
    ) -> Result<Identified, Refusal> {
        let shown = presented.shown()?;
        if shown.is_some() || presented.cookie.is_some() || presented.certificate.is_some() {
            self.confirm_store()?;
        }
        let principal = match (shown, presented.cookie, presented.certificate) {
            (Some(_), Some(_), _) => {
                return Err(Refusal::new(Code::BadCredential, "a browser's session and a key or token are presented"));
            }
            (Some(Shown::Key(key)), ..) => self.by_key(key, now)?,
            (Some(Shown::Token { text, scheme }), ..) => self.by_token(text, scheme, presented, now).await?,
            (None, Some(cookie), _) => self.browsers.principal(cookie, now)?,
            (None, None, Some(certificate)) => self.certificates.principal(certificate, now)?,
            (None, None, None) => return Err(Refusal::new(Code::NoCredential, "no credential was presented")),
        };
        Ok(Identified::new(&self.stamp, request, now, peer, principal))
    }

    async fn by_token(
        &self,
        text: &[u8],
        scheme: Scheme,
        presented: &Presented<'_>,
        now: Timestamp,
    ) -> Result<Arc<Principal>, Refusal> {
        let (principal, token) = if text.starts_with(session::PREFIX.as_bytes()) {
            let hash = digest(&SHA256, text).as_ref().first_chunk().copied().unwrap_or_default();
            (self.sessions.principal(text, now)?, hash)
        } else if memchr::memchr_iter(b'.', text).take(3).count() == 2 {
            self.tokens.principal(text, now)?
        } else {
            self.tokens.introspected(text, &*self.introspect, now).await?
        };
        let refused = |code, why: &'static str| Err(Refusal::new(code, why));
        match (principal.bound(), scheme) {
            (None, Scheme::Bearer) => {}
            (Some(Confirmation::Certificate(hash)), Scheme::Bearer) => {
                if presented.certificate.is_none_or(|der| digest(&SHA256, der).as_ref() != hash) {
                    return refused(Code::BadCredential, "the token is bound to another certificate");
                }
            }
            (Some(Confirmation::Key(key)), Scheme::Dpop) => self.dpop.prove(presented, &token, &key, now).await?,
            // RFC 9449, section 7.1: neither may stand for the other, lest a stolen token be used without its key.
            (Some(Confirmation::Key(_)), Scheme::Bearer) => {
                return refused(Code::BadProof, "the token is bound to a key and came as a bearer token");
            }
            (None | Some(Confirmation::Certificate(_)), Scheme::Dpop) => {
                return refused(Code::BadProof, "the token is bound to no key");
            }
        }
        Ok(principal)
    }

    fn by_key(&self, text: &[u8], now: Timestamp) -> Result<Arc<Principal>, Refusal> {
        if !key::is_well_formed(text) {
            return Err(Refusal::new(Code::BadCredential, "the credential is neither an API key nor an access token"));
        }
        let keys = self.keys.load();
        let entry = self
            .hasher
            .hashes(text)
            .find_map(|hash| keys.get(&place(&hash)).filter(|entry| bool::from(entry.record.hash.ct_eq(&hash))))
            .ok_or_else(|| Refusal::new(Code::BadCredential, "the API key is unknown"))?;
        let (record, lease) = (&entry.record, &entry.principal.lease);
        if lease.stands(now) {
            Ok(entry.principal.clone())
        } else if record.revoked_at.is_none() && record.expires.is_some_and(|end| end <= now) {
            Err(Refusal::new(Code::ExpiredCredential, format!("key `{}` has expired", record.id)))
        } else {
            // Also when a reload ended the lease a moment ago.
            Err(Refusal::new(Code::RevokedCredential, format!("key `{}` was revoked", record.id)))
        }
    }

    fn confirm_store(&self) -> Result<(), Refusal> {
        if self.suspended.load(Ordering::Acquire) {
            let away = Refusal::new(Code::OutOfTouch, "the store cannot be read, so no credential can be confirmed");
            return Err(Refusal { retry_after: Some(Duration::from_secs(1)), ..away });
        }
        Ok(())
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("keys", &self.keys.load().len()).finish_non_exhaustive()
    }
}

/// Keys by the first half of their hash. The whole hash is compared in constant time afterwards, though it is keyed and
/// nobody outside can steer it.
type Snapshot = AHashMap<[u8; PLACE], Arc<Entry>>;

struct Entry {
    record: KeyRecord,
    principal: Arc<Principal>,
}

impl Entry {
    fn new(record: KeyRecord, board: &Arc<Board>) -> Self {
        let KeyRecord { tenant, subject, id, roles, .. } = &record;
        let covering = Target::covering(tenant, subject, id, roles, None);
        let lease = Lease::new(record.expires).under(board.clone(), covering, record.created);
        if record.revoked_at.is_some() {
            lease.end();
        }
        let principal = Arc::new(Principal {
            tenant: record.tenant.clone(),
            subject: record.subject.clone(),
            kind: record.kind,
            roles: record.roles.as_slice().into(),
            scopes: record.scopes.as_slice().into(),
            credential: record.id.clone(),
            method: Method::ApiKey,
            claims: None,
            session: None,
            lease: Arc::new(lease),
        });
        Self { record, principal }
    }
}

fn place(hash: &[u8; 32]) -> [u8; PLACE] {
    hash.first_chunk().copied().unwrap_or_default()
}

const PLACE: usize = 16;

#[cfg(test)]
mod tests;
