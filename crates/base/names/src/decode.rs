//! The best sequence of tags for a segment, and how sure it is.

use std::ops::Range;

use countersign_core::Entity;

use crate::{
    features::{Style, features},
    token::{Shape, Token},
    weights::Weights,
};

/// Tags: none, then the first token and the following ones of each type.
pub const TAGS: usize = 7;

/// The types by tag: tags `1 + 2 * i` and `2 + 2 * i` are of the `i`th.
pub const TYPES: [Entity; 3] = [Entity::Person, Entity::Location, Entity::Organization];

/// A run of tokens with a name's tags.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Run {
    pub(crate) tokens: Range<usize>,
    pub(crate) entity: Entity,
    pub(crate) confidence: f32,
}

/// Memory that is used again from segment to segment.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    features: Vec<u64>,
    says: Vec<[i32; TAGS]>,
    before: Vec<[i32; TAGS]>,
    from: Vec<[u8; TAGS]>,
    tags: Vec<u8>,
}

/// Runs of tokens in which a name could be. All others have no tag, and cost nothing more.
pub fn regions(text: &str, tokens: &[Token]) -> impl Iterator<Item = Range<usize>> {
    let mut floor = 0;
    std::iter::from_fn(move || {
        let first = floor + tokens.get(floor..)?.iter().position(|token| token.live)?;
        let mut end = first + 1;
        // Over short words and marks: `Bank of the West`, `Meurthe-et-Moselle`.
        loop {
            let reach = tokens.get(end..tokens.len().min(end + BRIDGE + 1)).unwrap_or_default();
            let Some(next) = reach.iter().position(|token| token.live) else { break };
            if !reach.iter().take(next).all(|token| bridges(text, token)) {
                break;
            }
            end += next + 1;
        }
        let number = |token: &Token| matches!(token.shape, Shape::Digits | Shape::Alphanumeric);
        let trails = |token: &&Token| number(token) || ends_names(text, token);
        end += tokens.get(end..).unwrap_or_default().iter().take(TRAIL).take_while(trails).count();
        let led = first > floor && tokens.get(first - 1).is_some_and(number);
        floor = end;
        Some(first - usize::from(led)..end)
    })
}

fn bridges(text: &str, token: &Token) -> bool {
    match token.shape {
        Shape::Lower => token.span.len() <= 4,
        Shape::Other => false,
        Shape::Mark => !is_bracket(text, token),
        _ => true,
    }
}

/// A mark that a name can end with: `Inc.`, `Yahoo!`, `Springfield (Ohio)`.
fn ends_names(text: &str, token: &Token) -> bool {
    let byte = text.as_bytes().get(token.span.start);
    token.shape == Shape::Mark && byte.is_some_and(|byte| matches!(byte, b'.' | b'!' | b')'))
}

/// No name goes over one, and so none overlaps a stand-in, which is written in brackets.
fn is_bracket(text: &str, token: &Token) -> bool {
    let byte = text.as_bytes().get(token.span.start);
    byte.is_some_and(|byte| matches!(byte, b'[' | b']' | b'{' | b'}' | b'<' | b'>'))
}

/// The names among the tokens of a segment.
pub(crate) fn runs(weights: &Weights, text: &str, tokens: &[Token], scratch: &mut Scratch, out: &mut Vec<Run>) {
    let style = Style::of(tokens);
    for region in regions(text, tokens) {
        scratch.says.clear();
        for at in region.clone() {
            scratch.features.clear();
            features(text, tokens, at, style, &mut scratch.features);
            scratch.says.push(weights.sum(&scratch.features));
        }
        best(weights, scratch);
        if scratch.tags.iter().any(|tag| *tag > 0) {
            collect(weights, scratch, region.start, out);
        }
    }
}

/// Viterbi's algorithm: fills `before` with the best sum up to each tag, and `tags` with the best sequence.
fn best(weights: &Weights, scratch: &mut Scratch) {
    let Scratch { says, before, from, tags, .. } = scratch;
    before.clear();
    from.clear();
    tags.clear();
    // What stands around a region has no tag.
    let mut last = [NEVER; TAGS];
    last[0] = 0;
    for says in says.iter() {
        let (mut sums, mut origins) = ([0; TAGS], [0; TAGS]);
        for to in 0..TAGS {
            let (mut most, mut origin) = (i32::MIN, 0);
            for (tag, sum) in last.iter().enumerate() {
                let sum = sum + weights.follow[tag][to] + forbidden(tag, to);
                if sum > most {
                    (most, origin) = (sum, tag as u8);
                }
            }
            (sums[to], origins[to]) = (most + says[to], origin);
        }
        before.push(sums);
        from.push(origins);
        last = sums;
    }
    let mut tag = (0..TAGS).max_by_key(|tag| (last[*tag] + weights.follow[*tag][0], TAGS - tag)).unwrap_or_default();
    for origins in from.iter().rev() {
        tags.push(tag as u8);
        tag = usize::from(origins[tag]);
    }
    tags.reverse();
}

/// Turns tags into runs. A run is as sure as its best sequence is better than the best one that tags a token of it otherwise.
fn collect(weights: &Weights, scratch: &Scratch, offset: usize, out: &mut Vec<Run>) {
    let Scratch { says, before, tags, .. } = scratch;
    let first = out.len();
    let mut after = weights.follow.map(|row| row[0]);
    let mut most = i32::MIN;
    let mut at = tags.len();
    for ((tag, sums), says) in tags.iter().zip(before).zip(says).rev() {
        at -= 1;
        let through = |tag: usize| sums[tag] + after[tag];
        if *tag > 0 {
            let kind = usize::from(*tag - 1) / 2;
            let best = through(usize::from(*tag));
            let other = (0..TAGS).filter(|t| *t == 0 || (t - 1) / 2 != kind).map(through).max().unwrap_or(best);
            most = most.max(other - best);
            if tag % 2 == 1 || !tags.get(at.wrapping_sub(1)).is_some_and(|before| *before == *tag || before + 1 == *tag)
            {
                let more = tags.iter().skip(at + 1).take_while(|next| **next == 2 + 2 * kind as u8).count();
                let confidence = 1.0 / (1.0 + (most as f32 * weights.step).exp());
                let tokens = offset + at..offset + at + 1 + more;
                out.push(Run { tokens, entity: TYPES[kind], confidence });
                most = i32::MIN;
            }
        }
        let mut sums = [i32::MIN; TAGS];
        for (from, sum) in sums.iter_mut().enumerate() {
            for to in 0..TAGS {
                *sum = (*sum).max(weights.follow[from][to] + forbidden(from, to) + says[to] + after[to]);
            }
        }
        after = sums;
    }
    if let Some(runs) = out.get_mut(first..) {
        runs.reverse();
    }
}

/// A following token comes after the first one or another following one of its type.
#[must_use]
pub const fn follows(from: usize, to: usize) -> bool {
    to == 0 || to % 2 == 1 || from == to || from + 1 == to
}

const fn forbidden(from: usize, to: usize) -> i32 {
    if follows(from, to) { 0 } else { NEVER }
}

/// Far below every sum, far above overflow: a segment has at most some hundred tokens.
const NEVER: i32 = -1_000_000;
/// How many tokens that begin no name a name may have in a row.
const BRIDGE: usize = 3;
/// How many numbers and marks a name may end with.
const TRAIL: usize = 2;
