//! Personal numbers: cards, social security and national numbers, bank accounts, telephones.
//!
//! A number counts when its form and its checksum say so; where those are weak, a word before it must say so too.

use std::ops::RangeInclusive;

use countersign_core::Kind;

use super::{
    Hit, Text,
    around::{Around, may_be_named, topic},
    check, codes,
    cursor::Cursor,
    date, national,
};

/// The most digits one number may have, and the most groups they may stand in.
const DIGITS: usize = 22;
const GROUPS: usize = 10;

/// Digits in groups, as they stand in a text.
#[derive(Default)]
struct Groups {
    digits: [u8; DIGITS],
    count: usize,
    /// For each group: digits before it ends, bytes before it ends, what stands before it.
    ends: [(u8, u8, u8); GROUPS],
    groups: usize,
    plus: bool,
    /// The group that stands in parentheses.
    inside: Option<usize>,
}

impl Groups {
    fn digits(&self, groups: usize) -> &[u8] {
        let count = groups.checked_sub(1).and_then(|i| self.ends.get(i)).map_or(0, |e| usize::from(e.0));
        self.digits.get(..count).unwrap_or_default()
    }

    /// Lengths of the first groups, one hexadecimal digit each: 4-4-4-4 is 0x4444.
    fn shape(&self, groups: usize) -> u64 {
        let mut before = 0;
        self.ends.iter().take(groups).fold(0, |shape, (count, ..)| {
            let len = u64::from((count - before).min(15));
            before = *count;
            shape << 4 | len
        })
    }

    /// What stands between the first groups, when it is the same everywhere.
    fn separator(&self, groups: usize) -> Option<u8> {
        let mut all = self.ends.iter().take(groups).skip(1).map(|e| e.2);
        let first = all.next()?;
        all.all(|s| s == first).then_some(first)
    }

    /// Reads groups of digits: one space, dash or dot between them, one group possibly in parentheses.
    fn read(cur: &mut Cursor<'_>) -> Self {
        let mut it = Self::default();
        let begin = cur.at;
        it.plus = cur.eat(b'+');
        let mut separator = 0;
        loop {
            let mut open = cur.peek() == Some(b'(');
            if open && !cur.peek_at(1).is_some_and(|c| c.is_ascii_digit()) {
                break;
            }
            if open {
                cur.at += 1;
            }
            let from = cur.at;
            let room = DIGITS - it.count;
            let read = cur.eat_while(room, |c| c.is_ascii_digit());
            if read == 0 || it.groups == GROUPS || cur.peek().is_some_and(|c| c.is_ascii_digit()) {
                break;
            }
            for byte in cur.since(from) {
                if let Some(slot) = it.digits.get_mut(it.count) {
                    *slot = byte - b'0';
                    it.count += 1;
                }
            }
            if open {
                it.inside = it.inside.or(Some(it.groups));
                open = cur.eat(b')');
                if !open {
                    break;
                }
            }
            if let Some(end) = it.ends.get_mut(it.groups) {
                *end = (it.count as u8, (cur.at - begin) as u8, separator);
                it.groups += 1;
            }
            // What may stand before the next group.
            let (ahead, sep) = match (cur.peek(), open) {
                (Some(b'-'), true) if cur.peek_at(1).is_some_and(|c| c.is_ascii_digit()) => (1, b')'),
                (Some(b' '), true) => (1, b')'),
                (Some(c), true) if c.is_ascii_digit() => (0, b')'),
                (Some(c @ (b' ' | b'-' | b'.')), _) => (1, c),
                (Some(b'('), _) => (0, b' '),
                _ => break,
            };
            match cur.peek_at(ahead) {
                Some(c) if c.is_ascii_digit() => {}
                Some(b'(') if cur.peek_at(ahead + 1).is_some_and(|c| c.is_ascii_digit()) => {}
                _ => break,
            }
            cur.at += ahead;
            separator = sep;
        }
        it
    }
}

