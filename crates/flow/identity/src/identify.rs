//! The stage itself: from what was presented to who asks.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use ahash::AHashMap;
use arc_swap::ArcSwap;
use countersign_core::{
    Board, Code, Lease, Principal, Refusal, RequestId, Target, Timestamp,
    life::{Identified, Peer, Stamp, stage},
    principal::Method,
};
use countersign_seal::KeyHasher;
use countersign_store::KeyRecord;
use subtle::ConstantTimeEq;

use crate::{CertificateRule, Presented, Tokens, certificate::Certificates, key, presented::Shown};

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
    board: Arc<Board>,
}

impl Identity {
    /// The stage, with no keys and no issuers yet. `hasher` is the ring's for [`key::PURPOSE`].
    #[must_use]
    pub fn new(stamp: Stamp<stage::Identify>, hasher: KeyHasher, rules: Vec<CertificateRule>) -> Self {
        let board = Arc::<Board>::default();
        Self {
            stamp,
            hasher,
            keys: ArcSwap::default(),
            loading: Mutex::default(),
            suspended: AtomicBool::new(false),
            certificates: Certificates::new(rules, board.clone()),
            tokens: Tokens::new(board.clone()),
            board,
        }
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

    /// Refuses every API key until the next [`Identity::load`]. For when the store cannot be read, so that nobody can say
    /// whether a key has been revoked meanwhile. Answers in flight run on, as far as their lease goes.
    pub fn suspend(&self) {
        let _one_at_a_time = self.loading.lock().unwrap_or_else(PoisonError::into_inner);
        self.suspended.store(true, Ordering::Release);
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

    /// Says who asks. When a request shows a key or token and a certificate, the key or token decides and the certificate is
    /// ignored, unless the token is bound to it: it may belong to a machine in between.
    ///
    /// # Errors
    /// `CS0201` when nothing is presented, `CS0202` when it is malformed, unknown or contradicts itself, `CS0203` when it
    /// has expired, `CS0204` when it was revoked, `CS0205` while the issuer's keys are not at hand, `CS0901` while API keys are
    /// suspended, `CS0402` when more certificates are in use at once than can be held.
    pub fn identify(
        &self,
        request: RequestId,
        now: Timestamp,
        peer: Peer,
        presented: &Presented<'_>,
    ) -> Result<Identified, Refusal> {
        let principal = match (presented.shown()?, presented.certificate) {
            (Some(Shown::Key(key)), _) => self.by_key(key, now)?,
            (Some(Shown::Token(token)), certificate) => self.tokens.principal(token, certificate, now)?,
            (None, Some(certificate)) => self.certificates.principal(certificate, now)?,
            (None, None) => return Err(Refusal::new(Code::NoCredential, "no credential was presented")),
        };
        Ok(Identified::new(&self.stamp, request, now, peer, principal))
    }

    fn by_key(&self, text: &[u8], now: Timestamp) -> Result<Arc<Principal>, Refusal> {
        if !key::is_well_formed(text) {
            return Err(Refusal::new(Code::BadCredential, "the credential is neither an API key nor an access token"));
        }
        if self.suspended.load(Ordering::Acquire) {
            return Err(Refusal::new(Code::Internal, "the key store cannot be read, so no key can be confirmed"));
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
