//! What words mean, whatever their language: finds the entries of `concepts.txt` while words are being read.
//!
//! A weight for "ignore" beside "instructions", learned in one language, holds in all of them. The grammar of the guard has phrases of
//! its own; these are single words and pairs, ordinary ones too, and decide nothing by themselves.

use std::sync::LazyLock;

/// Entries by the hash of their letters.
pub(crate) struct Concepts {
    /// One bit for each of the top bits of a hash: most words are no entry, and this says so at once.
    filter: Box<[u64]>,
    /// Hash and concept, open addressing; concept 0 is an empty slot.
    slots: Box<[(u32, u8)]>,
}

/// How the reader hashes what stands in a text, so that entries are hashed alike.
pub(crate) struct Hashing {
    /// A word, of its letters.
    pub(crate) word: fn(&str) -> u32,
    /// A word that ends here, of its hash.
    pub(crate) ends: fn(u32) -> u32,
    /// Two words, of their hashes.
    pub(crate) pair: fn(u32, u32) -> u32,
    /// A run of characters in a script without spaces, and nothing for other text.
    pub(crate) wide: fn(&str) -> Option<u32>,
}

impl Concepts {
    /// The concepts that come with the crate. Read once.
    pub(crate) fn shipped() -> &'static Self {
        static SHIPPED: LazyLock<Concepts> = LazyLock::new(|| Concepts::read(TEXT, &crate::features::HASHING));
        &SHIPPED
    }

    fn read(text: &str, hashing: &Hashing) -> Self {
        let mut read = Self { filter: vec![0; FILTER / 64].into(), slots: vec![(0, 0); SLOTS].into() };
        let mut concept = 0;
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            if line.starts_with('@') {
                concept += 1;
                continue;
            }
            for entry in line.split_whitespace() {
                let (stem, open) = entry.strip_suffix('*').map_or((entry, false), |stem| (stem, true));
                let key = match ((hashing.wide)(stem), stem.split_once('_')) {
                    (Some(key), _) => key,
                    (None, Some((one, two))) => (hashing.pair)((hashing.word)(one), (hashing.word)(two)),
                    (None, None) if open => (hashing.word)(stem),
                    (None, None) => (hashing.ends)((hashing.word)(stem)),
                };
                read.insert(key, concept);
            }
        }
        read
    }

    /// What stands first for a word stays.
    fn insert(&mut self, key: u32, concept: u8) {
        let bit = key as usize % FILTER;
        if let Some(bits) = self.filter.get_mut(bit / 64) {
            *bits |= 1 << (bit % 64);
        }
        for step in 0..SLOTS {
            match self.slots.get_mut((key as usize + step) % SLOTS) {
                Some(slot) if slot.1 == 0 => {
                    *slot = (key, concept);
                    return;
                }
                Some(slot) if slot.0 == key => return,
                _ => {}
            }
        }
    }

    /// The concept of a hash; 0 for none.
    pub(crate) fn find(&self, key: u32) -> u8 {
        let bit = key as usize % FILTER;
        if self.filter.get(bit / 64).is_none_or(|bits| bits >> (bit % 64) & 1 == 0) {
            return 0;
        }
        (0..SLOTS)
            .map_while(|step| self.slots.get((key as usize + step) % SLOTS).filter(|slot| slot.1 != 0))
            .find(|slot| slot.0 == key)
            .map_or(0, |slot| slot.1)
    }
}

/// The concepts met since a sentence or a line began.
pub(crate) struct Trail([u8; 3]);

impl Trail {
    /// A sentence or a line begins, which is a concept, too.
    pub(crate) const fn begin() -> Self {
        Self([START, 0, 0])
    }

    /// A concept is met: hands on it, the pairs it makes with those before in whatever order, and the three latest together.
    pub(crate) fn meet(&mut self, concept: u8, mut emit: impl FnMut(u32)) {
        let [a, b, c] = self.0;
        if concept == 0 || concept == a {
            return;
        }
        let new = u32::from(concept);
        emit(new);
        for old in [a, b, c] {
            if old != 0 && old != concept {
                let old = u32::from(old);
                emit(old.min(new) << 8 | old.max(new));
            }
        }
        if b != 0 {
            let mut three = [a, b, concept];
            three.sort_unstable();
            let [x, y, z] = three.map(u32::from);
            emit(x << 16 | y << 8 | z);
        }
        self.0 = [concept, a, b];
    }
}

const TEXT: &str = include_str!("concepts.txt");
/// The beginning of a sentence or a line, a number that no concept of the list has.
const START: u8 = 255;
const FILTER: usize = 1 << 16;
const SLOTS: usize = 1 << 13;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_fits_its_table() {
        let concepts = Concepts::shipped();
        let used = concepts.slots.iter().filter(|slot| slot.1 != 0).count();
        assert!((3_000..SLOTS / 4 * 3).contains(&used), "{used}");
        assert!(TEXT.lines().filter(|line| line.starts_with('@')).count() < usize::from(START));
    }

    #[test]
    fn a_trail_makes_pairs_in_any_order_and_no_concept_twice_in_a_row() {
        let met = |concepts: &[u8]| {
            let mut out = Vec::new();
            let mut trail = Trail([0; 3]);
            concepts.iter().for_each(|c| trail.meet(*c, |f| out.push(f)));
            out
        };
        assert_eq!(met(&[1, 1, 0]), [1]);
        assert_eq!(met(&[1, 2]), [1, 2, 1 << 8 | 2]);
        assert_eq!(met(&[2, 1]), [2, 1, 1 << 8 | 2]);
        assert_eq!(met(&[3, 1, 2]).last(), met(&[2, 3, 1]).last());
    }
}
