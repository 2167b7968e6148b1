//! The words before a number. One automaton looks for all words that any rule asks about, once for each number.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind};

/// What words before a number can speak of. One bit each.
pub(super) mod topic {
    pub(crate) const SSN: u32 = 1;
    pub(crate) const NHS: u32 = 1 << 1;
    pub(crate) const NPI: u32 = 1 << 2;
    pub(crate) const NATIONAL: u32 = 1 << 3;
    pub(crate) const CPF: u32 = 1 << 4;
    pub(crate) const BSN: u32 = 1 << 5;
    pub(crate) const ROUTING: u32 = 1 << 6;
    pub(crate) const PHONE: u32 = 1 << 7;
    pub(crate) const NOT_CARD: u32 = 1 << 8;
    pub(crate) const CARD_CODE: u32 = 1 << 9;
    pub(crate) const ACCOUNT: u32 = 1 << 10;
    pub(crate) const RECORD: u32 = 1 << 11;
    pub(crate) const PASSPORT: u32 = 1 << 12;
    pub(crate) const HEALTH: u32 = 1 << 13;
    pub(crate) const LICENCE: u32 = 1 << 14;
}

use topic::{
    ACCOUNT, BSN, CARD_CODE, CPF, HEALTH, LICENCE, NATIONAL, NHS, NOT_CARD, NPI, PASSPORT, PHONE, RECORD, ROUTING, SSN,
};

/// Words, lower case; longer ones hold what shorter ones say.
const WORDS: &[(&str, u32)] = &[
    ("ssn", SSN),
    ("social security", SSN),
    ("social-security", SSN),
    ("itin", SSN),
    ("tax id", SSN),
    ("taxpayer", SSN),
    ("nhs", NHS),
    ("npi", NPI),
    ("provider id", NPI),
    ("national id", NATIONAL),
    ("identity", NATIONAL),
    ("identyfik", NATIONAL),
    ("aadhaar", NATIONAL),
    ("aadhar", NATIONAL),
    ("uidai", NATIONAL),
    ("pesel", NATIONAL),
    ("cpf", CPF),
    ("bsn", BSN),
    ("burgerservice", BSN),
    ("sofinummer", BSN),
    ("routing", ROUTING),
    ("aba ", ROUTING),
    ("phone", PHONE),
    ("mobile", PHONE),
    ("call me", PHONE),
    ("call at", PHONE),
    ("call her", PHONE),
    ("call him", PHONE),
    ("call us", PHONE),
    ("reach me", PHONE),
    ("dial", PHONE),
    ("fax", PHONE),
    ("facsimile", PHONE),
    ("whatsapp", PHONE),
    ("cell", PHONE),
    ("telefon", PHONE),
    ("handy", PHONE),
    ("tel:", PHONE),
    ("tel.", PHONE),
    ("tel ", PHONE),
    ("téléphone", PHONE),
    ("teléfono", PHONE),
    ("電話", PHONE),
    ("电话", PHONE),
    ("sms", PHONE),
    ("order", NOT_CARD),
    ("tracking", NOT_CARD),
    ("invoice", NOT_CARD),
    ("timestamp", NOT_CARD),
    ("isbn", NOT_CARD),
    ("imei", NOT_CARD),
    ("serial", NOT_CARD),
    ("cvv", CARD_CODE),
    ("cvc", CARD_CODE),
    ("cvv2", CARD_CODE),
    ("cvc2", CARD_CODE),
    ("security code", CARD_CODE),
    ("account", ACCOUNT),
    ("account number", ACCOUNT),
    ("account no", ACCOUNT),
    ("acct", ACCOUNT),
    ("acct no", ACCOUNT),
    ("a/c", ACCOUNT),
    ("konto", ACCOUNT),
    ("kontonummer", ACCOUNT),
    ("cuenta", ACCOUNT),
    ("rekening", ACCOUNT),
    ("mrn", RECORD),
    ("medical record", RECORD),
    ("medical record number", RECORD),
    ("patient id", RECORD),
    ("patient no", RECORD),
    ("patient number", RECORD),
    ("passport", PASSPORT),
    ("passport number", PASSPORT),
    ("passport no", PASSPORT),
    ("member id", HEALTH),
    ("member number", HEALTH),
    ("insurance id", HEALTH),
    ("insurance number", HEALTH),
    ("licence", LICENCE),
    ("license", LICENCE),
    ("licence number", LICENCE),
    ("license number", LICENCE),
    ("licence no", LICENCE),
    ("license no", LICENCE),
];

