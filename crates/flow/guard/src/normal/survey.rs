//! One look at every byte of a view, shared by all that read it: where words begin, and which decoders can find anything at all.
//!
//! INVARIANT: what a survey rules out is not there. Decoders that are let in look for themselves.

use crate::blocks::{BLOCK, masks, places};

/// What one look at a text says about it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Survey {
    /// One bit for each byte: a word of ASCII letters and digits begins there, or one of [`SIGNS`] that something follows.
    starts: Vec<u64>,
    /// One bit for each byte: a capital behind one small letter or digit, which a word was glued to (`xIgnore`).
    glued: Vec<u64>,
    /// Nothing but ASCII.
    pub(crate) ascii: bool,
    /// There may be [`RUN`] characters of base64, base32 or hex in a row.
    pub(crate) runs: bool,
    /// There may be [`GROUPS`] characters of hex or binary groups in a row.
    pub(crate) groups: bool,
    /// There may be [`MORSE`] characters of Morse code in a row.
    pub(crate) morse: bool,
    /// There may be characters set apart by separators.
    pub(crate) apart: bool,
    /// Letters that are followed by a digit or a sign that stands for a letter.
    pub(crate) figures: u32,
}

impl Survey {
    pub(crate) fn of(text: &str) -> Self {
        let bytes = text.as_bytes();
        let room = || Vec::with_capacity(bytes.len().div_ceil(BLOCK));
        let mut it = Self { starts: room(), glued: room(), ascii: text.is_ascii(), ..Self::default() };
        let (mut words, mut letters, mut smalls) = (0, 0, 0);
        let (mut runs, mut groups, mut morse) = (0, 0, 0);
        let mut apart = Apart::default();
        for at in (0..bytes.len()).step_by(BLOCK) {
            let [word, sign, capital, figure, run, group, dash, separator] = masks::<8, true>(&CLASSES, bytes, at);
            // No word is a sign alone: most quotation marks and brackets begin nothing. What follows the block may be anything.
            let goes_on = (word | sign | figure) >> 1 | 1 << 63;
            let begins = word & !(word << 1 | words);
            let small = begins & !capital;
            it.starts.push(begins | sign & goes_on);
            it.glued.push(capital & (small << 1 | smalls));
            (words, smalls) = (word >> 63, small >> 63);
            let letter = word & !figure;
            it.figures += (figure & (letter << 1 | letters)).count_ones();
            letters = letter >> 63;
            it.runs |= in_a_row(run, &mut runs, RUN);
            it.groups |= in_a_row(group, &mut groups, GROUPS);
            it.morse |= in_a_row(dash, &mut morse, MORSE);
            it.apart |= if it.ascii { apart.by_one(separator) } else { apart.by_a_few(separator) };
        }
        it
    }

    /// Calls `each` with the places where words and signs begin, in order.
    #[inline]
    pub(crate) fn starts(&self, each: impl FnMut(usize)) {
        all_places(&self.starts, each);
    }

    /// Calls `each` with the places of capitals behind one small letter or digit, in order.
    pub(crate) fn glued(&self, each: impl FnMut(usize)) {
        all_places(&self.glued, each);
    }
}

#[inline]
fn all_places(masks: &[u64], mut each: impl FnMut(usize)) {
    for (n, mask) in masks.iter().enumerate() {
        for place in places(*mask) {
            each(n * BLOCK + place);
        }
    }
}

/// Whether `least` bits in a row, 16 to 32, are set in this block and those before it, the last of which ended in `tail` set bits.
#[inline]
fn in_a_row(mask: u64, tail: &mut u32, least: u32) -> bool {
    let joined = *tail + mask.trailing_ones();
    *tail = if mask == u64::MAX { joined } else { mask.leading_ones() };
    let two = mask & mask >> 1;
    let four = two & two >> 2;
    let eight = four & four >> 4;
    let sixteen = eight & eight >> 8;
    joined >= least || sixteen & sixteen >> (least - 16) != 0
}

/// Looks for separators that stand a character apart.
#[derive(Default)]
struct Apart {
    /// The separators of the block before.
    before: u64,
}

impl Apart {
    /// Three of them, every other byte.
    #[inline]
    fn by_one(&mut self, separators: u64) -> bool {
        let all = self.joined(separators);
        all & all >> 2 & all >> 4 != 0
    }

    /// Five of them, each two to five bytes behind the last.
    #[inline]
    fn by_a_few(&mut self, separators: u64) -> bool {
        let all = self.joined(separators);
        (0..4).fold(all, |last, _| all & (last << 2 | last << 3 | last << 4 | last << 5)) != 0
    }

    /// With the last of the block before.
    #[inline]
    fn joined(&mut self, separators: u64) -> u128 {
        let all = u128::from(separators) << 64 | u128::from(self.before);
        self.before = separators;
        all
    }
}

/// Signs that words of lists begin with; another sign, a letter or a digit follows.
pub(crate) const SIGNS: &[u8] = b"\"#%'-/<[";