/// Whether a run of digits and signs, standing alone, is too short to be a number that any rule takes: a cheap look before the real
/// one.
pub(super) fn is_idle(view: &[u8], run: &[u8], start: usize) -> bool {
    let end = start + run.len();
    let alone = match view.get(end..end + 2) {
        Some([b'(', _]) => false,
        Some([b' ', next]) => !(next.is_ascii_digit() || *next == b'('),
        Some(_) => true,
        // What follows may not have arrived.
        None => false,
    };
    // Nothing but a name makes so few of them personal.
    let digits = run.iter().filter(|b| b.is_ascii_digit()).count();
    alone && (digits < 3 || digits < 7 && !may_be_named(view, start))
}

/// A number that begins here.
pub(super) fn probe(cur: &mut Cursor<'_>, text: &Text<'_>) -> Option<Hit> {
    let start = cur.at;
    let bytes = text.view;
    let before = start.checked_sub(1).and_then(|i| bytes.get(i)).copied().unwrap_or(b' ');
    if before.is_ascii_alphanumeric() {
        return None;
    }
    let it = Groups::read(cur);
    if it.count < 3 {
        return None;
    }
    let mut around = Lazy { view: bytes, start, around: None, named: None };
    for groups in (1..=it.groups).rev() {
        let end = start + usize::from(it.ends.get(groups - 1)?.1);
        // What follows must not make it a part of something longer; a space and more digits may follow.
        let glued = if groups < it.groups {
            it.ends.get(groups).is_none_or(|e| e.2 != b' ')
        } else {
            cur.at = end;
            match cur.peek() {
                Some(c) if c.is_ascii_alphanumeric() || c == b'_' => c != b'x' || !(10..=13).contains(&it.count),
                Some(b'-' | b'@' | b'/' | b':' | b'%') => cur.peek_at(1).is_some_and(|c| c.is_ascii_alphanumeric()),
                Some(b'.' | b',') => cur.peek_at(1).is_some_and(|c| c.is_ascii_digit()),
                _ => false,
            }
        };
        if glued {
            continue;
        }
        if let Some((rule, confidence)) = known(&it, groups, before, &mut around) {
            let mut end = end;
            if rule == "personal/phone" && groups == it.groups {
                cur.at = end;
                if cur.eat(b'x') {
                    cur.eat_while(6, |c| c.is_ascii_digit());
                    end = cur.at;
                }
            }
            return Some(Hit::new(Kind::PersonalData, rule, start..end, confidence));
        }
    }
    None
}

/// Which rule takes the first groups, and how surely.
fn known(it: &Groups, groups: usize, before: u8, around: &mut Lazy<'_>) -> Option<(&'static str, f32)> {
    let digits = it.digits(groups);
    let shape = it.shape(groups);
    let separator = it.separator(groups);
    // Part of a longer number, a path or a version.
    let attached = matches!(before, b'-' | b'.' | b'/' | b'_' | b'%' | b'=' | b'#' | b'$') && before != b'=';
    let plain = !it.plus && it.inside.is_none();
    if plain && !attached {
        if let Some(found) = checked(digits, shape, separator, around) {
            return Some(found);
        }
        if let Some(found) = named(digits, groups, around) {
            return Some(found);
        }
    }
    (!attached && phone(it, groups, around)).then_some(("personal/phone", 0.8))
}

