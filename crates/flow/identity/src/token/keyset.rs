//! The keys of one issuer over time: what is known, when to fetch again, and how long to trust what could not be fetched again.
//!
//! A state machine without I/O: bytes and `now` come in, "fetch now" comes out. Threats: an issuer that cannot be reached (its
//! tokens are refused once the keys are older than the bound), junk instead of a set (changes nothing), keys that the issuer
//! withdrew (their tokens and streams end), strangers who make the gateway fetch by naming keys that do not exist (a pause lies
//! between fetches), and clocks that jump.

use std::{sync::Arc, time::Duration};

use ahash::AHashMap;
use countersign_core::{Lease, Timestamp};

use super::{
    Algorithm, RefusedKey, SetError,
    jwk::{self, Key},
};

/// When keys are fetched, and how long they are trusted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct KeyRules {
    /// How old keys get before they are fetched again.
    pub refresh: Duration,
    /// How old keys may be at most. Longer than `refresh`; what lies between is how long the issuer may be out of reach.
    pub max_age: Duration,
    /// What lies at least between two fetches, whoever asks.
    pub pause: Duration,
}

impl Default for KeyRules {
    fn default() -> Self {
        Self { refresh: Duration::from_mins(10), max_age: Duration::from_hours(1), pause: Duration::from_secs(10) }
    }
}

/// What a fetched set brought.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct KeyReport {
    /// Keys that were not known before.
    pub new: usize,
    /// Keys that stay.
    pub kept: usize,
    /// Keys that the issuer no longer publishes, or no longer publishes so that they are accepted.
    pub gone: usize,
    /// Keys that are published and not accepted.
    pub refused: Vec<RefusedKey>,
}

/// The keys in force. A snapshot: requests read it without a lock.
#[derive(Default)]
pub(super) struct Keys {
    by_kid: AHashMap<Box<str>, Arc<Key>>,
    fetched: Option<Timestamp>,
    max_age: Duration,
}

impl Keys {
    /// Whether the keys may be relied on at `now`: not too old, and not from what would be the future.
    pub(super) fn usable(&self, now: Timestamp) -> bool {
        self.fetched.is_some_and(|at| at <= now.plus(SLACK) && now.since(at) < self.max_age)
    }

    pub(super) fn get(&self, kid: &str) -> Option<&Arc<Key>> {
        self.by_kid.get(kid)
    }

    pub(super) fn len(&self) -> usize {
        self.by_kid.len()
    }

    pub(super) const fn fetched(&self) -> Option<Timestamp> {
        self.fetched
    }
}

/// The state machine.
pub(super) struct KeySet {
    rules: KeyRules,
    algorithms: Vec<Algorithm>,
    usage: (&'static str, bool),
    issuer: Box<dyn Fn(&str) -> bool + Send + Sync>,
    outer: Arc<Lease>,
    keys: Arc<Keys>,
    /// The last good set as it came, for when the configuration changes.
    source: Box<[u8]>,
    tried: Option<Timestamp>,
    fetching: bool,
    failures: u32,
    /// A token named a key that is not known.
    asked: bool,
}

impl KeySet {
    /// No keys yet. Keys stand within `outer`; `usage` is what their `use` says, and whether it has to; `issuer` says whether a key that names an issuer is meant for this one.
    pub(super) fn new(
        rules: KeyRules,
        algorithms: Vec<Algorithm>,
        usage: (&'static str, bool),
        issuer: Box<dyn Fn(&str) -> bool + Send + Sync>,
        outer: Arc<Lease>,
    ) -> Self {
        Self {
            rules,
            algorithms,
            usage,
            issuer,
            outer,
            keys: Arc::default(),
            source: Box::default(),
            tried: None,
            fetching: false,
            failures: 0,
            asked: false,
        }
    }

    /// The keys in force.
    pub(super) fn keys(&self) -> Arc<Keys> {
        self.keys.clone()
    }

    /// Whether to fetch now. After a yes, [`KeySet::fetched`] or [`KeySet::failed`] is waited for, for a while.
    pub(super) fn take_fetch(&mut self, now: Timestamp) -> bool {
        let due = !self.under_way(now) && self.rested(now) && (self.asked || !self.fresh(now));
        if due {
            (self.tried, self.fetching) = (Some(now), true);
        }
        due
    }

    /// A token named a key that is not known. Whether that may still change: a fetch is under way, or will be.
    pub(super) fn missed(&mut self, now: Timestamp) -> bool {
        if !self.under_way(now) && self.rested(now) {
            self.asked = true;
        }
        self.asked || self.fetching
    }

    /// What was fetched. The keys become those of the set, and no others.
    pub(super) fn fetched(&mut self, bytes: &[u8], now: Timestamp) -> Result<KeyReport, SetError> {
        let (read, refused) = match jwk::read(bytes, &self.algorithms, self.usage, &self.issuer, &self.outer) {
            Ok(read) => read,
            Err(error) => {
                self.failed();
                return Err(error);
            }
        };
        let mut report = KeyReport { refused, ..KeyReport::default() };
        let mut by_kid = AHashMap::with_capacity(read.len());
        for key in read {
            let key = match self.keys.get(&key.kid) {
                Some(known) if known.is(&key) => {
                    report.kept += 1;
                    known.clone()
                }
                _ => {
                    report.new += 1;
                    Arc::new(key)
                }
            };
            by_kid.insert(key.kid.clone(), key);
        }
        let before = std::mem::replace(
            &mut self.keys,
            Arc::new(Keys { by_kid, fetched: Some(now), max_age: self.rules.max_age }),
        );
        for (kid, key) in &before.by_kid {
            if !self.keys.get(kid).is_some_and(|still| Arc::ptr_eq(still, key)) {
                report.gone += 1;
                key.lease.end();
            }
        }
        self.source = bytes.into();
        (self.fetching, self.failures, self.asked) = (false, 0, false);
        self.tried = self.tried.max(Some(now));
        Ok(report)
    }

    /// The fetch that was asked for did not bring a set.
    pub(super) const fn failed(&mut self) {
        self.fetching = false;
        self.asked = false;
        self.failures = self.failures.saturating_add(1);
    }

    /// Takes over what another set had fetched, read anew by this one's rules.
    pub(super) fn adopt(&mut self, other: &Self) {
        if let Some(at) = other.keys.fetched {
            // Read before, so it can be read again; if not, it is fetched.
            let _ = self.fetched(&other.source, at);
        }
    }

    /// Whether a fetch has been asked for and may still come back.
    fn under_way(&self, now: Timestamp) -> bool {
        self.fetching && self.tried.is_some_and(|at| at <= now.plus(SLACK) && now.since(at) < PATIENCE)
    }

    /// Whether the pause after the last fetch is over. It grows while fetches fail.
    fn rested(&self, now: Timestamp) -> bool {
        let longest = self.rules.pause.max(Duration::from_mins(1));
        let pause = self.rules.pause.saturating_mul(1 << self.failures.saturating_sub(1).min(8)).min(longest);
        self.tried.is_none_or(|at| now.since(at) >= pause || at > now.plus(SLACK))
    }

    fn fresh(&self, now: Timestamp) -> bool {
        self.keys.usable(now) && self.keys.fetched.is_some_and(|at| now.since(at) < self.rules.refresh)
    }
}

/// How far a clock may go back without that anything has to be thought over.
const SLACK: Duration = Duration::from_mins(1);
/// After which a fetch that was asked for is given up.
const PATIENCE: Duration = Duration::from_mins(1);

#[cfg(test)]
mod tests;
