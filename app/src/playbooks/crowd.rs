//! How many were seen within a day, by all nodes together and through restarts.
//!
//! Kept are the smallest hashes of those who were seen: a thousand say how many there are to a few in a hundred, and what several nodes
//! keep is put together without anybody being counted twice.

use std::collections::BTreeSet;

use aws_lc_rs::digest::{SHA256, digest};
use countersign_core::{Event, Timestamp};
use countersign_store::Sketch;
use data_encoding::BASE64;

/// Who was seen in this half of a day and in the one before it.
#[derive(Default)]
pub(super) struct Crowd {
    /// Halves of days since 1970.
    half: u64,
    now: Smallest,
    before: Smallest,
}

/// The smallest of many hashes.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
struct Smallest(BTreeSet<u64>);

impl Crowd {
    pub(super) fn saw(&mut self, event: &Event) {
        let Some(who) = &event.who else { return };
        self.turn(half(event.ended));
        self.now.add(hash(&who.tenant, &who.subject));
    }

    /// What others are told, at `now`.
    pub(super) fn sketches(&mut self, now: Timestamp) -> [Sketch; 2] {
        self.turn(half(now));
        let sketch = |half, smallest: &Smallest| Sketch { half, hashes: smallest.write() };
        [sketch(self.half.saturating_sub(1), &self.before), sketch(self.half, &self.now)]
    }

    /// Takes in what this node and others have kept. What cannot be read is passed over.
    pub(super) fn join(&mut self, all: &[Sketch]) {
        for sketch in all {
            let to = match self.half.checked_sub(sketch.half) {
                Some(0) => &mut self.now,
                Some(1) => &mut self.before,
                _ => continue,
            };
            Smallest::read(&sketch.hashes).into_iter().flatten().for_each(|hash| to.add(hash));
        }
    }

    pub(super) fn count(&self) -> usize {
        let mut all = self.now.clone();
        self.before.0.iter().for_each(|hash| all.add(*hash));
        all.count()
    }

    fn turn(&mut self, half: u64) {
        match half.checked_sub(self.half) {
            None | Some(0) => return,
            Some(1) => self.before = std::mem::take(&mut self.now),
            Some(_) => (self.before, self.now) = <(Smallest, Smallest)>::default(),
        }
        self.half = half;
    }
}

impl Smallest {
    fn add(&mut self, hash: u64) {
        // Nearly everybody's is larger, once there are many.
        if self.0.len() == KEPT && self.0.last().is_some_and(|last| hash >= *last) {
            return;
        }
        self.0.insert(hash);
        if self.0.len() > KEPT {
            self.0.pop_last();
        }
    }

    fn count(&self) -> usize {
        match self.0.last() {
            // As many as were kept lie below the largest of them; so many more lie above it.
            Some(last) if self.0.len() == KEPT => {
                let all = u128::from(u64::MAX) * (KEPT as u128 - 1) / u128::from(*last).max(1);
                usize::try_from(all).unwrap_or(usize::MAX)
            }
            _ => self.0.len(),
        }
    }

    fn write(&self) -> String {
        BASE64.encode(&self.0.iter().flat_map(|hash| hash.to_be_bytes()).collect::<Vec<_>>())
    }

    fn read(text: &str) -> Option<Vec<u64>> {
        let bytes = BASE64.decode(text.as_bytes()).ok()?;
        let (hashes, rest) = bytes.as_chunks::<8>();
        rest.is_empty().then(|| hashes.iter().map(|hash| u64::from_be_bytes(*hash)).collect())
    }
}

/// The same on every node. A name cannot end the tenant's early: its length comes first.
fn hash(tenant: &str, subject: &str) -> u64 {
    let text = [&(tenant.len() as u64).to_be_bytes(), tenant.as_bytes(), subject.as_bytes()].concat();
    let hash = digest(&SHA256, &text);
    hash.as_ref().first_chunk().copied().map_or(0, u64::from_be_bytes)
}

const fn half(at: Timestamp) -> u64 {
    at.seconds() / (12 * 3_600)
}

const KEPT: usize = 1_024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::tests::refused;

    fn at(half: u64) -> Timestamp {
        Timestamp(half * 12 * 3_600_000_000)
    }

    fn crowd(of: std::ops::Range<usize>, when: Timestamp) -> Crowd {
        let mut crowd = Crowd::default();
        of.for_each(|n| crowd.saw(&refused(&format!("u{n}"), 0, when)));
        crowd
    }

    #[test]
    fn everybody_is_counted_once_by_whichever_node_and_through_a_restart() {
        let (mut one, mut other) = (crowd(0..600, at(9)), crowd(300..900, at(9)));
        assert_eq!((one.count(), other.count()), (600, 600));
        one.join(&other.sketches(at(9)));
        assert_eq!(one.count(), 900);
        let mut again = Crowd::default();
        let kept = one.sketches(at(9));
        again.sketches(at(9));
        again.join(&kept);
        assert_eq!(again.count(), 900);
        // Half a day later they count, after a whole one they do not.
        again.saw(&refused("u1", 0, at(10)));
        again.saw(&refused("new", 0, at(10)));
        assert_eq!(again.count(), 901);
        again.saw(&refused("new", 0, at(11)));
        assert_eq!(again.count(), 2);
        again.saw(&refused("new", 0, at(13)));
        assert_eq!(again.count(), 1);
        // What is nothing is passed over, and what is of another time, too.
        again.join(&[Sketch { half: 13, hashes: "AAAA".into() }, Sketch { half: 13, hashes: "?".into() }]);
        again.join(&kept);
        assert_eq!(again.count(), 1);
    }

    #[test]
    fn many_are_counted_to_a_few_in_a_hundred_in_a_thousand_hashes() {
        for many in [1_000, 10_000, 50_000] {
            let mut crowd = crowd(0..many, at(9));
            let count = crowd.count();
            assert!(count.abs_diff(many) * 100 <= many * 8, "{count} of {many}");
            assert!(crowd.sketches(at(9))[1].hashes.len() <= KEPT * 8 * 4 / 3 + 4);
        }
    }
}