/// Numbers that carry their own proof.
fn checked(digits: &[u8], shape: u64, separator: Option<u8>, around: &mut Lazy<'_>) -> Option<(&'static str, f32)> {
    let card_shape = matches!(shape, 0xd | 0xe | 0xf | 0x4444 | 0x465 | 0x464 | 0x44443 | 0x44442 | 0x4443 | 0x3333)
        || shape == 0xf && digits.len() >= 15;
    if (13..=19).contains(&digits.len()) && card_shape && check::card_prefix(digits) && check::luhn(digits) {
        let repeated = digits.windows(2).all(|w| w.first() == w.last());
        if !repeated && !around.get().says(topic::NOT_CARD) {
            return Some(("personal/card", if separator.is_some() { 0.99 } else { 0.95 }));
        }
    }
    match shape {
        0x324 if separator == Some(b'-') || around.get().says(topic::SSN) => {
            if check::ssn(digits) {
                return Some(("personal/us-ssn", 0.95));
            }
            if check::itin(digits) {
                return Some(("personal/us-itin", 0.9));
            }
        }
        0xa if check::npi(digits) && around.get().says(topic::NPI) => return Some(("personal/npi", 0.9)),
        0x9 if check::routing(digits) && around.get().says(topic::ROUTING) => {
            return Some(("personal/bank-routing", 0.9));
        }
        0xf if check::luhn(digits) && digits.len() == 15 && around.get().says(topic::DEVICE) => {
            return Some(("personal/device-id", 0.95));
        }
        _ => {}
    }
    national::digits(digits, shape, NAMING, || around.get())
}

/// Numbers that only the words before them make personal.
fn named(digits: &[u8], groups: usize, around: &mut Lazy<'_>) -> Option<(&'static str, f32)> {
    if digits.len() < 5 && groups > 1 || groups > 3 && digits.len() < 8 {
        return None;
    }
    let around = around.naming()?;
    if let Some(found) = national::named(digits, around) {
        return Some(found);
    }
    let of = NAMED.iter().filter(|n| around.names(n.topic));
    of.clone().find(|n| n.digits.contains(&digits.len())).map(|n| (n.rule, n.confidence))
}

/// What a word directly before a value makes of it.
struct Named {
    topic: u64,
    rule: &'static str,
    confidence: f32,
    /// How many digits it has where it has nothing else.
    digits: RangeInclusive<usize>,
    /// How long it is with letters and signs; never where it has none.
    letters: RangeInclusive<usize>,
}

const fn named_by(
    topic: u64,
    rule: &'static str,
    confidence: f32,
    digits: RangeInclusive<usize>,
    letters: RangeInclusive<usize>,
) -> Named {
    Named { topic, rule, confidence, digits, letters }
}

/// All topics that name values.
const NAMING: u64 = {
    let (mut all, mut i) = (0, 0);
    while i < NAMED.len() {
        all |= NAMED[i].topic;
        i += 1;
    }
    all
};

/// The more a word says, the earlier.
#[expect(clippy::reversed_empty_ranges, reason = "what has no letters is of no length with them")]
const NAMED: [Named; 18] = [
    named_by(topic::CARD_CODE, "personal/card-code", 0.9, 3..=4, 1..=0),
    named_by(topic::RECORD, "personal/medical-record", 0.85, 5..=12, 6..=16),
    named_by(topic::PASSPORT, "personal/passport", 0.8, 7..=10, 6..=16),
    named_by(topic::NPI, "personal/npi", 0.8, 10..=10, 1..=0),
    named_by(topic::NHS, "personal/nhs", 0.8, 10..=10, 1..=0),
    named_by(topic::HEALTH, "personal/health-plan", 0.8, 7..=14, 6..=16),
    named_by(topic::MEDICAL, "personal/medical-license", 0.8, 5..=12, 6..=14),
    named_by(topic::VEHICLE, "personal/vehicle", 0.7, 5..=8, 4..=17),
    named_by(topic::LICENCE, "personal/driver-license", 0.7, 7..=13, 6..=18),
    named_by(topic::DEVICE, "personal/device-id", 0.75, 6..=18, 6..=32),
    named_by(topic::ROUTING, "personal/bank-routing", 0.8, 6..=9, 11..=11),
    named_by(topic::ACCOUNT, "personal/bank-account", 0.7, 6..=18, 1..=0),
    named_by(topic::SSN, "personal/us-ssn", 0.8, 9..=9, 1..=0),
    named_by(topic::COMPANY, "personal/company-id", 0.75, 8..=14, 8..=15),
    named_by(topic::TAX, "personal/tax-id", 0.75, 8..=14, 8..=16),
    named_by(topic::NATIONAL, "personal/national-id", 0.75, 6..=18, 6..=20),
    named_by(topic::NINO, "personal/nino", 0.75, 9..=9, 9..=9),
    named_by(topic::PERSON_ID, "personal/reference", 0.6, 5..=16, 5..=20),
];

