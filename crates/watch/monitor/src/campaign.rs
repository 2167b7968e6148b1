//! The same template from many accounts: the sketches of texts that read like attacks, for a while, whoever sent them.

use ahash::RandomState;
use countersign_core::{Event, Principal, Sketch, Timestamp};

/// The last suspicious texts of everybody, in a ring.
#[derive(Default)]
pub(crate) struct Campaigns {
    ring: Vec<Seen>,
    next: usize,
}

struct Seen {
    sketch: Sketch,
    tenant: u64,
    who: u64,
    at: Timestamp,
}

impl Campaigns {
    /// How many others of the tenant have sent what this event did, lately; none where nobody has.
    pub(crate) fn joined(&mut self, event: &Event, who: &Principal, key: &RandomState) -> Option<usize> {
        let sketch = event.glimpse.sketch?;
        let (tenant, me) = (key.hash_one(&who.tenant), key.hash_one((&who.tenant, &who.subject)));
        let mut others = [0_u64; COUNTED];
        let mut count = 0;
        for seen in &self.ring {
            let fresh = event.at.since(seen.at).as_secs() < LATELY;
            if seen.tenant != tenant || seen.who == me || !fresh || sketch.shares(seen.sketch) < ALIKE {
                continue;
            }
            if !others.iter().take(count).any(|other| *other == seen.who)
                && let Some(place) = others.get_mut(count)
            {
                *place = seen.who;
                count += 1;
            }
        }
        let seen = Seen { sketch, tenant, who: me, at: event.at };
        match self.ring.get_mut(self.next) {
            Some(place) => *place = seen,
            None => self.ring.push(seen),
        }
        self.next = (self.next + 1) % KEPT;
        (count > 0).then_some(count)
    }
}

/// Samples that two texts of one template share. Of texts that have nothing to do with each other, one pair in some hundred
/// thousand does.
pub(crate) const ALIKE: u32 = 8;
const KEPT: usize = 512;
/// More others than these add nothing.
const COUNTED: usize = 8;
/// Seconds: a day.
const LATELY: u64 = 24 * 60 * 60;