/// Whether the byte can stand in base64, base32 or hex.
pub(super) const fn in_run(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'-' | b'_')
}

/// Whether the byte can stand in groups of hex or binary digits.
pub(super) const fn in_group(b: u8) -> bool {
    b.is_ascii_hexdigit() || matches!(b, b' ' | b',' | b':' | b'x')
}

/// Whether the byte can stand in Morse code.
pub(super) const fn in_morse(b: u8) -> bool {
    matches!(b, b'.' | b'-' | b' ' | b'/' | b'\n')
}

/// Whether the byte sets characters apart.
pub(super) const fn separates(b: u8) -> bool {
    matches!(b, b' ' | b'.' | b'-' | b'_' | b'*' | b'|' | b'/' | b',' | b'+' | b'~' | b'\t' | b'\\')
}

/// Shortest run that is worth decoding: eleven bytes of text.
pub(super) const RUN: u32 = 16;
/// Shortest stretch of groups.
pub(super) const GROUPS: u32 = 17;
/// Shortest stretch of Morse.
pub(super) const MORSE: u32 = 20;

static CLASSES: [u8; 256] = {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 128 {
        let b = i as u8;
        table[i] = b.is_ascii_alphanumeric() as u8
            | (b.is_ascii_uppercase() as u8) << 2
            | ((b.is_ascii_digit() || matches!(b, b'@' | b'$' | b'|')) as u8) << 3
            | (in_run(b) as u8) << 4
            | (in_group(b) as u8) << 5
            | (in_morse(b) as u8) << 6
            | (separates(b) as u8) << 7;
        i += 1;
    }
    let mut i = 0;
    while i < SIGNS.len() {
        table[SIGNS[i] as usize] |= 2;
        i += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn a_survey_says_what_is_there(parts in proptest::collection::vec(0usize..PARTS.len(), 0..40), pad in 0usize..70) {
            let text = "x ".repeat(pad) + &parts.iter().map(|p| PARTS[*p]).collect::<String>();
            let bytes = text.as_bytes();
            let survey = Survey::of(&text);
            let starts: Vec<usize> = (0..bytes.len())
                .filter(|at| {
                    let word = |b: &u8| b.is_ascii_alphanumeric();
                    let goes_on = |b: &u8| word(b) || SIGNS.contains(b) || matches!(b, b'@' | b'$' | b'|');
                    let sign = SIGNS.contains(&bytes[*at]);
                    sign && (at % BLOCK == 63 || bytes.get(at + 1).is_some_and(goes_on)) || word(&bytes[*at]) && (*at == 0 || !word(&bytes[at - 1]))
                })
                .collect();
            let mut found = Vec::new();
            survey.starts(|at| found.push(at));
            proptest::prop_assert_eq!(found, starts);
            let is = |at: Option<usize>, class: fn(&u8) -> bool| at.and_then(|at| bytes.get(at)).is_some_and(class);
            let small = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
            let glued: Vec<usize> = (1..bytes.len())
                .filter(|at| bytes[*at].is_ascii_uppercase() && is(at.checked_sub(1), small))
                .filter(|at| !is(at.checked_sub(2), u8::is_ascii_alphanumeric))
                .collect();
            let mut found = Vec::new();
            survey.glued(|at| found.push(at));
            proptest::prop_assert_eq!(found, glued);
            let row = |of: fn(u8) -> bool, least: u32| {
                bytes.split(|b| !of(*b)).any(|run| run.len() >= least as usize)
            };
            proptest::prop_assert_eq!(survey.runs, row(in_run, RUN));
            proptest::prop_assert_eq!(survey.groups, row(in_group, GROUPS));
            proptest::prop_assert_eq!(survey.morse, row(in_morse, MORSE));
            let figures = bytes.windows(2).filter(|w| {
                w[0].is_ascii_alphabetic() && (w[1].is_ascii_digit() || matches!(w[1], b'@' | b'$' | b'|'))
            });
            proptest::prop_assert_eq!(survey.figures as usize, figures.count());
            let at = |n: usize| bytes.get(n).is_some_and(|b| separates(*b));
            let chain = |from: usize| {
                let mut ends = vec![from];
                for _ in 0..4 {
                    ends = ends.iter().flat_map(|e| (2..=5).map(move |n| e + n)).filter(|n| at(*n)).collect();
                    ends.dedup();
                }
                !ends.is_empty()
            };
            let apart = (0..bytes.len())
                .filter(|n| at(*n))
                .any(|n| if text.is_ascii() { at(n + 2) && at(n + 4) } else { chain(n) });
            proptest::prop_assert_eq!(survey.apart, apart);
        }
    }

    const PARTS: [&str; 13] =
        ["a", "xI", "B7", " ", ".", "- ", "é", "漢", "\"", "0x4f ", "aGVsbG8gd29y", "\n", "i.g.n"];
}
