//! A bounded memory of verdicts, shared by many threads.
//!
//! Four places for each of 512 sets, each set under its own lock, the oldest place overwritten: a caller who asks a million
//! different things costs time, never memory.

use std::sync::{Mutex, PoisonError};

use ahash::RandomState;

use crate::facts::{Facts, Key};

const SETS: usize = 512;
const WAYS: usize = 4;

/// Remembers a `V` for each question.
pub(crate) struct Cache<V> {
    sets: Box<[Mutex<Set<V>>]>,
    hasher: RandomState,
}

struct Set<V> {
    places: [Option<Place<V>>; WAYS],
    oldest: usize,
}

struct Place<V> {
    hash: u64,
    key: Box<Key>,
    value: V,
}

impl<V: Clone> Cache<V> {
    /// An empty cache.
    pub(crate) fn new() -> Self {
        let empty = || Mutex::new(Set { places: [const { None }; WAYS], oldest: 0 });
        Self { sets: (0..SETS).map(|_| empty()).collect(), hasher: RandomState::new() }
    }

    /// What is remembered for `facts`, or else what `make` says, which is remembered from then on.
    ///
    /// `make` runs without a lock, so two threads may make the same value at the same time.
    pub(crate) fn get_or(&self, facts: &Facts<'_>, make: impl FnOnce() -> V) -> V {
        let hash = self.hasher.hash_one(facts);
        let Some(set) = self.sets.get(hash as usize % SETS) else { return make() };
        // INVARIANT: nothing under the lock can panic half-way through a change, so a poisoned set is still whole.
        let locked = set.lock().unwrap_or_else(PoisonError::into_inner);
        let found = locked.places.iter().flatten().find(|p| p.hash == hash && p.key.facts() == *facts);
        if let Some(place) = found {
            return place.value.clone();
        }
        drop(locked);
        let value = make();
        if facts.keepable() {
            let place = Place { hash, key: Box::new(facts.to_key()), value: value.clone() };
            let mut locked = set.lock().unwrap_or_else(PoisonError::into_inner);
            let oldest = locked.oldest;
            locked.oldest = (oldest + 1) % WAYS;
            let previous = locked.places.get_mut(oldest).and_then(|p| p.replace(place));
            drop(locked);
            drop(previous);
        }
        value
    }
}