/// Telephone numbers in forms that nothing else has, or that the words before them name.
fn phone(it: &Groups, groups: usize, around: &mut Lazy<'_>) -> bool {
    let digits = it.digits(groups);
    let shape = it.shape(groups);
    let separator = it.separator(groups);
    let [a, b, ..] = digits else { return false };
    if it.plus {
        return *a != 0 && (8..=15).contains(&digits.len());
    }
    let american = digits.len() == 10 && shape == 0x334 && *a != 0;
    let with_one = digits.len() == 11 && *a == 1 && shape == 0x1334;
    if it.inside == Some(0) {
        let area = shape >> (4 * (groups - 1)) & 15;
        return american || groups > 1 && *a == 0 && (2..=5).contains(&area) && (9..=12).contains(&digits.len());
    }
    if american && (separator == Some(b'-') || separator == Some(b'.') && is_american(digits))
        || with_one && (matches!(separator, Some(b'-' | b'.')) || it.inside == Some(1))
        || shape == 0x34 && separator == Some(b'-') && digits.starts_with(&[5, 5, 5])
    {
        return true;
    }
    // 00 and a country, in groups.
    if (*a, *b) == (0, 0) && groups > 2 && (10..=15).contains(&digits.len()) && digits.get(2) != Some(&0) {
        return true;
    }
    // A national number: 0 and an area, then groups that no date has.
    let area = shape >> (4 * (groups - 1)) & 15;
    let spread =
        groups > 1 && (3..=5).contains(&area) && groups < 5 && !matches!(shape, 0x422 | 0x4222 | 0x333 | 0x3333);
    let pairs = shape == 0x2_2222;
    if *a == 0 && *b != 0 && (9..=11).contains(&digits.len()) && (spread || pairs) && separator != Some(b'.') {
        return true;
    }
    let date = matches!(shape, 0x422 | 0x224 | 0x8 | 0x4224 | 0x4222) && separator != Some(b' ');
    (7..=15).contains(&digits.len()) && !date && around.get().says(topic::PHONE)
        || (9..=12).contains(&digits.len()) && groups == it.groups && is_beside_mail(around.view, around.start)
}

/// Whether area and exchange are such as North America has.
fn is_american(digits: &[u8]) -> bool {
    digits.first().is_some_and(|d| *d > 1) && digits.get(3).is_some_and(|d| *d > 1)
}

/// Whether a place begins a field of a record whose field before it is an e-mail address.
fn is_beside_mail(view: &[u8], start: usize) -> bool {
    let before = view.get(start.saturating_sub(48)..start).unwrap_or_default();
    let before = before.strip_suffix(b"\"").unwrap_or(before);
    let Some((sign @ (b',' | b';' | b'|' | b'\t'), field)) = before.split_last() else { return false };
    let from = field.iter().rposition(|c| c == sign || *c == b'\n').map_or(0, |i| i + 1);
    let field = field.get(from..).unwrap_or_default();
    field.contains(&b'@') && !field.contains(&b' ')
}

/// The words before a number, looked at when they are asked for.
struct Lazy<'a> {
    view: &'a [u8],
    start: usize,
    around: Option<Around>,
    named: Option<bool>,
}

impl Lazy<'_> {
    fn get(&mut self) -> Around {
        *self.around.get_or_insert_with(|| Around::before(self.view, self.start))
    }

    /// None where nothing can name the number.
    fn naming(&mut self) -> Option<Around> {
        (*self.named.get_or_insert_with(|| may_be_named(self.view, self.start))).then(|| self.get())
    }
}

