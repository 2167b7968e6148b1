//! Numbers that countries give to people and companies: by their checksum where it is strong, else with a word that speaks of them.
//!
//! A number that its own name stands before counts although its checksum is wrong: people mistype, and forms are filled with examples.

pub(super) mod check;
mod lettered;

use super::around::{Around, topic};
pub(super) use lettered::{fits, is_hkid, lettered};

/// A number of digits alone.
struct Number {
    rule: &'static str,
    digits: usize,
    /// Words that speak of it and of nothing else, and words that speak of it among others.
    own: u64,
    general: u64,
    /// Forms that with the checksum are proof enough: lengths of groups, one hexadecimal digit each.
    alone: &'static [u64],
    check: fn(&[u8]) -> bool,
}

const fn number(rule: &'static str, digits: usize, own: u64, general: u64, check: fn(&[u8]) -> bool) -> Number {
    Number { rule, digits, own, general, alone: &[], check }
}

impl Number {
    const fn alone(self, alone: &'static [u64]) -> Self {
        Self { alone, ..self }
    }
}

/// The number that these digits are, and how surely; `shape` as [`Number::alone`] has it.
/// A word directly before them that speaks of something else, out of `others`, goes before words that speak in general.
pub(super) fn digits(
    digits: &[u8],
    shape: u64,
    others: u64,
    around: impl FnOnce() -> Around,
) -> Option<(&'static str, f32)> {
    // One digit over and over is a placeholder.
    if !(8..=18).contains(&digits.len()) || digits.windows(2).all(|w| w.first() == w.last()) {
        return None;
    }
    let mut fits = NUMBERS.iter().filter(|n| n.digits == digits.len() && (n.check)(digits)).peekable();
    let first = fits.peek()?.rule;
    if let Some(number) = fits.clone().find(|n| n.alone.contains(&shape)) {
        return Some((number.rule, 0.9));
    }
    let around = around();
    let own = fits.clone().find(|n| around.says(n.own));
    let general = |n: &&Number| around.names(n.general) || around.says(n.general) && !around.names(others);
    own.or_else(|| fits.find(general)).map(|n| (n.rule, if n.rule == first { 0.9 } else { 0.85 }))
}

/// The number that a word directly before these digits says they are, whatever the checksum.
pub(super) fn named(digits: &[u8], around: Around) -> Option<(&'static str, f32)> {
    NUMBERS.iter().find(|n| n.digits == digits.len() && around.names(n.own)).map(|n| (n.rule, 0.75))
}

use topic::{
    AADHAAR, AFM, AHV, AMKA, BSN, CNIC, CNP, COMPANY, CPF, CPR, EGN, FODSEL, HEALTH, IRD, MEDICARE, MY_NUMBER,
    NATIONAL, NIP, NIR, OIB, PERSON_NUMBER, PESEL, RESIDENT, RODNE, RRN, RUT, SIN, STEUER, TAX, TCKN, TFN,
};

/// Stronger checks first.
static NUMBERS: [Number; 47] = [
    number("personal/nir", 15, NIR, NATIONAL, check::nir).alone(&[0x122_2332, 0xf]),
    number("personal/ahv", 13, AHV, NATIONAL, check::ahv).alone(&[0x3442, 0xd]),
    number("personal/resident-id", 18, RESIDENT, NATIONAL, check::resident).alone(&[0xf, 0x684]),
    number("personal/cnpj", 14, 0, COMPANY, check::cnpj),
    number("personal/abn", 11, 0, COMPANY, check::abn).alone(&[0x2333]),
    number("personal/rijksregister", 11, 0, NATIONAL, check::rijksregister).alone(&[0x2_2232]),
    number("personal/za-id", 13, 0, NATIONAL, check::south_africa),
    number("personal/cnp", 13, CNP, NATIONAL, check::cnp),
    number("personal/thai-id", 13, 0, NATIONAL, check::thai).alone(&[0x1_4521]),
    number("personal/rrn", 13, RRN, NATIONAL, check::rrn).alone(&[0x67]),
    number("personal/cnic", 13, CNIC, NATIONAL, check::cnic).alone(&[0x571]),
    number("personal/cpf", 11, CPF, NATIONAL | TAX, super::check::cpf).alone(&[0x3332]),
    number("personal/fodselsnummer", 11, FODSEL, NATIONAL, check::fodselsnummer).alone(&[0x65]),
    number("personal/tckn", 11, TCKN, NATIONAL, check::tckn),
    number("personal/pesel", 11, PESEL, NATIONAL, super::check::pesel),
    number("personal/amka", 11, AMKA, NATIONAL, check::amka),
    number("personal/steuer-id", 11, STEUER, TAX, check::steuer_id).alone(&[0x2333]),
    number("personal/oib", 11, OIB, NATIONAL | TAX, check::oib),
    number("personal/cuit", 11, 0, TAX | NATIONAL, check::cuit).alone(&[0x281]),
    number("personal/aadhaar", 12, AADHAAR, NATIONAL, check::aadhaar).alone(&[0x444]),
    number("personal/my-number", 12, MY_NUMBER, NATIONAL, check::my_number),
    number("personal/personnummer", 12, PERSON_NUMBER, NATIONAL, check::personnummer).alone(&[0x84]),
    number("personal/personnummer", 10, PERSON_NUMBER, NATIONAL, check::personnummer).alone(&[0x64]),
    number("personal/hetu", 10, topic::HETU, NATIONAL, check::hetu_digits),
    number("personal/egn", 10, EGN, NATIONAL, check::egn),
    number("personal/rodne-cislo", 10, RODNE, NATIONAL, check::rodne_cislo),
    number("personal/cpr", 10, CPR, NATIONAL, check::cpr),
    number("personal/nip", 10, NIP, TAX, check::nip),
    number("personal/nhs", 10, topic::NHS, HEALTH, super::check::nhs),
    number("personal/medicare", 10, MEDICARE, HEALTH, check::medicare),
    number("personal/medicare", 11, MEDICARE, HEALTH, check::medicare),
    number("personal/at-sv", 10, topic::RVNR, HEALTH | NATIONAL, check::austria),
    number("personal/us-ssn", 9, topic::SSN, 0, super::check::ssn),
    number("personal/us-itin", 9, topic::SSN, TAX, super::check::itin),
    number("personal/bsn", 9, BSN, NATIONAL, super::check::bsn),
    number("personal/sin", 9, SIN, NATIONAL, check::sin),
    number("personal/tfn", 9, TFN, TAX, check::tfn),
    number("personal/afm", 9, AFM, TAX, check::afm),
    number("personal/nif", 9, 0, TAX, check::nif),
    number("personal/ird", 9, IRD, TAX, check::ird),
    number("personal/ird", 8, IRD, TAX, check::ird),
    number("personal/siren", 9, 0, COMPANY, check::siren),
    number("personal/siret", 14, 0, COMPANY, check::siren),
    number("personal/acn", 9, 0, COMPANY, check::acn),
    number("personal/regon", 9, 0, COMPANY, check::regon),
    number("personal/rut", 9, RUT, NATIONAL | TAX, check::rut).alone(&[0x2331]),
    number("personal/rut", 8, RUT, NATIONAL | TAX, check::rut).alone(&[0x1331]),
];

#[cfg(test)]
mod tests;
