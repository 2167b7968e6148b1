//! Session credentials: short-lived, opened on access that was granted, bound to a key.
//!
//! A credential looks like an API key but for its prefix, `css_`, and is kept like one, as a keyed hash. It is worth nothing without
//! the key it is bound to, and over as soon as its time, its grant, or any credential that it was opened with is.
//!
//! Threats it answers: standing permissions; a credential that is copied; one that outlives the trust it came from; a clock that is set
//! back to make it last.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use ahash::AHashMap;
use arc_swap::ArcSwap;
use countersign_core::{
    Board, Code, Confirmation, Lease, Principal, Refusal, Secret, Target, Timestamp,
    access::{Case, Session},
    principal::Method,
};
use countersign_seal::{KeyHasher, SealError};
use countersign_store::SessionRecord;
use data_encoding::BASE32_DNSSEC;
use subtle::ConstantTimeEq;

use crate::key;

/// What every session credential begins with.
pub const PREFIX: &str = "css_";
/// The purpose under which a ring gives the hasher for session credentials.
pub const PURPOSE: &str = "session";

/// What a session is to be opened on.
pub struct NewSession<'a> {
    /// The case, granted.
    pub case: Arc<Case>,
    /// The credentials it is opened with: the holder's, and that of whoever acts.
    pub with: &'a [&'a Principal],
    /// The key it is bound to.
    pub bound: Confirmation,
    /// Who acts for the holder, the newest first.
    pub acts: Vec<Arc<str>>,
    /// The present time.
    pub now: Timestamp,
    /// The first moment at which it is over; no later than the grant and the credentials it is opened with.
    pub expires: Timestamp,
}

/// Makes a session. The credential is shown to its bearer once and kept nowhere; the record goes to the store.
fn create(hasher: &KeyHasher, new: NewSession<'_>) -> Result<(Secret<String>, SessionRecord), SealError> {
    let text = key::mint(PREFIX)?;
    let hash = hasher.hash(text.expose().as_bytes());
    let mut covering = Vec::new();
    let mut issued = new.now;
    for (targets, at) in new.with.iter().filter_map(|principal| principal.lease.revocable()) {
        covering.extend(targets.iter().filter(|target| !covering.contains(*target)).cloned().collect::<Vec<_>>());
        issued = issued.min(at);
    }
    let (short, _) = hash.split_at(10);
    let record = SessionRecord {
        id: format!("ses_{}", BASE32_DNSSEC.encode(short)).into(),
        case: new.case,
        hash,
        bound: new.bound,
        acts: new.acts,
        covering,
        issued,
        created: new.now,
        expires: new.expires,
    };
    Ok((text, record))
}

/// Knows every session there is.
pub(crate) struct Sessions {
    hasher: KeyHasher,
    board: Arc<Board>,
    all: ArcSwap<Snapshot>,
    /// The latest time seen. Sessions live by it, so that a clock set back makes none last longer.
    latest: AtomicU64,
}

impl Sessions {
    pub(crate) fn new(hasher: KeyHasher, board: Arc<Board>) -> Self {
        Self { hasher, board, all: ArcSwap::default(), latest: AtomicU64::new(0) }
    }

    /// As [`create`].
    pub(crate) fn create(&self, new: NewSession<'_>) -> Result<(Secret<String>, SessionRecord), SealError> {
        create(&self.hasher, new)
    }

    /// Replaces the sessions; `lease_of` has the lease of the API key of an id. A session whose record is as it was keeps its lease; the
    /// leases of the others end.
    pub(crate) fn load(&self, records: Vec<SessionRecord>, lease_of: impl Fn(&str) -> Option<Arc<Lease>>) {
        let before = self.all.load_full();
        let mut after = Snapshot::with_capacity(records.len());
        for record in records {
            let entry = match before.get(&record.hash) {
                Some(entry) if entry.record == record => entry.clone(),
                _ => Arc::new(Entry::new(record, &self.board, &lease_of)),
            };
            after.insert(entry.record.hash, entry);
        }
        let after = Arc::new(after);
        self.all.store(after.clone());
        for (hash, entry) in &*before {
            if !after.get(hash).is_some_and(|now| Arc::ptr_eq(now, entry)) {
                entry.principal.lease.end();
            }
        }
    }