/// Bank account numbers that carry their country and checksum (ISO 13616).
pub(super) fn iban(cur: &mut Cursor<'_>, text: &Text<'_>) -> Option<Hit> {
    let start = cur.at;
    let head = text.view.get(start..start + 4)?;
    if !(head.iter().take(2).all(u8::is_ascii_uppercase) && head.iter().skip(2).all(u8::is_ascii_digit)) {
        return None;
    }
    let wanted = check::iban_length(head.get(..2)?)?;
    let mut plain = [0; 34];
    let mut count = 0;
    while count < wanted {
        let mut c = cur.peek()?;
        if matches!(c, b' ' | b'-') && count > 0 && count % 4 == 0 {
            c = cur.peek_at(1)?;
            cur.at += 1;
        }
        if !(c.is_ascii_uppercase() || c.is_ascii_digit()) {
            return None;
        }
        *plain.get_mut(count)? = c;
        count += 1;
        cur.at += 1;
    }
    if cur.peek().is_some_and(|c| c.is_ascii_alphanumeric()) {
        return None;
    }
    check::iban(plain.get(..count)?).then(|| Hit::new(Kind::PersonalData, "personal/iban", start..cur.at, 0.99))
}

/// Identifiers of letters and digits in one piece, by their form or by the word before them.
pub(super) fn lettered(piece: &[u8], start: usize, text: &Text<'_>, out: &mut Vec<Hit>) {
    let trimmed = piece.iter().rposition(u8::is_ascii_alphanumeric).map_or(0, |i| i + 1);
    let piece = piece.get(..trimmed).unwrap_or_default();
    if !(4..=90).contains(&piece.len()) {
        return;
    }
    let around = || Around::before(text.view, start);
    let mut push = |(rule, confidence)| {
        out.push(Hit::new(Kind::PersonalData, rule, start..start + piece.len(), confidence));
    };
    let found = national::lettered(piece, around).or_else(|| codes::code(piece, around));
    let proven = found.is_some_and(|(_, confidence)| confidence >= 0.9);
    let capital = piece.iter().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || b"-/.".contains(c));
    let digits = piece.iter().filter(|c| c.is_ascii_digit()).count();
    let letters = piece.iter().filter(|c| c.is_ascii_alphabetic()).count();
    let hexadecimal = piece.iter().all(|c| c.is_ascii_hexdigit() || *c == b'-');
    let may_be_named = piece.len() <= 32 && digits > 1 && letters > 0 && (capital || hexadecimal);
    if !proven && may_be_named && self::may_be_named(text.view, start) {
        let around = around();
        if let Some(named) = NAMED.iter().find(|n| around.names(n.topic) && n.letters.contains(&piece.len())) {
            return push((named.rule, named.confidence));
        }
    }
    if let Some(found) = found {
        push(found);
    }
}

/// A value with spaces in it: a plate that a word names, a British insurance number.
pub(super) fn spaced(cur: &mut Cursor<'_>, text: &Text<'_>) -> Option<Hit> {
    let start = cur.at;
    let before = start.checked_sub(1).and_then(|i| text.view.get(i)).copied().unwrap_or(b' ');
    if before.is_ascii_alphanumeric() || before == b'-' {
        return None;
    }
    let (mut end, mut shape, mut signs, mut digits) = (None, [0; 3], 0, 0);
    for place in 0..3 {
        let from = cur.at;
        let len = cur.eat_while(8, |c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == b'-');
        let piece = cur.since(from);
        let after = cur.peek();
        if len == 0 || place > 0 && len > 5 || after.is_some_and(|c| c.is_ascii_alphanumeric() || c == b'-') {
            break;
        }
        if let Some(group) = shape.get_mut(place) {
            *group = len;
        }
        signs += piece.iter().filter(|c| c.is_ascii_alphanumeric()).count();
        digits += piece.iter().filter(|c| c.is_ascii_digit()).count();
        end = Some(cur.at).filter(|_| signs <= 10).or(end);
        if !cur.eat(b' ') {
            break;
        }
    }
    let (end, groups) = (end?, shape.iter().filter(|len| **len > 0).count());
    let year = groups == 1 && matches!(text.view.get(start..end), Some([b'1', b'9', _, _] | [b'2', b'0', _, _]));
    if cur.starved() || year || !(4..=10).contains(&signs) || digits == 0 || !may_be_named(text.view, start) {
        return None;
    }
    Around::before(text.view, start)
        .names(topic::VEHICLE)
        .then(|| Hit::new(Kind::PersonalData, "personal/vehicle", start..end, 0.7))
}

