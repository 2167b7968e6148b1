//! Dates, dates of birth, the expiry of cards, and ages.

use std::ops::RangeInclusive;

use countersign_core::Kind;

use super::{
    Hit, Text,
    around::{Around, may_be_named, topic},
    cursor::Cursor,
};

/// A date or an age that begins with a digit.
pub(super) fn probe(cur: &mut Cursor<'_>, text: &Text<'_>) -> Option<Hit> {
    let start = cur.at;
    let before = start.checked_sub(1).and_then(|i| text.view.get(i)).copied().unwrap_or(b' ');
    if before.is_ascii_alphanumeric() || b"-./_+$#%,".contains(&before) {
        return None;
    }
    let first = number(cur)?;
    let end = cur.at;
    match (cur.peek()?, end - start) {
        (sign @ (b'-' | b'/'), 4) => {
            cur.at += 1;
            let (month, _) = (number(cur)?, cur.eat(sign).then_some(())?);
            let day = number(cur)?;
            is_date(first, month, day, 1900..=2100).then_some(())?;
            finish(cur, text, start)
        }
        (sign @ (b'-' | b'/' | b'.'), 1 | 2) => numeric(cur, text, start, first, sign),
        (_, 1..=3) => match age(cur, text, start, first) {
            Some(hit) => Some(hit),
            None if cur.starved() || end - start > 2 => None,
            None => {
                cur.at = end;
                day_first(cur, text, start, first)
            }
        },
        _ => None,
    }
}

/// A month that begins here, and a day or a year, or both.
pub(super) fn month_first(cur: &mut Cursor<'_>, text: &Text<'_>) -> Option<Hit> {
    let start = cur.at;
    let word = word(cur);
    let english = MONTHS.get(..24).is_some_and(|months| is_one_of(word, months));
    if !english || !word.first().is_some_and(u8::is_ascii_uppercase) {
        return None;
    }
    cur.eat(b'.');
    cur.eat(b' ').then_some(())?;
    let from = cur.at;
    let value = number(cur)?;
    match cur.at - from {
        4 if (1900..=2100).contains(&value) => finish(cur, text, start),
        1 | 2 if (1..=31).contains(&value) => {
            ordinal(cur);
            let end = cur.at;
            cur.eat(b',');
            if cur.eat(b' ') {
                let from = cur.at;
                let year = number(cur);
                if cur.at - from == 4 && year.is_some_and(|y| (1900..=2100).contains(&y)) && !goes_on(cur) {
                    return finish(cur, text, start);
                }
            }
            cur.at = end;
            finish(cur, text, start)
        }
        _ => None,
    }
}

/// Whether a word may be a month at the beginning of a date: a cheap look before the real one.
pub(super) fn may_be_month(word: &[u8]) -> bool {
    word.len() > 2 && word.first().is_some_and(|c| b"JFMASOND".contains(c))
}

/// `first`, then two more numbers with `sign` between all of them.
fn numeric(cur: &mut Cursor<'_>, text: &Text<'_>, start: usize, first: u32, sign: u8) -> Option<Hit> {
    cur.at += 1;
    let from = cur.at;
    let second = number(cur)?;
    let width = cur.at - from;
    if !cur.eat(sign) {
        // Month and year: of nothing but a card.
        let expires = sign != b'.' && matches!(width, 2 | 4) && (1..=12).contains(&first);
        return (expires && !goes_on(cur) && Around::before(text.view, start).names(topic::EXPIRY))
            .then(|| Hit::new(Kind::PersonalData, "personal/card-expiry", start..cur.at, 0.9));
    }
    let from = cur.at;
    let year = number(cur)?;
    let (day_first, month_first) = (is_date(year, second, first, 0..=2100), is_date(year, first, second, 0..=2100));
    match (cur.at - from, width) {
        (4, 1 | 2) if (1900..=2100).contains(&year) && (day_first || month_first) => finish(cur, text, start),
        (2, 2) if sign == b'/' && (day_first || month_first) => finish(cur, text, start),
        (2, 2) if day_first || month_first => finish(cur, text, start).filter(|hit| hit.rule == "personal/birth-date"),
        _ => None,
    }
}

/// `first`, then the name of a month, and perhaps a year.
fn day_first(cur: &mut Cursor<'_>, text: &Text<'_>, start: usize, first: u32) -> Option<Hit> {
    (1..=31).contains(&first).then_some(())?;
    ordinal(cur);
    cur.eat(b'.');
    (cur.eat(b' ') || cur.eat(b'-')).then_some(())?;
    let dashes = cur.at.checked_sub(1).and_then(|i| text.view.get(i)) == Some(&b'-');
    let _ = cur.eat_text(b"of ") || cur.eat_text(b"de ") || cur.eat_text(b"d'");
    let name = word(cur);
    is_one_of(name, &MONTHS).then_some(())?;
    // `may` and `mars` are words, too.
    let sure = name.first().is_some_and(u8::is_ascii_uppercase);
    let end = cur.at;
    let _ = cur.eat(b'.') || cur.eat(b',');
    if dashes && cur.eat(b'-') || !dashes && cur.eat(b' ') {
        let _ = cur.eat_text(b"de ") || cur.eat_text(b"del ") || cur.eat_text(b"of ");
        let from = cur.at;
        let year = number(cur);
        let width = cur.at - from;
        if year.is_some_and(|y| width == 4 && (1900..=2100).contains(&y) || width == 2 && dashes) && !goes_on(cur) {
            return finish(cur, text, start);
        }
    }
    cur.at = end;
    if sure { finish(cur, text, start) } else { None }
}

