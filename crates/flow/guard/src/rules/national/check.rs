//! Checksums of numbers that countries give out. Digits are values 0 to 9; lengths are the caller's to choose.

use crate::rules::check::{luhn, verhoeff, weighted};

/// Two digits as one value.
fn two(digits: &[u8], at: usize) -> u8 {
    match digits.get(at..at + 2) {
        Some([a, b]) => a * 10 + b,
        _ => 0,
    }
}

/// Whether a month and a day can be such.
const fn date(month: u8, day: u8) -> bool {
    month >= 1 && month <= 12 && day >= 1 && day <= 31
}

/// The sum of digits by their weights.
fn sum(digits: &[u8], weights: &[u32]) -> u32 {
    digits.iter().zip(weights).map(|(d, w)| u32::from(*d) * w).sum()
}

fn value(digits: &[u8]) -> u64 {
    digits.iter().fold(0, |v, d| v * 10 + u64::from(*d))
}

fn last(digits: &[u8]) -> u32 {
    digits.last().map_or(u32::MAX, |d| u32::from(*d))
}

/// ISO 7064 mod 11,10, as in Germany and Croatia.
fn mod_11_10(digits: &[u8]) -> bool {
    let Some((check, body)) = digits.split_last() else { return false };
    let product = body.iter().fold(10, |p, d| {
        let sum = (u32::from(*d) + p) % 10;
        (if sum == 0 { 10 } else { sum }) * 2 % 11
    });
    (11 - product) % 10 == u32::from(*check)
}

/// France: sex, year, month, department, and 97 less the rest (INSEE).
pub(crate) fn nir(digits: &[u8]) -> bool {
    let (Some(body), Some(sex)) = (digits.get(..13), digits.first()) else { return false };
    let month = two(digits, 3);
    matches!(sex, 1 | 2 | 7 | 8)
        && ((1..=12).contains(&month) || (20..=42).contains(&month))
        && 97 - value(body) % 97 == u64::from(two(digits, 13))
}

/// Switzerland: 756 and an EAN-13 check digit.
pub(crate) fn ahv(digits: &[u8]) -> bool {
    digits.starts_with(&[7, 5, 6]) && weighted(digits, &[1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1], 10)
}

/// China: 17 digits with a date, and ISO 7064 mod 11-2 over them. `check` is 10 for X.
pub(crate) fn resident_with(body: &[u8], check: u32) -> bool {
    const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    body.len() == 17
        && matches!(two(body, 6), 19 | 20)
        && date(two(body, 10), two(body, 12))
        && (sum(body, &WEIGHTS) + check) % 11 == 1
}

/// China, with a digit at the end.
pub(crate) fn resident(digits: &[u8]) -> bool {
    digits.split_last().is_some_and(|(check, body)| resident_with(body, u32::from(*check)))
}

/// Brazil, companies: two check digits.
pub(crate) fn cnpj(digits: &[u8]) -> bool {
    const WEIGHTS: [u32; 13] = [6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2];
    let check = |n: usize| {
        let rest = sum(digits.get(..n).unwrap_or_default(), WEIGHTS.get(13 - n..).unwrap_or_default()) % 11;
        digits.get(n).is_some_and(|d| u32::from(*d) == if rest < 2 { 0 } else { 11 - rest })
    };
    check(12) && check(13)
}

/// Australia, businesses: mod 89.
pub(crate) fn abn(digits: &[u8]) -> bool {
    const WEIGHTS: [u32; 11] = [10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19];
    digits.first().is_some_and(|d| *d > 0) && (sum(digits, &WEIGHTS) - 10).is_multiple_of(89)
}

/// Australia, companies.
pub(crate) fn acn(digits: &[u8]) -> bool {
    let rest = sum(digits, &[8, 7, 6, 5, 4, 3, 2, 1]) % 10;
    (10 - rest) % 10 == last(digits)
}

/// Belgium: a date, a count, and 97 less the rest; a 2 stands before those born since 2000.
pub(crate) fn rijksregister(digits: &[u8]) -> bool {
    let Some(body) = digits.get(..9) else { return false };
    let check = u64::from(two(digits, 9));
    (two(digits, 2) <= 12 && two(digits, 4) <= 31)
        && [0, 2_000_000_000].iter().any(|century| 97 - (value(body) + century) % 97 == check)
}

/// Korea: a date and a digit for sex and century; since October 2020 the rest is without a check.
pub(crate) fn rrn(digits: &[u8]) -> bool {
    date(two(digits, 2), two(digits, 4)) && digits.get(6).is_some_and(|d| (1..=8).contains(d))
}

