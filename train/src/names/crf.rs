//! A linear-chain conditional random field over regions, learned with AdaGrad. A token may be left open between tags: then what is
//! learned is that it has one of them.
//!
//! Deterministic: one thread, one seed, one order.

use std::{collections::HashMap, ops::Range};

use countersign_names::{
    Parts, Weights,
    decode::{TAGS, follows},
};

use crate::learn::Random;

/// A run of tokens that is decided at once.
pub(crate) struct Region {
    pub(crate) steps: Range<usize>,
    /// Share of the epochs that look at it.
    pub(crate) share: f32,
}

/// A token.
pub(crate) struct Step {
    /// Its features, in the set.
    pub(crate) features: Range<usize>,
    /// Where the features end that know the word itself.
    pub(crate) known: usize,
    /// The tags it may have, as bits.
    pub(crate) allowed: u8,
}

/// Regions with one store of features.
#[derive(Default)]
pub(crate) struct Set {
    pub(crate) features: Vec<u64>,
    pub(crate) steps: Vec<Step>,
    pub(crate) regions: Vec<Region>,
}

/// Learns, and writes the file of weights.
pub(crate) fn learn(set: &Set, lexicon: Vec<u8>) -> Vec<u8> {
    let (names, ids) = dictionary(set);
    let mut model = Model::new(names.len());
    let mut average = Average::new(names.len());
    let mut random = Random(0x9e37_79b9);
    let mut order: Vec<usize> = (0..set.regions.len()).collect();
    let mut lattice = Lattice::default();
    for epoch in 0..EPOCHS {
        random.shuffle(&mut order);
        for at in &order {
            let region = &set.regions[*at];
            if random.share() < region.share {
                model.step(set, &ids, region, &mut random, &mut lattice);
            }
        }
        for w in model.table.iter_mut().flatten() {
            *w *= 1.0 - DECAY;
        }
        if epoch * 2 >= EPOCHS {
            average.add(&model);
        }
    }
    average.write(&names, &model, lexicon)
}

/// Features that occur often enough, and the number of each one in the set.
fn dictionary(set: &Set) -> (Vec<u64>, Vec<u32>) {
    let mut counts: HashMap<u64, u32> = HashMap::new();
    for feature in &set.features {
        *counts.entry(*feature).or_default() += 1;
    }
    let mut names: Vec<u64> = counts.into_iter().filter(|(_, count)| *count >= LEAST).map(|(name, _)| name).collect();
    names.sort_unstable();
    let places: HashMap<u64, u32> = names.iter().enumerate().map(|(at, name)| (*name, at as u32)).collect();
    let ids = set.features.iter().map(|feature| places.get(feature).copied().unwrap_or(NONE)).collect();
    (names, ids)
}

struct Model {
    table: Vec<[f32; WIDE]>,
    seen: Vec<[f32; WIDE]>,
    follow: [[f32; TAGS]; TAGS],
    follow_seen: [[f32; TAGS]; TAGS],
    count: Vec<u32>,
}

/// What a region says: scores, and sums forward and backward.
#[derive(Default)]
struct Lattice {
    says: Vec<[f32; TAGS]>,
    skip: Vec<bool>,
    forward: Vec<[f32; TAGS]>,
    backward: Vec<[f32; TAGS]>,
    slope: Vec<[f32; TAGS]>,
    follow: [[f32; TAGS]; TAGS],
}

impl Model {
    fn new(features: usize) -> Self {
        Self {
            table: vec![[0.0; WIDE]; features],
            seen: vec![[1e-2; WIDE]; features],
            follow: [[0.0; TAGS]; TAGS],
            follow_seen: [[1.0; TAGS]; TAGS],
            count: vec![0; features],
        }
    }

