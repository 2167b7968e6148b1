//! A bounded table of timelines. When it is full, a new one takes the place of the calmest of a few, so that a flood of new
//! sessions pushes out what is calm and keeps what is not.

use std::{collections::HashMap, hash::BuildHasherDefault, hash::Hasher, sync::Arc};

use countersign_core::{Target, Timestamp};

use crate::timeline::Timeline;

/// The table. Timelines stand in blocks that are never moved, so that growing copies nothing and memory follows use.
pub(crate) struct Table {
    most: usize,
    at: HashMap<u64, u32, BuildHasherDefault<Kept>>,
    blocks: Vec<Vec<Timeline>>,
    /// Where the last search for a calm one ended.
    hand: usize,
}

/// Keys are hashes already.
#[derive(Default)]
pub(crate) struct Kept(u64);

impl Hasher for Kept {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
}

impl Table {
    pub(crate) fn new(most: usize) -> Self {
        let most = most.clamp(1, u32::MAX as usize);
        Self { most, at: HashMap::default(), blocks: vec![Vec::new()], hand: 0 }
    }

    /// The timeline under `key`, made where there is none, and its place.
    pub(crate) fn entry(
        &mut self,
        key: u64,
        make: impl FnOnce() -> (Target, Arc<str>),
        now: Timestamp,
    ) -> (usize, &mut Timeline) {
        let place = match self.at.get(&key) {
            Some(place) => *place as usize,
            None => {
                let (of, tenant) = make();
                self.put(Timeline::new(key, of, tenant, now))
            }
        };
        // INVARIANT: every place in the map is one that was put, and nothing is ever taken out of the blocks.
        (place, &mut self.blocks[place / BLOCK][place % BLOCK])
    }

    /// Takes in a timeline that was kept, where there is none of whom it is.
    pub(crate) fn put_back(&mut self, timeline: Timeline) {
        if !self.at.contains_key(&timeline.key()) {
            self.put(timeline);
        }
    }

    /// Some of the timelines; none beyond the last.
    pub(crate) fn block(&self, block: usize) -> Option<&[Timeline]> {
        self.blocks.get(block).map(Vec::as_slice)
    }

    fn put(&mut self, timeline: Timeline) -> usize {
        let place = if self.at.len() < self.most {
            let place = self.at.len();
            if self.blocks.last().is_none_or(|block| block.len() == BLOCK) {
                self.blocks.push(Vec::new());
            }
            if let Some(block) = self.blocks.last_mut() {
                block.push(timeline);
            }
            place
        } else {
            let place = self.calmest(timeline.last());
            if let Some(old) = self.get_mut(place) {
                let key = std::mem::replace(old, timeline).key();
                self.at.remove(&key);
            }
            place
        };
        if let Some(key) = self.get_mut(place).map(|timeline| timeline.key()) {
            self.at.insert(key, place as u32);
        }
        place
    }

    /// The calmest of the next few, and of those that are as calm the one that was silent for longest.
    fn calmest(&mut self, now: Timestamp) -> usize {
        let few = (0..LOOKED_AT).map(|step| (self.hand + step) % self.at.len());
        let weigh = |place: &usize| {
            self.blocks.get(place / BLOCK).and_then(|block| block.get(place % BLOCK)).map(|t| (t.score(now), t.last()))
        };
        let calmest = few.min_by_key(weigh).unwrap_or_default();
        self.hand = (self.hand + LOOKED_AT) % self.at.len();
        calmest
    }

    pub(crate) fn get_mut(&mut self, place: usize) -> Option<&mut Timeline> {
        self.blocks.get_mut(place / BLOCK)?.get_mut(place % BLOCK)
    }

    pub(crate) fn find(&self, key: u64, of: &Target) -> Option<&Timeline> {
        let place = *self.at.get(&key)? as usize;
        self.blocks.get(place / BLOCK)?.get(place % BLOCK).filter(|timeline| timeline.of() == of)
    }

    pub(crate) fn find_mut(&mut self, key: u64, of: &Target) -> Option<&mut Timeline> {
        let place = *self.at.get(&key)? as usize;
        self.get_mut(place).filter(|timeline| timeline.of() == of)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Timeline> {
        self.blocks.iter().flatten()
    }

    pub(crate) fn len(&self) -> usize {
        self.at.len()
    }
}

const BLOCK: usize = 1024;
/// How many are compared for one place.
const LOOKED_AT: usize = 8;
