//! A key for every place of a binary tree, of which next to none is kept.
//!
//! The seed of a place makes the seeds of the two below it by HMAC-SHA256, so one seed is all that a whole tree needs (the
//! construction of Goldreich, Goldwasser and Micali). To forget a place, the seeds above it are destroyed: in their stead come
//! the seeds beside the way down to it, of which none leads there. This is a puncturable pseudorandom function.
//!
//! INVARIANT: no place that has a seed is below another. So the way to a leaf passes at most one seed, which is the greatest
//! one that is not behind the leaf.

use std::collections::BTreeMap;

use countersign_core::Secret;
use data_encoding::HEXLOWER;

use crate::{
    SealError,
    derive::KEY,
    hash::{hmac_key, hmac_sha256},
    random,
};

/// Bytes of the way from the root to a leaf.
pub(crate) const PATH: usize = 18;

/// A place: the first `depth` bits of the way to it. The rest are zeros.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Place {
    path: [u8; PATH],
    depth: u8,
}

/// A place with its seed.
#[derive(Clone)]
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) seed: Secret<[u8; KEY]>,
}

/// What forgetting a place changes.
pub(crate) struct Change {
    /// Places whose seeds are to be destroyed.
    pub(crate) gone: Vec<Place>,
    /// What comes in their stead.
    pub(crate) come: Vec<Node>,
}

/// The seeds that are left.
pub(crate) struct Tree(BTreeMap<[u8; PATH], Node>);

impl Place {
    /// Where everything begins.
    pub(crate) const ROOT: Self = Self { path: [0; PATH], depth: 0 };

    /// The first `depth` bits of `path`.
    pub(crate) fn of(path: &[u8; PATH], depth: u8) -> Self {
        let mut place = Self { path: [0; PATH], depth };
        for at in 0..depth {
            place.set(at, bit(path, at));
        }
        place
    }

    /// The name of a place where it is kept.
    pub(crate) fn name(&self) -> String {
        format!("{}-{}", self.depth, HEXLOWER.encode(&self.path))
    }

    /// The place of that name.
    pub(crate) fn read(name: &str) -> Option<Self> {
        let (depth, path) = name.split_once('-')?;
        let path = HEXLOWER.decode(path.as_bytes()).ok()?.try_into().ok()?;
        let depth: u8 = depth.parse().ok().filter(|depth| usize::from(*depth) <= PATH * 8)?;
        let place = Self::of(&path, depth);
        // One name for each.
        (place.path == path && place.name() == name).then_some(place)
    }

    /// Whether it is on the way to `path`.
    fn leads_to(&self, path: &[u8; PATH]) -> bool {
        Self::of(path, self.depth) == *self
    }

    fn set(&mut self, at: u8, on: bool) {
        if let (Some(byte), true) = (self.path.get_mut(usize::from(at / 8)), on) {
            *byte |= 0x80 >> (at % 8);
        }
    }
}

impl Tree {
    /// The tree that has these seeds.
    ///
    /// # Errors
    /// [`SealError::Damaged`] when one of them is below another.
    pub(crate) fn new(nodes: Vec<Node>) -> Result<Self, SealError> {
        let mut tree = BTreeMap::new();
        for node in nodes {
            if tree.insert(node.place.path, node).is_some() {
                return Err(SealError::Damaged);
            }
        }
        let covered = |(before, after): (&Node, &Node)| before.place.leads_to(&after.place.path);
        if tree.values().zip(tree.values().skip(1)).any(covered) {
            return Err(SealError::Damaged);
        }
        Ok(Self(tree))
    }

    /// The seed of the leaf that `path` leads to; none where nothing leads there.
    pub(crate) fn leaf(&self, path: &[u8; PATH]) -> Option<Secret<[u8; KEY]>> {
        let node = self.above(path)?;
        let mut seed = node.seed.clone();
        for at in node.place.depth..LEAF {
            seed = below(&seed, bit(path, at));
        }
        Some(seed)
    }

    /// What is to be changed so that all that is at and below `place` is forgotten, with a new seed for what comes there.
    ///
    /// # Errors
    /// [`SealError::NoRandomness`].
    pub(crate) fn forget(&self, place: Place) -> Result<Change, SealError> {
        let beneath =
            self.0.values().map(|node| node.place).filter(|p| p.depth >= place.depth && place.leads_to(&p.path));
        let mut gone: Vec<Place> = beneath.collect();
        let mut come = vec![Node { place, seed: Secret::new(random::bytes()?) }];
        if let Some(node) = self.above(&place.path).filter(|node| node.place.depth < place.depth) {
            gone.push(node.place);
            let mut seed = node.seed.clone();
            for at in node.place.depth..place.depth {
                let on = bit(&place.path, at);
                let mut beside = Place::of(&place.path, at);
                beside.depth = at + 1;
                beside.set(at, !on);
                come.push(Node { place: beside, seed: below(&seed, !on) });
                seed = below(&seed, on);
            }
        }
        Ok(Change { gone, come })
    }

    /// How many seeds are left.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    fn above(&self, path: &[u8; PATH]) -> Option<&Node> {
        self.0.range(..=*path).next_back().map(|(_, node)| node).filter(|node| node.place.leads_to(path))
    }
}

fn below(seed: &Secret<[u8; KEY]>, on: bool) -> Secret<[u8; KEY]> {
    Secret::new(hmac_sha256(&hmac_key(seed.expose()), &[u8::from(on)]))
}

fn bit(path: &[u8; PATH], at: u8) -> bool {
    path.get(usize::from(at / 8)).is_some_and(|byte| byte & (0x80 >> (at % 8)) != 0)
}

/// How deep leaves are.
#[expect(clippy::cast_possible_truncation, reason = "it is 144")]
const LEAF: u8 = (PATH * 8) as u8;

#[cfg(test)]
mod tests;
