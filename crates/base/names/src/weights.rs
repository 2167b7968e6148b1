//! The file of weights: read in place, never copied.

use std::borrow::Cow;

use crate::{
    decode::TAGS,
    lexicon::{self, Lexicon},
};

/// Weights that are no weights.
#[derive(Debug, thiserror::Error)]
#[error("these are not weights of this version, or not all of them")]
pub struct WeightsError;

/// What was learned: a table of features, how tags follow one another, and lists of words.
#[derive(Clone, Debug)]
pub struct Weights {
    bytes: Cow<'static, [u8]>,
    lexicon: usize,
    /// How much a step of the weights is worth in log-odds.
    pub(crate) step: f32,
    /// What is added for tag `b` after tag `a`.
    pub(crate) follow: [[i32; TAGS]; TAGS],
}

/// What a file of weights is written from.
#[derive(Clone, Debug)]
pub struct Parts {
    /// How much a step of the weights is worth in log-odds.
    pub step: f32,
    /// What is added for tag `b` after tag `a`.
    pub follow: [[i16; TAGS]; TAGS],
    /// Features with their weights for each tag, most important first.
    pub features: Vec<(u64, [i8; TAGS])>,
    /// Pairs of places in the table.
    pub pairs: usize,
    /// The table of words, from [`lexicon::write`](crate::lexicon::write).
    pub lexicon: Vec<u8>,
}

impl Weights {
    /// Reads weights.
    ///
    /// # Errors
    /// When the bytes are something else, of another version, or cut off.
    pub fn read(bytes: Cow<'static, [u8]>) -> Result<Self, WeightsError> {
        let take = |at: usize, count: usize| bytes.get(at..at + count).ok_or(WeightsError);
        let number = |at: usize| Ok(u32::from_le_bytes(take(at, 4)?.try_into().map_err(|_| WeightsError)?));
        if take(0, MAGIC.len())? != MAGIC {
            return Err(WeightsError);
        }
        let step = f32::from_bits(number(8)?);
        let (words, pairs) = (number(12)? as usize, number(16)? as usize);
        let mut follow = [[0; TAGS]; TAGS];
        for (row, bytes) in follow.iter_mut().zip(take(20, TAGS * TAGS * 2)?.chunks_exact(TAGS * 2)) {
            for (weight, bytes) in row.iter_mut().zip(bytes.chunks_exact(2)) {
                *weight = i32::from(i16::from_le_bytes(bytes.try_into().map_err(|_| WeightsError)?));
            }
        }
        if !(step > 0.0 && step.is_finite()) || bytes.len() != HEAD + words * lexicon::WIDE + pairs * PAIR {
            return Err(WeightsError);
        }
        Ok(Self { bytes, lexicon: words * lexicon::WIDE, step, follow })
    }

    /// Writes weights.
    #[must_use]
    pub fn write(parts: &Parts) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.extend(parts.step.to_bits().to_le_bytes());
        out.extend((parts.lexicon.len() as u32 / lexicon::WIDE as u32).to_le_bytes());
        out.extend((parts.pairs as u32).to_le_bytes());
        out.extend(parts.follow.iter().flatten().flat_map(|weight| weight.to_le_bytes()));
        out.extend(&parts.lexicon);
        let mut table = vec![0_u8; parts.pairs * PAIR];
        for (feature, weights) in &parts.features {
            let at = place(*feature, parts.pairs) * PAIR;
            let Some(pair) = table.get_mut(at..at + PAIR) else { continue };
            let free = pair.chunks_exact_mut(ROW).find(|row| row.first() == Some(&0));
            if let Some([mark, row @ ..]) = free {
                *mark = marked(*feature);
                for (to, from) in row.iter_mut().zip(weights) {
                    *to = from.cast_unsigned();
                }
            }
        }
        out.extend(table);
        out
    }

    /// What lists say of words.
    #[must_use]
    pub fn lexicon(&self) -> Lexicon<'_> {
        Lexicon::new(self.bytes.get(HEAD..HEAD + self.lexicon).unwrap_or_default())
    }

    /// Adds up what `features` say for each tag.
    pub(crate) fn sum(&self, features: &[u64]) -> [i32; TAGS] {
        let table = self.bytes.get(HEAD + self.lexicon..).unwrap_or_default();
        let pairs = table.len() / PAIR;
        let mut sums = [0_i32; TAGS];
        for feature in features {
            let at = place(*feature, pairs) * PAIR;
            let Some(pair) = table.get(at..at + PAIR) else { continue };
            let mark = marked(*feature);
            for row in pair.chunks_exact(ROW) {
                if let [first, weights @ ..] = row
                    && *first == mark
                {
                    for (sum, weight) in sums.iter_mut().zip(weights) {
                        *sum += i32::from(weight.cast_signed());
                    }
                    break;
                }
            }
        }
        sums
    }
}

/// Which pair of rows holds a feature.
const fn place(feature: u64, pairs: usize) -> usize {
    ((feature as u128 * pairs as u128) >> 64) as usize
}

/// What tells features of one pair apart; never 0, which marks an empty row. An unknown feature is taken for a known one in one
/// case of some hundred.
const fn marked(feature: u64) -> u8 {
    (((feature & 0xffff) * 255) >> 16) as u8 + 1
}

const MAGIC: &[u8; 8] = b"CSNAMES1";
const HEAD: usize = 20 + TAGS * TAGS * 2;
/// A mark and a weight for each tag.
const ROW: usize = 1 + TAGS;
const PAIR: usize = 2 * ROW;
