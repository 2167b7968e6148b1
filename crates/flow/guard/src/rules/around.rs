//! The words before a number. All words that any rule asks about are looked for at once, once for each number.

mod index;
mod words;

use index::INDEX;
pub(super) use words::topic;

/// How far a word may stand before a number.
const REACH: usize = 48;

/// How far a word that speaks of telephones may.
const NEAR: usize = 24;

/// What the words before a number speak of.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Around {
    says: u64,
    names: u64,
}

impl Around {
    /// Looks at what stands before `start`, in the same line.
    pub(super) fn before(view: &[u8], start: usize) -> Self {
        let mut it = Self::default();
        let window = Window::before(view, start);
        let text = window.text();
        let mut ends = None;
        INDEX.find(window.with_margin(), |topic, place, alone| {
            if topic != topic::PHONE || place.end + NEAR >= text.len() {
                it.says |= topic;
            }
            if alone && ends.get_or_insert_with(|| named(text)).contains(&place.end) {
                it.names |= topic;
            }
        });
        it
    }

    /// Whether a word on one of these topics stands before the number.
    pub(super) const fn says(self, topics: u64) -> bool {
        self.says & topics != 0
    }

    /// Whether such a word stands directly before it.
    pub(super) const fn names(self, topics: u64) -> bool {
        self.names & topics != 0
    }
}

/// Whether what stands before a number can name it: a cheap look before the real one.
pub(super) fn may_be_named(view: &[u8], start: usize) -> bool {
    // Most names are told by the three bytes they end in to name nothing, before anything is copied.
    let before = view.get(start.saturating_sub(REACH)..start).unwrap_or_default();
    let plain = |c| if matches!(c, b'_' | b'\n') { b' ' } else { c };
    let ends = last(without_signs(before)).map(|last| place(&last.map(plain)));
    if !ends.is_some_and(|ends| has(&LASTS, ends) || has(&FILLER_LASTS, ends)) {
        return false;
    }
    let window = Window::before(view, start);
    let text = window.text();
    named(text).iter().any(|end| text.get(..*end).and_then(last).is_some_and(|last| has(&LASTS, place(&last))))
}

/// The last three bytes, with a space before two.
const fn last(text: &[u8]) -> Option<[u8; 3]> {
    match text {
        [.., a, b, c] => Some([*a, *b, *c]),
        [a, b] => Some([b' ', *a, *b]),
        _ => None,
    }
}

fn has(bits: &[u64; 512], place: usize) -> bool {
    bits.get(place >> 6).is_some_and(|bits| bits >> (place & 63) & 1 == 1)
}

/// What is left without the signs that may stand between a name and its value.
fn without_signs(mut text: &[u8]) -> &[u8] {
    while let [head @ .., b' ' | b':' | b'=' | b'"' | b'\'' | b'#' | b'.' | b'*' | b'`' | b'>' | b'(' | b'[' | b'|'] =
        text
    {
        text = head;
    }
    text
}

/// The text before a place in its line, in lower case and with spaces for what joins words in names.
struct Window {
    /// The text stands at the end, before some spaces.
    bytes: [u8; REACH + index::MARGIN],
    from: usize,
}

impl Window {
    fn before(view: &[u8], start: usize) -> Self {
        let before = view.get(start.saturating_sub(REACH)..start).unwrap_or_default();
        let before = memchr::memrchr(b'\n', before).and_then(|at| before.get(at + 1..)).unwrap_or(before);
        let mut it = Self { bytes: [b' '; REACH + index::MARGIN], from: REACH - before.len() };
        if let Some(to) = it.bytes.get_mut(it.from..REACH) {
            to.copy_from_slice(before);
        }
        for byte in &mut it.bytes {
            *byte = if *byte == b'_' { b' ' } else { byte.to_ascii_lowercase() };
        }
        it
    }

    fn text(&self) -> &[u8] {
        self.bytes.get(self.from..REACH).unwrap_or_default()
    }

    /// The text and the spaces behind it.
    fn with_margin(&self) -> &[u8] {
        self.bytes.get(self.from..).unwrap_or_default()
    }
}

/// Where the words end that may name the number: before signs, and before words such as `is` and `number`.
fn named(text: &[u8]) -> [usize; 3] {
    let mut text = text;
    [(); 3].map(|()| {
        text = without_signs(text);
        let end = text.len();
        let last = text.last();
        if let Some(head) = FILLERS.iter().filter(|f| f.last() == last).find_map(|f| text.strip_suffix(*f)) {
            text = head;
        }
        end
    })
}

/// Words between a name and its value.
const FILLERS: [&[u8]; 8] =
    [b" is", b"number", b" no", b" nr", b" num", " n°".as_bytes(), " nº".as_bytes(), "№".as_bytes()];

/// One bit for each three bytes that one of [`FILLERS`] ends in.
static FILLER_LASTS: [u64; 512] = {
    let mut bits = [0; 512];
    let mut i = 0;
    while i < FILLERS.len() {
        if let Some(last) = last(FILLERS[i]) {
            let place = place(&last);
            bits[place >> 6] |= 1 << (place & 63);
        }
        i += 1;
    }
    bits
};

/// Fifteen bits of the last three bytes of a name.
const fn place(last: &[u8; 3]) -> usize {
    (last[0] as usize & 31) << 10 | (last[1] as usize & 31) << 5 | last[2] as usize & 31
}

/// One bit for each three bytes that a word ends in.
static LASTS: [u64; 512] = {
    let mut bits = [0; 512];
    let mut i = 0;
    while i < words::WORDS.len() {
        let words = words::WORDS[i].1.as_bytes();
        let mut end = 1;
        while end <= words.len() {
            if end == words.len() || words[end] == b'|' {
                if end > 2 && words[end - 3] != b'|' {
                    let place = place(&[words[end - 3], words[end - 2], words[end - 1]]);
                    bits[place >> 6] |= 1 << (place & 63);
                } else {
                    // What stands before two letters may be anything.
                    let mut first = 0;
                    while first < 32 {
                        let place = place(&[first, words[end - 2], words[end - 1]]);
                        bits[place >> 6] |= 1 << (place & 63);
                        first += 1;
                    }
                }
            }
            end += 1;
        }
        i += 1;
    }
    bits
};

#[cfg(test)]
mod tests {
    use super::{words::words, *};

    #[test]
    fn every_word_that_names_passes_the_cheap_look() {
        for (topic, word) in words().filter(|w| !w.1.ends_with([':', '.', '#'])) {
            assert!(word.len() > 1 && word.to_lowercase() == *word, "{word}");
            for text in [
                format!("{word}: "),
                format!("x {} is ", word.to_ascii_uppercase()),
                format!("{{\"{}\": \"", word.replace(' ', "_")),
            ] {
                assert!(may_be_named(text.as_bytes(), text.len()), "{text}");
                assert!(Around::before(text.as_bytes(), text.len()).names(topic), "{text}");
            }
        }
    }

    #[test]
    fn a_name_may_be_followed_by_words_that_say_so() {
        for text in
            ["passport no. ", "Passport Number is: ", "passport_number\": \"", "passportNumber=", "passport nº "]
        {
            assert!(may_be_named(text.as_bytes(), text.len()), "{text}");
            assert!(Around::before(text.as_bytes(), text.len()).names(topic::PASSPORT), "{text}");
        }
        for text in ["passport\n", "passport and ", "repassport "] {
            assert!(!Around::before(text.as_bytes(), text.len()).names(topic::PASSPORT), "{text}");
        }
    }
}
