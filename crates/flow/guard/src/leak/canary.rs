//! Planted tokens: found whatever case they are in, whatever stands between their characters, and in hex, base64, rot13 or reversed.
//!
//! All forms of all tokens make one automaton (Aho and Corasick, 1975) over letters and digits; everything else is stepped over.

use std::collections::VecDeque;

use countersign_core::{Kind, Secret};
use data_encoding::{BASE64_NOPAD, HEXLOWER};

use crate::{
    blocks::{BLOCK, masks, places},
    rules::Hit,
};

/// The fewest letters and digits a token must have.
pub(crate) const LEAST: usize = 8;

/// So many bytes that are neither letter nor digit end a token that has begun.
const GAP: usize = 16;

/// Letters and digits.
const SYMBOLS: usize = 36;

/// The automaton. State 0 is the beginning.
pub(crate) struct Canaries {
    /// Next state, by state and symbol.
    next: Vec<[u32; SYMBOLS]>,
    /// How many symbols of some form each state stands for.
    depth: Vec<usize>,
    /// States at which a form is whole.
    whole: Vec<bool>,
    /// Which pairs of bytes begin a form: its first two symbols, or its first and something to be stepped over. One bit each.
    begins: Vec<u64>,
    /// By byte: whether it is the first of such a pair, and the second.
    places: Box<[u8; 256]>,
}

/// How far a text has been read.
#[derive(Debug, Default)]
pub(crate) struct Place {
    at: usize,
    state: usize,
    gap: usize,
}

impl Canaries {
    /// None where there are no tokens.
    ///
    /// # Errors
    /// The index of a token that is too short.
    pub(crate) fn new(tokens: &[Secret<String>]) -> Result<Option<Self>, usize> {
        let mut it = Self {
            next: vec![[0; SYMBOLS]],
            depth: vec![0],
            whole: vec![false],
            begins: vec![0; 1024],
            places: Box::new([0; 256]),
        };
        for (index, token) in tokens.iter().enumerate() {
            let token = token.expose().trim();
            if symbols(token.as_bytes()).count() < LEAST {
                return Err(index);
            }
            for form in forms(token) {
                it.add(&form);
            }
        }
        it.link();
        for first in 0u8..=255 {
            let Some(state) = symbol(first).map(|s| it.step(0, s)).filter(|s| *s != 0) else { continue };
            for second in 0u8..=255 {
                // A second symbol that leads back to the beginning, or to depth one, begins nothing here.
                if symbol(second).is_none_or(|s| it.depth.get(it.step(state, s)).is_some_and(|d| *d > 1)) {
                    let pair = usize::from(first) << 8 | usize::from(second);
                    if let Some(word) = it.begins.get_mut(pair >> 6) {
                        *word |= 1 << (pair & 63);
                    }
                    it.places[usize::from(first)] |= 1;
                    it.places[usize::from(second)] |= 2;
                }
            }
        }
        Ok((!tokens.is_empty()).then_some(it))
    }

    /// Reports whole tokens; returns where one that is not whole yet begins.
    pub(crate) fn scan(&self, place: &mut Place, view: &[u8], last: bool, out: &mut Vec<Hit>) -> usize {
        loop {
            if place.state == 0 {
                place.at = self.next(view, place.at);
            }
            let Some(&byte) = view.get(place.at) else { break };
            place.at += 1;
            let Some(symbol) = symbol(byte) else {
                place.gap += 1;
                if place.gap > GAP {
                    place.state = 0;
                }
                continue;
            };
            place.gap = 0;
            let state = self.step(place.state, symbol);
            place.state = state;
            if state != 0 && self.whole.get(state) == Some(&true) {
                let start = back(view, place.at, self.depth.get(state).copied().unwrap_or(0));
                out.push(Hit::new(Kind::Canary, "canary/token", start..place.at, 1.0));
                place.state = 0;
            }
        }
        if last || place.state == 0 {
            return view.len();
        }
        back(view, place.at, self.depth.get(place.state).copied().unwrap_or(0))
    }

    /// The next place at which a token may begin; the last byte where there is none, for what follows it has not arrived.
    fn next(&self, view: &[u8], from: usize) -> usize {
        let last = view.len().saturating_sub(1);
        for start in (from..last).step_by(BLOCK) {
            let [first, second] = masks::<2, false>(&self.places, view, start);
            // What follows the block may be any byte.
            for place in places(first & (second >> 1 | 1 << 63)) {
                let at = start + place;
                if at < last && self.may_begin(view, at) {
                    return at;
                }
            }
        }
        from.max(last)
    }

    /// Whether some form begins with the two bytes at `at`, or with the first and the third where the second is stepped over: words
    /// end in the first letter of a token, too.
    fn may_begin(&self, view: &[u8], at: usize) -> bool {
        let Some(&[a, b]) = view.get(at..at + 2) else { return true };
        let pair = usize::from(a) << 8 | usize::from(b);
        if self.begins.get(pair >> 6).is_none_or(|w| w >> (pair & 63) & 1 == 0) {
            return false;
        }
        match (symbol(a), symbol(b), view.get(at + 2).copied().and_then(symbol)) {
            (Some(a), None, Some(c)) => self.depth.get(self.step(self.step(0, a), c)).is_none_or(|d| *d > 1),
            _ => true,
        }
    }