    /// Who the bearer of a credential is; the key it is bound to is still to be proved.
    pub(crate) fn principal(&self, text: &[u8], now: Timestamp) -> Result<Arc<Principal>, Refusal> {
        let unknown = || Refusal::new(Code::BadCredential, "the session credential is unknown, or its session is over");
        if !key::is_minted(PREFIX, text) {
            return Err(Refusal::new(Code::BadCredential, "the session credential is malformed"));
        }
        let all = self.all.load();
        let entry = self
            .hasher
            .hashes(text)
            .find_map(|hash| all.get(&hash).filter(|entry| bool::from(entry.record.hash.ct_eq(&hash))));
        let entry = entry.ok_or_else(unknown)?;
        let latest = Timestamp(self.latest.fetch_max(now.0, Ordering::AcqRel).max(now.0));
        if now < entry.record.created {
            return Err(Refusal::new(Code::BadCredential, "the session was opened later than it is now"));
        }
        let lease = &entry.principal.lease;
        if lease.stands(latest) {
            Ok(entry.principal.clone())
        } else if !lease.ended() && lease.expires().is_some_and(|end| end <= latest) {
            Err(Refusal::new(Code::ExpiredCredential, format!("session `{}` is over", entry.record.id)))
        } else {
            Err(Refusal::new(Code::RevokedCredential, format!("session `{}` was ended", entry.record.id)))
        }
    }
}

/// By the hash of their credential, which is keyed, so that nobody outside can steer where one stands.
type Snapshot = AHashMap<[u8; 32], Arc<Entry>>;

struct Entry {
    record: SessionRecord,
    principal: Arc<Principal>,
}

impl Entry {
    fn new(record: SessionRecord, board: &Arc<Board>, lease_of: impl Fn(&str) -> Option<Arc<Lease>>) -> Self {
        let case = &record.case;
        let (roles, ends) = case.grant.as_ref().map_or((&[][..], Timestamp(0)), |grant| (&grant.roles[..], grant.ends));
        let expires = Some(record.expires.min(ends));
        // Of the credentials it was opened with, an API key has a lease that others can end.
        let mut lease = Lease::new(expires);
        for target in &record.covering {
            if let Target::Credential(id) = target
                && id.starts_with("key_")
            {
                match lease_of(id) {
                    Some(outer) => lease = lease.and_within(outer),
                    None => lease.end(),
                }
            }
        }
        let own = [Target::Credential(record.id.clone()), Target::Credential(case.id.clone())];
        let covering =
            record.covering.iter().cloned().chain(own).chain(roles.iter().cloned().map(Target::Role)).collect();
        let session = Session {
            id: record.id.clone(),
            case: case.id.clone(),
            access: case.access.clone(),
            things: case.things.clone(),
            purpose: case.purpose.as_str().into(),
            glass: case.glass,
            acts: record.acts.clone(),
            bound: record.bound,
        };
        let restricts = |thing: &&Arc<str>| thing.starts_with("model:") || thing.starts_with("tool:");
        let principal = Arc::new(Principal {
            tenant: case.holder.tenant.clone(),
            subject: case.holder.subject.clone(),
            kind: case.kind,
            roles: roles.into(),
            scopes: case.things.iter().filter(restricts).cloned().collect(),
            // Rates are counted by the case: another session on it is no fresh allowance.
            credential: case.id.clone(),
            method: Method::Session,
            claims: None,
            session: Some(Arc::new(session)),
            lease: Arc::new(lease.under(board.clone(), covering, record.issued)),
        });
        Self { record, principal }
    }
}

#[cfg(test)]
mod tests;
