//! Reading an event by comparison with the last one.
//!
//! The events of a stream are alike but for a few places: the text of the delta, a running number, padding. An event that has
//! the same bytes around those places, and in them a string's inside or a number again, has the same values in the same places:
//! a JSON reader is in the same state at each place's end. So its leaves are known without reading it.

use std::ops::Range;

use bytes::Bytes;
use countersign_core::{Document, Slot, SlotKind};

use crate::{WireError, json::text, walk::Hole};

/// The last event and where the next may differ.
#[derive(Debug)]
pub(super) struct Template {
    raw: Bytes,
    leaves: Vec<Leaf>,
    gaps: Vec<Gap>,
}

#[derive(Debug)]
struct Leaf {
    slot: Slot,
    /// How many gaps stand before it.
    after: usize,
    /// The gap it is.
    gap: Option<usize>,
}

#[derive(Debug)]
struct Gap {
    span: Range<usize>,
    digits: bool,
}

const MAX_BYTES: usize = 4096;
const MAX_GAPS: usize = 4;

impl Template {
    /// Of an event with one line of data that begins at `shift`; none when it is not worth it.
    pub(super) fn new(raw: Bytes, slots: &[Slot], holes: &[Hole], shift: usize) -> Option<Self> {
        if holes.is_empty() || holes.len() > MAX_GAPS || raw.len() > MAX_BYTES {
            return None;
        }
        let mut gaps = Vec::with_capacity(holes.len());
        for hole in holes {
            gaps.push(match hole {
                Hole::Slot(i) => Gap { span: slots.get(*i)?.span.clone(), digits: false },
                Hole::Digits(span) => Gap { span: span.start + shift..span.end + shift, digits: true },
            });
        }
        let mut leaves = Vec::with_capacity(slots.len());
        for (i, slot) in slots.iter().enumerate() {
            let gap = holes.iter().position(|hole| hole.slot() == Some(i));
            // A name or a number is never a gap, and nothing else changes.
            if gap.is_some() && slot.kind != SlotKind::Text {
                return None;
            }
            let after = gaps.iter().filter(|gap| gap.span.end < slot.span.start).count();
            leaves.push(Leaf { slot: slot.clone(), after, gap });
        }
        Some(Self { raw, leaves, gaps })
    }

    /// Reads an event of the same shape; none when it has another.
    pub(super) fn read(&self, raw: &Bytes) -> Result<Option<Document>, WireError> {
        let Some(found) = self.fit(raw) else { return Ok(None) };
        let mut slots = Vec::with_capacity(self.leaves.len());
        for leaf in &self.leaves {
            let (span, decoded) = match leaf.gap.and_then(|gap| found.get(gap)) {
                Some((span, false)) => (span.clone(), None),
                Some((span, true)) => {
                    let Ok(inside) = std::str::from_utf8(&raw[span.clone()]) else { return Ok(None) };
                    (span.clone(), Some(text::unescape(inside).into_boxed_str()))
                }
                None => {
                    // Fixed bytes move by as much as the gap before them.
                    let old = leaf.after.checked_sub(1).and_then(|i| self.gaps.get(i)).map_or(0, |gap| gap.span.end);
                    let new = leaf.after.checked_sub(1).and_then(|i| found.get(i)).map_or(0, |(span, _)| span.end);
                    let span = &leaf.slot.span;
                    (span.start - old + new..span.end - old + new, leaf.slot.decoded.clone())
                }
            };
            slots.push(Slot { span, decoded, ..leaf.slot.clone() });
        }
        crate::document(raw.clone(), slots).map(Some)
    }

    /// The gaps' places in `raw` and whether they hold escapes.
    fn fit(&self, raw: &[u8]) -> Option<[(Range<usize>, bool); MAX_GAPS]> {
        let mut found = [const { (0..0, false) }; MAX_GAPS];
        let (mut old, mut at) = (0, 0);
        for (gap, place) in self.gaps.iter().zip(&mut found) {
            at = fixed(&self.raw, old..gap.span.start, raw, at)?;
            let (end, escaped) = if gap.digits { (digits(raw, at)?, false) } else { text::end(raw, at).ok()? };
            std::str::from_utf8(&raw[at..end]).ok()?;
            *place = (at..end, escaped);
            (old, at) = (gap.span.end, end);
        }
        let end = fixed(&self.raw, old..self.raw.len(), raw, at)?;
        (end == raw.len()).then_some(found)
    }
}

/// Where `raw` stands after the template's bytes in `part`; none when it has others.
fn fixed(template: &[u8], part: Range<usize>, raw: &[u8], at: usize) -> Option<usize> {
    let part = template.get(part)?;
    raw.get(at..)?.starts_with(part).then_some(at + part.len())
}

/// The end of a small whole number.
fn digits(raw: &[u8], at: usize) -> Option<usize> {
    let count = raw.get(at..)?.iter().take(9).take_while(|b| b.is_ascii_digit()).count();
    let plain = count == 1 || raw.get(at) != Some(&b'0');
    ((1..=8).contains(&count) && plain).then_some(at + count)
}
