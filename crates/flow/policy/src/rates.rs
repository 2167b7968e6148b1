//! How often and how much at once: a token bucket and a count of requests in flight for each credential, one count for all.
//!
//! Threat: one key, stolen or run wild, that uses up what everybody shares. Time comes in from outside, so that a clock
//! set back mints nothing: a bucket refills only by time it has seen go forward.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use ahash::RandomState;
use countersign_core::{Code, Principal, Quota, Refusal, Timestamp, charge::Unit};

use crate::{budget::Budgets, penalty::Strikes};

/// What callers may take.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Rates {
    /// For callers none of whose roles is named below.
    pub default: Rate,
    /// For callers with a role. The most generous of a caller's roles counts, figure by figure.
    pub roles: Vec<(String, Rate)>,
    /// Requests in flight in all.
    pub total: Option<u32>,
    /// What may be spent in a window of the calendar.
    pub budgets: Budgets,
}

/// What one credential may take. `None` is no bound.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Rate {
    /// Requests a minute, in the long run. Zero refuses every request.
    pub per_minute: Option<u64>,
    /// Requests at once after a pause; as many as `per_minute` if not given. Of no meaning without `per_minute`.
    pub burst: Option<u64>,
    /// Requests in flight.
    pub concurrent: Option<u32>,
}

impl Rates {
    /// Whether anybody has a rate.
    pub(crate) fn is_set(&self) -> bool {
        self.default != Rate::default() || !self.roles.is_empty()
    }

    /// The rate for a caller.
    #[must_use]
    pub fn of(&self, who: &Principal) -> Rate {
        let mine = self.roles.iter().filter(|(role, _)| who.roles.iter().any(|r| **r == **role)).map(|(_, rate)| *rate);
        mine.reduce(Rate::or).unwrap_or(self.default)
    }
}

impl Rate {
    fn or(self, other: Self) -> Self {
        // `None` is no bound, so it is the more generous.
        Self {
            per_minute: self.per_minute.zip(other.per_minute).map(|(a, b)| a.max(b)),
            burst: self.burst.or(self.per_minute).max(other.burst.or(other.per_minute)),
            concurrent: self.concurrent.zip(other.concurrent).map(|(a, b)| a.max(b)),
        }
    }

    /// What a full bucket holds, in parts of a request.
    fn full(self) -> Option<u64> {
        let requests = |minute| if minute == 0 { 0 } else { self.burst.unwrap_or(minute) };
        self.per_minute.map(|minute| requests(minute).saturating_mul(PARTS))
    }
}

/// Parts of one request: with as many as a minute has microseconds, a bucket gains `per_minute` parts each microsecond, exactly.
const PARTS: u64 = 60_000_000;

/// The state of every credential seen lately.
pub(crate) struct Limiter {
    shards: Box<[Mutex<Accounts>]>,
    hasher: RandomState,
    in_flight: Arc<AtomicU32>,
}

/// By credential.
type Accounts = HashMap<Arc<str>, Account, RandomState>;

struct Account {
    /// Parts left, at `seen`.
    level: u64,
    seen: Timestamp,
    rate: Rate,
    strikes: Strikes,
    in_flight: Arc<AtomicU32>,
}

/// A share of capacity; dropping it gives it back.
pub(crate) struct Hold {
    mine: Arc<AtomicU32>,
    all: Arc<AtomicU32>,
}

const SHARDS: usize = 16;
/// Credentials a shard remembers. One whose bucket is full and who has nothing in flight need not be remembered.
const MOST_ACCOUNTS: usize = 1_024;

impl Limiter {
    pub(crate) fn new() -> Self {
        let hasher = RandomState::new();
        let shard = || Mutex::new(HashMap::with_hasher(hasher.clone()));
        Self { shards: (0..SHARDS).map(|_| shard()).collect(), hasher, in_flight: Arc::default() }
    }

    /// Requests in flight in all.
    pub(crate) fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Takes one request's share for `credential`, or nothing at all.
    pub(crate) fn take(
        &self,
        credential: &Arc<str>,
        rate: Rate,
        total: Option<u32>,
        now: Timestamp,
    ) -> Result<(Hold, Option<Quota>), Refusal> {
        let mut accounts = self.accounts(credential)?;
        if !accounts.contains_key(credential) {
            if accounts.len() >= MOST_ACCOUNTS {
                accounts.retain(|_, account| !account.forgettable(now));
            }
            if accounts.len() >= MOST_ACCOUNTS {
                return Err(later(Code::Overloaded, "more credentials in use than are kept count of", SECOND));
            }
            accounts.insert(Arc::clone(credential), Account::fresh(rate, now));
        }
        let Some(account) = accounts.get_mut(credential) else {
            return Err(Refusal::new(Code::Internal, "an account vanished"));
        };
        let rate = account.strikes.tighten(rate, now);
        account.refill(rate, now);
        if rate.concurrent.is_some_and(|most| account.in_flight.load(Ordering::Acquire) >= most) {
            return Err(later(Code::RateLimited, "too many requests of the credential in flight", SECOND));
        }
        account.enough().map_err(|refusal| Refusal { quotas: account.quota().into_iter().collect(), ..refusal })?;
        add_one(&self.in_flight, total)?;
        account.level = account.level.saturating_sub(if rate.per_minute.is_some() { PARTS } else { 0 });
        // Only ever raised under this lock, so the bound above is exact.
        account.in_flight.fetch_add(1, Ordering::AcqRel);
        let hold = Hold { mine: Arc::clone(&account.in_flight), all: Arc::clone(&self.in_flight) };
        Ok((hold, account.quota()))
    }

