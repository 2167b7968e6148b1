//! Checksums that tell real identifiers from digits that merely look like them. Digits are values 0 to 9.

/// Luhn's check (ISO/IEC 7812-1, annex B).
pub(crate) fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(i, d)| {
            let d = u32::from(*d);
            if i % 2 == 0 { d } else { d * 2 / 10 + d * 2 % 10 }
        })
        .sum();
    sum.is_multiple_of(10)
}

/// Whether a number of this length is issued under this prefix (ISO/IEC 7812 ranges of the large card schemes).
pub(crate) fn card_prefix(digits: &[u8]) -> bool {
    let lead = |n: usize| digits.iter().take(n).fold(0u32, |v, d| v * 10 + u32::from(*d));
    match digits.len() {
        13 => lead(1) == 4,
        14 => (300..=305).contains(&lead(3)) || matches!(lead(2), 36 | 38 | 39),
        15 => matches!(lead(2), 34 | 37),
        16 => {
            lead(1) == 4
                || (51..=55).contains(&lead(2))
                || (2221..=2720).contains(&lead(4))
                || lead(4) == 6011
                || lead(2) == 65
                || (644..=649).contains(&lead(3))
                || (3528..=3589).contains(&lead(4))
                || lead(2) == 62
                || matches!(lead(4), 5018 | 5020 | 5038 | 6304 | 6759 | 6761 | 6763)
        }
        18 | 19 => matches!(lead(4), 5018 | 5020 | 5038 | 6304 | 6759 | 6761 | 6763) || lead(2) == 62 || lead(1) == 4,
        _ => false,
    }
}

/// ISO 13616 / ISO 7064 mod 97-10; `text` is upper-case letters and digits without spaces.
pub(crate) fn iban(text: &[u8]) -> bool {
    let (Some(head), Some(body)) = (text.get(..4), text.get(4..)) else { return false };
    let mut rest = 0u32;
    for c in body.iter().chain(head) {
        rest = match c {
            b'0'..=b'9' => rest * 10 + u32::from(c - b'0'),
            b'A'..=b'Z' => rest * 100 + u32::from(c - b'A') + 10,
            _ => return false,
        } % 97;
    }
    rest == 1
}

/// The length of an IBAN of this country (SWIFT IBAN registry).
pub(crate) fn iban_length(country: &[u8]) -> Option<usize> {
    const LENGTHS: &[(&[u8; 2], usize)] = &[
        (b"AD", 24),
        (b"AE", 23),
        (b"AL", 28),
        (b"AT", 20),
        (b"AZ", 28),
        (b"BA", 20),
        (b"BE", 16),
        (b"BG", 22),
        (b"BH", 22),
        (b"BR", 29),
        (b"BY", 28),
        (b"CH", 21),
        (b"CR", 22),
        (b"CY", 28),
        (b"CZ", 24),
        (b"DE", 22),
        (b"DK", 18),
        (b"DO", 28),
        (b"EE", 20),
        (b"EG", 29),
        (b"ES", 24),
        (b"FI", 18),
        (b"FO", 18),
        (b"FR", 27),
        (b"GB", 22),
        (b"GE", 22),
        (b"GI", 23),
        (b"GL", 18),
        (b"GR", 27),
        (b"GT", 28),
        (b"HR", 21),
        (b"HU", 28),
        (b"IE", 22),
        (b"IL", 23),
        (b"IQ", 23),
        (b"IS", 26),
        (b"IT", 27),
        (b"JO", 30),
        (b"KW", 30),
        (b"KZ", 20),
        (b"LB", 28),
        (b"LI", 21),
        (b"LT", 20),
        (b"LU", 20),
        (b"LV", 21),
        (b"MC", 27),
        (b"MD", 24),
        (b"ME", 22),
        (b"MK", 19),
        (b"MR", 27),
        (b"MT", 31),
        (b"MU", 30),
        (b"NL", 18),
        (b"NO", 15),
        (b"PK", 24),
        (b"PL", 28),
        (b"PS", 29),
        (b"PT", 25),
        (b"QA", 29),
        (b"RO", 24),
        (b"RS", 22),
        (b"SA", 24),
        (b"SE", 24),
        (b"SI", 19),
        (b"SK", 24),
        (b"SM", 27),
        (b"TN", 24),
        (b"TR", 26),
        (b"UA", 29),
        (b"VA", 22),
        (b"VG", 24),
        (b"XK", 20),
    ];
    LENGTHS.iter().find(|(c, _)| c.as_slice() == country).map(|(_, n)| *n)
}

/// Verhoeff's check, as Aadhaar uses it.
pub(crate) fn verhoeff(digits: &[u8]) -> bool {
    // The dihedral group of order ten, computed instead of tabled.
    fn times(a: u8, b: u8) -> u8 {
        match (a < 5, b < 5) {
            (true, true) => (a + b) % 5,
            (true, false) => 5 + (a + b - 5) % 5,
            (false, true) => 5 + (a + 5 - b) % 5,
            (false, false) => (a + 5 - b) % 5,
        }
    }
    const STEP: [u8; 10] = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];
    let mut sum = 0;
    for (i, d) in digits.iter().rev().enumerate() {
        let mut value = *d;
        for _ in 0..i % 8 {
            value = STEP.get(usize::from(value)).copied().unwrap_or_default();
        }
        sum = times(sum, value);
    }
    sum == 0
}

