//! Which groups of words stand for a text.

use crate::{GROUP, Key, RUN, WINDOW};

/// Hashes groups of words as they come, and keeps the least of each [`WINDOW`] in a row.
#[derive(Debug)]
pub(crate) struct Winnow {
    /// Hashes of the last words, each at its index modulo [`GROUP`].
    recent: [u64; GROUP],
    group: u64,
    /// Words so far.
    count: u64,
    /// Prints of the last groups, each at the index of its last word modulo [`WINDOW`].
    window: [u64; WINDOW],
    /// The least of them, and the index of its last word.
    least: (u64, u64),
    kept: Option<u64>,
}

impl Default for Winnow {
    fn default() -> Self {
        Self { recent: [0; GROUP], group: 0, count: 0, window: [0; WINDOW], least: (u64::MAX, 0), kept: None }
    }
}

/// A group that was kept.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Kept {
    pub(crate) print: u64,
    /// How many words have come since its last.
    pub(crate) ago: u32,
}

impl Winnow {
    /// Takes in a word; the group that is kept now and was not before.
    #[inline]
    pub(crate) fn push(&mut self, word: u64, key: &Key) -> Option<Kept> {
        let index = self.count;
        self.count += 1;
        let gone = std::mem::replace(&mut self.recent[(index % GROUP as u64) as usize], word);
        self.group = self.group.wrapping_sub(gone.wrapping_mul(OLDEST)).wrapping_mul(BASE).wrapping_add(word);
        if self.count < GROUP as u64 {
            return None;
        }
        let print = key.print(self.group);
        self.window[(index % WINDOW as u64) as usize] = print;
        // Of equal ones the last: a text that repeats itself has no more prints than others.
        if print <= self.least.0 {
            self.least = (print, index);
        } else if self.least.1 + WINDOW as u64 <= index {
            self.least = (print, index);
            for at in (index + 1 - WINDOW as u64..index).rev() {
                let print = self.window[(at % WINDOW as u64) as usize];
                if print < self.least.0 {
                    self.least = (print, at);
                }
            }
        }
        let (print, at) = self.least;
        if self.count < RUN as u64 || self.kept == Some(at) {
            return None;
        }
        self.kept = Some(at);
        Some(Kept { print, ago: u32::try_from(index - at).unwrap_or(u32::MAX) })
    }
}

/// The hash of two words in a row.
pub(crate) const fn pair(first: u64, second: u64) -> u64 {
    first.wrapping_mul(BASE).wrapping_add(second)
}

const BASE: u64 = 0x9e37_79b9_7f4a_7c15;

/// What the oldest word of a full group has been multiplied by.
const OLDEST: u64 = {
    let (mut power, mut n) = (1u64, 1);
    while n < GROUP {
        power = power.wrapping_mul(BASE);
        n += 1;
    }
    power
};
