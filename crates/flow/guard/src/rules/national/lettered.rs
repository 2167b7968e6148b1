//! Numbers of countries that letters stand in.

use super::{check, topic};
use crate::rules::{around::Around, check::dni_letter};

/// The number that a run of capital letters, digits and signs is, and how surely.
pub(in crate::rules) fn lettered(run: &[u8], around: impl FnOnce() -> Around) -> Option<(&'static str, f32)> {
    let by_word = |rule, topics| around().says(topics).then_some((rule, 0.9));
    match run.len() {
        8 | 9 if is_pps(run) => by_word("personal/pps", topic::NATIONAL | topic::TAX),
        9 if is_nric(run) => Some(("personal/nric", 0.95)),
        9 if is_dni(run) => Some(("personal/dni", 0.85)),
        9 if is_nino(run) => Some(("personal/nino", 0.85)),
        10 if fits(run, b"AAAAA9999A") && run.get(3).is_some_and(|c| b"PCFHATBLJG".contains(c)) => {
            Some(("personal/pan", 0.85))
        }
        11 if is_hetu(run) => Some(("personal/hetu", 0.95)),
        9..=12 if is_rut(run) => Some(("personal/rut", 0.9)),
        12 if is_rvnr(run) => by_word("personal/rvnr", topic::RVNR | topic::HEALTH | topic::NATIONAL),
        12 if is_rfc(run) => by_word("personal/rfc", topic::RFC | topic::TAX),
        13 if is_rfc(run) => Some(("personal/rfc", 0.85)),
        16 if is_fiscal_code(run) => Some(("personal/codice-fiscale", 0.98)),
        18 if is_curp(run) => Some(("personal/curp", 0.98)),
        18 if is_resident(run) => Some(("personal/resident-id", 0.95)),
        _ => None,
    }
}

/// `run` begins with an identity number of Hong Kong, whose check stands in parentheses in the view after it.
pub(in crate::rules) fn is_hkid(run: &[u8], check: u8) -> bool {
    let letters = run.iter().take_while(|c| c.is_ascii_uppercase()).count();
    let digits = run.get(letters..).unwrap_or_default();
    if !(1..=2).contains(&letters) || digits.len() != 6 || !digits.iter().all(u8::is_ascii_digit) {
        return false;
    }
    let check = match check {
        b'0'..=b'9' => u32::from(check - b'0'),
        b'A' => 10,
        _ => return false,
    };
    let value = |c: u8| u32::from(if c.is_ascii_digit() { c - b'0' } else { c.wrapping_sub(b'A') + 10 });
    let padded = [b' '].iter().take(2 - letters).chain(run);
    let sum: u32 = padded.zip((2..=9).rev()).map(|(c, w)| w * if *c == b' ' { 36 } else { value(*c) }).sum();
    (sum + check).is_multiple_of(11)
}

/// Whether each character is of the kind that stands in the pattern: `A` a capital letter, `9` a digit, `X` either, others themselves.
pub(in crate::rules) fn fits(run: &[u8], pattern: &[u8]) -> bool {
    run.len() == pattern.len()
        && run.iter().zip(pattern).all(|(c, p)| match p {
            b'A' => c.is_ascii_uppercase(),
            b'9' => c.is_ascii_digit(),
            b'X' => c.is_ascii_uppercase() || c.is_ascii_digit(),
            p => c == p,
        })
}

/// Values of the digits in `run`; others are left out.
fn values(run: &[u8]) -> Vec<u8> {
    run.iter().filter(|c| c.is_ascii_digit()).map(|c| c - b'0').collect()
}

fn number(run: &[u8]) -> u32 {
    values(run).iter().fold(0, |v, d| v * 10 + u32::from(*d))
}

/// Spain: eight digits, or X, Y, Z and seven, and a letter out of 23.
fn is_dni(run: &[u8]) -> bool {
    let Some((letter, body)) = run.split_last() else { return false };
    let lead = match body.first() {
        Some(b'Y') => 10_000_000,
        Some(b'Z') => 20_000_000,
        _ => 0,
    };
    (fits(body, b"99999999") || fits(body, b"A9999999") && matches!(body.first(), Some(b'X'..=b'Z')))
        && dni_letter(lead + number(body)) == *letter
}

/// Singapore: a letter for the series, seven digits, a letter out of eleven.
fn is_nric(run: &[u8]) -> bool {
    if !fits(run, b"A9999999A") {
        return false;
    }
    let digits = values(run);
    let sum: u32 = digits.iter().zip([2, 7, 6, 5, 4, 3, 2]).map(|(d, w)| u32::from(*d) * w).sum();
    let (more, letters): (u32, &[u8]) = match run.first() {
        Some(b'S') => (0, b"JZIHGFEDCBA"),
        Some(b'T') => (4, b"JZIHGFEDCBA"),
        Some(b'F') => (0, b"XWUTRQPNMLK"),
        Some(b'G') => (4, b"XWUTRQPNMLK"),
        Some(b'M') => (3, b"XWUTRQPNJLK"),
        _ => return false,
    };
    letters.get(((sum + more) % 11) as usize) == run.last()
}

