//! What the model sees of a token: hashes of what stands in it and around it.

use crate::{
    lexicon::{FIRM, TITLE},
    token::{Shape, Token},
};

/// What is the same for all tokens of a segment.
#[derive(Clone, Copy, Debug)]
pub struct Style(u64);

impl Style {
    /// Of a segment.
    #[must_use]
    pub fn of(tokens: &[Token]) -> Self {
        let (mut small, mut capital, mut upper, mut words) = (0_u64, 0_u64, 0_u64, 0_u64);
        for token in tokens {
            match token.shape {
                Shape::Lower => small += 1,
                Shape::Capital | Shape::Mixed | Shape::Initial => capital += 1,
                Shape::Upper => upper += 1,
                _ => continue,
            }
            words += 1;
        }
        let case = match () {
            () if upper * 2 > words => 0,
            () if small == 0 => 1,
            () if small <= capital + upper => 2,
            () if capital + upper == 0 => 3,
            () => 4,
        };
        let length = match tokens.len() {
            0..=3 => 0,
            4..=7 => 1,
            _ => 2,
        };
        let stop = tokens.last().is_some_and(|token| token.shape == Shape::Mark);
        Self(case * 6 + length * 2 + u64::from(stop))
    }
}

/// Appends the features of token `at`. The first [`LEXICAL`] know the word itself; all are needed to know its surroundings.
pub fn features(text: &str, tokens: &[Token], at: usize, style: Style, out: &mut Vec<u64>) {
    let near = |by: isize| at.checked_add_signed(by).and_then(|at| tokens.get(at));
    let Some(here) = tokens.get(at) else { return };
    let word = |by| near(by).map_or(EDGE, |token: &Token| token.word);
    let form = |by| near(by).map_or(31, |token: &Token| u64::from(look(token)) | u64::from(token.glued) << 5);
    let listed = |by| near(by).map_or(0, |token: &Token| u64::from(token.listed));
    let (w0, l1, l2, r1, r2) = (word(0), word(-1), word(-2), word(1), word(2));
    let (f0, f1, f2, g1, g2) = (form(0), form(-1), form(-2), form(1), form(2));
    let (n0, n1, m1) = (listed(0), listed(-1), listed(1));
    let sort = |flags: u64| flags & !u64::from(crate::lexicon::PART);
    let spelt = text.get(here.span.clone()).unwrap_or_default();
    let ends = Ends::of(spelt);
    let mut add = |template: u64, a: u64, b: u64| out.push(mix(template, a, b));
    // The word itself: left out now and then while learning, so that the rest learns to do without.
    add(1, w0, 0);
    add(2, l1, w0);
    add(3, w0, r1);
    add(4, ends.last[3], 0);
    add(5, ends.first[3], 0);
    add(6, w0, f0);
    // Its form.
    add(7, ends.last[1], 0);
    add(8, ends.last[2], f0);
    add(9, ends.first[2], 0);
    add(10, f0, f1 << 8 | g1);
    add(11, f0, f1);
    add(12, f0, g1);
    add(13, f0 << 8 | f1, f2 << 8 | 1);
    add(14, f0 << 8 | g1, g2 << 8 | 2);
    // What lists say.
    add(15, n0, f0);
    add(16, sort(n0), sort(n1) << 8 | f1);
    add(17, sort(n0), sort(m1) << 8 | g1);
    add(18, sort(n0), l1);
    add(19, sort(n0), r1);
    // What stands around it.
    add(20, l1, f0);
    add(21, r1, f0);
    add(22, l2, f0 & 31);
    add(23, r2, f0 & 31);
    add(24, l2, l1);
    add(25, r1, r2);
    add(26, l1, r1);
    add(27, style.0, f0 << 8 | f1);
    add(28, style.0, n0);
    // What words used alike say.
    let group = |by| near(by).map_or(255, |token: &Token| u64::from(token.group));
    let (c0, c1, c2, d1, d2) = (group(0), group(-1), group(-2), group(1), group(2));
    add(31, c0, f0);
    add(32, c1, f0);
    add(33, d1, f0);
    add(34, c1 << 8 | d1, f0);
    add(35, c2 << 8 | c1, 0);
    add(36, d1 << 8 | d2, 0);
    add(37, c0, sort(n0));
    let (before, after) = cues(tokens, at);
    add(29, before << 8 | after, f0);
    add(30, before << 8 | after, sort(n0));
}

/// What of titles and of words that organisations' names have stands near in the same run of capitals.
fn cues(tokens: &[Token], at: usize) -> (u64, u64) {
    let cue = |token: &Token| u64::from(token.listed & (FIRM | TITLE)) >> 6;
    let (mut before, mut after) = (0, 0);
    for step in 1..=REACH {
        let Some(token) = at.checked_sub(step).and_then(|at| tokens.get(at)) else { break };
        if matches!(token.shape, Shape::Lower | Shape::Digits | Shape::Other) && token.listed & (FIRM | TITLE) == 0 {
            break;
        }
        before |= cue(token);
    }
    for step in 1..=REACH {
        let Some(token) = tokens.get(at + step) else { break };
        if matches!(token.shape, Shape::Lower | Shape::Digits | Shape::Other) && token.listed & FIRM == 0 {
            break;
        }
        after |= cue(token);
    }
    (before, after)
}

/// The shape, with the commonest marks told apart.
fn look(token: &Token) -> u8 {
    match token.shape {
        Shape::Mark => 8 + (token.word % 22) as u8,
        shape => shape as u8,
    }
}

/// Hashes of the first and the last one to four characters, as they are spelt in lower case.
struct Ends {
    first: [u64; 4],
    last: [u64; 4],
}

impl Ends {
    fn of(spelt: &str) -> Self {
        let run = |chars: &mut dyn Iterator<Item = char>| {
            let (mut out, mut hash) = ([0; 4], 7_u64);
            for place in &mut out {
                // A short word has its beginning and its end marked.
                let c = chars.next().map_or(0, |c| u64::from(u32::from(c.to_ascii_lowercase())));
                hash = (hash ^ c).wrapping_mul(MIX).rotate_left(23);
                *place = hash;
            }
            out
        };
        Self { first: run(&mut spelt.chars()), last: run(&mut spelt.chars().rev()) }
    }
}

const fn mix(template: u64, a: u64, b: u64) -> u64 {
    let mut hash = (a ^ template.wrapping_mul(0xd6e8_feb8_6659_fd93)).wrapping_mul(MIX);
    hash = (hash ^ (hash >> 31) ^ b).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash ^ (hash >> 28)
}

/// How many of the first features know the word itself.
pub const LEXICAL: usize = 6;

const MIX: u64 = 0x9e37_79b9_7f4a_7c15;
/// Beyond the segment.
const EDGE: u64 = 0x45d9_f3b3_335b_369d;
/// How far titles and words of organisations are looked for.
const REACH: usize = 5;
