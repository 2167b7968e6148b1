//! Finds words in a short text: three bytes at a time are held against a sieve, and what passes it is compared with the words that
//! begin so. Sieve and words stay in the fastest memory, which an automaton of so many words does not.

use std::{ops::Range, sync::LazyLock};

use super::words::words;

/// The words by how they begin.
pub(super) static INDEX: LazyLock<Index> = LazyLock::new(|| {
    let mut index = Index { sieve: [0; 512], heads: [NONE; 1 << 11], words: Vec::new() };
    for (topic, word) in words() {
        let word = word.as_bytes();
        match *word {
            [a, b, c, ..] => index.insert([a, b, c], topic, word),
            // Two letters are a word where another sign follows.
            [a, b] => {
                (0..=u8::MAX).filter(|c| !c.is_ascii_alphanumeric()).for_each(|c| index.insert([a, b, c], topic, word))
            }
            _ => {}
        }
    }
    index
});

/// See [`INDEX`].
pub(super) struct Index {
    /// One bit for each [`key`].
    sieve: [u64; 512],
    /// The word that was put in last, by the high bits of its key.
    heads: [u16; 1 << 11],
    words: Vec<Word>,
}

struct Word {
    begins: [u8; 3],
    topic: u64,
    word: &'static [u8],
    /// The one before it with the same high bits.
    next: u16,
}

impl Index {
    fn insert(&mut self, begins: [u8; 3], topic: u64, word: &'static [u8]) {
        let key = key(begins);
        if let (Some(bits), Some(head)) = (self.sieve.get_mut(key >> 6), self.heads.get_mut(key >> 4)) {
            *bits |= 1 << (key & 63);
            let next = std::mem::replace(head, u16::try_from(self.words.len()).unwrap_or(NONE));
            self.words.push(Word { begins, topic, word, next });
        }
    }

    /// Hands on the topic and the place of each word in `text`, which is in lower case and ends in [`MARGIN`] spaces, and whether no
    /// letter or digit stands before it. Words of up to four bytes have none behind them either: they are parts of too many others.
    pub(super) fn find(&self, text: &[u8], mut found: impl FnMut(u64, Range<usize>, bool)) {
        let mut looks = 0_u64;
        for (place, three) in text.windows(3).take(64).enumerate() {
            let key = three.first_chunk().map_or(0, |three| key(*three));
            looks |= self.sieve.get(key >> 6).map_or(0, |bits| bits >> (key & 63) & 1) << place;
        }
        let letter = |at: Option<usize>| at.and_then(|at| text.get(at)).is_some_and(u8::is_ascii_alphanumeric);
        for place in crate::blocks::places(looks) {
            let Some((rest, begins)) = text.get(place..).and_then(|rest| Some((rest, *rest.first_chunk()?))) else {
                break;
            };
            let alone = !letter(place.checked_sub(1));
            let mut at = self.heads.get(key(begins) >> 4).copied().unwrap_or(NONE);
            while let Some(word) = self.words.get(usize::from(at)) {
                let end = place + word.word.len();
                if word.begins == begins
                    && end + MARGIN <= text.len()
                    && rest.starts_with(word.word)
                    && (word.word.len() > 4 || alone && !letter(Some(end)))
                {
                    found(word.topic, place..end, alone);
                }
                at = word.next;
            }
        }
    }
}

/// Fifteen bits that depend on three bytes.
#[inline]
const fn key([a, b, c]: [u8; 3]) -> usize {
    (u32::from_le_bytes([a, b, c, 0]).wrapping_mul(0x9e37_79b1) >> 17) as usize
}

/// Spaces behind a text, so that words of two letters at its end are found.
pub(super) const MARGIN: usize = 3;

/// No word.
const NONE: u16 = u16::MAX;

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn what_is_found_is_what_is_there(parts in proptest::collection::vec((0usize..4, 0usize..2000), 0..9)) {
            let words: Vec<_> = words().collect();
            let text: String = parts
                .iter()
                .map(|(kind, n)| match kind {
                    0 => [" ", "x", "4", ".", "é"][n % 5],
                    _ => words[n % words.len()].1,
                })
                .flat_map(str::chars)
                .take(40)
                .collect();
            let letter = |c: Option<&u8>| c.is_some_and(u8::is_ascii_alphanumeric);
            let mut want = Vec::new();
            for start in 0..text.len() {
                for (topic, word) in words.iter().filter(|(_, word)| text.as_bytes()[start..].starts_with(word.as_bytes())) {
                    let (bytes, end) = (text.as_bytes(), start + word.len());
                    let alone = !letter(start.checked_sub(1).and_then(|i| bytes.get(i)));
                    if word.len() > 4 || alone && !letter(bytes.get(end)) {
                        want.push((*topic, start, end, alone));
                    }
                }
            }
            let mut found = Vec::new();
            let padded = [text.as_bytes(), &[b' '; MARGIN]].concat();
            INDEX.find(&padded, |topic, place, alone| found.push((topic, place.start, place.end, alone)));
            want.sort_unstable();
            found.sort_unstable();
            proptest::prop_assert_eq!(found, want);
        }
    }
}
