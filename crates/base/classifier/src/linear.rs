//! The linear lane: one weight for each bucket of features and question, the surest window of a text, and from it a probability.
//!
//! Weights are one byte each and sums are whole numbers, so that every machine gives the same answer.

use std::ops::Range;

use crate::{
    Question, Verdict,
    features::BUCKETS,
    windows::{Segment, segments, windows},
};

/// What one question needs beside its weights.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Head {
    /// What a weight of 1 stands for.
    pub scale: f32,
    /// What a window without features weighs.
    pub bias: f32,
    /// How fast the surest window of a harmless text rises with the logarithm of the number of segments.
    pub drift: f32,
    /// How much of what a long text weighs all over is taken off its surest window: an instruction stands out from what is around it.
    pub contrast: f32,
    /// Slope and offset of the calibrated log-odds.
    pub slope: f32,
    /// See `slope`.
    pub offset: f32,
    /// Probabilities at 0.1 %, 1 % and 5 % false alarms.
    pub points: [f32; 3],
}

/// Weights for both questions.
#[derive(Debug)]
pub struct Linear {
    heads: [(Head, Box<[i8]>); 2],
}

/// The weights cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    /// They do not begin as weights of this version do.
    #[error("not a file of weights, or of another version")]
    Unknown,
    /// They are too short or too long, or hold what is no number.
    #[error("the weights are damaged")]
    Damaged,
}

impl Linear {
    /// Puts weights together, one table of [`BUCKETS`] for each question in the order of [`Question::ALL`].
    ///
    /// # Errors
    /// When a table has another size or a figure is not finite.
    pub fn new(heads: [(Head, Box<[i8]>); 2]) -> Result<Self, WeightsError> {
        let whole =
            heads.iter().all(|(head, table)| table.len() == BUCKETS && head.figures().iter().all(|f| f.is_finite()));
        whole.then_some(Self { heads }).ok_or(WeightsError::Damaged)
    }

    /// Reads what [`Linear::write`] wrote.
    ///
    /// # Errors
    /// When the bytes are something else.
    pub fn read(bytes: &[u8]) -> Result<Self, WeightsError> {
        let mut rest = bytes.strip_prefix(MAGIC).ok_or(WeightsError::Unknown)?;
        let mut head = || {
            let mut figures = [0.0; FIGURES];
            for figure in &mut figures {
                let (bytes, after) = rest.split_first_chunk().ok_or(WeightsError::Damaged)?;
                *figure = f32::from_le_bytes(*bytes);
                rest = after;
            }
            let (table, after) = rest.split_at_checked(BUCKETS).ok_or(WeightsError::Damaged)?;
            rest = after;
            Ok((Head::of(figures), table.iter().map(|b| b.cast_signed()).collect()))
        };
        let heads = [head()?, head()?];
        if !rest.is_empty() {
            return Err(WeightsError::Damaged);
        }
        Self::new(heads)
    }

    /// The bytes of these weights.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        for (head, table) in &self.heads {
            out.extend(head.figures().iter().flat_map(|f| f.to_le_bytes()));
            out.extend(table.iter().map(|w| w.cast_unsigned()));
        }
        out
    }

    /// What a question needs beside its weights.
    #[must_use]
    pub const fn head(&self, question: Question) -> &Head {
        &self.heads[question as usize].0
    }

    /// The weights for a question, by bucket.
    #[must_use]
    pub fn table(&self, question: Question) -> &[i8] {
        &self.heads[question as usize].1
    }

    /// Answers a question.
    #[must_use]
    pub fn judge(&self, question: Question, text: &str) -> Verdict {
        let weighed = self.weigh(question, text);
        let probability = if weighed.segments == 0 { 0.0 } else { self.head(question).probability(&weighed) };
        Verdict { probability, span: weighed.span }
    }

    /// The surest window of a text, before its length is corrected for.
    #[must_use]
    pub fn weigh(&self, question: Question, text: &str) -> Weighed {
        let (head, table) = &self.heads[question as usize];
        let segments = segments(text, |bucket, against| {
            let weight = i32::from(table.get(bucket as usize).copied().unwrap_or(0));
            if against { -weight } else { weight }
        });
        let best = windows(segments.len())
            .map(|window| (head.raw(&segments, &window), window))
            .reduce(|best, next| if next.0 > best.0 { next } else { best });
        let (raw, window) = best.unwrap_or((f32::NEG_INFINITY, 0..0));
        let (sum, count) =
            segments.iter().fold((0.0, 0.0), |(s, c), seg| (s + seg.sum as f32 * norm(seg.count), c + 1.0));
        let rest = if count > 0.0 { head.bias + head.scale * sum / count } else { 0.0 };
        Weighed { raw, rest, segments: segments.len(), span: head.span(&segments, window) }
    }
}

