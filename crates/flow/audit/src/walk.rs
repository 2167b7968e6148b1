//! Goes through a journal that may be damaged, and past the damage.

use crate::{
    frame::{self, Frame},
    journal::trimmed,
};

/// What stands at the next place in a segment.
#[derive(Debug)]
pub(crate) enum Step<'a> {
    /// A whole frame, in order.
    Whole(Frame<'a>),
    /// A whole frame that belongs elsewhere: the record was moved, or is there twice.
    Stray(Frame<'a>),
    /// No whole frame stands where these records belong.
    Missing {
        /// The first of them.
        from: u64,
        /// The one after the last; none when nothing whole follows in this segment.
        to: Option<u64>,
        /// What is wrong.
        what: String,
        /// Bytes that were passed over.
        bytes: usize,
    },
}

/// Walks one segment.
pub(crate) struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
    next: u64,
    end: u64,
}

impl<'a> Walk<'a> {
    /// Of a segment whose first record is `start`.
    pub(crate) const fn new(bytes: &'a [u8], start: u64) -> Self {
        Self::within(bytes, start, u64::MAX)
    }

    /// Of a segment that has no record from index `end` on: whatever says so is out of its order. A frame's own number cannot be
    /// believed before the tree is known, and who counts up to it may count for ever.
    pub(crate) const fn within(bytes: &'a [u8], start: u64, end: u64) -> Self {
        Self { bytes, at: 0, next: start, end }
    }

    /// Index of the record that belongs at the next place.
    pub(crate) const fn next_index(&self) -> u64 {
        self.next
    }
}

impl<'a> Iterator for Walk<'a> {
    type Item = Step<'a>;

    fn next(&mut self) -> Option<Step<'a>> {
        let rest = self.bytes.get(self.at..).filter(|r| !r.is_empty())?;
        let from = self.next;
        match frame::decode(rest) {
            Ok(frame) if frame.index == from && from < self.end => {
                self.at += frame.len;
                self.next = self.next.saturating_add(1);
                Some(Step::Whole(frame))
            }
            Ok(frame) if frame.index < from || frame.index >= self.end => {
                self.at += frame.len;
                Some(Step::Stray(frame))
            }
            Ok(frame) => {
                self.next = frame.index;
                Some(Step::Missing { from, to: Some(frame.index), what: "it is not there".to_owned(), bytes: 0 })
            }
            Err(_) if trimmed(rest).is_empty() => None,
            Err(bad) => {
                // A damaged frame's own length cannot be believed: look for the next one that holds.
                let found = frame::find(rest, 1, |f| (from..self.end).contains(&f.index));
                let bytes = found.unwrap_or_else(|| trimmed(rest).len());
                let to = found.and_then(|at| frame::decode(rest.get(at..)?).ok()).map(|f| f.index);
                self.at += found.unwrap_or(rest.len());
                self.next = to.unwrap_or(from);
                Some(Step::Missing { from, to, what: bad.to_string(), bytes })
            }
        }
    }
}
