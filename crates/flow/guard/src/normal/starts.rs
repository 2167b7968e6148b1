//! Finds words by how they begin: one table look for each place where one could, far cheaper than following every byte through an
//! automaton.

use std::ops::Range;

use super::survey::Survey;
use crate::blocks::leads;

/// Words to be found. Those in ASCII are found in any case where a word begins, and ones that begin with a sign anywhere; the others
/// are found as they are written.
#[derive(Debug)]
pub(crate) struct Starts {
    /// One bit for each hash of how a word begins.
    sieve: Box<[u64; 1024]>,
    /// By the low bits of the hash: where its words stand.
    buckets: Vec<Range<u16>>,
    words: Vec<Word>,
}

/// A word to be found. Those that are not ASCII begin with such a letter and have at least six bytes.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Word {
    pub(crate) text: Box<str>,
    /// Counts only where a word begins.
    pub(crate) start: bool,
    /// Counts only where a word ends after it. ASCII words of fewer than four bytes do in any case.
    pub(crate) end: bool,
    /// What the caller calls it.
    pub(crate) name: usize,
}

impl Starts {
    pub(crate) fn new(words: impl Iterator<Item = Word>) -> Self {
        let mut sieve = Box::new([0_u64; 1024]);
        let mut sorted: Vec<(u16, Word)> = Vec::new();
        for mut word in words {
            let bytes = word.text.as_bytes();
            let mut hashes = Vec::new();
            if !word.text.is_ascii() {
                hashes.extend(wide_hash(bytes));
            } else if bytes.len() < 4 {
                // What follows a short word may be any of the bytes that end it.
                hashes.extend(b" \n\t\r.,;:!?'\"-)".iter().map(|f| hash(bytes, *f)));
                word.end = true;
            } else {
                hashes.push(hash(bytes, 0));
            }
            hashes.sort_unstable();
            hashes.dedup();
            for hash in hashes {
                if let Some(bits) = sieve.get_mut(usize::from(hash >> 6)) {
                    *bits |= 1 << (hash & 63);
                }
                sorted.push((hash % BUCKETS, word.clone()));
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
        Self { sieve, buckets, words }
    }

    /// Bytes its tables take.
    #[cfg(test)]
    pub(crate) fn memory(&self) -> usize {
        8192 + self.buckets.len() * 4 + self.words.iter().map(|w| w.text.len() + size_of::<Word>()).sum::<usize>()
    }

    /// Its words.
    #[cfg(test)]
    pub(crate) fn words(&self) -> &[Word] {
        &self.words
    }

    /// Calls `found` with the place and the name of every word, those in ASCII first. `survey` is that of `text`.
    pub(crate) fn find(&self, text: &str, survey: &Survey, mut found: impl FnMut(usize, usize)) {
        let bytes = text.as_bytes();
        survey.starts(|at| {
            let hash = hash(bytes.get(at..).unwrap_or_default(), 0);
            if self.may_begin(hash) {
                self.look(bytes, at, hash, false, &mut found);
            }
        });
        if !survey.ascii {
            self.find_wide(text, false, &mut found);
        }
    }

    /// Words in ASCII that one letter or digit was glued to (`xIgnore`), or an escape sequence (the two characters of `\n`).
    pub(crate) fn find_glued(&self, text: &str, survey: &Survey, mut found: impl FnMut(usize, usize)) {
        let bytes = text.as_bytes();
        let mut look = |at: usize| {
            let hash = hash(bytes.get(at..).unwrap_or_default(), 0);
            if self.may_begin(hash) {
                self.look(bytes, at, hash, false, &mut found);
            }
        };
        survey.glued(&mut look);
        for at in memchr::memchr_iter(b'\\', bytes) {
            // A capital behind the escape was glued to its letter.
            if let Some([b'n' | b'r' | b't', b'a'..=b'z']) = bytes.get(at + 1..at + 3) {
                look(at + 2);
            }
        }
    }

    /// Every word, inside of others too.
    pub(crate) fn find_anywhere(&self, text: &str, mut found: impl FnMut(usize, usize)) {
        let bytes = text.as_bytes();
        for at in 0..bytes.len() {
            let hash = hash(bytes.get(at..).unwrap_or_default(), 0);
            if self.may_begin(hash) {
                self.look(bytes, at, hash, true, &mut found);
            }
        }
        self.find_wide(text, true, &mut found);
    }

    fn find_wide(&self, text: &str, anywhere: bool, found: &mut impl FnMut(usize, usize)) {
        let bytes = text.as_bytes();
        for at in leads(bytes) {
            let Some(hash) = bytes.get(at..).and_then(wide_hash).filter(|hash| self.may_begin(*hash)) else { continue };
            for word in self.begun(hash) {
                let letter = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
                let before = || letter(text.get(..at).and_then(|t| t.chars().next_back()));
                let rest = text.get(at..).and_then(|t| t.strip_prefix(&*word.text));
                let fits =
                    |after: &str| anywhere || !(word.start && before() || word.end && letter(after.chars().next()));
                if !word.text.is_ascii() && rest.is_some_and(fits) {
                    found(at, word.name);
                }
            }
        }
    }

    /// Looks for ASCII words at one place.
    fn look(&self, bytes: &[u8], at: usize, hash: u16, anywhere: bool, found: &mut impl FnMut(usize, usize)) {
        let rest = bytes.get(at..).unwrap_or_default();
        for word in self.begun(hash) {
            let len = word.text.len();
            let same = rest.get(..len).is_some_and(|r| r.eq_ignore_ascii_case(word.text.as_bytes()));
            if same && (anywhere || !word.end || !rest.get(len).is_some_and(u8::is_ascii_alphanumeric)) {
                found(at, word.name);
            }
        }
    }

    /// Whether some word begins with what has this hash: what most places fail at.
    #[inline]
    fn may_begin(&self, hash: u16) -> bool {
        self.sieve[usize::from(hash >> 6)] >> (hash & 63) & 1 == 1
    }

    /// The words that may begin with what has this hash.
    fn begun(&self, hash: u16) -> &[Word] {
        let bucket = self.buckets.get(usize::from(hash % BUCKETS)).cloned().unwrap_or_default();
        self.words.get(usize::from(bucket.start)..usize::from(bucket.end)).unwrap_or_default()
    }
}

/// Hash of the first four bytes, case aside; `follower` stands in for what is missing.
#[inline]
fn hash(bytes: &[u8], follower: u8) -> u16 {
    let head = match bytes {
        _ if bytes.len() >= 4 => bytes.first_chunk().copied().unwrap_or_default(),
        [a, b, c] => [*a, *b, *c, follower],
        [a, b] => [*a, *b, follower, 0],
        [a] => [*a, follower, 0, 0],
        _ => [0; 4],
    };
    let key = u32::from_le_bytes(head) | 0x2020_2020;
    // The high half of a product by an odd constant mixes every bit of the key.
    (key.wrapping_mul(0x9e37_79b1) >> 16) as u16
}

/// Hash of the first six bytes: two ideographs, three letters of an alphabet.
#[inline]
fn wide_hash(bytes: &[u8]) -> Option<u16> {
    let key = match bytes.first_chunk() {
        Some(eight) => u64::from_le_bytes(*eight) & 0xffff_ffff_ffff,
        None => bytes.get(..6)?.iter().rev().fold(0, |key, b| key << 8 | u64::from(*b)),
    };
    Some((key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48) as u16)
}

const BUCKETS: u16 = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    fn word(text: &str, start: bool, end: bool, name: usize) -> Word {
        Word { text: text.into(), start, end, name }
    }

    fn find(starts: &Starts, text: &str, anywhere: bool) -> Vec<(usize, usize)> {
        let mut all = Vec::new();
        match anywhere {
            true => starts.find_anywhere(text, |at, name| all.push((at, name))),
            false => starts.find(text, &Survey::of(text), |at, name| all.push((at, name))),
        }
        all
    }

    #[test]
    fn words_are_found_where_they_begin() {
        let words = [("ignor", false), ("ora", true), ("<|im", false), ("prompt", true)];
        let words = words.iter().enumerate().map(|(n, (text, end))| word(text, true, *end, n));
        let starts = Starts::new(words.chain([word("忽略", false, false, 4), word("забудь", true, true, 5)]));
        assert_eq!(
            find(&starts, "IGNORING xignore, ora! orange x<|im_ prompts prompt ora", false),
            [(0, 0), (18, 1), (31, 2), (45, 3), (52, 1)]
        );
        let mut glued = Vec::new();
        let text = r"xIgnore xyIgnore xignore \nignore \nIgnore \\tIGNORE Ignore \n ignore nIgnored";
        starts.find_glued(text, &Survey::of(text), |at, name| glued.push((at, name)));
        glued.sort_unstable();
        assert_eq!(glued, [(1, 0), (27, 0), (36, 0), (46, 0), (71, 0)]);
        assert_eq!(find(&starts, "xignore", true), [(1, 0)]);
        assert!(find(&starts, "", false).is_empty() && find(&starts, "ig", false).is_empty());
        assert_eq!(find(&starts, "请忽略它 ora", false), [(13, 1), (3, 4)]);
        assert_eq!(find(&starts, "незабудь забудьте забудь", false), [(34, 5)]);
        assert_eq!(find(&starts, "незабудьте", true), [(4, 5)]);
    }

    proptest::proptest! {
        #[test]
        fn every_word_is_found_wherever_a_search_of_every_place_finds_it(
            parts in proptest::collection::vec(0usize..PARTS.len(), 0..40),
            anywhere: bool,
        ) {
            let text: String = parts.iter().map(|p| PARTS[*p]).collect();
            let words: Vec<Word> = WORDS.iter().enumerate().map(|(n, (t, start, end))| word(t, *start, *end, n)).collect();
            let ascii = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
            let letter = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
            let mut all = Vec::new();
            for (at, _) in text.char_indices() {
                for w in &words {
                    let (before, rest) = (text[..at].chars().next_back(), &text[at..]);
                    let Some(head) = rest.get(..w.text.len()) else { continue };
                    let after = rest[w.text.len()..].chars().next();
                    let sign = !w.text.starts_with(|c: char| c.is_ascii_alphanumeric());
                    let fits = match w.text.is_ascii() {
                        true => (sign || !ascii(before)) && !(w.end && ascii(after)),
                        false => !(w.start && letter(before) || w.end && letter(after)),
                    };
                    let same = *head == *w.text || w.text.is_ascii() && head.eq_ignore_ascii_case(&w.text);
                    if same && (anywhere || fits) {
                        all.push((at, w.name));
                    }
                }
            }
            let mut found = find(&Starts::new(words.iter().cloned()), &text, anywhere);
            found.sort_unstable();
            all.sort_unstable();
            proptest::prop_assert_eq!(found, all);
        }
    }

    const WORDS: [(&str, bool, bool); 8] = [
        ("ignore", true, false),
        ("ignore me", true, true),
        ("prompt", true, true),
        ("<|im", false, false),
        ("忽略", false, false),
        ("忽略它", false, false),
        ("забудь", true, true),
        ("забудь о", true, false),
    ];

    const PARTS: [&str; 16] = [
        "ignore",
        "IGNORE ",
        "me",
        " ",
        "prompt",
        "s",
        "<|im",
        "-",
        "忽",
        "略",
        "忽略",
        "它",
        "забудь",
        " о",
        "é",
        "ь",
    ];
}
