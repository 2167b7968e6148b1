//! What harmless texts of one channel say about thresholds.

use std::{
    collections::{BTreeMap, HashSet, hash_map::RandomState},
    hash::BuildHasher,
};

use countersign_core::Action;
use countersign_guard::{FalseAlarms, Likely, Question};

use crate::cmd::scan;

/// The texts of a channel so far.
#[derive(Default)]
pub(super) struct Tally {
    hasher: RandomState,
    /// Texts met, by hash: a text that comes twice says nothing new.
    met: HashSet<u64>,
    again: usize,
    likely: Vec<f32>,
    /// The likeliest, in order.
    top: Vec<Suspect>,
    /// By rule: how many texts it was found in, and in how many of them it would not pass.
    rules: BTreeMap<&'static str, (usize, usize)>,
}

/// A text that may be flagged.
#[derive(Clone)]
pub(super) struct Suspect {
    pub(super) name: String,
    pub(super) probability: f32,
    /// What speaks most for it and what stands around it, shortened.
    pub(super) excerpt: [String; 3],
}

/// What was found out about a channel.
pub(super) struct Chosen<'a> {
    /// Different texts.
    pub(super) texts: usize,
    /// Texts that came again.
    pub(super) again: usize,
    /// Of each rate that they are enough for.
    pub(super) points: Vec<Point>,
    pub(super) top: &'a [Suspect],
    pub(super) rules: &'a BTreeMap<&'static str, (usize, usize)>,
}

/// A threshold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    pub(super) at: FalseAlarms,
    /// What the texts by themselves would have it be.
    pub(super) found: f32,
    /// That, or the nearest between the loosest and the strictest that come with the detector.
    pub(super) threshold: f32,
    /// How many of the texts it flags.
    pub(super) flagged: usize,
    /// How many of them the detector flags as it comes.
    pub(super) as_shipped: usize,
}

impl Tally {
    pub(super) fn take(
        &mut self,
        name: &str,
        text: &str,
        leaf: &Likely,
        findings: impl Iterator<Item = (&'static str, Action)>,
    ) {
        if !self.met.insert(self.hasher.hash_one(text)) {
            self.again += 1;
            return;
        }
        self.likely.push(leaf.probability);
        let mut of_rule: BTreeMap<&'static str, bool> = BTreeMap::new();
        for (rule, action) in findings {
            *of_rule.entry(rule).or_default() |= action > Action::Allow;
        }
        for (rule, stops) in of_rule {
            let (texts, stopped) = self.rules.entry(rule).or_default();
            *texts += 1;
            *stopped += usize::from(stops);
        }
        let at = self.top.partition_point(|s| s.probability >= leaf.probability);
        if at < SHOWN && leaf.probability > 0.0 {
            let (before, found, after) = (
                text.get(..leaf.span.start).unwrap_or_default(),
                text.get(leaf.span.clone()).unwrap_or_default(),
                text.get(leaf.span.end..).unwrap_or_default(),
            );
            let before: Vec<char> = before.chars().rev().take(scan::AROUND).collect();
            let excerpt = [
                scan::line(before.into_iter().rev()),
                scan::short(found),
                scan::line(after.chars().take(scan::AROUND)),
            ];
            self.top.insert(at, Suspect { name: name.into(), probability: leaf.probability, excerpt });
            self.top.truncate(SHOWN);
        }
    }

    /// Thresholds for each rate that the texts are enough for.
    pub(super) fn choose(&self, question: Question) -> Chosen<'_> {
        let mut likely = self.likely.clone();
        likely.sort_unstable_by(|a, b| b.total_cmp(a));
        let above = |threshold: f32| likely.partition_point(|p| *p > threshold);
        // Texts that are much alike say little about those to come; attacks among them would say the wrong thing.
        let [strictest, .., loosest] = FalseAlarms::ALL.map(|at| fine(super::shipped(question, at)));
        let point = |at: FalseAlarms| {
            // As many as may be flagged are above the next.
            let found = *likely.get(allowed(likely.len(), rate(at))?)?;
            let found = ((found * FINE).ceil() / FINE).min(1.0);
            let threshold = found.max(loosest).min(strictest);
            let as_shipped = above(super::shipped(question, at));
            Some(Point { at, found, threshold, flagged: above(threshold), as_shipped })
        };
        Chosen {
            texts: self.likely.len(),
            again: self.again,
            points: FalseAlarms::ALL.into_iter().filter_map(point).collect(),
            top: &self.top,
            rules: &self.rules,
        }
    }
}

impl Chosen<'_> {
    pub(super) fn at(&self, at: FalseAlarms) -> Option<&Point> {
        self.points.iter().find(|point| point.at == at)
    }
}

/// How many of `texts` may be above a threshold that is to flag no more than a share of `rate` of all texts like these, so that it
/// does so in [`SURE`] of all cases (a one-sided tolerance limit, whatever the distribution); none where even the likeliest of them
/// says too little.
fn allowed(texts: usize, rate: f64) -> Option<usize> {
    // The binomial distribution, term by term; in logarithms, for its first terms may be too small for a number.
    let n = texts as f64;
    let mut log = n * (1.0 - rate).ln();
    let mut sum = log.exp();
    let mut most = None;
    let mut k = 0;
    while sum <= 1.0 - SURE && k < texts {
        most = Some(k);
        log += ((n - k as f64) / (k as f64 + 1.0)).ln() + (rate / (1.0 - rate)).ln();
        sum += log.exp();
        k += 1;
    }
    most
}

/// How many texts a rate needs.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few thousand at most")]
pub(super) fn needed(at: FalseAlarms) -> usize {
    ((1.0 - SURE).ln() / (1.0 - rate(at)).ln()).ceil() as usize
}

/// With as many digits as thresholds have.
pub(super) fn fine(likely: f32) -> f32 {
    (likely * FINE).round() / FINE
}

const fn rate(at: FalseAlarms) -> f64 {
    match at {
        FalseAlarms::OnePerMille => 0.001,
        FalseAlarms::OnePercent => 0.01,
        FalseAlarms::FivePercent => 0.05,
    }
}

/// How often a threshold holds what it says.
const SURE: f64 = 0.95;
/// Steps of a threshold from 0 to 1.
const FINE: f32 = 10_000.0;
/// Texts that are shown.
const SHOWN: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_texts_are_needed_as_the_tables_say() {
        assert_eq!(FalseAlarms::ALL.map(needed), [2995, 299, 59]);
        for at in FalseAlarms::ALL {
            let n = needed(at);
            assert_eq!((allowed(n - 1, rate(at)), allowed(n, rate(at))), (None, Some(0)));
        }
        // The next steps of the known table for 95 % (nonparametric tolerance limits): 473 and 628 for 1 %, 93 and 124 for 5 %.
        assert_eq!((allowed(472, 0.01), allowed(473, 0.01), allowed(628, 0.01)), (Some(0), Some(1), Some(2)));
        assert_eq!((allowed(92, 0.05), allowed(93, 0.05), allowed(124, 0.05)), (Some(0), Some(1), Some(2)));
        // Of very many, nearly the whole share.
        let many = allowed(1_000_000, 0.05).unwrap();
        assert!((49_500..50_000).contains(&many), "{many}");
        assert_eq!(allowed(0, 0.05), None);
    }
}
