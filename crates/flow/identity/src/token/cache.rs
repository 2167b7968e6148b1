//! Tokens that were verified, by what is signed, each with the SHA-256 of its whole text.
//!
//! Threat: verifying a signature on every request costs more than all else that identity does; remembering tokens must not make
//! them live longer. So what is kept is asked each time whether its lease stands, and a token whose lease was ended is
//! remembered as such until it would have expired. From one ECDSA signature anyone can make a second that is as good; what is
//! signed stays the same, and so does the lease.

use std::sync::{Arc, PoisonError, RwLock};

use ahash::AHashMap;
use aws_lc_rs::digest::{Context, Digest, SHA256};
use countersign_core::{Principal, Timestamp};

use super::{directory::Groups, issuer::Service};

/// What a token is remembered by.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// SHA-256 of what is signed.
    signed: [u8; 32],
    /// SHA-256 of all of it.
    whole: [u8; 32],
}

impl Place {
    pub(super) fn of(token: &[u8]) -> Self {
        let bytes = |digest: Digest| digest.as_ref().first_chunk().copied().unwrap_or_default();
        let (signed, rest) = token.split_at(memchr::memrchr(b'.', token).unwrap_or_default());
        let mut hash = Context::new(&SHA256);
        hash.update(signed);
        let signed = bytes(hash.clone().finish());
        hash.update(rest);
        Self { signed, whole: bytes(hash.finish()) }
    }

    /// SHA-256 of the token.
    pub(super) const fn whole(&self) -> &[u8; 32] {
        &self.whole
    }
}

/// A verified token.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) principal: Arc<Principal>,
    pub(super) service: Arc<Service>,
    /// Not before. Asked again each time, for clocks go back.
    pub(super) begins: Timestamp,
    /// What the directory said of its bearer's groups.
    pub(super) groups: Option<Groups>,
}

impl Entry {
    /// Whether its key or issuer is gone, rather than its own time or standing. It is verified again then: the key may have come back.
    pub(super) fn is_orphan(&self, now: Timestamp) -> bool {
        let lease = &self.principal.lease;
        !lease.ended() && !lease.stands(now) && lease.expires().is_none_or(|end| now < end)
    }
}

/// What is remembered. Each shard has its own lock, so that processors do not wait for each other.
pub(super) struct Cache {
    shards: Box<[RwLock<Shard>]>,
    /// Bytes of token text that a shard holds at most.
    capacity: usize,
}

impl Cache {
    /// Remembers up to `capacity` bytes of token text.
    pub(super) fn new(capacity: usize) -> Self {
        Self { shards: (0..SHARDS).map(|_| RwLock::default()).collect(), capacity: capacity / SHARDS }
    }

    /// The token of exactly this text.
    pub(super) fn get(&self, place: &Place) -> Option<Entry> {
        let shard = self.shard(place)?.read().unwrap_or_else(PoisonError::into_inner);
        shard.entries.get(&place.signed).filter(|kept| kept.whole == place.whole).map(|kept| kept.entry.clone())
    }

    /// Remembers a verified token of `length` bytes. What stands there already wins: what was signed once has one lease, and a
    /// lease that was ended stays ended. What was made of other groups gives way; its lease stands or falls by the same board.
    pub(super) fn put(&self, place: &Place, length: usize, entry: Entry, now: Timestamp) -> Entry {
        let Some(shard) = self.shard(place) else { return entry };
        let mut shard = shard.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(there) = shard.entries.get(&place.signed)
            && !there.entry.is_orphan(now)
            && (there.entry.principal.lease.ended() || there.entry.groups == entry.groups)
        {
            return there.entry.clone();
        }
        let weight = length + OVERHEAD;
        if shard.weight + weight > self.capacity {
            shard.make_room(self.capacity, now);
        }
        shard.weight += weight;
        if let Some(old) = shard.entries.insert(place.signed, Kept { entry: entry.clone(), whole: place.whole, weight })
        {
            shard.weight -= old.weight;
        }
        entry
    }

    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|s| s.read().unwrap_or_else(PoisonError::into_inner).entries.len()).sum()
    }

    fn shard(&self, place: &Place) -> Option<&RwLock<Shard>> {
        self.shards.get(usize::from(place.signed[0]) % SHARDS)
    }
}

#[derive(Default)]
struct Shard {
    entries: AHashMap<[u8; 32], Kept>,
    weight: usize,
}

struct Kept {
    entry: Entry,
    whole: [u8; 32],
    weight: usize,
}

impl Shard {
    /// Drops what is over and, if that is not enough, what can be verified again. Two sorts stay although they may be more than the
    /// capacity: what others hold, a request in flight above all, because its lease may yet be ended (the cache is the smallest
    /// part of what it costs); and ended leases, because their tokens have to stay refused until they expire.
    fn make_room(&mut self, capacity: usize, now: Timestamp) {
        self.retain(|kept| {
            let expired = kept.entry.principal.lease.expires().is_some_and(|end| end <= now);
            !expired && !kept.entry.is_orphan(now)
        });
        // A half, so that the next ones find room without another pass.
        let mut surplus = self.weight.saturating_sub(capacity / 2);
        self.retain(|kept| {
            let principal = &kept.entry.principal;
            let stays = surplus == 0 || principal.lease.ended() || Arc::strong_count(principal) > 1;
            if !stays {
                surplus = surplus.saturating_sub(kept.weight);
            }
            stays
        });
    }

    fn retain(&mut self, mut stays: impl FnMut(&Kept) -> bool) {
        let Self { entries, weight } = self;
        entries.retain(|_, kept| {
            let stays = stays(kept);
            if !stays {
                *weight -= kept.weight;
            }
            stays
        });
    }
}

const SHARDS: usize = 16;
/// What an entry holds besides text.
const OVERHEAD: usize = 512;

#[cfg(test)]
mod tests;
