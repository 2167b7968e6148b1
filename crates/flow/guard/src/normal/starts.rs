//! Finds words by how they begin: one table look a byte and one more for each word, far cheaper than following every byte through an automaton.

use std::ops::Range;

/// ASCII words to be found where a word begins; words that begin with a sign are found anywhere.
#[derive(Debug)]
pub(crate) struct Starts {
    /// By byte: whether it is part of a word, and whether a word that begins with a sign begins with it.
    class: Box<[u8; 256]>,
    /// One bit for each hash of the first four bytes.
    sieve: Box<[u64; 1024]>,
    /// By the low bits of the hash: where its words stand.
    buckets: Vec<Range<u16>>,
    words: Vec<Word>,
}

#[derive(Debug)]
struct Word {
    text: Box<str>,
    /// Counts only where a word ends after it.
    ends: bool,
    /// What the caller calls it.
    name: usize,
}

impl Starts {
    /// Takes in words, whether each must be followed by the end of a word, and in that order their names. Words of fewer than
    /// four bytes match only where they end.
    pub(crate) fn new<'a>(words: impl Iterator<Item = (&'a str, bool)>) -> Self {
        let mut class = Box::new([0; 256]);
        for (byte, class) in (0_u8..=255).zip(class.iter_mut()) {
            *class = u8::from(byte.is_ascii_alphanumeric());
        }
        let mut sieve = Box::new([0_u64; 1024]);
        let mut sorted: Vec<(u16, Word)> = Vec::new();
        for (name, (text, ends)) in words.enumerate() {
            let bytes = text.as_bytes();
            if let Some(first) = bytes.first().filter(|b| !b.is_ascii_alphanumeric())
                && let Some(class) = class.get_mut(usize::from(*first))
            {
                *class |= SIGN;
            }
            // What follows a short word may be any of the bytes that end it.
            let followers = if bytes.len() < 4 { b" \n\t\r.,;:!?'\"-)".as_slice() } else { b"\0" };
            let mut hashes: Vec<u16> = followers.iter().map(|f| hash(bytes, *f)).collect();
            hashes.sort_unstable();
            hashes.dedup();
            for hash in hashes {
                if let Some(word) = sieve.get_mut(usize::from(hash >> 6)) {
                    *word |= 1 << (hash & 63);
                }
                sorted.push((hash % BUCKETS, Word { text: text.into(), ends: ends || bytes.len() < 4, name }));
            }
        }
        sorted.sort_by_key(|(bucket, _)| *bucket);
        let mut buckets = vec![0..0; usize::from(BUCKETS)];
        let mut words = Vec::with_capacity(sorted.len());
        for (bucket, word) in sorted {
            let at = u16::try_from(words.len()).unwrap_or(u16::MAX);
            if let Some(range) = buckets.get_mut(usize::from(bucket)) {
                *range = if range.start == range.end { at..at + 1 } else { range.start..at + 1 };
            }
            words.push(word);
        }
        Self { class, sieve, buckets, words }
    }

    /// Bytes its tables take.
    #[cfg(test)]
    pub(crate) fn memory(&self) -> usize {
        256 + 8192 + self.buckets.len() * 4 + self.words.iter().map(|w| w.text.len() + 32).sum::<usize>()
    }

    /// Calls `found` with the place and the name of every word; `anywhere` looks inside words too.
    pub(crate) fn find(&self, text: &str, anywhere: bool, mut found: impl FnMut(usize, usize)) {
        let bytes = text.as_bytes();
        if anywhere {
            return (0..bytes.len()).for_each(|at| self.look(bytes, at, true, &mut found));
        }
        let class = |byte: &u8| self.class[usize::from(*byte)];
        let mut at = 0;
        while let Some(byte) = bytes.get(at) {
            match class(byte) {
                0 => at += 1,
                LETTER => {
                    self.look(bytes, at, false, &mut found);
                    let rest = bytes.get(at..).unwrap_or_default();
                    at += rest.iter().position(|b| class(b) != LETTER).unwrap_or(rest.len());
                }
                _ => {
                    self.look(bytes, at, false, &mut found);
                    at += 1;
                }
            }
        }
    }

    #[inline]
    fn look(&self, bytes: &[u8], at: usize, anywhere: bool, found: &mut impl FnMut(usize, usize)) {
        let rest = bytes.get(at..).unwrap_or_default();
        let hash = hash(rest, 0);
        if self.sieve[usize::from(hash >> 6)] & 1 << (hash & 63) == 0 {
            return;
        }
        let Some(bucket) = self.buckets.get(usize::from(hash % BUCKETS)) else { return };
        for word in self.words.get(usize::from(bucket.start)..usize::from(bucket.end)).unwrap_or_default() {
            let len = word.text.len();
            let same = rest.get(..len).is_some_and(|r| r.eq_ignore_ascii_case(word.text.as_bytes()));
            if same && (anywhere || !word.ends || !rest.get(len).is_some_and(u8::is_ascii_alphanumeric)) {
                found(at, word.name);
            }
        }
    }
}

/// Hash of the first four bytes, case aside; `follower` stands in for what is missing.
#[inline]
fn hash(bytes: &[u8], follower: u8) -> u16 {
    let head = match bytes {
        [a, b, c, d, ..] => [*a, *b, *c, *d],
        [a, b, c] => [*a, *b, *c, follower],
        [a, b] => [*a, *b, follower, 0],
        [a] => [*a, follower, 0, 0],
        [] => [0; 4],
    };
    let key = u32::from_le_bytes(head) | 0x2020_2020;
    // The high half of a product by an odd constant mixes every bit of the key.
    (key.wrapping_mul(0x9e37_79b1) >> 16) as u16
}

const LETTER: u8 = 1;
const SIGN: u8 = 2;
const BUCKETS: u16 = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_where_they_begin() {
        let starts = Starts::new([("ignor", false), ("ora", true), ("<|im", false), ("prompt", true)].into_iter());
        let find = |text: &str, anywhere| {
            let mut all = Vec::new();
            starts.find(text, anywhere, |at, name| all.push((at, name)));
            all
        };
        assert_eq!(
            find("IGNORING xignore, ora! orange x<|im_ prompts prompt ora", false),
            [(0, 0), (18, 1), (31, 2), (45, 3), (52, 1)]
        );
        assert_eq!(find("xignore", true), [(1, 0)]);
        assert!(find("", false).is_empty() && find("ig", false).is_empty());
    }
}
