//! What is known of a word: the lists it is on (first names, surnames, places, words of every day), and a group of words used alike.

/// A table of words by hash: five bytes each, 24 bits of the hash, eight of [flags](FIRST), and the group.
#[derive(Clone, Copy, Debug)]
pub struct Lexicon<'a> {
    table: &'a [u8],
}

impl<'a> Lexicon<'a> {
    /// Reads a table that [`write`] made.
    #[must_use]
    pub const fn new(table: &'a [u8]) -> Self {
        Self { table }
    }

    /// The flags and the group of the word; none where nothing is known. One word in some hundred thousand is taken for another.
    #[must_use]
    pub fn look(&self, word: u64) -> (u8, u8) {
        let places = self.table.len() / WIDE;
        let mut at = start(word, places);
        for _ in 0..PROBES {
            let Some([a, b, c, flags, group]) = self.table.get(at * WIDE..at * WIDE + WIDE) else { break };
            if flags | group == 0 {
                break;
            }
            if u32::from_le_bytes([*a, *b, *c, 0]) == mark(word) {
                return (*flags, *group);
            }
            at = if at + 1 == places { 0 } else { at + 1 };
        }
        (0, 0)
    }
}

/// Writes the table of `words`. Words that find no place within reach are left out.
#[must_use]
pub fn write(words: &[(u64, u8, u8)]) -> Vec<u8> {
    let places = words.len() * 4 / 3 + 1;
    let mut table = vec![0; places * WIDE];
    for (word, flags, group) in words {
        let mut at = start(*word, places);
        for _ in 0..PROBES {
            if let Some(place @ [.., 0, 0]) = table.get_mut(at * WIDE..at * WIDE + WIDE) {
                let [a, b, c, _] = mark(*word).to_le_bytes();
                place.copy_from_slice(&[a, b, c, *flags, *group]);
                break;
            }
            at = if at + 1 == places { 0 } else { at + 1 };
        }
    }
    table
}

const fn start(word: u64, places: usize) -> usize {
    ((word as u128 * places as u128) >> 64) as usize
}

const fn mark(word: u64) -> u32 {
    word as u32 & 0xff_ffff
}

/// Bytes of a word.
pub(crate) const WIDE: usize = 5;
/// How far a word may lie from its place.
const PROBES: usize = 12;

/// A first name.
pub const FIRST: u8 = 1;
/// A surname.
pub const LAST: u8 = 2;
/// A place whose name is this word.
pub const PLACE: u8 = 4;
/// A word in the names of places.
pub const PART: u8 = 8;
/// A word that is no name, not even with a capital: `The`, `However`.
pub const ORDINARY: u8 = 16;
/// A word that is mostly written small.
pub const SMALL: u8 = 32;
/// A word that organisations' names have: `Inc`, `University`.
pub const FIRM: u8 = 64;
/// A title before a person's name: `Mr`, `Dr`.
pub const TITLE: u8 = 128;
/// Where the word alone suggests a name, even in lower case.
pub const NAMES: u8 = FIRST | LAST | PLACE;
