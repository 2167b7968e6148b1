//! Logistic regression over windows: each step looks at the window of a text that decides its score.
//!
//! Deterministic: one thread, one seed, one order.

use std::ops::Range;

use countersign_classifier::{
    features::BUCKETS,
    linear_norm as norm,
    windows::{Segment, segments, windows},
};

/// A text to learn from, with its features counted out.
pub(crate) struct Sample {
    /// Whether the answer is yes.
    pub(crate) yes: bool,
    /// Features by segment: bucket, and in the lowest bit whether it counts against.
    pub(crate) segments: Vec<Range<u32>>,
    /// The segments that the payload touches, where it is known.
    pub(crate) payload: Option<Range<usize>>,
    /// What the sample counts for.
    pub(crate) weight: f32,
}

/// Samples with one store of features.
#[derive(Default)]
pub(crate) struct Set {
    pub(crate) features: Vec<u32>,
    pub(crate) samples: Vec<Sample>,
}

/// Weights and bias.
pub(crate) struct Weights {
    pub(crate) table: Vec<f32>,
    pub(crate) bias: f32,
}

impl Set {
    pub(crate) fn add(&mut self, text: &str, yes: bool, payload: Option<Range<usize>>, weight: f32) {
        let from = self.features.len();
        let features = &mut self.features;
        let cut = segments(text, |bucket, against| {
            features.push(bucket << 1 | u32::from(against));
            0_i32
        });
        let mut at = from as u32;
        let segments = cut.iter().map(|s| {
            let range = at..at + s.count;
            at = range.end;
            range
        });
        let segments = segments.collect();
        let touched = payload.map(|p| {
            let first = cut.partition_point(|s| s.span.end <= p.start);
            let last = cut.partition_point(|s| s.span.start < p.end);
            first..last.max(first)
        });
        if cut.is_empty() {
            return;
        }
        self.samples.push(Sample { yes, segments, payload: touched.filter(|t| !t.is_empty()), weight });
    }
}

/// Learns weights for one question.
pub(crate) fn learn(set: &Set, seed: u64) -> Weights {
    let mut weights = Weights { table: vec![0.0; BUCKETS], bias: -2.0 };
    let mut seen = vec![1e-3_f32; BUCKETS];
    let mut seen_bias = 1.0_f32;
    let mut random = Random(seed);
    let mut order: Vec<usize> = (0..set.samples.len()).collect();
    let mut average = vec![0.0_f32; BUCKETS];
    let (mut average_bias, mut averaged) = (0.0, 0.0);
    let mut sums = Vec::new();
    for epoch in 0..EPOCHS {
        random.shuffle(&mut order);
        for at in &order {
            let sample = &set.samples[*at];
            if random.share() > sample.weight {
                continue;
            }
            weights.sums(set, sample, &mut sums);
            let (best, beside) = weights.choose(sample, &sums, &mut random);
            for (window, yes) in best.map(|w| (w, sample.yes)).into_iter().chain(beside.map(|w| (w, false))) {
                let count: u32 = sums[window.clone()].iter().map(|s: &Segment<f32>| s.count).sum();
                let z = weights.score(&sums, &window);
                let p = 1.0 / (1.0 + (-z).exp());
                let slope = p - if yes { 1.0 } else { 0.0 };
                if slope.abs() < 1e-3 {
                    continue;
                }
                let step = slope * norm(count);
                for segment in &sample.segments[window] {
                    for feature in &set.features[segment.start as usize..segment.end as usize] {
                        let g = if feature & 1 == 1 { -step } else { step };
                        let bucket = (feature >> 1) as usize;
                        seen[bucket] += g * g;
                        weights.table[bucket] -= RATE * g / seen[bucket].sqrt();
                    }
                }
                seen_bias += slope * slope;
                weights.bias -= RATE * slope / seen_bias.sqrt();
            }
        }
        for w in &mut weights.table {
            *w *= 1.0 - DECAY;
        }
        if epoch * 2 >= EPOCHS {
            averaged += 1.0;
            average_bias += weights.bias;
            for (a, w) in average.iter_mut().zip(&weights.table) {
                *a += w;
            }
        }
    }
    average.iter_mut().for_each(|a| *a /= averaged);
    Weights { table: average, bias: average_bias / averaged }
}

impl Weights {
    fn sums(&self, set: &Set, sample: &Sample, out: &mut Vec<Segment<f32>>) {
        out.clear();
        out.extend(sample.segments.iter().map(|range| {
            let features = &set.features[range.start as usize..range.end as usize];
            let weigh = |f: &u32| {
                let w = self.table[(f >> 1) as usize];
                if f & 1 == 1 { -w } else { w }
            };
            Segment { span: 0..0, sum: features.iter().map(weigh).sum(), count: features.len() as u32 }
        }));
    }

    fn score(&self, sums: &[Segment<f32>], window: &Range<usize>) -> f32 {
        let (sum, count) = sums[window.clone()].iter().fold((0.0, 0), |(s, c), seg| (s + seg.sum, c + seg.count));
        self.bias + sum * norm(count)
    }

    /// The window to learn from, and, in a document with a known payload, the surest one beside it.
    fn choose(
        &self,
        sample: &Sample,
        sums: &[Segment<f32>],
        random: &mut Random,
    ) -> (Option<Range<usize>>, Option<Range<usize>>) {
        let surest = |fits: &dyn Fn(&Range<usize>) -> bool| {
            let all = windows(sums.len()).filter(|w| fits(w)).map(|w| (self.score(sums, &w), w));
            all.reduce(|best, next| if next.0 > best.0 { next } else { best }).map(|(_, w)| w)
        };
        if random.share() < ANY && (!sample.yes || sample.payload.is_some()) {
            let all: Vec<_> = windows(sums.len()).collect();
            let window = all[random.below(all.len())].clone();
            let touches = sample.payload.as_ref().is_none_or(|p| p.start < window.end && window.start < p.end);
            return if touches { (Some(window), None) } else { (None, Some(window)) };
        }
        match &sample.payload {
            None => (surest(&|_| true), None),
            Some(payload) => {
                let holds = |w: &Range<usize>| {
                    let shared = payload.end.min(w.end).saturating_sub(payload.start.max(w.start));
                    shared * 2 >= payload.len().min(w.len())
                };
                (surest(&holds), surest(&|w| w.end <= payload.start || payload.end <= w.start))
            }
        }
    }
}

/// Xorshift.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 11) % most.max(1) as u64) as usize
    }

    pub(crate) fn share(&mut self) -> f32 {
        self.below(1 << 20) as f32 / (1 << 20) as f32
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            items.swap(at, self.below(at + 1));
        }
    }
}

const EPOCHS: usize = 6;
const RATE: f32 = 0.15;
/// What every weight loses after an epoch.
const DECAY: f32 = 0.05;
/// Share of steps that look at any window instead of the surest.
const ANY: f32 = 0.15;