    /// Counts a prompt of `credential` that was refused for what it says.
    pub(crate) fn strike(&self, credential: &Arc<str>, now: Timestamp) {
        // Forgotten only by whoever has asked nothing for a while, and this one just has.
        if let Ok(mut accounts) = self.accounts(credential)
            && let Some(account) = accounts.get_mut(credential)
        {
            account.strikes.add(now);
        }
    }

    fn accounts(&self, credential: &Arc<str>) -> Result<MutexGuard<'_, Accounts>, Refusal> {
        let shard = self.hasher.hash_one(credential) as usize % SHARDS;
        let Some(shard) = self.shards.get(shard) else {
            return Err(Refusal::new(Code::Internal, "no shard for a credential"));
        };
        // INVARIANT: no panic can leave an account half changed, so a poisoned shard is still whole.
        Ok(shard.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Account {
    fn fresh(rate: Rate, now: Timestamp) -> Self {
        let level = rate.full().unwrap_or_default();
        Self { level, seen: now, rate, strikes: Strikes::default(), in_flight: Arc::default() }
    }

    /// Brings the bucket up to `now`, by the rate it had, and to the size of the rate it has from now on.
    fn refill(&mut self, rate: Rate, now: Timestamp) {
        self.level = self.level_at(now);
        self.seen = now;
        if let Some(full) = rate.full() {
            // A bucket that begins to be bounded begins full; one that had a bound keeps what it had.
            self.level = if self.rate.per_minute.is_some() { self.level.min(full) } else { full };
        }
        self.rate = rate;
    }

    fn level_at(&self, now: Timestamp) -> u64 {
        let (Some(full), Some(minute)) = (self.rate.full(), self.rate.per_minute) else { return self.level };
        // Zero when the clock went back.
        let gone = u64::try_from(now.since(self.seen).as_micros()).unwrap_or(u64::MAX);
        self.level.saturating_add(gone.saturating_mul(minute)).min(full)
    }

    fn enough(&self) -> Result<(), Refusal> {
        let Some(minute) = self.rate.per_minute else { return Ok(()) };
        let Some(missing) = PARTS.checked_sub(self.level).filter(|missing| *missing > 0) else { return Ok(()) };
        let wait = if minute == 0 || self.rate.full().is_some_and(|full| full < PARTS) {
            // It will not get better by waiting; an hour keeps clients from trying in a loop.
            HOUR
        } else {
            Duration::from_micros(missing.div_ceil(minute))
        };
        Err(later(Code::RateLimited, "the credential's requests a minute are used up", wait))
    }

    /// What is left, as of the last look.
    fn quota(&self) -> Option<Quota> {
        let (full, minute) = (self.rate.full()?, self.rate.per_minute?);
        let reset = full.saturating_sub(self.level).div_ceil(minute.max(1));
        Some(Quota {
            name: Arc::from("requests"),
            unit: Unit::Requests,
            limit: minute,
            left: self.level / PARTS,
            window: MINUTE,
            reset: if minute == 0 { HOUR } else { Duration::from_micros(reset) },
        })
    }

    fn forgettable(&self, now: Timestamp) -> bool {
        self.strikes.is_clean(now)
            && self.in_flight.load(Ordering::Acquire) == 0
            && self.rate.full().is_none_or(|full| self.level_at(now) >= full)
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.mine.fetch_sub(1, Ordering::AcqRel);
        self.all.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Raises `count` by one unless it is at `most`.
fn add_one(count: &AtomicU32, most: Option<u32>) -> Result<(), Refusal> {
    let raised = count.try_update(Ordering::AcqRel, Ordering::Acquire, |now| {
        now.checked_add(1).filter(|next| most.is_none_or(|most| *next <= most))
    });
    raised.map(drop).map_err(|_| later(Code::Overloaded, "too many requests in flight in all", SECOND))
}

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

fn later(code: Code, reason: &'static str, wait: Duration) -> Refusal {
    Refusal { retry_after: Some(wait), ..Refusal::new(code, reason) }
}

#[cfg(test)]
mod tests;
