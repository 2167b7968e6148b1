//! Cuts a text into segments of a sentence or so, and puts neighbouring segments together to windows.
//!
//! Sums over tokens are kept for each segment, so that a text is hashed once, however many windows it is seen through.

use std::ops::Range;

use crate::features::{self, Feature, Sink};

/// A stretch of a text with the sum of what its features weigh.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Segment<T> {
    /// Its bytes.
    pub span: Range<usize>,
    /// What its features weigh together.
    pub sum: T,
    /// How many features it has.
    pub count: u32,
}

/// Reads `text` into segments; `weigh` says what a feature weighs.
pub fn segments<T: Copy + Default + std::ops::AddAssign>(
    text: &str,
    weigh: impl FnMut(u32, bool) -> T,
) -> Vec<Segment<T>> {
    let mut cutter =
        Cutter { weigh, done: Vec::new(), open: Segment::default(), tokens: 0, segment: 1, seen: [0; SEEN] };
    features::read(text, &mut cutter);
    if cutter.tokens > 0 {
        cutter.done.push(cutter.open);
    }
    cutter.done
}

/// The windows over `segments`, by index: one, and each [`WIDE`] neighbours.
pub fn windows(segments: usize) -> impl Iterator<Item = Range<usize>> {
    let narrow = (0..segments.saturating_sub(NARROW - 1)).map(|at| at..at + NARROW);
    let wide = (0..segments.saturating_sub(WIDE - 1)).map(|at| at..at + WIDE);
    let whole = (segments < WIDE && segments != NARROW && segments > 0).then_some(0..segments);
    narrow.chain(wide).chain(whole)
}

struct Cutter<T, W> {
    weigh: W,
    done: Vec<Segment<T>>,
    open: Segment<T>,
    tokens: usize,
    /// The number of the open segment, from 1; it begins anew before it grows out of what `seen` has room for.
    segment: u32,
    /// By the low bits of a bucket: the last one met, and in which segment. What repeats within a segment counts once (or, where two
    /// buckets share a place, a few times): a ruler of dashes says no more than a dash.
    seen: [u32; SEEN],
}

impl<T: Copy + Default + std::ops::AddAssign, W: FnMut(u32, bool) -> T> Sink for Cutter<T, W> {
    #[inline]
    fn features(&mut self, features: &[Feature]) {
        let (mut sum, mut count) = (self.open.sum, self.open.count);
        for feature in features {
            let met = self.segment << features::BITS | feature.bucket();
            let Some(last) = self.seen.get_mut(feature.bucket() as usize % SEEN) else { continue };
            // Without a branch: whether a feature is new can be foretold less well than weighing it costs.
            let new = std::mem::replace(last, met) != met;
            let weight = (self.weigh)(feature.bucket(), feature.against());
            sum += if new { weight } else { T::default() };
            count += u32::from(new);
        }
        (self.open.sum, self.open.count) = (sum, count);
    }

    fn token(&mut self, span: Range<usize>, breaks: bool) {
        if self.tokens == 0 {
            self.open.span.start = span.start;
        }
        self.open.span.end = span.end;
        self.tokens += 1;
        if self.tokens >= MOST || (breaks && self.tokens >= LEAST) {
            self.tokens = 0;
            self.done.push(std::mem::take(&mut self.open));
            self.segment += 1;
            if self.segment > u32::MAX >> features::BITS {
                (self.segment, self.seen) = (1, [0; SEEN]);
            }
        }
    }
}

/// Segments of a narrow window, for what is one sentence in a long text.
pub const NARROW: usize = 2;
/// Segments of a wide window, some 600 characters.
pub const WIDE: usize = 6;
/// Places for buckets that were met.
const SEEN: usize = 1024;
/// Tokens after which the end of a sentence or line ends a segment.
const LEAST: usize = 12;
/// Tokens after which it ends anyway.
const MOST: usize = 24;