/// What stands behind the letters and digits read so far and proves them: the sign of an identity number of Hong Kong, the rest of
/// a machine-readable line.
pub(super) fn proven(cur: &mut Cursor<'_>, run: &[u8]) -> Option<Hit> {
    let start = cur.at;
    if matches!(run.len(), 7 | 8) && run.first().is_some_and(u8::is_ascii_uppercase) {
        cur.at += run.len();
        let check = cur.eat(b'(').then(|| cur.peek()).flatten()?;
        cur.at += 1;
        return (national::is_hkid(run, check) && cur.eat(b')'))
            .then(|| Hit::new(Kind::PersonalData, "personal/hkid", start..cur.at, 0.95));
    }
    if !(14..=44).contains(&run.len()) || !run.iter().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit()) {
        return None;
    }
    cur.eat_while(45, |c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == b'<');
    (codes::is_travel_line(cur.since(start)) && !cur.peek().is_some_and(|c| c.is_ascii_alphanumeric()))
        .then(|| Hit::new(Kind::PersonalData, "personal/passport", start..cur.at, 0.98))
}

/// Values after `=` or `:` inside one run that holds a digit, as in `card=4111111111111111`.
pub(super) fn parts(run: &[u8], start: usize, text: &Text<'_>, out: &mut Vec<Hit>) {
    let mut at = 0;
    while let Some(skip) = run.get(at..).and_then(|r| r.iter().position(|c| b"=:&/?".contains(c))) {
        at += skip + 1;
        let rest = run.get(at..).unwrap_or_default();
        let Some(first) = rest.first() else { return };
        // The run is whole, but a value may go on behind it: only what ends inside is judged here.
        let view = text.view.get(..start + run.len()).unwrap_or_default();
        if first.is_ascii_digit() || *first == b'+' {
            let read = |matcher: fn(&mut Cursor<'_>, &Text<'_>) -> Option<Hit>| {
                matcher(&mut Cursor::new(view, start + at, true), text)
            };
            if let Some(hit) = read(date::probe).or_else(|| read(probe)) {
                at = hit.span.end - start;
                out.push(hit);
                continue;
            }
        }
        let piece = rest.get(..rest.iter().position(|c| b"=:&/?".contains(c)).unwrap_or(rest.len()));
        let piece = piece.unwrap_or_default();
        if piece.iter().any(u8::is_ascii_digit) && piece.iter().any(u8::is_ascii_alphabetic) {
            lettered(piece, start + at, text, out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn what_is_idle_is_no_number(before in 0usize..6, run in "[0-9.+#~-]{1,12}", after in "[0-9 ().,x%/:-]{0,8}", last: bool) {
            let before = ["", " ", "account no. ", "tel: ", "(", "cvv "][before];
            let text = format!("{before}{run}{after}");
            let view = text.as_bytes();
            let text = Text { view, from: 0, last, grows: !last, links: None, planted: None, depth: 0 };
            let ends = !after.starts_with(|c: char| super::super::class(c as u8) != 0);
            if ends && is_idle(view, run.as_bytes(), before.len()) {
                let mut cursor = Cursor::new(view, before.len(), last);
                proptest::prop_assert_eq!(probe(&mut cursor, &text), None);
                proptest::prop_assert!(!cursor.starved());
            }
        }
    }
}