/// UK NHS number: ten digits, modulus 11 (NHS Data Dictionary).
pub(crate) fn nhs(digits: &[u8]) -> bool {
    weighted(digits, &[10, 9, 8, 7, 6, 5, 4, 3, 2, 1], 11) && digits.len() == 10
}

/// Dutch BSN: nine digits, the "elfproef".
pub(crate) fn bsn(digits: &[u8]) -> bool {
    let sum: i32 = digits.iter().zip([9, 8, 7, 6, 5, 4, 3, 2, -1]).map(|(d, w)| i32::from(*d) * w).sum();
    digits.len() == 9 && sum % 11 == 0 && digits.iter().any(|d| *d != 0)
}

/// Polish PESEL: eleven digits, weights and a month that exists.
pub(crate) fn pesel(digits: &[u8]) -> bool {
    let [_, _, m1, m2, d1, d2, ..] = digits else { return false };
    let (month, day) = ((m1 * 10 + m2) % 20, d1 * 10 + d2);
    digits.len() == 11
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && weighted(digits, &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1], 10)
}

/// Brazilian CPF: eleven digits, two check digits.
pub(crate) fn cpf(digits: &[u8]) -> bool {
    let Some(first) = digits.first() else { return false };
    let check = |n: usize| {
        let sum: u32 = digits.iter().take(n).zip(0u32..).map(|(d, i)| u32::from(*d) * (n as u32 + 1 - i)).sum();
        digits.get(n).is_some_and(|d| u32::from(*d) == sum * 10 % 11 % 10)
    };
    digits.len() == 11 && digits.iter().any(|d| d != first) && check(9) && check(10)
}

/// US social security number: area, group and serial that are issued (SSA, POMS RM 10201.035).
pub(crate) fn ssn(digits: &[u8]) -> bool {
    let [a, b, c, d, e, serial @ ..] = digits else { return false };
    let area = u32::from(*a) * 100 + u32::from(*b) * 10 + u32::from(*c);
    serial.len() == 4
        && area != 0
        && area != 666
        && area < 900
        && (*d, *e) != (0, 0)
        && serial.iter().any(|x| *x != 0)
        && digits != [1, 2, 3, 4, 5, 6, 7, 8, 9]
}

/// US individual taxpayer number: 9xx with a group the IRS issues.
pub(crate) fn itin(digits: &[u8]) -> bool {
    let [9, _, _, d, e, _, _, _, _] = digits else { return false };
    matches!(d * 10 + e, 50..=65 | 70..=88 | 90..=92 | 94..=99)
}

/// US national provider identifier: ten digits, Luhn over `80840` and the number.
pub(crate) fn npi(digits: &[u8]) -> bool {
    digits.len() == 10 && matches!(digits.first(), Some(1 | 2)) && luhn(&[&[8, 0, 8, 4, 0], digits].concat())
}

/// US bank routing number: nine digits, weights 3 7 1.
pub(crate) fn routing(digits: &[u8]) -> bool {
    digits.len() == 9 && weighted(digits, &[3, 7, 1, 3, 7, 1, 3, 7, 1], 10) && digits.iter().any(|d| *d != 0)
}

/// The letter of a Spanish DNI or NIE number.
pub(crate) fn dni_letter(number: u32) -> u8 {
    b"TRWAGMYFPDXBNJZSQVHLCKE".get((number % 23) as usize).copied().unwrap_or_default()
}

/// CRC-32 (ISO-HDLC), as GitHub and npm tokens end in it.
pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xedb8_8320 & 0u32.wrapping_sub(crc & 1));
        }
    }
    !crc
}

pub(crate) fn weighted(digits: &[u8], weights: &[u32], modulus: u32) -> bool {
    let sum: u32 = digits.iter().zip(weights).map(|(d, w)| u32::from(*d) * w).sum();
    digits.len() == weights.len() && sum.is_multiple_of(modulus)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digits(text: &str) -> Vec<u8> {
        text.bytes().filter(u8::is_ascii_digit).map(|c| c - b'0').collect()
    }

    #[test]
    fn published_examples_hold_and_a_changed_digit_does_not() {
        type Check = fn(&[u8]) -> bool;
        let cases: &[(Check, &str)] = &[
            (luhn, "4111111111111111"),
            (verhoeff, "2363"),
            (nhs, "9434765919"),
            (bsn, "111222333"),
            (pesel, "44051401359"),
            (cpf, "52998224725"),
            (npi, "1234567893"),
            (routing, "021000021"),
        ];
        for (check, text) in cases {
            let mut d = digits(text);
            assert!(check(&d), "{text}");
            let last = d.len() - 1;
            d[last] = (d[last] + 1) % 10;
            assert!(!check(&d), "{text} changed");
        }
        assert!(iban(b"GB82WEST12345698765432") && !iban(b"GB82WEST12345698765431"));
        assert!(ssn(&digits("078051120")) && !ssn(&digits("666051120")) && !ssn(&digits("900051120")));
        assert!(itin(&digits("910802075")) && !itin(&digits("910692075")));
        assert_eq!(dni_letter(12_345_678), b'Z');
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }
}