    fn step(&mut self, set: &Set, ids: &[u32], region: &Region, random: &mut Random, lattice: &mut Lattice) {
        let steps = &set.steps[region.steps.clone()];
        lattice.says.clear();
        lattice.skip.clear();
        for step in steps {
            let skip = random.share() < DROPPED;
            let from = if skip { step.known } else { step.features.start };
            let mut sum = [0.0; WIDE];
            for id in ids[from..step.features.end].iter().filter(|id| **id != NONE) {
                for (sum, weight) in sum.iter_mut().zip(&self.table[*id as usize]) {
                    *sum += weight;
                }
            }
            lattice.skip.push(skip);
            lattice.says.push(sum[..TAGS].try_into().unwrap_or_default());
        }
        lattice.slope.clear();
        lattice.slope.resize(steps.len(), [0.0; TAGS]);
        lattice.follow = [[0.0; TAGS]; TAGS];
        let open: Vec<u8> = vec![ALL; steps.len()];
        let allowed: Vec<u8> = steps.iter().map(|step| step.allowed).collect();
        if !lattice.expect(&self.follow, &allowed, -1.0) || !lattice.expect(&self.follow, &open, 1.0) {
            return;
        }
        for ((step, skip), slope) in steps.iter().zip(&lattice.skip).zip(&lattice.slope) {
            if slope.iter().all(|slope| slope.abs() < 1e-3) {
                continue;
            }
            let from = if *skip { step.known } else { step.features.start };
            for id in ids[from..step.features.end].iter().filter(|id| **id != NONE) {
                let at = *id as usize;
                self.count[at] += 1;
                let rows = self.table[at].iter_mut().zip(&mut self.seen[at]);
                for ((weight, seen), slope) in rows.zip(slope) {
                    *seen += slope * slope;
                    *weight -= RATE * slope / seen.sqrt();
                }
            }
        }
        for from in 0..TAGS {
            for to in 0..TAGS {
                let slope = lattice.follow[from][to];
                self.follow_seen[from][to] += slope * slope;
                self.follow[from][to] -= RATE * slope / self.follow_seen[from][to].sqrt();
            }
        }
    }
}

#[expect(clippy::needless_range_loop, reason = "tags index several tables at once")]
impl Lattice {
    /// Adds `sign` times what is expected of tags and of their succession among the `allowed` ones; false where none is possible.
    fn expect(&mut self, follow: &[[f32; TAGS]; TAGS], allowed: &[u8], sign: f32) -> bool {
        let count = self.says.len();
        let mut raise = [[0.0_f32; TAGS]; TAGS];
        for from in 0..TAGS {
            for to in 0..TAGS {
                raise[from][to] = if follows(from, to) { follow[from][to].exp() } else { 0.0 };
            }
        }
        let says: Vec<[f32; TAGS]> = self
            .says
            .iter()
            .zip(allowed)
            .map(|(says, allowed)| {
                let most = says.iter().copied().fold(f32::MIN, f32::max);
                let mut out = [0.0; TAGS];
                for (tag, out) in out.iter_mut().enumerate().filter(|(tag, _)| allowed >> tag & 1 == 1) {
                    *out = (says[tag] - most).max(-60.0).exp();
                }
                out
            })
            .collect();
        self.forward.clear();
        let mut last = [0.0; TAGS];
        last[0] = 1.0;
        for says in &says {
            let mut next = [0.0; TAGS];
            for from in 0..TAGS {
                for to in 0..TAGS {
                    next[to] += last[from] * raise[from][to] * says[to];
                }
            }
            let total: f32 = next.iter().sum();
            if total.is_nan() || total < f32::MIN_POSITIVE {
                return false;
            }
            next.iter_mut().for_each(|value| *value /= total);
            self.forward.push(next);
            last = next;
        }
        self.backward.clear();
        self.backward.resize(count, [0.0; TAGS]);
        let mut after: [f32; TAGS] = std::array::from_fn(|tag| raise[tag][0]);
        for at in (0..count).rev() {
            self.backward[at] = after;
            let total: f32 = (0..TAGS).map(|tag| self.forward[at][tag] * after[tag]).sum();
            if total.is_nan() || total < f32::MIN_POSITIVE {
                return false;
            }
            for tag in 0..TAGS {
                self.slope[at][tag] += sign * self.forward[at][tag] * after[tag] / total;
            }
            let before: [f32; TAGS] =
                if at > 0 { self.forward[at - 1] } else { std::array::from_fn(|tag| f32::from(tag == 0)) };
            let mut next = [0.0; TAGS];
            let mut pairs = [[0.0; TAGS]; TAGS];
            let mut sum = 0.0;
            for from in 0..TAGS {
                for to in 0..TAGS {
                    let step = raise[from][to] * says[at][to] * after[to];
                    next[from] += step;
                    pairs[from][to] = before[from] * step;
                    sum += pairs[from][to];
                }
            }
            if sum.is_nan() || sum < f32::MIN_POSITIVE {
                return false;
            }
            for from in 0..TAGS {
                for to in 0..TAGS {
                    self.follow[from][to] += sign * pairs[from][to] / sum;
                }
            }
            let most = next.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
            after = next.map(|value| value / most);
        }
        for tag in 0..TAGS {
            let total: f32 = (0..TAGS).map(|tag| last[tag] * raise[tag][0]).sum();
            self.follow[tag][0] += sign * last[tag] * raise[tag][0] / total;
        }
        true
    }
}