/// What the surest window of a text weighs.
#[derive(Clone, Debug, PartialEq)]
pub struct Weighed {
    /// The log-odds of its window; negative infinity for a text without features.
    pub raw: f32,
    /// The mean over all its segments.
    pub rest: f32,
    /// Segments of the text.
    pub segments: usize,
    /// The bytes that weigh most.
    pub span: Range<usize>,
}

impl Head {
    /// What a window weighs.
    #[must_use]
    fn raw(&self, segments: &[Segment<i32>], window: &Range<usize>) -> f32 {
        let (mut sum, mut count) = (0, 0);
        for segment in segments.get(window.clone()).unwrap_or_default() {
            sum += segment.sum;
            count += segment.count;
        }
        self.bias + self.scale * sum as f32 * norm(count)
    }

    /// What a text weighs with its length and its manner taken off.
    #[must_use]
    pub fn corrected(&self, text: &Weighed) -> f32 {
        let segments = text.segments.max(1) as f32;
        let known = (segments - 1.0) / (segments + 3.0);
        text.raw - self.drift * segments.ln() - self.contrast * known * text.rest
    }

    /// The calibrated probability.
    #[must_use]
    pub fn probability(&self, text: &Weighed) -> f32 {
        1.0 / (1.0 + (-(self.slope * self.corrected(text) + self.offset)).exp())
    }

    /// The bytes from the first to the last segment of the window that weigh about as much as its heaviest.
    fn span(&self, segments: &[Segment<i32>], window: Range<usize>) -> Range<usize> {
        let inside = segments.get(window).unwrap_or_default();
        let weight = |s: &Segment<i32>| s.sum as f32 * norm(s.count);
        let most = inside.iter().map(weight).fold(0.0, f32::max);
        let mut heavy = inside.iter().filter(|s| weight(s) >= most * HEAVY);
        let Some(first) = heavy.next() else { return inside.first().map_or(0..0, |s| s.span.clone()) };
        first.span.start..heavy.next_back().unwrap_or(first).span.end
    }

    const fn figures(&self) -> [f32; FIGURES] {
        let [a, b, c] = self.points;
        [self.scale, self.bias, self.drift, self.contrast, self.slope, self.offset, a, b, c]
    }

    const fn of(figures: [f32; FIGURES]) -> Self {
        let [scale, bias, drift, contrast, slope, offset, a, b, c] = figures;
        Self { scale, bias, drift, contrast, slope, offset, points: [a, b, c] }
    }
}

/// What the sum over `count` features is multiplied by: a long window is not surer for being long, a scrap not for being short.
#[must_use]
pub fn norm(count: u32) -> f32 {
    1.0 / ((count + SCRAP) as f32).sqrt()
}

const MAGIC: &[u8] = b"countersign linear 2\n";
const FIGURES: usize = 9;
/// Features that every window is taken to have beside its own.
const SCRAP: u32 = 60;
/// Share of the heaviest segment's weight from which on a segment belongs to the span.
const HEAVY: f32 = 0.5;
