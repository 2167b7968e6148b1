//! Aims that are reached for step by step: hints that are too weak by themselves, the same refused thing asked for again, and
//! pushes further from the model's own answer, added up over the turns of a conversation.
//!
//! One number and the words of what was refused last are all that is kept, and of each text only its beginning is read, so that a
//! conversation costs in proportion to its length. What is said of it stands on its last turn: harmless turns let it cool down, and
//! a conversation that has cooled down goes on.

use std::ops::Range;

use aho_corasick::AhoCorasick;
use countersign_core::{Channel, Kind, Leaf};

use super::lexicon::canonical;
use crate::{Found, GuardError, normal::fold};

/// The phrases that refuse and that push.
pub(crate) struct Phrases {
    words: AhoCorasick,
    /// For each of them, whether it refuses.
    refuses: Vec<bool>,
}

/// A conversation so far.
#[derive(Debug, Default)]
pub(crate) struct Escalation {
    heat: f32,
    /// Steps that had a hint of their own.
    hints: usize,
    /// What the last turn of the user's was about, and what was last refused: hashes of its words, sorted.
    asked: Vec<u64>,
    refused: Vec<u64>,
    answered: bool,
    /// Where the last turn of the user's stands, and whether it was a step.
    last: Option<(usize, Range<usize>, bool)>,
}

impl Phrases {
    pub(crate) fn new() -> Result<Self, GuardError> {
        let (mut words, mut refuses, mut refusing) = (Vec::new(), Vec::new(), false);
        for line in TEXT.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            match line {
                "@refuses" => refusing = true,
                "@pushes" => refusing = false,
                _ => {
                    words.extend(line.split('|').map(|phrase| canonical(&fold(phrase).text)));
                    refuses.resize(words.len(), refusing);
                }
            }
        }
        let words = AhoCorasick::new(words).map_err(|e| GuardError::Tables(e.to_string()))?;
        Ok(Self { words, refuses })
    }

    /// Whether the text, in the form that phrases are in, refuses, and whether it pushes.
    fn read(&self, text: &str) -> [bool; 2] {
        let letter = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
        let mut said = [false; 2];
        for found in self.words.find_overlapping_iter(text) {
            let before = text.get(..found.start()).and_then(|t| t.chars().next_back());
            let after = text.get(found.end()..).and_then(|t| t.chars().next());
            if let (false, false, Some(refuses)) =
                (letter(before), letter(after), self.refuses.get(found.pattern().as_usize()))
            {
                said[usize::from(!refuses)] = true;
            }
        }
        said
    }
}

impl Escalation {
    /// Takes in one leaf. `hint` says how sure the phrases are, at most, of the beginning of it.
    pub(crate) fn read(&mut self, index: usize, leaf: &Leaf<'_>, phrases: &Phrases, hint: impl FnOnce(&str) -> f32) {
        let head = leaf.text.get(..leaf.text.floor_char_boundary(HEAD)).unwrap_or(leaf.text);
        match leaf.channel {
            Channel::Assistant => {
                self.answered = true;
                if phrases.read(&canonical(&fold(head).text))[0] {
                    self.refused.clone_from(&self.asked);
                }
            }
            Channel::User => {
                let text = canonical(&fold(head).text);
                let (hint, asked) = (hint(head).min(MOST_OF_A_HINT), words(&text));
                let pushes = self.answered && self.heat > 0.0 && leaf.text.len() <= SHORT && phrases.read(&text)[1];
                let again = shares(&self.refused, &asked);
                let gain = hint + if pushes { PUSH } else { 0.0 } + if again { AGAIN } else { 0.0 };
                let step = gain > 0.0;
                self.heat = if step { (self.heat + gain).min(HOTTEST) } else { self.heat * COOLING };
                self.hints = if self.heat < COLD { 0 } else { self.hints + usize::from(hint > 0.0) };
                // A bare push is about what was asked before it.
                let bare = asked.is_empty() || pushes && hint == 0.0;
                if !bare {
                    self.asked = asked;
                }
                self.answered = false;
                self.last = Some((index, 0..leaf.text.len(), step));
            }
            _ => {}
        }
    }

    /// What is to be said of the conversation, and of which leaf.
    pub(crate) fn end(self) -> Option<(usize, Found)> {
        let (index, span, true) = self.last? else { return None };
        if self.heat < HOT {
            return None;
        }
        // Without a hint that anything is meant to be overridden or drawn out, it is for the record.
        let confidence = if self.hints >= LEAST_HINTS { 0.5 + 0.2 * (self.heat - HOT) } else { 0.4 };
        Some((index, Found { kind: Kind::Injection, rule: "injection/escalation", span, confidence }))
    }
}

/// Hashes of the words that say what a text is about, sorted.
fn words(text: &str) -> Vec<u64> {
    let long = text.split(|c: char| !c.is_alphanumeric()).filter(|word| word.chars().count() >= 4 || !word.is_ascii());
    let mut words: Vec<u64> = long.filter(|word| !word.is_empty()).take(MOST_WORDS).map(hash).collect();
    words.sort_unstable();
    words.dedup();
    words
}

/// FNV-1a over the beginning of a word, so that its endings do not matter. Nobody gains by words that look the same to it.
fn hash(word: &str) -> u64 {
    let stem = word.chars().take(6);
    stem.fold(0xcbf2_9ce4_8422_2325, |hash, c| (hash ^ u64::from(c)).wrapping_mul(0x0100_0000_01b3))
}

/// Whether at least half of what was refused is asked for in this text.
fn shares(refused: &[u64], asked: &[u64]) -> bool {
    let same = refused.iter().filter(|word| asked.binary_search(word).is_ok()).count();
    same >= 2 && same * 2 >= refused.len()
}

const TEXT: &str = include_str!("escalation.txt");

/// Bytes of each text that are read.
const HEAD: usize = 2 << 10;
/// A turn that pushes and nothing else is no longer than this.
const SHORT: usize = 240;
/// Words of a turn that are remembered.
const MOST_WORDS: usize = 64;
/// What a hint, a push from the last answer, and asking again for what was refused each add.
const MOST_OF_A_HINT: f32 = 0.5;
const PUSH: f32 = 0.15;
const AGAIN: f32 = 0.25;
/// What a harmless turn leaves, below which nothing is left, from where on it is reported, and the most there is.
const COOLING: f32 = 0.6;
const COLD: f32 = 0.1;
const HOT: f32 = 1.0;
const HOTTEST: f32 = 2.0;
/// Hints that it takes to be refused by standard rules.
const LEAST_HINTS: usize = 2;

#[cfg(test)]
mod tests;
