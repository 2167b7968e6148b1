//! What single characters fold to.

use std::sync::OnceLock;

use unicode_normalization::char::decompose_compatible;

/// What becomes of a character.
pub(super) enum Fate {
    /// It is its own fold.
    Stays,
    /// This, wherever it stands.
    Becomes(&'static str),
    /// That depends on what stands around it.
    Depends,
}

/// What becomes of `c`: worked out for all characters of a page of 256 when the first of them is met, and remembered.
#[inline]
pub(super) fn fate(c: char) -> Fate {
    let code = u32::from(c) as usize;
    let Some(page) = PAGES.get(code >> 8) else { return Fate::Depends };
    let page = page.get_or_init(|| std::array::from_fn(|low| Entry::of(code >> 8 << 8 | low)).into());
    match page.get(code & 0xff) {
        Some(Entry { len: STAYS, .. }) => Fate::Stays,
        Some(Entry { len, text }) => match text.get(..usize::from(*len)).map(std::str::from_utf8) {
            Some(Ok(text)) => Fate::Becomes(text),
            _ => Fate::Depends,
        },
        None => Fate::Depends,
    }
}

static PAGES: [OnceLock<Box<[Entry; 256]>>; 256] = [const { OnceLock::new() }; 256];

/// What one character becomes, or one of the two lengths below.
struct Entry {
    len: u8,
    text: [u8; 7],
}

const STAYS: u8 = 0xfe;
const DEPENDS: u8 = 0xff;

impl Entry {
    fn of(code: usize) -> Self {
        let short = |len| Self { len, text: [0; 7] };
        let Some(c) = u32::try_from(code).ok().and_then(char::from_u32) else { return short(DEPENDS) };
        if stays(c) {
            return short(STAYS);
        }
        if drops(c) && !invisible(c) {
            return short(0);
        }
        let with = plain(c).map_or_else(|| folded(c), str::to_owned);
        let mut chars = with.chars();
        let has_twin = |c| twin(c).is_some();
        // One character that is taken for another may be so in some words only.
        if invisible(c) || joins(c) || has_twin(c) || chars.next().is_some_and(has_twin) && chars.next().is_none() {
            return short(DEPENDS);
        }
        if with == *c.encode_utf8(&mut [0; 4]) {
            return short(STAYS);
        }
        let mut it = short(u8::try_from(with.len()).unwrap_or(DEPENDS));
        match it.text.get_mut(..with.len()) {
            Some(text) => text.copy_from_slice(with.as_bytes()),
            None => it.len = DEPENDS,
        }
        it
    }
}

/// What Unicode's compatibility decomposition makes of a character, without accents and in lower case.
pub(super) fn folded(c: char) -> String {
    let mut out = String::new();
    decompose_compatible(c, |d| match plain(d) {
        // What a compatibility form stands for keeps its case if it is ASCII: keys depend on it.
        _ if d.is_ascii() => out.push(d),
        _ if drops(d) => {}
        Some(plain) => out.push_str(plain),
        None => out.extend(d.to_lowercase()),
    });
    out
}

/// Whether a character is its own fold, the common case in scripts without case and accents.
pub(super) const fn stays(c: char) -> bool {
    matches!(c,
        // CJK punctuation but the wide space, kana but the joining marks, ideographs, Hangul syllables.
        '\u{3001}'..='\u{3098}' | '\u{309b}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}'
        // Arabic letters without marks, Devanagari, Thai.
        | '\u{0627}'..='\u{063f}' | '\u{0641}'..='\u{064a}' | '\u{0671}'..='\u{0674}' | '\u{0679}'..='\u{06bf}'
        | '\u{0900}'..='\u{0957}' | '\u{0960}'..='\u{097f}' | '\u{0e01}'..='\u{0e32}' | '\u{0e34}'..='\u{0e5b}')
}

/// Whether nothing is seen where the character stands.
pub(super) const fn invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}')
}

/// The ASCII character a tag character stands for.
pub(super) fn tag(c: char) -> Option<char> {
    match c {
        '\u{e0020}'..='\u{e007e}' => char::from_u32(u32::from(c) - 0xe_0000),
        _ => None,
    }
}

/// Whether the character turns the direction of others around.
pub(super) const fn overrides(c: char) -> bool {
    matches!(c, '\u{202d}' | '\u{202e}')
}

/// Whether the character selects a variation, or carries a byte where nobody looks.
pub(super) const fn selector(c: char) -> bool {
    matches!(c, '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}')
}

