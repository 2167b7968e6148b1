//! Which groups of words stand for a text.

use std::collections::VecDeque;

use crate::{GROUP, Key, WINDOW};

/// Hashes groups of words as they come, and keeps the least of each [`WINDOW`] in a row.
#[derive(Debug, Default)]
pub(crate) struct Winnow {
    /// Hashes of the last words.
    recent: VecDeque<u64>,
    group: u64,
    /// Words so far.
    count: u64,
    /// Groups of the window that are less than all behind them: hash, and index of the last word.
    least: VecDeque<(u64, u64)>,
    kept: Option<u64>,
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
    pub(crate) fn push(&mut self, word: u64, key: &Key) -> Option<Kept> {
        if self.recent.len() == GROUP {
            let gone = self.recent.pop_front().unwrap_or_default();
            self.group = self.group.wrapping_sub(gone.wrapping_mul(OLDEST));
        }
        self.recent.push_back(word);
        self.group = self.group.wrapping_mul(BASE).wrapping_add(word);
        let index = self.count;
        self.count += 1;
        if self.recent.len() < GROUP {
            return None;
        }
        let print = key.print(self.group);
        // Of equal ones the last: a text that repeats itself has no more prints than others.
        while self.least.back().is_some_and(|(other, _)| *other >= print) {
            self.least.pop_back();
        }
        self.least.push_back((print, index));
        while self.least.front().is_some_and(|(_, at)| at + (WINDOW as u64) <= index) {
            self.least.pop_front();
        }
        if self.count < (GROUP + WINDOW - 1) as u64 {
            return None;
        }
        let (print, at) = *self.least.front()?;
        if self.kept == Some(at) {
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
