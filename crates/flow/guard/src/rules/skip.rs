//! Steps over what no rule takes, most of any text: words, short signs and what stands between them.
//!
//! INVARIANT: what is stepped over would have changed nothing: no rule reports it, none holds it, none reads on from it. When in doubt
//! a place is not stepped over. Tests hold the two against each other.

use super::{assign, lead};
use crate::blocks::{BLOCK, masks, places};

/// Finds the next place that a rule has to look at.
pub(super) struct Skip<'a> {
    view: &'a [u8],
    classes: &'static [u8; 256],
    /// Where the block begins that was looked at last.
    start: usize,
    /// Bytes of it that belong to runs, and where in runs and between them there is something to look at.
    runs: u64,
    looks: u64,
}

impl<'a> Skip<'a> {
    /// Of the view from `from` on; `links` says whether rules about links apply.
    pub(super) fn new(view: &'a [u8], from: usize, links: bool) -> Self {
        let classes = if links { &WITH_LINKS } else { &WITHOUT };
        let mut it = Self { view, classes, start: from, runs: 0, looks: 0 };
        it.look();
        it
    }

    /// The next place from `at` on: between runs, or the beginning of one; the end of the view when there is none.
    #[inline]
    pub(super) fn next(&mut self, at: usize) -> usize {
        // A rule that ended inside a run left the rest of it, of which nothing is known here.
        let of_run = |at: Option<usize>| at.and_then(|at| self.view.get(at)).is_some_and(|b| super::class(*b) != 0);
        if of_run(Some(at)) && of_run(at.checked_sub(1)) {
            return at;
        }
        let mut at = at;
        while at < self.view.len() {
            if at >= self.start + BLOCK {
                self.start += (at - self.start) / BLOCK * BLOCK;
                self.look();
            }
            let looks = self.looks & !0 << (at - self.start);
            if looks != 0 {
                // The run it stands in begins behind the last byte before it that is of none.
                let place = looks.trailing_zeros();
                let others = !self.runs & !(!0 << place);
                let begin = if self.runs >> place & 1 == 1 { 64 - others.leading_zeros() } else { place };
                return at.max(self.start + begin as usize);
            }
            at = self.start + BLOCK;
        }
        self.view.len()
    }

    /// Looks at a block.
    fn look(&mut self) {
        let [runs, digits, joins, signs, spaces] = masks::<5, true>(self.classes, self.view, self.start);
        let starts = runs & !(runs << 1);
        let ends = runs & !(runs >> 1);
        // Digits, and signs that join what stands to both sides of them.
        let mut looks = signs | digits | joins & !(starts & ends);
        // One sign and a space, or two and a space, twice: many of these may spell a word. Behind the block all may be spaces.
        let space = |ahead: u32| spaces >> ahead | !(u64::MAX >> ahead);
        looks |= starts & space(1) & space(3) | starts & runs >> 1 & space(2) & space(5);
        // Long runs; among those of eight the armour of keys, web addresses without a scheme, and codes of capital letters.
        let two = runs & runs >> 1;
        let four = two & two >> 2;
        let eight = four & four >> 4;
        looks |= eight & eight >> 8;
        for place in places(starts & eight) {
            looks |= u64::from(may_begin(self.view, self.start + place)) << place;
        }
        // A word and a number.
        looks |= ends & space(1) & (digits >> 2 | !(u64::MAX >> 2));
        // Words that names end in.
        for place in places(ends) {
            let end = self.start + place + 1;
            let name = may_end(self.view, end)
                && (assign::ends_like_name(self.view, end) || lead::ends_like_lead(self.view, end));
            looks |= u64::from(name) << place;
        }
        // A run at the end of the block may go on in the next one, and one at the end of the view may do so when more arrives.
        looks |= runs & 1 << 63;
        let near = self.view.len().saturating_sub(self.start + AHEAD);
        if near < BLOCK {
            looks |= runs & !0 << near;
        }
        (self.runs, self.looks) = (runs, looks);
    }
}

/// Whether a run of eight bytes or more is looked at for how it begins.
#[inline]
fn may_begin(view: &[u8], at: usize) -> bool {
    match view.get(at..at + 4) {
        Some([b'-', ..] | [b'w', b'w', b'w', b'.']) => true,
        Some(first) => first.iter().all(u8::is_ascii_uppercase),
        None => false,
    }
}

