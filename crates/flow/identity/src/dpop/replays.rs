//! Which proofs were used, for as long as they could be used again.

use std::{
    collections::BTreeMap,
    pin::Pin,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use ahash::AHashSet;
use countersign_core::Timestamp;

/// Remembers proofs that were used. What several gateways share has to be asked of elsewhere, hence the future.
pub trait Replays: Send + Sync {
    /// Claims the proof of this id, which could be used until `until`, for one request.
    fn claim(&self, id: [u8; 16], until: Timestamp, now: Timestamp) -> Claim<'_>;
}

/// Whether a proof was claimed.
pub type Claim<'a> = Pin<Box<dyn Future<Output = Result<(), ReplayError>> + Send + 'a>>;

/// Why a proof cannot be claimed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ReplayError {
    /// It was claimed before, or so long ago that nobody knows any more.
    #[error("the proof was used before")]
    Again,
    /// No further proof can be remembered.
    #[error("there is no room to remember the proof")]
    Full,
}

/// The memory of one gateway, in process. It never forgets a proof that could still be used: when it is full, further ones are
/// refused.
#[derive(Debug)]
pub struct Seen {
    shards: Box<[Mutex<Shard>]>,
    /// Proofs that a shard holds at most.
    capacity: usize,
}

impl Seen {
    /// Remembers up to `capacity` proofs.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { shards: (0..SHARDS).map(|_| Mutex::default()).collect(), capacity: capacity / SHARDS }
    }

    fn now_claim(&self, id: [u8; 16], until: Timestamp, now: Timestamp) -> Result<(), ReplayError> {
        let shard = self.shards.get(usize::from(id[0]) % SHARDS).ok_or(ReplayError::Full)?;
        // INVARIANT: nothing panics half-way through a change, so a poisoned shard is still whole.
        shard.lock().unwrap_or_else(PoisonError::into_inner).claim(id, until, now, self.capacity)
    }
}

/// About a million: at 15,000 proofs a second more than can be open at once, in some 50 MiB if it ever fills.
impl Default for Seen {
    fn default() -> Self {
        Self::new(1 << 20)
    }
}

impl Replays for Seen {
    fn claim(&self, id: [u8; 16], until: Timestamp, now: Timestamp) -> Claim<'_> {
        Box::pin(std::future::ready(self.now_claim(id, until, now)))
    }
}

#[derive(Debug, Default)]
struct Shard {
    /// By the slot in which they end. A proof always has the same end, so only one slot has to be looked at.
    slots: BTreeMap<u64, AHashSet<[u8; 16]>>,
    held: usize,
    /// What ended before this may have been forgotten. It makes a clock that goes forth and back safe.
    forgotten: Timestamp,
}

impl Shard {
    fn claim(&mut self, id: [u8; 16], until: Timestamp, now: Timestamp, capacity: usize) -> Result<(), ReplayError> {
        while let Some(slot) = self.slots.first_entry() {
            let end = Timestamp((*slot.key()).saturating_add(1).saturating_mul(SLOT));
            if end > now {
                break;
            }
            self.held -= slot.remove().len();
            self.forgotten = end;
        }
        if until < self.forgotten {
            return Err(ReplayError::Again);
        }
        let slot = self.slots.entry(until.0 / SLOT).or_default();
        if slot.contains(&id) {
            return Err(ReplayError::Again);
        }
        if self.held >= capacity {
            return Err(ReplayError::Full);
        }
        slot.insert(id);
        self.held += 1;
        Ok(())
    }
}

const SHARDS: usize = 16;
/// Of ends, in microseconds: what ends in the same slot is forgotten at once.
const SLOT: u64 = Duration::from_secs(8).as_micros() as u64;