/// United Kingdom: prefixes that are issued, six digits, A to D.
fn is_nino(run: &[u8]) -> bool {
    let prefix = run.get(..2).unwrap_or_default();
    fits(run, b"AA999999A")
        && matches!(run.last(), Some(b'A'..=b'D'))
        && !prefix.iter().any(|c| b"DFIQUV".contains(c))
        && prefix.last() != Some(&b'O')
        && ![b"BG", b"GB", b"NK", b"KN", b"TN", b"NT", b"ZZ"].iter().any(|p| prefix == p.as_slice())
}

/// Ireland: seven digits, a letter out of 23, and perhaps one more.
fn is_pps(run: &[u8]) -> bool {
    if !fits(run, b"9999999A") && !fits(run, b"9999999AA") {
        return false;
    }
    let sum: u32 = values(run).iter().zip([8, 7, 6, 5, 4, 3, 2]).map(|(d, w)| u32::from(*d) * w).sum();
    let second = run.get(8).map_or(0, |c| u32::from(c - b'A' + 1) * 9);
    b"WABCDEFGHIJKLMNOPQRSTUV".get(((sum + second) % 23) as usize) == run.get(7)
}

/// Finland: a date, a sign for the century, a count, a sign out of 31.
fn is_hetu(run: &[u8]) -> bool {
    (fits(run, b"999999-999X") || fits(run, b"999999+999X") || fits(run, b"999999A999X"))
        && run.split_last().is_some_and(|(sign, body)| {
            check::hetu(
                &values(
                    body.get(..6).into_iter().chain(body.get(7..)).flatten().copied().collect::<Vec<_>>().as_slice(),
                ),
                *sign,
            )
        })
}

/// Chile, with K for ten: `12.345.678-K`.
fn is_rut(run: &[u8]) -> bool {
    let Some((b'K', body)) = run.split_last() else { return false };
    let Some((b'-', body)) = body.split_last() else { return false };
    body.iter().all(|c| c.is_ascii_digit() || *c == b'.') && check::rut_with(&values(body), 10)
}

/// Germany, pensions: an office, a date, a letter, a count, a check digit over all with the letter as its place.
fn is_rvnr(run: &[u8]) -> bool {
    if !fits(run, b"99999999A999") {
        return false;
    }
    let letter = run.get(8).map_or(0, |c| c - b'A' + 1);
    let mut all = values(run.get(..8).unwrap_or_default());
    all.extend([letter / 10, letter % 10]);
    all.extend(values(run.get(9..11).unwrap_or_default()));
    let sum: u32 = all
        .iter()
        .zip([2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1])
        .map(|(d, w)| {
            let product = u32::from(*d) * w;
            product / 10 + product % 10
        })
        .sum();
    run.last().is_some_and(|c| u32::from(c - b'0') == sum % 10)
}

/// Mexico, tax: three letters (companies) or four (people), a date, three signs.
fn is_rfc(run: &[u8]) -> bool {
    let letters = run.len() - 9;
    run.iter().take(letters).all(u8::is_ascii_uppercase)
        && run.get(letters..).is_some_and(|rest| fits(rest, b"999999XXX") && is_date(rest))
}

/// Year, month, day.
fn is_date(digits: &[u8]) -> bool {
    let (month, day) = (number(digits.get(2..4).unwrap_or_default()), number(digits.get(4..6).unwrap_or_default()));
    (1..=12).contains(&month) && (1..=31).contains(&day)
}

/// Italy: names, a date with the month as a letter, a place, a check letter; digits may be letters where two people had the same code.
fn is_fiscal_code(run: &[u8]) -> bool {
    const ODD: [u8; 26] =
        [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];
    let Some((check, body)) = run.split_last() else { return false };
    let value = |c: u8| if c.is_ascii_digit() { c - b'0' } else { c - b'A' };
    fits(run, b"AAAAAAXXAXXAXXXA") && run.get(8).is_some_and(|c| b"ABCDEHLMPRST".contains(c)) && {
        let sum: u32 = body
            .iter()
            .enumerate()
            .map(|(i, c)| {
                let even = value(*c);
                u32::from(if i % 2 == 1 { even } else { ODD.get(usize::from(even)).copied().unwrap_or_default() })
            })
            .sum();
        u32::from(check - b'A') == sum % 26
    }
}

/// Mexico, people: letters of the name, a date, sex, a state, consonants, a check digit.
fn is_curp(run: &[u8]) -> bool {
    const ORDER: &[u8] = b"0123456789ABCDEFGHIJKLMN OPQRSTUVWXYZ";
    let Some((check, body)) = run.split_last() else { return false };
    fits(run, b"AAAA999999AAAAAAX9")
        && matches!(run.get(10), Some(b'H' | b'M' | b'X'))
        && run.get(4..).is_some_and(is_date)
        && {
            let value = |c: &u8| ORDER.iter().position(|o| o == c).unwrap_or_default();
            let sum: usize = body.iter().zip((2..=18).rev()).map(|(c, w)| value(c) * w).sum();
            usize::from(check - b'0') == (10 - sum % 10) % 10
        }
}

/// China, with X for ten.
fn is_resident(run: &[u8]) -> bool {
    run.split_last().is_some_and(|(check, body)| {
        *check == b'X' && body.iter().all(u8::is_ascii_digit) && check::resident_with(&values(body), 10)
    })
}