/// Whether what ends at `end` may end like a name or like a word that leads: a cheap look before the two.
#[inline]
fn may_end(view: &[u8], end: usize) -> bool {
    match end.checked_sub(3).and_then(|at| view.get(at..)?.first_chunk()) {
        Some(&[a, b, c, next]) => {
            let place = sieve([a, b, c]);
            next >= 0x80 || ENDS[place >> 6] >> (place & 63) & 1 == 1
        }
        None => true,
    }
}

/// Twelve bits that depend on three letters, case aside.
#[inline]
const fn sieve([a, b, c]: [u8; 3]) -> usize {
    ((u32::from_le_bytes([a, b, c, 0]) | 0x20_2020).wrapping_mul(0x9e37_79b1) >> 20) as usize
}

/// One bit for each three letters that names and words that lead end in.
static ENDS: [u64; 64] = {
    let mut bits = [0; 64];
    let (three, four, leads) = (&assign::ENDS.0, &assign::ENDS.1, &lead::ENDS);
    let mut i = 0;
    while i < three.len() + four.len() + leads.len() {
        let place = sieve(if i < three.len() {
            *three[i]
        } else if i < three.len() + four.len() {
            let [_, a, b, c] = *four[i - three.len()];
            [a, b, c]
        } else {
            *leads[i - three.len() - four.len()]
        });
        bits[place >> 6] |= 1 << (place & 63);
        i += 1;
    }
    bits
};

/// How far beyond a run's beginning rules that pass it by may have looked.
const AHEAD: usize = 7;

const RUN: u8 = 1;
const DIGIT: u8 = 2;
const JOIN: u8 = 4;
const SIGN: u8 = 8;
const SPACE: u8 = 16;

static WITH_LINKS: [u8; 256] = classes(b"(!<");
static WITHOUT: [u8; 256] = classes(b"(");

const fn classes(signs: &[u8]) -> [u8; 256] {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 256 {
        let class = super::CLASSES[i];
        if class != 0 {
            table[i] = RUN
                | if class & super::DIGIT != 0 { DIGIT } else { 0 }
                | if class & (super::JOIN | super::AT) != 0 { JOIN } else { 0 };
        }
        i += 1;
    }
    let mut i = 0;
    while i < signs.len() {
        table[signs[i] as usize] = SIGN;
        i += 1;
    }
    table[b' ' as usize] = SPACE;
    table
}

#[cfg(test)]
mod tests {
    use super::super::tests::scan_with;

    proptest::proptest! {
        #![proptest_config(proptest::test_runner::Config { cases: 4000, ..Default::default() })]

        #[test]
        fn what_is_stepped_over_changes_nothing(
            parts in proptest::collection::vec(0usize..PARTS.len(), 0..60),
            cut in 0usize..80,
            last: bool,
            links: bool,
        ) {
            let text: String = parts.iter().map(|p| PARTS[*p]).collect();
            let view = text.as_bytes();
            let from = view.len().min(cut);
            proptest::prop_assert_eq!(scan_with(view, from, last, links, true), scan_with(view, from, last, links, false));
        }
    }

    const PARTS: [&str; 60] = [
        "a",
        " ",
        " ",
        "be",
        "in",
        "word",
        "sentence, ",
        "\n",
        ".",
        "-",
        "--",
        "(",
        ")",
        "!",
        "![",
        "<",
        "<img ",
        ":",
        "=",
        "@",
        "/",
        "password",
        "Token",
        " is ",
        "12",
        "4111 1111 1111 1111",
        "1,250.00",
        "+49 30 ",
        "é",
        "漢字",
        "-----BEGIN",
        " RSA PRIVATE KEY-----",
        "https://evil.example/?q=",
        "ghp_",
        "internationalisation",
        "a b ",
        "0f 1a ",
        "anna@bank.example",
        "\"",
        "account 12345",
        "September ",
        "Hauptstraße ",
        "Calle ",
        "Mayor",
        "user=",
        "username: ",
        "www.example.org ",
        "DEUTDEFF ",
        "ul. ",
        "Parkvägen",
        "IL 62701",
        "y/o",
        "12.03.1980",
        "Street",
        "born ",
        "fe80::1",
        "1.2.3.4",
        "Flat ",
        "OYG 663",
        "vehicle ",
    ];
}