/// The byte that a variation selector stands for where it carries one.
pub(in crate::normal) fn selected(c: char) -> Option<u8> {
    match c {
        '\u{fe00}'..='\u{fe0f}' => u8::try_from(u32::from(c) - 0xfe00).ok(),
        '\u{e0100}'..='\u{e01ef}' => u8::try_from(u32::from(c) - 0xe_0100 + 16).ok(),
        _ => None,
    }
}

/// Marks that go: accents, Arabic vowel signs, enclosing marks, the Arabic stretch.
pub(super) const fn drops(c: char) -> bool {
    matches!(c,
        '\u{300}'..='\u{36f}' | '\u{483}'..='\u{489}' | '\u{5b0}'..='\u{5bd}' | '\u{610}'..='\u{61a}' | '\u{640}'
        | '\u{64b}'..='\u{65f}' | '\u{670}' | '\u{6d6}'..='\u{6dc}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}'
        | '\u{20d0}'..='\u{20ff}' | '\u{fe20}'..='\u{fe2f}')
}

/// Marks that belong to the letter before them.
pub(super) const fn joins(c: char) -> bool {
    matches!(c, '\u{3099}' | '\u{309a}' | '\u{1161}'..='\u{11ff}')
}

/// What a character becomes wherever it stands, where Unicode's decomposition does not say so.
pub(super) const fn plain(c: char) -> Option<&'static str> {
    Some(match c {
        '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' | '\u{2800}' => " ",
        '\u{85}' | '\u{2028}' | '\u{2029}' => "\n",
        '‘' | '’' | '‚' | '‛' | '′' | 'ʼ' | '`' => "'",
        '“' | '”' | '„' | '‟' | '″' | '«' | '»' => "\"",
        '‐' | '‑' | '‒' | '–' | '—' | '―' | '−' => "-",
        '…' => "...",
        '•' | '·' | '∙' => "*",
        'ß' | 'ẞ' => "ss",
        'æ' | 'Æ' | 'ǽ' => "ae",
        'œ' | 'Œ' => "oe",
        'ø' => "o",
        'Ø' => "O",
        'ł' => "l",
        'Ł' => "L",
        'đ' | 'ð' => "d",
        'Đ' | 'Ð' => "D",
        'þ' | 'Þ' => "th",
        'ı' | 'ɪ' | 'ɩ' => "i",
        'ħ' => "h",
        'Ħ' => "H",
        'ŧ' => "t",
        'Ŧ' => "T",
        // Small capitals and phonetic letters, which decorate rather than spell.
        'ᴀ' | 'ɑ' | 'ɐ' => "a",
        'ʙ' => "b",
        'ᴄ' => "c",
        'ᴅ' => "d",
        'ᴇ' | 'ə' | 'ɛ' => "e",
        'ꜰ' => "f",
        'ɡ' | 'ɢ' => "g",
        'ʜ' => "h",
        'ᴊ' => "j",
        'ᴋ' => "k",
        'ʟ' => "l",
        'ᴍ' => "m",
        'ɴ' => "n",
        'ᴏ' | 'ɔ' => "o",
        'ᴘ' => "p",
        'ʀ' => "r",
        'ꜱ' => "s",
        'ᴛ' => "t",
        'ᴜ' | 'ʊ' => "u",
        'ᴠ' | 'ʋ' => "v",
        'ᴡ' => "w",
        'ʏ' => "y",
        'ᴢ' => "z",
        // Braille, whose sign for capitals says nothing.
        '⠠' => "",
        '⠁' => "a",
        '⠃' => "b",
        '⠉' => "c",
        '⠙' => "d",
        '⠑' => "e",
        '⠋' => "f",
        '⠛' => "g",
        '⠓' => "h",
        '⠊' => "i",
        '⠚' => "j",
        '⠅' => "k",
        '⠇' => "l",
        '⠍' => "m",
        '⠝' => "n",
        '⠕' => "o",
        '⠏' => "p",
        '⠟' => "q",
        '⠗' => "r",
        '⠎' => "s",
        '⠞' => "t",
        '⠥' => "u",
        '⠧' => "v",
        '⠺' => "w",
        '⠭' => "x",
        '⠽' => "y",
        '⠵' => "z",
        // Accents that Cyrillic letters lose like Latin ones; a table is quicker than asking for the decomposition.
        'й' | 'Й' => "и",
        'ё' | 'Ё' => "е",
        'ї' | 'Ї' => "і",
        'ў' | 'Ў' => "у",
        'ѓ' | 'Ѓ' => "г",
        'ќ' | 'Ќ' => "к",
        'ς' => "σ",
        _ => return squared(c),
    })
}