/// An age: with its unit as clinics write it, or named and with a sign. In a sentence, as in a child's sum, only from ninety on, which
/// is what identifies (45 CFR 164.514(b)(2)(i)(C)).
fn age(cur: &mut Cursor<'_>, text: &Text<'_>, start: usize, value: u32) -> Option<Hit> {
    let end = cur.at;
    let hit = || Hit::new(Kind::PersonalData, "personal/age", start..end, 0.8);
    if value > 130 {
        return None;
    }
    let _ = cur.eat(b' ') || cur.eat(b'-');
    if cur.peek().is_some_and(|c| c | 0x20 == b'y') {
        let clinical = [b"y/o".as_slice(), b"yo", b"y.o", b"yrs/o"].iter().any(|unit| cur.eat_text(unit));
        if clinical && !cur.peek().is_some_and(|c| c.is_ascii_alphanumeric()) {
            return Some(hit());
        }
        if cur.eat_text(b"year") || cur.eat_text(b"yr") {
            cur.eat(b's');
            let _ = cur.eat(b' ') || cur.eat(b'-');
            if cur.eat_text(b"old") || cur.eat_text(b"of age") {
                let _ = cur.eat(b' ') || cur.eat(b'-');
                let clinical = [b"male".as_slice(), b"female", b"man", b"woman", b"patient", b"gentleman", b"lady"];
                if value >= 90 || clinical.iter().any(|who| cur.eat_text(who)) {
                    return Some(hit());
                }
            }
        }
    }
    cur.at = end;
    let signs = text.view.get(..start).unwrap_or_default().iter().rev().take_while(|c| b" :=\"".contains(c));
    let signed = signs.clone().any(|c| matches!(c, b':' | b'='));
    let named = signed && may_be_named(text.view, start) && Around::before(text.view, start).names(topic::AGE);
    (named && !goes_on(cur)).then(hit)
}

/// A date that ends here, unless what follows makes it a part of something longer.
fn finish(cur: &mut Cursor<'_>, text: &Text<'_>, start: usize) -> Option<Hit> {
    if goes_on(cur) {
        return None;
    }
    let born = Around::before(text.view, start).says(topic::BIRTH);
    let (rule, confidence) = if born { ("personal/birth-date", 0.9) } else { ("personal/date", 0.8) };
    Some(Hit::new(Kind::PersonalData, rule, start..cur.at, confidence))
}

/// Whether a number is a part of something longer.
fn goes_on(cur: &mut Cursor<'_>) -> bool {
    match cur.peek() {
        Some(c) if c.is_ascii_alphanumeric() || c == b'_' => true,
        Some(b'-' | b'/' | b'.' | b',' | b':') => cur.peek_at(1).is_some_and(|c| c.is_ascii_digit()),
        _ => false,
    }
}

/// Up to four digits.
fn number(cur: &mut Cursor<'_>) -> Option<u32> {
    let from = cur.at;
    let width = cur.eat_while(4, |c| c.is_ascii_digit());
    let value = cur.since(from).iter().fold(0, |v, d| v * 10 + u32::from(d - b'0'));
    (width > 0).then_some(value)
}

/// `st`, `nd`, `rd`, `th`, and `er` of a French first.
fn ordinal(cur: &mut Cursor<'_>) {
    let _ = [b"st", b"nd", b"rd", b"th", b"er"].iter().any(|end| cur.eat_text(*end));
}

/// Letters, of Latin scripts beyond ASCII too.
fn word<'a>(cur: &mut Cursor<'a>) -> &'a [u8] {
    let from = cur.at;
    cur.eat_while(16, |c| c.is_ascii_alphabetic() || c >= 0x80);
    cur.since(from)
}

fn is_one_of(word: &[u8], months: &[&str]) -> bool {
    let first = |word: &[u8]| word.first().map(u8::to_ascii_lowercase);
    let begins = first(word);
    let is = |month: &[u8]| first(month) == begins && month.eq_ignore_ascii_case(word);
    word.len() > 2 && months.iter().any(|month| is(month.as_bytes()))
}

fn is_date(year: u32, month: u32, day: u32, years: RangeInclusive<u32>) -> bool {
    let days = match month {
        2 => 29,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    (1..=12).contains(&month) && (1..=days).contains(&day) && years.contains(&year)
}

/// English first, then German, French, Spanish, Italian, Portuguese, Dutch, Nordic languages and Polish, without those that repeat.
const MONTHS: [&str; 98] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
    "jan",
    "feb",
    "mar",
    "apr",
    "jun",
    "jul",
    "aug",
    "sep",
    "sept",
    "oct",
    "nov",
    "dec",
    "januar",
    "jänner",
    "februar",
    "feber",
    "märz",
    "mai",
    "juni",
    "juli",
    "oktober",
    "dezember",
    "okt",
    "dez",
    "mrz",
    "janvier",
    "février",
    "mars",
    "avril",
    "juin",
    "juillet",
    "août",
    "septembre",
    "octobre",
    "novembre",
    "décembre",
    "enero",
    "febrero",
    "marzo",
    "abril",
    "mayo",
    "junio",
    "julio",
    "agosto",
    "septiembre",
    "octubre",
    "noviembre",
    "diciembre",
    "gennaio",
    "febbraio",
    "aprile",
    "maggio",
    "giugno",
    "luglio",
    "settembre",
    "ottobre",
    "dicembre",
    "janeiro",
    "fevereiro",
    "março",
    "maio",
    "junho",
    "julho",
    "setembro",
    "outubro",
    "dezembro",
    "januari",
    "februari",
    "maart",
    "mei",
    "augustus",
    "augusti",
    "desember",
    "stycznia",
    "lutego",
    "marca",
    "kwietnia",
    "maja",
    "czerwca",
    "lipca",
    "sierpnia",
    "września",
    "października",
    "listopada",
    "grudnia",
    "maj",
];
