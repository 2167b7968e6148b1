//! Groups words that stand beside the same words, from texts without marks: what is learned of one then holds for others.
//!
//! Each word is a vector: how much oftener than by chance the commonest words stand left and right of it, projected on a few random
//! directions. Vectors are grouped by k-means. Deterministic.

use std::collections::{BTreeMap, HashMap};

use countersign_names::{lexicon::Lexicon, token::Shape};

use super::data::segments;

/// The group of each word that is common enough, from 1.
pub(crate) fn clusters<'a>(texts: impl Iterator<Item = &'a str> + Clone) -> BTreeMap<u64, u8> {
    let none = Lexicon::new(&[]);
    let mut counts: HashMap<u64, u32> = HashMap::new();
    for text in texts.clone() {
        segments(text, &none, |tokens| {
            for token in tokens {
                *counts.entry(token.word).or_default() += 1;
            }
        });
    }
    let mut words: Vec<(u32, u64)> =
        counts.into_iter().filter(|(_, n)| *n >= LEAST).map(|(word, n)| (n, word)).collect();
    words.sort_unstable_by(|a, b| b.cmp(a));
    words.truncate(MOST);
    let places: HashMap<u64, u32> = words.iter().enumerate().map(|(at, (_, word))| (*word, at as u32)).collect();
    // How often each word has each neighbour; the commonest words and the edge of a segment are neighbours.
    let mut beside: HashMap<(u32, u32), u32> = HashMap::new();
    let mut letters = vec![false; words.len()];
    for text in texts {
        segments(text, &none, |tokens| {
            let place = |at: usize| tokens.get(at).and_then(|token| places.get(&token.word)).copied();
            for (at, token) in tokens.iter().enumerate() {
                let Some(word) = place(at) else { continue };
                letters[word as usize] |= !matches!(token.shape, Shape::Mark | Shape::Digits);
                let left = if at == 0 { Some(EDGE) } else { place(at - 1).filter(|n| *n < EDGE) };
                let right = if at + 1 == tokens.len() { Some(EDGE) } else { place(at + 1).filter(|n| *n < EDGE) };
                for neighbour in [left, right.map(|n| n + EDGE + 1)].into_iter().flatten() {
                    *beside.entry((word, neighbour)).or_default() += 1;
                }
            }
        });
    }
    let vectors = vectors(words.len(), beside);
    let groups = group(&vectors);
    let named = words.iter().zip(groups).zip(letters).filter(|(_, letters)| *letters);
    named.map(|(((_, word), group), _)| (*word, group)).collect()
}

fn vectors(count: usize, beside: HashMap<(u32, u32), u32>) -> Vec<[f32; WIDE]> {
    let mut beside: Vec<((u32, u32), u32)> = beside.into_iter().collect();
    beside.sort_unstable();
    let (mut of_word, mut of_neighbour) = (vec![0_f32; count], vec![0_f32; 2 * EDGE as usize + 2]);
    let mut all = 0.0_f64;
    for ((word, neighbour), n) in &beside {
        of_word[*word as usize] += *n as f32;
        of_neighbour[*neighbour as usize] += *n as f32;
        all += f64::from(*n);
    }
    let mut out = vec![[0.0; WIDE]; count];
    for ((word, neighbour), n) in beside {
        let chance = f64::from(of_word[word as usize]) * f64::from(of_neighbour[neighbour as usize]) / all;
        let weight = (f64::from(n) / chance).ln() as f32 * (n as f32).sqrt();
        if weight > 0.0 {
            let mut random = crate::learn::Random(0x9e37_79b9_7f4a_7c15 ^ (u64::from(neighbour) + 1) << 20);
            random.below(2);
            for value in &mut out[word as usize] {
                *value += if random.below(2) == 0 { weight } else { -weight };
            }
        }
    }
    out.iter_mut().for_each(norm);
    out
}

fn norm(vector: &mut [f32; WIDE]) {
    let length = vector.iter().map(|v| v * v).sum::<f32>().sqrt().max(1e-9);
    vector.iter_mut().for_each(|v| *v /= length);
}

/// Spherical k-means from the commonest words, evenly picked.
fn group(vectors: &[[f32; WIDE]]) -> Vec<u8> {
    let starts = (0..GROUPS).map(|at| at * vectors.len().min(GROUPS * 12) / GROUPS);
    let mut centres: Vec<[f32; WIDE]> = starts.filter_map(|at| vectors.get(at)).copied().collect();
    let mut groups = vec![0_u8; vectors.len()];
    for _ in 0..ROUNDS {
        let mut sums = vec![[0.0; WIDE]; centres.len()];
        for (group, vector) in groups.iter_mut().zip(vectors) {
            let near = |centre: &[f32; WIDE]| centre.iter().zip(vector).map(|(a, b)| a * b).sum::<f32>();
            let (mut best, mut most) = (0, f32::MIN);
            for (at, centre) in centres.iter().enumerate() {
                let value = near(centre);
                if value > most {
                    (best, most) = (at, value);
                }
            }
            *group = best as u8 + 1;
            sums[best].iter_mut().zip(vector).for_each(|(sum, value)| *sum += value);
        }
        for (centre, mut sum) in centres.iter_mut().zip(sums) {
            if sum.iter().any(|value| *value != 0.0) {
                norm(&mut sum);
                *centre = sum;
            }
        }
    }
    groups
}

/// Words that occur more rarely are in no group.
const LEAST: u32 = 8;
/// Words that are grouped.
const MOST: usize = 30_000;
/// The commonest words, by which others are grouped; the number also stands for the edge of a segment.
const EDGE: u32 = 1000;
const WIDE: usize = 64;
const GROUPS: usize = 200;
const ROUNDS: usize = 8;