/// The mean of the later epochs.
struct Average {
    table: Vec<[f32; WIDE]>,
    follow: [[f32; TAGS]; TAGS],
    count: f32,
}

impl Average {
    fn new(features: usize) -> Self {
        Self { table: vec![[0.0; WIDE]; features], follow: [[0.0; TAGS]; TAGS], count: 0.0 }
    }

    fn add(&mut self, model: &Model) {
        self.count += 1.0;
        let own = self.table.iter_mut().flatten().chain(self.follow.iter_mut().flatten());
        for (sum, weight) in own.zip(model.table.iter().flatten().chain(model.follow.iter().flatten())) {
            *sum += weight;
        }
    }

    /// The most important features, in steps of one `i8`.
    fn write(&self, names: &[u64], model: &Model, lexicon: Vec<u8>) -> Vec<u8> {
        let mean = |weight: f32| weight / self.count;
        let mut important: Vec<(f32, usize)> = (0..names.len())
            .map(|at| {
                let most = self.table[at].iter().map(|weight| mean(*weight).abs()).fold(0.0, f32::max);
                (most * (1.0 + model.count[at] as f32).ln(), at)
            })
            .collect();
        important.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let step = LARGEST / 127.0;
        let round = |weight: f32| (mean(weight) / step).round();
        let features = important.iter().map(|(_, at)| {
            let weights = std::array::from_fn(|tag| round(self.table[*at][tag]).clamp(-127.0, 127.0) as i8);
            (names[*at], weights)
        });
        let features = features.filter(|(_, weights)| weights.iter().any(|weight| *weight != 0)).collect();
        let mut follow = self.follow.map(|row| row.map(|weight| round(weight) as i16));
        follow.iter_mut().for_each(|row| row[0] -= LEAN);
        Weights::write(&Parts { step, follow, features, pairs: PAIRS, lexicon })
    }
}

/// Tags, rounded up so that a row is added in one go.
const WIDE: usize = 8;
const ALL: u8 = (1 << TAGS) - 1;
const NONE: u32 = u32::MAX;
const EPOCHS: usize = 8;
const RATE: f32 = 0.05;
/// What every weight loses after an epoch.
const DECAY: f32 = 0.05;
/// Features that occur more rarely are not learned.
const LEAST: u32 = 3;
/// Share of the tokens whose word is hidden from a step.
const DROPPED: f32 = 0.35;
/// The largest weight that is kept.
const LARGEST: f32 = 4.0;
/// How far, in steps, what is written leans towards names: one that is overlooked costs more than a word that is masked for nothing.
const LEAN: i16 = 8;
/// Pairs of places in the table that is written: 2 MiB.
const PAIRS: usize = 128 << 10;