/// Romania: sex and century, a date, a county, and mod 11.
pub(crate) fn cnp(digits: &[u8]) -> bool {
    let rest = sum(digits, &[2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9]) % 11;
    digits.first().is_some_and(|d| *d > 0)
        && date(two(digits, 3), two(digits, 5))
        && last(digits) == if rest == 10 { 1 } else { rest }
}

/// South Africa: a date, citizenship, Luhn.
pub(crate) fn south_africa(digits: &[u8]) -> bool {
    date(two(digits, 2), two(digits, 4)) && digits.get(10).is_some_and(|d| *d <= 2) && luhn(digits)
}

/// Thailand: mod 11.
pub(crate) fn thai(digits: &[u8]) -> bool {
    let rest = sum(digits, &[13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11;
    digits.first().is_some_and(|d| *d > 0) && (11 - rest) % 10 == last(digits)
}

/// Pakistan: a province and no check.
pub(crate) fn cnic(digits: &[u8]) -> bool {
    digits.first().is_some_and(|d| (1..=7).contains(d))
}

/// Norway: a date (raised for other series) and two checks mod 11.
pub(crate) fn fodselsnummer(digits: &[u8]) -> bool {
    let (day, month) = (two(digits, 0), two(digits, 2));
    date(month % 40, if day > 40 { day - 40 } else { day })
        && sum(digits, &[3, 7, 6, 1, 8, 9, 4, 5, 2, 1]).is_multiple_of(11)
        && sum(digits, &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1]).is_multiple_of(11)
}

/// Turkey: two check digits.
pub(crate) fn tckn(digits: &[u8]) -> bool {
    let Some([a, b, c, d, e, f, g, h, i, j, k]) = digits.first_chunk::<11>().map(|d| d.map(i32::from)) else {
        return false;
    };
    a != 0
        && (7 * (a + c + e + g + i) - (b + d + f + h)).rem_euclid(10) == j
        && (a + b + c + d + e + f + g + h + i + j) % 10 == k
}

/// Greece: a date and Luhn.
pub(crate) fn amka(digits: &[u8]) -> bool {
    date(two(digits, 2), two(digits, 0)) && luhn(digits)
}

/// Germany, tax: no zero first, ISO 7064 mod 11,10, and one digit of the first ten stands twice or thrice.
pub(crate) fn steuer_id(digits: &[u8]) -> bool {
    let body = digits.get(..10).unwrap_or_default();
    let most = (0..10u8).map(|d| body.iter().filter(|b| **b == d).count()).max();
    digits.first().is_some_and(|d| *d > 0) && matches!(most, Some(2 | 3)) && mod_11_10(digits)
}

/// Croatia: ISO 7064 mod 11,10.
pub(crate) fn oib(digits: &[u8]) -> bool {
    mod_11_10(digits)
}

/// Argentina: a kind and mod 11.
pub(crate) fn cuit(digits: &[u8]) -> bool {
    let rest = sum(digits, &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11;
    matches!(two(digits, 0), 20 | 23 | 24 | 27 | 30 | 33 | 34) && (11 - rest) % 11 == last(digits)
}

/// India: Verhoeff, and no 0 or 1 first.
pub(crate) fn aadhaar(digits: &[u8]) -> bool {
    digits.first().is_some_and(|d| *d > 1) && verhoeff(digits)
}

/// Japan, individuals: mod 11.
pub(crate) fn my_number(digits: &[u8]) -> bool {
    let rest = sum(digits, &[6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11;
    last(digits) == if rest < 2 { 0 } else { 11 - rest }
}

/// Sweden: a date (the day raised by 60 for coordination numbers) and Luhn over the last ten.
pub(crate) fn personnummer(digits: &[u8]) -> bool {
    let ten = digits.get(digits.len().saturating_sub(10)..).unwrap_or_default();
    let century = digits.len() != 12 || matches!(two(digits, 0), 18..=20);
    century && date(two(ten, 2), two(ten, 4) % 60) && luhn(ten)
}

/// Finland: a date, a count and a sign out of 31.
pub(crate) fn hetu(digits: &[u8], sign: u8) -> bool {
    let signs = b"0123456789ABCDEFHJKLMNPRSTUVWXY";
    digits.len() == 9 && date(two(digits, 2), two(digits, 0)) && signs.get((value(digits) % 31) as usize) == Some(&sign)
}

/// Finland, where the sign is a digit.
pub(crate) fn hetu_digits(digits: &[u8]) -> bool {
    digits.split_last().is_some_and(|(sign, rest)| hetu(rest, b'0' + sign))
}

/// Bulgaria: a date (months raised for other centuries) and mod 11.
pub(crate) fn egn(digits: &[u8]) -> bool {
    let rest = sum(digits, &[2, 4, 8, 5, 10, 9, 7, 3, 6]) % 11;
    date(two(digits, 2) % 20, two(digits, 4)) && last(digits) == rest % 10
}

/// Czechia and Slovakia: a date (months raised for women) and mod 11.
pub(crate) fn rodne_cislo(digits: &[u8]) -> bool {
    let month = two(digits, 2) % 50;
    date(if month > 20 { month - 20 } else { month }, two(digits, 4)) && value(digits).is_multiple_of(11)
}

/// Denmark: a date; since 2007 without a check.
pub(crate) fn cpr(digits: &[u8]) -> bool {
    date(two(digits, 2), two(digits, 0))
}

/// Poland, tax: mod 11.
pub(crate) fn nip(digits: &[u8]) -> bool {
    sum(digits, &[6, 5, 7, 2, 3, 4, 5, 6, 7]) % 11 == last(digits)
}

/// Poland, businesses: mod 11.
pub(crate) fn regon(digits: &[u8]) -> bool {
    sum(digits, &[8, 9, 2, 3, 4, 5, 6, 7]) % 11 % 10 == last(digits)
}

/// Australia, Medicare: a check digit at the ninth place.
pub(crate) fn medicare(digits: &[u8]) -> bool {
    digits.first().is_some_and(|d| (2..=6).contains(d))
        && digits.get(8).is_some_and(|d| sum(digits, &[1, 3, 7, 9, 1, 3, 7, 9]) % 10 == u32::from(*d))
}

/// Austria, social insurance: a check digit at the fourth place, then a date.
pub(crate) fn austria(digits: &[u8]) -> bool {
    let rest = sum(digits, &[3, 7, 9, 0, 5, 8, 4, 2, 1, 6]) % 11;
    digits.first().is_some_and(|d| *d > 0)
        && digits.get(3).is_some_and(|d| u32::from(*d) == rest)
        && date(two(digits, 6), two(digits, 4))
}

/// Canada: Luhn, and no 0 or 8 first.
pub(crate) fn sin(digits: &[u8]) -> bool {
    !matches!(digits.first(), Some(0 | 8) | None) && luhn(digits)
}

/// Australia, tax: mod 11.
pub(crate) fn tfn(digits: &[u8]) -> bool {
    weighted(digits, &[1, 4, 3, 7, 5, 8, 6, 9, 10], 11)
}

/// Greece, tax: mod 11.
pub(crate) fn afm(digits: &[u8]) -> bool {
    sum(digits, &[256, 128, 64, 32, 16, 8, 4, 2]) % 11 % 10 == last(digits)
}

/// Portugal, tax: mod 11.
pub(crate) fn nif(digits: &[u8]) -> bool {
    let rest = sum(digits, &[9, 8, 7, 6, 5, 4, 3, 2]) % 11;
    !matches!(digits.first(), Some(0 | 4 | 7) | None) && last(digits) == if rest < 2 { 0 } else { 11 - rest }
}

/// New Zealand, tax: mod 11, with a second set of weights where the first gives ten.
pub(crate) fn ird(digits: &[u8]) -> bool {
    let Some((check, body)) = digits.split_last() else { return false };
    let padded = |weights: &[u32; 8]| {
        let rest = sum(body, weights.get(8 - body.len().min(8)..).unwrap_or_default()) % 11;
        if rest == 0 { 0 } else { 11 - rest }
    };
    let first = padded(&[3, 2, 7, 6, 5, 4, 3, 2]);
    let wanted = if first == 10 { padded(&[7, 4, 3, 2, 5, 2, 7, 6]) } else { first };
    (10_000_000..150_000_000).contains(&value(digits)) && u32::from(*check) == wanted
}

/// France, companies (SIREN, SIRET): Luhn.
pub(crate) fn siren(digits: &[u8]) -> bool {
    luhn(digits)
}

/// Chile: mod 11, where the check is a digit.
pub(crate) fn rut(digits: &[u8]) -> bool {
    digits.split_last().is_some_and(|(check, body)| rut_with(body, u32::from(*check)))
}

/// Chile: mod 11; `check` is 10 for K.
pub(crate) fn rut_with(body: &[u8], check: u32) -> bool {
    let sum: u32 = body.iter().rev().zip([2, 3, 4, 5, 6, 7].into_iter().cycle()).map(|(d, w)| u32::from(*d) * w).sum();
    (7..=8).contains(&body.len()) && (11 - sum % 11) % 11 == check
}