static AUTOMATON: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .kind(Some(AhoCorasickKind::DFA))
        .prefilter(false)
        .build(WORDS.iter().map(|w| w.0))
        .ok()
});

/// How far a word may stand before a number.
const REACH: usize = 48;

/// How far a word that speaks of telephones may.
const NEAR: usize = 24;

/// What the words before a number speak of.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Around {
    says: u32,
    names: u32,
}

impl Around {
    /// Looks at what stands before `start`, in the same line.
    pub(super) fn before(view: &[u8], start: usize) -> Self {
        let mut it = Self::default();
        let before = view.get(start.saturating_sub(REACH)..start).unwrap_or_default();
        let line = before.iter().rposition(|b| *b == b'\n').map_or(0, |i| i + 1);
        let text = before.get(line..).unwrap_or_default();
        let Some(automaton) = &*AUTOMATON else { return it };
        let end = named(text);
        for found in automaton.find_overlapping_iter(text) {
            let Some((_, topic)) = WORDS.get(found.pattern().as_usize()) else { continue };
            if *topic != PHONE || found.end() + NEAR >= text.len() {
                it.says |= topic;
            }
            let alone =
                found.start().checked_sub(1).and_then(|i| text.get(i)).is_none_or(|c| !c.is_ascii_alphanumeric());
            if found.end() == end && alone {
                it.names |= topic;
            }
        }
        it
    }

    /// Whether a word on one of these topics stands before the number.
    pub(super) const fn says(self, topics: u32) -> bool {
        self.says & topics != 0
    }

    /// Whether such a word stands directly before it.
    pub(super) const fn names(self, topics: u32) -> bool {
        self.names & topics != 0
    }
}

/// Whether what stands before a number can name it: a cheap look before the real one.
pub(super) fn may_be_named(view: &[u8], start: usize) -> bool {
    let before = view.get(start.saturating_sub(REACH)..start).unwrap_or_default();
    let end = named(before);
    match before.get(end.saturating_sub(3)..end) {
        Some([a, b, c]) => matches!(
            &[a | 0x20, b | 0x20, c | 0x20],
            b"cvv"
                | b"cvc"
                | b"vv2"
                | b"vc2"
                | b"ode"
                | b"unt"
                | b"ber"
                | b" no"
                | b"cct"
                | b"a/c"
                | b"nto"
                | b"mer"
                | b"nta"
                | b"ing"
                | b"mrn"
                | b"ord"
                | b" id"
                | b"ort"
                | b"nce"
                | b"nse"
        ),
        _ => false,
    }
}

/// Where the words end that name the number: before signs, `is` and `no`.
fn named(text: &[u8]) -> usize {
    let mut text = text;
    loop {
        let len = text.len();
        while let [head @ .., b' ' | b':' | b'=' | b'"' | b'\'' | b'#' | b'.' | b'*' | b'`' | b'>' | b'('] = text {
            text = head;
        }
        text = text.strip_suffix(b" is").unwrap_or(text);
        if text.len() == len {
            return len;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_that_names_passes_the_cheap_look() {
        let naming = CARD_CODE | ACCOUNT | RECORD | PASSPORT | HEALTH | LICENCE;
        for (word, _) in WORDS.iter().filter(|w| w.1 & naming != 0) {
            for text in [format!("{word}: "), format!("x {} is ", word.to_uppercase())] {
                assert!(may_be_named(text.as_bytes(), text.len()), "{text}");
                assert!(Around::before(text.as_bytes(), text.len()).names(naming), "{text}");
            }
        }
    }
}