/// Letters on a black ground, white letters in circles and squares: no decomposition knows them.
const fn squared(c: char) -> Option<&'static str> {
    const LETTERS: [&str; 26] = [
        "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q", "r", "s", "t", "u", "v",
        "w", "x", "y", "z",
    ];
    let n = match c {
        '\u{1f150}'..='\u{1f169}' => c as usize - 0x1_f150,
        '\u{1f170}'..='\u{1f189}' => c as usize - 0x1_f170,
        _ => return None,
    };
    Some(LETTERS[n])
}

/// Whether a character folds to ASCII letters wherever it stands.
pub(super) fn latin(c: char) -> bool {
    let c = tag(c).unwrap_or(c);
    if c.is_ascii() || stays(c) {
        return c.is_ascii_alphabetic();
    }
    let mut base = None;
    decompose_compatible(c, |d| base = base.or(Some(d)));
    plain(c).and_then(|p| p.chars().next()).or(base).is_some_and(|b| b.is_ascii_alphabetic())
}

/// Whether a letter of another script, or the one it folds to, is taken for an ASCII letter.
pub(super) fn has_twin(c: char) -> bool {
    twin(c).is_some()
        || plain(c).is_some()
        || unicode_normalization::char::is_combining_mark(c)
        || decomposed(c).to_lowercase().all(|l| twin(l).is_some())
}

/// The letter under a letter's accents.
fn decomposed(c: char) -> char {
    let mut base = None;
    unicode_normalization::char::decompose_canonical(c, |d| base = base.or(Some(d)));
    base.unwrap_or(c)
}

/// The ASCII letter a letter of another script is taken for, inside a word that has ASCII letters as well.
pub(super) const fn twin(c: char) -> Option<&'static str> {
    Some(match c {
        'А' | 'Α' | 'Ꭺ' => "A",
        'а' | 'α' | 'ӑ' => "a",
        'В' | 'Β' | 'Ᏼ' => "B",
        'Ь' | 'ь' | 'β' => "b",
        'С' | 'Ϲ' | 'Ꮯ' => "C",
        'с' | 'ϲ' => "c",
        'Ԁ' | 'Ꭰ' => "D",
        'ԁ' | 'ժ' => "d",
        'Е' | 'Ε' | 'Ꭼ' => "E",
        'е' | 'ε' | 'є' => "e",
        'Ϝ' => "F",
        'ғ' => "f",
        'Ԍ' | 'Ꮐ' => "G",
        'ց' => "g",
        'Н' | 'Η' | 'Ꮋ' => "H",
        'һ' | 'հ' => "h",
        'І' | 'Ι' | 'Ӏ' | 'Ꭵ' => "I",
        'і' | 'ι' => "i",
        'Ј' | 'Ꭻ' => "J",
        'ј' | 'ϳ' => "j",
        'К' | 'Κ' | 'Ꮶ' => "K",
        'к' | 'κ' => "k",
        'Ꮮ' => "L",
        'ӏ' | 'ǀ' => "l",
        'М' | 'Μ' | 'Ꮇ' => "M",
        'м' => "m",
        'Ν' => "N",
        'η' | 'ո' | 'п' => "n",
        'О' | 'Ο' | 'Օ' => "O",
        'о' | 'ο' | 'օ' | 'σ' => "o",
        'Р' | 'Ρ' | 'Ꮲ' => "P",
        'р' | 'ρ' => "p",
        'Ԛ' => "Q",
        'ԛ' | 'զ' => "q",
        'Ꭱ' | 'Ꮢ' => "R",
        'г' => "r",
        'Ѕ' | 'Տ' | 'Ꮪ' => "S",
        'ѕ' => "s",
        'Т' | 'Τ' | 'Ꭲ' => "T",
        'т' | 'τ' => "t",
        'Ս' => "U",
        'υ' | 'ս' | 'и' => "u",
        'Ѵ' | 'Ꮩ' => "V",
        'ν' | 'ѵ' => "v",
        'Ԝ' | 'Ꮃ' => "W",
        'ԝ' | 'ω' | 'ш' => "w",
        'Х' | 'Χ' => "X",
        'х' | 'χ' => "x",
        'У' | 'Υ' | 'Ү' => "Y",
        'у' | 'γ' | 'ү' => "y",
        'Ζ' | 'Ꮓ' => "Z",
        _ => return None,
    })
}