    /// Whether less than half of the shortest token has been read.
    pub(crate) fn idle(&self, place: &Place) -> bool {
        self.depth.get(place.state).is_none_or(|d| *d < LEAST / 2)
    }

    fn step(&self, state: usize, symbol: usize) -> usize {
        self.next.get(state).and_then(|n| n.get(symbol)).map_or(0, |n| *n as usize)
    }

    fn add(&mut self, form: &[u8]) {
        let mut state = 0;
        for symbol in symbols(form) {
            let next = self.next.get(state).and_then(|n| n.get(symbol)).copied().unwrap_or(0) as usize;
            state = if next == 0 { self.grow(state, symbol) } else { next };
        }
        if let Some(whole) = self.whole.get_mut(state) {
            *whole = true;
        }
    }

    fn grow(&mut self, from: usize, symbol: usize) -> usize {
        let new = self.next.len();
        if let Some(next) = self.next.get_mut(from).and_then(|n| n.get_mut(symbol)) {
            *next = u32::try_from(new).unwrap_or(0);
        }
        self.next.push([0; SYMBOLS]);
        self.depth.push(self.depth.get(from).copied().unwrap_or(0) + 1);
        self.whole.push(false);
        new
    }

    /// Turns the tree of forms into an automaton: where a form breaks off, the longest other that fits goes on.
    fn link(&mut self) {
        let mut fail = vec![0usize; self.next.len()];
        let mut queue: VecDeque<usize> =
            self.next.first().into_iter().flatten().filter(|n| **n != 0).map(|n| *n as usize).collect();
        while let Some(state) = queue.pop_front() {
            let back = fail.get(state).copied().unwrap_or(0);
            if self.whole.get(back) == Some(&true)
                && let Some(whole) = self.whole.get_mut(state)
            {
                *whole = true;
            }
            for symbol in 0..SYMBOLS {
                let through = self.next.get(back).and_then(|n| n.get(symbol)).copied().unwrap_or(0);
                let Some(next) = self.next.get_mut(state).and_then(|n| n.get_mut(symbol)) else { continue };
                if *next == 0 {
                    *next = through;
                } else {
                    if let Some(f) = fail.get_mut(*next as usize) {
                        *f = through as usize;
                    }
                    queue.push_back(*next as usize);
                }
            }
        }
    }
}

impl Place {
    pub(crate) fn drop_front(&mut self, count: usize) {
        self.at = self.at.saturating_sub(count);
    }
}

/// The token as it may be written: itself, reversed, rot13, hex, and base64 begun at any of three places.
fn forms(token: &str) -> Vec<Vec<u8>> {
    let reversed: String = token.chars().rev().collect();
    let turned = token.bytes().map(|c| match c {
        b'a'..=b'z' => (c - b'a' + 13) % 26 + b'a',
        b'A'..=b'Z' => (c - b'A' + 13) % 26 + b'A',
        c => c,
    });
    let mut forms = vec![
        token.as_bytes().to_vec(),
        reversed.into_bytes(),
        turned.collect(),
        HEXLOWER.encode(token.as_bytes()).into_bytes(),
    ];
    for shift in 0..3 {
        // Characters at the ends depend on what stands around the token; those between are its own.
        let padded = [&vec![b' '; shift], token.as_bytes()].concat();
        let text = BASE64_NOPAD.encode(&padded);
        let from = (shift * 4).div_ceil(3);
        let to = padded.len() / 3 * 4;
        forms.push(text.as_bytes().get(from..to).unwrap_or_default().to_vec());
    }
    forms.retain(|f| symbols(f).count() >= LEAST);
    forms
}

fn symbols(text: &[u8]) -> impl Iterator<Item = usize> {
    text.iter().filter_map(|c| symbol(*c))
}

fn symbol(byte: u8) -> Option<usize> {
    SYMBOL.get(usize::from(byte)).copied().filter(|s| *s != NONE).map(usize::from)
}

const NONE: u8 = u8::MAX;

static SYMBOL: [u8; 256] = {
    let mut table = [NONE; 256];
    let mut i = 0;
    while i < 128 {
        table[i] = match i as u8 {
            digit @ b'0'..=b'9' => digit - b'0',
            letter @ b'a'..=b'z' => letter - b'a' + 10,
            letter @ b'A'..=b'Z' => letter - b'A' + 10,
            _ => NONE,
        };
        i += 1;
    }
    table
};

/// Where the last `count` letters and digits before `end` begin.
fn back(view: &[u8], end: usize, count: usize) -> usize {
    let mut left = count;
    let mut at = end;
    while left > 0 && at > 0 {
        at -= 1;
        left -= usize::from(view.get(at).copied().and_then(symbol).is_some());
    }
    at
}
