//! The lexicon: lists of names, and what the texts at hand say of how words are written.

use std::collections::{BTreeMap, HashMap};

use countersign_names::{
    lexicon::{self, FIRM, FIRST, LAST, Lexicon, ORDINARY, PART, PLACE, SMALL, TITLE},
    token::{self, Shape},
};

use super::data::{Row, SILVER, segments};

/// Writes the table of words, with the groups they are in.
pub(crate) fn lexicon(rows: &[&Row], plain: &[String], groups: &BTreeMap<u64, u8>) -> Vec<u8> {
    let mut words: BTreeMap<u64, u8> = BTreeMap::new();
    let mut add = |word: &str, flag: u8| *words.entry(token::hash(word)).or_default() |= flag;
    for (list, flag) in [(FIRST_NAMES, FIRST), (LAST_NAMES, LAST)] {
        list.lines().for_each(|word| add(word, flag));
    }
    for place in PLACES.lines() {
        let parts: Vec<&str> = place.split([' ', '-', '\'']).collect();
        let flag = if parts.len() == 1 { PLACE } else { PART };
        parts.into_iter().filter(|part| part.len() > 2).for_each(|part| add(part, flag));
    }
    FIRMS.iter().for_each(|word| add(word, FIRM));
    TITLES.iter().for_each(|word| add(word, TITLE));
    for (word, count) in written(rows, plain) {
        // A word that is also a name is kept as one, unless it is far commoner in small letters.
        let small = count.small >= 3 && count.small * 2 > count.capital;
        let flags = words.entry(word).or_default();
        if small || (count.small >= 2 && *flags != 0 && count.small > count.capital) {
            *flags |= SMALL;
        }
        if count.marked * 100 < count.shown && count.shown >= 8 && count.small >= 20 && *flags & FIRM == 0 {
            *flags |= ORDINARY;
        }
    }
    for word in groups.keys() {
        words.entry(*word).or_default();
    }
    words.retain(|word, flags| *flags != 0 || groups.contains_key(word));
    let group = |word: &u64| groups.get(word).copied().unwrap_or_default();
    let words: Vec<(u64, u8, u8)> = words.iter().map(|(word, flags)| (*word, *flags, group(word))).collect();
    lexicon::write(&words)
}

#[derive(Default)]
struct Count {
    /// In small letters.
    small: u32,
    /// With a capital, though no sentence begins there.
    capital: u32,
    /// With a capital in a marked text.
    shown: u32,
    /// Of those, in a name.
    marked: u32,
}

/// How the words of the texts are written.
fn written(rows: &[&Row], plain: &[String]) -> BTreeMap<u64, Count> {
    let mut counts: HashMap<u64, Count> = HashMap::new();
    let none = Lexicon::new(&[]);
    let texts =
        rows.iter().map(|row| (row.text.as_str(), Some(*row))).chain(plain.iter().map(|text| (text.as_str(), None)));
    for (text, row) in texts {
        segments(text, &none, |tokens| {
            let smalls = tokens.iter().filter(|token| token.shape == Shape::Lower).count();
            for (at, token) in tokens.iter().enumerate() {
                // A headline says nothing of how a word is written, nor does an address.
                if token.address || smalls * 2 < tokens.len() && token.shape != Shape::Lower {
                    continue;
                }
                match token.shape {
                    Shape::Lower => counts.entry(token.word).or_default().small += 1,
                    Shape::Capital | Shape::Initial | Shape::Upper => {
                        let count = counts.entry(token.word).or_default();
                        let begins = at == 0 || tokens[at - 1].shape == Shape::Mark;
                        count.capital += u32::from(!begins);
                        if let Some(row) = row.filter(|row| !matches!(row.family(), "contextual" | "made" | SILVER)) {
                            count.shown += 1;
                            let within = |span: &std::ops::Range<usize>| {
                                span.start <= token.span.start && token.span.end <= span.end
                            };
                            count.marked += u32::from(row.spans.iter().any(|(span, _)| within(span)));
                        }
                    }
                    _ => {}
                }
            }
        });
    }
    counts.into_iter().collect()
}

pub(super) const FIRST_NAMES: &str = include_str!("../../names/first.txt");
pub(super) const LAST_NAMES: &str = include_str!("../../names/last.txt");
pub(super) const PLACES: &str = include_str!("../../names/place.txt");

const FIRMS: &[&str] = &[
    "inc",
    "incorporated",
    "corp",
    "corporation",
    "co",
    "company",
    "ltd",
    "limited",
    "llc",
    "llp",
    "lp",
    "plc",
    "gmbh",
    "ag",
    "sa",
    "sarl",
    "spa",
    "srl",
    "bv",
    "nv",
    "ab",
    "oy",
    "as",
    "kg",
    "ohg",
    "mbh",
    "sas",
    "pty",
    "group",
    "holdings",
    "holding",
    "partners",
    "associates",
    "bank",
    "trust",
    "fund",
    "capital",
    "insurance",
    "university",
    "college",
    "school",
    "academy",
    "institute",
    "hospital",
    "clinic",
    "ministry",
    "department",
    "agency",
    "bureau",
    "commission",
    "committee",
    "council",
    "association",
    "society",
    "federation",
    "union",
    "league",
    "club",
    "team",
    "party",
    "army",
    "navy",
    "police",
    "church",
    "foundation",
    "museum",
    "library",
    "laboratory",
    "laboratories",
    "systems",
    "technologies",
    "technology",
    "software",
    "solutions",
    "services",
    "industries",
    "international",
    "enterprises",
    "airlines",
    "airways",
    "motors",
    "records",
    "press",
    "times",
    "news",
    "radio",
    "television",
    "orchestra",
    "band",
    "court",
    "board",
    "authority",
    "administration",
    "office",
    "universität",
    "université",
    "universiteit",
    "universidad",
    "verein",
    "verband",
    "partei",
    "gesellschaft",
    "banque",
    "banco",
    "fc",
    "sv",
    "vfb",
    "tsv",
    "united",
    "rovers",
    "regiment",
    "division",
    "brigade",
    "squadron",
    "force",
    "forces",
];

const TITLES: &[&str] = &[
    "mr",
    "mrs",
    "ms",
    "miss",
    "mx",
    "dr",
    "prof",
    "professor",
    "sir",
    "dame",
    "lord",
    "lady",
    "captain",
    "capt",
    "col",
    "colonel",
    "gen",
    "general",
    "lt",
    "lieutenant",
    "maj",
    "major",
    "sgt",
    "sergeant",
    "sen",
    "senator",
    "rep",
    "gov",
    "governor",
    "president",
    "pres",
    "rev",
    "reverend",
    "fr",
    "father",
    "sister",
    "brother",
    "pope",
    "king",
    "queen",
    "prince",
    "princess",
    "herr",
    "frau",
    "monsieur",
    "madame",
    "mme",
    "mlle",
    "señor",
    "señora",
    "sr",
    "sra",
    "sig",
    "signora",
    "pan",
    "pani",
    "dhr",
    "mevrouw",
    "mevr",
    "meneer",
    "judge",
    "justice",
    "attorney",
    "chancellor",
    "emperor",
    "sheikh",
];
