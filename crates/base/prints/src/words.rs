//! Splits a view into words: letters and digits without case; ideographs in overlapping pairs, since nothing separates them.

use crate::blocks::{BLOCK, Blocks};

/// One word of a view.
#[derive(Clone, Copy, Debug)]
pub struct Word {
    /// Of its letters and digits, without case.
    pub hash: u64,
    /// Where it begins in the view.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
    /// Two for a word, one for a pair of ideographs.
    pub weight: u32,
    /// Long enough to say something.
    pub strong: bool,
}

/// How far a view has been split.
#[derive(Debug, Default)]
pub struct Words {
    at: usize,
}

/// No word is longer; the rest of it is another.
const LONGEST: usize = 64;

impl Words {
    /// Calls `each` with every word that is whole.
    #[inline]
    pub fn read(&mut self, view: &[u8], last: bool, mut each: impl FnMut(&Word)) {
        let mut blocks = Blocks::new(&CLASSES, view, self.at);
        while let Some(word) = self.next(view, &mut blocks, last) {
            each(&word);
        }
    }

    /// The next whole word; none when its end has not arrived.
    #[inline(always)]
    fn next(&mut self, view: &[u8], blocks: &mut Blocks<'_, 2>, last: bool) -> Option<Word> {
        loop {
            let start = self.at;
            let lead = *view.get(start)?;
            if lead >= 0xe3
                && let Some(word) = ideographs(view, start, last)
            {
                let word = word?;
                self.at += 3;
                if word.end > word.start {
                    return Some(word);
                }
                continue;
            }
            let (block, [word, begins]) = blocks.at(start);
            let from = start - block;
            let ones = (!(word >> from)).trailing_zeros() as usize;
            if ones == 0 {
                // What stands at `start` is no word; the next may begin right behind it.
                let next = begins & (!1 << from);
                self.at = boundary(view, view.len().min(block + next.trailing_zeros() as usize));
                continue;
            }
            let rest = view.get(start..).unwrap_or_default();
            let len = if from + ones < BLOCK {
                ones
            } else {
                rest.iter().take(LONGEST).position(|b| !is_word(*b)).unwrap_or(rest.len().min(LONGEST))
            };
            let end = start + len;
            if end == view.len() && !last && len < LONGEST {
                return None;
            }
            let hash = hash(rest, len);
            let end = boundary(view, end);
            self.at = end;
            return Some(Word { hash, start, end, weight: 2, strong: end - start >= 5 });
        }
    }

    /// Where the word begins whose end has not arrived.
    pub const fn open(&self) -> usize {
        self.at
    }

    /// Forgets the first `count` bytes of the view.
    pub fn drop_front(&mut self, count: usize) {
        self.at = self.at.saturating_sub(count);
    }
}

/// Letters and digits. Scripts up to U+1FFF are words like any other; what follows is punctuation, symbols and ideographs.
#[inline]
const fn is_word(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | 0x80..=0xe1)
}

/// Whether a byte is of a word, and whether a word can begin with it: an ideograph is one by itself.
static CLASSES: [u8; 256] = {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 256 {
        let byte = i as u8;
        table[i] = is_word(byte) as u8 | ((is_word(byte) || byte >= 0x80) as u8) << 1;
        i += 1;
    }
    table
};

/// The hash of the `len` bytes at the beginning of `rest`, without case: setting the bit of lower case changes no digit, and
/// changes other scripts alike everywhere.
#[inline]
fn hash(rest: &[u8], len: usize) -> u64 {
    const CASE: u64 = 0x2020_2020_2020_2020;
    const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut hash = len as u64;
    let mut at = 0;
    while at < len {
        let left = (len - at).min(8);
        let eight = match rest.get(at..).and_then(|rest| rest.first_chunk()) {
            Some(eight) => u64::from_le_bytes(*eight),
            None => {
                let tail = rest.get(at..).unwrap_or_default();
                tail.iter().rev().fold(0, |v, b| v << 8 | u64::from(*b))
            }
        };
        let kept = eight & u64::MAX >> (64 - 8 * left);
        hash = (hash.rotate_left(23) ^ (kept | CASE)).wrapping_mul(SPREAD);
        hash ^= hash >> 32;
        at += 8;
    }
    hash
}

/// The end of the character that `at` may stand in.
#[inline]
fn boundary(view: &[u8], at: usize) -> usize {
    at + view.get(at..).unwrap_or_default().iter().take_while(|b| (0x80..0xc0).contains(*b)).count()
}

/// Two ideographs from `start` on. None: this is no ideograph. Some(None): it has not arrived whole.
fn ideographs(view: &[u8], start: usize, last: bool) -> Option<Option<Word>> {
    let [a, b, c] = *view.get(start..start + 3)? else { return None };
    let first = u32::from(a & 15) << 12 | u32::from(b & 63) << 6 | u32::from(c & 63);
    if a >= 0xf0 || !is_ideograph(first) {
        return None;
    }
    let Some(next) = view.get(start + 3..start + 6) else {
        // Alone at the end it pairs with nothing.
        let none = Word { hash: 0, start, end: start, weight: 0, strong: false };
        return Some(last.then_some(none));
    };
    let [d, e, f] = *next else { return None };
    let second = u32::from(d & 15) << 12 | u32::from(e & 63) << 6 | u32::from(f & 63);
    if !(0xe1..0xf0).contains(&d) || !is_ideograph(second) {
        return Some(Some(Word { hash: 0, start, end: start, weight: 0, strong: false }));
    }
    let hash = mix(u64::from(first) << 32 | u64::from(second));
    Some(Some(Word { hash, start, end: start + 6, weight: 1, strong: true }))
}

/// Han, kana, hangul.
const fn is_ideograph(code: u32) -> bool {
    matches!(code, 0x3040..=0x30ff | 0x3400..=0x4dbf | 0x4e00..=0x9fff | 0xac00..=0xd7af | 0xf900..=0xfaff)
}

/// Spreads the bits of a hash (the finaliser of MurmurHash3, public domain).
#[inline]
#[must_use]
pub const fn mix(mut hash: u64) -> u64 {
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ hash >> 33
}
